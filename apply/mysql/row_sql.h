/*
 * Row SQL: the statements that write one row, with its values as literals.
 *
 * An update also sets those columns of the key whose values may be equal without being the same
 * ('a' and 'A', 'a' and 'a ').
 */
#pragma once

#include "apply/staged.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

/* True where values that are equal in the key's column may have different bytes. */
bool row_sql_key_is_loose(const Column *column);

bool row_sql_append_delete(GString *sql, const Table *table, const Row *key, GError **error);
/* Unchanged cells stay what they are. */
bool row_sql_append_update(GString *sql, const Table *table, const NetRow *row, GError **error);
