/*
 * TargetOps.write: truncations, then the small tables of the batch row by row in one round trip
 * (direct.h), then each of the others set-wise through its stage:
 *
 *   load the stage; complete rows with unchanged cells from their base rows, turn those without a
 *   base into deletes; delete; update by key; insert what is new, and what no update has hit.
 *
 * Where a unique value moves between rows, a set-wise update or insert may meet it before its old
 * owner has let go. Tables with such constraints are written behind a savepoint; on a violation all
 * keys of the stage are deleted and their final images inserted. (Deferrable constraints do not get
 * in the way: their checks are triggers, which do not fire in the replica role.)
 */
#include "apply/postgres/direct.h"
#include "apply/postgres/stage.h"

/* One table on its way. */
typedef struct Writing {
    Target *target;
    NetTable *net;
    Stage *stage;
    GArray *rows; /* StagedRow */
    StageCounts counts;
} Writing;

static bool run(Writing *writing, SqlKind kind, gint64 *affected, GError **error)
{
    return target_run(writing->target, writing->stage->sql.text[kind], affected, error);
}

/* The row's key goes away with the row that its cells were to come from. */
static void mark_missing(Writing *writing, guint number, bool consistent)
{
    NetRow *row = writing->net->rows[number];
    row->missing = true;
    writing->counts.deletes++;
    if (row->kind == NET_INSERT && consistent)
        writing->counts.inserts--;
    else
        writing->counts.updates--;
}

static bool find_missing(Writing *writing, bool consistent, GError **error)
{
    g_autoptr(PGresult) result =
        pg_query(writing->target->connection, writing->stage->sql.text[SQL_MISSING], error);
    if (result == NULL)
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        guint64 number = g_ascii_strtoull(PQgetvalue(result, i, 0), NULL, 10);
        if (number < writing->net->n_rows)
            mark_missing(writing, (guint)number, consistent);
    }
    return true;
}

static bool complete(Writing *writing, bool consistent, GError **error)
{
    const StageCounts *counts = &writing->counts;
    if (counts->other_base > 0 && !run(writing, SQL_COMPLETE_FROM_BASE, NULL, error))
        return false;
    return counts->own_base + counts->other_base == 0 || find_missing(writing, consistent, error);
}

/* Updates, and inserts of those rows that no update has hit. */
static bool update(Writing *writing, GError **error)
{
    const StageCounts *counts = &writing->counts;
    gint64 updated = 0;
    if (counts->updates == 0)
        return true;
    bool can_update = writing->net->table->n_columns > writing->net->table->n_key;
    SqlKind kind = counts->own_base > 0 ? SQL_UPDATE_PARTIAL : SQL_UPDATE;
    if (can_update && !run(writing, kind, &updated, error))
        return false;
    return updated == counts->updates || run(writing, SQL_INSERT_ABSENT, NULL, error);
}

static bool write_in_place(Writing *writing, GError **error)
{
    const StageCounts *counts = &writing->counts;
    return (counts->deletes == 0 || run(writing, SQL_DELETE, NULL, error)) &&
           update(writing, error) &&
           (counts->inserts == 0 || run(writing, SQL_INSERT, NULL, error));
}

static bool replace(Writing *writing, GError **error)
{
    const StageCounts *counts = &writing->counts;
    if (counts->own_base > 0 && !run(writing, SQL_COMPLETE_FROM_OWN, NULL, error))
        return false;
    return run(writing, SQL_REPLACE_DELETE, NULL, error) &&
           (counts->updates + counts->inserts == 0 ||
            run(writing, SQL_REPLACE_INSERT, NULL, error));
}

/* A value that does not fit fails again in replace, which then tells of it. */
static bool write_behind_savepoint(Writing *writing, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!target_run(writing->target, "savepoint drover_table", NULL, error))
        return false;
    if (write_in_place(writing, &failure))
        return target_run(writing->target, "release savepoint drover_table", NULL, error);
    if (!g_error_matches(failure, DROVER_ERROR, DROVER_ERROR_DATA)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return target_run(writing->target,
                      "rollback to savepoint drover_table; release savepoint drover_table", NULL,
                      error) &&
           replace(writing, error);
}

static bool write_staged(Writing *writing, bool consistent, GError **error)
{
    const Table *table = writing->net->table;
    if (!stage_load(writing->target, writing->stage, table, writing->rows, error) ||
        !complete(writing, consistent, error))
        return false;
    if (table->replace_updates && writing->counts.updates > 0)
        return replace(writing, error);
    if (table->other_unique)
        return write_behind_savepoint(writing, error);
    return write_in_place(writing, error);
}

static bool write_table(Target *target, NetTable *net, bool consistent, GError **error)
{
    Writing writing = {.target = target,
                       .net = net,
                       .stage = stage_get(target, net->table),
                       .rows = g_array_sized_new(FALSE, FALSE, sizeof(StagedRow), net->n_rows)};
    bool ok = staged_classify(net, consistent, writing.rows, &writing.counts, error) &&
              write_staged(&writing, consistent, error);
    if (!ok)
        g_prefix_error(error, "%s: writing to %s.%s: ", target->label, net->table->target_schema,
                       net->table->target_name);
    g_array_unref(writing.rows);
    return ok;
}

/* All of them in one statement: tables that refer to each other can only be emptied together. */
static bool empty_truncated(Target *target, const NetTable *tables, guint n_tables, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    for (guint i = 0; i < n_tables; i++) {
        if (!tables[i].truncated)
            continue;
        g_string_append(sql, sql->len == 0 ? "truncate " : ", ");
        pg_append_qualified(sql, tables[i].table->target_schema, tables[i].table->target_name);
    }
    if (sql->len == 0 || target_run(target, sql->str, NULL, error))
        return true;
    g_prefix_error(error, "%s: %s: ", target->label, sql->str);
    return false;
}

static bool write_directly(Target *target, const GPtrArray *tables, bool consistent, bool *done,
                           GError **error)
{
    if (direct_write(target, tables, consistent, done, error))
        return true;
    g_prefix_error(error, "%s: writing rows: ", target->label);
    return false;
}

bool target_write(Target *target, NetTable *tables, guint n_tables, bool consistent, GError **error)
{
    g_autoptr(GPtrArray) small = g_ptr_array_new();
    bool done = false;
    if (!empty_truncated(target, tables, n_tables, error))
        return false;
    for (guint i = 0; i < n_tables; i++)
        if (tables[i].n_rows > 0 && direct_suits(&tables[i]))
            g_ptr_array_add(small, &tables[i]);
    if (small->len > 0 && !write_directly(target, small, consistent, &done, error))
        return false;
    if (!done && !target_run(target, TARGET_PLANS_BY_INDEX, NULL, error))
        return false;
    for (guint i = 0; i < n_tables; i++) {
        bool written = done && direct_suits(&tables[i]);
        if (tables[i].n_rows > 0 && !written && !write_table(target, &tables[i], consistent, error))
            return false;
    }
    return true;
}
