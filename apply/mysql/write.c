/*
 * TargetOps.write, table by table: truncations; deletes and updates by key; then the updates that
 * found no row and the new rows, in bulk. The deletes and updates of small batches are one
 * statement a row and many in a round trip (script.h), those of large ones are set-wise through a
 * stage (stage.h).
 *
 * Rows whose unchanged cells come from the row of another key are completed first in the stage,
 * before that row changes, and then replaced.
 *
 * Where a unique value moves between rows, an update or insert may meet it before its old owner has
 * let go. Tables with such constraints are written behind a savepoint; on a violation the batch's
 * keys are deleted and the final images inserted, with their unchanged cells saved in the stage.
 *
 * Keys are compared by the database: keys of the batch with different bytes may be one key to it,
 * of which at most one has an image. So deletes always come first, and a row takes its own
 * unchanged cells only after them: what a delete of an equal key has removed was not its row.
 *
 * Truncations are deletes, because TRUNCATE would commit.
 */
#include "apply/mysql/write.h"

#include "apply/mysql/bulk.h"
#include "apply/mysql/row_sql.h"
#include "apply/mysql/row_text.h"
#include "apply/mysql/script.h"
#include "apply/mysql/stage.h"
#include "schema/connection_mysql.h"

#include <string.h>

/* One table on its way. */
typedef struct Writing {
    Target *target;
    NetTable *net;
    const Table *table;
    bool consistent;
    bool large; /* has a row that may be too large for a statement, and can be loaded */
    MysqlStage stage;
    GArray *rows; /* StagedRow */
    StageCounts counts;
    GPtrArray *inserts; /* StagedRow *: to be inserted */
} Writing;

static bool run(Target *target, const char *sql, GError **error)
{
    return mysql_target_run(target, sql, strlen(sql), NULL, error);
}

static StagedRow *row_at(const Writing *writing, guint i)
{
    return &g_array_index(writing->rows, StagedRow, i);
}

static bool from_other_base(const StagedRow *row)
{
    return row->partial && !row->own_base;
}

/* What is not inserted from here. */
static bool is_for_the_stage(const StagedRow *row)
{
    return row->kind != 'i' || row->partial;
}

typedef void (*WritingRow)(Writing *writing, StagedRow *row);

/* Calls each for the rows with these numbers (guint32). */
static void for_each_numbered(Writing *writing, const GArray *numbers, WritingRow each)
{
    g_autoptr(GHashTable) set = g_hash_table_new(NULL, NULL);
    if (numbers->len == 0)
        return;
    for (guint i = 0; i < numbers->len; i++)
        g_hash_table_add(set, GUINT_TO_POINTER(g_array_index(numbers, guint32, i)));
    for (guint i = 0; i < writing->rows->len; i++)
        if (g_hash_table_contains(set, GUINT_TO_POINTER(row_at(writing, i)->number)))
            each(writing, row_at(writing, i));
}

/* An update has not found it. */
static void is_absent(Writing *writing, StagedRow *row)
{
    if (row->partial)
        row->row->missing = true;
    else
        g_ptr_array_add(writing->inserts, row);
}

/* Its key goes away with the row that its cells were to come from. */
static void is_missing(Writing *writing, StagedRow *row)
{
    (void)writing;
    row->row->missing = true;
    row->kind = 'd';
    row->partial = false;
}

/* --- One statement a row ---------------------------------------------------------------------- */

static bool delete_row(Writing *writing, Script *script, StagedRow *row, GError **error)
{
    return (row_sql_append_delete(script->text, writing->table, &row->row->key, error) ||
            row_text_prefix(writing->table, &row->row->key, error)) &&
           script_end_statement(script, row, error);
}

static bool delete_rows(Writing *writing, GError **error)
{
    Script script;
    bool ok = true;
    script_init(&script, writing->target, writing->table, NULL, NULL);
    for (guint i = 0; ok && i < writing->rows->len; i++)
        if (row_at(writing, i)->kind == 'd')
            ok = delete_row(writing, &script, row_at(writing, i), error);
    ok = ok && script_send(&script, error);
    script_clear(&script);
    return ok;
}

static void updated(void *user, StagedRow *row, gint64 found)
{
    if (found == 0)
        is_absent(user, row);
}

static bool update_row(Writing *writing, Script *script, StagedRow *row, GError **error)
{
    return (row_sql_append_update(script->text, writing->table, row->row, error) ||
            row_text_prefix(writing->table, &row->row->key, error)) &&
           script_end_statement(script, row, error);
}

static bool update_rows(Writing *writing, GError **error)
{
    Script script;
    bool ok = true;
    script_init(&script, writing->target, writing->table, updated, writing);
    for (guint i = 0; ok && i < writing->rows->len; i++) {
        StagedRow *row = row_at(writing, i);
        if (row->kind == 'u' && !from_other_base(row))
            ok = update_row(writing, &script, row, error);
    }
    ok = ok && script_send(&script, error);
    script_clear(&script);
    return ok;
}

/* --- Many rows -------------------------------------------------------------------------------- */

static bool put_image(Bulk *bulk, const Table *table, const NetRow *row, GError **error)
{
    for (guint i = 0; i < table->n_columns; i++) {
        int place = table->columns[i].key_place;
        const Cell *cell = place >= 0 ? &row->key.cells[place] : &row->row.cells[i];
        if (!bulk_put_cell(bulk, cell, error))
            return row_text_prefix(table, &row->key, error);
    }
    return bulk_end_row(bulk, error);
}

static bool to_be_loaded(const Writing *writing, guint n)
{
    return writing->large || n >= writing->target->load_from;
}

static void bulk_start(Bulk *bulk, const Writing *writing)
{
    const Table *table = writing->table;
    g_autoptr(GString) name = g_string_new(NULL);
    mysql_session_append_qualified(name, table->target_schema, table->target_name);
    bulk_init(bulk, writing->target, name->str,
              writing->inserts->len >= writing->target->load_from);
    for (guint i = 0; i < table->n_columns; i++)
        bulk_add_column(bulk, table->columns[i].name, &table->columns[i]);
}

static bool insert_rows(Writing *writing, GError **error)
{
    Bulk bulk;
    bool ok = true;
    gint64 sent;
    if (writing->inserts->len == 0)
        return true;
    bulk_start(&bulk, writing);
    for (guint i = 0; ok && i < writing->inserts->len; i++) {
        const StagedRow *row = writing->inserts->pdata[i];
        ok = put_image(&bulk, writing->table, row->row, error);
    }
    ok = ok && bulk_end(&bulk, &sent, error);
    bulk_clear(&bulk);
    return ok;
}

/* Full rows that are new for sure, and with all those that are updated, too. */
static void gather_inserts(Writing *writing, bool all)
{
    for (guint i = 0; i < writing->rows->len; i++) {
        StagedRow *row = row_at(writing, i);
        if (!row->partial && (row->kind == 'i' || (all && row->kind == 'u')))
            g_ptr_array_add(writing->inserts, row);
    }
}

/* --- The stage -------------------------------------------------------------------------------- */

static bool complete(Writing *writing, bool own, GError **error)
{
    g_autoptr(GArray) missing = NULL;
    if ((own ? writing->counts.own_base : writing->counts.other_base) == 0)
        return true;
    if (!mysql_stage_complete(&writing->stage, own, &missing, error))
        return false;
    for_each_numbered(writing, missing, is_missing);
    return true;
}

static bool write_set_wise(Writing *writing, GError **error)
{
    g_autoptr(GArray) absent = NULL;
    if (!mysql_stage_delete(&writing->stage, STAGE_DELETES, error) ||
        !mysql_stage_update(&writing->stage, &absent, error))
        return false;
    for_each_numbered(writing, absent, is_absent);
    return true;
}

/* --- One table -------------------------------------------------------------------------------- */

static bool classify(Writing *writing, GError **error)
{
    g_ptr_array_set_size(writing->inserts, 0);
    if (!staged_classify(writing->net, writing->consistent, writing->rows, &writing->counts, error))
        return false;
    staged_sort(writing->rows);
    return true;
}

/* A literal takes at most two bytes and some for each of the value. */
static bool has_large_row(const Writing *writing)
{
    if (!writing->target->local_infile)
        return false;
    for (guint i = 0; i < writing->net->n_rows; i++)
        if (row_bytes(&writing->net->rows[i]->row) > writing->target->max_packet / 3)
            return true;
    return false;
}

static bool load(Writing *writing, bool (*wanted)(const StagedRow *), GError **error)
{
    mysql_stage_clear(&writing->stage);
    mysql_stage_init(&writing->stage, writing->target, writing->table);
    return mysql_stage_load(&writing->stage, writing->rows, wanted,
                            to_be_loaded(writing, writing->rows->len), error) &&
           complete(writing, false, error);
}

static bool write_in_place(Writing *writing, GError **error)
{
    if (!classify(writing, error))
        return false;
    bool others = writing->counts.other_base > 0;
    bool many = writing->large ||
                writing->counts.deletes + writing->counts.updates >= writing->target->stage_from;
    if ((many || others) && !load(writing, many ? is_for_the_stage : from_other_base, error))
        return false;
    if (many ? !write_set_wise(writing, error)
             : !delete_rows(writing, error) || !update_rows(writing, error))
        return false;
    gather_inserts(writing, false);
    return (!others || mysql_stage_delete(&writing->stage, STAGE_COMPLETE, error)) &&
           insert_rows(writing, error) && (!others || mysql_stage_insert(&writing->stage, error)) &&
           (!(many || others) || mysql_stage_drop(&writing->stage, error));
}

static bool replace(Writing *writing, GError **error)
{
    if (!classify(writing, error) || !load(writing, is_for_the_stage, error) ||
        !mysql_stage_delete(&writing->stage, STAGE_DELETES, error) ||
        !complete(writing, true, error) ||
        !mysql_stage_delete(&writing->stage, STAGE_UPDATES, error))
        return false;
    gather_inserts(writing, true);
    return insert_rows(writing, error) && mysql_stage_insert(&writing->stage, error) &&
           mysql_stage_drop(&writing->stage, error);
}

/* A value that does not fit fails again in replace, which then tells of it. */
static bool write_behind_savepoint(Writing *writing, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!run(writing->target, "savepoint drover_table", error))
        return false;
    if (write_in_place(writing, &failure))
        return true;
    if (!g_error_matches(failure, DROVER_ERROR, DROVER_ERROR_DATA)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!run(writing->target, "rollback to savepoint drover_table", error))
        return false;
    writing->target->failed = false;
    return replace(writing, error);
}

static bool write_table(Target *target, NetTable *net, bool consistent, GError **error)
{
    Writing writing = {.target = target, .net = net, .table = net->table, .consistent = consistent};
    writing.rows = g_array_sized_new(FALSE, FALSE, sizeof(StagedRow), net->n_rows);
    writing.inserts = g_ptr_array_new();
    writing.large = has_large_row(&writing);
    mysql_stage_init(&writing.stage, target, net->table);
    bool ok = net->table->other_unique ? write_behind_savepoint(&writing, error)
                                       : write_in_place(&writing, error);
    mysql_stage_clear(&writing.stage);
    g_ptr_array_unref(writing.inserts);
    g_array_unref(writing.rows);
    return ok;
}

static bool empty_table(Target *target, const Table *table, GError **error)
{
    g_autoptr(GString) sql = g_string_new("delete from ");
    mysql_session_append_qualified(sql, table->target_schema, table->target_name);
    return run(target, sql->str, error);
}

bool mysql_target_write(Target *target, NetTable *tables, guint n_tables, bool consistent,
                        GError **error)
{
    for (guint i = 0; i < n_tables; i++) {
        NetTable *net = &tables[i];
        if ((!net->truncated || empty_table(target, net->table, error)) &&
            (net->n_rows == 0 || write_table(target, net, consistent, error)))
            continue;
        target->failed = target->in_transaction;
        g_prefix_error(error, "%s: writing to %s.%s: ", target->label, net->table->target_schema,
                       net->table->target_name);
        return false;
    }
    return true;
}
