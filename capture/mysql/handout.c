/* Hands out, one by one, what the groups of the log have left to be handed out. */
#include "capture/mysql/stream.h"

#define MARKER_INTERVAL (100 * 1000)

/* ---- positions ---- */

static const char *resume_text(MysqlStream *stream)
{
    /* XA transactions that are open may be among what is still to be read again. */
    const char *since = stream->due ? stream->since : prepared_since(stream->prepared),
               *executed = executed_text(stream->executed);
    if (!since)
        return executed;
    g_string_printf(stream->resume, "%s" RESUME_SINCE "%s", executed, since);
    return stream->resume->str;
}

StreamResult mysql_report(MysqlStream *stream, guint64 offset, bool silent, StreamEvent *event)
{
    Position position = {.major = stream->file_major, .minor = offset};
    const Position *before = silent ? &stream->marked : &stream->reported;
    if (stream->group.open || stream->due || position_compare(position, *before) <= 0 ||
        position_compare(position, stream->reported) < 0)
        return STREAM_TIMEOUT;
    gint64 now = g_get_monotonic_time();
    event->marker = silent || now - stream->last_marker >= MARKER_INTERVAL;
    if (event->marker) {
        stream->last_marker = now;
        stream->marked = position;
    }
    stream->reported = stream->position = event->position = position;
    event->resume = resume_text(stream);
    return STREAM_POSITION;
}

/* ---- handing out ---- */

bool mysql_has_pending(const MysqlStream *stream)
{
    return stream->pending.truncated || stream->pending.rows || stream->pending.held;
}

static void fill_truncation(MysqlStream *stream, guint32 table, StreamEvent *event)
{
    stream->truncated = table;
    event->n_truncated = 1;
    event->truncated = &stream->truncated;
}

static StreamResult next_held(MysqlStream *stream, StreamEvent *event, GError **error)
{
    bool end = false;
    if (!held_next(stream->group.held, &event->change, &end, error))
        return STREAM_FAILED;
    if (event->change.operation == OPERATION_TRUNCATE)
        fill_truncation(stream, event->change.table, event);
    if (!end)
        return STREAM_CHANGE;
    stream->pending.held = false;
    g_clear_pointer(&stream->group.held, held_free);
    return STREAM_TIMEOUT;
}

static StreamResult next_truncation(MysqlStream *stream, StreamEvent *event)
{
    const Table *table = stream->pending.truncated;
    stream->pending.truncated = NULL;
    event->change = (Change){
        .operation = OPERATION_TRUNCATE, .table = table->id, .schema_version = table->version};
    fill_truncation(stream, table->id, event);
    return STREAM_CHANGE;
}

/* To the caller, or to where they are held. */
static StreamResult next_row(MysqlStream *stream, StreamEvent *event, GError **error)
{
    Held *held = stream->group.held;
    for (;;) {
        BinlogRowResult result = mysql_decode_next(stream->decode, &event->change, error);
        if (result == BINLOG_ROWS_FAILED)
            return STREAM_FAILED;
        if (result == BINLOG_ROWS_DONE)
            break;
        if (!held)
            return STREAM_CHANGE;
        if (!held_add(held, &event->change, error))
            return STREAM_FAILED;
    }
    stream->pending.rows = false;
    return STREAM_TIMEOUT;
}

static StreamResult next_commit(MysqlStream *stream, StreamEvent *event)
{
    stream->pending.commit = stream->group.begun = false;
    stream->reported = stream->marked = stream->position;
    event->transaction = (Transaction){.position = stream->position,
                                       .commit_time = stream->group.commit_time,
                                       .resume = resume_text(stream)};
    event->position = stream->position;
    event->resume = event->transaction.resume;
    return STREAM_COMMIT;
}

StreamResult mysql_group_next(MysqlStream *stream, StreamEvent *event, GError **error)
{
    MysqlPending *pending = &stream->pending;
    bool holding = pending->rows && stream->group.held;
    event->transaction.commit_time = stream->group.commit_time;
    if (mysql_has_pending(stream) && !holding && !stream->group.begun) {
        stream->group.begun = true;
        return STREAM_BEGIN;
    }
    if (pending->truncated)
        return next_truncation(stream, event);
    StreamResult result = STREAM_TIMEOUT;
    if (pending->rows)
        result = next_row(stream, event, error);
    if (result == STREAM_TIMEOUT && pending->held)
        result = next_held(stream, event, error);
    if (result == STREAM_TIMEOUT && pending->commit)
        result = next_commit(stream, event);
    return result;
}
