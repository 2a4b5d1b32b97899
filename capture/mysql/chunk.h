/*
 * Chunk: cuts a table of MySQL or MariaDB into key ranges.
 */
#pragma once

#include "proto/source.h"

#include <glib.h>
#include <mysql.h>
#include <stdbool.h>

/* As SourceOps.key_ranges, in the transaction that is open in the session. */
bool mysql_key_ranges(MYSQL *mysql, const Table *table, gint64 rows_per_range, GArray **ranges,
                      GError **error);
