/*
 * Row text: a row by its key, for messages.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

#define ROW_TEXT_VALUE 100 /* bytes of a value that are shown */

/* Prefixes a DATA error with "the row with id=5: ". Always false. */
bool row_text_prefix(const Table *table, const Row *key, GError **error);
