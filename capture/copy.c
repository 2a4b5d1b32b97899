/*
 * One step: open a transaction on the target, claim a chunk there, read it from the source and
 * write it. The order in which a chunk ends matters: rows read, rows written, HIGH flushed on the
 * source, ledger row, commit. Whatever fails before the commit leaves a chunk that is still to do,
 * and that any worker of any process may claim.
 */
#include "capture/copy.h"

#include "capture/chunk.h"
#include "proto/error.h"
#include "schema/control.h"
#include "schema/ddl.h"

#include <string.h>

/* Microseconds between looks at the ledger while there is nothing to do. */
#define IDLE_WAIT 200000
/* The client library keeps the memory of a block this large for as long as the session lives. */
#define LARGE_BLOCK ((gsize)16 << 20)
/* Bytes between updates of the counters. */
#define COUNT_EVERY ((gsize)256 << 10)

struct Copy {
    CopySettings settings;
    char *snapshot;  /* its name; NULL: there is none */
    guint64 visible; /* digest of the bounds of a read through it */
    char *worker;    /* copy-<epoch>-<n> */
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

static bool open_target(Copy *copy, GError **error)
{
    const CopySettings *settings = &copy->settings;
    g_autofree char *label = session_label(copy);
    copy->target = settings->target->connect(settings->migration->target, label, error);
    copy->control = (Control){settings->target, copy->target, settings->migration};
    return copy->target != NULL && settings->target->prepare_writes(copy->target, error) &&
           control_worker_register(&copy->control, copy->worker, settings->epoch, error);
}

static bool connect_both(Copy *copy, GError **error)
{
    if (copy->target != NULL) {
        return true;
    }
    if (open_target(copy, error) && connect_source(copy, error)) {
        return true;
    }
    disconnect(copy);
    return false;
}

static bool read_snapshot_text(Copy *copy, GError **error)
{
    const char *text = copy->settings.snapshot;
    const char *space = text != NULL ? strrchr(text, ' ') : NULL;
    if (text == NULL) {
        return true;
    }
    if (space != NULL &&
        g_ascii_string_to_unsigned(space + 1, 16, 0, G_MAXUINT64, &copy->visible, NULL)) {
        copy->snapshot = g_strndup(text, (gsize)(space - text));
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "drover.migration in the target holds \"%s\" where a snapshot is due", text);
    return false;
}

char *copy_snapshot_text(const SourceOps *ops, Source *reader, const char *name, GError **error)
{
    ReadBounds bounds = {0};
    char *text = NULL;
    if (ops->read_begin(reader, name, &bounds, error) && ops->read_end(reader, &bounds, error)) {
        text = g_strdup_printf("%s %" G_GINT64_MODIFIER "x", name, read_bounds_digest(&bounds));
    }
    read_bounds_clear(&bounds);
    return text;
}

Copy *copy_new(const CopySettings *settings, GError **error)
{
    Copy *copy = g_new0(Copy, 1);
    copy->settings = *settings;
    copy->worker =
        g_strdup_printf("copy-%" G_GUINT64_FORMAT "-%u", settings->epoch, MAX(settings->worker, 1));
    if (!read_snapshot_text(copy, error) || !connect_both(copy, error)) {
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

/* Another snapshot may have got the same name after the source was started again. */
static bool begin_exported(Copy *copy, ReadBounds *bounds, GError **error)
{
    if (!copy->settings.source->read_begin(copy->source, copy->snapshot, bounds, error)) {
        return false;
    }
    if (read_bounds_digest(bounds) == copy->visible) {
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "another snapshot has its name now");
    return false;
}

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
    if (begin_exported(copy, bounds, &why)) {
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

static bool begin_write(Copy *copy, GError **error)
{
    return control_write_begin(&copy->control, copy->worker, copy->settings.epoch, error) &&
           control_check_era(&copy->control, error);
}

/* --- Planning --------------------------------------------------------------------------------- */

/* In the transaction that has claimed the table; commits it. */
static bool plan_table(Copy *copy, guint32 id, GError **error)
{
    const SourceOps *ops = copy->settings.source;
    Control *control = &copy->control;
    const Table *table = find_table(copy, id, error);
    g_autoptr(GArray) ranges = NULL;
    ReadBounds bounds = {0};
    bool exported;
    if (table == NULL) {
        return false;
    }
    gint64 rows = chunk_rows(table, copy->settings.migration->copy_workers);
    bool planned = begin_read(copy, &bounds, &exported, error) &&
                   ops->key_ranges(copy->source, table, rows, &ranges, error) &&
                   ops->read_end(copy->source, &bounds, error) &&
                   control_chunks_add(control, id, ranges, error) &&
                   control_table_state(control, id, "copying", error) &&
                   control_commit(control, error);
    read_bounds_clear(&bounds);
    if (!planned) {
        g_prefix_error(error, "planning the copy of table %s: ", table->label);
    }
    return planned;
}

static bool plan_next(Copy *copy, bool *worked, GError **error)
{
    guint32 table = 0;
    if (!connect_both(copy, error) || !begin_write(copy, error) ||
        !control_plan_claim(&copy->control, &table, error)) {
        return false;
    }
    *worked = table != 0;
    return *worked ? plan_table(copy, table, error) : control_abandon(&copy->control, error);
}

/* --- One chunk -------------------------------------------------------------------------------- */

typedef struct Flow {
    Copy *copy;
    CopyFlight *flight;
    const ReadRequest *request;
    gint64 counted;  /* of request->rows */
    gsize uncounted; /* bytes */
} Flow;

/* Blocks may be as small as a row: the counters, which all workers share, hear of many at once. */
static void count(Flow *flow)
{
    guint64 rows = (guint64)(flow->request->rows - flow->counted);
    flow->counted = flow->request->rows;
    copy_board_count(flow->copy->settings.board, flow->flight, rows, flow->uncounted);
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

static bool move_rows(Copy *copy, CopyFlight *flight, ReadRequest *request, ReadBounds *bounds,
                      GError **error)
{
    const SourceOps *source = copy->settings.source;
    const TargetOps *target = copy->settings.target;
    Flow flow = {copy, flight, request, 0, 0};
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

static bool note_done(Copy *copy, const Chunk *chunk, gint64 rows, gint64 bytes, Position high,
                      GError **error)
{
    bool last = false;
    if (!control_chunk_done(&copy->control, chunk, copy->worker, rows, bytes, high, &last, error)) {
        return false;
    }
    return !last || control_table_state(&copy->control, chunk->table, "copied", error);
}

static bool write_chunk(Copy *copy, const Table *table, const Chunk *chunk, CopyFlight *flight,
                        GError **error)
{
    ReadRequest request = {.kind = READ_COPY, .table = table, .range = chunk->range};
    ReadBounds bounds = {0};
    bool exported = false;
    bool copied = begin_read(copy, &bounds, &exported, error) &&
                  move_rows(copy, flight, &request, &bounds, error) &&
                  note_storage(copy, &request, error);
    /* All that the exported snapshot shows was there at P0. */
    Position high = exported ? copy->settings.migration->start : bounds.high;
    copied =
        copied &&
        (bounds.high_resume == NULL ||
         control_chunk_saw(&copy->control, chunk, bounds.high_resume, error)) &&
        note_done(copy, chunk, request.rows, (gint64)atomic_load(&flight->bytes), high, error) &&
        control_commit(&copy->control, error);
    read_bounds_clear(&bounds);
    return copied;
}

/* In the transaction that has claimed the chunk; commits it. */
static bool copy_chunk(Copy *copy, const Chunk *chunk, GError **error)
{
    const Table *table = find_table(copy, chunk->table, error);
    if (table == NULL) {
        return false;
    }
    CopyFlight *flight = copy_board_depart(copy->settings.board);
    bool copied = write_chunk(copy, table, chunk, flight, error);
    copy_board_arrive(copy->settings.board, flight, copied);
    if (!copied) {
        g_prefix_error(error, "copying chunk %u of table %s: ", chunk->number, table->label);
    }
    return copied;
}

/* --- Keys ------------------------------------------------------------------------------------- */

/* In the transaction that has claimed the table; commits it. */
static bool build_key(Copy *copy, guint32 id, GError **error)
{
    static const char *const kinds[] = {"key", NULL};
    const DdlWorker worker = {copy->worker, copy->settings.epoch};
    Control *control = &copy->control;
    const Table *table = find_table(copy, id, error);
    if (table == NULL) {
        return false;
    }
    if (ddl_run_table(control, &worker, kinds, id, error) &&
        control_table_state(control, id, "keyed", error) && control_commit(control, error)) {
        return true;
    }
    g_prefix_error(error, "building the key of table %s: ", table->label);
    return false;
}

/* --- The steps -------------------------------------------------------------------------------- */

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

static bool work(Copy *copy, bool *worked, GError **error)
{
    Control *control = &copy->control;
    g_autoptr(Chunk) chunk = NULL;
    guint32 table = 0;
    if (!begin_write(copy, error) || !control_key_claim(control, &table, error) ||
        (table == 0 && !control_chunk_claim(control, &chunk, error))) {
        return false;
    }
    *worked = table != 0 || chunk != NULL;
    if (table != 0) {
        return build_key(copy, table, error);
    }
    return chunk != NULL ? copy_chunk(copy, chunk, error) : control_abandon(control, error);
}

bool copy_wait(CopyBoard *board, Control *control, guint64 epoch, Runtime *runtime, GError **error)
{
    g_autoptr(GPtrArray) held = NULL;
    if (!copy_board_waits(board, runtime->now(runtime))) {
        return true;
    }
    if (!control_copy_held(control, epoch, &held, error)) {
        return false;
    }
    for (guint i = 0; i < held->len; i++) {
        g_message("copy: waiting for what another process has claimed: %s; should that process "
                  "hang, `drover copy --take-over` ends its sessions",
                  (const char *)g_ptr_array_index(held, i));
    }
    return true;
}

/* Nothing could be claimed: all is done, or in other hands. */
static StepResult wait_for_others(Copy *copy, bool planning, GError **error)
{
    const CopySettings *settings = &copy->settings;
    CopyLeft left;
    GError *failure = NULL;
    if (!control_copy_left(&copy->control, &left, &failure)) {
        return give_up(copy, error, failure);
    }
    if ((planning ? left.plans : left.tables) == 0) {
        return STEP_DONE;
    }
    if (!copy_wait(settings->board, &copy->control, settings->epoch, settings->runtime, &failure)) {
        return give_up(copy, error, failure);
    }
    settings->runtime->wait(settings->runtime, IDLE_WAIT);
    return STEP_IDLE;
}

StepResult copy_plan_step(Copy *copy, GError **error)
{
    GError *failure = NULL;
    bool worked = false;
    if (runtime_stopping(copy->settings.runtime)) {
        return STEP_IDLE;
    }
    if (!plan_next(copy, &worked, &failure)) {
        return give_up(copy, error, failure);
    }
    if (!worked) {
        return wait_for_others(copy, true, error);
    }
    copy_board_works(copy->settings.board);
    return STEP_WORKED;
}

static bool look(Copy *copy, bool *paused, GError **error)
{
    g_autofree char *text = NULL;
    if (!connect_both(copy, error) || !control_get(&copy->control, "paused", &text, error)) {
        return false;
    }
    *paused = control_bool(text);
    return true;
}

StepResult copy_step(Copy *copy, GError **error)
{
    Runtime *runtime = copy->settings.runtime;
    bool paused = false, worked = false;
    GError *failure = NULL;
    if (runtime_stopping(runtime)) {
        return STEP_IDLE;
    }
    if (!look(copy, &paused, &failure) || (!paused && !work(copy, &worked, &failure))) {
        return give_up(copy, error, failure);
    }
    if (!worked && !paused) {
        return wait_for_others(copy, false, error);
    }
    copy_board_works(copy->settings.board);
    if (paused) {
        runtime->wait(runtime, IDLE_WAIT);
        return STEP_IDLE;
    }
    if (copy->large_block_seen) {
        copy->large_block_seen = false;
        disconnect(copy);
    }
    return STEP_WORKED;
}
