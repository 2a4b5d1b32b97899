/*
 * Row digest: hashes of rows over their canonical bytes, which are the same on every engine, and
 * sums of them that do not depend on the order of the rows.
 *
 * What is hashed of a row is, per cell, what a binary COPY has of it: a big-endian i32 length, -1
 * for null, and the bytes. A value that an engine keeps but writes in another way is in a normal
 * form: JSON that is in MySQL's json on a side (Column.json_normal); numeric without a scale, which
 * is a decimal(65,30) in MySQL, with as few digits as say it; floats without a negative zero, which
 * MariaDB does not have.
 */
#pragma once

#include "proto/source.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

typedef struct RowDigest {
    gint64 rows;
    guint64 sums[2]; /* of two differently seeded hashes, modulo 2^64 */
} RowDigest;

/* The columns that are hashed: those that move, then generated ones that both sides have. */
guint row_digest_columns(const Table *table);
const Column *row_digest_column(const Table *table, guint i);

bool row_digest_has_normal_form(const Column *column);
bool row_digest_is_plain(const Table *table); /* no column has one */

/* Appends length and bytes of a cell; a value in its normal form. */
void row_digest_append(GByteArray *out, const Column *column, const Cell *cell);

/* Sets cells from what was appended; they point into it. */
void row_digest_split(const GByteArray *appended, Cell *cells, guint n_cells);

guint64 row_digest_hash(const guint8 *row, gsize size);
void row_digest_add(RowDigest *digest, const guint8 *row, gsize size);

/* Sets rows, digest_1 and digest_2. */
void row_digest_finish(const RowDigest *digest, ReadRequest *request);
