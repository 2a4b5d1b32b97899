/*
 * The steps of a DDL plan on MySQL and MariaDB, where each statement of a schema is a transaction
 * of its own, whole or not at all:
 *
 *   data transaction: the step is picked, its lock taken, `begun` set, what it creates recorded
 *   the statement
 *   data transaction: `done`
 *
 * The lock is the session's (schema/sql/control.mysql.sql), so it is held while the server still
 * works on the statement of a client that was killed, and ends with that. A step that is `begun`
 * may have been run: then that its object exists already is no failure. A failure that the server
 * tells takes `begun` back, so that what somebody else created is never taken for drover's.
 */
#include "schema/ddl_run_internal.h"

#include "proto/error.h"
#include "schema/control_internal.h"
#include "schema/sql/embedded.h"

#include <stdlib.h>
#include <string.h>

/* A statement about a step or a table. */
static bool run_for(Control *control, const char *sql, const char *number, GError **error)
{
    const char *values[] = {control->migration->name, number};
    return control_run(control, sql, 2, values, NULL, error);
}

/* *got false where another session has it. */
static bool take_lock(Control *control, const char *sql, const char *number, bool *got,
                      GError **error)
{
    const char *values[] = {control->migration->name, number};
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 2, values, error);
    *got = answer != NULL && control_bool(answer_get(answer, 0, 0));
    return answer != NULL;
}

/* MariaDB says of a foreign key's name only that a table cannot be created. */
static bool is_about_existing(const char *number, const char *message)
{
    static const int existing[] = {
        1007, /* database */
        1050, /* table */
        1060, /* column */
        1061, /* index */
        1068, /* primary key */
        1826, /* foreign key; MariaDB: any constraint */
        3822, /* check constraint */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(existing); i++)
        if (atoi(number) == existing[i])
            return true;
    return atoi(number) == 1005 && strstr(message, "errno: 121") != NULL;
}

/* Did the session's last statement fail because what it creates exists? */
static bool failed_for_existing(Control *control)
{
    g_autoptr(Answer) errors = control->ops->execute(control->target, "show errors", 0, NULL, NULL);
    for (guint row = 0; errors != NULL && row < errors->n_rows; row++)
        if (is_about_existing(answer_get(errors, row, 1), answer_get(errors, row, 2)))
            return true;
    return false;
}

/* Where the session is lost nothing is known, and the step stays begun. */
static void note_failure(Control *control, const DdlPending *step)
{
    g_autoptr(GError) problem = NULL;
    if (!run_for(control, embedded_ddl_step_failed_mysql, step->number, &problem) ||
        !ddl_step_forget(control, step, &problem))
        g_debug("%s %s stays begun: %s", step->kind, step->name, problem->message);
}

static bool run_statement(Control *control, const DdlPending *step, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (control_run(control, step->statement, 0, NULL, NULL, &problem) ||
        (step->begun && failed_for_existing(control)))
        return true;
    note_failure(control, step);
    g_propagate_prefixed_error(error, g_steal_pointer(&problem), "%s %s: ", step->kind, step->name);
    return false;
}

/* From one open data transaction into another, in which the step is done. */
static bool run_through(Control *control, const DdlWorker *worker, const DdlPending *step,
                        GError **error)
{
    bool needed = true;
    if (!ddl_step_record(control, step, &needed, error))
        return false;
    if (needed && (!run_for(control, embedded_ddl_step_begun_mysql, step->number, error) ||
                   !control_commit(control, error) || !run_statement(control, step, error) ||
                   !control_write_begin(control, worker->name, worker->epoch, error)))
        return false;
    return ddl_step_done(control, step, error);
}

bool ddl_step_apart(Control *control, const DdlWorker *worker, const DdlPending *step, bool *ran,
                    GError **error)
{
    bool got = false;
    bool good = take_lock(control, embedded_ddl_step_lock_mysql, step->number, &got, error);
    *ran = got;
    good =
        good && (got ? run_through(control, worker, step, error) && control_commit(control, error)
                     : control_abandon(control, error));
    if (!good)
        control_rollback(control);
    if (got)
        run_for(control, embedded_ddl_step_unlock_mysql, step->number, NULL);
    return good;
}

bool ddl_table_apart(Control *control, const DdlWorker *worker, const char *table,
                     const DdlPending *steps, guint n, GError **error)
{
    bool got = false;
    if (n == 0)
        return true;
    if (!take_lock(control, embedded_control_key_lock_mysql, table, &got, error))
        return false;
    if (!got) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "another session is building the key of this table");
        return false;
    }
    for (guint i = 0; i < n; i++)
        if (!run_through(control, worker, &steps[i], error))
            return false;
    return run_for(control, embedded_control_key_unlock_mysql, table, error);
}
