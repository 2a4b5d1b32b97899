/*
 * One step: claim a chunk (chunk.c), read it from the source and write it to the target. The order
 * in which a chunk ends matters: rows read, rows written, HIGH flushed on the source, ledger row,
 * commit. Whatever fails before the commit leaves a chunk that is still to do.
 */
#include "capture/copy.h"

#include "capture/chunk.h"
#include "proto/error.h"
#include "schema/control.h"
#include "schema/ddl.h"

/* Microseconds between looks at the ledger while there is nothing to do. */
#define IDLE_WAIT 200000
/* The client library keeps the memory of a block this large for as long as the session lives. */
#define LARGE_BLOCK ((gsize)16 << 20)
/* Bytes between updates of the counters. */
#define COUNT_EVERY ((gsize)256 << 10)

struct Copy {
    CopySettings settings;
    char *snapshot;
    char *worker; /* copy-<n> */
    Source *source;
    Target *target; /* NULL, with source, where the sessions must be made anew */
    Control control;
    bool large_block_seen;
    bool abandoned; /* the runtime stops: the chunk was left, which is no failure */
};

/* --- Sessions --------------------------------------------------------------------------------- */

static void disconnect(Copy *copy)
{
    if (copy->source != NULL) {
        copy->settings.source->close(copy->source);
        copy->source = NULL;
    }
    if (copy->target != NULL) {
        copy->settings.target->close(copy->target);
        copy->target = NULL;
    }
}

static char *session_label(const Copy *copy)
{
    return g_strdup_printf("drover %s %s", copy->settings.migration->name, copy->worker);
}

static bool connect_source(Copy *copy, GError **error)
{
    g_autofree char *label = session_label(copy);
    copy->source = copy->settings.source->connect(copy->settings.migration->source, label, error);
    return copy->source != NULL;
}

static bool connect_both(Copy *copy, GError **error)
{
    const CopySettings *settings = &copy->settings;
    if (copy->target != NULL) {
        return true;
    }
    g_autofree char *label = session_label(copy);
    copy->target = settings->target->connect(settings->migration->target, label, error);
    copy->control = (Control){settings->target, copy->target, settings->migration};
    if (copy->target != NULL && settings->target->prepare_writes(copy->target, error) &&
        connect_source(copy, error)) {
        return true;
    }
    disconnect(copy);
    return false;
}

Copy *copy_new(const CopySettings *settings, GError **error)
{
    Copy *copy = g_new0(Copy, 1);
    copy->settings = *settings;
    copy->snapshot = g_strdup(settings->snapshot);
    copy->worker = g_strdup_printf("copy-%u", MAX(settings->worker, 1));
    if (!connect_both(copy, error) ||
        !control_worker_register(&copy->control, copy->worker, settings->epoch, error)) {
        copy_free(copy);
        return NULL;
    }
    return copy;
}

void copy_free(Copy *copy)
{
    if (copy != NULL) {
        disconnect(copy);
        g_free(copy->snapshot);
        g_free(copy->worker);
        g_free(copy);
    }
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* *exported: the read sees the snapshot that P0 was exported with. Where that is gone, with the
 * session that held it, new snapshots take its place. */
static bool begin_read(Copy *copy, ReadBounds *bounds, bool *exported, GError **error)
{
    const SourceOps *ops = copy->settings.source;
    *exported = copy->snapshot != NULL && !copy_board_snapshot_lost(copy->settings.board);
    if (!*exported) {
        return ops->read_begin(copy->source, NULL, bounds, error);
    }
    GError *why = NULL;
    if (ops->read_begin(copy->source, copy->snapshot, bounds, &why)) {
        return true;
    }
    if (drover_error_is_retry(why)) {
        g_propagate_error(error, why);
        return false;
    }
    if (copy_board_lose_snapshot(copy->settings.board)) {
        g_message("the exported snapshot is gone, the copy goes on with new ones: %s",
                  why->message);
    }
    g_error_free(why);
    *exported = false;
    read_bounds_clear(bounds);
    ops->close(copy->source);
    copy->source = NULL;
    return connect_source(copy, error) && ops->read_begin(copy->source, NULL, bounds, error);
}

static const Table *find_table(const Copy *copy, guint32 id, GError **error)
{
    const Table *table = migration_table(copy->settings.migration, id);
    if (table == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "drover.tables in the target has a table %u that migration \"%s\" has not", id,
                    copy->settings.migration->name);
    }
    return table;
}

/* --- Planning --------------------------------------------------------------------------------- */

static bool write_plan(Copy *copy, const Table *table, const GArray *ranges, GError **error)
{
    Control *control = &copy->control;
    if (!control_write_begin(control, copy->worker, copy->settings.epoch, error)) {
        return false;
    }
    if (control_chunks_add(control, table->id, ranges, error) &&
        control_table_state(control, table->id, "copying", error) &&
        control_commit(control, error)) {
        return true;
    }
    control_rollback(control);
    return false;
}

static bool plan_table(Copy *copy, const Table *table, GError **error)
{
    const SourceOps *ops = copy->settings.source;
    g_autoptr(GArray) ranges = NULL;
    ReadBounds bounds = {0};
    bool exported;
    gint64 rows = chunk_rows(table, copy->settings.migration->copy_workers);
    bool planned = begin_read(copy, &bounds, &exported, error) &&
                   ops->key_ranges(copy->source, table, rows, &ranges, error) &&
                   ops->read_end(copy->source, &bounds, error) &&
                   write_plan(copy, table, ranges, error);
    read_bounds_clear(&bounds);
    if (!planned) {
        g_prefix_error(error, "planning the copy of table %s: ", table->label);
    }
    return planned;
}

static bool plan_tables(Copy *copy, GError **error)
{
    g_autoptr(GArray) tables = NULL;
    if (!control_tables_unplanned(&copy->control, &tables, error)) {
        return false;
    }
    for (guint i = 0; i < tables->len; i++) {
        if (runtime_stopping(copy->settings.runtime)) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                        "stopped while the copy was planned; it goes on at the next start");
            return false;
        }
        const Table *table = find_table(copy, g_array_index(tables, guint32, i), error);
        if (table == NULL || !plan_table(copy, table, error)) {
            return false;
        }
    }
    return true;
}

bool copy_plan(const CopySettings *settings, GError **error)
{
    Copy *copy = copy_new(settings, error);
    bool planned = copy != NULL && plan_tables(copy, error);
    copy_free(copy);
    return planned;
}

/* --- One chunk -------------------------------------------------------------------------------- */

typedef struct Flow {
    Copy *copy;
    CopyClaim *claim;
    const ReadRequest *request;
    gint64 counted;  /* of request->rows */
    gsize uncounted; /* bytes */
} Flow;

/* Blocks may be as small as a row: the counters, which all workers share, hear of many at once. */
static void count(Flow *flow)
{
    guint64 rows = (guint64)(flow->request->rows - flow->counted);
    flow->counted = flow->request->rows;
    copy_board_count(flow->copy->settings.board, flow->claim, rows, flow->uncounted);
    flow->uncounted = 0;
}

static bool pass_block(void *user, const guint8 *data, gsize size, GError **error)
{
    Flow *flow = user;
    Copy *copy = flow->copy;
    if (runtime_stopping(copy->settings.runtime)) {
        copy->abandoned = true;
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "stopped inside a chunk");
        return false;
    }
    copy->large_block_seen |= size > LARGE_BLOCK;
    if (!copy->settings.target->copy_data(copy->target, data, size, error)) {
        return false;
    }
    flow->uncounted += size;
    if (flow->uncounted >= COUNT_EVERY) {
        count(flow);
    }
    return true;
}

static bool move_rows(Copy *copy, CopyClaim *claim, ReadRequest *request, ReadBounds *bounds,
                      GError **error)
{
    const SourceOps *source = copy->settings.source;
    const TargetOps *target = copy->settings.target;
    Flow flow = {copy, claim, request, 0, 0};
    ReadSink sink = {.bytes = pass_block, .user = &flow};
    gint64 written = 0;
    if (!target->copy_begin(copy->target, request->table, error) ||
        !source->read(copy->source, request, &sink, error) ||
        !target->copy_end(copy->target, &written, error) ||
        !source->read_end(copy->source, bounds, error)) {
        return false;
    }
    count(&flow);
    if (written != request->rows) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "%" G_GINT64_FORMAT " rows were read and %" G_GINT64_FORMAT " written",
                    request->rows, written);
        return false;
    }
    return true;
}

static bool note_storage(Copy *copy, const ReadRequest *request, GError **error)
{
    const Table *table = request->table;
    if (request->storage == table->storage) {
        return true;
    }
    g_autofree char *why =
        g_strdup_printf("the source rewrote or emptied %s during its copy (file %" G_GUINT64_FORMAT
                        " became %" G_GUINT64_FORMAT "); verify it",
                        table->label, table->storage, request->storage);
    return control_table_in_doubt(&copy->control, table->id, why, error);
}

static bool note_done(Copy *copy, const CopyClaim *claim, gint64 rows, Position high,
                      GError **error)
{
    bool last = false;
    gint64 bytes = (gint64)atomic_load(&claim->bytes);
    if (!control_chunk_done(&copy->control, claim->chunk, copy->worker, rows, bytes, high, &last,
                            error)) {
        return false;
    }
    return !last || control_table_state(&copy->control, claim->table, "copied", error);
}

static bool copy_chunk(Copy *copy, CopyClaim *claim, GError **error)
{
    const Table *table = find_table(copy, claim->table, error);
    if (table == NULL) {
        return false;
    }
    ReadRequest request = {.kind = READ_COPY, .table = table, .range = claim->chunk->range};
    ReadBounds bounds = {0};
    bool exported = false;
    bool copied = begin_read(copy, &bounds, &exported, error) &&
                  control_write_begin(&copy->control, copy->worker, copy->settings.epoch, error) &&
                  move_rows(copy, claim, &request, &bounds, error) &&
                  note_storage(copy, &request, error);
    /* All that the exported snapshot shows was there at P0. */
    Position high = exported ? copy->settings.migration->start : bounds.high;
    copied = copied && note_done(copy, claim, request.rows, high, error) &&
             control_commit(&copy->control, error);
    read_bounds_clear(&bounds);
    if (!copied) {
        g_prefix_error(error, "copying chunk %u of table %s: ", claim->chunk->number, table->label);
    }
    return copied;
}

/* --- Keys ------------------------------------------------------------------------------------- */

static bool build_key(Copy *copy, const CopyClaim *claim, GError **error)
{
    static const char *const kinds[] = {"key", NULL};
    Control *control = &copy->control;
    const Table *table = find_table(copy, claim->table, error);
    if (table == NULL) {
        return false;
    }
    if (!ddl_run(control, kinds, table->id, copy->settings.runtime, error)) {
        g_prefix_error(error, "building the key of table %s: ", table->label);
        return false;
    }
    /* A runtime that is stopping may have left the step out. */
    return runtime_stopping(copy->settings.runtime) ||
           (control_write_begin(control, copy->worker, copy->settings.epoch, error) &&
            control_table_state(control, table->id, "keyed", error) &&
            control_commit(control, error));
}

/* --- The step --------------------------------------------------------------------------------- */

static StepResult idle(Copy *copy)
{
    copy->settings.runtime->wait(copy->settings.runtime, IDLE_WAIT);
    return STEP_IDLE;
}

/* The sessions may be anywhere inside a COPY: closing them ends their transactions. */
static StepResult give_up(Copy *copy, GError **error, GError *failure)
{
    if (copy->target != NULL) {
        control_rollback(&copy->control);
    }
    disconnect(copy);
    if (copy->abandoned) {
        copy->abandoned = false;
        g_error_free(failure);
        return STEP_IDLE;
    }
    g_propagate_error(error, failure);
    return STEP_FAILED;
}

static bool look(Copy *copy, bool *paused, CopyClaim **claim, bool *finished, GError **error)
{
    g_autofree char *text = NULL;
    if (!connect_both(copy, error) || !control_get(&copy->control, "paused", &text, error)) {
        return false;
    }
    *paused = g_strcmp0(text, "t") == 0;
    return *paused ||
           copy_board_claim(copy->settings.board, &copy->control, claim, finished, error);
}

StepResult copy_step(Copy *copy, GError **error)
{
    CopyClaim *claim = NULL;
    bool paused = false, finished = false;
    GError *failure = NULL;
    if (runtime_stopping(copy->settings.runtime)) {
        return STEP_IDLE;
    }
    if (!look(copy, &paused, &claim, &finished, &failure)) {
        return give_up(copy, error, failure);
    }
    if (claim == NULL) {
        return finished ? STEP_DONE : idle(copy);
    }
    bool worked =
        claim->chunk != NULL ? copy_chunk(copy, claim, &failure) : build_key(copy, claim, &failure);
    StepResult result = worked ? STEP_WORKED : give_up(copy, error, failure);
    copy_board_release(copy->settings.board, claim, worked);
    if (copy->large_block_seen) {
        copy->large_block_seen = false;
        disconnect(copy);
    }
    return result;
}
