/*
 * A group of MySQL: GTID; then BEGIN or XA START, rows, and XID, COMMIT, ROLLBACK or XA PREPARE; or
 * one statement. All but the first may stand in a TRANSACTION_PAYLOAD. MariaDB's GTID says itself
 * whether a body follows, and stands for BEGIN and XA START.
 */
#include "capture/mysql/stream.h"
#include "proto/error.h"

#include <string.h>

#define HELD_MEMORY (1024 * 1024)
/* End of statement, no checks of keys or constraints, whole rows, foreign keys done above the
 * engine (MySQL 9.6), so that their rows are logged too. */
#define KNOWN_ROW_FLAGS 0x9f

typedef struct MysqlSavepoint {
    char *name;
    guint64 place; /* in group.held */
} MysqlSavepoint;

static void clear_savepoint(gpointer data)
{
    g_free(((MysqlSavepoint *)data)->name);
}

void mysql_group_init(MysqlStream *stream)
{
    stream->group.savepoints = g_array_new(false, false, sizeof(MysqlSavepoint));
    g_array_set_clear_func(stream->group.savepoints, clear_savepoint);
    stream->resume = g_string_new(NULL);
}

void mysql_group_clear(MysqlStream *stream)
{
    g_clear_pointer(&stream->group.held, held_free);
    g_array_unref(stream->group.savepoints);
    g_string_free(stream->resume, true);
}

static StreamResult fail(MysqlStream *stream, const char *what, GError **error)
{
    mysql_fail_at(&stream->event, error,
                  "%s; the stream is broken: run drover again, and report this if it stays", what);
    return STREAM_FAILED;
}

/* ---- the ends of groups ---- */

static void forget_savepoints(MysqlGroup *group)
{
    g_array_set_size(group->savepoints, 0);
}

/* A group that was handed out before has been read again. On another server than the one before
 * they may stand among new ones. */
static void note_again(MysqlStream *stream)
{
    if (!stream->due)
        return;
    executed_add(stream->again, &stream->group.gtid);
    if (!executed_covers(stream->again, stream->due))
        return;
    g_clear_pointer(&stream->due, executed_free);
    g_clear_pointer(&stream->again, executed_free);
}

/* The group ends here; what is held of it counts. */
static StreamResult finish(MysqlStream *stream, StreamEvent *event)
{
    MysqlGroup *group = &stream->group;
    group->open = false;
    forget_savepoints(group);
    if (group->skipping) {
        g_clear_pointer(&group->held, held_free);
        note_again(stream);
        return STREAM_TIMEOUT;
    }
    executed_add(stream->executed, &group->gtid);
    if (group->held && held_is_empty(group->held))
        g_clear_pointer(&group->held, held_free);
    stream->pending.held = group->held != NULL;
    stream->pending.commit = group->begun || mysql_has_pending(stream);
    if (!stream->pending.commit)
        return mysql_report(stream, stream->event.next_position, false, event);
    stream->position =
        (Position){.major = stream->file_major, .minor = stream->event.next_position};
    if (group->gtid.mariadb)
        group->commit_time = (gint64)stream->event.timestamp * G_USEC_PER_SEC;
    return STREAM_TIMEOUT;
}

/* What is logged so has changes of tables that cannot take them back beside others that did. */
static StreamResult roll_back(MysqlStream *stream, StreamEvent *event, GError **error)
{
    MysqlGroup *group = &stream->group;
    if (!group->skipping && (group->begun || (group->held && !held_is_empty(group->held)))) {
        mysql_fail_at(&stream->event, error,
                      "a transaction was rolled back of which the log does not tell the changes "
                      "that stay (tables without transactions) from those that do not; use one "
                      "engine in a transaction, then start the migration over (drover drop, then "
                      "run)");
        return STREAM_FAILED;
    }
    return finish(stream, event);
}

/* ---- savepoints ---- */

static StreamResult set_savepoint(MysqlStream *stream, const QueryMeaning *meaning)
{
    MysqlGroup *group = &stream->group;
    if (!meaning->name || (group->skipping && !group->xa))
        return STREAM_TIMEOUT;
    if (!group->held)
        group->held = held_new(HELD_MEMORY);
    MysqlSavepoint savepoint = {.name = g_strdup(meaning->name), .place = held_place(group->held)};
    g_array_append_val(group->savepoints, savepoint);
    return STREAM_TIMEOUT;
}

/* Of two with one name the newer one counts; those behind it are gone. */
static StreamResult return_to_savepoint(MysqlStream *stream, const QueryMeaning *meaning,
                                        GError **error)
{
    MysqlGroup *group = &stream->group;
    if (group->skipping && !group->xa)
        return STREAM_TIMEOUT;
    for (guint i = group->savepoints->len; i > 0; i--) {
        const MysqlSavepoint *savepoint = &g_array_index(group->savepoints, MysqlSavepoint, i - 1);
        g_autofree char *name = g_utf8_casefold(savepoint->name, -1);
        g_autofree char *wanted = g_utf8_casefold(meaning->name, -1);
        if (strcmp(name, wanted) != 0)
            continue;
        if (!held_cut(group->held, savepoint->place, error))
            return STREAM_FAILED;
        g_array_set_size(group->savepoints, i);
        return STREAM_TIMEOUT;
    }
    mysql_fail_at(&stream->event, error,
                  "a transaction goes back to savepoint \"%s\", which the log did not name before; "
                  "start the migration over (drover drop, then run)",
                  meaning->name);
    return STREAM_FAILED;
}

/* ---- XA ---- */

static void start_xa(MysqlStream *stream)
{
    stream->group.body = stream->group.xa = true;
    if (!stream->group.held)
        stream->group.held = held_new(HELD_MEMORY);
}

static StreamResult prepare_xa(MysqlStream *stream, StreamEvent *event, GError **error)
{
    MysqlGroup *group = &stream->group;
    if (!group->open || !group->xa)
        return fail(stream, "an XA transaction is prepared that was not begun", error);
    if (stream->event.xa_prepare.one_phase)
        return finish(stream, event);
    g_autofree char *name = prepared_name_of_xid(&stream->event.xa_prepare.xid);
    const char *since = group->skipping ? stream->since : executed_text(stream->executed);
    if (!prepared_add(stream->prepared, name, g_steal_pointer(&group->held), since, error)) {
        g_prefix_error(error, "source log at %s:%" G_GUINT64_FORMAT ": ", stream->event.file,
                       stream->event.position);
        return STREAM_FAILED;
    }
    return finish(stream, event);
}

static StreamResult end_xa(MysqlStream *stream, const QueryMeaning *meaning, StreamEvent *event,
                           GError **error)
{
    MysqlGroup *group = &stream->group;
    g_autofree char *name = prepared_name_of_text(meaning->xid);
    if (!name)
        return fail(stream, "the name of an XA transaction has an unknown form", error);
    g_clear_pointer(&group->held, held_free);
    bool known = prepared_take(stream->prepared, name, &group->held);
    if (!known && !group->skipping && meaning->kind == QUERY_XA_COMMIT) {
        mysql_fail_at(&stream->event, error,
                      "XA transaction %s is committed, which was prepared before the migration "
                      "began: its changes are not in this part of the log; start the migration "
                      "over (drover drop, then run)",
                      name);
        return STREAM_FAILED;
    }
    if (meaning->kind == QUERY_XA_ROLLBACK)
        g_clear_pointer(&group->held, held_free);
    return finish(stream, event);
}

/* ---- events ---- */

static gint64 commit_time_of(const BinlogEvent *event)
{
    if (event->kind == BINLOG_GTID && event->gtid.original_commit_time > 0)
        return (gint64)event->gtid.original_commit_time;
    return (gint64)event->timestamp * G_USEC_PER_SEC;
}

/* What the caller has had is skipped while it is being read again; the same GTID behind that is
 * none that can be told from what is there. */
static bool is_repeated(MysqlStream *stream, bool *repeated, GError **error)
{
    Position start = {.major = stream->file_major, .minor = stream->event.position};
    *repeated = executed_contains(stream->executed, &stream->group.gtid);
    if (!*repeated || (stream->due && executed_contains(stream->due, &stream->group.gtid)) ||
        (stream->since && position_compare(start, stream->from) < 0))
        return true;
    g_autofree char *text = executed_gtid_text(&stream->group.gtid);
    mysql_fail_at(&stream->event, error,
                  "transaction %s comes a second time, or behind a later one of its domain; on "
                  "MariaDB set gtid_strict_mode=ON; start the migration over (drover drop, then "
                  "run)",
                  text);
    return false;
}

static StreamResult take_gtid(MysqlStream *stream, GError **error)
{
    const BinlogEvent *event = &stream->event;
    MysqlGroup *group = &stream->group;
    if (group->open)
        return fail(stream, "a transaction begins inside another", error);
    group->gtid = executed_gtid_of(event);
    group->commit_time = commit_time_of(event);
    group->body = group->xa = group->begun = false;
    if (!is_repeated(stream, &group->skipping, error))
        return STREAM_FAILED;
    group->open = true;
    if (event->kind == BINLOG_MARIADB_GTID) {
        group->body = !event->mariadb_gtid.standalone;
        if (event->mariadb_gtid.prepared_xa)
            start_xa(stream);
    }
    return STREAM_TIMEOUT;
}

static StreamResult take_statement(MysqlStream *stream, const QueryMeaning *meaning,
                                   StreamEvent *event, GError **error)
{
    MysqlGroup *group = &stream->group;
    const Table *truncated = NULL;
    if (!group->skipping &&
        !mysql_statement_judge(stream->relations, &stream->event, meaning, stream->catalog.reaches,
                               stream->catalog.user, &truncated, error))
        return STREAM_FAILED;
    if (truncated && group->held) {
        Change change = {.operation = OPERATION_TRUNCATE,
                         .table = truncated->id,
                         .schema_version = truncated->version};
        if (!held_add(group->held, &change, error))
            return STREAM_FAILED;
    } else {
        stream->pending.truncated = truncated;
    }
    return group->body ? STREAM_TIMEOUT : finish(stream, event);
}

static StreamResult take_meaning(MysqlStream *stream, const QueryMeaning *meaning,
                                 StreamEvent *event, GError **error)
{
    switch (meaning->kind) {
    case QUERY_BEGIN:
        stream->group.body = true;
        return STREAM_TIMEOUT;
    case QUERY_COMMIT:
        return finish(stream, event);
    case QUERY_ROLLBACK:
        return roll_back(stream, event, error);
    case QUERY_SAVEPOINT:
        return set_savepoint(stream, meaning);
    case QUERY_ROLLBACK_TO:
        return return_to_savepoint(stream, meaning, error);
    case QUERY_XA_START:
        start_xa(stream);
        return STREAM_TIMEOUT;
    case QUERY_XA_END:
        return STREAM_TIMEOUT;
    case QUERY_XA_COMMIT:
    case QUERY_XA_ROLLBACK:
        return end_xa(stream, meaning, event, error);
    case QUERY_TRUNCATE:
    case QUERY_HARMLESS:
    case QUERY_DDL:
    case QUERY_ROWS:
    case QUERY_STOP:
        return take_statement(stream, meaning, event, error);
    }
    return STREAM_FAILED;
}

static bool says(const BinlogQuery *query, const char *statement)
{
    return query->statement.size == strlen(statement) &&
           memcmp(query->statement.text, statement, query->statement.size) == 0;
}

static StreamResult take_query(MysqlStream *stream, StreamEvent *event, GError **error)
{
    const BinlogQuery *query = &stream->event.query;
    if (!stream->group.open)
        return fail(stream, "a statement without its GTID", error);
    if (says(query, "BEGIN")) {
        stream->group.body = true;
        return STREAM_TIMEOUT;
    }
    if (says(query, "COMMIT"))
        return finish(stream, event);
    g_auto(QueryMeaning) meaning = query_classify(query);
    return take_meaning(stream, &meaning, event, error);
}

static StreamResult take_rows(MysqlStream *stream, GError **error)
{
    MysqlGroup *group = &stream->group;
    const BinlogRows *rows = &stream->event.rows;
    if (!group->open || !group->body)
        return fail(stream, "rows outside of a transaction", error);
    if (group->skipping && !group->xa)
        return STREAM_TIMEOUT;
    const MysqlRelation *relation =
        mysql_relations_get(stream->relations, &stream->event, rows->table, error);
    if (!relation)
        return STREAM_FAILED;
    if (!relation->table)
        return STREAM_TIMEOUT;
    if (rows->flags & ~KNOWN_ROW_FLAGS) {
        mysql_fail_at(&stream->event, error, "rows with unknown flags 0x%04x: update drover",
                      rows->flags);
        return STREAM_FAILED;
    }
    mysql_decode_start(stream->decode, &stream->event, relation);
    stream->pending.rows = true;
    return STREAM_TIMEOUT;
}

static StreamResult take_rotate(MysqlStream *stream, StreamEvent *event, GError **error)
{
    const BinlogEvent *rotate = &stream->event;
    if (!(rotate->flags & BINLOG_EVENT_ARTIFICIAL))
        return STREAM_TIMEOUT;
    return mysql_log_file_major(stream->era, rotate->file, &stream->file_major, error)
               ? mysql_report(stream, rotate->rotate.position, false, event)
               : STREAM_FAILED;
}

/* A server that died while it wrote a transaction goes on in a new file. */
static StreamResult take_format(MysqlStream *stream, GError **error)
{
    mysql_relations_clear(stream->relations);
    if (!stream->group.open)
        return STREAM_TIMEOUT;
    if (!stream->group.begun) {
        stream->group.open = false;
        forget_savepoints(&stream->group);
        g_clear_pointer(&stream->group.held, held_free);
        return STREAM_TIMEOUT;
    }
    mysql_fail_at(&stream->event, error,
                  "the log file before ends inside of a transaction: the server stopped while it "
                  "wrote it, and its changes up to there were handed on; start the migration over "
                  "(drover drop, then run)");
    return STREAM_FAILED;
}

static StreamResult take_previous(MysqlStream *stream, StreamEvent *event, GError **error)
{
    bool contains;
    if (!executed_contains_previous(stream->executed, &stream->event, &contains, error))
        return STREAM_FAILED;
    if (contains)
        return mysql_report(stream, stream->event.next_position, false, event);
    mysql_fail_at(&stream->event, error,
                  "the log file begins after transactions that did not come through: the log has "
                  "a gap; start the migration over (drover drop, then run)");
    return STREAM_FAILED;
}

static StreamResult take_heartbeat(MysqlStream *stream, StreamEvent *event)
{
    const BinlogEvent *heartbeat = &stream->event;
    gsize size = strlen(heartbeat->file);
    bool here = heartbeat->heartbeat.file.size == size &&
                memcmp(heartbeat->heartbeat.file.text, heartbeat->file, size) == 0;
    return mysql_report(stream,
                        here ? MAX(heartbeat->heartbeat.position, heartbeat->next_position)
                             : heartbeat->next_position,
                        true, event);
}

static StreamResult fail_incident(MysqlStream *stream, GError **error)
{
    BinlogText message = stream->event.incident.message;
    g_autofree char *text = g_strndup(message.text, message.size);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    mysql_fail_at(&stream->event, error,
                  "the server says that changes are missing here (incident %u: %s); start the "
                  "migration over (drover drop, then run)",
                  stream->event.incident.number, valid);
    return STREAM_FAILED;
}

static StreamResult fail_anonymous(MysqlStream *stream, GError **error)
{
    mysql_fail_at(&stream->event, error,
                  "a transaction without a GTID; set gtid_mode=ON on the source (by way of "
                  "ON_PERMISSIVE), then start the migration over (drover drop, then run)");
    return STREAM_FAILED;
}

StreamResult mysql_group_take(MysqlStream *stream, StreamEvent *event, GError **error)
{
    switch (stream->event.kind) {
    case BINLOG_FORMAT_DESCRIPTION:
        return take_format(stream, error);
    case BINLOG_ROTATE:
        return take_rotate(stream, event, error);
    case BINLOG_HEARTBEAT:
        return take_heartbeat(stream, event);
    case BINLOG_INCIDENT:
        return fail_incident(stream, error);
    case BINLOG_GTID:
    case BINLOG_MARIADB_GTID:
        return take_gtid(stream, error);
    case BINLOG_ANONYMOUS_GTID:
        return fail_anonymous(stream, error);
    case BINLOG_PREVIOUS_GTIDS:
    case BINLOG_MARIADB_GTID_LIST:
        return take_previous(stream, event, error);
    case BINLOG_QUERY:
        return take_query(stream, event, error);
    case BINLOG_XID:
        return stream->group.open ? finish(stream, event)
                                  : fail(stream, "a commit without its transaction", error);
    case BINLOG_XA_PREPARE:
        return prepare_xa(stream, event, error);
    case BINLOG_ROWS:
        return take_rows(stream, error);
    case BINLOG_STOP:
    case BINLOG_OTHER:
        return mysql_report(stream, stream->event.next_position, false, event);
    case BINLOG_ANNOTATE:
    case BINLOG_TABLE_MAP:
    case BINLOG_PAYLOAD:
        return STREAM_TIMEOUT;
    }
    return fail(stream, "an event of unknown kind", error);
}
