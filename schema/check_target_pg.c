/*
 * The preflight of a target that is PostgreSQL: may drover write there, is there room for the
 * names, and has it what the tables' definitions use.
 */
#include "schema/catalog_pg.h"
#include "schema/check_internal.h"
#include "schema/sql/embedded.h"

#include <string.h>

static bool check_server(Check *check, GError **error)
{
    const Server *source = check->source;
    g_autofree char *major =
        source->pg != NULL ? g_strdup_printf("%d", pg_server_major(source->pg)) : NULL;
    const char *values[] = {major, check->source_encoding};
    return check_add_rows_pg(check, check->target, embedded_check_target, 2, values, error);
}

static bool check_privileges(Check *check, GError **error)
{
    g_autoptr(GPtrArray) schemas = g_ptr_array_new();
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        g_ptr_array_add(schemas, table->target_schema);
    }
    g_autofree char *array = check_array_of(schemas);
    const char *values[] = {array};
    return check_add_missing_pg(check, check->target, "target.privileges",
                                embedded_check_target_privileges, 1, values, error);
}

/* Asked by trying: some hosters give the right in ways that no privilege function knows. */
static bool check_replica_role(Check *check, GError **error)
{
    static const char name[] = "target.session_replication_role";
    g_autoptr(GError) problem = NULL;
    if (!pg_run(check->target->pg, "begin", error))
        return false;
    bool allowed =
        pg_run(check->target->pg, "set local session_replication_role = replica", &problem);
    if (!pg_run(check->target->pg, "rollback", error))
        return false;
    if (allowed) {
        check_add(check, FINDING_PASS, name, NULL,
                  "role %s can keep triggers and foreign keys from firing",
                  PQuser(check->target->pg));
        return true;
    }
    if (drover_error_is_retry(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    g_autoptr(GString) role = g_string_new(NULL);
    pg_append_identifier(role, PQuser(check->target->pg));
    g_autofree char *remedy =
        pg_server_major(check->target->pg) >= 15
            ? g_strdup_printf("grant set on parameter session_replication_role to %s;", role->str)
            : g_strdup_printf("alter role %s superuser;", role->str);
    check_add(check, FINDING_FAIL, name, remedy,
              "role %s may not set session_replication_role, which keeps triggers and foreign keys "
              "from firing for drover's writes",
              PQuser(check->target->pg));
    return true;
}

static bool check_empty(Check *check, GError **error)
{
    if (check->started)
        return true;
    g_autofree char *names = check_array_of(check->relations);
    const char *values[] = {names};
    g_autoptr(PGresult) result =
        pg_query_params(check->target->pg, embedded_check_target_taken, 1, values, error);
    if (result == NULL)
        return false;
    for (int row = 0; row < PQntuples(result); row++)
        check_add(check, FINDING_FAIL, "target.empty", PQgetvalue(result, row, 1),
                  "target not empty: %s exists", PQgetvalue(result, row, 0));
    if (PQntuples(result) == 0)
        check_add(check, FINDING_PASS, "target.empty", NULL,
                  "nothing on the target has the name of a moved table");
    return true;
}

/* One object that definitions use, a row of check_needs.sql. The target is asked by its address,
 * which fails where the object is not there. */
static bool check_need(Check *check, const PGresult *needs, int row, bool *complete, GError **error)
{
    const char *values[] = {PQgetvalue(needs, row, 0), PQgetvalue(needs, row, 1),
                            PQgetvalue(needs, row, 2)};
    g_autoptr(GError) problem = NULL;
    g_autoptr(PGresult) found = pg_query_params(
        check->target->pg, "select pg_catalog.pg_get_object_address($1, $2::text[], $3::text[])", 3,
        values, &problem);
    if (found != NULL)
        return true;
    if (drover_error_is_retry(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    const char *extension = PQgetisnull(needs, row, 5) ? NULL : PQgetvalue(needs, row, 5);
    g_autoptr(GString) remedy = g_string_new(NULL);
    if (extension != NULL) {
        g_string_append(remedy, "create extension ");
        pg_append_identifier(remedy, extension);
        g_string_append_c(remedy, ';');
    } else {
        g_string_append_printf(remedy, "create %s %s on the target as it is on the source",
                               values[0], PQgetvalue(needs, row, 3));
    }
    *complete = false;
    check_add(check, FINDING_FAIL, "target.objects", remedy->str,
              "%s %s, which %s uses, does not exist on the target", values[0],
              PQgetvalue(needs, row, 3), PQgetvalue(needs, row, 4));
    return true;
}

static bool check_needs(Check *check, GError **error)
{
    g_autofree char *oids = catalog_pg_oids(check->migration->tables);
    const char *values[] = {oids};
    bool complete = true;
    g_autoptr(PGresult) needs =
        pg_query_params(check->source->pg, embedded_check_needs, 1, values, error);
    if (needs == NULL)
        return false;
    for (int row = 0; row < PQntuples(needs); row++)
        if (!check_need(check, needs, row, &complete, error))
            return false;
    if (complete)
        check_add(check, FINDING_PASS, "target.objects", NULL,
                  "the target has every function, type and collation that the tables use");
    return true;
}

bool check_target_pg(Check *check, GError **error)
{
    return check_server(check, error) && check_privileges(check, error) &&
           check_replica_role(check, error) && check_empty(check, error) &&
           (check->source->pg == NULL || check_needs(check, error));
}
