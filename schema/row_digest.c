#include "schema/row_digest.h"

#include "schema/json_normal.h"
#include "schema/type_oid.h"

#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define SEED_1 G_GUINT64_CONSTANT(7205759403792793601)
#define SEED_2 G_GUINT64_CONSTANT(2305843009213693951)
#define NUMERIC_HEAD 8 /* u16 groups, i16 weight, u16 sign, u16 digits after the point */

static bool both_have(const Column *generated)
{
    return generated->target_type != NULL && generated->type_oid != 0;
}

guint row_digest_columns(const Table *table)
{
    guint n = table->n_columns;
    for (guint i = 0; i < table->n_generated; i++)
        n += both_have(&table->generated[i]);
    return n;
}

const Column *row_digest_column(const Table *table, guint i)
{
    if (i < table->n_columns)
        return &table->columns[i];
    const Column *column = table->generated;
    for (guint left = i - table->n_columns; left > 0 || !both_have(column); column++)
        left -= both_have(column);
    return column;
}

static bool is_json(const Column *column)
{
    return column->json_normal && (column->type_oid == OID_JSON || column->type_oid == OID_JSONB);
}

static bool is_numeric_without_scale(const Column *column)
{
    return column->type_oid == OID_NUMERIC && strcmp(column->type, "numeric") == 0;
}

static bool is_float(const Column *column)
{
    return column->type_oid == OID_FLOAT4 || column->type_oid == OID_FLOAT8;
}

bool row_digest_has_normal_form(const Column *column)
{
    return is_json(column) || is_numeric_without_scale(column) || is_float(column);
}

bool row_digest_is_plain(const Table *table)
{
    for (guint i = 0; i < row_digest_columns(table); i++)
        if (row_digest_has_normal_form(row_digest_column(table, i)))
            return false;
    return true;
}

static guint read_u16(const guint8 *data)
{
    return (guint)data[0] << 8 | data[1];
}

/* The groups have no zero group at the end already; four digits stand in each. */
static void append_numeric(GByteArray *out, const Cell *cell)
{
    guint start = out->len;
    g_byte_array_append(out, cell->data, cell->length);
    if (cell->length < NUMERIC_HEAD)
        return;
    guint n = read_u16(cell->data);
    int digits = ((int)n - (gint16)read_u16(cell->data + 2) - 1) * 4;
    if (n > 0 && cell->length >= NUMERIC_HEAD + n * 2)
        for (guint last = read_u16(cell->data + NUMERIC_HEAD + n * 2 - 2);
             digits > 0 && last % 10 == 0 && last > 0; last /= 10)
            digits--;
    digits = n > 0 ? MAX(digits, 0) : 0;
    out->data[start + 6] = (guint8)(digits >> 8);
    out->data[start + 7] = (guint8)digits;
}

static void append_float(GByteArray *out, const Cell *cell)
{
    static const guint8 negative_zero[8] = {0x80};
    bool is_zero = cell->length > 0 && cell->length <= sizeof negative_zero &&
                   memcmp(cell->data, negative_zero, cell->length) == 0;
    g_byte_array_append(out, is_zero ? negative_zero + 1 : cell->data, is_zero ? 1 : cell->length);
    if (is_zero)
        g_byte_array_append(out, negative_zero + 1, cell->length - 1);
}

/* What is no JSON stands as it is. */
static void append_json(GByteArray *out, const Column *column, const Cell *cell)
{
    guint version = column->type_oid == OID_JSONB;
    if (cell->length <= version)
        return;
    g_byte_array_append(out, cell->data, version);
    if (!json_normal_append((const char *)cell->data + version, cell->length - version, out, NULL))
        g_byte_array_append(out, cell->data + version, cell->length - version);
}

void row_digest_append(GByteArray *out, const Column *column, const Cell *cell)
{
    guint start = out->len;
    guint32 length = G_MAXUINT32;
    g_byte_array_append(out, (const guint8 *)&length, sizeof length);
    if (cell->kind != CELL_VALUE)
        return;
    if (is_json(column))
        append_json(out, column, cell);
    else if (is_numeric_without_scale(column))
        append_numeric(out, cell);
    else if (is_float(column))
        append_float(out, cell);
    else
        g_byte_array_append(out, cell->data, cell->length);
    length = GUINT32_TO_BE(out->len - start - (guint)sizeof length);
    memcpy(out->data + start, &length, sizeof length);
}

void row_digest_split(const GByteArray *appended, Cell *cells, guint n_cells)
{
    const guint8 *at = appended->data;
    for (guint i = 0; i < n_cells; i++) {
        guint32 length;
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        cells[i] = (Cell){.kind = CELL_NULL};
        if (length == G_MAXUINT32)
            continue;
        cells[i] = (Cell){.kind = CELL_VALUE, .data = at, .length = GUINT32_FROM_BE(length)};
        at += cells[i].length;
    }
}

guint64 row_digest_hash(const guint8 *row, gsize size)
{
    return XXH3_64bits_withSeed(row, size, SEED_1);
}

void row_digest_add(RowDigest *digest, const guint8 *row, gsize size)
{
    digest->rows++;
    digest->sums[0] += row_digest_hash(row, size);
    digest->sums[1] += XXH3_64bits_withSeed(row, size, SEED_2);
}

void row_digest_finish(const RowDigest *digest, ReadRequest *request)
{
    request->rows = digest->rows;
    g_free(request->digest_1);
    g_free(request->digest_2);
    request->digest_1 = g_strdup_printf("%" G_GUINT64_FORMAT, digest->sums[0]);
    request->digest_2 = g_strdup_printf("%" G_GUINT64_FORMAT, digest->sums[1]);
}
