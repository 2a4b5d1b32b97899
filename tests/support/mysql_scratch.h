/*
 * MySQL scratch: a database of a test's own on a real MySQL or MariaDB server, the shortest ways to
 * ask it, and its binlog as decoded events. Everything fails the running test where the server does
 * not do as told.
 */
#pragma once

#include "capture/mysql/binlog_row.h"
#include "capture/mysql/binlog_stream.h"
#include "proto/endpoint.h"

#include <glib.h>
#include <mysql.h>

typedef struct MysqlScratch {
    Endpoint endpoint; /* of root, in the database */
    char *name;        /* of the database */
    MYSQL *mysql;
    bool mariadb;
} MysqlScratch;

/* variable: DROVER_TEST_MYSQL or DROVER_TEST_MARIADB. */
MysqlScratch *mysql_scratch_new(const char *variable);
void mysql_scratch_free(MysqlScratch *scratch); /* drops the database */

G_GNUC_PRINTF(2, 3) void mysql_scratch_run(MysqlScratch *scratch, const char *format, ...);
/* The value in a column of the first row; NULL for null and no row (g_free). */
G_GNUC_PRINTF(3, 4)
char *mysql_scratch_ask(MysqlScratch *scratch, guint column, const char *format, ...);
/* Leaves the session, as a client that goes away does, and opens a new one. */
void mysql_scratch_again(MysqlScratch *scratch);

/* Where the binlog ends now. */
char *mysql_scratch_gtids(MysqlScratch *scratch);
void mysql_scratch_position(MysqlScratch *scratch, char **file, guint64 *position);

/* The binlog from a start on. */
typedef struct MysqlLog {
    MysqlScratch *scratch;
    BinlogStream *stream;
    BinlogDecoder *decoder;
    BinlogRowReader *rows;
    BinlogEvent event;
    bool ended;
} MysqlLog;

/* server_id and heartbeat of start are set here. */
void mysql_log_start(MysqlLog *log, MysqlScratch *scratch, BinlogStart start);
void mysql_log_clear(MysqlLog *log);
/* The next event; false at the end that to_end asks for. */
bool mysql_log_next(MysqlLog *log);
/* The next rows of a table of the scratch database; false where there are none before the end. */
bool mysql_log_next_rows(MysqlLog *log, const char *table);
