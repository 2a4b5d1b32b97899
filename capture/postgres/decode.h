/*
 * Decode: what a message of the log means for the stream: transactions, changes, positions.
 * stream.c receives the messages and owns the Stream.
 */
#pragma once

#include "capture/postgres/pgoutput.h"
#include "capture/postgres/relation.h"
#include "capture/postgres/session.h"

struct Stream {
    Pgoutput *parser;
    RelationMap *relations;
    char *slot;
    char *message;       /* libpq's copy of the last message: the cells point into it */
    gint64 last_arrival; /* monotonic, microseconds */
    Position from;
    Position acknowledged;
    guint64 last_xid;   /* 64 bits wide, of the transaction before */
    guint64 commit_lsn; /* of the transaction in progress */
    bool in_transaction;
    bool skipping; /* a transaction that ends at or before `from` */
    Transaction transaction;
    GArray *row;       /* Cell, in the order of the table's columns */
    GArray *old;       /* Cell, likewise */
    GArray *old_key;   /* Cell */
    GArray *truncated; /* guint32, Table.id */
};

/* lsn: where the message stands in the log, for errors. STREAM_TIMEOUT: nothing that the caller
 * must know. */
StreamResult decode_message(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                            StreamEvent *event, GError **error);
