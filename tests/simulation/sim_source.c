/* Sessions and reads; the stream is in sim_stream.c. */
#include "tests/simulation/sim_source.h"

#include "proto/error.h"
#include "tests/simulation/sim_session.h"
#include "tests/simulation/sim_target.h"
#include "tests/simulation/world.h"

#include <string.h>

/* ---- sessions ---- */

static bool fail_lost(GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "source: the connection is lost");
    return false;
}

bool source_call(Source *source, const char *what, GError **error)
{
    if (!call_begin(what, error)) {
        source->lost = true;
        return false;
    }
    if (source->lost || source->crashes != database.crashes)
        return fail_lost(error);
    return true;
}

bool source_answer(Source *source, GError **error)
{
    bool answered = call_end(error);
    source->lost |= !answered;
    return answered;
}

static Source *sim_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint, (void)label;
    if (!call_begin("source.connect", error) || !call_end(error))
        return NULL;
    Source *source = g_new0(Source, 1);
    source->owner = process_current();
    source->crashes = database.crashes;
    return source;
}

static void end_read(Source *source)
{
    for (guint t = 0; t < SIM_TABLES; t++)
        if (source->locked >> t & 1 && source->crashes == database.crashes)
            database.readers[t]--;
    source->locked = 0;
    source->reading = false;
    read_bounds_clear(&source->bounds);
}

static void sim_close(Source *source)
{
    end_read(source);
    stream_close(source);
    g_free(source);
}

static bool sim_status(Source *source, const Migration *migration, bool emit, SourceStatus *status,
                       GError **error)
{
    (void)migration;
    *status = (SourceStatus){0};
    if (!source_call(source, emit ? "source.status with a marker" : "source.status", error))
        return false;
    *status = (SourceStatus){.head = {.major = database.flushed},
                             .acknowledged = {.major = sim_source_acknowledged()},
                             .oldest_xid = database_oldest_xid(),
                             .time = world.clock};
    if (emit)
        status->head.major = database_emit_marker();
    if (!source_answer(source, error))
        return false;
    status->identity = g_strdup(world.migration.source_identity);
    return true;
}

/* ---- reads ---- */

static void note_lacking(const ReadBounds *bounds)
{
    if (database_read_lacks(bounds, database.log_end))
        COVER(read_lacks_logged_commit);
}

static bool sim_read_begin(Source *source, const char *snapshot, ReadBounds *bounds, GError **error)
{
    *bounds = (ReadBounds){0};
    end_read(source);
    if (!source_call(source, snapshot != NULL ? "source.read_begin, exported" : "source.read_begin",
                     error))
        return false;
    if (snapshot == NULL) {
        database_snapshot(&source->bounds);
        note_lacking(&source->bounds);
    } else if (!database_import_snapshot(&source->bounds)) {
        COVER(exported_snapshot_is_gone);
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "source: no such snapshot");
        return false;
    }
    if (!source_answer(source, error))
        return false;
    source->reading = true;
    *bounds = source->bounds;
    bounds->running = g_array_copy(source->bounds.running);
    bounds->gtids = g_strdup(source->bounds.gtids);
    return true;
}

static bool sim_read_end(Source *source, ReadBounds *bounds, GError **error)
{
    if (!source_call(source, "source.read_end", error))
        return false;
    if (!source->reading)
        return fail_lost(error);
    if (source->overtaken)
        COVER(refetched_row_is_overtaken);
    source->overtaken = false;
    end_read(source);
    bounds->high.major = database.log_end;
    database_flush();
    return source_answer(source, error);
}

/* A reader waits for a TRUNCATE that is at work, and keeps others away until it ends. */
static bool lock_table(Source *source, guint table, GError **error)
{
    while (database_is_locked(table)) {
        COVER(read_waits_for_truncate);
        if (!call_wait("waits for a TRUNCATE", error))
            return false;
        if (source->crashes != database.crashes)
            return fail_lost(error);
    }
    if (!(source->locked >> table & 1))
        database.readers[table]++;
    source->locked |= 1u << table;
    return true;
}

static bool read_copy(Source *source, ReadRequest *request, const ReadSink *sink, GError **error)
{
    guint table = request->table->id - 1;
    char *const *lower = request->range.lower, *const *upper = request->range.upper;
    guint from = lower != NULL ? rows_key_of_bound(table, lower) : 0;
    guint to = upper != NULL ? rows_key_of_bound(table, upper) : SIM_KEYS;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    if (source->bounds.running->len > 0 && database_read_lacks(&source->bounds, database.log_end))
        COVER(chunk_lacks_logged_commit);
    for (guint key = from; key < to; key++) {
        Image image = database_read(&source->bounds, table, key);
        RowTexts texts;
        if (!image.there)
            continue;
        rows_fill(&texts, table, key, &image, 0);
        g_byte_array_set_size(packed, 0);
        row_pack(&texts.row, packed);
        request->rows++;
        if (!sink->bytes(sink->user, packed->data, packed->len, error))
            return false;
    }
    return true;
}

static bool read_rows(Source *source, const ReadRequest *request, const ReadSink *sink,
                      GError **error)
{
    guint table = request->table->id - 1;
    COVER(rows_are_refetched);
    if (database_read_lacks(&source->bounds, sim_target_position()))
        COVER(refetch_lacks_what_is_applied);
    for (guint i = 0; i < request->n_keys; i++) {
        guint key = rows_key_of(table, &request->keys[i]);
        Image image = database_read(&source->bounds, table, key);
        RowTexts texts;
        source->overtaken |= database_read_lacks_row(&source->bounds, table, key, database.log_end);
        if (!image.there)
            continue;
        rows_fill(&texts, table, key, &image, 0);
        if (!sink->row(sink->user, &texts.row, 0, error))
            return false;
    }
    return true;
}

static bool sim_read(Source *source, ReadRequest *request, const ReadSink *sink, GError **error)
{
    guint table = request->table->id - 1;
    if (!source_call(source, "source.read", error))
        return false;
    if (!source->reading)
        return fail_lost(error);
    g_assert(request->kind == READ_COPY || request->kind == READ_ROWS);
    bool read = lock_table(source, table, error) &&
                (request->kind == READ_COPY ? read_copy(source, request, sink, error)
                                            : read_rows(source, request, sink, error));
    if (!read)
        return false;
    if (source->crashes != database.crashes)
        return fail_lost(error);
    request->storage = request->table->storage + database.truncations[table];
    return source_answer(source, error);
}

static bool sim_key_ranges(Source *source, const Table *table, gint64 rows_per_range,
                           GArray **ranges, GError **error)
{
    (void)rows_per_range;
    if (!source_call(source, "source.key_ranges", error))
        return false;
    *ranges = g_array_new(FALSE, TRUE, sizeof(KeyRange));
    g_array_set_clear_func(*ranges, (GDestroyNotify)key_range_clear);
    KeyRange range = {0};
    for (guint key = 1; key < SIM_KEYS; key++) {
        if (chance(60))
            continue;
        range.upper = rows_bound(table->id - 1, key);
        g_array_append_val(*ranges, range);
        range = (KeyRange){.lower = rows_bound(table->id - 1, key)};
    }
    g_array_append_val(*ranges, range);
    if (source_answer(source, error))
        return true;
    g_clear_pointer(ranges, g_array_unref);
    return false;
}

const SourceOps sim_source_ops = {.engine = "simulation",
                                  .connect = sim_connect,
                                  .close = sim_close,
                                  .status = sim_status,
                                  .stream_start = stream_start,
                                  .stream_next = stream_next,
                                  .stream_acknowledge = stream_acknowledge,
                                  .read_begin = sim_read_begin,
                                  .read = sim_read,
                                  .read_end = sim_read_end,
                                  .key_ranges = sim_key_ranges};
