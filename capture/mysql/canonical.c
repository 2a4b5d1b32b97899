#include "capture/mysql/canonical.h"

#include "capture/mysql/json.h"
#include "proto/error.h"
#include "schema/mysql/canonical_time.h"
#include "schema/mysql/charset.h"
#include "schema/mysql/decimal.h"
#include "schema/type_oid.h"

#include <string.h>

static const struct {
    ColumnType type;
    guint32 natural;          /* of a signed number, or of a text */
    guint32 natural_unsigned; /* 0: the same */
} natural_types[] = {
    {COLUMN_TINY, OID_INT2, 0},
    {COLUMN_SHORT, OID_INT2, OID_INT4},
    {COLUMN_INT24, OID_INT4, 0},
    {COLUMN_LONG, OID_INT4, OID_INT8},
    {COLUMN_LONGLONG, OID_INT8, OID_NUMERIC},
    {COLUMN_YEAR, OID_INT2, 0},
    {COLUMN_FLOAT, OID_FLOAT4, 0},
    {COLUMN_DOUBLE, OID_FLOAT8, 0},
    {COLUMN_NEWDECIMAL, OID_NUMERIC, 0},
    {COLUMN_BIT, OID_BIT, 0},
    {COLUMN_DATE, OID_DATE, 0},
    {COLUMN_NEWDATE, OID_DATE, 0},
    {COLUMN_TIME, OID_INTERVAL, 0},
    {COLUMN_TIME2, OID_INTERVAL, 0},
    {COLUMN_DATETIME, OID_TIMESTAMP, 0},
    {COLUMN_DATETIME2, OID_TIMESTAMP, 0},
    {COLUMN_TIMESTAMP, OID_TIMESTAMPTZ, 0},
    {COLUMN_TIMESTAMP2, OID_TIMESTAMPTZ, 0},
    {COLUMN_ENUM, OID_TEXT, 0},
    {COLUMN_SET, OID_TEXT, 0},
    {COLUMN_JSON, OID_JSON, 0},
    {COLUMN_GEOMETRY, OID_BYTEA, 0},
    {COLUMN_VECTOR, OID_FLOAT4_ARRAY, 0},
};

static bool is_integer(ColumnType type)
{
    return type == COLUMN_TINY || type == COLUMN_SHORT || type == COLUMN_INT24 ||
           type == COLUMN_LONG || type == COLUMN_LONGLONG;
}

static bool is_string(ColumnType type)
{
    return type == COLUMN_STRING || type == COLUMN_VAR_STRING || type == COLUMN_VARCHAR ||
           type == COLUMN_BLOB || type == COLUMN_VARCHAR_COMPRESSED ||
           type == COLUMN_BLOB_COMPRESSED;
}

guint32 mysql_canonical_type(const BinlogColumn *column)
{
    if (is_string(column->type))
        return column->collation == 0                        ? 0
               : column->collation == MYSQL_COLLATION_BINARY ? OID_BYTEA
                                                             : OID_TEXT;
    if (is_integer(column->type) && !column->sign_known)
        return 0;
    for (gsize i = 0; i < G_N_ELEMENTS(natural_types); i++)
        if (natural_types[i].type == column->type)
            return column->is_unsigned && natural_types[i].natural_unsigned
                       ? natural_types[i].natural_unsigned
                       : natural_types[i].natural;
    return 0;
}

static void append_be(GByteArray *out, guint64 value, guint size)
{
    guint64 bytes = GUINT64_TO_BE(value << (64 - size * 8));
    g_byte_array_append(out, (const guint8 *)&bytes, size);
}

static bool fail_value(const BinlogColumn *column, const BinlogValue *value, const char *why,
                       GError **error)
{
    g_autofree char *text = mysql_value_text(column, value);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "value %.200s %s", text, why);
    return false;
}

static bool fail_unknown(const BinlogColumn *column, const char *what, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "column %s: the log does not tell its %s; set binlog_row_metadata=FULL on the "
                "source",
                column->name ? column->name : "without a name", what);
    return false;
}

static bool append_integer(const BinlogColumn *column, const BinlogValue *value, GByteArray *out,
                           GError **error)
{
    MysqlDecimal decimal;
    switch (mysql_canonical_type(column)) {
    case OID_INT2:
        append_be(out, (guint64)value->integer, 2);
        return true;
    case OID_INT4:
        append_be(out, (guint64)value->integer, 4);
        return true;
    case OID_INT8:
        append_be(out, (guint64)value->integer, 8);
        return true;
    case OID_NUMERIC:
        decimal = mysql_decimal_of_unsigned((guint64)value->integer);
        mysql_decimal_append_numeric(&decimal, out);
        return true;
    default:
        return fail_unknown(column, "sign", error);
    }
}

static bool append_decimal(const BinlogColumn *column, const BinlogValue *value, GByteArray *out,
                           GError **error)
{
    MysqlDecimal decimal;
    if (!mysql_decimal_read(value->data, column->precision, column->scale, &decimal))
        return fail_value(column, value, "is no decimal", error);
    mysql_decimal_append_numeric(&decimal, out);
    return true;
}

static bool append_float(const BinlogValue *value, GByteArray *out)
{
    float single = (float)value->number;
    guint32 bits;
    guint64 wide;
    if (value->kind == BINLOG_VALUE_FLOAT) {
        memcpy(&bits, &single, sizeof bits);
        append_be(out, bits, sizeof bits);
    } else {
        memcpy(&wide, &value->number, sizeof wide);
        append_be(out, wide, sizeof wide);
    }
    return true;
}

/* u32 bits, then the bits from the left; MySQL's stand at the right of their bytes. */
static bool append_bit(const BinlogColumn *column, const BinlogValue *value, GByteArray *out)
{
    guint shift = (8 - column->size % 8u) % 8;
    append_be(out, column->size, 4);
    for (gsize i = 0; i < value->size; i++) {
        guint next = i + 1 < value->size ? value->data[i + 1] : 0;
        guint8 byte = (guint8)((guint)value->data[i] << shift | next >> (8 - shift));
        g_byte_array_append(out, &byte, 1);
    }
    return true;
}

static bool append_text(const BinlogColumn *column, const BinlogValue *value, const guint8 *text,
                        gsize size, GByteArray *out, GError **error)
{
    guint start = out->len;
    if (column->collation == 0)
        return fail_unknown(column, "character set", error);
    if (!mysql_charset_to_utf8(column->collation, text, size, out, error))
        return false;
    if (out->len > start && memchr(out->data + start, 0, out->len - start))
        return fail_value(column, value, "has a zero byte, which no text may have", error);
    return true;
}

/* BINARY(n) is logged without the zero bytes at its end. */
static bool append_string(const BinlogColumn *column, const BinlogValue *value, GByteArray *out,
                          GError **error)
{
    static const guint8 zero = 0;
    if (column->collation != MYSQL_COLLATION_BINARY)
        return append_text(column, value, value->data, value->size, out, error);
    if (value->size > 0)
        g_byte_array_append(out, value->data, (guint)value->size);
    if (column->type == COLUMN_STRING)
        for (gsize i = value->size; i < column->size; i++)
            g_byte_array_append(out, &zero, 1);
    return true;
}

static bool append_label(const BinlogColumn *column, const BinlogValue *value, guint64 number,
                         GByteArray *out, GError **error)
{
    if (column->n_labels == 0)
        return fail_unknown(column, "labels", error);
    if (number >= column->n_labels)
        return fail_value(column, value, "is beyond the labels of its column", error);
    const BinlogLabel *label = &column->labels[number];
    return append_text(column, value, (const guint8 *)label->text, label->size, out, error);
}

/* An enum's 0 is what an invalid value became in a lax sql_mode; a SELECT shows it as empty. */
static bool append_enum(const BinlogColumn *column, const BinlogValue *value, GByteArray *out,
                        GError **error)
{
    return value->integer == 0 ||
           append_label(column, value, (guint64)value->integer - 1, out, error);
}

static bool append_set(const BinlogColumn *column, const BinlogValue *value, GByteArray *out,
                       GError **error)
{
    guint64 left = (guint64)value->integer;
    for (guint number = 0; left; number++, left >>= 1) {
        if (!(left & 1))
            continue;
        if (!append_label(column, value, number, out, error))
            return false;
        if (left > 1)
            g_byte_array_append(out, (const guint8 *)",", 1);
    }
    return true;
}

static bool append_json_change(const BinlogColumn *column, const BinlogValue *value,
                               const BinlogValue *before, GByteArray *out, GError **error)
{
    if (before && before->kind == BINLOG_VALUE_JSON)
        return mysql_json_append_changed(before->data, before->size, value->data, value->size, out,
                                         error);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "column %s: the log carries a change of a JSON document without the document: with "
                "binlog_row_value_options=PARTIAL_JSON set binlog_row_image=FULL on the source, "
                "for every session",
                column->name ? column->name : "without a name");
    return false;
}

/* An array of one dimension that starts at 1, as float4[] is sent. */
static bool append_vector(const BinlogColumn *column, const BinlogValue *value, GByteArray *out,
                          GError **error)
{
    ByteReader reader = byte_reader(value->data, value->size);
    guint32 n = (guint32)(value->size / 4), bits;
    if (value->size % 4 != 0)
        return fail_value(column, value, "is no vector", error);
    append_be(out, n > 0, 4);
    append_be(out, 0, 4);
    append_be(out, OID_FLOAT4, 4);
    if (n > 0) {
        append_be(out, n, 4);
        append_be(out, 1, 4);
    }
    while (byte_reader_le32(&reader, &bits)) {
        append_be(out, sizeof bits, 4);
        append_be(out, bits, sizeof bits);
    }
    return true;
}

static const char no_date[] = "is no date of the calendar";

bool mysql_canonical_append(const BinlogColumn *column, const BinlogValue *value,
                            const BinlogValue *before, GByteArray *out, GError **error)
{
    switch (value->kind) {
    case BINLOG_VALUE_INTEGER:
        return append_integer(column, value, out, error);
    case BINLOG_VALUE_DECIMAL:
        return append_decimal(column, value, out, error);
    case BINLOG_VALUE_FLOAT:
    case BINLOG_VALUE_DOUBLE:
        return append_float(value, out);
    case BINLOG_VALUE_BIT:
        return append_bit(column, value, out);
    case BINLOG_VALUE_DATE:
        return mysql_append_date(&value->time, out) || fail_value(column, value, no_date, error);
    case BINLOG_VALUE_DATETIME:
        return mysql_append_timestamp(&value->time, out) ||
               fail_value(column, value, no_date, error);
    case BINLOG_VALUE_TIMESTAMP:
        return mysql_append_timestamptz(value->integer, value->time.microsecond, out) ||
               fail_value(column, value, no_date, error);
    case BINLOG_VALUE_TIME:
        mysql_append_interval(&value->time, out);
        return true;
    case BINLOG_VALUE_STRING:
        return append_string(column, value, out, error);
    case BINLOG_VALUE_ENUM:
        return append_enum(column, value, out, error);
    case BINLOG_VALUE_SET:
        return append_set(column, value, out, error);
    case BINLOG_VALUE_JSON:
        return mysql_json_append_text(value->data, value->size, out, error);
    case BINLOG_VALUE_JSON_DIFF:
        return append_json_change(column, value, before, out, error);
    case BINLOG_VALUE_GEOMETRY:
        g_byte_array_append(out, value->data, (guint)value->size);
        return true;
    case BINLOG_VALUE_VECTOR:
        return append_vector(column, value, out, error);
    case BINLOG_VALUE_ABSENT:
    case BINLOG_VALUE_NULL:
        break;
    }
    g_set_error_literal(error, DROVER_ERROR, DROVER_ERROR_BUG,
                        "a value that is not there was to be converted");
    return false;
}
