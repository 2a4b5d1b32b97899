/*
 * Key SQL: conditions on a table's key, and keys as texts. The database compares (rule R10): every
 * literal is such that the column's own type and collation decide.
 *
 * A key's text, as bounds of ranges and messages have it, is one that PostgreSQL reads as the
 * canonical type: bytes as \x00ff, bits as 0101, a timestamptz with +00. An enum or set is compared
 * by its text, where MySQL would order it by its number.
 */
#pragma once

#include "proto/source.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

/* The column is MySQL's enum or set on the side that has it. */
bool mysql_column_is_listed(const Column *column);

/* "t.`a`, concat(t.`b`)": what the rows of table t are ordered by. */
void mysql_append_key_order(GString *sql, const Table *table);

/* " where .."; nothing for the whole table. */
bool mysql_append_range(GString *sql, const Table *table, const KeyRange *range, GError **error);

/* " where t.`k` in (..)": the rows that have in the request's columns (READ_CHILDREN), else in the
 * key, one of the keys, which are canonical values. A key with a value that MySQL has not is left
 * out; *n says how many are in. BUG where a key is none. */
bool mysql_append_keys(GString *sql, const ReadRequest *request, const GPtrArray *keys, guint *n,
                       GError **error);

bool mysql_append_key_text(GString *text, const Column *column, const Cell *cell, GError **error);
