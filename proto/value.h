/*
 * Value: the canonical form of a cell and of a row.
 *
 * A cell is a value, null, unchanged (the log did not carry it: TOAST, a minimal image) or absent
 * (not part of this image). The bytes of a value are the canonical form of its type, equal to
 * PostgreSQL's binary send form for the built-in types. Cells of a row stand in the order of
 * Table.columns. A key is a row of only the key's cells, in key order.
 */
#pragma once

#include "proto/arena.h"

#include <glib.h>
#include <stdbool.h>

typedef enum { CELL_VALUE = 0, CELL_NULL = 1, CELL_UNCHANGED = 2, CELL_ABSENT = 3 } CellKind;

typedef struct Cell {
    const guint8 *data; /* not owned; NULL unless kind is CELL_VALUE (may be NULL for length 0) */
    guint32 length;
    guint8 kind; /* CellKind */
} Cell;

typedef struct Row {
    Cell *cells;
    guint32 n_cells;
} Row;

/* Appends a self-delimiting form of a row to out: per cell the kind (1 byte), and for a value a
 * big-endian u32 length and the bytes. Used for keys in drover's own tables. */
void row_pack(const Row *row, GByteArray *out);

/* Reads row_pack's form; cells point into data; row->cells is allocated with g_new (caller frees
 * with g_free). False where the bytes are not of that form or n_cells differs from what is there.
 */
bool row_unpack(const guint8 *data, gsize size, guint32 n_cells, Row *row);

/* True where both have the same kinds and identical bytes. */
bool row_equal(const Row *a, const Row *b);

/* Bytes of the values of a row. */
gsize row_bytes(const Row *row);

/* Copies a row whole: into to->cells, which has room for them, and `bytes` (row_bytes of them); or
 * into an arena. */
void row_copy_into(const Row *from, guint8 *bytes, Row *to);
Row row_copy(Arena *arena, const Row *from);

/* XXH3-64 over kinds, lengths and bytes. */
guint64 row_hash(const Row *row);
