/*
 * Catalog of PostgreSQL: reads what tables are (columns, types, keys, sizes) into Tables, and what
 * else is worth telling (objects that drover does not move).
 */
#pragma once

#include "schema/catalog.h"
#include "schema/connection_pg.h"

#include <glib.h>

/* All ordinary tables of the database outside system schemas and drover's own: array of
 * CatalogTable *, by schema and name. */
GPtrArray *catalog_pg_tables(PGconn *connection, GError **error);

/* Sentences on what exists beside the tables and is not moved (views, functions, triggers,
 * policies, large objects, ...), each with a count; for `plan`. */
GPtrArray *catalog_pg_not_moved(PGconn *connection, GError **error);

/* The source oids of an array of Table * as the text of an oid[]: "{16384,16390}". */
char *catalog_pg_oids(const GPtrArray *tables);
