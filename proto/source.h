/*
 * Source: the contract of a driver that reads a database: its log, and its rows with bounds.
 *
 * A handle belongs to one thread and is used for one purpose at a time: holding the first snapshot,
 * streaming, or reading. Adding an engine is one const table of these functions.
 *
 * Bounds of a read (rule R5): `visibility` tells which transactions of the log the read saw;
 * everything at or below `before` that is not denied by it is in the read, everything in the read
 * is at or below `high`, and `high` is durable on the source when read_end returns.
 */
#pragma once

#include "proto/endpoint.h"
#include "proto/event.h"
#include "proto/position.h"
#include "proto/value.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Source Source;
typedef struct Table Table;
typedef struct Migration Migration;

/* How a read tells which transactions it saw. */
typedef enum {
    BOUNDS_XIDS,     /* PostgreSQL: a pg_snapshot (xmin, xmax, in progress) */
    BOUNDS_POSITION, /* MariaDB: exactly those that end at or below `low` */
    BOUNDS_GTIDS     /* MySQL: at least those of the set `gtids` */
} BoundsKind;

typedef struct ReadBounds {
    BoundsKind kind;
    Position before; /* taken before the read */
    Position high;   /* set by read_end */
    guint64 xmin;    /* every transaction below is visible */
    guint64 xmax;    /* none at or above is visible */
    GArray *running; /* guint64, sorted: in progress, not visible */
    Position low;
    char *gtids;       /* a resume text; owned */
    char *high_resume; /* set by read_end: a resume text with everything that the read saw; NULL on
                        * PostgreSQL; owned */
} ReadBounds;

void read_bounds_clear(ReadBounds *bounds);

/* Two reads with the same digest saw the same transactions of the same server. */
guint64 read_bounds_digest(const ReadBounds *bounds);

/* BOUNDS_XIDS: did the read see this transaction of the log? */
bool read_bounds_include(const ReadBounds *bounds, guint64 xid);

/* Did the read see this transaction, and (but for BOUNDS_XIDS) every one before it in the log? Its
 * last part is needed. */
bool read_bounds_saw(const ReadBounds *bounds, const Transaction *transaction);

/* Did the read see everything up to this place of the log? Not for BOUNDS_XIDS. */
bool read_bounds_reach(const ReadBounds *bounds, Position position, const char *resume);

typedef struct SourceStatus {
    char *identity;        /* PostgreSQL: "system identifier/timeline" (g_free) */
    Position head;         /* end of the source's log */
    Position acknowledged; /* what the source may forget; zero where there is no slot */
    guint64 oldest_xid;    /* every transaction below it is visible to reads from now on */
    gint64 retained_bytes; /* log kept for us; -1 where there is no slot */
    bool slot_lost;        /* the log that we need is gone, or the slot is */
    gint64 time;           /* the source's clock, microseconds since 1970 */
} SourceStatus;

typedef enum {
    STREAM_TIMEOUT,  /* nothing arrived */
    STREAM_BEGIN,    /* transaction: xid, commit_time are set */
    STREAM_CHANGE,   /* change; its cells are valid until the next call of stream_next */
    STREAM_COMMIT,   /* transaction.position is the end of the commit record */
    STREAM_POSITION, /* nothing in flight and the log was read up to position (keepalive,
                      * heartbeat); only ever sent outside a transaction */
    STREAM_FAILED
} StreamResult;

typedef struct StreamEvent {
    Transaction transaction; /* begin, commit: the header only */
    Change change;
    guint n_truncated;        /* change.operation TRUNCATE: the tables emptied together */
    const guint32 *truncated; /* Table.id; valid until the next call */
    Position position;
    const char *resume; /* of a position, as Transaction.resume; valid until the next call */
    bool marker;        /* a position that some session of drover's has asked for */
    bool reply_wanted;  /* the server wants an acknowledgement now */
} StreamEvent;

/* A range of keys in the source's order, as the source's text: lower <= key < upper. */
typedef struct KeyRange {
    char **lower; /* NULL: from the start; else n_key texts, NULL-terminated */
    char **upper; /* NULL: to the end */
} KeyRange;

void key_range_clear(KeyRange *range);

typedef enum {
    READ_COPY, /* raw rows for TargetOps.copy_data: sink->bytes, which make up PostgreSQL's binary
                * COPY format with the cells in canonical form */
    READ_ROWS, /* the rows of `keys`: sink->row with key, row and row_version */
    READ_CHILDREN, /* of the rows whose `columns` equal one of `keys` their own key: sink->row */
    READ_DIGEST,   /* sets rows, digest_1, digest_2 */
    READ_HASHES /* sink->hash once a row; for a key of `keys`, with the key as it was asked for */
} ReadKind;

typedef struct ReadSink {
    bool (*bytes)(void *user, const guint8 *data, gsize size, GError **error);
    bool (*row)(void *user, const Row *row, guint64 row_version, GError **error);
    bool (*hash)(void *user, const Row *key, guint64 hash, guint64 row_version, GError **error);
    void *user;
} ReadSink;

typedef struct ReadRequest {
    ReadKind kind;
    const Table *table;
    KeyRange range;       /* READ_COPY, READ_DIGEST, READ_HASHES */
    const Row *keys;      /* READ_ROWS, READ_HASHES: read these keys instead of the range */
    const guint *columns; /* READ_CHILDREN: as many as a key has cells */
    guint n_keys;
    guint n_columns;
    gint64 rows;    /* result: rows read */
    char *digest_1; /* results of READ_DIGEST: two independent sums (g_free) */
    char *digest_2;
    bool codec;      /* READ_DIGEST, READ_HASHES: of the canonical bytes, not the database's own */
    bool key_texts;  /* READ_HASHES: the key's cells hold its texts instead, for messages */
    guint64 storage; /* result: Table.storage as seen inside the read */
} ReadRequest;

typedef struct SourceOps {
    const char *engine;

    /* label: "drover <migration> <role>", shown by the server as the session's name. RETRY where
     * the server cannot be reached, NO where it refuses us. */
    Source *(*connect)(const Endpoint *endpoint, const char *label, GError **error);
    void (*close)(Source *source);

    /* With emit_heartbeat and a migration, PERSON where the log no longer carries every change of
     * its tables. With emit_heartbeat, first writes a marker into the source's log that comes back
     * through the stream as STREAM_POSITION; status->head is then the marker's position. migration
     * may be NULL (no slot is looked at). */
    bool (*status)(Source *source, const Migration *migration, bool emit_heartbeat,
                   SourceStatus *status, GError **error);

    /* Creates what the stream needs (publication, slot), replacing leftovers of this migration's
     * own unfinished attempt. *start is P0: everything at or below it is visible to every later
     * read; *resume (g_free) is its resume text, NULL where the position says it all; *snapshot
     * (g_free; NULL where the engine has none to share) can be given to read_begin of other handles
     * while this one stays open and is used for nothing else. */
    bool (*setup)(Source *source, const Migration *migration, Position *start, char **resume,
                  char **snapshot, GError **error);
    /* Removes what setup created; succeeds where it is gone already. */
    bool (*drop)(Source *source, const Migration *migration, GError **error);

    /* NULL where a migration cannot go on with another server. May it with this one, which is to
     * have everything that the resume text stands for, and all that comes behind it in its log?
     * PERSON, which names what is missing, where not. */
    bool (*check_history)(Source *source, const char *resume, GError **error);

    /* Streams transactions that end after `from`. PERSON where the slot is lost, of another history
     * or another server. RETRY while somebody else holds the slot; take_over ends that session. */
    bool (*stream_start)(Source *source, const Migration *migration, Position from,
                         const char *resume, bool take_over, GError **error);
    StreamResult (*stream_next)(Source *source, int timeout_ms, StreamEvent *event, GError **error);
    /* "You may forget everything up to here." Only what the bus holds durably. */
    bool (*stream_acknowledge)(Source *source, Position durable, GError **error);

    /* One read transaction: all reads between begin and end see the same rows. snapshot NULL: a new
     * one. */
    bool (*read_begin)(Source *source, const char *snapshot, ReadBounds *bounds, GError **error);
    bool (*read)(Source *source, ReadRequest *request, const ReadSink *sink, GError **error);
    bool (*read_end)(Source *source, ReadBounds *bounds, GError **error);

    /* Cuts the table into ranges of about rows_per_range rows (inside a read). *ranges: array of
     * KeyRange (g_array with key_range_clear), in order, without a gap; at least one. */
    bool (*key_ranges)(Source *source, const Table *table, gint64 rows_per_range, GArray **ranges,
                       GError **error);
} SourceOps;
