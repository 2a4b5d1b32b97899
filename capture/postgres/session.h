/*
 * Session: the handle behind pg_source_ops, shared by the files of this folder.
 *
 * Up to two connections: an ordinary one for statements, opened again when it was lost and nothing
 * was in progress on it, and one in replication mode that holds the snapshot or carries the stream.
 */
#pragma once

#include "proto/source.h"
#include "schema/connection_pg.h"
#include "schema/migration.h"

#include <stdbool.h>

typedef struct Stream Stream;

struct Source {
    const Endpoint *endpoint;
    char *label;
    PGconn *ordinary;
    PGconn *replication;
    Stream *stream;   /* NULL until stream_start */
    bool reading;     /* between read_begin and read_end */
    GArray *storages; /* guint64 a table: its file when last seen; NULL until the first look */
};

/* What pg_replication_slots says of a slot. */
typedef struct SlotState {
    bool exists;
    bool of_this_database;
    bool lost;
    int active_pid; /* 0: nobody */
    Position confirmed;
    char *reason; /* why it was invalidated, where the server tells; g_free */
} SlotState;

/* The connections, opened where they are not; NULL and an error where that fails. */
PGconn *session_ordinary(Source *source, GError **error);
PGconn *session_replication(Source *source, GError **error);
/* Closes the ordinary connection, for one that is in an unknown state. */
void session_forget_ordinary(Source *source);
void session_forget_replication(Source *source);

/* One statement with one row of one column: the text (g_free), NULL for SQL's null only with *error
 * unset. */
bool session_value(PGconn *connection, const char *sql, char **value, GError **error);
bool session_position(PGconn *connection, const char *sql, Position *position, GError **error);

bool session_slot(Source *source, const char *slot, SlotState *state, GError **error);
void slot_state_clear(SlotState *state);
/* Ends whoever holds the slot and waits until it is free. */
bool session_free_slot(Source *source, const char *slot, int active_pid, GError **error);

/* setup.c */
bool pg_setup(Source *source, const Migration *migration, Position *start, char **resume,
              char **snapshot, GError **error);
bool pg_drop(Source *source, const Migration *migration, GError **error);

/* publication.c. PERSON where the log no longer carries every change of the moved tables. */
bool pg_check_publication(Source *source, const Migration *migration, GError **error);

/* stream.c */
bool pg_stream_start(Source *source, const Migration *migration, Position from, const char *resume,
                     bool take_over, GError **error);
StreamResult pg_stream_next(Source *source, int timeout_ms, StreamEvent *event, GError **error);
bool pg_stream_acknowledge(Source *source, Position durable, GError **error);
void stream_free(Stream *stream);

/* snapshot.c */
bool pg_read_begin(Source *source, const char *snapshot, ReadBounds *bounds, GError **error);
bool pg_read_request(Source *source, ReadRequest *request, const ReadSink *sink, GError **error);
bool pg_read_end(Source *source, ReadBounds *bounds, GError **error);

/* chunk.c */
bool pg_key_ranges(Source *source, const Table *table, gint64 rows_per_range, GArray **ranges,
                   GError **error);
