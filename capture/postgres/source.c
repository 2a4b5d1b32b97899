/* Connections, the slot's state, the source's status, and the table of operations. */
#include "capture/postgres/source.h"

#include "capture/postgres/embedded.h"
#include "capture/postgres/session.h"

#define SLOT_FREE_LIMIT (30 * G_USEC_PER_SEC)
#define SLOT_FREE_POLL (20 * 1000)
#define SLOT_TELL_AGAIN G_USEC_PER_SEC

/* ---- connections ---- */

void session_forget_ordinary(Source *source)
{
    g_clear_pointer(&source->ordinary, PQfinish);
    source->reading = false;
}

void session_forget_replication(Source *source)
{
    g_clear_pointer(&source->stream, stream_free);
    g_clear_pointer(&source->replication, PQfinish);
}

PGconn *session_ordinary(Source *source, GError **error)
{
    if (source->ordinary && PQstatus(source->ordinary) == CONNECTION_BAD && !source->reading)
        session_forget_ordinary(source);
    if (!source->ordinary)
        source->ordinary = pg_connect(source->endpoint, source->label, PG_ORDINARY, error);
    return source->ordinary;
}

PGconn *session_replication(Source *source, GError **error)
{
    if (!source->replication)
        source->replication = pg_connect(source->endpoint, source->label, PG_REPLICATION, error);
    return source->replication;
}

static Source *pg_source_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    Source *source = g_new0(Source, 1);
    source->endpoint = endpoint;
    source->label = g_strdup(label);
    source->ordinary = pg_connect(endpoint, label, PG_ORDINARY, error);
    if (source->ordinary)
        return source;
    g_free(source->label);
    g_free(source);
    return NULL;
}

static void pg_source_close(Source *source)
{
    if (!source)
        return;
    session_forget_replication(source);
    session_forget_ordinary(source);
    g_clear_pointer(&source->storages, g_array_unref);
    g_free(source->label);
    g_free(source);
}

/* ---- small questions ---- */

bool session_value(PGconn *connection, const char *sql, char **value, GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, sql, error);
    if (!result)
        return false;
    *value = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0)
                 ? g_strdup(PQgetvalue(result, 0, 0))
                 : NULL;
    return true;
}

static bool read_position(const char *text, Position *position, GError **error)
{
    if (position_parse(text, position))
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: \"%s\" is no log position; is this a PostgreSQL server?", text);
    return false;
}

bool session_position(PGconn *connection, const char *sql, Position *position, GError **error)
{
    g_autofree char *text = NULL;
    return session_value(connection, sql, &text, error) &&
           read_position(text ? text : "", position, error);
}

bool session_slot(Source *source, const char *slot, SlotState *state, GError **error)
{
    *state = (SlotState){0};
    PGconn *connection = session_ordinary(source, error);
    if (!connection)
        return false;
    g_autoptr(PGresult) result = pg_query_params(connection, embedded_slot, 1, &slot, error);
    if (!result)
        return false;
    if (PQntuples(result) == 0)
        return true;
    state->exists = true;
    if (!PQgetisnull(result, 0, 0))
        state->active_pid = (int)g_ascii_strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    if (!PQgetisnull(result, 0, 1) &&
        !read_position(PQgetvalue(result, 0, 1), &state->confirmed, error))
        return false;
    state->lost = *PQgetvalue(result, 0, 2) == 't';
    state->of_this_database = *PQgetvalue(result, 0, 3) == 't';
    state->reason = g_strdup(PQgetvalue(result, 0, 4));
    return true;
}

void slot_state_clear(SlotState *state)
{
    g_clear_pointer(&state->reason, g_free);
}

static bool end_backend(PGconn *connection, int pid, GError **error)
{
    char text[16];
    g_snprintf(text, sizeof text, "%d", pid);
    const char *values[] = {text};
    g_autoptr(PGresult) ended = pg_query_params(
        connection, "select pg_catalog.pg_terminate_backend($1::int)", 1, values, error);
    return ended != NULL;
}

/* A backend whose client reads nothing stands still once more when it tells that client of its end;
 * being told again gets it out of there. */
bool session_free_slot(Source *source, const char *slot, int active_pid, GError **error)
{
    PGconn *connection = session_ordinary(source, error);
    if (!connection)
        return false;
    gint64 next = 0, limit = g_get_monotonic_time() + SLOT_FREE_LIMIT;
    for (;;) {
        SlotState state;
        gint64 now = g_get_monotonic_time();
        bool asked = session_slot(source, slot, &state, error);
        slot_state_clear(&state);
        if (!asked)
            return false;
        if (state.active_pid == 0)
            return true;
        if (now > limit) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                        "source: slot %s is still in use by pid %d, which was told to end", slot,
                        state.active_pid);
            return false;
        }
        if (state.active_pid == active_pid && now >= next) {
            next = now + SLOT_TELL_AGAIN;
            if (!end_backend(connection, active_pid, error))
                return false;
        }
        g_usleep(SLOT_FREE_POLL);
    }
}

/* ---- status ---- */

/* The marker's commit asks for no flush; the server's WAL writer does it within a few times
 * wal_writer_delay, which costs the source nothing. */
static bool emit_heartbeat(PGconn *connection, Position *marker, GError **error)
{
    return session_position(
        connection, "select pg_catalog.pg_logical_emit_message(false, 'drover', 'heartbeat')",
        marker, error);
}

static bool fill_status(const PGresult *result, bool has_slot, SourceStatus *status, GError **error)
{
    status->retained_bytes = -1;
    if (!read_position(PQgetvalue(result, 0, 1), &status->head, error))
        return false;
    if (!PQgetisnull(result, 0, 2) &&
        !read_position(PQgetvalue(result, 0, 2), &status->acknowledged, error))
        return false;
    if (has_slot) {
        status->retained_bytes = g_ascii_strtoll(PQgetvalue(result, 0, 3), NULL, 10);
        status->slot_lost = *PQgetvalue(result, 0, 4) == 't';
    }
    status->oldest_xid = g_ascii_strtoull(PQgetvalue(result, 0, 5), NULL, 10);
    status->time = g_ascii_strtoll(PQgetvalue(result, 0, 6), NULL, 10);
    status->identity = g_strdup(PQgetvalue(result, 0, 0));
    return true;
}

static bool pg_source_status(Source *source, const Migration *migration, bool heartbeat,
                             SourceStatus *status, GError **error)
{
    *status = (SourceStatus){0};
    PGconn *connection = session_ordinary(source, error);
    if (!connection)
        return false;
    Position marker = {0};
    if (heartbeat && migration && !pg_check_publication(source, migration, error))
        return false;
    if (heartbeat && !emit_heartbeat(connection, &marker, error))
        return false;
    const char *values[] = {migration ? migration->slot : NULL};
    g_autoptr(PGresult) result = pg_query_params(connection, embedded_status, 1, values, error);
    if (!result || !fill_status(result, values[0] != NULL, status, error))
        return false;
    if (heartbeat)
        status->head = marker;
    return true;
}

const SourceOps pg_source_ops = {
    .engine = "postgresql",
    .connect = pg_source_connect,
    .close = pg_source_close,
    .status = pg_source_status,
    .setup = pg_setup,
    .drop = pg_drop,
    .stream_start = pg_stream_start,
    .stream_next = pg_stream_next,
    .stream_acknowledge = pg_stream_acknowledge,
    .read_begin = pg_read_begin,
    .read = pg_read_request,
    .read_end = pg_read_end,
    .key_ranges = pg_key_ranges,
};
