/*
 * Column default: what a column gets where nobody says, taken out of the source's words. Only
 * literals and the current time mean the same everywhere; everything else is an expression of the
 * source's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    DEFAULT_NONE, /* or null */
    DEFAULT_LITERAL,
    DEFAULT_NOW,     /* the time of the session's zone; of a column with a zone: the instant */
    DEFAULT_NOW_UTC, /* the time of UTC */
    DEFAULT_EXPRESSION,
    DEFAULT_UNKNOWN /* the source does not tell all of it */
} DefaultKind;

typedef struct ColumnDefault {
    DefaultKind kind;
    /* LITERAL: the value without quotes; of bytes their digits in hex, of bits those in binary, of
     * a boolean "1" or "0". EXPRESSION, UNKNOWN: as the source says it, for its own kind of
     * server. */
    char *text;
} ColumnDefault;

void column_default_clear(ColumnDefault *value);

/* Is all of the text a number (sign, digits, point, exponent)? */
bool column_default_is_number(const char *text);

/* expression: pg_get_expr of a default, NULL where there is none. type_oid: canonical type. */
ColumnDefault column_default_of_pg(const char *expression, guint32 type_oid);

/* text, extra: information_schema.columns. */
ColumnDefault column_default_of_mysql(const char *text, const char *extra, guint32 type_oid);
ColumnDefault column_default_of_mariadb(const char *text, guint32 type_oid);

/* An expression of information_schema of MySQL, where it has more backslashes than it was written
 * with, as SQL for a session with backslash escapes (g_free). MariaDB's is that already. */
char *column_default_mysql_expression(const char *text);
