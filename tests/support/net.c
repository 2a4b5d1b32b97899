#include "tests/support/net.h"

#include "schema/catalog_pg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const char net_unchanged[] = "unchanged";

Table *net_table_load(Scratch *scratch, guint32 id, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) catalog = catalog_pg_tables(scratch->connection, &error);
    if (catalog == NULL) {
        fail_msg("%s", error->message);
    }
    for (guint i = 0; i < catalog->len; i++) {
        CatalogTable *entry = catalog->pdata[i];
        if (strcmp(entry->table->source_name, name) != 0) {
            continue;
        }
        Table *table = g_steal_pointer(&entry->table);
        table->id = id;
        table->target_schema = g_strdup(table->source_schema);
        table->target_name = g_strdup(table->source_name);
        return table;
    }
    fail_msg("there is no table %s", name);
    return NULL;
}

Net *net_new(Scratch *scratch, const Table *table)
{
    Net *net = g_new0(Net, 1);
    net->scratch = scratch;
    net->table.table = table;
    net->rows = g_ptr_array_new_with_free_func(g_free);
    net->held = g_ptr_array_new_with_free_func(g_free);
    return net;
}

void net_free(Net *net)
{
    g_ptr_array_unref(net->rows);
    g_ptr_array_unref(net->held);
    g_free(net);
}

/* The server turns the text into the binary form. */
static Cell cell_of(Net *net, const Column *column, const char *text)
{
    if (text == net_unchanged) {
        return (Cell){.kind = CELL_UNCHANGED};
    }
    if (text == NULL) {
        return (Cell){.kind = CELL_NULL};
    }
    g_autofree char *sql = g_strdup_printf("select $1::text::%s", column->type);
    PGresult *result = PQexecParams(net->scratch->connection, sql, 1, NULL, &text, NULL, NULL, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", text, PQresultErrorMessage(result));
    }
    guint32 length = (guint32)PQgetlength(result, 0, 0);
    guint8 *data = g_memdup2(PQgetvalue(result, 0, 0), length);
    g_ptr_array_add(net->held, data);
    PQclear(result);
    return (Cell){.kind = CELL_VALUE, .data = data, .length = length};
}

static Row key_of(Net *net, const char *const *texts)
{
    const Table *table = net->table.table;
    Row key = {g_new0(Cell, table->n_key), table->n_key};
    g_ptr_array_add(net->held, key.cells);
    for (guint i = 0; i < table->n_key; i++) {
        key.cells[i] = cell_of(net, &table->columns[table->key[i]], texts[i]);
    }
    return key;
}

static NetRow *add_row(Net *net, NetKind kind)
{
    NetRow *row = g_new0(NetRow, 1);
    row->kind = kind;
    g_ptr_array_add(net->rows, row);
    return row;
}

NetRow *net_add(Net *net, NetKind kind, const char *const *values, const char *const *base)
{
    const Table *table = net->table.table;
    NetRow *row = add_row(net, kind);
    bool partial = false;
    row->row = (Row){g_new0(Cell, table->n_columns), table->n_columns};
    row->key = (Row){g_new0(Cell, table->n_key), table->n_key};
    g_ptr_array_add(net->held, row->row.cells);
    g_ptr_array_add(net->held, row->key.cells);
    for (guint i = 0; i < table->n_columns; i++) {
        row->row.cells[i] = cell_of(net, &table->columns[i], values[i]);
        partial = partial || values[i] == net_unchanged;
    }
    table_key_of(table, &row->row, row->key.cells, &row->key);
    if (partial) {
        row->base_key = base != NULL ? key_of(net, base) : row->key;
    }
    net->table.n_partial += partial;
    net->table.n_inserts += kind == NET_INSERT;
    net->table.n_updates += kind == NET_UPDATE;
    return row;
}

NetRow *net_add_delete(Net *net, const char *const *key)
{
    NetRow *row = add_row(net, NET_DELETE);
    row->key = key_of(net, key);
    net->table.n_deletes++;
    return row;
}

NetTable *net_batch(Net *net)
{
    net->table.rows = (NetRow **)net->rows->pdata;
    net->table.n_rows = net->rows->len;
    return &net->table;
}
