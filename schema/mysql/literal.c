#include "schema/mysql/literal.h"

#include "proto/byte_reader.h"
#include "proto/error.h"
#include "schema/connection_mysql.h"
#include "schema/json_normal.h"
#include "schema/mysql/cell_text.h"
#include "schema/type_oid.h"

#define JSONB_VERSION 1

static bool fail_type(const Column *column, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "column %s: a value of its type (%s) cannot be written to MySQL", column->name,
                column->type);
    return false;
}

static bool fail_form(const Column *column, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "column %s: a value has not the form of its type (%s)", column->name, column->type);
    return false;
}

/* ---- bytes ---- */

static void append_hex(GString *out, const guint8 *data, gsize size)
{
    static const char digits[] = "0123456789ABCDEF";
    gsize at = out->len;
    g_string_set_size(out, at + size * 2);
    for (gsize i = 0; i < size; i++) {
        out->str[at++] = digits[data[i] >> 4];
        out->str[at++] = digits[data[i] & 15];
    }
}

/* float4[] of one dimension, as MySQL's vector has it: little-endian floats. */
static bool append_vector_hex(GString *out, const Cell *cell)
{
    ByteReader reader = byte_reader(cell->data, cell->length);
    guint32 dimensions, has_null, type, n = 0, lower, size, bits;
    if (!byte_reader_u32(&reader, &dimensions) || !byte_reader_u32(&reader, &has_null) ||
        !byte_reader_u32(&reader, &type) || dimensions > 1 || has_null != 0 || type != OID_FLOAT4)
        return false;
    if (dimensions == 1 && (!byte_reader_u32(&reader, &n) || !byte_reader_u32(&reader, &lower)))
        return false;
    for (guint32 i = 0; i < n; i++) {
        if (!byte_reader_u32(&reader, &size) || size != sizeof bits ||
            !byte_reader_u32(&reader, &bits))
            return false;
        bits = GUINT32_TO_LE(bits);
        append_hex(out, (const guint8 *)&bits, sizeof bits);
    }
    return byte_reader_left(&reader) == 0;
}

static bool append_bytes_hex(GString *out, const Column *column, const Cell *cell, GError **error)
{
    if (column->type_oid == OID_FLOAT4_ARRAY)
        return append_vector_hex(out, cell) || fail_form(column, error);
    append_hex(out, cell->data, cell->length);
    return true;
}

/* ---- texts ---- */

/* The bytes of a text or a document; those of a "char" are put into `own`. */
static bool find_text(const Column *column, const Cell *cell, GString *own, const char **text,
                      gsize *size, GError **error)
{
    *text = cell->length > 0 ? (const char *)cell->data : "";
    *size = cell->length;
    if (column->type_oid == OID_CHAR) {
        if (!mysql_append_cell_text(own, column, cell, error))
            return false;
        *text = own->str;
        *size = own->len;
    } else if (column->type_oid == OID_JSONB) {
        if (*size < 1 || cell->data[0] != JSONB_VERSION)
            return fail_form(column, error);
        ++*text;
        --*size;
    }
    return true;
}

/* Would MySQL's json give the document back? */
static bool check_json(const Column *column, const char *text, gsize size, GError **error)
{
    g_autofree char *lost = NULL;
    g_autoptr(GByteArray) normal = g_byte_array_new();
    bool is_json = json_normal_append(text, size, normal, &lost);
    if (is_json && lost == NULL)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                "column %s: MySQL's json cannot hold %s of the document %.*s", column->name,
                lost != NULL ? lost : "all", (int)MIN(size, 200), text);
    return false;
}

static void append_escaped(GString *line, const char *text, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        char byte = text[i];
        if (byte == '\\' || byte == '\t' || byte == '\n' || byte == '\r' || byte == 0) {
            g_string_append_c(line, '\\');
            byte = byte == '\t'   ? 't'
                   : byte == '\n' ? 'n'
                   : byte == '\r' ? 'r'
                   : byte == 0    ? '0'
                                  : byte;
        }
        g_string_append_c(line, byte);
    }
}

static bool append_text(GString *out, const Column *column, const Cell *cell,
                        void (*append)(GString *, const char *, gsize), GError **error)
{
    g_autoptr(GString) own = column->type_oid == OID_CHAR ? g_string_new(NULL) : NULL;
    const char *text;
    gsize size;
    if (!find_text(column, cell, own, &text, &size, error) ||
        (column->json_normal && !check_json(column, text, size, error)))
        return false;
    append(out, text, size);
    return true;
}

/* ---- cells ---- */

static bool is_value(const Column *column, const Cell *cell, GError **error)
{
    if (cell->kind == CELL_VALUE)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "column %s: a cell that is no value was to be written", column->name);
    return false;
}

bool mysql_append_literal(GString *sql, const Column *column, const Cell *cell, GError **error)
{
    if (cell->kind == CELL_NULL) {
        g_string_append(sql, "null");
        return true;
    }
    if (!is_value(column, cell, error))
        return false;
    switch (mysql_form_of(column->type_oid)) {
    case MYSQL_FORM_NUMBER:
        return mysql_append_cell_text(sql, column, cell, error);
    case MYSQL_FORM_PLAIN:
        g_string_append_c(sql, '\'');
        if (!mysql_append_cell_text(sql, column, cell, error))
            return false;
        g_string_append_c(sql, '\'');
        return true;
    case MYSQL_FORM_TEXT:
    case MYSQL_FORM_JSON:
        return append_text(sql, column, cell, mysql_session_append_bytes, error);
    case MYSQL_FORM_BYTES:
        g_string_append(sql, "x'");
        if (!append_bytes_hex(sql, column, cell, error))
            return false;
        g_string_append_c(sql, '\'');
        return true;
    case MYSQL_FORM_NONE:
        break;
    }
    return fail_type(column, error);
}

bool mysql_append_field(GString *line, const Column *column, const Cell *cell, GError **error)
{
    if (cell->kind == CELL_NULL) {
        g_string_append(line, "\\N");
        return true;
    }
    if (!is_value(column, cell, error))
        return false;
    switch (mysql_form_of(column->type_oid)) {
    case MYSQL_FORM_NUMBER:
    case MYSQL_FORM_PLAIN:
        return mysql_append_cell_text(line, column, cell, error);
    case MYSQL_FORM_TEXT:
    case MYSQL_FORM_JSON:
        return append_text(line, column, cell, append_escaped, error);
    case MYSQL_FORM_BYTES:
        return append_bytes_hex(line, column, cell, error);
    case MYSQL_FORM_NONE:
        break;
    }
    return fail_type(column, error);
}

bool mysql_field_needs_value(const Column *column)
{
    return column->type_oid == OID_BIT || mysql_form_of(column->type_oid) == MYSQL_FORM_BYTES;
}

void mysql_append_field_value(GString *sql, const Column *column, const char *variable)
{
    bool bits = column->type_oid == OID_BIT;
    g_string_append(sql, bits ? "cast(" : "unhex(");
    g_string_append(sql, variable);
    g_string_append(sql, bits ? " as unsigned)" : ")");
}
