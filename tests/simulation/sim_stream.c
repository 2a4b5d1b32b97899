/* The slot and who streams from it. */
#include "proto/error.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/sim_session.h"
#include "tests/simulation/world.h"

#include <string.h>

static struct {
    guint64 confirmed;
    guint64 persisted; /* what a crash leaves of it */
    SimStream *active;
    GPtrArray *streams;            /* SimStream *: the server's */
    guint32 truncated[SIM_TABLES]; /* what the last event pointed at */
} slot;

void sim_source_begin(void)
{
    database_begin();
    database_export_snapshot();
    memset(&slot, 0, sizeof slot);
    slot.confirmed = slot.persisted = database.start;
    slot.streams = g_ptr_array_new_with_free_func(g_free);
    world.migration.start.major = database.start;
    world.migration.start_resume = database_resume_at(database.start);
    trace("source: P0 is %" G_GUINT64_FORMAT, database.start);
}

void sim_source_end(void)
{
    g_clear_pointer(&world.migration.start_resume, g_free);
    g_ptr_array_unref(slot.streams);
    database_end();
}

guint64 sim_source_acknowledged(void)
{
    return slot.confirmed;
}

static void end_stream(SimStream *stream)
{
    stream->ended = true;
    stream->on_the_way = pick(4);
    if (slot.active == stream)
        slot.active = NULL;
}

void sim_source_crash(void)
{
    slot.confirmed = slot.persisted;
    database_crash();
    for (guint i = 0; i < slot.streams->len; i++)
        end_stream(g_ptr_array_index(slot.streams, i));
}

void sim_source_notice(bool silent)
{
    SimStream *stream = slot.active;
    if (stream == NULL || (!stream->abandoned && !silent))
        return;
    trace("source: ends the stream of %s",
          stream->abandoned ? "a process that is gone" : "a silent client");
    end_stream(stream);
}

/* ---- start and end ---- */

void stream_close(Source *source)
{
    SimStream *stream = source->stream;
    g_clear_pointer(&source->texts, g_free);
    g_clear_pointer(&source->resume, g_free);
    source->stream = NULL;
    if (stream == NULL)
        return;
    if (source->owner->killed && slot.active == stream) {
        stream->abandoned = true;
        return;
    }
    end_stream(stream);
    g_ptr_array_remove_fast(slot.streams, stream);
}

static bool take_slot(Position from, bool take_over, GError **error)
{
    if (slot.confirmed > from.major) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "source: the slot has moved on to %" G_GUINT64_FORMAT
                    ", the bus ends at %" G_GUINT64_FORMAT,
                    slot.confirmed, from.major);
        return false;
    }
    if (slot.active == NULL)
        return true;
    if (take_over) {
        COVER(slot_is_taken_over);
        end_stream(slot.active);
        return true;
    }
    COVER(slot_is_in_use);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "source: the slot is in use");
    return false;
}

bool stream_start(Source *source, const Migration *migration, Position from, const char *resume,
                  bool take_over, GError **error)
{
    g_autofree char *expected = database_resume_at(from.major);
    (void)migration;
    if (g_strcmp0(resume, expected) != 0)
        world_fail("a stream starts at %" G_GUINT64_FORMAT " with the wrong resume text",
                   from.major);
    if (!source_call(source, "source.stream_start", error))
        return false;
    stream_close(source);
    if (!take_slot(from, take_over, error))
        return false;
    SimStream *stream = g_new0(SimStream, 1);
    stream->entry = database_entry_after(from.major);
    stream->sent = from.major;
    g_ptr_array_add(slot.streams, stream);
    slot.active = source->stream = stream;
    trace("   ... from %" G_GUINT64_FORMAT, from.major);
    return source_answer(source, error);
}

bool stream_acknowledge(Source *source, Position durable, GError **error)
{
    if (!source_call(source, "source.stream_acknowledge", error))
        return false;
    trace("   ... %" G_GUINT64_FORMAT, durable.major);
    checks_acknowledged(durable.major);
    if (slot.active == source->stream)
        slot.confirmed = MAX(slot.confirmed, durable.major);
    if (chance(30))
        slot.persisted = slot.confirmed;
    return source_answer(source, error);
}

/* ---- events ---- */

static void fill_truncate(StreamEvent *event, const Event *of)
{
    for (guint t = 0; t < SIM_TABLES; t++)
        if (of->truncated >> t & 1)
            slot.truncated[event->n_truncated++] = t + 1;
    event->truncated = slot.truncated;
}

/* The bytes are new memory each time, and the old ones are gone, as the contract allows. */
static void fill_change(Source *source, StreamEvent *event, const Event *of)
{
    const Table *table = migration_table(&world.migration, of->table + 1);
    event->change =
        (Change){.operation = of->operation, .table = table->id, .schema_version = table->version};
    g_free(source->texts);
    source->texts = g_new(RowTexts, 2);
    if (of->operation == OPERATION_TRUNCATE) {
        fill_truncate(event, of);
        return;
    }
    bool moved = of->operation == OPERATION_UPDATE && of->old_key != of->key;
    if (moved || of->operation == OPERATION_DELETE) {
        rows_fill_key(&source->texts[0], of->table, of->old_key);
        event->change.old_key = source->texts[0].row;
    }
    if (of->operation != OPERATION_DELETE) {
        rows_fill(&source->texts[1], of->table, of->key, &of->image, of->unchanged);
        event->change.row = source->texts[1].row;
    }
}

static StreamResult send_marker(SimStream *stream, const LogEntry *entry, StreamEvent *event)
{
    stream->entry++;
    stream->sent = event->position.major = entry->end;
    event->marker = true;
    return STREAM_POSITION;
}

static StreamResult send_part(Source *source, const LogEntry *entry, StreamEvent *event)
{
    SimStream *stream = source->stream;
    const Txn *txn = entry->txn;
    event->transaction =
        (Transaction){.xid = txn->xid, .commit_time = 1000000 + (gint64)entry->end};
    if (!stream->in_transaction) {
        stream->in_transaction = true;
        stream->event = 0;
        return STREAM_BEGIN;
    }
    if (stream->event < txn->events->len) {
        fill_change(source, event, &g_array_index(txn->events, Event, stream->event++));
        return STREAM_CHANGE;
    }
    stream->in_transaction = false;
    stream->entry++;
    stream->sent = event->transaction.position.major = event->position.major = entry->end;
    return STREAM_COMMIT;
}

static const LogEntry *next_entry(const SimStream *stream)
{
    if (stream->entry >= database.log->len)
        return NULL;
    return &g_array_index(database.log, LogEntry, stream->entry);
}

/* Nothing is in flight: the log was read up to somewhere before the next commit's record. */
static StreamResult send_keepalive(SimStream *stream, const LogEntry *next, StreamEvent *event)
{
    guint64 limit = database.flushed;
    if (next != NULL)
        limit = MIN(limit, next->start);
    limit = MAX(limit, stream->sent);
    stream->sent += pick((guint)(limit - stream->sent) + 1);
    event->position.major = stream->sent;
    event->reply_wanted = chance(20);
    return STREAM_POSITION;
}

static StreamResult send_next(Source *source, int timeout_ms, StreamEvent *event)
{
    SimStream *stream = source->stream;
    const LogEntry *next = next_entry(stream);
    if (!stream->in_transaction && chance(6))
        return send_keepalive(stream, next, event);
    if (next == NULL || next->end > database.flushed || (!world.calm && chance(8))) {
        world.clock += timeout_ms * 1000;
        return STREAM_TIMEOUT;
    }
    return next->txn == NULL ? send_marker(stream, next, event) : send_part(source, next, event);
}

StreamResult stream_next(Source *source, int timeout_ms, StreamEvent *event, GError **error)
{
    *event = (StreamEvent){0};
    if (!source_call(source, "source.stream_next", error))
        return STREAM_FAILED;
    SimStream *stream = source->stream;
    if (stream->ended && stream->on_the_way-- == 0) {
        source->lost = true;
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "source: the stream was ended");
        return STREAM_FAILED;
    }
    StreamResult result = send_next(source, timeout_ms, event);
    g_free(source->resume);
    source->resume = result == STREAM_COMMIT || result == STREAM_POSITION
                         ? database_resume_at(event->position.major)
                         : NULL;
    event->resume = event->transaction.resume = source->resume;
    return source_answer(source, error) ? result : STREAM_FAILED;
}
