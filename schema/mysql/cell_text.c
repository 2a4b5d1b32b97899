#include "schema/mysql/cell_text.h"

#include "proto/byte_reader.h"
#include "proto/error.h"
#include "schema/mysql/canonical_time.h"
#include "schema/mysql/decimal.h"
#include "schema/mysql/interval.h"
#include "schema/mysql/shown.h"
#include "schema/type_oid.h"

#include <arpa/inet.h>
#include <math.h>

#define DAYS_INFINITY G_MAXINT32
#define DAYS_MINUS_INFINITY G_MININT32
#define MICROSECONDS_A_DAY (86400 * G_GINT64_CONSTANT(1000000))
#define FAMILY_IPV4 2 /* inet_send's numbers, on every system */
#define FAMILY_IPV6 3

typedef struct TypeForm {
    guint32 oid;
    MysqlForm form;
    guint size; /* of every value; 0: they differ */
} TypeForm;

static const TypeForm forms[] = {
    {OID_BOOL, MYSQL_FORM_NUMBER, 1},        {OID_INT2, MYSQL_FORM_NUMBER, 2},
    {OID_INT4, MYSQL_FORM_NUMBER, 4},        {OID_INT8, MYSQL_FORM_NUMBER, 8},
    {OID_OID, MYSQL_FORM_NUMBER, 4},         {OID_NUMERIC, MYSQL_FORM_NUMBER, 0},
    {OID_FLOAT4, MYSQL_FORM_NUMBER, 4},      {OID_FLOAT8, MYSQL_FORM_NUMBER, 8},
    {OID_BIT, MYSQL_FORM_NUMBER, 0},         {OID_DATE, MYSQL_FORM_PLAIN, 4},
    {OID_TIME, MYSQL_FORM_PLAIN, 8},         {OID_TIMESTAMP, MYSQL_FORM_PLAIN, 8},
    {OID_TIMESTAMPTZ, MYSQL_FORM_PLAIN, 8},  {OID_INTERVAL, MYSQL_FORM_PLAIN, 16},
    {OID_UUID, MYSQL_FORM_PLAIN, 16},        {OID_INET, MYSQL_FORM_PLAIN, 0},
    {OID_CIDR, MYSQL_FORM_PLAIN, 0},         {OID_MACADDR, MYSQL_FORM_PLAIN, 6},
    {OID_MACADDR8, MYSQL_FORM_PLAIN, 8},     {OID_CHAR, MYSQL_FORM_TEXT, 1},
    {OID_TEXT, MYSQL_FORM_TEXT, 0},          {OID_VARCHAR, MYSQL_FORM_TEXT, 0},
    {OID_BPCHAR, MYSQL_FORM_TEXT, 0},        {OID_NAME, MYSQL_FORM_TEXT, 0},
    {OID_XML, MYSQL_FORM_TEXT, 0},           {OID_JSON, MYSQL_FORM_JSON, 0},
    {OID_JSONB, MYSQL_FORM_JSON, 0},         {OID_BYTEA, MYSQL_FORM_BYTES, 0},
    {OID_FLOAT4_ARRAY, MYSQL_FORM_BYTES, 0},
};

static const TypeForm *find(guint32 type_oid)
{
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
        if (forms[i].oid == type_oid)
            return &forms[i];
    return NULL;
}

MysqlForm mysql_form_of(guint32 type_oid)
{
    const TypeForm *type = find(type_oid);
    return type != NULL ? type->form : MYSQL_FORM_NONE;
}

static bool fail_form(const Column *column, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "column %s: a value has not the form of its type (%s)", column->name, column->type);
    return false;
}

static bool fail_value(const Column *column, const char *value, const char *why, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "column %s: %.200s %s", column->name, value,
                why);
    return false;
}

/* ---- numbers ---- */

static void append_unsigned(GString *out, guint64 value)
{
    char digits[24], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    g_string_append_len(out, at, digits + sizeof digits - at);
}

static void append_signed(GString *out, gint64 value)
{
    if (value < 0)
        g_string_append_c(out, '-');
    append_unsigned(out, value < 0 ? -(guint64)value : (guint64)value);
}

/* With at least so many digits. */
static void append_digits(GString *out, guint value, guint width)
{
    for (guint limit = 10, i = 1; i < width; i++, limit *= 10)
        if (value < limit)
            g_string_append_c(out, '0');
    append_unsigned(out, value);
}

/* A year is written with four digits: MySQL takes the text '0' for the year 2000. */
static void append_small(GString *out, const Column *column, gint16 value)
{
    if (column->target_type != NULL && g_str_has_prefix(column->target_type, "year"))
        append_digits(out, (guint)value, 4);
    else
        append_signed(out, value);
}

/* Precision and scale of a decimal on the target; without one, what MySQL's largest has. */
static void decimal_limits(const Column *column, guint *precision, guint *scale)
{
    const char *at = column->target_type;
    *precision = 65;
    *scale = 30;
    if (at == NULL || !g_str_has_prefix(at, "decimal("))
        return;
    at += strlen("decimal(");
    *precision = (guint)g_ascii_strtoull(at, (char **)&at, 10);
    *scale = *at == ',' ? (guint)g_ascii_strtoull(at + 1, NULL, 10) : 0;
}

static bool fail_numeric(const Column *column, const Cell *cell, GError **error)
{
    guint sign = cell->length >= 6 ? (guint)(cell->data[4] << 8 | cell->data[5]) : 0;
    const char *value = sign == 0xc000   ? "NaN"
                        : sign == 0xd000 ? "infinity"
                        : sign == 0xf000 ? "-infinity"
                                         : NULL;
    if (value != NULL)
        return fail_value(column, value, "is no number that MySQL has", error);
    g_autofree char *shown = mysql_shown_numeric(cell);
    g_autofree char *why =
        g_strdup_printf("has more digits than fit into %s",
                        column->target_type != NULL ? column->target_type : "decimal(65,30)");
    return shown != NULL ? fail_value(column, shown, why, error) : fail_form(column, error);
}

static bool append_numeric(GString *out, const Column *column, const Cell *cell, GError **error)
{
    MysqlDecimal decimal;
    guint precision, scale;
    decimal_limits(column, &precision, &scale);
    if (!mysql_decimal_of_numeric(cell->data, cell->length, scale, &decimal))
        return fail_numeric(column, cell, error);
    mysql_decimal_append_text(&decimal, out);
    if (decimal.n_integer <= precision - scale)
        return true;
    g_autofree char *value = g_strdup(out->str + out->len - decimal.n_integer - decimal.n_fraction -
                                      (decimal.n_fraction > 0) - decimal.negative);
    g_autofree char *why =
        g_strdup_printf("has more digits than fit into decimal(%u,%u)", precision, scale);
    return fail_value(column, value, why, error);
}

/* With an exponent, so that SQL takes it for a double: a decimal has no negative zero. */
static bool append_float(GString *out, const Column *column, double number, GError **error)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    if (isnan(number) || isinf(number))
        return fail_value(column,
                          isnan(number) ? "NaN"
                          : number > 0  ? "Infinity"
                                        : "-Infinity",
                          "is no number that MySQL has", error);
    g_ascii_formatd(text, sizeof text, "%.17g", number);
    g_string_append(out, text);
    if (strchr(text, 'e') == NULL)
        g_string_append(out, "e0");
    return true;
}

/* u32 bits, then the bits from the left. */
static bool append_bit(GString *out, const Column *column, const Cell *cell, GError **error)
{
    ByteReader reader = byte_reader(cell->data, cell->length);
    guint32 n;
    guint64 value = 0;
    if (!byte_reader_u32(&reader, &n) || byte_reader_left(&reader) != (n + 7) / 8)
        return fail_form(column, error);
    if (n > 64)
        return fail_value(column, "a value", "has more bits than MySQL's bit(64)", error);
    for (guint i = 0; i < n; i++)
        value = value << 1 | (reader.data[4 + i / 8] >> (7 - i % 8) & 1);
    append_unsigned(out, value);
    return true;
}

/* ---- dates and times ---- */

static void append_clock(GString *out, const MysqlTime *time)
{
    append_digits(out, time->hour, 2);
    g_string_append_c(out, ':');
    append_digits(out, time->minute, 2);
    g_string_append_c(out, ':');
    append_digits(out, time->second, 2);
    if (time->microsecond == 0)
        return;
    g_string_append_c(out, '.');
    append_digits(out, time->microsecond, 6);
}

static void append_date(GString *out, const MysqlTime *time)
{
    append_digits(out, time->year, 4);
    g_string_append_c(out, '-');
    append_digits(out, time->month, 2);
    g_string_append_c(out, '-');
    append_digits(out, time->day, 2);
}

static bool fail_infinity(const Column *column, bool positive, GError **error)
{
    return fail_value(column, positive ? "infinity" : "-infinity", "is no date that MySQL has",
                      error);
}

static bool fail_date(const Column *column, gint64 days, GError **error)
{
    g_autofree char *date = mysql_shown_date(days);
    return fail_value(column, date,
                      days < 0 ? "is before the year 1, which MySQL does not have"
                               : "is after the year 9999, the last that MySQL has",
                      error);
}

static bool append_day(GString *out, const Column *column, gint32 days, GError **error)
{
    MysqlTime time;
    if (days == DAYS_INFINITY || days == DAYS_MINUS_INFINITY)
        return fail_infinity(column, days > 0, error);
    if (!mysql_time_of_date(days, &time))
        return fail_date(column, days, error);
    append_date(out, &time);
    return true;
}

static bool append_timestamp(GString *out, const Column *column, gint64 microseconds,
                             GError **error)
{
    MysqlTime time;
    if (microseconds == G_MAXINT64 || microseconds == G_MININT64)
        return fail_infinity(column, microseconds > 0, error);
    if (!mysql_time_of_timestamp(microseconds, &time))
        return fail_date(column, microseconds / MICROSECONDS_A_DAY, error);
    append_date(out, &time);
    g_string_append_c(out, ' ');
    append_clock(out, &time);
    return true;
}

static bool append_time(GString *out, const Column *column, gint64 microseconds, GError **error)
{
    MysqlTime time;
    if (!mysql_time_of_clock(microseconds, &time))
        return fail_value(column, "a time", "is longer than MySQL's time (838:59:59)", error);
    if (time.negative)
        g_string_append_c(out, '-');
    append_clock(out, &time);
    return true;
}

static bool is_time(const char *type)
{
    return type != NULL && g_str_has_prefix(type, "time") && !g_str_has_prefix(type, "timestamp");
}

bool mysql_column_is_time(const Column *column)
{
    return column->type_oid == OID_INTERVAL &&
           (is_time(column->type) || is_time(column->target_type));
}

static bool append_interval(GString *out, const Column *column, const Cell *cell, GError **error)
{
    Interval interval;
    if (!interval_read(cell->data, cell->length, &interval))
        return fail_form(column, error);
    if (interval_is_infinite(&interval))
        return fail_value(column, interval.months > 0 ? "infinity" : "-infinity",
                          "is no interval that MySQL can keep", error);
    if (!mysql_column_is_time(column)) {
        interval_append_text(&interval, out);
        return true;
    }
    if (interval.months == 0 && interval.days == 0)
        return append_time(out, column, interval.microseconds, error);
    g_autoptr(GString) text = g_string_new(NULL);
    interval_append_text(&interval, text);
    return fail_value(column, text->str, "has days or months, which MySQL's time has not", error);
}

/* ---- texts of PostgreSQL's types ---- */

static void append_hex(GString *out, const guint8 *data, gsize size)
{
    static const char digits[] = "0123456789abcdef";
    for (gsize i = 0; i < size; i++) {
        g_string_append_c(out, digits[data[i] >> 4]);
        g_string_append_c(out, digits[data[i] & 15]);
    }
}

static void append_uuid(GString *out, const Cell *cell)
{
    for (guint i = 0; i < cell->length; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            g_string_append_c(out, '-');
        append_hex(out, cell->data + i, 1);
    }
}

static void append_macaddr(GString *out, const Cell *cell)
{
    for (guint i = 0; i < cell->length; i++) {
        if (i > 0)
            g_string_append_c(out, ':');
        append_hex(out, cell->data + i, 1);
    }
}

/* u8 family, bits of the net mask, is a cidr, bytes of the address; the address. */
static bool append_inet(GString *out, const Cell *cell)
{
    char text[INET6_ADDRSTRLEN];
    ByteReader reader = byte_reader(cell->data, cell->length);
    guint8 family, bits, is_cidr, size;
    const guint8 *address;
    if (!byte_reader_u8(&reader, &family) || !byte_reader_u8(&reader, &bits) ||
        !byte_reader_u8(&reader, &is_cidr) || !byte_reader_u8(&reader, &size) ||
        size != (family == FAMILY_IPV4 ? 4 : 16) ||
        (family != FAMILY_IPV4 && family != FAMILY_IPV6) ||
        !byte_reader_bytes(&reader, size, &address) || byte_reader_left(&reader) > 0)
        return false;
    g_string_append(
        out, inet_ntop(family == FAMILY_IPV4 ? AF_INET : AF_INET6, address, text, sizeof text));
    if (is_cidr || bits != size * 8) {
        g_string_append_c(out, '/');
        append_unsigned(out, bits);
    }
    return true;
}

/* As PostgreSQL shows it: nothing for zero, an octal number where it is not ASCII. */
static void append_char(GString *out, guint8 byte)
{
    if (byte < 0x80 && byte > 0)
        g_string_append_c(out, (char)byte);
    else if (byte > 0)
        g_string_append_printf(out, "\\%03o", byte);
}

static double double_of(const Cell *cell, guint64 raw)
{
    float single;
    double number;
    guint32 bits = (guint32)raw;
    memcpy(&single, &bits, sizeof single);
    memcpy(&number, &raw, sizeof number);
    return cell->length == sizeof single ? (double)single : number;
}

/* raw: the bytes of a cell of up to eight as a number, without a sign. */
static bool append_value(GString *out, const Column *column, const Cell *cell, guint64 raw,
                         GError **error)
{
    switch (column->type_oid) {
    case OID_BOOL:
    case OID_OID:
        append_unsigned(out, raw);
        return true;
    case OID_INT2:
        append_small(out, column, (gint16)raw);
        return true;
    case OID_INT4:
        append_signed(out, (gint32)raw);
        return true;
    case OID_INT8:
        append_signed(out, (gint64)raw);
        return true;
    case OID_NUMERIC:
        return append_numeric(out, column, cell, error);
    case OID_FLOAT4:
    case OID_FLOAT8:
        return append_float(out, column, double_of(cell, raw), error);
    case OID_BIT:
        return append_bit(out, column, cell, error);
    case OID_DATE:
        return append_day(out, column, (gint32)raw, error);
    case OID_TIME:
        return append_time(out, column, (gint64)raw, error);
    case OID_TIMESTAMP:
    case OID_TIMESTAMPTZ:
        return append_timestamp(out, column, (gint64)raw, error);
    case OID_INTERVAL:
        return append_interval(out, column, cell, error);
    case OID_UUID:
        append_uuid(out, cell);
        return true;
    case OID_MACADDR:
    case OID_MACADDR8:
        append_macaddr(out, cell);
        return true;
    case OID_INET:
    case OID_CIDR:
        return append_inet(out, cell) || fail_form(column, error);
    case OID_CHAR:
        append_char(out, (guint8)raw);
        return true;
    default:
        return fail_form(column, error);
    }
}

bool mysql_append_cell_text(GString *out, const Column *column, const Cell *cell, GError **error)
{
    const TypeForm *type = find(column->type_oid);
    if (type == NULL || (type->size > 0 && type->size != cell->length))
        return fail_form(column, error);
    guint64 raw = 0;
    for (guint i = 0; type->size <= sizeof raw && i < type->size; i++)
        raw = raw << 8 | cell->data[i];
    return append_value(out, column, cell, raw, error);
}
