#include "apply/staged.h"

#include "proto/error.h"
#include "schema/table.h"

#include <string.h>

static guint count_kind(const Row *row, CellKind kind)
{
    guint n = 0;
    for (guint i = 0; i < row->n_cells; i++)
        n += row->cells[i].kind == kind;
    return n;
}

static bool is_plain_key(const Row *key, guint n_key)
{
    return key->n_cells == n_key && count_kind(key, CELL_VALUE) == n_key;
}

static bool check_row(const NetTable *net, guint number, bool partial, GError **error)
{
    const Table *table = net->table;
    const NetRow *row = net->rows[number];
    bool fits = is_plain_key(&row->key, table->n_key);
    if (row->kind != NET_DELETE)
        fits = fits && row->row.n_cells == table->n_columns &&
               count_kind(&row->row, CELL_ABSENT) == 0 &&
               (!partial || is_plain_key(&row->base_key, table->n_key));
    if (!fits)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "row %u of a batch does not fit the table %s.%s", number, table->target_schema,
                    table->target_name);
    return fits;
}

static char staged_kind(const NetRow *row, bool consistent)
{
    if (row->kind == NET_DELETE)
        return 'd';
    return row->kind == NET_INSERT && consistent ? 'i' : 'u';
}

static void count_row(const StagedRow *row, StageCounts *counts)
{
    counts->deletes += row->kind == 'd';
    counts->updates += row->kind == 'u';
    counts->inserts += row->kind == 'i';
    counts->own_base += row->partial && row->own_base;
    counts->other_base += row->partial && !row->own_base;
}

bool staged_classify(const NetTable *net, bool consistent, GArray *rows, StageCounts *counts,
                     GError **error)
{
    g_array_set_size(rows, net->n_rows);
    *counts = (StageCounts){0};
    for (guint i = 0; i < net->n_rows; i++) {
        NetRow *row = net->rows[i];
        StagedRow staged = {.row = row, .number = i, .kind = staged_kind(row, consistent)};
        staged.partial = staged.kind != 'd' && count_kind(&row->row, CELL_UNCHANGED) > 0;
        if (!check_row(net, i, staged.partial, error))
            return false;
        /* An insert has no row of its own to keep cells of. */
        staged.own_base =
            staged.partial && staged.kind == 'u' && row_equal(&row->key, &row->base_key);
        row->missing = false;
        g_array_index(rows, StagedRow, i) = staged;
        count_row(&staged, counts);
    }
    return true;
}

/* Big-endian, so that prefixes order as the bytes do; equal ones decide nothing. */
static guint64 key_prefix(const Row *key)
{
    guint64 prefix = 0;
    const Cell *cell = &key->cells[0];
    if (cell->length > 0)
        memcpy(&prefix, cell->data, MIN(cell->length, sizeof prefix));
    return GUINT64_FROM_BE(prefix);
}

static int compare_keys(gconstpointer a, gconstpointer b)
{
    guint64 x_prefix = ((const StagedRow *)a)->prefix, y_prefix = ((const StagedRow *)b)->prefix;
    if (x_prefix != y_prefix)
        return x_prefix < y_prefix ? -1 : 1;
    const Row *first = &((const StagedRow *)a)->row->key;
    const Row *second = &((const StagedRow *)b)->row->key;
    for (guint i = 0; i < first->n_cells; i++) {
        const Cell *x = &first->cells[i], *y = &second->cells[i];
        guint32 length = MIN(x->length, y->length);
        int order = length > 0 ? memcmp(x->data, y->data, length) : 0;
        if (order != 0)
            return order;
        if (x->length != y->length)
            return x->length < y->length ? -1 : 1;
    }
    return 0;
}

void staged_sort(GArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        StagedRow *row = &g_array_index(rows, StagedRow, i);
        row->prefix = key_prefix(&row->row->key);
    }
    g_array_sort(rows, compare_keys);
}
