/*
 * MySQL tables: Tables of a scratch database on a MySQL server, without the catalog, and what a
 * test does with the rows that mysql_read gives.
 */
#pragma once

#include "schema/table.h"
#include "tests/support/mysql_scratch.h"

#include <glib.h>

/* columns: "id int key; name varchar(10)"; types are MySQL's. Both sides are the scratch database,
 * and so are both types of a column. */
Table *mysql_test_table(MysqlScratch *scratch, const char *name, const char *columns);

/* The stream of a READ_COPY of the whole table; fails the running test where it fails. */
GByteArray *mysql_test_copy(MysqlScratch *scratch, const Table *table);

/* The rows of such a stream: each an array of n_columns cells, which point into it. */
GPtrArray *mysql_test_rows(const GByteArray *stream, guint n_columns);

/* READ_DIGEST of the whole table: "rows sum sum" (g_free). */
char *mysql_test_digest(MysqlScratch *scratch, const Table *table);
