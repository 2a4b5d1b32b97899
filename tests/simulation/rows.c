/*
 * Three tables: one with a cell that may be null and one that the log leaves out when it did not
 * change; one with a composite key, whose columns stand apart, and two such cells; one that is
 * never left anything out of. Keys are numbers below SIM_KEYS; those of the second table are split
 * into two columns.
 */
#include "tests/simulation/rows.h"

#include "tests/simulation/world.h"
#include "tests/support/tables.h"

#include <string.h>

#define SPLIT 3 /* keys of the second table with the same first column */

static const char *const definitions[SIM_TABLES] = {
    "id text key, v text, n text, t text",
    "v text, k2 text key2, t text, k1 text key1, u text",
    "id text key, v text",
};

static const CellUse uses[SIM_TABLES][SIM_CELLS] = {
    {CELL_OF_VERSION, CELL_OF_NULLABLE, CELL_OF_TOAST},
    {CELL_OF_VERSION, CELL_OF_TOAST, CELL_OF_TOAST},
    {CELL_OF_VERSION, CELL_OF_NOTHING, CELL_OF_NOTHING},
};

/* Where the columns of a table come from: 0.. a cell, -1 and -2 the places of the key. */
static const gint8 columns[SIM_TABLES][MOST_COLUMNS] = {
    {-1, 0, 1, 2},
    {0, -2, 1, -1, 2},
    {-1, 0},
};

GPtrArray *rows_tables_new(void)
{
    static const char *const names[SIM_TABLES] = {"t1", "t2", "t3"};
    GPtrArray *tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    for (guint i = 0; i < SIM_TABLES; i++)
        g_ptr_array_add(tables, test_table_new(i + 1, names[i], definitions[i]));
    return tables;
}

static const Table *table_at(guint table)
{
    return g_ptr_array_index(world.migration.tables, table);
}

guint rows_pick_key(void)
{
    return chance(40) ? pick(2) : pick(SIM_KEYS);
}

CellUse rows_cell_use(guint table, guint cell)
{
    return uses[table][cell];
}

bool image_equal(guint table, const Image *a, const Image *b)
{
    if (a->there != b->there)
        return false;
    for (guint i = 0; a->there && i < SIM_CELLS; i++)
        if (uses[table][i] != CELL_OF_NOTHING && a->cells[i] != b->cells[i])
            return false;
    return true;
}

/* ---- to texts ---- */

static guint key_part(guint table, guint key, guint place)
{
    if (table_at(table)->n_key == 1)
        return key;
    return place == 0 ? key / SPLIT : key % SPLIT;
}

static void put(RowTexts *texts, guint number)
{
    char *text = texts->texts[texts->row.n_cells];
    g_snprintf(text, sizeof texts->texts[0], "%u", number);
    texts->cells[texts->row.n_cells++] =
        (Cell){.data = (const guint8 *)text, .length = (guint32)strlen(text)};
}

void rows_fill(RowTexts *texts, guint table, guint key, const Image *image, guint unchanged)
{
    texts->row = (Row){.cells = texts->cells};
    for (guint i = 0; i < table_at(table)->n_columns; i++) {
        int from = columns[table][i];
        if (from < 0)
            put(texts, key_part(table, key, (guint)(-1 - from)));
        else if (unchanged & 1u << from)
            texts->cells[texts->row.n_cells++] = (Cell){.kind = CELL_UNCHANGED};
        else if (image->cells[from] == 0)
            texts->cells[texts->row.n_cells++] = (Cell){.kind = CELL_NULL};
        else
            put(texts, image->cells[from]);
    }
}

void rows_fill_key(RowTexts *texts, guint table, guint key)
{
    texts->row = (Row){.cells = texts->cells};
    for (guint i = 0; i < table_at(table)->n_key; i++)
        put(texts, key_part(table, key, i));
}

char **rows_bound(guint table, guint key)
{
    guint n = table_at(table)->n_key;
    char **bound = g_new0(char *, n + 1);
    for (guint i = 0; i < n; i++)
        bound[i] = g_strdup_printf("%u", key_part(table, key, i));
    return bound;
}

/* ---- from texts ---- */

static guint32 number_of(const Cell *cell)
{
    guint32 number = 0;
    for (guint32 i = 0; i < cell->length; i++)
        number = number * 10 + (guint32)(cell->data[i] - '0');
    return number;
}

static guint key_of_parts(guint table, const guint *parts)
{
    guint key = table_at(table)->n_key == 1 ? parts[0] : parts[0] * SPLIT + parts[1];
    if (key >= SIM_KEYS)
        world_fail("table %u has no key number %u", table + 1, key);
    return key;
}

guint rows_key_of(guint table, const Row *key)
{
    guint parts[2] = {0};
    if (key->n_cells != table_at(table)->n_key)
        world_fail("a key of table %u has %u cells", table + 1, key->n_cells);
    for (guint i = 0; i < key->n_cells; i++)
        parts[i] = number_of(&key->cells[i]);
    return key_of_parts(table, parts);
}

guint rows_key_of_row(guint table, const Row *row)
{
    Cell cells[2];
    Row key;
    if (row->n_cells != table_at(table)->n_columns)
        world_fail("a row of table %u has %u cells", table + 1, row->n_cells);
    table_key_of(table_at(table), row, cells, &key);
    return rows_key_of(table, &key);
}

Image rows_image_of(guint table, const Row *row, const Image *under)
{
    Image image = {.there = true};
    for (guint i = 0; i < row->n_cells; i++) {
        int to = columns[table][i];
        const Cell *cell = &row->cells[i];
        if (to < 0)
            continue;
        if (cell->kind == CELL_UNCHANGED && under == NULL)
            world_fail("a row of table %u has an unchanged cell and nothing to take it from",
                       table + 1);
        if (cell->kind == CELL_ABSENT)
            world_fail("a row of table %u has an absent cell", table + 1);
        if (cell->kind == CELL_UNCHANGED)
            image.cells[to] = under->cells[to];
        else if (cell->kind == CELL_VALUE)
            image.cells[to] = number_of(cell);
    }
    return image;
}

guint rows_unchanged_of(guint table, const Row *row)
{
    guint unchanged = 0;
    for (guint i = 0; i < row->n_cells; i++)
        if (columns[table][i] >= 0 && row->cells[i].kind == CELL_UNCHANGED)
            unchanged |= 1u << columns[table][i];
    return unchanged;
}

guint rows_key_of_bound(guint table, char *const *bound)
{
    guint parts[2] = {0};
    for (guint i = 0; i < table_at(table)->n_key; i++)
        parts[i] = (guint)g_ascii_strtoull(bound[i], NULL, 10);
    return key_of_parts(table, parts);
}

char *rows_describe(guint table, guint key, const Image *image, char *text)
{
    gsize at = (gsize)g_snprintf(text, IMAGE_TEXT_SIZE, "t%u[%u]", table + 1, key);
    if (!image->there) {
        g_snprintf(text + at, IMAGE_TEXT_SIZE - at, " absent");
        return text;
    }
    for (guint i = 0; i < SIM_CELLS; i++)
        if (uses[table][i] != CELL_OF_NOTHING)
            at += (gsize)g_snprintf(text + at, IMAGE_TEXT_SIZE - at, " %c%u", "vnt"[uses[table][i]],
                                    image -> cells[i]);
    return text;
}
