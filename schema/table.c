#include "schema/table.h"

#include <string.h>
#include <xxhash.h>

void column_clear(Column *column)
{
    g_free(column->name);
    g_free(column->type);
    g_free(column->default_sql);
    g_free(column->collation);
    g_free(column->charset);
    g_free(column->target_type);
}

static void columns_free(Column *columns, guint n)
{
    for (guint i = 0; i < n; i++)
        column_clear(&columns[i]);
    g_free(columns);
}

void table_free(Table *table)
{
    if (table == NULL)
        return;
    columns_free(table->columns, table->n_columns);
    columns_free(table->generated, table->n_generated);
    g_free(table->source_schema);
    g_free(table->source_name);
    g_free(table->target_schema);
    g_free(table->target_name);
    g_free(table->label);
    g_free(table->key);
    g_free(table->key_name);
    for (guint i = 0; i < table->n_cascades; i++)
        g_free(table->cascades[i].columns);
    g_free(table->cascades);
    g_free(table->zero_date);
    g_free(table);
}

int table_find_column(const Table *table, const char *name)
{
    for (guint i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* The texts go in with their zero bytes, so that no two column lists look alike. */
guint64 table_compute_version(const Table *table)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (guint i = 0; i < table->n_columns; i++) {
        const Column *column = &table->columns[i];
        g_byte_array_append(bytes, (const guint8 *)column->name, (guint)strlen(column->name) + 1);
        g_byte_array_append(bytes, (const guint8 *)column->type, (guint)strlen(column->type) + 1);
    }
    for (guint i = 0; i < table->n_key; i++) {
        guint32 place = GUINT32_TO_BE(table->key[i]);
        g_byte_array_append(bytes, (const guint8 *)&place, sizeof place);
    }
    return XXH3_64bits(bytes->data, bytes->len);
}

void table_add_cascade(Table *table, const Table *child, const guint *columns)
{
    table->cascades = g_renew(Cascade, table->cascades, table->n_cascades + 1);
    table->cascades[table->n_cascades++] =
        (Cascade){.child = child, .columns = g_memdup2(columns, sizeof *columns * table->n_key)};
}

void table_key_of(const Table *table, const Row *row, Cell *cells, Row *key)
{
    for (guint i = 0; i < table->n_key; i++)
        cells[i] = row->cells[table->key[i]];
    key->cells = cells;
    key->n_cells = table->n_key;
}
