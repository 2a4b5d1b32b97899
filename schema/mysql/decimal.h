/*
 * Decimal: MySQL's stored decimal (strings/decimal.c, decimal2bin), as digits and as PostgreSQL's
 * numeric.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define MYSQL_DECIMAL_DIGITS 81 /* more than the 65 that a column may have */

typedef struct MysqlDecimal {
    bool negative;
    guint n_integer;  /* digits before the point, without leading zeros; may be 0 */
    guint n_fraction; /* digits after it */
    char digits[MYSQL_DECIMAL_DIGITS + 1]; /* integer, then fraction */
} MysqlDecimal;

/* Bytes of a value; precision 1 to 65, scale at most precision. */
gsize mysql_decimal_size(guint precision, guint scale);

/* data has mysql_decimal_size bytes. False where they are no digits. */
G_GNUC_WARN_UNUSED_RESULT
bool mysql_decimal_read(const guint8 *data, guint precision, guint scale, MysqlDecimal *decimal);

void mysql_decimal_append_text(const MysqlDecimal *decimal, GString *text);

/* PostgreSQL's binary send form of numeric. */
void mysql_decimal_append_numeric(const MysqlDecimal *decimal, GByteArray *out);

MysqlDecimal mysql_decimal_of_unsigned(guint64 value);

/* Of "-12.50", with zeros in front or none. False where it is no decimal, or has more digits than
 * fit. */
G_GNUC_WARN_UNUSED_RESULT
bool mysql_decimal_of_text(const char *text, gsize size, MysqlDecimal *decimal);

/* Of PostgreSQL's binary form; zeros at the end of the fraction that a column of this scale has no
 * room for are left out. False for NaN and infinity, and where there are more digits than fit. */
G_GNUC_WARN_UNUSED_RESULT
bool mysql_decimal_of_numeric(const guint8 *data, gsize size, guint scale, MysqlDecimal *decimal);
