/*
 * Storing and running the steps of a DDL plan. A step, its `done` and the record of what it creates
 * are one transaction of the target, so that a kill leaves either all of them or none; while it is
 * open, nobody else takes the step. Where DDL commits by itself, schema/ddl_run_mysql.c.
 */
#include "schema/ddl_run_internal.h"

#include "schema/control_internal.h"
#include "schema/sql/embedded.h"

#include <jansson.h>
#include <string.h>

#define DEADLOCK_ATTEMPTS 5

static char *steps_json(const GPtrArray *steps)
{
    json_t *list = json_array();
    for (guint i = 0; i < steps->len; i++) {
        const DdlStep *step = g_ptr_array_index(steps, i);
        json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:s, s:s}", "step", (int)i + 1,
                                              "table_id", (int)step->table_id, "kind", step->kind,
                                              "name", step->name, "statement", step->statement));
    }
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

bool ddl_store(Control *control, GPtrArray *steps, GError **error)
{
    char *json = steps_json(steps);
    const char *values[] = {control->migration->name, json};
    g_autoptr(Answer) answer =
        control_ask(control, embedded_ddl_store, embedded_ddl_store_mysql, 2, values, error);
    free(json);
    if (answer == NULL)
        g_prefix_error(error, "storing the plan of the target's tables: ");
    return answer != NULL;
}

/* " from drover.ddl where ..." for the pending steps of some kinds; fills values from $1. */
static GString *pending_sql(const Control *control, const char *const *kinds, GPtrArray *values)
{
    GString *sql = g_string_new(" from drover.ddl where migration = $1 and not done and kind in (");
    g_ptr_array_add(values, control->migration->name);
    for (guint i = 0; kinds[i] != NULL; i++) {
        g_ptr_array_add(values, (gpointer)(gintptr)kinds[i]);
        g_string_append_printf(sql, "%s$%u", i > 0 ? ", " : "", values->len);
    }
    g_string_append_c(sql, ')');
    return sql;
}

/* table NULL: of any. */
static Answer *ask_pending(Control *control, const char *before, const char *const *kinds,
                           const char *after, const char *table, GError **error)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new();
    g_autoptr(GString) sql = pending_sql(control, kinds, values);
    g_string_prepend(sql, before);
    if (table != NULL) {
        g_ptr_array_add(values, (gpointer)(gintptr)table);
        g_string_append_printf(sql, " and table_id = $%u", values->len);
    }
    g_string_append(sql, after);
    return control->ops->execute(control->target, sql->str, values->len,
                                 (const char *const *)values->pdata, error);
}

static const char *step_columns(const Control *control)
{
    return control_sql(control->ops, "select step, kind, name, statement",
                       "select step, kind, name, statement, begun");
}

static DdlPending pending_at(const Answer *answer, guint row)
{
    return (DdlPending){answer_get(answer, row, 0), answer_get(answer, row, 1),
                        answer_get(answer, row, 2), answer_get(answer, row, 3),
                        answer->n_columns > 4 && control_bool(answer_get(answer, row, 4))};
}

/* In the open transaction: locks the next pending step. */
static Answer *pick_step(Control *control, const char *const *kinds, DdlPick pick, GError **error)
{
    const char *columns = step_columns(control);
    const char *free = control_sql(control->ops, "", DDL_STEP_IS_FREE);
    g_autofree char *any = g_strdup_printf("%s order by step limit 1 for update skip locked", free);
    g_autofree char *first = g_strdup_printf(
        "%s from drover.ddl where migration = $1 and not done and step = (select min(step)",
        columns);
    g_autofree char *if_free = g_strdup_printf(")%s for update skip locked", free);
    return pick == DDL_ANY ? ask_pending(control, columns, kinds, any, NULL, error)
                           : ask_pending(control, first, kinds, if_free, NULL, error);
}

/* Which steps create something of its own in drover.object; constraints belong to their table. */
static const char *object_kind(const char *kind, const char *statement)
{
    if (strcmp(kind, "key") == 0)
        return g_str_has_prefix(statement, "create ") ? "index" : NULL;
    return strcmp(kind, "schema") == 0 || strcmp(kind, "sequence") == 0 ||
                   strcmp(kind, "table") == 0 || strcmp(kind, "index") == 0
               ? kind
               : NULL;
}

/* A schema that was there before drover is not drover's, and may not be drover's to create. */
static bool schema_exists(Control *control, const char *name, bool *exists, GError **error)
{
    const char *values[] = {name};
    g_autoptr(Answer) answer = control_ask(control, embedded_ddl_schema_exists,
                                           embedded_ddl_schema_exists_mysql, 1, values, error);
    if (answer == NULL)
        return false;
    *exists = control_bool(answer_get(answer, 0, 0));
    return true;
}

bool ddl_step_record(Control *control, const DdlPending *step, bool *needed, GError **error)
{
    const char *object = object_kind(step->kind, step->statement);
    bool exists = false;
    if (strcmp(step->kind, "schema") == 0 && !schema_exists(control, step->name, &exists, error))
        return false;
    *needed = !exists;
    return exists || object == NULL ||
           control_object_add(control, "target", object, step->name, error);
}

bool ddl_step_forget(Control *control, const DdlPending *step, GError **error)
{
    const char *object = object_kind(step->kind, step->statement);
    return object == NULL || control_object_remove(control, "target", object, step->name, error);
}

bool ddl_step_done(Control *control, const DdlPending *step, GError **error)
{
    const char *values[] = {control->migration->name, step->number};
    return control_run(control,
                       "update drover.ddl set done = true where migration = $1 and step = $2", 2,
                       values, NULL, error);
}

/* In the open transaction. */
static bool run_step(Control *control, const DdlPending *step, GError **error)
{
    bool needed = true;
    if (!ddl_step_record(control, step, &needed, error))
        return false;
    if (needed && !control_run(control, embedded_ddl_step_settings, 0, NULL, NULL, error))
        return false;
    if (needed && !control_run(control, step->statement, 0, NULL, NULL, error)) {
        g_prefix_error(error, "%s %s: ", step->kind, step->name);
        return false;
    }
    return ddl_step_done(control, step, error);
}

/* One step in a transaction of its own. */
static bool step_once(Control *control, const DdlWorker *worker, const char *const *kinds,
                      DdlPick pick, bool *ran, GError **error)
{
    if (!control_write_begin(control, worker->name, worker->epoch, error))
        return false;
    g_autoptr(Answer) picked = pick_step(control, kinds, pick, error);
    *ran = picked != NULL && picked->n_rows > 0;
    if (*ran) {
        DdlPending step = pending_at(picked, 0);
        if (control_is_mysql(control))
            return ddl_step_apart(control, worker, &step, ran, error);
        if (run_step(control, &step, error) && control_commit(control, error))
            return true;
    } else if (picked != NULL && control_abandon(control, error)) {
        return true;
    }
    control_rollback(control);
    return false;
}

/* Two foreign keys that are made at once may wait for each other; trying again is safe. */
bool ddl_run_one(Control *control, const DdlWorker *worker, const char *const *kinds, DdlPick pick,
                 bool *ran, GError **error)
{
    for (guint attempt = 1;; attempt++) {
        g_autoptr(GError) problem = NULL;
        if (step_once(control, worker, kinds, pick, ran, &problem))
            return true;
        if (attempt == DEADLOCK_ATTEMPTS || !drover_error_is_retry(problem)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
}

bool ddl_run_table(Control *control, const DdlWorker *worker, const char *const *kinds,
                   guint32 table_id, GError **error)
{
    g_autofree char *table = g_strdup_printf("%u", table_id);
    const char *after = control_sql(control->ops, " order by step for update", " order by step");
    g_autoptr(Answer) steps =
        ask_pending(control, step_columns(control), kinds, after, table, error);
    if (steps == NULL)
        return false;
    g_autofree DdlPending *pending = g_new0(DdlPending, steps->n_rows + 1);
    for (guint i = 0; i < steps->n_rows; i++)
        pending[i] = pending_at(steps, i);
    if (control_is_mysql(control))
        return ddl_table_apart(control, worker, table, pending, steps->n_rows, error);
    for (guint i = 0; i < steps->n_rows; i++)
        if (!run_step(control, &pending[i], error))
            return false;
    return true;
}

bool ddl_left(Control *control, const char *const *kinds, bool *left, GError **error)
{
    g_autoptr(Answer) answer = ask_pending(control, "select count(*) > 0", kinds, "", NULL, error);
    if (answer == NULL)
        return false;
    *left = control_bool(answer_get(answer, 0, 0));
    return true;
}
