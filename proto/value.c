/*
 * A packed row is, per cell, the kind (1 byte) and for a value its length (u32, big endian) and its
 * bytes. The hash of a row is XXH3-64 of the same form, so that it does not depend on the machine.
 */
#include "proto/value.h"

#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define SMALL_ROW 256 /* packed bytes up to which a row is hashed in one piece on the stack */
#define HEAD_SIZE 5

/* Writes what stands before a cell's bytes; returns its size. */
static gsize cell_head(const Cell *cell, guint8 *head)
{
    head[0] = cell->kind;
    if (cell->kind != CELL_VALUE)
        return 1;
    guint32 length = GUINT32_TO_BE(cell->length);
    memcpy(head + 1, &length, sizeof length);
    return HEAD_SIZE;
}

static gsize cell_bytes(const Cell *cell)
{
    return cell->kind == CELL_VALUE ? cell->length : 0;
}

void row_pack(const Row *row, GByteArray *out)
{
    for (guint32 i = 0; i < row->n_cells; i++) {
        const Cell *cell = &row->cells[i];
        guint8 head[HEAD_SIZE];
        g_byte_array_append(out, head, (guint)cell_head(cell, head));
        if (cell_bytes(cell) > 0)
            g_byte_array_append(out, cell->data, cell->length);
    }
}

/* Reads one cell from the front of *data; false where it is not there whole. */
static bool cell_unpack(const guint8 **data, gsize *size, Cell *cell)
{
    if (*size < 1 || (*data)[0] > CELL_ABSENT)
        return false;
    *cell = (Cell){.kind = (*data)[0]};
    gsize taken = 1;
    if (cell->kind == CELL_VALUE) {
        if (*size < HEAD_SIZE)
            return false;
        memcpy(&cell->length, *data + 1, sizeof cell->length);
        cell->length = GUINT32_FROM_BE(cell->length);
        if (*size - HEAD_SIZE < cell->length)
            return false;
        cell->data = *data + HEAD_SIZE;
        taken = HEAD_SIZE + (gsize)cell->length;
    }
    *data += taken;
    *size -= taken;
    return true;
}

bool row_unpack(const guint8 *data, gsize size, guint32 n_cells, Row *row)
{
    if (n_cells > size)
        return false;
    g_autofree Cell *cells = g_new(Cell, n_cells);
    for (guint32 i = 0; i < n_cells; i++)
        if (!cell_unpack(&data, &size, &cells[i]))
            return false;
    if (size != 0)
        return false;
    *row = (Row){.cells = g_steal_pointer(&cells), .n_cells = n_cells};
    return true;
}

bool row_equal(const Row *a, const Row *b)
{
    if (a->n_cells != b->n_cells)
        return false;
    for (guint32 i = 0; i < a->n_cells; i++) {
        const Cell *left = &a->cells[i], *right = &b->cells[i];
        if (left->kind != right->kind)
            return false;
        gsize length = cell_bytes(left);
        if (length != cell_bytes(right))
            return false;
        if (length > 0 && memcmp(left->data, right->data, length) != 0)
            return false;
    }
    return true;
}

static guint64 hash_in_pieces(const Row *row)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    for (guint32 i = 0; i < row->n_cells; i++) {
        const Cell *cell = &row->cells[i];
        guint8 head[HEAD_SIZE];
        XXH3_64bits_update(&state, head, cell_head(cell, head));
        if (cell_bytes(cell) > 0)
            XXH3_64bits_update(&state, cell->data, cell->length);
    }
    return XXH3_64bits_digest(&state);
}

guint64 row_hash(const Row *row)
{
    guint8 packed[SMALL_ROW];
    gsize size = 0;
    for (guint32 i = 0; i < row->n_cells; i++) {
        const Cell *cell = &row->cells[i];
        gsize bytes = cell_bytes(cell);
        if (bytes > SMALL_ROW - HEAD_SIZE || size > SMALL_ROW - HEAD_SIZE - bytes)
            return hash_in_pieces(row);
        size += cell_head(cell, packed + size);
        if (bytes > 0)
            memcpy(packed + size, cell->data, bytes);
        size += bytes;
    }
    return XXH3_64bits(packed, size);
}

gsize row_bytes(const Row *row)
{
    gsize size = 0;
    for (guint32 i = 0; i < row->n_cells; i++)
        size += row->cells[i].kind == CELL_VALUE ? row->cells[i].length : 0;
    return size;
}

void row_copy_into(const Row *from, guint8 *bytes, Row *to)
{
    to->n_cells = from->n_cells;
    if (from->n_cells > 0)
        memcpy(to->cells, from->cells, sizeof(Cell) * from->n_cells);
    for (guint32 i = 0; i < to->n_cells; i++) {
        Cell *cell = &to->cells[i];
        if (cell->kind != CELL_VALUE)
            continue;
        if (cell->length > 0)
            memcpy(bytes, cell->data, cell->length);
        cell->data = bytes;
        bytes += cell->length;
    }
}

Row row_copy(Arena *arena, const Row *from)
{
    Row to = {.cells = arena_new_array(arena, Cell, from->n_cells)};
    row_copy_into(from, arena_alloc(arena, row_bytes(from) + 1), &to);
    return to;
}
