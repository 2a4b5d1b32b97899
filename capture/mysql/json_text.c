/*
 * Text as the server writes it (json_dom.cc): ", " between items, ": " behind a key; dates and
 * times as strings with six digits of a second; decimals as numbers; other SQL values as
 * "base64:type<number>:<bytes>". A double is the shortest text that reads back the same, with an
 * exponent where it is very large or small.
 */
#include "capture/mysql/binlog_value.h"
#include "capture/mysql/json.h"
#include "capture/mysql/json_tree.h"
#include "proto/byte_reader.h"
#include "proto/error.h"
#include "schema/mysql/decimal.h"

#include <math.h>
#include <stdlib.h>

#define DOUBLE_DIGITS 17
#define PLAIN_LIMIT 15 /* digits before the point, zeros behind it */

static void append(GByteArray *out, const char *text)
{
    g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
}

G_GNUC_PRINTF(2, 3)
static void append_format(GByteArray *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    append(out, text);
}

static void append_escaped(GByteArray *out, guint8 byte)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *place = byte ? strchr(special, byte) : NULL;
    if (place)
        append_format(out, "\\%c", letters[place - special]);
    else
        append_format(out, "\\u%04x", byte);
}

static void append_string(GByteArray *out, const guint8 *text, gsize size)
{
    gsize plain = 0;
    append(out, "\"");
    for (gsize i = 0; i < size; i++) {
        if (text[i] >= 0x20 && text[i] != '"' && text[i] != '\\')
            continue;
        g_byte_array_append(out, text + plain, (guint)(i - plain));
        append_escaped(out, text[i]);
        plain = i + 1;
    }
    if (size > plain)
        g_byte_array_append(out, text + plain, (guint)(size - plain));
    append(out, "\"");
}

/* The shortest digits that read back as the number; *exponent is that of 0.DIGITS. */
static void shortest_digits(double number, char digits[DOUBLE_DIGITS + 1], int *exponent)
{
    char text[DOUBLE_DIGITS + 16];
    int precision = 0;
    do
        g_ascii_formatd(
            text, sizeof text,
            (char[]){'%', '.', (char)('0' + precision / 10), (char)('0' + precision % 10), 'e', 0},
            number);
    while (g_ascii_strtod(text, NULL) != number && ++precision < DOUBLE_DIGITS);
    guint n = 0;
    const char *c = text;
    for (; *c && *c != 'e'; c++)
        if (g_ascii_isdigit(*c))
            digits[n++] = *c;
    *exponent = (int)g_ascii_strtoll(c + 1, NULL, 10) + 1;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
}

static void append_plain(GByteArray *out, const char *digits, int exponent)
{
    int n = (int)strlen(digits);
    if (exponent <= 0) {
        append(out, "0.");
        for (int i = exponent; i < 0; i++)
            append(out, "0");
        append(out, digits);
        return;
    }
    append_format(out, "%.*s", MIN(n, exponent), digits);
    for (int i = n; i < exponent; i++)
        append(out, "0");
    append_format(out, ".%s", n > exponent ? digits + exponent : "0");
}

static void append_double(GByteArray *out, double number)
{
    char digits[DOUBLE_DIGITS + 1];
    int exponent;
    if (signbit(number))
        append(out, "-");
    if (number == 0.0) {
        append(out, "0.0");
        return;
    }
    shortest_digits(fabs(number), digits, &exponent);
    if (exponent > -PLAIN_LIMIT && exponent <= PLAIN_LIMIT) {
        append_plain(out, digits, exponent);
        return;
    }
    append_format(out, "%c%s%se%d", digits[0], digits[1] ? "." : "", digits + 1, exponent - 1);
}

static void append_date(GByteArray *out, MysqlTime time, guint8 type)
{
    if (type == COLUMN_TIME)
        append_format(out, "\"%s%02u:%02u:%02u.%06u\"", time.negative ? "-" : "", time.hour,
                      time.minute, time.second, time.microsecond);
    else if (type == COLUMN_DATE)
        append_format(out, "\"%04u-%02u-%02u\"", time.year, time.month, time.day);
    else
        append_format(out, "\"%04u-%02u-%02u %02u:%02u:%02u.%06u\"", time.year, time.month,
                      time.day, time.hour, time.minute, time.second, time.microsecond);
}

static bool append_decimal(GByteArray *out, const JsonNode *node)
{
    MysqlDecimal decimal;
    if (node->size < 2 || node->data[0] < 1 || node->data[0] > 65 ||
        node->data[1] > node->data[0] ||
        node->size != 2 + mysql_decimal_size(node->data[0], node->data[1]) ||
        !mysql_decimal_read(node->data + 2, node->data[0], node->data[1], &decimal))
        return false;
    g_autoptr(GString) text = g_string_new(NULL);
    mysql_decimal_append_text(&decimal, text);
    append(out, text->str);
    return true;
}

static bool append_opaque(GByteArray *out, const JsonNode *node)
{
    ByteReader reader = byte_reader(node->data, node->size);
    guint64 packed;
    switch (node->opaque_type) {
    case COLUMN_NEWDECIMAL:
        return append_decimal(out, node);
    case COLUMN_DATE:
    case COLUMN_DATETIME:
    case COLUMN_TIMESTAMP:
    case COLUMN_TIME:
        if (node->size != sizeof packed || !byte_reader_le64(&reader, &packed))
            return false;
        append_date(out,
                    node->opaque_type == COLUMN_TIME ? binlog_time_of_packed_time((gint64)packed)
                                                     : binlog_time_of_packed((gint64)packed),
                    node->opaque_type);
        return true;
    default:
        break;
    }
    g_autofree char *text = g_base64_encode(node->data, node->size);
    append_format(out, "\"base64:type%u:%s\"", node->opaque_type, text);
    return true;
}

static bool append_items(GByteArray *out, const JsonNode *node)
{
    bool object = node->kind == JSON_OBJECT;
    append(out, object ? "{" : "[");
    for (guint i = 0; i < node->n_items; i++) {
        if (i > 0)
            append(out, ", ");
        if (object) {
            append_string(out, node->items[i].key, node->items[i].key_size);
            append(out, ": ");
        }
        if (!json_tree_append_text(node->items[i].node, out))
            return false;
    }
    append(out, object ? "}" : "]");
    return true;
}

bool json_tree_append_text(const JsonNode *node, GByteArray *out)
{
    switch (node->kind) {
    case JSON_NULL:
        append(out, "null");
        return true;
    case JSON_FALSE:
        append(out, "false");
        return true;
    case JSON_TRUE:
        append(out, "true");
        return true;
    case JSON_SIGNED:
        append_format(out, "%" G_GINT64_FORMAT, node->integer);
        return true;
    case JSON_UNSIGNED:
        append_format(out, "%" G_GUINT64_FORMAT, (guint64)node->integer);
        return true;
    case JSON_DOUBLE:
        append_double(out, node->number);
        return isfinite(node->number);
    case JSON_STRING:
        append_string(out, node->data, node->size);
        return true;
    case JSON_OPAQUE:
        return append_opaque(out, node);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return append_items(out, node);
    }
    return false;
}

static bool fail(const char *wrong, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "a JSON document in the log is damaged, or of a newer server than drover knows: %s",
                wrong);
    return false;
}

bool mysql_json_append_changed(const guint8 *data, gsize size, const guint8 *diff, gsize diff_size,
                               GByteArray *out, GError **error)
{
    g_autoptr(Arena) arena = arena_new(8192);
    const char *wrong = "";
    JsonNode *root = json_tree_read(arena, data, size, &wrong);
    if (!root)
        return fail(wrong, error);
    wrong = diff_size > 0 ? json_tree_apply(arena, &root, diff, diff_size) : NULL;
    if (wrong)
        return fail(wrong, error);
    return json_tree_append_text(root, out) || fail("a value without a text", error);
}

bool mysql_json_append_text(const guint8 *data, gsize size, GByteArray *out, GError **error)
{
    return mysql_json_append_changed(data, size, NULL, 0, out, error);
}
