/*
 * Reads with bounds (rule R5). A commit is in the log before a SELECT sees it, so a position alone
 * does not tell what a read saw: the snapshot's own list of transactions does.
 */
#include "capture/postgres/session.h"

/* ---- begin and end ---- */

/* A snapshot's xmax is one above the last transaction that has ended: one that is in the log but
 * not visible yet may lie at or above it, and would look as if it had not begun. Past a transaction
 * of our own, which writes nothing and ends at once, every earlier one is below. */
#define PASS_ALL_XIDS "select pg_current_xact_id()"

static bool read_snapshot(PGconn *connection, ReadBounds *bounds, GError **error)
{
    g_autoptr(PGresult) result = pg_query(
        connection,
        "select pg_snapshot_xmin(s), pg_snapshot_xmax(s), x from pg_current_snapshot() as s "
        "left join lateral pg_snapshot_xip(s) as x on true order by x",
        error);
    if (!result)
        return false;
    bounds->xmin = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    bounds->xmax = g_ascii_strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    bounds->running = g_array_new(false, false, sizeof(guint64));
    for (int i = 0; i < PQntuples(result); i++) {
        if (PQgetisnull(result, i, 2))
            continue;
        guint64 xid = g_ascii_strtoull(PQgetvalue(result, i, 2), NULL, 10);
        g_array_append_val(bounds->running, xid);
    }
    return true;
}

static bool begin(PGconn *connection, const char *snapshot, GError **error)
{
    g_autoptr(GString) sql = g_string_new("begin isolation level repeatable read read only");
    if (snapshot) {
        g_string_append(sql, "; set transaction snapshot ");
        if (!pg_append_literal(connection, sql, snapshot, error))
            return false;
    }
    return pg_run(connection, sql->str, error);
}

bool pg_read_begin(Source *source, const char *snapshot, ReadBounds *bounds, GError **error)
{
    *bounds = (ReadBounds){0};
    if (source->reading)
        session_forget_ordinary(source);
    PGconn *connection = session_ordinary(source, error);
    if (!connection)
        return false;
    if (!session_position(connection, "select pg_current_wal_insert_lsn()", &bounds->before, error))
        return false;
    if (!snapshot && !pg_run(connection, PASS_ALL_XIDS, error))
        return false;
    source->reading = true;
    if (begin(connection, snapshot, error) && read_snapshot(connection, bounds, error))
        return true;
    read_bounds_clear(bounds);
    session_forget_ordinary(source);
    return false;
}

/* What the read saw may be in the log but not yet on the disk: a commit with synchronous_commit
 * off, or one that is being flushed right now. A commit of our own makes the server flush; local,
 * so that no standby is waited for. */
static bool make_durable(PGconn *connection, Position high, GError **error)
{
    Position flushed;
    if (!session_position(connection, "select pg_current_wal_flush_lsn()", &flushed, error))
        return false;
    if (position_compare(flushed, high) >= 0)
        return true;
    if (!pg_run(connection,
                "begin; set local synchronous_commit = local; "
                "select pg_logical_emit_message(true, 'drover', 'flush'); commit",
                error) ||
        !session_position(connection, "select pg_current_wal_flush_lsn()", &flushed, error))
        return false;
    if (position_compare(flushed, high) >= 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "source: the log was not flushed by a commit; is fsync or the disk in trouble?");
    return false;
}

bool pg_read_end(Source *source, ReadBounds *bounds, GError **error)
{
    PGconn *connection = source->ordinary;
    if (!source->reading || !connection) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "source: the read was broken off; it must be begun again");
        return false;
    }
    if (pg_run(connection, "commit", error) &&
        session_position(connection, "select pg_current_wal_insert_lsn()", &bounds->high, error) &&
        make_durable(connection, bounds->high, error)) {
        source->reading = false;
        return true;
    }
    session_forget_ordinary(source);
    return false;
}

/* ---- copy ---- */

static void append_columns(GString *sql, const Table *table, const char *prefix)
{
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        g_string_append(sql, prefix);
        pg_append_identifier(sql, table->columns[i].name);
    }
}

/* COPY of a table reads that table alone, without inheritance children, and skips the executor. */
static bool append_copy(PGconn *connection, GString *sql, const ReadRequest *request,
                        GError **error)
{
    const Table *table = request->table;
    g_string_append(sql, "copy ");
    if (!request->range.lower && !request->range.upper && table->n_columns > 0) {
        pg_append_qualified(sql, table->source_schema, table->source_name);
        g_string_append(sql, " (");
        append_columns(sql, table, "");
    } else {
        g_string_append(sql, "(select ");
        append_columns(sql, table, "t.");
        g_string_append(sql, " from only ");
        pg_append_qualified(sql, table->source_schema, table->source_name);
        g_string_append(sql, " as t");
        if (!pg_append_range(connection, sql, table, &request->range, error))
            return false;
    }
    g_string_append(sql, ") to stdout (format binary)");
    return true;
}

/* The rest of a COPY after its data: the command tag has the number of rows. */
static bool finish_copy(PGconn *connection, gint64 *rows, GError **error)
{
    bool done = true;
    for (PGresult *result; (result = PQgetResult(connection)); PQclear(result)) {
        if (PQresultStatus(result) == PGRES_COMMAND_OK)
            *rows = g_ascii_strtoll(PQcmdTuples(result), NULL, 10);
        else if (done)
            done = pg_fail(connection, result, error);
    }
    return done;
}

static bool copy_rows(PGconn *connection, ReadRequest *request, const ReadSink *sink,
                      GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    if (!append_copy(connection, sql, request, error))
        return false;
    g_autoptr(PGresult) started = pg_query(connection, sql->str, error);
    if (!started)
        return false;
    for (;;) {
        char *data = NULL;
        int size = PQgetCopyData(connection, &data, 0);
        if (size == -1)
            return finish_copy(connection, &request->rows, error);
        if (size < 0)
            return pg_fail(connection, NULL, error);
        bool taken = sink->bytes(sink->user, (const guint8 *)data, (gsize)size, error);
        PQfreemem(data);
        if (!taken)
            return false;
    }
}

/* The copy's lock keeps the table from being rewritten after it. */
static bool read_storage(PGconn *connection, ReadRequest *request, GError **error)
{
    char sql[64];
    g_autofree char *storage = NULL;
    g_snprintf(sql, sizeof sql, "select pg_relation_filenode(%u)", request->table->source_oid);
    if (!session_value(connection, sql, &storage, error))
        return false;
    request->storage = storage ? g_ascii_strtoull(storage, NULL, 10) : 0;
    return true;
}

bool pg_read_request(Source *source, ReadRequest *request, const ReadSink *sink, GError **error)
{
    const Table *table = request->table;
    PGconn *connection = source->ordinary;
    if (!source->reading || !connection) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "source: the read was broken off; it must be begun again");
        return false;
    }
    bool done;
    if (request->kind == READ_COPY)
        done = copy_rows(connection, request, sink, error);
    else
        done = pg_read(connection, table->source_schema, table->source_name, request, sink, error);
    if (done && read_storage(connection, request, error))
        return true;
    g_prefix_error(error, "source: reading table %s: ", table->label);
    session_forget_ordinary(source);
    return false;
}
