/*
 * The loop of a step:
 *
 *   collect   read records; transactions that are complete are netted into the batch, the parts of
 *             one that is not are held back until its last part came
 *   flush     TargetOps.write, inside the target transaction that write_begin opened
 *   commit    accounts, refetch list, progress, commit
 *
 * A transaction that is held back and grows past its share of the memory is written piece by piece:
 * what was batched before is committed, then each piece is netted and flushed into one target
 * transaction that commits when the last part came. A claim by a new capture voids an incomplete
 * transaction: held-back parts are forgotten, pieces already written are rolled back.
 *
 * Progress carries the number and digest of the last record whose transactions are all contained;
 * reading goes on behind it, and transactions at or below the position are skipped.
 */
#include "apply/apply.h"

#include "apply/batch.h"
#include "apply/cascade.h"
#include "apply/refetch.h"
#include "proto/error.h"
#include "schema/control.h"

#include <pthread.h>
#include <string.h>

#define WORKER "apply"
#define IDLE_WAIT_MS 100
#define BUSY_EVENTS 1000 /* so many at once: more are coming, and are worth a short wait */
#define BUSY_WAIT_MS 100
#define ENOUGH_EVENTS 40000 /* enough to write while capture goes on beside it */
#define PROGRESS_INTERVAL (G_USEC_PER_SEC / 5)
#define PAUSE_INTERVAL (G_USEC_PER_SEC / 5)
#define STUCK_INTERVAL                                                                             \
    G_USEC_PER_SEC /* without a record, before the bus is asked whether it is full */

struct Apply {
    ApplySettings settings;
    Control control;
    Bus *bus;
    Batch *batch;
    Refetch *refetch;
    Arena *scratch; /* of the record at hand */
    gsize memory;   /* bytes that a batch may take */

    /* the log as read */
    guint64 next_sequence;
    guint64 last_digest;
    guint64 claimed_epoch;
    gint64 batch_since;   /* when its first record was read */
    bool caught_up;       /* the bus had no more when it was last asked */
    gint64 dry_since;     /* an open window has waited for a record; 0: one came */
    Position seen;        /* read and batched up to here */
    GString *seen_resume; /* its resume text; empty where there is none */
    gint64 commit_time;   /* of what was batched last */

    /* a transaction whose last part has not come */
    Arena *held_arena;
    GArray *held; /* Change, with cells in held_arena */
    bool in_transaction;
    bool streaming; /* its pieces are being written */

    /* the batch */
    Progress committed;  /* what the target has */
    Progress contained;  /* records that the batch contains wholly */
    Account *accounts;   /* by table id - 1: of the batch and the pieces before */
    guint64 *captured;   /* as capture counted them */
    GArray *xids;        /* guint64: transactions of the batch */
    bool cascaded;       /* children of rows that are gone were put on the list */
    bool writing;        /* a target transaction is open */
    bool rewind_on_void; /* whole transactions are in the open target transaction */
    gint64 last_commit;
    gint64 next_pause_check;
    bool paused;

    pthread_mutex_t lock; /* guards status */
    ApplyStatus status;
};

static void publish_status(Apply *apply)
{
    pthread_mutex_lock(&apply->lock);
    apply->status.position = apply->committed.position;
    apply->status.commit_time = apply->committed.commit_time;
    apply->status.bus_sequence = apply->committed.bus_sequence + 1;
    pthread_mutex_unlock(&apply->lock);
}

/* Forgets everything that is not in the target and reads on behind its progress. */
static bool rewind_to_progress(Apply *apply, GError **error)
{
    g_autofree char *resume = NULL;
    Position reached;
    if (!control_progress_get(&apply->control, WORKER, &apply->committed, error) ||
        !control_progress_reached(&apply->control, WORKER, &reached, &resume, error))
        return false;
    apply->contained = apply->committed;
    apply->seen = apply->committed.position;
    g_string_assign(apply->seen_resume, resume != NULL ? resume : "");
    apply->commit_time = apply->committed.commit_time;
    apply->next_sequence = apply->committed.bus_sequence + 1;
    apply->last_digest = apply->committed.bus_digest;
    apply->claimed_epoch = apply->committed.bus_epoch;
    apply->in_transaction = apply->streaming = apply->rewind_on_void = false;
    g_array_set_size(apply->held, 0);
    arena_reset(apply->held_arena);
    refetch_close(apply->refetch);
    refetch_note_reached(apply->refetch, reached, resume);
    apply->settings.bus->seek(apply->bus, apply->next_sequence);
    publish_status(apply);
    return true;
}

static void clear_accounts(Apply *apply)
{
    guint n = apply->settings.migration->tables->len;
    for (guint i = 0; i < n; i++)
        apply->accounts[i] = (Account){.table = i + 1};
    memset(apply->captured, 0, sizeof *apply->captured * n);
    g_array_set_size(apply->xids, 0);
}

static bool open_sessions(Apply *apply, GError **error)
{
    const Migration *migration = apply->settings.migration;
    const TargetOps *ops = apply->settings.target;
    g_autofree char *label = g_strdup_printf("drover %s apply", migration->name);
    Target *target = ops->connect(migration->target, label, error);
    apply->control = (Control){ops, target, migration};
    if (target == NULL || !ops->prepare_writes(target, error) ||
        !control_worker_register(&apply->control, WORKER, apply->settings.epoch, error))
        return false;
    apply->bus = apply->settings.bus->open(&migration->bus, BUS_READ, error);
    return apply->bus != NULL;
}

Apply *apply_new(const ApplySettings *settings, GError **error)
{
    guint n = settings->migration->tables->len;
    Apply *apply = g_new0(Apply, 1);
    apply->settings = *settings;
    pthread_mutex_init(&apply->lock, NULL);
    apply->batch = batch_new(settings->migration);
    apply->refetch = refetch_new(settings->migration, settings->source, settings->runtime);
    apply->scratch = arena_new(1024 * 1024);
    apply->held_arena = arena_new(256 * 1024);
    apply->held = g_array_new(FALSE, FALSE, sizeof(Change));
    apply->xids = g_array_new(FALSE, FALSE, sizeof(guint64));
    apply->seen_resume = g_string_new(NULL);
    apply->accounts = g_new0(Account, n);
    apply->captured = g_new0(guint64, n);
    apply->memory = (gsize)(settings->migration->memory_limit * 2 / 5);
    clear_accounts(apply);
    batch_start(apply->batch, settings->consistent);
    if (!open_sessions(apply, error) || !rewind_to_progress(apply, error)) {
        apply_free(apply);
        return NULL;
    }
    return apply;
}

void apply_free(Apply *apply)
{
    if (apply == NULL)
        return;
    if (apply->bus != NULL)
        apply->settings.bus->close(apply->bus);
    if (apply->control.target != NULL)
        apply->settings.target->close(apply->control.target);
    refetch_free(apply->refetch);
    batch_free(apply->batch);
    arena_free(apply->scratch);
    arena_free(apply->held_arena);
    g_array_unref(apply->held);
    g_array_unref(apply->xids);
    g_string_free(apply->seen_resume, TRUE);
    g_free(apply->accounts);
    g_free(apply->captured);
    pthread_mutex_destroy(&apply->lock);
    g_free(apply);
}

void apply_status(Apply *apply, ApplyStatus *status)
{
    pthread_mutex_lock(&apply->lock);
    *status = apply->status;
    pthread_mutex_unlock(&apply->lock);
}

/* ---- flush and commit ---- */

static bool begin_writing(Apply *apply, GError **error)
{
    if (apply->writing)
        return true;
    if (!control_write_begin(&apply->control, WORKER, apply->settings.epoch, error))
        return false;
    apply->writing = true;
    return true;
}

static bool want_key(void *user, guint32 table, const Row *key, GError **error)
{
    Apply *apply = user;
    return control_refetch_add(&apply->control, table, key,
                               "a partial image found no row to complete it", error);
}

/* Is the target, as the open transaction sees it, at the stream's position? Refetched rows that
 * were written are ahead of it until the batch ends. */
static bool is_consistent(const Apply *apply)
{
    return apply->settings.consistent && !refetch_is_injected(apply->refetch);
}

/* Writes what the batch holds into the open target transaction. */
static bool flush_batch(Apply *apply, GError **error)
{
    guint n = 0;
    bool removed = false;
    if (!begin_writing(apply, error) ||
        !cascade_follow(apply->batch, &apply->control, &removed, error))
        return false;
    apply->cascaded |= removed;
    NetTable *tables = batch_tables(apply->batch, &n);
    if (n > 0 && !apply->settings.target->write(apply->control.target, tables, n,
                                                is_consistent(apply) && !removed, error))
        return false;
    batch_account(apply->batch, apply->accounts);
    if (!refetch_settle(apply->refetch, &apply->control, error) ||
        !batch_wanted(apply->batch, want_key, apply, error) ||
        !cascade_follow(apply->batch, &apply->control, &apply->cascaded, error))
        return false;
    pthread_mutex_lock(&apply->lock);
    apply->status.events += batch_events(apply->batch);
    pthread_mutex_unlock(&apply->lock);
    batch_start(apply->batch, is_consistent(apply));
    return true;
}

/* Rule R8: what became of the events must be as many as capture counted. */
static bool check_accounts(Apply *apply, GError **error)
{
    const Migration *migration = apply->settings.migration;
    for (guint i = 0; i < migration->tables->len; i++) {
        Account *account = &apply->accounts[i];
        guint64 sum = account->applied + account->filtered + account->superseded +
                      account->rejected + account->refetched;
        account->captured = apply->captured[i];
        if (sum != account->captured) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                        "%s: capture counted %" G_GUINT64_FORMAT
                        " events and apply %" G_GUINT64_FORMAT "; nothing of this batch is kept",
                        migration_table(migration, i + 1)->label, account->captured, sum);
            return false;
        }
    }
    return true;
}

static bool add_accounts(Apply *apply, GError **error)
{
    guint n = apply->settings.migration->tables->len;
    g_autoptr(GArray) used = g_array_new(FALSE, FALSE, sizeof(Account));
    for (guint i = 0; i < n; i++) {
        if (apply->accounts[i].captured > 0)
            g_array_append_val(used, apply->accounts[i]);
    }
    return used->len == 0 ||
           control_accounts_add(&apply->control, (Account *)(void *)used->data, used->len, error);
}

static const char *seen_resume(const Apply *apply)
{
    return apply->seen_resume->len > 0 ? apply->seen_resume->str : NULL;
}

static void after_commit(Apply *apply, const Progress *progress)
{
    guint n_transactions = apply->xids->len;
    for (guint i = 0; i < n_transactions; i++)
        refetch_note_applied(apply->refetch, g_array_index(apply->xids, guint64, i));
    refetch_note_reached(apply->refetch, progress->position, seen_resume(apply));
    for (guint i = 0; i < apply->settings.migration->tables->len; i++) {
        if (apply->accounts[i].refetched > 0)
            refetch_wake(apply->refetch);
    }
    if (apply->cascaded)
        refetch_wake(apply->refetch);
    apply->cascaded = false;
    if (refetch_is_injected(apply->refetch))
        refetch_close(apply->refetch);
    batch_start(apply->batch, is_consistent(apply));
    apply->committed = *progress;
    apply->writing = apply->rewind_on_void = false;
    apply->last_commit = apply->settings.runtime->now(apply->settings.runtime);
    pthread_mutex_lock(&apply->lock);
    apply->status.transactions += n_transactions;
    apply->status.batches += n_transactions > 0;
    pthread_mutex_unlock(&apply->lock);
    clear_accounts(apply);
    publish_status(apply);
    if (n_transactions > 0)
        g_debug("apply: %u transactions, bus record %" G_GUINT64_FORMAT, n_transactions,
                progress->bus_sequence);
}

/* Ends the batch: everything that was read up to `seen` becomes the target's in one commit. */
static bool commit_batch(Apply *apply, GError **error)
{
    Progress progress = apply->contained;
    progress.position = apply->seen;
    progress.commit_time = apply->commit_time;
    refetch_at_end(apply->refetch, apply->batch);
    if (!flush_batch(apply, error) || !check_accounts(apply, error) ||
        !add_accounts(apply, error) ||
        !control_progress_set(&apply->control, WORKER, &progress, seen_resume(apply), error) ||
        !control_commit(&apply->control, error))
        return false;
    after_commit(apply, &progress);
    return true;
}

/* ---- collect ---- */

static bool window_is_complete(const Apply *apply)
{
    return !refetch_is_open(apply->refetch) ||
           position_compare(apply->seen, refetch_high(apply->refetch)) >= 0;
}

static Change change_copy(Arena *arena, const Change *from)
{
    Change to = *from;
    to.old_key = row_copy(arena, &from->old_key);
    to.row = row_copy(arena, &from->row);
    return to;
}

static bool net_changes(Apply *apply, const Change *changes, guint n, Position at, GError **error)
{
    for (guint i = 0; i < n; i++) {
        if (!batch_add(apply->batch, &changes[i], at, error))
            return false;
        if (batch_memory(apply->batch) >= apply->memory && apply->streaming &&
            !flush_batch(apply, error))
            return false;
    }
    return true;
}

static void forget_held(Apply *apply)
{
    g_array_set_size(apply->held, 0);
    arena_reset(apply->held_arena);
    apply->in_transaction = false;
}

static bool net_held(Apply *apply, Position at, GError **error)
{
    bool ok =
        net_changes(apply, (const Change *)(void *)apply->held->data, apply->held->len, at, error);
    g_array_set_size(apply->held, 0);
    arena_reset(apply->held_arena);
    return ok;
}

/* The transaction that is held back has grown too large: from here on its pieces are written. */
static bool start_streaming(Apply *apply, guint64 xid, GError **error)
{
    if (!refetch_is_injected(apply->refetch)) {
        refetch_close(apply->refetch);
        if (apply->writing || !batch_is_empty(apply->batch) || apply->xids->len > 0) {
            if (!commit_batch(apply, error))
                return false;
        }
    } else {
        apply->rewind_on_void = true;
    }
    apply->streaming = true;
    g_message(
        "apply: a transaction of more than %u changes is written in pieces, xid %" G_GUINT64_FORMAT,
        apply->held->len, xid);
    return net_held(apply, (Position){0}, error);
}

static void drop_batch(Apply *apply)
{
    control_rollback(&apply->control);
    apply->writing = false;
    batch_start(apply->batch, apply->settings.consistent);
    clear_accounts(apply);
}

/* The parts that came belong to no transaction: a capture died before it was complete, or it is one
 * that the target has already. */
static bool void_transaction(Apply *apply, GError **error)
{
    bool written = apply->streaming;
    forget_held(apply);
    apply->streaming = false;
    if (!written)
        return true;
    drop_batch(apply);
    return !apply->rewind_on_void || rewind_to_progress(apply, error);
}

static bool hold_part(Apply *apply, const Transaction *part, GError **error)
{
    apply->in_transaction = true;
    if (apply->streaming)
        return net_changes(apply, part->changes, part->n_changes, (Position){0}, error);
    for (guint i = 0; i < part->n_changes; i++) {
        Change change = change_copy(apply->held_arena, &part->changes[i]);
        g_array_append_val(apply->held, change);
    }
    if (arena_size(apply->held_arena) + sizeof(Change) * apply->held->len < apply->memory / 4)
        return true;
    return start_streaming(apply, part->xid, error);
}

static bool count_captured(Apply *apply, const Transaction *part, GError **error)
{
    for (guint i = 0; i < part->n_captured; i++) {
        guint32 table = part->captured[i].table;
        if (migration_table(apply->settings.migration, table) == NULL) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                        "the bus counts events of table number %u, which this migration does not "
                        "have",
                        table);
            return false;
        }
        apply->captured[table - 1] += part->captured[i].events;
    }
    return true;
}

/* Reads of rows would be of the server before. */
static bool check_era(const Apply *apply, Position position, GError **error)
{
    const Endpoint *source = apply->settings.migration->source;
    return !endpoint_is_mysql(source) || position_era(position) <= source->era ||
           control_fail_era(source, error);
}

static void note_seen(Apply *apply, Position position, const char *resume)
{
    apply->seen = position;
    g_string_assign(apply->seen_resume, resume != NULL ? resume : "");
}

static bool finish_transaction(Apply *apply, const Transaction *part, GError **error)
{
    if (position_compare(part->position, apply->seen) <= 0)
        return void_transaction(apply, error);
    if (!check_era(apply, part->position, error))
        return false;
    if (!apply->streaming)
        refetch_before(apply->refetch, part, apply->batch);
    if (!net_held(apply, part->position, error) ||
        !net_changes(apply, part->changes, part->n_changes, part->position, error) ||
        !count_captured(apply, part, error))
        return false;
    g_array_append_val(apply->xids, part->xid);
    apply->in_transaction = apply->streaming = false;
    note_seen(apply, part->position, part->resume);
    apply->commit_time = part->commit_time;
    return true;
}

static bool take_part(Apply *apply, const Transaction *part, GError **error)
{
    if ((part->fragment == 0) == apply->in_transaction) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "the bus is broken: part %u of transaction %" G_GUINT64_FORMAT " came %s",
                    part->fragment, part->xid,
                    apply->in_transaction ? "inside another transaction"
                                          : "without its first part");
        return false;
    }
    return part->last ? finish_transaction(apply, part, error) : hold_part(apply, part, error);
}

static bool check_record(Apply *apply, const Record *record, GError **error)
{
    const char *identity = apply->settings.migration->source_identity;
    if (!bus_chain_check(record, apply->next_sequence, apply->last_digest, NULL, error))
        return false;
    if (g_strcmp0(record->source_identity, identity) == 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "the bus carries changes of source %s, this migration's source is %s",
                record->source_identity, identity);
    return false;
}

static bool take_content(Apply *apply, const Record *record, GError **error)
{
    if (record->epoch < apply->claimed_epoch)
        return true;
    switch (record->kind) {
    case RECORD_CLAIM:
        apply->claimed_epoch = record->epoch;
        return void_transaction(apply, error);
    case RECORD_HEARTBEAT:
        if (!check_era(apply, record->position, error))
            return false;
        if (position_compare(record->position, apply->seen) > 0) {
            note_seen(apply, record->position, record->resume);
            apply->commit_time = record->source_time;
        }
        refetch_forget_below(apply->refetch, record->oldest_xid);
        return true;
    case RECORD_EVENTS:
        for (guint i = 0; i < record->n_transactions; i++) {
            if (!take_part(apply, &record->transactions[i], error))
                return false;
            if (apply->next_sequence <= record->sequence)
                return true; /* rewound: this record is read again */
        }
        return true;
    }
    return true;
}

static bool has_content(const Apply *apply)
{
    return apply->xids->len > 0 || !batch_is_empty(apply->batch);
}

static bool take_record(Apply *apply, guint64 sequence, const guint8 *data, gsize size,
                        GError **error)
{
    Record record = {0};
    guint64 next = apply->next_sequence;
    arena_reset(apply->scratch);
    if (!record_unpack(data, size, apply->scratch, &record, error) ||
        !check_record(apply, &record, error)) {
        g_prefix_error(error, "bus record %" G_GUINT64_FORMAT ": ", sequence);
        return false;
    }
    apply->next_sequence = next + 1;
    apply->last_digest = record_digest(data, size);
    if (!has_content(apply))
        apply->batch_since = apply->settings.runtime->now(apply->settings.runtime);
    if (!take_content(apply, &record, error))
        return false;
    if (!apply->in_transaction && apply->next_sequence == next + 1) {
        apply->contained.bus_sequence = next;
        apply->contained.bus_digest = apply->last_digest;
        apply->contained.bus_epoch = apply->claimed_epoch;
    }
    return true;
}

/* How long to wait for one more record before what was collected is written, in milliseconds. What
 * is on the bus already is taken without waiting: so batches grow with the backlog. */
static int patience(const Apply *apply)
{
    if (!window_is_complete(apply))
        return 20;
    if (!has_content(apply) || apply->streaming)
        return IDLE_WAIT_MS;
    guint64 events = batch_events(apply->batch);
    if (events < BUSY_EVENTS || events >= ENOUGH_EVENTS)
        return 0;
    Runtime *runtime = apply->settings.runtime;
    gint64 waited = (runtime->now(runtime) - apply->batch_since) / 1000;
    return (int)CLAMP(BUSY_WAIT_MS - waited, 0, BUSY_WAIT_MS);
}

static bool is_at_end(const Apply *apply)
{
    return !position_is_zero(apply->settings.until) &&
           position_compare(apply->seen, apply->settings.until) >= 0;
}

/* Is the bus full, and has nothing come for a while? */
static bool bus_is_stuck(Apply *apply, bool *stuck, GError **error)
{
    gint64 now = apply->settings.runtime->now(apply->settings.runtime);
    BusInfo info;
    *stuck = false;
    if (apply->dry_since == 0)
        apply->dry_since = now;
    if (now - apply->dry_since < STUCK_INTERVAL)
        return true;
    apply->dry_since = now;
    if (!apply->settings.bus->info(apply->bus, &info, error))
        return false;
    *stuck = info.full;
    return true;
}

/* The bus has no more, and an open window's HIGH has not come. Where the bus is full it never will:
 * nothing more comes before what is on the bus was committed. So the window is given up, with what
 * was built on its rows; its keys wait for another. */
static bool wait_for_window(Apply *apply, GError **error)
{
    bool stuck;
    if (!refetch_nudge(apply->refetch, error) || !bus_is_stuck(apply, &stuck, error))
        return false;
    if (!stuck)
        return true;
    g_message("apply: the bus is full before a refetched row's place has come; it is read again");
    if (refetch_is_injected(apply->refetch)) {
        drop_batch(apply);
        if (!rewind_to_progress(apply, error))
            return false;
    }
    refetch_give_up(apply->refetch);
    return true;
}

/* Reads until a batch is complete: the bus has no more for now, or the memory is full. */
static bool collect(Apply *apply, GError **error)
{
    while (!runtime_stopping(apply->settings.runtime)) {
        guint64 sequence = 0;
        const guint8 *data = NULL;
        gsize size = 0;
        bool complete = window_is_complete(apply) && !apply->streaming;
        if (complete && (is_at_end(apply) || batch_memory(apply->batch) >= apply->memory))
            return true;
        BusResult result =
            apply->settings.bus->read(apply->bus, patience(apply), &sequence, &data, &size, error);
        if (result == BUS_FAILED)
            return false;
        apply->caught_up = result == BUS_EMPTY;
        if (result == BUS_RECORD)
            apply->dry_since = 0;
        if (result == BUS_EMPTY && window_is_complete(apply))
            return true;
        if (result == BUS_EMPTY && !wait_for_window(apply, error))
            return false;
        if (result == BUS_RECORD && !take_record(apply, sequence, data, size, error))
            return false;
        if (!complete && batch_memory(apply->batch) >= apply->memory) {
            apply->rewind_on_void |= !apply->streaming;
            if (!flush_batch(apply, error))
                return false;
        }
    }
    return true;
}

static bool check_paused(Apply *apply, GError **error)
{
    Runtime *runtime = apply->settings.runtime;
    gint64 now = runtime->now(runtime);
    g_autofree char *paused = NULL;
    if (now < apply->next_pause_check || apply->writing)
        return true;
    apply->next_pause_check = now + PAUSE_INTERVAL;
    if (!control_get(&apply->control, "paused", &paused, error))
        return false;
    apply->paused = control_bool(paused);
    return true;
}

/* Positions alone (heartbeats) are written now and then, and at the end. */
static bool progress_is_due(const Apply *apply)
{
    gint64 now = apply->settings.runtime->now(apply->settings.runtime);
    bool moved = position_compare(apply->seen, apply->committed.position) > 0 ||
                 apply->contained.bus_sequence > apply->committed.bus_sequence;
    return moved && (now - apply->last_commit >= PROGRESS_INTERVAL || is_at_end(apply));
}

static StepResult step(Apply *apply, GError **error)
{
    if (!check_paused(apply, error))
        return STEP_FAILED;
    if (apply->paused) {
        apply->settings.runtime->wait(apply->settings.runtime, PAUSE_INTERVAL);
        return STEP_IDLE;
    }
    /* A window must be written in one transaction with all that the bus has up to its HIGH; and
     * while the bus is full nothing more comes before what is on it was committed. */
    bool may_refetch = apply->caught_up && !apply->writing && !has_content(apply) &&
                       !apply->in_transaction && !refetch_is_open(apply->refetch);
    if ((may_refetch && !refetch_open(apply->refetch, &apply->control, error)) ||
        !collect(apply, error))
        return STEP_FAILED;
    bool complete = window_is_complete(apply) && !apply->streaming;
    bool pending = has_content(apply) || apply->writing || refetch_is_open(apply->refetch);
    if (runtime_stopping(apply->settings.runtime) || !complete)
        return STEP_IDLE;
    if (!pending && !progress_is_due(apply))
        return is_at_end(apply) ? STEP_DONE : STEP_IDLE;
    if (!commit_batch(apply, error))
        return STEP_FAILED;
    return is_at_end(apply) ? STEP_DONE : STEP_WORKED;
}

StepResult apply_step(Apply *apply, GError **error)
{
    StepResult result = step(apply, error);
    if (result == STEP_FAILED && apply->writing) {
        control_rollback(&apply->control);
        apply->writing = false;
    }
    return result;
}
