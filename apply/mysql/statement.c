#include "apply/mysql/statement.h"

#include "proto/error.h"
#include "schema/connection_mysql.h"

#include <stdbool.h>
#include <string.h>

/* Words are separated by one space. */
static bool begins_with(const char *sql, const char *words)
{
    gsize length = strlen(words);
    return g_ascii_strncasecmp(sql, words, length) == 0 && !g_ascii_isalnum(sql[length]) &&
           sql[length] != '_';
}

StatementKind statement_kind(const char *sql)
{
    if (begins_with(sql, "begin") || begins_with(sql, "start transaction"))
        return STATEMENT_BEGIN;
    if (begins_with(sql, "commit"))
        return STATEMENT_COMMIT;
    if (begins_with(sql, "rollback to"))
        return STATEMENT_ROLLBACK_TO;
    return begins_with(sql, "rollback") ? STATEMENT_ROLLBACK : STATEMENT_OTHER;
}

static const char *quoted_end(const char *sql)
{
    char quote = *sql++;
    for (; *sql; sql++) {
        if (*sql == '\\' && quote != '`' && sql[1])
            sql++;
        else if (*sql == quote && *++sql != quote)
            return sql;
    }
    return sql;
}

static bool continues_name(char c)
{
    return g_ascii_isalnum(c) || c == '_' || c == '$' || (guint8)c >= 0x80;
}

static const char *name_end(const char *sql)
{
    while (continues_name(*sql))
        sql++;
    return sql;
}

static const char *comment_end(const char *sql)
{
    const char *end = strstr(sql + 2, "*/");
    return end ? end + 2 : sql + strlen(sql);
}

/* The end of what stands here and holds no parameter: at least one character. */
static const char *plain_end(const char *sql)
{
    if (*sql == '\'' || *sql == '"' || *sql == '`')
        return quoted_end(sql);
    if (*sql == '#' || (sql[0] == '-' && sql[1] == '-' && (sql[2] == '\0' || sql[2] <= ' ')))
        return sql + strcspn(sql, "\n");
    if (sql[0] == '/' && sql[1] == '*')
        return comment_end(sql);
    return continues_name(*sql) && *sql != '$' ? name_end(sql) : sql + 1;
}

static bool append_value(GString *bound, guint64 number, guint n_values, const char *const *values,
                         GError **error)
{
    if (number < 1 || number > n_values) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "a statement has the parameter $%" G_GUINT64_FORMAT " and %u values", number,
                    n_values);
        return false;
    }
    if (values[number - 1])
        mysql_session_append_literal(bound, values[number - 1]);
    else
        g_string_append(bound, "null");
    return true;
}

GString *statement_bind(const char *sql, guint n_values, const char *const *values, GError **error)
{
    g_autoptr(GString) bound = g_string_new(NULL);
    while (*sql) {
        if (sql[0] == '$' && g_ascii_isdigit(sql[1])) {
            char *end = NULL;
            guint64 number = g_ascii_strtoull(sql + 1, &end, 10);
            if (!append_value(bound, number, n_values, values, error))
                return NULL;
            sql = end;
            continue;
        }
        const char *end = plain_end(sql);
        g_string_append_len(bound, sql, end - sql);
        sql = end;
    }
    return g_steal_pointer(&bound);
}

static const char *const levels[] = {"read uncommitted", "read committed", "repeatable read",
                                     "serializable"};

char *statement_begin(const char *sql)
{
    g_autofree char *words = g_ascii_strdown(sql, -1);
    GString *begin = g_string_new(NULL);
    const char *level = NULL;
    const char *isolation = strstr(words, "isolation level ");
    for (gsize i = 0; isolation && i < G_N_ELEMENTS(levels); i++)
        if (begins_with(isolation + strlen("isolation level "), levels[i]))
            level = levels[i];
    if (level)
        g_string_append_printf(begin, "set transaction isolation level %s; ", level);
    g_string_append(begin, "start transaction");
    bool one_snapshot = level == levels[2];
    bool read_only = strstr(words, "read only") != NULL;
    if (one_snapshot)
        g_string_append(begin, " with consistent snapshot");
    if (read_only)
        g_string_append(begin, one_snapshot ? ", read only" : " read only");
    return g_string_free(begin, FALSE);
}
