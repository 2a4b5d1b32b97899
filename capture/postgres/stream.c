/*
 * The stream of changes: CopyBoth messages of a walsender ("Streaming Replication Protocol").
 *
 *   w  u64 start, u64 end, i64 time, then one pgoutput message      from the server
 *   k  u64 end, i64 time, u8 reply wanted                           from the server
 *   r  u64 written, u64 flushed, u64 applied, i64 time, u8 reply    to the server
 *
 * A transaction is sent whole, at its commit, in the order of commits; so between two transactions
 * everything that ends at or below a keepalive's or a marker's position was received. While a
 * transaction is arriving, positions are not told (rule R1).
 */
#include "capture/postgres/decode.h"
#include "capture/postgres/session.h"
#include "proto/byte_reader.h"

#include <poll.h>
#include <string.h>

#define EPOCH_2000 G_GINT64_CONSTANT(946684800000000)
#define REPLY_SIZE 34
#define TLS_POLL_MS 10 /* bytes that wait inside the TLS library do not show on the socket */
#define BUSY_GAP 500   /* microseconds between arrivals that make a nap worth it */
#define NAP 300        /* microseconds */

void stream_free(Stream *stream)
{
    if (!stream)
        return;
    pgoutput_free(stream->parser);
    relation_map_free(stream->relations);
    g_array_unref(stream->row);
    g_array_unref(stream->old);
    g_array_unref(stream->old_key);
    g_array_unref(stream->truncated);
    PQfreemem(stream->message);
    g_free(stream->slot);
    g_free(stream);
}

/* ---- start ---- */

/* Another server, or this server's log taken another way at some point, has other transactions at
 * the same positions. */
static bool check_identity(PGconn *connection, const Migration *migration, GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, "IDENTIFY_SYSTEM", error);
    if (!result)
        return false;
    g_autofree char *found =
        g_strdup_printf("%s/%s", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    const char *known = migration->source_identity;
    if (!known || g_str_equal(known, found))
        return true;
    const char *slash = strchr(known, '/');
    gsize system = slash ? (gsize)(slash - known) + 1 : strlen(known);
    bool same_system = strncmp(known, found, system) == 0;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: this is %s (system identifier/timeline %s, the migration began on %s); "
                "changes may be missing between them: %s",
                same_system ? "another timeline of the server: a standby was promoted, or a backup "
                              "restored"
                            : "another server than the one the migration began on",
                found, known,
                same_system ? "start the migration over (drover drop, then run)"
                            : "correct the url of the source, or start the migration over");
    return false;
}

static bool fail_slot_missing(const char *slot, Position from, const char *what, GError **error)
{
    char position[POSITION_TEXT_SIZE];
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: replication slot %s %s; every change after %s is missed from here on; "
                "start the migration over (drover drop, then run)",
                slot, what, position_format(from, position));
    return false;
}

static bool check_slot_position(const char *slot, Position confirmed, Position from, GError **error)
{
    char have[POSITION_TEXT_SIZE], gone[POSITION_TEXT_SIZE];
    if (position_compare(confirmed, from) <= 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: replication slot %s has moved on to %s, but the bus ends at %s: the "
                "changes between them are missed; somebody else read the slot, it was created "
                "again, or the bus is an old copy; start the migration over (drover drop, then "
                "run)",
                slot, position_format(confirmed, gone), position_format(from, have));
    return false;
}

static bool check_slot(Source *source, const char *slot, const SlotState *state, Position from,
                       bool take_over, GError **error)
{
    if (!state->exists)
        return fail_slot_missing(slot, from, "does not exist", error);
    if (state->lost) {
        g_autofree char *what =
            g_strdup_printf("was invalidated by the server (%s)",
                            *state->reason ? state->reason : "max_slot_wal_keep_size");
        return fail_slot_missing(slot, from, what, error);
    }
    if (!state->of_this_database)
        return fail_slot_missing(slot, from, "belongs to another database or plugin", error);
    if (!check_slot_position(slot, state->confirmed, from, error))
        return false;
    if (state->active_pid == 0)
        return true;
    if (take_over)
        return session_free_slot(source, slot, state->active_pid, error);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "source: slot %s is in use by pid %d; if that is a drover that is gone, the server "
                "will notice soon; --take-over ends it",
                slot, state->active_pid);
    return false;
}

/* The type as the source writes it, to compare with the catalog's text. */
static char *type_name(void *user, guint32 type_oid, gint32 modifier, GError **error)
{
    PGconn *connection = session_ordinary(user, error);
    if (!connection)
        return NULL;
    char sql[96];
    char *name = NULL;
    g_snprintf(sql, sizeof sql, "select pg_catalog.format_type(%u, %d)", type_oid, modifier);
    if (!session_value(connection, sql, &name, error))
        return NULL;
    return name ? name : g_strdup("an unknown type");
}

static Stream *stream_new(Source *source, const Migration *migration, Position from)
{
    Stream *stream = g_new0(Stream, 1);
    stream->parser = pgoutput_new();
    stream->relations = relation_map_new(migration, type_name, source);
    stream->slot = g_strdup(migration->slot);
    stream->from = from;
    stream->acknowledged = from;
    stream->row = g_array_new(false, false, sizeof(Cell));
    stream->old = g_array_new(false, false, sizeof(Cell));
    stream->old_key = g_array_new(false, false, sizeof(Cell));
    stream->truncated = g_array_new(false, false, sizeof(guint32));
    return stream;
}

/* Errors that come from the slot or the log itself: no restart helps. */
static bool fail_stream(Source *source, const PGresult *result, GError **error)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    static const char *const final_states[] = {"42704", "55000", "58P01"};
    for (guint i = 0; state && i < G_N_ELEMENTS(final_states); i++) {
        if (!g_str_equal(state, final_states[i]))
            continue;
        g_autofree char *what = g_strdup_printf("cannot be read: %s", text);
        return fail_slot_missing(source->stream->slot, source->stream->acknowledged, what, error);
    }
    pg_fail(source->replication, result, error);
    g_prefix_error(error, "source: slot %s: ", source->stream->slot);
    return false;
}

static bool start_replication(Source *source, const Migration *migration, Position from,
                              GError **error)
{
    char position[POSITION_TEXT_SIZE];
    PGconn *connection = source->replication;
    g_autoptr(GString) name = g_string_new(NULL);
    g_autoptr(GString) command = g_string_new("START_REPLICATION SLOT ");
    pg_append_identifier(name, migration->slot);
    g_string_append_printf(command, "%s LOGICAL %s (proto_version '1', publication_names ",
                           name->str, position_format(from, position));
    if (!pg_append_literal(connection, command, name->str, error))
        return false;
    g_string_append(command, ", binary 'true', messages 'true')");
    g_autoptr(PGresult) result = PQexec(connection, command->str);
    return PQresultStatus(result) == PGRES_COPY_BOTH || fail_stream(source, result, error);
}

static bool open_stream(Source *source, const Migration *migration, Position from, bool take_over,
                        GError **error)
{
    PGconn *connection = session_replication(source, error);
    if (!connection || !check_identity(connection, migration, error))
        return false;
    SlotState state;
    bool ready = session_slot(source, migration->slot, &state, error) &&
                 check_slot(source, migration->slot, &state, from, take_over, error);
    slot_state_clear(&state);
    if (!ready)
        return false;
    g_autofree char *next = NULL;
    if (!session_value(source->ordinary, "select pg_snapshot_xmax(pg_current_snapshot())", &next,
                       error))
        return false;
    source->stream = stream_new(source, migration, from);
    source->stream->last_xid = g_ascii_strtoull(next ? next : "0", NULL, 10);
    return start_replication(source, migration, from, error);
}

bool pg_stream_start(Source *source, const Migration *migration, Position from, const char *resume,
                     bool take_over, GError **error)
{
    (void)resume;
    session_forget_replication(source);
    if (open_stream(source, migration, from, take_over, error))
        return true;
    session_forget_replication(source);
    return false;
}

/* ---- replies ---- */

static void put_u64(char *out, guint64 value)
{
    value = GUINT64_TO_BE(value);
    memcpy(out, &value, sizeof value);
}

static bool send_reply(Source *source, GError **error)
{
    char reply[REPLY_SIZE] = {'r'};
    guint64 position = source->stream->acknowledged.major;
    put_u64(reply + 1, position);
    put_u64(reply + 9, position);
    put_u64(reply + 17, position);
    put_u64(reply + 25, (guint64)(g_get_real_time() - EPOCH_2000));
    if (PQputCopyData(source->replication, reply, REPLY_SIZE) == 1 &&
        PQflush(source->replication) >= 0)
        return true;
    return fail_stream(source, NULL, error);
}

bool pg_stream_acknowledge(Source *source, Position durable, GError **error)
{
    if (!source->stream) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "source: the stream is closed; it must be started again");
        return false;
    }
    if (position_compare(durable, source->stream->acknowledged) > 0)
        source->stream->acknowledged = durable;
    return send_reply(source, error);
}

/* ---- messages ---- */

static StreamResult fail_frame(GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: unknown message in the replication stream; is this PostgreSQL 14 to 18, "
                "reached without a pooler?");
    return STREAM_FAILED;
}

static StreamResult handle_data(Source *source, ByteReader *reader, StreamEvent *event,
                                GError **error)
{
    PgoutputMessage message;
    guint64 start, end, time;
    const guint8 *body;
    if (!byte_reader_u64(reader, &start) || !byte_reader_u64(reader, &end) ||
        !byte_reader_u64(reader, &time))
        return fail_frame(error);
    gsize size = byte_reader_left(reader);
    if (!byte_reader_bytes(reader, size, &body) ||
        !pgoutput_parse(source->stream->parser, body, size, start, &message, error))
        return STREAM_FAILED;
    return decode_message(source->stream, &message, start, event, error);
}

/* A wanted reply is given at once, with what is durable so far, so that a long transaction does not
 * let the server's time-out pass. */
static StreamResult handle_keepalive(Source *source, ByteReader *reader, StreamEvent *event,
                                     GError **error)
{
    guint64 end, time;
    guint8 reply_wanted;
    if (!byte_reader_u64(reader, &end) || !byte_reader_u64(reader, &time) ||
        !byte_reader_u8(reader, &reply_wanted) || byte_reader_left(reader) != 0)
        return fail_frame(error);
    if (reply_wanted && !send_reply(source, error))
        return STREAM_FAILED;
    if (source->stream->in_transaction || end == 0)
        return STREAM_TIMEOUT;
    event->position = (Position){.major = end};
    event->reply_wanted = reply_wanted != 0;
    event->marker = false;
    return STREAM_POSITION;
}

static StreamResult handle_frame(Source *source, const guint8 *data, gsize size, StreamEvent *event,
                                 GError **error)
{
    ByteReader reader = byte_reader(data, size);
    guint8 kind;
    if (!byte_reader_u8(&reader, &kind))
        return fail_frame(error);
    if (kind == 'w')
        return handle_data(source, &reader, event, error);
    return kind == 'k' ? handle_keepalive(source, &reader, event, error) : fail_frame(error);
}

/* ---- next ---- */

/* The server ended the stream: with an error, or because it shuts down. */
static StreamResult fail_ended(Source *source, GError **error)
{
    g_autoptr(PGresult) result = PQgetResult(source->replication);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        fail_stream(source, result, error);
        return STREAM_FAILED;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "source: slot %s: the server ended the stream (it is shutting down?)",
                source->stream->slot);
    return STREAM_FAILED;
}

/* The server sends every change by itself. When they follow each other closely, being woken for
 * each costs both sides more than the changes do; after a nap there are many. */
static void nap_while_busy(Stream *stream)
{
    gint64 now = g_get_monotonic_time();
    if (now - stream->last_arrival < BUSY_GAP) {
        g_usleep(NAP);
        now = g_get_monotonic_time();
    }
    stream->last_arrival = now;
}

/* Waits for bytes and takes them in. False with *error unset: the time is over. */
static bool take_in(Source *source, gint64 deadline, GError **error)
{
    PGconn *connection = source->replication;
    gint64 left = MAX((deadline - g_get_monotonic_time() + 999) / 1000, 0);
    struct pollfd descriptor = {.fd = PQsocket(connection), .events = POLLIN};
    bool tls = PQsslInUse(connection) != 0;
    int ready = poll(&descriptor, 1, (int)(tls ? MIN(left, TLS_POLL_MS) : left));
    if (ready > 0 && left > 0)
        nap_while_busy(source->stream);
    if ((ready > 0 || tls) && PQconsumeInput(connection) != 1) {
        fail_stream(source, NULL, error);
        return false;
    }
    return ready > 0 || left > 0;
}

/* *size 0: nothing within the time. */
static bool receive(Source *source, int timeout_ms, int *size, GError **error)
{
    Stream *stream = source->stream;
    gint64 deadline = -1;
    g_clear_pointer(&stream->message, PQfreemem);
    for (;;) {
        g_autoptr(GError) failure = NULL;
        *size = PQgetCopyData(source->replication, &stream->message, 1);
        if (*size > 0)
            return true;
        if (*size < 0) {
            fail_ended(source, error);
            return false;
        }
        if (deadline < 0)
            deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
        if (!take_in(source, deadline, &failure)) {
            if (!failure)
                return true;
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
}

StreamResult pg_stream_next(Source *source, int timeout_ms, StreamEvent *event, GError **error)
{
    if (!source->stream) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "source: the stream is closed; it must be started again");
        return STREAM_FAILED;
    }
    for (;;) {
        int size;
        *event = (StreamEvent){0};
        if (!receive(source, timeout_ms, &size, error))
            return STREAM_FAILED;
        if (size == 0)
            return STREAM_TIMEOUT;
        StreamResult result = handle_frame(source, (const guint8 *)source->stream->message,
                                           (gsize)size, event, error);
        if (result != STREAM_TIMEOUT)
            return result;
    }
}
