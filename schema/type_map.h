/*
 * Type map: which type a column gets on the target (Column.target_type), for every pair of engines.
 *
 * PostgreSQL to MySQL is the table mysql/from_postgres.def, MySQL to PostgreSQL mysql/types.def;
 * between two servers of one engine the source's type goes over, as far as the target knows it.
 * What cannot be mapped without loss is refused by name.
 */
#pragma once

#include "schema/product.h"
#include "schema/table.h"

#include <glib.h>

/* Sets the target's types of all columns and what follows from them (Table.replace_updates,
 * Column.json_normal); the table has its target name. Sentences "schema.table: ..." (char *) are
 * appended to problems, what keeps the table from being moved, and to warnings, what will be
 * different. Call it once for each table, after mapping_resolve. */
void type_map_table(Table *table, const Product *source, const Product *target, GPtrArray *problems,
                    GPtrArray *warnings);
