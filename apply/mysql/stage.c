#include "apply/mysql/stage.h"

#include "apply/mysql/bulk.h"
#include "schema/connection_mysql.h"
#include "schema/type_oid.h"

#include <string.h>

#define STAGE "`drover`.`drover_stage`"

static char number_name[] = "s_number", own_name[] = "s_own", mask_name[] = "s_mask";
static const Column number_column = {.name = number_name, .type_oid = OID_INT4, .key_place = -1};
static const Column own_column = {.name = own_name, .type_oid = OID_INT4, .key_place = -1};
static const Column mask_column = {.name = mask_name, .type_oid = OID_TEXT, .key_place = -1};

void mysql_stage_init(MysqlStage *stage, Target *target, const Table *table)
{
    *stage = (MysqlStage){.target = target, .table = table};
    stage->masks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void mysql_stage_clear(MysqlStage *stage)
{
    g_hash_table_unref(stage->masks);
}

static bool run(MysqlStage *stage, const GString *sql, GError **error)
{
    return mysql_target_run(stage->target, sql->str, sql->len, NULL, error);
}

/* --- Creating it ------------------------------------------------------------------------------ */

/* One row a column: name, type, character set, collation. */
static Answer *ask_types(MysqlStage *stage, GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("select column_name, column_type, character_set_name, collation_name "
                     "from information_schema.columns where table_schema = ");
    mysql_session_append_literal(sql, stage->table->target_schema);
    g_string_append(sql, " and table_name = ");
    mysql_session_append_literal(sql, stage->table->target_name);
    return mysql_target_ask(stage->target, sql->str, sql->len, error);
}

static bool append_type(GString *sql, const Answer *types, const char *column, GError **error)
{
    for (guint i = 0; i < types->n_rows; i++) {
        if (g_ascii_strcasecmp(answer_get(types, i, 0), column) != 0)
            continue;
        g_string_append(sql, answer_get(types, i, 1));
        if (answer_get(types, i, 2))
            g_string_append_printf(sql, " character set %s collate %s", answer_get(types, i, 2),
                                   answer_get(types, i, 3));
        g_string_append(sql, " null");
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "the table has no column %s", column);
    return false;
}

static bool append_columns(GString *sql, const MysqlStage *stage, const Answer *types,
                           GError **error)
{
    const Table *table = stage->table;
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append_printf(sql, ", c%u ", i + 1);
        if (!append_type(sql, types, table->columns[i].name, error))
            return false;
    }
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append_printf(sql, ", b%u ", i + 1);
        if (!append_type(sql, types, table->columns[table->key[i]].name, error))
            return false;
    }
    return true;
}

/* Temporary tables are created and dropped without a commit. */
static bool create(MysqlStage *stage, GError **error)
{
    g_autoptr(GString) sql = g_string_new(
        "drop temporary table if exists " STAGE "; create temporary table " STAGE
        " (s_number int not null, s_own int not null, s_mask text character set ascii not null, "
        "s_done int not null default 0");
    g_autoptr(Answer) types = ask_types(stage, error);
    if (!types || !append_columns(sql, stage, types, error))
        return false;
    g_string_append(sql, ") engine=InnoDB");
    return run(stage, sql, error);
}

/* --- Filling it ------------------------------------------------------------------------------- */

static void add_columns(Bulk *bulk, const Table *table)
{
    char name[16];
    bulk_add_column(bulk, number_name, &number_column);
    bulk_add_column(bulk, own_name, &own_column);
    bulk_add_column(bulk, mask_name, &mask_column);
    for (guint i = 0; i < table->n_columns; i++) {
        g_snprintf(name, sizeof name, "c%u", i + 1);
        bulk_add_column(bulk, name, &table->columns[i]);
    }
    for (guint i = 0; i < table->n_key; i++) {
        g_snprintf(name, sizeof name, "b%u", i + 1);
        bulk_add_column(bulk, name, &table->columns[table->key[i]]);
    }
}

static bool put_number(Bulk *bulk, guint32 number, GError **error)
{
    number = GUINT32_TO_BE(number);
    Cell cell = {.kind = CELL_VALUE, .length = sizeof number, .data = (const guint8 *)&number};
    return bulk_put_cell(bulk, &cell, error);
}

static bool put_mask(MysqlStage *stage, Bulk *bulk, const Row *row, GError **error)
{
    char *mask = g_malloc(row->n_cells + 1);
    for (guint i = 0; i < row->n_cells; i++)
        mask[i] = row->cells[i].kind == CELL_UNCHANGED ? '1' : '0';
    mask[row->n_cells] = '\0';
    Cell cell = {.kind = CELL_VALUE, .length = row->n_cells, .data = (const guint8 *)mask};
    bool ok = bulk_put_cell(bulk, &cell, error);
    g_hash_table_add(stage->masks, mask);
    return ok;
}

static bool put_row(MysqlStage *stage, Bulk *bulk, const StagedRow *staged, GError **error)
{
    static const Cell null_cell = {.kind = CELL_NULL};
    const Table *table = stage->table;
    const NetRow *row = staged->row;
    if (!put_number(bulk, staged->number, error) || !put_number(bulk, staged->own_base, error) ||
        !put_mask(stage, bulk, &row->row, error))
        return false;
    for (guint i = 0; i < table->n_columns; i++) {
        int place = table->columns[i].key_place;
        const Cell *cell = place >= 0 ? &row->key.cells[place] : &row->row.cells[i];
        if (!bulk_put_cell(bulk, cell->kind == CELL_UNCHANGED ? &null_cell : cell, error))
            return false;
    }
    for (guint i = 0; i < table->n_key; i++)
        if (!bulk_put_cell(bulk, &row->base_key.cells[i], error))
            return false;
    return bulk_end_row(bulk, error);
}

static bool fill(MysqlStage *stage, Bulk *bulk, const GArray *rows, bool own_too, GError **error)
{
    gint64 sent;
    for (guint i = 0; i < rows->len; i++) {
        const StagedRow *row = &g_array_index(rows, StagedRow, i);
        if (row->partial && (own_too || !row->own_base) && !put_row(stage, bulk, row, error))
            return false;
    }
    return bulk_end(bulk, &sent, error);
}

bool mysql_stage_load(MysqlStage *stage, const GArray *rows, bool own_too, GError **error)
{
    Bulk bulk;
    if (!create(stage, error))
        return false;
    bulk_init(&bulk, stage->target, STAGE, false);
    add_columns(&bulk, stage->table);
    bool ok = fill(stage, &bulk, rows, own_too, error);
    bulk_clear(&bulk);
    return ok;
}

/* --- Using it --------------------------------------------------------------------------------- */

/* update the stage, with the row that each of its own matches as t, driven by the stage. */
static void append_join(GString *sql, const Table *table)
{
    g_string_append(sql, "update " STAGE " s straight_join ");
    mysql_session_append_qualified(sql, table->target_schema, table->target_name);
    g_string_append(sql, " t on ");
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? " and t." : "t.");
        mysql_session_append_identifier(sql, table->columns[table->key[i]].name);
        g_string_append_printf(sql, " = s.b%u", i + 1);
    }
}

static bool complete_masked(MysqlStage *stage, bool own, const char *mask, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    append_join(sql, stage->table);
    g_string_append(sql, " set s.s_done = 1");
    for (guint i = 0; mask[i]; i++) {
        if (mask[i] == '0' || stage->table->columns[i].key_place >= 0)
            continue;
        g_string_append_printf(sql, ", s.c%u = t.", i + 1);
        mysql_session_append_identifier(sql, stage->table->columns[i].name);
    }
    g_string_append_printf(sql, " where s.s_done = 0 and s.s_own = %d and s.s_mask = '%s'", own,
                           mask);
    return run(stage, sql, error);
}

static GArray *find_missing(MysqlStage *stage, bool own, GError **error)
{
    static const char select[] = "select s_number from " STAGE " where s_done = 0 and s_own = ";
    g_autofree char *sql = g_strdup_printf("%s%d", select, own);
    g_autoptr(Answer) answer = mysql_target_ask(stage->target, sql, strlen(sql), error);
    if (!answer)
        return NULL;
    GArray *missing = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint i = 0; i < answer->n_rows; i++) {
        guint32 number = (guint32)g_ascii_strtoull(answer_get(answer, i, 0), NULL, 10);
        g_array_append_val(missing, number);
    }
    return missing;
}

bool mysql_stage_complete(MysqlStage *stage, bool own, GArray **missing, GError **error)
{
    GHashTableIter iter;
    gpointer mask;
    g_hash_table_iter_init(&iter, stage->masks);
    while (g_hash_table_iter_next(&iter, &mask, NULL))
        if (!complete_masked(stage, own, mask, error))
            return false;
    *missing = find_missing(stage, own, error);
    return *missing != NULL;
}

bool mysql_stage_insert(MysqlStage *stage, GError **error)
{
    const Table *table = stage->table;
    g_autoptr(GString) sql = g_string_new("insert into ");
    mysql_session_append_qualified(sql, table->target_schema, table->target_name);
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, i > 0 ? ", " : " (");
        mysql_session_append_identifier(sql, table->columns[i].name);
    }
    g_string_append(sql, ") select ");
    for (guint i = 0; i < table->n_columns; i++)
        g_string_append_printf(sql, "%sc%u", i > 0 ? ", " : "", i + 1);
    g_string_append(sql, " from " STAGE " where s_done = 1");
    return run(stage, sql, error);
}

bool mysql_stage_drop(MysqlStage *stage, GError **error)
{
    g_autoptr(GString) sql = g_string_new("drop temporary table " STAGE);
    return run(stage, sql, error);
}
