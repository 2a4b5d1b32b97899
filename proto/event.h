/*
 * Event: changes in memory, and the codec between them and the packed records of the bus
 * (proto/change.proto, whose comments are the format's reference).
 *
 * capture fills Records and packs them; apply unpacks them into an arena. Nothing here owns the
 * bytes of cells: when packing they may point into the source's receive buffer.
 */
#pragma once

#include "proto/arena.h"
#include "proto/position.h"
#include "proto/value.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    OPERATION_INSERT = 1,
    OPERATION_UPDATE = 2,
    OPERATION_DELETE = 3,
    OPERATION_TRUNCATE = 4
} Operation;

typedef struct Change {
    Operation operation;
    guint32 table;          /* Table.id */
    guint64 schema_version; /* Table.version */
    Row old_key;            /* n_cells 0 where there is none */
    Row row;                /* n_cells 0 where there is none */
} Change;

typedef struct TableCount {
    guint32 table;
    guint64 events;
} TableCount;

/* A transaction or one fragment of it. */
typedef struct Transaction {
    guint64 xid;
    Position position;  /* end of the commit record; zero unless last */
    const char *resume; /* with the position; NULL where that says it all (proto/position.h) */
    gint64 commit_time; /* microseconds since 1970-01-01 UTC */
    guint32 segment;
    guint32 fragment;
    bool last;
    guint64 first_sequence;
    guint32 n_changes;
    Change *changes;
    guint32 n_captured; /* last part only */
    TableCount *captured;
} Transaction;

typedef enum { RECORD_EVENTS = 0, RECORD_CLAIM = 1, RECORD_HEARTBEAT = 2 } RecordKind;

typedef struct Record {
    guint8 bus_uuid[16];
    guint64 epoch;
    guint64 sequence;
    guint64 predecessor;
    guint32 partition;
    const char *source_identity;
    guint64 schema_version;
    RecordKind kind;
    Position position;
    const char *resume; /* of position; NULL where that says it all */
    gint64 source_time;
    guint64 oldest_xid;
    guint32 n_transactions;
    Transaction *transactions;
} Record;

/* Appends the packed record to out. Scratch memory comes from arena (which is not reset). */
void record_pack(const Record *record, Arena *arena, GByteArray *out);

/* Everything of record lives in arena (bytes are copied). Fails with DROVER_ERROR_PERSON where the
 * bytes are no record: wrong protobuf, kinds that do not match values, unknown kind or operation.
 */
bool record_unpack(const guint8 *data, gsize size, Arena *arena, Record *record, GError **error);

/* XXH3-64 of a packed record: the predecessor of the next one. */
guint64 record_digest(const guint8 *data, gsize size);
