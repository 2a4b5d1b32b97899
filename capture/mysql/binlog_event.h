/*
 * Binlog events: the bytes of one event of a MySQL 8+ or MariaDB 10.6+ binlog in, a struct out.
 *
 * The decoder verifies checksums, undoes the compression of transactions (MySQL) and of single
 * events (MariaDB), keeps the table maps that row events refer to, and knows the position of every
 * event. It does not look into rows (binlog_row.h) and does not know what a statement means
 * (query.h). It accepts exactly what it knows: an unknown type, an impossible field, missing and
 * surplus bytes are errors of class PERSON that name the event and its position.
 *
 * Formats: the headers of mysql::binlog::event in MySQL's source, and "Replication Protocol" in
 * MariaDB's knowledge base. Used by the MySQL source driver over binlog_stream.h.
 */
#pragma once

#include "capture/mysql/binlog_table_map.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    BINLOG_FORMAT_DESCRIPTION, /* the first of every file */
    BINLOG_ROTATE,             /* the next event stands in another file */
    BINLOG_STOP,               /* the server was shut down */
    BINLOG_HEARTBEAT,          /* nothing new; only ever sent, never stored */
    BINLOG_INCIDENT,           /* the server says that events are missing here */
    BINLOG_GTID,               /* MySQL, with and without a tag: a transaction begins */
    BINLOG_ANONYMOUS_GTID,     /* MySQL without GTIDs: a transaction begins */
    BINLOG_PREVIOUS_GTIDS,     /* MySQL: everything before this file */
    BINLOG_MARIADB_GTID,       /* MariaDB: a transaction begins */
    BINLOG_MARIADB_GTID_LIST,  /* MariaDB: everything before this file */
    BINLOG_QUERY,              /* a statement; also BEGIN, COMMIT, SAVEPOINT */
    BINLOG_XID,                /* commit */
    BINLOG_XA_PREPARE,         /* an XA transaction is prepared (or committed in one phase) */
    BINLOG_ANNOTATE,           /* the statement that rows come from, for people */
    BINLOG_TABLE_MAP,          /* what the following row events refer to */
    BINLOG_ROWS,               /* rows written, updated or deleted */
    BINLOG_PAYLOAD,            /* a compressed transaction; its events follow one by one */
    BINLOG_OTHER /* known to carry no data: binlog checkpoint, group view, start encryption */
} BinlogKind;

#define BINLOG_EVENT_ARTIFICIAL 0x20 /* flags: made for this connection, not in the file */

typedef enum { BINLOG_CHECKSUM_NONE = 0, BINLOG_CHECKSUM_CRC32 = 1 } BinlogChecksum;

typedef struct BinlogText { /* not terminated */
    const char *text;
    gsize size;
} BinlogText;

typedef struct BinlogGtid {
    guint8 uuid[16];
    const char *tag; /* empty without one */
    gint64 number;
    guint64 last_committed;
    guint64 sequence;
    guint64 commit_time; /* microseconds since 1970, on the server that sends; 0 where unknown */
    guint64 original_commit_time;
    guint64 transaction_size; /* bytes in the binlog, 0 where unknown */
    bool may_have_statements; /* not logged row by row, or DDL */
} BinlogGtid;

typedef struct BinlogXid { /* the name of an XA transaction */
    guint32 format;
    guint32 gtrid_size;
    guint32 bqual_size;
    const guint8 *data; /* gtrid, bqual */
} BinlogXid;

typedef struct BinlogMariadbGtid {
    guint32 domain;
    guint32 server;
    guint64 sequence;
    guint8 flags;
    bool standalone;    /* one statement without BEGIN and COMMIT (DDL) */
    bool ddl;           /* the server calls it DDL */
    bool transactional; /* can be rolled back */
    bool prepared_xa;   /* the XA PREPARE of xid */
    bool completed_xa;  /* the XA COMMIT or ROLLBACK of xid */
    guint64 commit_id;  /* group commit; 0 without */
    BinlogXid xid;      /* with prepared_xa, completed_xa */
} BinlogMariadbGtid;

typedef struct BinlogQuery {
    guint32 thread;
    guint16 error_code; /* of the statement on its server */
    BinlogText database;
    BinlogText statement;
    guint64 sql_mode;       /* 0 where it was not logged */
    guint16 client_charset; /* collation number; 0 where it was not logged */
} BinlogQuery;

typedef enum { BINLOG_WRITE, BINLOG_UPDATE, BINLOG_DELETE } BinlogOperation;

#define BINLOG_ROWS_STATEMENT_END 0x1
#define BINLOG_ROWS_NO_FOREIGN_KEY_CHECKS 0x2

typedef struct BinlogRows {
    BinlogOperation operation;
    bool partial_json; /* PARTIAL_UPDATE_ROWS */
    guint16 flags;
    const BinlogTableMap *table;
    const guint8 *before_columns; /* bitmaps of the columns in the images; before: update, delete */
    const guint8 *after_columns;  /* after: write, update */
    const guint8 *data;           /* row images, for binlog_row.h */
    gsize size;
} BinlogRows;

typedef struct BinlogEvent {
    BinlogKind kind;
    const char *name; /* "TABLE_MAP" */
    guint8 type;      /* number in the log */
    guint16 flags;
    guint32 timestamp; /* seconds since 1970 */
    guint32 server_id;
    guint32 size;
    bool inner;            /* came out of a compressed transaction, whose position it has */
    const char *file;      /* binlog file; empty until the first ROTATE */
    guint64 position;      /* where the event starts in file */
    guint64 next_position; /* where it ends; equal to position for an artificial event */
    union {
        struct {
            BinlogChecksum checksum;
            BinlogText server_version;
            bool mariadb;
        } format;
        struct {
            BinlogText file;
            guint64 position;
        } rotate;
        struct {
            BinlogText file; /* the server has nothing newer than this */
            guint64 position;
        } heartbeat;
        struct {
            guint16 number;
            BinlogText message;
        } incident;
        struct {
            const guint8 *set; /* gtid.h: mysql_gtid_set_decode */
            gsize size;
        } previous_gtids;
        struct {
            guint32 n;
            const guint8
                *list; /* n x (u32 domain, u32 server, u64 sequence): mariadb_gtids_decode */
        } gtid_list;
        struct {
            guint64 uncompressed_size;
        } payload;
        struct {
            bool one_phase; /* commits at once */
            BinlogXid xid;
        } xa_prepare;
        guint64 xid;
        BinlogText annotate;
        BinlogGtid gtid;
        BinlogMariadbGtid mariadb_gtid;
        BinlogQuery query;
        const BinlogTableMap *table_map;
        BinlogRows rows;
    };
} BinlogEvent;

typedef struct BinlogDecoder BinlogDecoder;

#define BINLOG_EVENT_LIMIT ((gsize)1 << 30) /* what servers accept as an event */

/* event_limit: bytes that one event may have after decompression; BINLOG_EVENT_LIMIT outside of
 * tests. Memory taken is a small multiple of the largest event, not of the transaction. */
BinlogDecoder *binlog_decoder_new(gsize event_limit);
void binlog_decoder_free(BinlogDecoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BinlogDecoder, binlog_decoder_free)

/* Gives the next event of the log, whole, from its header to its checksum. Only after
 * binlog_decoder_next has said BINLOG_NEXT_NEED; data must stay until it says so again. */
void binlog_decoder_put(BinlogDecoder *decoder, const guint8 *data, gsize size);

typedef enum { BINLOG_NEXT_EVENT, BINLOG_NEXT_NEED, BINLOG_NEXT_FAILED } BinlogNext;

/* One event for each that was put, and after a PAYLOAD event its inner events. What *event points
 * at is valid until the next call. After a failure the decoder is of no further use. */
BinlogNext binlog_decoder_next(BinlogDecoder *decoder, BinlogEvent *event, GError **error);

/* "MySQL binlog.000003:1234": where the decoder stands, for messages of its callers. Valid until
 * the next call. */
const char *binlog_decoder_where(BinlogDecoder *decoder);
