#include "apply/mysql/stage.h"

#include "apply/mysql/bulk.h"
#include "apply/mysql/row_sql.h"
#include "apply/mysql/row_text.h"
#include "schema/connection_mysql.h"
#include "schema/type_oid.h"

#include <stdio.h>
#include <string.h>

#define STAGE "`drover`.`drover_stage`"

enum { BASE_NONE, BASE_OWN, BASE_OTHER };

static char number_name[] = "s_number", kind_name[] = "s_kind", base_name[] = "s_base",
            mask_name[] = "s_mask";
static const Column own_columns[] = {{.name = number_name, .type_oid = OID_INT4, .key_place = -1},
                                     {.name = kind_name, .type_oid = OID_TEXT, .key_place = -1},
                                     {.name = base_name, .type_oid = OID_INT4, .key_place = -1},
                                     {.name = mask_name, .type_oid = OID_TEXT, .key_place = -1}};

void mysql_stage_init(MysqlStage *stage, Target *target, const Table *table)
{
    *stage = (MysqlStage){.target = target, .table = table};
    for (gsize i = 0; i < G_N_ELEMENTS(stage->masks); i++)
        stage->masks[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void mysql_stage_clear(MysqlStage *stage)
{
    for (gsize i = 0; i < G_N_ELEMENTS(stage->masks); i++)
        g_hash_table_unref(stage->masks[i]);
}

static bool run(MysqlStage *stage, const GString *sql, gint64 *rows, GError **error)
{
    return mysql_target_run(stage->target, sql->str, sql->len, rows, error);
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
    g_autoptr(GString) sql =
        g_string_new("drop temporary table if exists " STAGE "; create temporary table " STAGE
                     " (s_number int not null, s_kind char(1) character set ascii not null, s_base "
                     "int not null, "
                     "s_mask text character set ascii not null, s_done int not null default 0");
    g_autoptr(Answer) types = ask_types(stage, error);
    if (!types || !append_columns(sql, stage, types, error))
        return false;
    g_string_append(sql, ") engine=InnoDB");
    return run(stage, sql, NULL, error);
}

/* --- Filling it ------------------------------------------------------------------------------- */

static void add_columns(Bulk *bulk, const Table *table)
{
    char name[16];
    for (gsize i = 0; i < G_N_ELEMENTS(own_columns); i++)
        bulk_add_column(bulk, own_columns[i].name, &own_columns[i]);
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

static bool put_text(Bulk *bulk, const char *text, guint32 length, GError **error)
{
    Cell cell = {.kind = CELL_VALUE, .length = length, .data = (const guint8 *)text};
    return bulk_put_cell(bulk, &cell, error);
}

static bool put_mask(MysqlStage *stage, Bulk *bulk, const StagedRow *staged, guint base,
                     GError **error)
{
    const Row *row = &staged->row->row;
    guint n = base != BASE_NONE ? row->n_cells : 0;
    char *mask = g_malloc(n + 1);
    for (guint i = 0; i < n; i++)
        mask[i] = row->cells[i].kind == CELL_UNCHANGED ? '1' : '0';
    mask[n] = '\0';
    bool ok = put_text(bulk, mask, n, error);
    if (staged->kind != 'd')
        g_hash_table_add(stage->masks[base], mask);
    else
        g_free(mask);
    return ok;
}

static bool put_null(Bulk *bulk, GError **error)
{
    static const Cell null_cell = {.kind = CELL_NULL};
    return bulk_put_cell(bulk, &null_cell, error);
}

/* Of a delete there is only the key. */
static bool put_cells(Bulk *bulk, const Table *table, const StagedRow *staged, GError **error)
{
    const NetRow *row = staged->row;
    for (guint i = 0; i < table->n_columns; i++) {
        int place = table->columns[i].key_place;
        const Cell *cell = place >= 0            ? &row->key.cells[place]
                           : staged->kind != 'd' ? &row->row.cells[i]
                                                 : NULL;
        bool present = cell && cell->kind != CELL_UNCHANGED;
        if (!(present ? bulk_put_cell(bulk, cell, error) : put_null(bulk, error)))
            return row_text_prefix(table, &row->key, error);
    }
    return true;
}

static guint base_of(const StagedRow *row)
{
    return !row->partial ? BASE_NONE : row->own_base ? BASE_OWN : BASE_OTHER;
}

static bool put_row(MysqlStage *stage, Bulk *bulk, const StagedRow *staged, GError **error)
{
    const Table *table = stage->table;
    guint base = base_of(staged);
    if (!put_number(bulk, staged->number, error) || !put_text(bulk, &staged->kind, 1, error) ||
        !put_number(bulk, base, error) || !put_mask(stage, bulk, staged, base, error) ||
        !put_cells(bulk, table, staged, error))
        return false;
    for (guint i = 0; i < table->n_key; i++)
        if (!(base == BASE_OTHER ? bulk_put_cell(bulk, &staged->row->base_key.cells[i], error)
                                 : put_null(bulk, error)))
            return false;
    stage->updates += staged->kind == 'u' && base != BASE_OTHER;
    return bulk_end_row(bulk, error);
}

/* The server knows the columns as c1..cn. */
static void name_column(const Table *table, GError **error)
{
    const char *found = error && *error ? strstr((*error)->message, "column ") : NULL;
    for (; found && *found; found++) {
        unsigned int number = 0;
        bool begins = (found[0] == '\'' || found[0] == '`') && found[1] == 'c';
        if (!begins || sscanf(found + 1, "c%u", &number) != 1 || number < 1 ||
            number > table->n_columns)
            continue;
        g_prefix_error(error, "column %s: ", table->columns[number - 1].name);
        return;
    }
}

bool mysql_stage_load(MysqlStage *stage, const GArray *rows, bool (*wanted)(const StagedRow *row),
                      bool many, GError **error)
{
    Bulk bulk;
    gint64 sent;
    bool ok = true;
    if (!create(stage, error))
        return false;
    bulk_init(&bulk, stage->target, STAGE, many);
    add_columns(&bulk, stage->table);
    for (guint i = 0; ok && i < rows->len; i++) {
        const StagedRow *row = &g_array_index(rows, StagedRow, i);
        ok = !wanted(row) || put_row(stage, &bulk, row, error);
    }
    ok = ok && bulk_end(&bulk, &sent, error);
    bulk_clear(&bulk);
    if (!ok)
        name_column(stage->table, error);
    return ok;
}

bool mysql_stage_drop(MysqlStage *stage, GError **error)
{
    g_autoptr(GString) sql = g_string_new("drop temporary table " STAGE);
    return run(stage, sql, NULL, error);
}

/* --- Using it --------------------------------------------------------------------------------- */

static void append_target(GString *sql, const Table *table)
{
    mysql_session_append_qualified(sql, table->target_schema, table->target_name);
}

static void append_field(GString *sql, const Column *column)
{
    g_string_append(sql, "t.");
    mysql_session_append_identifier(sql, column->name);
}

/* t's key = that of s, which is its own or the base's. */
static void append_match(GString *sql, const Table *table, bool base)
{
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? " and " : "");
        append_field(sql, &table->columns[table->key[i]]);
        g_string_append_printf(sql, " = s.%c%u", base ? 'b' : 'c',
                               base ? i + 1 : table->key[i] + 1);
    }
}

/* The stage, and for each of its rows the one of the target, by the index of the key. */
static void append_join(GString *sql, const Table *table, bool base)
{
    g_string_append(sql, STAGE " s straight_join ");
    append_target(sql, table);
    g_string_append(sql, " t on ");
    append_match(sql, table, base);
}

static GArray *ask_numbers(MysqlStage *stage, const GString *sql, GError **error)
{
    g_autoptr(Answer) answer = mysql_target_ask(stage->target, sql->str, sql->len, error);
    if (!answer)
        return NULL;
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint i = 0; i < answer->n_rows; i++) {
        guint32 number = (guint32)g_ascii_strtoull(answer_get(answer, i, 0), NULL, 10);
        g_array_append_val(numbers, number);
    }
    return numbers;
}

static bool complete_masked(MysqlStage *stage, bool own, const char *mask, GError **error)
{
    g_autoptr(GString) sql = g_string_new("update ");
    append_join(sql, stage->table, !own);
    g_string_append(sql, " set s.s_done = 1");
    for (guint i = 0; mask[i]; i++) {
        if (mask[i] == '0' || stage->table->columns[i].key_place >= 0)
            continue;
        g_string_append_printf(sql, ", s.c%u = ", i + 1);
        append_field(sql, &stage->table->columns[i]);
    }
    g_string_append_printf(sql, " where s.s_base = %d and s.s_mask = '%s'",
                           own ? BASE_OWN : BASE_OTHER, mask);
    return run(stage, sql, NULL, error);
}

#define INCOMPLETE " where s_done = 0 and s_kind <> 'd' and s_base = %d"

bool mysql_stage_complete(MysqlStage *stage, bool own, GArray **missing, GError **error)
{
    int base = own ? BASE_OWN : BASE_OTHER;
    GHashTableIter iter;
    gpointer mask;
    g_hash_table_iter_init(&iter, stage->masks[base]);
    while (g_hash_table_iter_next(&iter, &mask, NULL))
        if (!complete_masked(stage, own, mask, error))
            return false;
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_printf(sql, "select s_number from " STAGE INCOMPLETE, base);
    *missing = ask_numbers(stage, sql, error);
    if (!*missing || (*missing)->len == 0)
        return *missing != NULL;
    g_string_printf(sql, "update " STAGE " set s_kind = 'd'" INCOMPLETE, base);
    return run(stage, sql, NULL, error);
}

bool mysql_stage_delete(MysqlStage *stage, MysqlStageKeys keys, GError **error)
{
    static const char *const conditions[] = {[STAGE_DELETES] = "s.s_kind = 'd'",
                                             [STAGE_COMPLETE] = "s.s_kind = 'u' and s.s_done = 1",
                                             [STAGE_UPDATES] = "s.s_kind = 'u'"};
    g_autoptr(GString) sql = g_string_new("delete t from ");
    append_join(sql, stage->table, false);
    g_string_append_printf(sql, " where %s", conditions[keys]);
    return run(stage, sql, NULL, error);
}

#define IN_PLACE " where s.s_kind = 'u' and s.s_base <> 2"

/* " set t.a = s.c1, ..."; false where there is nothing to set. */
static bool append_set(GString *sql, const Table *table, const char *mask)
{
    const char *separator = " set ";
    for (guint i = 0; i < table->n_columns; i++) {
        const Column *column = &table->columns[i];
        bool unchanged = column->key_place < 0 && mask[0] && mask[i] == '1';
        if (!row_sql_is_set(column, unchanged))
            continue;
        g_string_append(sql, separator);
        append_field(sql, column);
        g_string_append(sql, " = ");
        if (unchanged)
            append_field(sql, column);
        else
            g_string_append_printf(sql, "s.c%u", i + 1);
        separator = ", ";
    }
    return separator[0] == ',';
}

static bool update_masked(MysqlStage *stage, const char *mask, gint64 *found, GError **error)
{
    gint64 rows = 0;
    g_autoptr(GString) sql = g_string_new("update ");
    append_join(sql, stage->table, false);
    if (!append_set(sql, stage->table, mask))
        return true;
    g_string_append_printf(sql, IN_PLACE " and s.s_mask = '%s'", mask);
    bool done = run(stage, sql, &rows, error);
    *found += rows;
    return done;
}

static bool update_all(MysqlStage *stage, guint base, gint64 *found, GError **error)
{
    GHashTableIter iter;
    gpointer mask;
    g_hash_table_iter_init(&iter, stage->masks[base]);
    while (g_hash_table_iter_next(&iter, &mask, NULL))
        if (!update_masked(stage, mask, found, error))
            return false;
    return true;
}

bool mysql_stage_update(MysqlStage *stage, GArray **absent, GError **error)
{
    const Table *table = stage->table;
    gint64 found = 0;
    if (!update_all(stage, BASE_NONE, &found, error) || !update_all(stage, BASE_OWN, &found, error))
        return false;
    *absent = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (found == stage->updates)
        return true;
    g_autoptr(GString) sql = g_string_new("select s.s_number from " STAGE " s left join ");
    append_target(sql, table);
    g_string_append(sql, " t on ");
    append_match(sql, table, false);
    g_string_append(sql, IN_PLACE " and ");
    append_field(sql, &table->columns[table->key[0]]);
    g_string_append(sql, " is null");
    g_clear_pointer(absent, g_array_unref);
    *absent = ask_numbers(stage, sql, error);
    return *absent != NULL;
}

bool mysql_stage_insert(MysqlStage *stage, GError **error)
{
    const Table *table = stage->table;
    g_autoptr(GString) sql = g_string_new("insert into ");
    append_target(sql, table);
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, i > 0 ? ", " : " (");
        mysql_session_append_identifier(sql, table->columns[i].name);
    }
    g_string_append(sql, ") select ");
    for (guint i = 0; i < table->n_columns; i++)
        g_string_append_printf(sql, "%sc%u", i > 0 ? ", " : "", i + 1);
    g_string_append(sql, " from " STAGE " where s_done = 1 and s_kind <> 'd'");
    return run(stage, sql, NULL, error);
}
