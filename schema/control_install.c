/*
 * The control tables themselves: schema/sql/control.sql, statement by statement in one transaction;
 * on MySQL, where each statement of a schema is a transaction, control.mysql.sql as a whole, again
 * and again until its last table is there.
 */
#include "proto/error.h"
#include "schema/control.h"
#include "schema/sql/embedded.h"

#include <string.h>

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

static bool run_script(const TargetOps *ops, Target *target, const char *script, bool schema_exists,
                       GError **error)
{
    for (const char *p = skip_blank(script); *p != '\0';) {
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

static bool has_transactional_ddl(const TargetOps *ops)
{
    return control_sql(ops, embedded_control, NULL) != NULL;
}

static bool install(const TargetOps *ops, Target *target, GError **error)
{
    bool exists = false;
    return run(ops, target, "begin", error) &&
           run(ops, target, embedded_control_install_lock, error) &&
           control_installed(ops, target, &exists, error) &&
           run_script(ops, target, embedded_control, exists, error) &&
           run(ops, target, "commit", error);
}

static bool lock_install(const TargetOps *ops, Target *target, GError **error)
{
    g_autoptr(Answer) answer =
        ops->execute(target, embedded_control_install_lock_mysql, 0, NULL, error);
    if (answer != NULL && !control_bool(answer_get(answer, 0, 0))) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "another session has been at it for a minute");
        return false;
    }
    return answer != NULL;
}

/* Where each statement is a transaction of its own. */
static bool install_in_parts(const TargetOps *ops, Target *target, GError **error)
{
    if (!lock_install(ops, target, error)) {
        return false;
    }
    bool done = run(ops, target, embedded_control_mysql, error);
    run(ops, target, embedded_control_install_unlock_mysql, NULL);
    return done;
}

static bool install_at_once(const TargetOps *ops, Target *target, GError **error)
{
    if (install(ops, target, error)) {
        return true;
    }
    run(ops, target, "rollback", NULL);
    return false;
}

bool control_install(const TargetOps *ops, Target *target, GError **error)
{
    if ((has_transactional_ddl(ops) ? install_at_once : install_in_parts)(ops, target, error)) {
        return true;
    }
    g_prefix_error(error, "creating drover's own tables: ");
    return false;
}

bool control_installed(const TargetOps *ops, Target *target, bool *installed, GError **error)
{
    const char *sql =
        control_sql(ops, embedded_control_installed, embedded_control_installed_mysql);
    g_autoptr(Answer) answer = ops->execute(target, sql, 0, NULL, error);
    if (answer == NULL) {
        return false;
    }
    *installed = answer->n_rows > 0;
    return true;
}

/* --- Away with them --------------------------------------------------------------------------- */

static bool drop_at_once(const TargetOps *ops, Target *target, GError **error)
{
    if (run(ops, target, "begin", error) &&
        run_script(ops, target, embedded_control_drop, false, error) &&
        run(ops, target, "commit", error)) {
        return true;
    }
    run(ops, target, "rollback", NULL);
    return false;
}

/* MySQL drops a schema with all that is in it. */
static bool drop_what_is_ours(const TargetOps *ops, Target *target, GError **error)
{
    g_autoptr(Answer) answer =
        ops->execute(target, embedded_control_strangers_mysql, 0, NULL, error);
    if (answer == NULL) {
        return false;
    }
    if (answer_get(answer, 0, 0) != NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "database drover holds what is not drover's: %s", answer_get(answer, 0, 0));
        return false;
    }
    return run(ops, target, embedded_control_drop_mysql, error);
}

bool control_uninstall(const TargetOps *ops, Target *target, GError **error)
{
    return has_transactional_ddl(ops) ? drop_at_once(ops, target, error)
                                      : drop_what_is_ours(ops, target, error);
}
