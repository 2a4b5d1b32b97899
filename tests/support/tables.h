/*
 * Tables as a test describes them, without a catalog: "id integer key, name text".
 */
#pragma once

#include "schema/table.h"

/* columns: `name type [key|generated]`, separated by commas; key1, key2 where the key's order is
 * not that of the columns. Types are those of the list in tables.c. Both sides are public.<name>.
 */
Table *test_table_new(guint32 id, const char *name, const char *columns);
