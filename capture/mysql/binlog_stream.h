/*
 * Binlog stream: the raw events of a MySQL or MariaDB server's binlog over a replication
 * connection. What the bytes mean is binlog_event.h's.
 *
 * The account needs REPLICATION SLAVE. The stream starts at a file and position, or after a set of
 * GTIDs; the server first sends an artificial ROTATE with the file's name and the file's
 * FORMAT_DESCRIPTION, then events in order, file after file. While there is nothing it sends
 * heartbeats. Checksums are asked for. Belongs to one thread.
 */
#pragma once

#include "proto/endpoint.h"

#include <glib.h>
#include <stdbool.h>

typedef struct BinlogStart {
    /* One of: `gtids`, everything that is not in them (text, of the server's kind; "" is all that
     * the server has), or a file and a position in it, at which an event starts. */
    const char *gtids;
    const char *file; /* with gtids NULL; "" is the server's first */
    guint64 position; /* 4: the file's first event */

    guint32 server_id;  /* not 0, and no other replica's */
    guint heartbeat_ms; /* longest silence; not 0. The server is given up after several of them */
    bool annotate;      /* MariaDB: also the statements that rows come from */
    bool to_end;        /* end where the binlog ends now, instead of waiting for more */
} BinlogStart;

typedef enum {
    BINLOG_READ_EVENT,
    BINLOG_READ_TIMEOUT,
    BINLOG_READ_END,
    BINLOG_READ_FAILED
} BinlogRead;

typedef struct BinlogStream BinlogStream;

/* RETRY where the server cannot be reached, NO where a right or setting is missing, PERSON where
 * the start is no longer in the server's binlog (also found by the first reads). */
BinlogStream *binlog_stream_open(const Endpoint *endpoint, const char *label,
                                 const BinlogStart *start, GError **error);
void binlog_stream_close(BinlogStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BinlogStream, binlog_stream_close)

/* One event with header and checksum, valid until the next call. TIMEOUT where nothing came for
 * timeout_ms (-1: without limit); an event that has begun to arrive is waited for. Over TLS a
 * timeout may be reported though an event is there, which comes with the next heartbeat at the
 * latest. */
BinlogRead binlog_stream_read(BinlogStream *stream, int timeout_ms, const guint8 **data,
                              gsize *size, GError **error);

bool binlog_stream_is_mariadb(const BinlogStream *stream);
