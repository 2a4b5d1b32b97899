/*
 * Catalog of MySQL and MariaDB: reads what tables are (columns, types, keys, sizes) from
 * information_schema into Tables, and what else is worth telling (objects that drover does not
 * move).
 *
 * The key of a table is its primary key, else the unique index of whole, never-null columns with
 * the fewest of them. The session gets settings that make the answers those of the moment and
 * show invisible primary keys. What the session's account may not see is not there.
 */
#pragma once

#include "schema/catalog.h"
#include "schema/connection_mysql.h"

#include <glib.h>

/* All tables outside system schemas and drover's own, of all databases: array of CatalogTable *,
 * by schema and name. */
GPtrArray *catalog_mysql_tables(MYSQL *mysql, GError **error);

/* Sentences on what exists beside the tables and is not moved (views, routines, events, ...), each
 * with a count; for `plan`. */
GPtrArray *catalog_mysql_not_moved(MYSQL *mysql, GError **error);
