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

/* Does an update set this column? Unchanged dates are set to what they are: else a column may
 * follow the clock (on update current_timestamp). */
bool row_sql_is_set(const Column *column, bool unchanged);

bool row_sql_append_delete(GString *sql, const Table *table, const Row *key, GError **error);
/* Unchanged cells stay what they are. */
bool row_sql_append_update(GString *sql, const Table *table, const NetRow *row, GError **error);
