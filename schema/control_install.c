/*
 * The control tables themselves: schema/sql/control.sql, statement by statement.
 */
#include "schema/control.h"
#include "schema/sql/embedded.h"

#include <string.h>

/* Two processes that create the same objects at once would fail on each other's catalog rows, "if
 * not exists" or not; the lock lasts until the transaction ends. */
static const char LOCK_SQL[] =
    "select pg_advisory_xact_lock(hashtextextended('drover.control.install', 0))";

static const char *skip_blank(const char *p)
{
    for (;;) {
        if (g_ascii_isspace(*p)) {
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else {
            return p;
        }
    }
}

/* The end of the statement at p: its semicolon, or the end of the script. Semicolons in comments
 * and literals do not count. */
static const char *statement_end(const char *p)
{
    while (*p != '\0' && *p != ';') {
        if (*p == '\'') {
            p += 1 + strcspn(p + 1, "'");
            p += *p == '\'';
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else {
            p++;
        }
    }
    return p;
}

static bool run(const TargetOps *ops, Target *target, const char *sql, GError **error)
{
    g_autoptr(Answer) answer = ops->execute(target, sql, 0, NULL, error);
    return answer != NULL;
}

/* A role that was given the schema may own no right to create schemas. */
static bool is_about_the_schema(const char *statement)
{
    return g_str_has_prefix(statement, "create schema") ||
           g_str_has_prefix(statement, "comment on schema");
}

static bool run_script(const TargetOps *ops, Target *target, bool schema_exists, GError **error)
{
    for (const char *p = skip_blank(embedded_control); *p != '\0';) {
        const char *end = statement_end(p);
        g_autofree char *statement = g_strndup(p, (gsize)(end - p));
        if (!(schema_exists && is_about_the_schema(statement)) &&
            !run(ops, target, statement, error)) {
            return false;
        }
        p = skip_blank(*end == ';' ? end + 1 : end);
    }
    return true;
}

static bool install(const TargetOps *ops, Target *target, GError **error)
{
    bool exists = false;
    return run(ops, target, "begin", error) && run(ops, target, LOCK_SQL, error) &&
           control_installed(ops, target, &exists, error) &&
           run_script(ops, target, exists, error) && run(ops, target, "commit", error);
}

bool control_install(const TargetOps *ops, Target *target, GError **error)
{
    if (install(ops, target, error)) {
        return true;
    }
    g_prefix_error(error, "creating drover's own tables: ");
    run(ops, target, "rollback", NULL);
    return false;
}

bool control_installed(const TargetOps *ops, Target *target, bool *installed, GError **error)
{
    g_autoptr(Answer) answer = ops->execute(
        target, "select 1 from information_schema.schemata where schema_name = 'drover'", 0, NULL,
        error);
    if (answer == NULL) {
        return false;
    }
    *installed = answer->n_rows > 0;
    return true;
}
