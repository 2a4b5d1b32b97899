/*
 * Nine digits make a big-endian number of four bytes; the digits that are left over, before the
 * first group of the integer part and after the last of the fraction, take as few bytes as they
 * need. The sign is the inverted top bit; all bits of a negative value are inverted.
 */
#include "schema/mysql/decimal.h"

#include <string.h>

#define GROUP 9
#define NUMERIC_NEGATIVE 0x4000

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
