/*
 * COPY's binary format (PostgreSQL documentation, COPY, "Binary Format"): a header; per row the
 * number of fields (16 bits) and per field its length (32 bits, -1 for null) and its bytes; -1 (16
 * bits) at the end.
 */
#include "apply/postgres/stage.h"

#include <stdio.h>
#include <string.h>

#define FIXED_FIELDS 3 /* s_number, s_kind, s_unchanged */

static const guint8 copy_header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

void stage_free(gpointer stage)
{
    Stage *self = stage;
    table_sql_clear(&self->sql);
    g_free(self->name);
    g_free(self);
}

Stage *stage_get(Target *target, const Table *table)
{
    g_autofree char *name =
        g_strdup_printf("drover_stage_%u_%016" G_GINT64_MODIFIER "x", table->id, table->version);
    Stage *stage = g_hash_table_lookup(target->stages, name);
    if (stage != NULL)
        return stage;
    stage = g_new0(Stage, 1);
    stage->name = g_steal_pointer(&name);
    table_sql_init(&stage->sql, table, stage->name);
    g_hash_table_insert(target->stages, stage->name, stage);
    return stage;
}

static bool put_null(CopyIn *copy, GError **error)
{
    return copy_in_put_int32(copy, -1, error);
}

static bool put_cell(CopyIn *copy, const Cell *cell, GError **error)
{
    if (cell->kind != CELL_VALUE)
        return put_null(copy, error);
    return copy_in_put_int32(copy, (gint32)cell->length, error) &&
           copy_in_put(copy, cell->data, cell->length, error);
}

/* Bit i stands in byte i / 8 with the value 1 << i % 8. */
static bool put_mask(CopyIn *copy, const StagedRow *staged, GError **error)
{
    if (!staged->partial)
        return put_null(copy, error);
    const Row *row = &staged->row->row;
    if (!copy_in_put_int32(copy, (gint32)((row->n_cells + 7) / 8), error))
        return false;
    for (guint i = 0; i < row->n_cells; i += 8) {
        guint8 byte = 0;
        for (guint bit = 0; bit < 8 && i + bit < row->n_cells; bit++)
            if (row->cells[i + bit].kind == CELL_UNCHANGED)
                byte = (guint8)(byte | 1u << bit);
        if (!copy_in_put(copy, &byte, 1, error))
            return false;
    }
    return true;
}

static bool put_cells(CopyIn *copy, const Table *table, const StagedRow *staged, GError **error)
{
    static const Cell null_cell = {.kind = CELL_NULL};
    const NetRow *row = staged->row;
    for (guint i = 0; i < table->n_columns; i++) {
        const Cell *cell = &null_cell;
        if (table->columns[i].key_place >= 0)
            cell = &row->key.cells[table->columns[i].key_place];
        else if (staged->kind != 'd')
            cell = &row->row.cells[i];
        if (!put_cell(copy, cell, error))
            return false;
    }
    return true;
}

static bool put_base(CopyIn *copy, const Table *table, const StagedRow *staged, GError **error)
{
    bool other = staged->partial && !staged->own_base;
    for (guint i = 0; i < table->n_key; i++)
        if (!(other ? put_cell(copy, &staged->row->base_key.cells[i], error)
                    : put_null(copy, error)))
            return false;
    return true;
}

static bool put_row(CopyIn *copy, const Table *table, const StagedRow *staged, GError **error)
{
    return copy_in_put_int16(copy, (gint16)(FIXED_FIELDS + table->n_columns + table->n_key),
                             error) &&
           copy_in_put_int32(copy, sizeof(gint32), error) &&
           copy_in_put_int32(copy, (gint32)staged->number, error) &&
           copy_in_put_int32(copy, 1, error) && copy_in_put(copy, &staged->kind, 1, error) &&
           put_mask(copy, staged, error) && put_cells(copy, table, staged, error) &&
           put_base(copy, table, staged, error);
}

/* The stage is there and empty afterwards. */
static bool make_ready(Target *target, Stage *stage, GError **error)
{
    if (!stage->exists) {
        if (!target_run(target, stage->sql.text[SQL_STAGE_CREATE], NULL, error))
            return false;
        stage->exists = true;
        stage->pending = true;
    }
    if (stage->used && !target_run(target, stage->sql.text[SQL_STAGE_EMPTY], NULL, error))
        return false;
    stage->used = true;
    return true;
}

/* The server knows the stage's columns as c1..cn. */
static void name_column(const Table *table, GError **error)
{
    if (error == NULL || *error == NULL)
        return;
    const char *found = g_strrstr((*error)->message, "column c");
    unsigned int number = 0;
    if (found != NULL && sscanf(found, "column c%u", &number) == 1 && number >= 1 &&
        number <= table->n_columns)
        g_prefix_error(error, "column \"%s\": ", table->columns[number - 1].name);
}

bool stage_load(Target *target, Stage *stage, const Table *table, GArray *rows, GError **error)
{
    if (!make_ready(target, stage, error))
        return false;
    staged_sort(rows);
    CopyIn *copy = &target->copy;
    bool ok = copy_in_begin(copy, target->connection, stage->sql.text[SQL_STAGE_COPY], error) &&
              copy_in_put(copy, copy_header, sizeof copy_header, error);
    for (guint i = 0; ok && i < rows->len; i++)
        ok = put_row(copy, table, &g_array_index(rows, StagedRow, i), error);
    gint64 taken = 0;
    ok = ok && copy_in_put_int16(copy, -1, error) && copy_in_end(copy, &taken, error);
    if (!ok)
        name_column(table, error);
    return ok;
}

void stages_transaction_ended(Target *target, bool committed)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, target->stages);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Stage *stage = value;
        stage->exists = stage->exists && (committed || !stage->pending);
        stage->pending = false;
        stage->used = false;
    }
}

/* What stood before the savepoint is not known here: a stage may be gone, or hold older rows. */
void stages_rolled_back_partly(Target *target)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, target->stages);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Stage *stage = value;
        stage->exists = stage->exists && !stage->pending;
        stage->used = true;
    }
}
