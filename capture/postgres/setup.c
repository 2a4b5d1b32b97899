/*
 * What the stream needs on the source: a publication of the migration's tables, and a slot with an
 * exported snapshot. The publication comes first: the log is decoded with the catalog as it was at
 * each point, so it must be there at the slot's start.
 */
#include "capture/postgres/embedded.h"
#include "capture/postgres/session.h"

#include <poll.h>
#include <string.h>

#define WAIT_NOTICE_MS 2000
#define VISIBLE_POLL_MS 20

/* ---- publication ---- */

static bool drop_publication(PGconn *connection, const char *name, GError **error)
{
    g_autoptr(GString) sql = g_string_new("drop publication if exists ");
    pg_append_identifier(sql, name);
    return pg_run(connection, sql->str, error);
}

/* ONLY: children by inheritance are tables of the migration of their own, or not of it at all. */
static bool create_publication(PGconn *connection, const Migration *migration, GError **error)
{
    g_autoptr(GString) sql = g_string_new("create publication ");
    pg_append_identifier(sql, migration->slot);
    for (guint i = 0; i < migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(migration->tables, i);
        g_string_append(sql, i == 0 ? " for table only " : ", only ");
        pg_append_qualified(sql, table->source_schema, table->source_name);
    }
    g_string_append(sql, " with (publish = 'insert, update, delete, truncate')");
    if (pg_run(connection, sql->str, error))
        return true;
    g_prefix_error(error, "source: publication %s: ", migration->slot);
    return false;
}

/* ---- slot ---- */

static bool drop_slot(Source *source, const char *slot, GError **error)
{
    SlotState state;
    bool asked = session_slot(source, slot, &state, error);
    slot_state_clear(&state);
    if (!asked)
        return false;
    if (!state.exists)
        return true;
    if (state.active_pid != 0 && !session_free_slot(source, slot, state.active_pid, error))
        return false;
    /* A slot whose creation was interrupted vanishes with its session. */
    g_autoptr(PGresult) dropped =
        pg_query_params(source->ordinary,
                        "select pg_catalog.pg_drop_replication_slot(slot_name) "
                        "from pg_catalog.pg_replication_slots where slot_name = $1",
                        1, &slot, error);
    if (!dropped)
        g_prefix_error(error, "source: dropping slot %s: ", slot);
    return dropped != NULL;
}

/* Says whom the creation waits for. Only for the log: a failure to find out changes nothing. */
static void log_blockers(Source *source)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *who = NULL;
    PGconn *connection = session_ordinary(source, &error);
    if (connection && session_value(connection, embedded_blockers, &who, &error) && who)
        g_info("slot: waiting for open transactions: %s", who);
    else if (error)
        g_info("slot: waiting for open transactions (which ones cannot be told: %s)",
               error->message);
}

/* As PQexec, and every few seconds says what it waits for. */
static PGresult *run_slot_command(Source *source, const char *command)
{
    PGconn *connection = source->replication;
    if (PQsendQuery(connection, command) != 1)
        return NULL;
    struct pollfd descriptor = {.fd = PQsocket(connection), .events = POLLIN};
    while (PQisBusy(connection)) {
        if (poll(&descriptor, 1, WAIT_NOTICE_MS) == 0)
            log_blockers(source);
        else if (PQconsumeInput(connection) != 1)
            return NULL;
    }
    PGresult *result = PQgetResult(connection);
    for (PGresult *more; (more = PQgetResult(connection));)
        PQclear(more);
    return result;
}

static bool fail_slot(Source *source, const char *slot, const PGresult *result, GError **error)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (state && g_str_equal(state, "53400")) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "source: no free replication slot for %s (%s); raise max_replication_slots "
                    "and restart the server, or drop a slot that nobody needs: select "
                    "pg_drop_replication_slot(slot_name) from pg_replication_slots where ...",
                    slot, text);
        return false;
    }
    if (state && g_str_equal(state, "55000")) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "source: slot %s cannot be created: %s; run: ALTER SYSTEM SET wal_level = "
                    "logical; then restart the server",
                    slot, text);
        return false;
    }
    pg_fail(source->replication, result, error);
    g_prefix_error(error, "source: creating slot %s: ", slot);
    return false;
}

/* The form without parentheses is the one that 14 to 18 all accept. */
static bool create_slot(Source *source, const char *slot, Position *start, char **snapshot,
                        GError **error)
{
    g_autoptr(GString) command = g_string_new("CREATE_REPLICATION_SLOT ");
    pg_append_identifier(command, slot);
    g_string_append(command, " LOGICAL pgoutput EXPORT_SNAPSHOT");
    g_info("slot %s: creating; this waits for transactions that are open on the source", slot);
    g_autoptr(PGresult) result = run_slot_command(source, command->str);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return fail_slot(source, slot, result, error);
    if (PQntuples(result) != 1 || PQnfields(result) < 3 ||
        !position_parse(PQgetvalue(result, 0, 1), start) || PQgetisnull(result, 0, 2)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "source: unexpected answer to CREATE_REPLICATION_SLOT %s; is this PostgreSQL "
                    "14 to 18?",
                    slot);
        return false;
    }
    *snapshot = g_strdup(PQgetvalue(result, 0, 2));
    return true;
}

/* A session that holds the snapshot for as long as the copy takes. */
static bool open_holder(Source *source, GError **error)
{
    g_autoptr(GError) failure = NULL;
    session_forget_replication(source);
    if (!session_replication(source, &failure)) {
        if (strstr(failure->message, "max_wal_senders"))
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                        "%s; raise max_wal_senders on the source and restart it", failure->message);
        else
            g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return pg_run(source->replication,
                  "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; "
                  "set idle_session_timeout = 0; set wal_sender_timeout = 0",
                  error);
}

/* A commit below the slot's start is not in the stream, and reads may still not see it: a
 * transaction that began while the slot was being made is not waited for, is in the log when it
 * commits, and becomes visible later (long after, with a synchronous standby). A read that is made
 * without the slot's snapshot would miss it for good. Past a transaction of our own, which ends at
 * once, all of these are below. */
static bool wait_until_visible(Source *source, GError **error)
{
    g_autofree char *last = NULL;
    if (!session_value(source->ordinary, "select pg_current_xact_id()", &last, error))
        return false;
    g_autofree char *sql = g_strdup_printf(
        "select pg_snapshot_xmin(pg_current_snapshot()) > '%s'::xid8", last ? last : "0");
    for (guint waited = 0;; waited += VISIBLE_POLL_MS) {
        g_autofree char *visible = NULL;
        if (!session_value(source->ordinary, sql, &visible, error))
            return false;
        if (g_strcmp0(visible, "t") == 0)
            return true;
        if (waited % WAIT_NOTICE_MS == 0)
            log_blockers(source);
        g_usleep(VISIBLE_POLL_MS * 1000);
    }
}

bool pg_setup(Source *source, const Migration *migration, Position *start, char **resume,
              char **snapshot, GError **error)
{
    *resume = NULL;
    PGconn *connection = session_ordinary(source, error);
    return connection && drop_slot(source, migration->slot, error) &&
           drop_publication(connection, migration->slot, error) && open_holder(source, error) &&
           create_publication(connection, migration, error) &&
           create_slot(source, migration->slot, start, snapshot, error) &&
           wait_until_visible(source, error);
}

bool pg_drop(Source *source, const Migration *migration, GError **error)
{
    PGconn *connection = session_ordinary(source, error);
    return connection && drop_slot(source, migration->slot, error) &&
           drop_publication(connection, migration->slot, error);
}
