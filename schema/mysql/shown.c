/*
 * PostgreSQL's numeric is sent as the number of its digits (base 10000), the weight of the first,
 * the sign, the number of decimals that are shown, and the digits; all of 16 bits.
 */
#include "schema/mysql/shown.h"

#include "proto/byte_reader.h"

#include <stdlib.h>

#define NEGATIVE 0x4000
#define DIGIT_WIDTH 4 /* decimals of a digit */

#define DAYS_0000_03_01_TO_2000 730425
#define DAYS_IN_400_YEARS 146097
#define DAYS_IN_100_YEARS 36524
#define DAYS_IN_4_YEARS 1461

typedef struct Numeric {
    guint16 n_digits, sign, scale;
    gint16 weight;
    const guint8 *digits;
} Numeric;

static guint digit_at(const Numeric *numeric, int place)
{
    int i = numeric->weight - place;
    return i < 0 || i >= numeric->n_digits
               ? 0
               : (guint)(numeric->digits[2 * i] << 8 | numeric->digits[2 * i + 1]);
}

static bool read_numeric(const Cell *cell, Numeric *numeric)
{
    ByteReader reader = byte_reader(cell->data, cell->length);
    guint16 weight;
    if (!byte_reader_u16(&reader, &numeric->n_digits) || !byte_reader_u16(&reader, &weight) ||
        !byte_reader_u16(&reader, &numeric->sign) || !byte_reader_u16(&reader, &numeric->scale))
        return false;
    numeric->weight = (gint16)weight;
    numeric->digits = cell->data + 8;
    return byte_reader_left(&reader) == 2 * (gsize)numeric->n_digits;
}

char *mysql_shown_numeric(const Cell *cell)
{
    Numeric numeric;
    if (!read_numeric(cell, &numeric))
        return NULL;
    GString *text = g_string_new(numeric.sign == NEGATIVE ? "-" : "");
    int first = MAX(numeric.weight, 0);
    g_string_append_printf(text, "%u", digit_at(&numeric, first));
    for (int place = first - 1; place >= 0; place--)
        g_string_append_printf(text, "%04u", digit_at(&numeric, place));
    if (numeric.scale == 0)
        return g_string_free(text, FALSE);
    g_string_append_c(text, '.');
    gsize end = text->len + numeric.scale;
    for (int place = -1; text->len < end; place--)
        g_string_append_printf(text, "%04u", digit_at(&numeric, place));
    g_string_truncate(text, end);
    return g_string_free(text, FALSE);
}

/* In the Gregorian calendar, which PostgreSQL carries on to both sides; years begin in March, so
 * that the day of a leap year is the last. */
char *mysql_shown_date(gint64 days)
{
    gint64 since = days + DAYS_0000_03_01_TO_2000;
    gint64 era = (since >= 0 ? since : since - (DAYS_IN_400_YEARS - 1)) / DAYS_IN_400_YEARS;
    gint64 day = since - era * DAYS_IN_400_YEARS;
    gint64 year = (day - day / (DAYS_IN_4_YEARS - 1) + day / DAYS_IN_100_YEARS -
                   day / (DAYS_IN_400_YEARS - 1)) /
                  365;
    gint64 of_year = day - (365 * year + year / 4 - year / 100);
    gint64 month = (5 * of_year + 2) / 153;
    gint64 of_month = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    return g_strdup_printf("%04" G_GINT64_FORMAT "-%02d-%02d%s", year > 0 ? year : 1 - year,
                           (int)month, (int)of_month, year > 0 ? "" : " BC");
}
