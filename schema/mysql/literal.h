/*
 * Literal: canonical cells as MySQL reads them, in statements and in the lines of LOAD DATA.
 *
 * What the column's target_type cannot hold is an error of class DATA that names column and value:
 * NaN and infinity, dates before the year 1 or after 9999, digits beyond a decimal's, and, where
 * the column is json_normal, documents that MySQL's json would change. Sessions are in UTC, utf8mb4
 * and with backslash escapes (connection_mysql.h).
 *
 * Only interval, and a year, depend on the SQL type: an interval is a time where the column is one
 * on either side, else PostgreSQL's text of it.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

/* Appends `null`, `12`, `-1e0`, `'it''s'` or `x'00ff'`. */
bool mysql_append_literal(GString *sql, const Column *column, const Cell *cell, GError **error);

/* Appends one field of a line of LOAD DATA .. CHARACTER SET utf8mb4 FIELDS TERMINATED BY tab
 * ESCAPED BY backslash LINES TERMINATED BY newline. The caller writes tabs and newlines. */
bool mysql_append_field(GString *line, const Column *column, const Cell *cell, GError **error);

/* True for bytes and bits, which a line carries in another form: read them into a variable and set
 * the column to what mysql_append_field_value makes of it: unhex(@v1), cast(@v1 as unsigned). */
bool mysql_field_needs_value(const Column *column);
void mysql_append_field_value(GString *sql, const Column *column, const char *variable);
