#include "schema/mysql/value.h"

#include "proto/error.h"
#include "schema/connection_mysql.h"
#include "schema/mysql/charset.h"
#include "schema/mysql/decimal.h"
#include "schema/mysql/interval.h"
#include "schema/mysql/text_cell.h"
#include "schema/mysql/time_text.h"
#include "schema/mysql/zero_date.h"
#include "schema/type_oid.h"

#include <string.h>

#define COLLATION_BINARY 63
#define JSON_FIELD 245    /* MYSQL_TYPE_JSON: not in every client's header */
#define SHORTEST_FLOAT 31 /* decimals of a float whose text is the shortest that says it */

static void append_be(GByteArray *out, guint64 value, guint size)
{
    guint64 bytes = GUINT64_TO_BE(value << (64 - size * 8));
    g_byte_array_append(out, (const guint8 *)&bytes, size);
}

/* A value that has no text is shown as bytes, a long one by its beginning. */
static bool fail_value(const char *text, gsize size, const char *why, GError **error)
{
    gsize shown = MIN(size, 200);
    const char *end;
    g_autoptr(GString) value = g_string_new(NULL);
    if (g_utf8_validate_len(text, shown, &end) || (size > shown && end > text + shown - 4)) {
        g_string_append_len(value, text, end - text);
    } else {
        g_string_append(value, "0x");
        for (gsize i = 0; i < MIN(shown, 100); i++)
            g_string_append_printf(value, "%02x", (guint8)text[i]);
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "value %s %s", value->str, why);
    return false;
}

static bool fail_form(const MysqlValue *value, const char *text, gsize size, GError **error)
{
    g_autofree char *why = g_strdup_printf("cannot be read as %s", value->column->type);
    return fail_value(text, size, why, error);
}

/* ---- numbers ---- */

static bool parse_integer(const char *text, gsize size, gint64 *number)
{
    bool negative = size > 0 && *text == '-';
    guint64 sum = 0;
    gsize i = negative;
    if (size == i || size > 20)
        return false;
    for (; i < size; i++) {
        guint digit = (guint)(guint8)text[i] - '0';
        if (digit > 9)
            return false;
        if (sum > (G_MAXUINT64 - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = (gint64)(negative ? -sum : sum);
    return negative ? sum <= (guint64)1 << 63 : sum <= G_MAXINT64;
}

static bool read_integer(const MysqlValue *value, const char *text, gsize size, guint bytes,
                         gint64 least, gint64 most, GByteArray *out, GError **error)
{
    gint64 number;
    if (!parse_integer(text, size, &number))
        return fail_form(value, text, size, error);
    if (number < least || number > most)
        return fail_value(text, size, "is out of the type's range", error);
    append_be(out, (guint64)number, bytes);
    return true;
}

static bool read_bool(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                      bool *null, GError **error)
{
    (void)null;
    return read_integer(value, text, size, 1, 0, 1, out, error);
}

static bool read_int2(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                      bool *null, GError **error)
{
    (void)null;
    return read_integer(value, text, size, 2, G_MININT16, G_MAXINT16, out, error);
}

static bool read_int4(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                      bool *null, GError **error)
{
    (void)null;
    return read_integer(value, text, size, 4, G_MININT32, G_MAXINT32, out, error);
}

static bool read_oid(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                     bool *null, GError **error)
{
    (void)null;
    return read_integer(value, text, size, 4, 0, G_MAXUINT32, out, error);
}

static bool read_int8(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                      bool *null, GError **error)
{
    (void)null;
    return read_integer(value, text, size, 8, G_MININT64, G_MAXINT64, out, error);
}

static bool read_numeric(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                         bool *null, GError **error)
{
    MysqlDecimal decimal;
    (void)null;
    if (!mysql_decimal_of_text(text, size, &decimal))
        return fail_form(value, text, size, error);
    while (value->least_digits && decimal.n_fraction > 0 &&
           decimal.digits[decimal.n_integer + decimal.n_fraction - 1] == '0')
        decimal.n_fraction--;
    mysql_decimal_append_numeric(&decimal, out);
    return true;
}

/* The answer's texts end with a zero byte. */
static bool parse_float(const char *text, gsize size, double *number)
{
    char *end;
    *number = g_ascii_strtod(text, &end);
    return size > 0 && end == text + size;
}

static bool read_float4(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                        bool *null, GError **error)
{
    double number;
    guint32 bits;
    (void)null;
    if (!parse_float(text, size, &number))
        return fail_form(value, text, size, error);
    float single = (float)number;
    memcpy(&bits, &single, sizeof bits);
    append_be(out, bits, sizeof bits);
    return true;
}

static bool read_float8(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                        bool *null, GError **error)
{
    double number;
    guint64 bits;
    (void)null;
    if (!parse_float(text, size, &number))
        return fail_form(value, text, size, error);
    memcpy(&bits, &number, sizeof bits);
    append_be(out, bits, sizeof bits);
    return true;
}

/* u32 bits, then the bits from the left; MySQL's stand at the right of their bytes. */
static bool read_bit(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                     bool *null, GError **error)
{
    guint64 bits = 0;
    guint n_bytes = (value->bits + 7) / 8;
    (void)null;
    if (size > sizeof bits || value->bits > 64 || value->bits == 0)
        return fail_form(value, text, size, error);
    for (gsize i = 0; i < size; i++)
        bits = bits << 8 | (guint8)text[i];
    append_be(out, value->bits, 4);
    append_be(out, bits << (n_bytes * 8 - value->bits), n_bytes);
    return true;
}

/* ---- dates and times ---- */

static bool read_date_or_stamp(const MysqlValue *value, const char *text, gsize size,
                               GByteArray *out, bool *null, GError **error)
{
    MysqlTime time;
    guint32 type = value->column->type_oid;
    if (!mysql_time_of_text(text, size, &time))
        return fail_form(value, text, size, error);
    if (mysql_time_has_zero(&time))
        return mysql_zero_date_append(value->table, type, text, out, null, error);
    if (type == OID_DATE ? mysql_append_date(&time, out) : mysql_append_timestamp(&time, out))
        return true;
    return fail_value(text, size, "is no date of the calendar", error);
}

static bool read_time(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                      bool *null, GError **error)
{
    MysqlTime time;
    (void)null;
    if (!mysql_clock_of_text(text, size, &time))
        return fail_form(value, text, size, error);
    gint64 microseconds = mysql_clock_microseconds(&time);
    const gint64 day = G_GINT64_CONSTANT(86400000000);
    if (microseconds < 0 || microseconds > day)
        return fail_value(text, size, "is no time of day", error);
    append_be(out, (guint64)microseconds, 8);
    return true;
}

static bool read_clock(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                       bool *null, GError **error)
{
    MysqlTime time;
    (void)null;
    if (!mysql_clock_of_text(text, size, &time))
        return fail_form(value, text, size, error);
    mysql_append_interval(&time, out);
    return true;
}

static bool read_interval(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                          bool *null, GError **error)
{
    Interval interval;
    (void)null;
    if (!interval_of_text(text, size, &interval))
        return fail_form(value, text, size, error);
    interval_append(&interval, out);
    return true;
}

/* ---- texts and bytes ---- */

/* Are all bytes between 1 and 127? */
static bool is_plain(const char *text, gsize size)
{
    const guint64 ones = G_GUINT64_CONSTANT(0x0101010101010101), highs = ones << 7;
    guint64 wrong = 0, word;
    for (; size >= sizeof word; size -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        wrong |= (word - ones) | word;
    }
    for (; size > 0; size--, text++)
        wrong |= (guint8)*text - 1u < 0x7f ? 0 : highs;
    return (wrong & highs) == 0;
}

static bool read_text(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                      bool *null, GError **error)
{
    guint start = out->len;
    (void)null;
    if (value->collation == 0 || (value->has_ascii && is_plain(text, size)) ||
        (value->is_utf8 && g_utf8_validate_len(text, size, NULL))) {
        g_byte_array_append(out, (const guint8 *)text, (guint)size);
        return true;
    }
    if (!mysql_charset_to_utf8(value->collation, (const guint8 *)text, size, out, error))
        return false;
    if (out->len == start || memchr(out->data + start, 0, out->len - start) == NULL)
        return true;
    return fail_value(text, size, "has a zero byte, which no text may have", error);
}

static bool read_jsonb(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                       bool *null, GError **error)
{
    static const guint8 version = 1;
    g_byte_array_append(out, &version, 1);
    return read_text(value, text, size, out, null, error);
}

static bool read_bytes(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                       bool *null, GError **error)
{
    (void)value, (void)null, (void)error;
    g_byte_array_append(out, (const guint8 *)text, (guint)size);
    return true;
}

static bool read_by_text(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                         bool *null, GError **error)
{
    (void)null;
    return mysql_text_append_cell(value->column->type_oid, text, size, out) ||
           fail_form(value, text, size, error);
}

/* An array of one dimension that starts at 1, as float4[] is sent. */
static bool read_vector(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                        bool *null, GError **error)
{
    guint n = (guint)(size / 4);
    (void)null;
    if (size % 4 != 0)
        return fail_form(value, text, size, error);
    append_be(out, n > 0, 4);
    append_be(out, 0, 4);
    append_be(out, OID_FLOAT4, 4);
    if (n > 0) {
        append_be(out, n, 4);
        append_be(out, 1, 4);
    }
    for (guint i = 0; i < n; i++) {
        guint32 bits;
        memcpy(&bits, text + i * 4, sizeof bits);
        append_be(out, sizeof bits, 4);
        append_be(out, GUINT32_FROM_LE(bits), sizeof bits);
    }
    return true;
}

/* ---- choosing ---- */

static const struct {
    guint32 oid;
    MysqlValueRead read;
    bool is_text;
} reads[] = {
    {OID_BOOL, read_bool, false},
    {OID_INT2, read_int2, false},
    {OID_INT4, read_int4, false},
    {OID_INT8, read_int8, false},
    {OID_OID, read_oid, false},
    {OID_NUMERIC, read_numeric, false},
    {OID_FLOAT4, read_float4, false},
    {OID_FLOAT8, read_float8, false},
    {OID_BIT, read_bit, false},
    {OID_DATE, read_date_or_stamp, false},
    {OID_TIMESTAMP, read_date_or_stamp, false},
    {OID_TIMESTAMPTZ, read_date_or_stamp, false},
    {OID_TIME, read_time, false},
    {OID_INTERVAL, read_interval, false},
    {OID_TEXT, read_text, true},
    {OID_VARCHAR, read_text, true},
    {OID_BPCHAR, read_text, true},
    {OID_NAME, read_text, true},
    {OID_XML, read_text, true},
    {OID_JSON, read_text, true},
    {OID_JSONB, read_jsonb, true},
    {OID_BYTEA, read_bytes, false},
    {OID_FLOAT4_ARRAY, read_vector, false},
    {OID_CHAR, read_by_text, false},
    {OID_UUID, read_by_text, false},
    {OID_INET, read_by_text, false},
    {OID_CIDR, read_by_text, false},
    {OID_MACADDR, read_by_text, false},
    {OID_MACADDR8, read_by_text, false},
};

/* The text of a json is UTF-8 whatever its field says. */
static bool set_charset(MysqlValue *value, const MYSQL_FIELD *field, GError **error)
{
    g_autoptr(GByteArray) nothing = g_byte_array_new();
    if ((int)field->type == JSON_FIELD)
        return true;
    value->collation = field->charsetnr;
    if (!mysql_charset_to_utf8(value->collation, (const guint8 *)"", 0, nothing, error)) {
        g_prefix_error(error, "column %s: ", value->column->name);
        return false;
    }
    value->is_utf8 = mysql_charset_is_utf8(value->collation);
    value->has_ascii = mysql_charset_has_ascii(value->collation);
    return true;
}

bool mysql_value_init(MysqlValue *value, const Table *table, const Column *column,
                      const MYSQL_FIELD *field, GError **error)
{
    *value = (MysqlValue){.table = table, .column = column};
    value->bits = (guint)field->length;
    value->least_digits = column->type_oid == OID_NUMERIC && strcmp(column->type, "numeric") == 0;
    for (gsize i = 0; i < G_N_ELEMENTS(reads); i++) {
        if (reads[i].oid != column->type_oid)
            continue;
        value->read = reads[i].read;
        if (column->type_oid == OID_INTERVAL && field->type == MYSQL_TYPE_TIME)
            value->read = read_clock;
        return !reads[i].is_text || set_charset(value, field, error);
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "column %s: its type (%s) cannot be read from MySQL", column->name, column->type);
    return false;
}

/* A float is shown with six digits, and a double that was declared with digits with as many. */
void mysql_value_append_selected(GString *sql, const char *name, const MYSQL_FIELD *field)
{
    g_string_append(sql, "t.");
    mysql_session_append_identifier(sql, name);
    if (field->type == MYSQL_TYPE_FLOAT ||
        (field->type == MYSQL_TYPE_DOUBLE && field->decimals != SHORTEST_FLOAT))
        g_string_append(sql, " * 1e0");
}

bool mysql_value_append(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                        bool *null, GError **error)
{
    *null = false;
    if (value->read(value, text, size, out, null, error))
        return true;
    g_prefix_error(error, "column %s: ", value->column->name);
    return false;
}
