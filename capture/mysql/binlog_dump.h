/*
 * Binlog dump: the part of a binlog stream that depends on the client library. CMake compiles one
 * of two drivers: binlog_dump_mariadb.c (MariaDB Connector/C) or binlog_dump_oracle.c (Oracle's
 * libmysqlclient). Used by binlog_stream.c alone, for one dump a connection.
 */
#pragma once

#include "capture/mysql/binlog_stream.h"

#include <mysql.h>

#define BINLOG_FIRST_EVENT 4 /* behind the magic number of a file */

typedef struct BinlogDump BinlogDump;

typedef struct BinlogDumpStart {
    guint32 server_id;
    guint16 flags;
    const char *file;     /* "" with gtid_set */
    guint64 position;     /* up to 4 GiB without gtid_set */
    GByteArray *gtid_set; /* of MySQL, encoded (not owned); NULL */
} BinlogDumpStart;

/* Sends the command. False where it could not be sent: mysql_errno(mysql) says why. */
bool binlog_dump_start(MYSQL *mysql, const BinlogDumpStart *start, BinlogDump **dump);
/* Before the connection is closed. NULL is fine. */
void binlog_dump_free(BinlogDump *dump);

/* Waits for an event (BINLOG_READ_EVENT), the end (END) or an error (FAILED: *number and *message,
 * valid until the next call). TIMEOUT where nothing came in time. */
BinlogRead binlog_dump_read(BinlogDump *dump, int timeout_ms, const guint8 **data, gsize *size,
                            unsigned int *number, const char **message);
