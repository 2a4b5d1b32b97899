/*
 * Catalog: what the tables of a database are, whatever its engine. Read by catalog_pg and
 * catalog_mysql, chosen and named by the mapping.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>

/* A table with source_* set, target_* NULL, id 0. Tables that drover cannot move yet are in the
 * list too; `problems` says why. */
typedef struct CatalogTable {
    Table *table;
    GPtrArray *problems; /* char *: a sentence and, on a line of its own, the statement that mends
                          * it where there is one; empty: fine */
} CatalogTable;

/* An entry without problems that owns the table. */
CatalogTable *catalog_table_new(Table *table);
void catalog_table_free(CatalogTable *table);

/* A sentence and the statement that mends it, or NULL. */
void catalog_table_add_problem(CatalogTable *entry, const char *statement, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
