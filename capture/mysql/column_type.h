/*
 * Column types: whether a column of the log is of the SQL type that the migration knows, and what
 * the log leaves open of it (binlog_row_metadata): sign, labels, character set.
 */
#pragma once

#include "capture/mysql/binlog_table_map.h"
#include "proto/arena.h"
#include "schema/table.h"

/* Servers' types that look like binary(n) in the log. */
typedef enum {
    COLUMN_PLAIN, /* what the log says is all */
    COLUMN_UUID,
    COLUMN_INET4,
    COLUMN_INET6
} ColumnMeaning;

/* Completes the column with sign, labels and character set; strings from the arena. NULL where it
 * fits, else what the log says instead (g_free). */
char *mysql_column_complete(const Column *column, BinlogColumn *found, ColumnMeaning *meaning,
                            Arena *arena);
