/*
 * Nine digits make a big-endian number of four bytes; the digits that are left over, before the
 * first group of the integer part and after the last of the fraction, take as few bytes as they
 * need. The sign is the inverted top bit; all bits of a negative value are inverted.
 */
#include "schema/mysql/decimal.h"

#include "proto/byte_reader.h"

#include <string.h>

#define GROUP 9
#define NUMERIC_NEGATIVE 0x4000
#define NUMERIC_SPECIAL 0x8000 /* NaN and the infinities, together with other bits */

static const guint8 bytes_of_digits[GROUP + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

gsize mysql_decimal_size(guint precision, guint scale)
{
    guint integer = precision - scale;
    return integer / GROUP * 4u + bytes_of_digits[integer % GROUP] + scale / GROUP * 4u +
           bytes_of_digits[scale % GROUP];
}

/* Appends `digits` digits that stand in the next bytes. */
static bool read_group(const guint8 **data, guint digits, guint8 mask, guint8 first_mask, char *to)
{
    static const guint32 limits[GROUP + 1] = {1,      10,      100,      1000,      10000,
                                              100000, 1000000, 10000000, 100000000, 1000000000};
    guint32 value = 0;
    for (guint i = 0; i < bytes_of_digits[digits]; i++)
        value = value << 8 | (guint8)(*(*data)++ ^ mask ^ (i == 0 ? first_mask : 0));
    if (value >= limits[digits])
        return false;
    for (guint i = digits; i > 0; i--, value /= 10)
        to[i - 1] = (char)('0' + value % 10);
    return true;
}

bool mysql_decimal_read(const guint8 *data, guint precision, guint scale, MysqlDecimal *decimal)
{
    guint integer = precision - scale, done = 0;
    guint8 first = 0x80;
    *decimal = (MysqlDecimal){.negative = !(data[0] & 0x80), .n_fraction = scale};
    guint8 mask = decimal->negative ? 0xff : 0;
    char *to = decimal->digits;
    for (guint left = integer; left > 0; first = 0) {
        guint digits = left % GROUP ? left % GROUP : GROUP;
        if (!read_group(&data, digits, mask, first, to + done))
            return false;
        done += digits;
        left -= digits;
    }
    for (guint left = scale; left > 0; first = 0) {
        guint digits = MIN(left, GROUP);
        if (!read_group(&data, digits, mask, first, to + done))
            return false;
        done += digits;
        left -= digits;
    }
    guint zeros = 0;
    while (zeros < integer && to[zeros] == '0')
        zeros++;
    memmove(to, to + zeros, done - zeros + 1);
    decimal->n_integer = integer - zeros;
    return true;
}

void mysql_decimal_append_text(const MysqlDecimal *decimal, GString *text)
{
    if (decimal->negative)
        g_string_append_c(text, '-');
    if (decimal->n_integer == 0)
        g_string_append_c(text, '0');
    g_string_append_len(text, decimal->digits, decimal->n_integer);
    if (decimal->n_fraction == 0)
        return;
    g_string_append_c(text, '.');
    g_string_append_len(text, decimal->digits + decimal->n_integer, decimal->n_fraction);
}

static void append_u16(GByteArray *out, guint value)
{
    guint16 bytes = GUINT16_TO_BE((guint16)value);
    g_byte_array_append(out, (const guint8 *)&bytes, sizeof bytes);
}

/* Numeric counts in groups of four digits around the point: groups[0] has weight `weight`. */
static guint make_groups(const MysqlDecimal *decimal, guint *groups)
{
    guint lead = (4 - decimal->n_integer % 4) % 4, n = 0, value = 0, in_group = lead;
    guint total = decimal->n_integer + decimal->n_fraction;
    for (guint i = 0; i < total; i++) {
        value = value * 10 + (guint)(decimal->digits[i] - '0');
        if (++in_group == 4) {
            groups[n++] = value;
            value = in_group = 0;
        }
    }
    if (in_group == 0)
        return n;
    for (; in_group < 4; in_group++)
        value *= 10;
    groups[n++] = value;
    return n;
}

void mysql_decimal_append_numeric(const MysqlDecimal *decimal, GByteArray *out)
{
    guint groups[MYSQL_DECIMAL_DIGITS / 4 + 3];
    guint n = make_groups(decimal, groups), first = 0;
    int weight = (int)((decimal->n_integer + 3) / 4) - 1;
    while (n > first && groups[n - 1] == 0)
        n--;
    while (first < n && groups[first] == 0) {
        first++;
        weight--;
    }
    append_u16(out, n - first);
    append_u16(out, n == first ? 0 : (guint)weight);
    append_u16(out, decimal->negative && n > first ? NUMERIC_NEGATIVE : 0);
    append_u16(out, decimal->n_fraction);
    for (guint i = first; i < n; i++)
        append_u16(out, groups[i]);
}

MysqlDecimal mysql_decimal_of_unsigned(guint64 value)
{
    MysqlDecimal decimal = {0};
    if (value > 0)
        decimal.n_integer =
            (guint)g_snprintf(decimal.digits, sizeof decimal.digits, "%" G_GUINT64_FORMAT, value);
    return decimal;
}

bool mysql_decimal_of_text(const char *text, gsize size, MysqlDecimal *decimal)
{
    const char *end = text + size;
    *decimal = (MysqlDecimal){.negative = size > 0 && *text == '-'};
    text += decimal->negative;
    if (text == end)
        return false;
    while (text < end && *text == '0')
        text++;
    guint n = 0, *count = &decimal->n_integer;
    for (; text < end; text++) {
        if (*text == '.' && count == &decimal->n_integer) {
            count = &decimal->n_fraction;
            continue;
        }
        if (!g_ascii_isdigit(*text) || n == MYSQL_DECIMAL_DIGITS)
            return false;
        decimal->digits[n++] = *text;
        ++*count;
    }
    return true;
}

/* One more digit at the end; false where it does not fit. place: of the digit, 0 is the last one
 * before the point. */
static bool put_digit(MysqlDecimal *decimal, int place, guint digit, guint scale)
{
    guint n = decimal->n_integer + decimal->n_fraction;
    if (place < 0 && (guint)-place > scale)
        return digit == 0;
    if (place >= 0 && n == 0 && digit == 0)
        return true;
    if (n == MYSQL_DECIMAL_DIGITS)
        return false;
    decimal->digits[n] = (char)('0' + digit);
    ++*(place >= 0 ? &decimal->n_integer : &decimal->n_fraction);
    return true;
}

/* Group i has the four digits from place (weight - i) * 4 + 3 down; what is not there is zero. */
bool mysql_decimal_of_numeric(const guint8 *data, gsize size, guint scale, MysqlDecimal *decimal)
{
    ByteReader reader = byte_reader(data, size);
    guint16 n_groups, weight_bits, sign, digits_after, group = 0;
    if (!byte_reader_u16(&reader, &n_groups) || !byte_reader_u16(&reader, &weight_bits) ||
        !byte_reader_u16(&reader, &sign) || !byte_reader_u16(&reader, &digits_after) ||
        (sign & NUMERIC_SPECIAL) != 0)
        return false;
    *decimal = (MysqlDecimal){.negative = sign == NUMERIC_NEGATIVE};
    static const guint units[4] = {1, 10, 100, 1000};
    int weight = (gint16)weight_bits, first = n_groups > 0 ? MAX(weight, -1) : -1;
    for (int place = first * 4 + 3; place >= -(int)digits_after; place--) {
        int at = weight - (place >= 0 ? place / 4 : (place - 3) / 4);
        if (place % 4 == 3 || place % 4 == -1) {
            group = 0;
            if (at >= 0 && at < n_groups && !byte_reader_u16(&reader, &group))
                return false;
        }
        if (!put_digit(decimal, place, group / units[(place % 4 + 4) % 4] % 10, scale))
            return false;
    }
    return true;
}
