/*
 * Values as the server would show them. A text in another character set is shown as it converts;
 * what has no text is shown as bytes.
 */
#include "capture/mysql/canonical.h"
#include "capture/mysql/json.h"
#include "schema/mysql/canonical_time.h"
#include "schema/mysql/charset.h"
#include "schema/mysql/decimal.h"

static void append_hex(GString *text, const guint8 *data, gsize size)
{
    g_string_append(text, "0x");
    for (gsize i = 0; i < size; i++)
        g_string_append_printf(text, "%02x", data[i]);
}

static void append_bytes(GString *text, const BinlogValue *value)
{
    append_hex(text, value->data, value->size);
}

static void append_number(GString *text, double number, int digits)
{
    char plain[G_ASCII_DTOSTR_BUF_SIZE], format[] = "%.17g";
    format[2] = (char)('0' + digits / 10);
    format[3] = (char)('0' + digits % 10);
    g_string_append(text, g_ascii_formatd(plain, sizeof plain, format, number));
}

static void append_decimal(GString *text, const BinlogColumn *column, const BinlogValue *value)
{
    MysqlDecimal decimal;
    if (mysql_decimal_read(value->data, column->precision, column->scale, &decimal))
        mysql_decimal_append_text(&decimal, text);
    else
        append_bytes(text, value);
}

static void append_fraction(guint microsecond, guint digits, GString *text)
{
    char all[16];
    if (digits == 0)
        return;
    g_snprintf(all, sizeof all, "%06u", microsecond);
    g_string_append_printf(text, ".%.*s", (int)MIN(digits, 6), all);
}

static void append_stamp(gint64 seconds, GString *text)
{
    if (seconds == 0) {
        g_string_append(text, "0000-00-00 00:00:00");
        return;
    }
    g_autoptr(GDateTime) stamp = g_date_time_new_from_unix_utc(seconds);
    g_autofree char *whole = g_date_time_format(stamp, "%Y-%m-%d %H:%M:%S");
    g_string_append(text, whole);
}

/* "2024-01-31 10:00:00.123", with as many digits of a second as the column has. */
static void append_time(BinlogValueKind kind, const BinlogValue *value, guint digits, GString *text)
{
    const MysqlTime *time = &value->time;
    if (kind == BINLOG_VALUE_TIMESTAMP) {
        append_stamp(value->integer, text);
    } else if (kind == BINLOG_VALUE_TIME) {
        g_string_append_printf(text, "%s%02u:%02u:%02u", time->negative ? "-" : "", time->hour,
                               time->minute, time->second);
    } else {
        g_string_append_printf(text, "%04u-%02u-%02u", time->year, time->month, time->day);
        if (kind == BINLOG_VALUE_DATE)
            return;
        g_string_append_printf(text, " %02u:%02u:%02u", time->hour, time->minute, time->second);
    }
    append_fraction(time->microsecond, digits, text);
}

static void append_text(GString *text, guint32 collation, const guint8 *data, gsize size)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    if (collation != MYSQL_COLLATION_BINARY &&
        mysql_charset_to_utf8(collation, data, size, bytes, NULL) &&
        (bytes->len == 0 || !memchr(bytes->data, 0, bytes->len)))
        g_string_append_len(text, (const char *)bytes->data, bytes->len);
    else
        append_hex(text, data, size);
}

static void append_label(GString *text, const BinlogColumn *column, guint64 number)
{
    if (number < column->n_labels)
        append_text(text, column->collation, (const guint8 *)column->labels[number].text,
                    column->labels[number].size);
    else
        g_string_append_printf(text, "(label %" G_GUINT64_FORMAT ")", number + 1);
}

static void append_set(GString *text, const BinlogColumn *column, guint64 left)
{
    for (guint64 number = 0; left; number++, left >>= 1) {
        if (!(left & 1))
            continue;
        append_label(text, column, number);
        if (left > 1)
            g_string_append_c(text, ',');
    }
}

static void append_json(GString *text, const BinlogValue *value)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    if (mysql_json_append_text(value->data, value->size, bytes, NULL))
        g_string_append_len(text, (const char *)bytes->data, bytes->len);
    else
        append_bytes(text, value);
}

char *mysql_value_text(const BinlogColumn *column, const BinlogValue *value)
{
    GString *text = g_string_new(NULL);
    switch (value->kind) {
    case BINLOG_VALUE_ABSENT:
        g_string_append(text, "(absent)");
        break;
    case BINLOG_VALUE_NULL:
        g_string_append(text, "null");
        break;
    case BINLOG_VALUE_INTEGER:
        if (column->type == COLUMN_YEAR)
            g_string_append_printf(text, "%04" G_GINT64_FORMAT, value->integer);
        else if (column->is_unsigned)
            g_string_append_printf(text, "%" G_GUINT64_FORMAT, (guint64)value->integer);
        else
            g_string_append_printf(text, "%" G_GINT64_FORMAT, value->integer);
        break;
    case BINLOG_VALUE_DECIMAL:
        append_decimal(text, column, value);
        break;
    case BINLOG_VALUE_FLOAT:
        append_number(text, value->number, 9);
        break;
    case BINLOG_VALUE_DOUBLE:
        append_number(text, value->number, 17);
        break;
    case BINLOG_VALUE_DATE:
    case BINLOG_VALUE_TIME:
    case BINLOG_VALUE_DATETIME:
    case BINLOG_VALUE_TIMESTAMP:
        append_time(value->kind, value, column->scale, text);
        break;
    case BINLOG_VALUE_ENUM:
        if (value->integer != 0)
            append_label(text, column, (guint64)value->integer - 1);
        break;
    case BINLOG_VALUE_SET:
        append_set(text, column, (guint64)value->integer);
        break;
    case BINLOG_VALUE_STRING:
        append_text(text, column->collation, value->data, value->size);
        break;
    case BINLOG_VALUE_JSON:
        append_json(text, value);
        break;
    case BINLOG_VALUE_BIT:
    case BINLOG_VALUE_JSON_DIFF:
    case BINLOG_VALUE_GEOMETRY:
    case BINLOG_VALUE_VECTOR:
        append_bytes(text, value);
        break;
    }
    return g_string_free(text, false);
}
