/*
 * Catalog of PostgreSQL: reads what tables are (columns, types, keys, sizes) into Tables, and what
 * else is worth telling (objects that drover does not move).
 */
#pragma once

#include "schema/connection_pg.h"
#include "schema/table.h"

#include <glib.h>

/* All ordinary tables of the database outside system schemas and drover's own: Table * with
 * source_* set, target_* NULL, id 0. Tables drover cannot move yet are in the list too;
 * `problem` says why. */
typedef struct CatalogTable {
    Table *table;
    GPtrArray *problems; /* char *: a sentence and, on a line of its own, the statement that mends
                          * it where there is one; empty: fine */
} CatalogTable;

void catalog_table_free(CatalogTable *table);

/* Array of CatalogTable *, by schema and name. */
GPtrArray *catalog_pg_tables(PGconn *connection, GError **error);

/* Sentences on what exists beside the tables and is not moved (views, functions, triggers,
 * policies, large objects, ...), each with a count; for `plan`. */
GPtrArray *catalog_pg_not_moved(PGconn *connection, GError **error);

/* The source oids of an array of Table * as the text of an oid[]: "{16384,16390}". */
char *catalog_pg_oids(const GPtrArray *tables);
