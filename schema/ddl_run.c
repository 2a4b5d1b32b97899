/*
 * Storing and running the steps of a DDL plan. A step, its `done` and the record of what it creates
 * are one transaction of the target, so that a kill leaves either all of them or none; while it is
 * open, nobody else takes the step.
 */
#include "schema/ddl.h"

#include <jansson.h>
#include <string.h>

#define DEADLOCK_ATTEMPTS 5

/* For the transaction of a step: memory for building indexes, unless the server gives more by
 * itself. No wait for the disk at its commit: what a crash takes back, it takes back whole. */
static const char step_settings[] =
    "select pg_catalog.set_config('synchronous_commit', 'off', true), "
    "pg_catalog.set_config('maintenance_work_mem', greatest(262144, pg_catalog.pg_size_bytes("
    "pg_catalog.current_setting('maintenance_work_mem')) / 1024)::text, true)";

/* One statement for all steps: they are stored together or not at all. */
static const char store_sql[] =
    "insert into drover.ddl (migration, step, table_id, kind, name, statement) "
    "select $1, s.step, nullif(s.table_id, 0), s.kind, s.name, s.statement "
    "from jsonb_to_recordset($2::jsonb) "
    "as s (step integer, table_id integer, kind text, name text, statement text) "
    "on conflict do nothing";

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
    g_autoptr(Answer) answer = control->ops->execute(control->target, store_sql, 2, values, error);
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
        g_string_append_printf(sql, " and table_id = $%u::integer", values->len);
    }
    g_string_append(sql, after);
    return control->ops->execute(control->target, sql->str, values->len,
                                 (const char *const *)values->pdata, error);
}

#define STEP_COLUMNS "select step, kind, name, statement"

/* In the open transaction: locks the next pending step. */
static Answer *pick_step(Control *control, const char *const *kinds, DdlPick pick, GError **error)
{
    if (pick == DDL_ANY)
        return ask_pending(control, STEP_COLUMNS, kinds,
                           " order by step limit 1 for update skip locked", NULL, error);
    return ask_pending(control,
                       STEP_COLUMNS " from drover.ddl where migration = $1 and not done and step = "
                                    "(select min(step)",
                       kinds, ") for update skip locked", NULL, error);
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
    g_autoptr(Answer) answer = control->ops->execute(
        control->target, "select pg_catalog.to_regnamespace($1) is not null", 1, values, error);
    if (answer == NULL)
        return false;
    *exists = g_strcmp0(answer_get(answer, 0, 0), "t") == 0;
    return true;
}

/* In the open transaction. */
static bool run_step(Control *control, const Answer *steps, guint row, GError **error)
{
    const char *number = answer_get(steps, row, 0), *kind = answer_get(steps, row, 1);
    const char *name = answer_get(steps, row, 2), *statement = answer_get(steps, row, 3);
    const char *object = object_kind(kind, statement);
    bool exists = false;
    if (strcmp(kind, "schema") == 0 && !schema_exists(control, name, &exists, error))
        return false;
    if (!exists && object != NULL && !control_object_add(control, "target", object, name, error))
        return false;
    if (!exists) {
        g_autoptr(Answer) set =
            control->ops->execute(control->target, step_settings, 0, NULL, error);
        if (set == NULL)
            return false;
        g_autoptr(Answer) done = control->ops->execute(control->target, statement, 0, NULL, error);
        if (done == NULL) {
            g_prefix_error(error, "%s %s: ", kind, name);
            return false;
        }
    }
    const char *values[] = {control->migration->name, number};
    g_autoptr(Answer) marked = control->ops->execute(
        control->target,
        "update drover.ddl set done = true where migration = $1 and step = $2::integer", 2, values,
        error);
    return marked != NULL;
}

/* One step in a transaction of its own. */
static bool step_once(Control *control, const DdlWorker *worker, const char *const *kinds,
                      DdlPick pick, bool *ran, GError **error)
{
    if (!control_write_begin(control, worker->name, worker->epoch, error))
        return false;
    g_autoptr(Answer) step = pick_step(control, kinds, pick, error);
    *ran = step != NULL && step->n_rows > 0;
    if (*ran ? run_step(control, step, 0, error) && control_commit(control, error)
             : step != NULL && control_abandon(control, error))
        return true;
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

bool ddl_run_table(Control *control, const char *const *kinds, guint32 table_id, GError **error)
{
    g_autofree char *table = g_strdup_printf("%u", table_id);
    g_autoptr(Answer) steps =
        ask_pending(control, STEP_COLUMNS, kinds, " order by step for update", table, error);
    if (steps == NULL)
        return false;
    for (guint i = 0; i < steps->n_rows; i++)
        if (!run_step(control, steps, i, error))
            return false;
    return true;
}

bool ddl_left(Control *control, const char *const *kinds, bool *left, GError **error)
{
    g_autoptr(Answer) answer = ask_pending(control, "select count(*) > 0", kinds, "", NULL, error);
    if (answer == NULL)
        return false;
    *left = g_strcmp0(answer_get(answer, 0, 0), "t") == 0;
    return true;
}
