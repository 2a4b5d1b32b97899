/*
 * Answers of PostgreSQL servers as findings.
 */
#include "schema/check_internal.h"
#include "schema/text_array.h"

#include <string.h>

static FindingLevel level_of(const char *word)
{
    if (strcmp(word, "pass") == 0)
        return FINDING_PASS;
    return strcmp(word, "warn") == 0 ? FINDING_WARN : FINDING_FAIL;
}

bool check_add_rows_pg(Check *check, const Server *server, const char *sql, int n,
                       const char *const *values, GError **error)
{
    g_autoptr(PGresult) result = pg_query_params(server->pg, sql, n, values, error);
    if (result == NULL)
        return false;
    for (int row = 0; row < PQntuples(result); row++)
        check_add(check, level_of(PQgetvalue(result, row, 0)), PQgetvalue(result, row, 1),
                  PQgetisnull(result, row, 3) ? NULL : PQgetvalue(result, row, 3), "%s",
                  PQgetvalue(result, row, 2));
    return true;
}

bool check_add_missing_pg(Check *check, const Server *server, const char *name, const char *sql,
                          int n, const char *const *values, GError **error)
{
    g_autoptr(PGresult) result = pg_query_params(server->pg, sql, n, values, error);
    if (result == NULL)
        return false;
    g_autoptr(GPtrArray) statements = g_ptr_array_new();
    for (int row = 0; row < PQntuples(result); row++)
        g_ptr_array_add(statements, PQgetvalue(result, row, 0));
    g_autofree char *role = g_strdup_printf("role %s", PQuser(server->pg));
    check_add_missing(check, name, role, statements);
    return true;
}

char *check_array_of(const GPtrArray *texts)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (guint i = 0; i < texts->len; i++)
        g_ptr_array_add(list, g_ptr_array_index(texts, i));
    g_ptr_array_add(list, NULL);
    GString *literal = g_string_new(NULL);
    text_array_append(literal, (const char *const *)list->pdata);
    return g_string_free(literal, FALSE);
}
