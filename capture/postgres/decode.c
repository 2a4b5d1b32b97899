/*
 * A transaction comes whole: begin, relations where the server has not described them yet, changes,
 * commit. Values that an update leaves out are completed from the old row where the log has it.
 */
#include "capture/postgres/decode.h"

#include "proto/error.h"

/* ---- changes ---- */

static bool fail_row(const Table *table, const char *column, const char *what, guint64 lsn,
                     GError **error)
{
    char position[POSITION_TEXT_SIZE];
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source log at %s: table %s, column \"%s\": %s",
                position_format((Position){.major = lsn}, position), table->label, column, what);
    return false;
}

/* The old row tells what the new one calls unchanged: all of it where the replica identity is the
 * full row, else the key's columns (the others are empty there). */
static void complete_row(const Table *table, const Cell *old, bool full, Cell *row)
{
    for (guint i = 0; i < table->n_columns; i++)
        if (row[i].kind == CELL_UNCHANGED && (full || table->columns[i].key_place >= 0) &&
            old[i].kind == CELL_VALUE)
            row[i] = old[i];
}

static bool check_key(const Table *table, const Cell *row, guint64 lsn, GError **error)
{
    for (guint i = 0; i < table->n_key; i++) {
        if (row[table->key[i]].kind == CELL_VALUE)
            continue;
        return fail_row(table, table->columns[table->key[i]].name,
                        "the log does not have this column of the key; update the server to its "
                        "latest minor version, then start the migration over",
                        lsn, error);
    }
    return true;
}

static bool check_insert(const Table *table, const Cell *row, guint64 lsn, GError **error)
{
    for (guint i = 0; i < table->n_columns; i++)
        if (row[i].kind == CELL_UNCHANGED || row[i].kind == CELL_ABSENT)
            return fail_row(table, table->columns[i].name,
                            "an inserted row without a value; the stream is broken: run drover "
                            "again, and report this if it stays",
                            lsn, error);
    return true;
}

static Cell *cells_of(GArray *array, guint n)
{
    if (array->len < n)
        g_array_set_size(array, n);
    return (Cell *)(void *)array->data;
}

static bool fill_old(Stream *stream, const Relation *relation, const PgoutputMessage *message,
                     guint64 lsn, Change *change, GError **error)
{
    const Table *table = relation->table;
    Cell *old = cells_of(stream->old, table->n_columns);
    if (!relation_cells(relation, &message->change.old, lsn, old, error) ||
        !check_key(table, old, lsn, error))
        return false;
    Row old_row = {.cells = old, .n_cells = table->n_columns};
    table_key_of(table, &old_row, cells_of(stream->old_key, table->n_key), &change->old_key);
    return true;
}

/* An update that leaves the key alone gives no old key. */
static bool key_stays(const Table *table, const Change *change)
{
    for (guint i = 0; i < table->n_key; i++) {
        Row old = {.cells = &change->old_key.cells[i], .n_cells = 1};
        Row new = {.cells = &change->row.cells[table->key[i]], .n_cells = 1};
        if (!row_equal(&old, &new))
            return false;
    }
    return true;
}

static bool fill_new(Stream *stream, const Relation *relation, const PgoutputMessage *message,
                     guint64 lsn, Change *change, GError **error)
{
    const Table *table = relation->table;
    Cell *row = cells_of(stream->row, table->n_columns);
    bool has_old = message->change.old_kind != PGOUTPUT_NO_OLD;
    if (!relation_cells(relation, &message->change.row, lsn, row, error))
        return false;
    if (has_old)
        complete_row(table, cells_of(stream->old, table->n_columns),
                     message->change.old_kind == PGOUTPUT_OLD_ROW, row);
    change->row = (Row){.cells = row, .n_cells = table->n_columns};
    if (message->kind == PGOUTPUT_INSERT && !check_insert(table, row, lsn, error))
        return false;
    if (!check_key(table, row, lsn, error))
        return false;
    if (has_old && key_stays(table, change))
        change->old_key = (Row){0};
    return true;
}

static Operation operation_of(PgoutputKind kind)
{
    if (kind == PGOUTPUT_INSERT)
        return OPERATION_INSERT;
    return kind == PGOUTPUT_UPDATE ? OPERATION_UPDATE : OPERATION_DELETE;
}

static bool fill_change(Stream *stream, const PgoutputMessage *message, guint64 lsn, Change *change,
                        GError **error)
{
    const Relation *relation =
        relation_map_get(stream->relations, message->change.relation, lsn, error);
    if (!relation)
        return false;
    *change = (Change){.operation = operation_of(message->kind),
                       .table = relation->table->id,
                       .schema_version = relation->table->version};
    if (message->change.old_kind != PGOUTPUT_NO_OLD &&
        !fill_old(stream, relation, message, lsn, change, error))
        return false;
    return message->kind == PGOUTPUT_DELETE ||
           fill_new(stream, relation, message, lsn, change, error);
}

static bool fill_truncate(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                          StreamEvent *event, GError **error)
{
    g_array_set_size(stream->truncated, 0);
    event->change = (Change){.operation = OPERATION_TRUNCATE};
    for (guint i = 0; i < message->truncate.n_relations; i++) {
        const Relation *relation =
            relation_map_get(stream->relations, message->truncate.relations[i], lsn, error);
        if (!relation)
            return false;
        if (i == 0) {
            event->change.table = relation->table->id;
            event->change.schema_version = relation->table->version;
        }
        g_array_append_val(stream->truncated, relation->table->id);
    }
    event->n_truncated = stream->truncated->len;
    event->truncated = (const guint32 *)(void *)stream->truncated->data;
    return true;
}

/* ---- messages ---- */

typedef StreamResult (*Handler)(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                StreamEvent *event, GError **error);

/* Neighbours in the log are less than 2^31 transactions apart. */
static guint64 widen_xid(Stream *stream, guint32 xid)
{
    gint32 distance = (gint32)(xid - (guint32)stream->last_xid);
    stream->last_xid += (guint64)(gint64)distance;
    return stream->last_xid;
}

static StreamResult fail_order(const char *what, guint64 lsn, GError **error)
{
    char position[POSITION_TEXT_SIZE];
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source log at %s: %s; the stream is broken: run drover again, and report this if "
                "it stays",
                position_format((Position){.major = lsn}, position), what);
    return STREAM_FAILED;
}

static StreamResult handle_begin(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                 StreamEvent *event, GError **error)
{
    if (stream->in_transaction)
        return fail_order("a transaction begins inside another", lsn, error);
    stream->in_transaction = true;
    stream->skipping = message->begin.commit_lsn < stream->from.major;
    stream->commit_lsn = message->begin.commit_lsn;
    stream->transaction = (Transaction){.xid = widen_xid(stream, message->begin.xid),
                                        .commit_time = message->begin.commit_time};
    event->transaction = stream->transaction;
    return stream->skipping ? STREAM_TIMEOUT : STREAM_BEGIN;
}

static StreamResult handle_commit(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                  StreamEvent *event, GError **error)
{
    if (!stream->in_transaction)
        return fail_order("a commit without its transaction", lsn, error);
    stream->in_transaction = false;
    stream->transaction.position = (Position){.major = message->commit.end_lsn};
    stream->transaction.commit_time = message->commit.commit_time;
    event->transaction = stream->transaction;
    event->position = stream->transaction.position;
    return stream->skipping ? STREAM_TIMEOUT : STREAM_COMMIT;
}

static StreamResult handle_change(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                  StreamEvent *event, GError **error)
{
    if (!stream->in_transaction)
        return fail_order("a change without its transaction", lsn, error);
    if (stream->skipping)
        return STREAM_TIMEOUT;
    event->transaction = stream->transaction;
    bool filled = message->kind == PGOUTPUT_TRUNCATE
                      ? fill_truncate(stream, message, lsn, event, error)
                      : fill_change(stream, message, lsn, &event->change, error);
    if (!filled)
        return STREAM_FAILED;
    return message->kind == PGOUTPUT_TRUNCATE && event->n_truncated == 0 ? STREAM_TIMEOUT
                                                                         : STREAM_CHANGE;
}

static StreamResult handle_relation(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                    StreamEvent *event, GError **error)
{
    (void)event;
    return relation_map_put(stream->relations, message, lsn, error) ? STREAM_TIMEOUT
                                                                    : STREAM_FAILED;
}

/* Our own markers between transactions tell a position; other messages are other programs' affair.
 */
static StreamResult handle_message(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                   StreamEvent *event, GError **error)
{
    (void)lsn, (void)error;
    if (message->message.transactional || stream->in_transaction ||
        !g_str_equal(message->message.prefix, "drover"))
        return STREAM_TIMEOUT;
    event->position = (Position){.major = message->message.lsn};
    event->marker = true;
    return STREAM_POSITION;
}

/* Origins and type names say nothing that is needed here. */
static StreamResult handle_harmless(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                                    StreamEvent *event, GError **error)
{
    (void)stream, (void)message, (void)lsn, (void)event, (void)error;
    return STREAM_TIMEOUT;
}

static Handler handler_of(PgoutputKind kind)
{
    switch (kind) {
    case PGOUTPUT_BEGIN:
        return handle_begin;
    case PGOUTPUT_COMMIT:
        return handle_commit;
    case PGOUTPUT_RELATION:
        return handle_relation;
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
    case PGOUTPUT_TRUNCATE:
        return handle_change;
    case PGOUTPUT_MESSAGE:
        return handle_message;
    case PGOUTPUT_ORIGIN:
    case PGOUTPUT_TYPE:
        return handle_harmless;
    }
    return handle_harmless;
}

StreamResult decode_message(Stream *stream, const PgoutputMessage *message, guint64 lsn,
                            StreamEvent *event, GError **error)
{
    /* The server gives descriptions of relations no place of their own. */
    if (lsn == 0 && stream->in_transaction)
        lsn = stream->commit_lsn;
    return handler_of(message->kind)(stream, message, lsn, event, error);
}
