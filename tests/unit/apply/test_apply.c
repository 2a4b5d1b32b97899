/*
 * Apply between a bus, a source and a target in memory. Whatever fails and whenever, a new apply
 * must go on so that the target ends with the source's rows, every event accounted for once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/apply.h"
#include "proto/error.h"
#include "schema/control.h"
#include "tests/support/fake_bus.h"
#include "tests/support/fake_target.h"
#include "tests/support/must.h"
#include "tests/support/tables.h"

#include <stdio.h>
#include <string.h>

#define UNCHANGED "~"
#define SMALL_MEMORY (1 << 20)
#define LARGE_MEMORY (256 << 20)
#define BIG 200000 /* bytes of a value: more than may be held back of SMALL_MEMORY */

/* ---- the world ---- */

static struct World {
    GHashTable *source; /* id -> "a|t" */
    guint reads, nudges;
    void (*on_read)(ReadBounds *bounds);
    void (*on_nudge)(void);
    guint stop_at_write; /* 0: never */
    gint64 clock;
    guint calls;   /* of source, bus and target */
    guint fail_at; /* 0: never */
    guint64 last_digest;
    guint64 high; /* of the last read */
} world;

static Migration migration;
static Runtime runtime;
static char identity[] = "1/1";
static char name[] = "shop";
static char big[BIG + 1];

static bool may(const char *operation, GError **error)
{
    if (++world.calls != world.fail_at)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "%s fails on cue", operation);
    return false;
}

static gint64 fake_now(Runtime *self)
{
    (void)self;
    return world.clock += 50000;
}

static void fake_wait(Runtime *self, gint64 duration)
{
    (void)self;
    world.clock += duration;
}

/* ---- the source ---- */

struct Source {
    int unused;
};

static Source *source_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint, (void)label;
    return may("connect source", error) ? g_new0(Source, 1) : NULL;
}

static void source_close(Source *source)
{
    g_free(source);
}

static bool source_begin(Source *source, const char *snapshot, ReadBounds *bounds, GError **error)
{
    (void)source, (void)snapshot;
    if (!may("read begin", error))
        return false;
    world.reads++;
    *bounds = (ReadBounds){.xmin = 10, .xmax = 10000};
    bounds->running = g_array_new(FALSE, FALSE, sizeof(guint64));
    world.on_read(bounds);
    world.high = bounds->high.major;
    return true;
}

static char *text_of(const Cell *cell)
{
    return g_strndup((const char *)cell->data, cell->length);
}

static Cell cell_of(const char *text)
{
    if (strcmp(text, UNCHANGED) == 0)
        return (Cell){.kind = CELL_UNCHANGED};
    return (Cell){
        .kind = CELL_VALUE, .data = (const guint8 *)text, .length = (guint32)strlen(text)};
}

static bool source_read(Source *source, ReadRequest *request, const ReadSink *sink, GError **error)
{
    (void)source;
    if (!may("read", error))
        return false;
    for (guint i = 0; i < request->n_keys; i++) {
        g_autofree char *key = text_of(&request->keys[i].cells[0]);
        const char *image = g_hash_table_lookup(world.source, key);
        if (image == NULL)
            continue;
        g_auto(GStrv) parts = g_strsplit(image, "|", 2);
        Cell cells[3] = {cell_of(key), cell_of(parts[0]), cell_of(parts[1])};
        if (!sink->row(sink->user, &(Row){cells, 3}, 1, error))
            return false;
    }
    return true;
}

static bool source_end(Source *source, ReadBounds *bounds, GError **error)
{
    (void)source;
    bounds->high.major = world.high;
    return may("read end", error);
}

static bool source_status(Source *source, const Migration *of, bool emit, SourceStatus *status,
                          GError **error)
{
    (void)source, (void)of;
    *status = (SourceStatus){0};
    assert_true(emit);
    if (!may("status", error))
        return false;
    world.on_nudge();
    return true;
}

static const SourceOps fake_source_ops = {.engine = "fake",
                                          .connect = source_connect,
                                          .close = source_close,
                                          .status = source_status,
                                          .read_begin = source_begin,
                                          .read = source_read,
                                          .read_end = source_end};

/* ---- the log ---- */

typedef struct Event {
    Operation operation;
    const char *old_id, *id, *a, *t;
} Event;

typedef struct Part {
    guint64 xid;
    guint64 position; /* 0: not the last part */
    guint32 fragment;
    guint32 captured; /* of the whole transaction */
    guint n;
    Event events[4];
} Part;

static void append(Record *record)
{
    GError *error = NULL;
    g_autoptr(Arena) arena = arena_new(4096);
    g_autoptr(GByteArray) packed = g_byte_array_new();
    fake_bus_set_hook(NULL);
    Bus *bus = fake_bus_ops.open(NULL, BUS_WRITE, &error);
    record->sequence = fake_bus_durable() + 1;
    record->predecessor = world.last_digest;
    record->source_identity = identity;
    record_pack(record, arena, packed);
    MUST(fake_bus_ops.append(bus, record->sequence, packed->data, packed->len, &error));
    MUST(fake_bus_ops.flush(bus, &error));
    fake_bus_ops.close(bus);
    world.last_digest = record_digest(packed->data, packed->len);
    fake_bus_set_hook(may);
}

static void put_mark(RecordKind kind, guint64 epoch, guint64 position)
{
    Record record = {.kind = kind, .epoch = epoch, .position = {.major = position}};
    append(&record);
}

static Change change_of(const Event *event, Cell *cells)
{
    const Table *table = g_ptr_array_index(migration.tables, 0);
    Change change = {.operation = event->operation, .table = 1, .schema_version = table->version};
    if (event->old_id != NULL) {
        cells[0] = cell_of(event->old_id);
        change.old_key = (Row){cells, 1};
    }
    if (event->id != NULL) {
        cells[1] = cell_of(event->id);
        cells[2] = cell_of(event->a);
        cells[3] = cell_of(event->t);
        change.row = (Row){cells + 1, 3};
    }
    return change;
}

static void put(guint64 epoch, guint n_parts, const Part *parts)
{
    Transaction transactions[4] = {0};
    Change changes[4][4];
    Cell cells[4][4][4];
    TableCount counts[4];
    for (guint p = 0; p < n_parts; p++) {
        const Part *part = &parts[p];
        for (guint i = 0; i < part->n; i++)
            changes[p][i] = change_of(&part->events[i], cells[p][i]);
        counts[p] = (TableCount){.table = 1, .events = part->captured};
        bool last = part->position != 0;
        transactions[p] = (Transaction){.xid = part->xid,
                                        .position = {.major = part->position},
                                        .fragment = part->fragment,
                                        .last = last,
                                        .n_changes = part->n,
                                        .changes = changes[p],
                                        .n_captured = last ? 1 : 0,
                                        .captured = &counts[p]};
    }
    Record record = {.kind = RECORD_EVENTS,
                     .epoch = epoch,
                     .n_transactions = n_parts,
                     .transactions = transactions};
    append(&record);
}

#define INSERT(id, a, t)                                                                           \
    {                                                                                              \
        OPERATION_INSERT, NULL, id, a, t                                                           \
    }
#define UPDATE(id, a, t)                                                                           \
    {                                                                                              \
        OPERATION_UPDATE, NULL, id, a, t                                                           \
    }
#define MOVE(old, id, a, t)                                                                        \
    {                                                                                              \
        OPERATION_UPDATE, old, id, a, t                                                            \
    }
#define DELETE(id)                                                                                 \
    {                                                                                              \
        OPERATION_DELETE, id, NULL, NULL, NULL                                                     \
    }

/* One whole transaction with one event. */
static void put_one(guint64 epoch, guint64 xid, guint64 position, Event event)
{
    Part part = {xid, position, 0, 1, 1, {event}};
    put(epoch, 1, &part);
}

/* ---- the bench ---- */

static void read_at_the_end(ReadBounds *bounds)
{
    bounds->high.major = 2000 + world.reads * 10;
}

static void nudge_past_high(void)
{
    put_mark(RECORD_HEARTBEAT, 9, world.high + 5);
}

static void note_write(void)
{
    if (fake_target.writes == world.stop_at_write)
        g_atomic_int_set(&runtime.stop, 1);
}

static void reset(void)
{
    g_clear_pointer(&world.source, g_hash_table_unref);
    world = (struct World){.on_read = read_at_the_end, .on_nudge = nudge_past_high};
    world.source = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    fake_target_reset("0/3E8");
    fake_target.hook = may;
    fake_target.wrote = note_write;
    fake_bus_reset();
    fake_bus_set_hook(may);
    runtime = (Runtime){.now = fake_now, .wait = fake_wait};
}

static int set_up(void **state)
{
    (void)state;
    memset(big, 'x', BIG);
    static char engine[] = "fake";
    static Endpoint source = {.engine = engine};
    migration = (Migration){.name = name, .source_identity = identity, .source = &source};
    migration.memory_limit = LARGE_MEMORY;
    migration.tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    g_ptr_array_add(migration.tables, test_table_new(1, "x", "id text key, a text, t text"));
    reset();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    g_ptr_array_unref(migration.tables);
    fake_target_clear();
    g_clear_pointer(&world.source, g_hash_table_unref);
    fake_bus_reset();
    return 0;
}

static Apply *apply_begun(GError **error)
{
    const ApplySettings settings = {.migration = &migration,
                                    .source = &fake_source_ops,
                                    .bus = &fake_bus_ops,
                                    .target = &fake_target_ops,
                                    .epoch = 1,
                                    .runtime = &runtime,
                                    .consistent = true};
    return apply_new(&settings, error);
}

static guint64 position_now(void)
{
    Position position;
    assert_true(position_parse(fake_target.store.progress[0], &position));
    return position.major;
}

/* Steps, with a new apply after each failure, until the target is there and its list is empty. */
static void run_to(guint64 position)
{
    Apply *apply = NULL;
    guint steps = 0;
    while (position_now() < position || g_hash_table_size(fake_target.store.list) > 0) {
        g_autoptr(GError) error = NULL;
        if (++steps > 1000)
            fail_msg("apply stands still at %" G_GUINT64_FORMAT, position_now());
        if (apply == NULL)
            apply = apply_begun(&error);
        if (apply != NULL && apply_step(apply, &error) == STEP_FAILED)
            g_clear_pointer(&apply, apply_free);
        if (error != NULL && !drover_error_is_retry(error))
            fail_msg("%s", error->message);
    }
    apply_free(apply);
}

static void want(const char *id)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autoptr(GString) hex = g_string_new("\\x");
    Cell cell = cell_of(id);
    row_pack(&(Row){&cell, 1}, packed);
    for (guint i = 0; i < packed->len; i++)
        g_string_append_printf(hex, "%02x", packed->data[i]);
    g_hash_table_insert(fake_target.store.list, g_strdup(hex->str), NULL);
}

static void have(GHashTable *rows, const char *id, const char *image)
{
    g_hash_table_insert(rows, g_strdup(id), g_strdup(image));
}

static void assert_row(const char *id, const char *image)
{
    const char *found = g_hash_table_lookup(fake_target.store.rows, id);
    if (g_strcmp0(found, image) != 0)
        fail_msg("row %s is %.40s, not %.40s (failing call %u)", id, found ? found : "absent",
                 image ? image : "absent", world.fail_at);
}

static void assert_accounts(guint64 captured)
{
    const Account *account = &fake_target.store.account;
    assert_int_equal(account->captured, captured);
    assert_int_equal(account->applied + account->superseded + account->refetched, captured);
}

/* ---- tests ---- */

/* A transaction of several records that a claim voids and the next capture sends again, a key
 * change, a delete and insert of one key, a partial image without a row. */
static void put_mixture(void)
{
    const Part first = {
        10, 1010, 0,
        3,  3,    {INSERT("a", "1", "at"), INSERT("b", "1", "bt"), INSERT("c", "1", "ct")}};
    const Part torn[] = {
        {11, 1020, 0, 2, 2, {UPDATE("a", "2", UNCHANGED), DELETE("b")}},
        {12, 0, 0, 0, 3, {INSERT("d", "1", big), INSERT("e", "1", big), INSERT("g", "1", big)}}};
    const Part again = {
        12, 0, 0, 0, 3, {INSERT("d", "1", big), INSERT("e", "1", big), INSERT("g", "1", big)}};
    const Part rest[] = {
        {12,
         1030,
         1,
         6,
         3,
         {MOVE("c", "f", "2", UNCHANGED), UPDATE("d", "9", UNCHANGED), DELETE("g")}},
        {13, 1040, 0, 2, 2, {DELETE("a"), INSERT("a", "7", "new")}}};
    put_mark(RECORD_CLAIM, 1, 1000);
    put(1, 1, &first);
    put(1, 2, torn);
    put_mark(RECORD_CLAIM, 2, 1020);
    put(2, 1, &again);
    put(2, 2, rest);
    put_mark(RECORD_HEARTBEAT, 2, 1050);
    put_one(2, 14, 1060, (Event)UPDATE("z", "5", UNCHANGED));
    have(world.source, "z", "5|zt");
}

static void assert_mixture(void)
{
    g_autofree char *d = g_strconcat("9|", big, NULL);
    g_autofree char *e = g_strconcat("1|", big, NULL);
    assert_row("a", "7|new");
    assert_row("b", NULL);
    assert_row("c", NULL);
    assert_row("d", d);
    assert_row("e", e);
    assert_row("f", "2|ct");
    assert_row("g", NULL);
    assert_row("z", "5|zt");
    assert_int_equal(g_hash_table_size(fake_target.store.rows), 5);
    assert_accounts(14);
    assert_int_equal(fake_target.store.account.refetched, 1);
}

static void fail_everywhere(guint64 memory)
{
    migration.memory_limit = memory;
    for (guint at = 1;; at++) {
        reset();
        put_mixture();
        world.calls = 0;
        world.fail_at = at;
        run_to(1060);
        assert_mixture();
        if (world.calls < at)
            return;
    }
}

static void test_a_failure_at_any_call_loses_and_doubles_nothing(void **state)
{
    (void)state;
    fail_everywhere(LARGE_MEMORY);
}

static void test_a_failure_at_any_call_is_outlived_by_a_transaction_in_pieces(void **state)
{
    (void)state;
    fail_everywhere(SMALL_MEMORY);
}

static void test_a_transaction_in_pieces_is_one_commit(void **state)
{
    (void)state;
    const Part parts[] = {
        {20, 0, 0, 0, 3, {INSERT("d", "1", big), INSERT("e", "1", big), INSERT("g", "1", big)}},
        {20, 1030, 1, 4, 1, {UPDATE("d", "9", UNCHANGED)}}};
    migration.memory_limit = SMALL_MEMORY;
    put(1, 1, &parts[0]);
    put(1, 1, &parts[1]);
    guint before = fake_target.commits;
    run_to(1030);
    assert_true(fake_target.writes > 1);
    assert_int_equal(fake_target.commits - before, 2); /* the worker's registration, and this one */
}

static void put_voided_after_whole_ones(ReadBounds *bounds)
{
    const Part torn = {
        201, 0, 0, 0, 3, {INSERT("d", "1", big), INSERT("e", "1", big), INSERT("g", "1", big)}};
    read_at_the_end(bounds);
    if (world.reads > 1)
        return;
    bounds->xmax = 200; /* the read saw nothing of what follows */
    bounds->high.major = 1100;
    put_one(1, 200, 1010, (Event)INSERT("p", "1", "pt"));
    put(1, 1, &torn);
    put_mark(RECORD_CLAIM, 2, 1010);
    put_one(2, 201, 1110, (Event)INSERT("q", "1", "qt"));
}

static void test_a_claim_that_voids_pieces_loses_no_whole_transaction_before_them(void **state)
{
    (void)state;
    migration.memory_limit = SMALL_MEMORY;
    world.on_read = put_voided_after_whole_ones;
    want("z");
    have(world.source, "z", "5|zt");
    put_mark(RECORD_HEARTBEAT, 1, 1005);
    run_to(1110);
    assert_row("p", "1|pt");
    assert_row("q", "1|qt");
    assert_row("z", "5|zt");
    assert_int_equal(g_hash_table_size(fake_target.store.rows), 3);
    assert_accounts(2);
}

/* The first read of a process knows nothing of earlier ones; so there is one before. */
static void read_before_xid_30(ReadBounds *bounds)
{
    guint64 running = 30;
    if (world.reads == 1) {
        bounds->xmax = 30;
        bounds->high.major = 1010;
        put_one(1, 29, 1010, (Event)UPDATE("k", "v1", UNCHANGED));
        return;
    }
    g_array_append_val(bounds->running, running);
    bounds->high.major = 1040;
    put_one(1, 31, 1020, (Event)UPDATE("k", "v2", UNCHANGED));
    put_one(1, 30, 1030, (Event)UPDATE("k", "v3", UNCHANGED));
}

static void test_a_refetched_row_enters_below_what_its_read_did_not_see(void **state)
{
    (void)state;
    world.on_read = read_before_xid_30;
    want("other");
    have(world.source, "k", "v2|t2");
    run_to(1040);
    assert_row("k", "v3|t2");
    assert_int_equal(world.reads, 2);
    assert_accounts(3);
}

static void read_xid_30_late(ReadBounds *bounds)
{
    guint64 running = 30;
    read_at_the_end(bounds);
    if (world.reads > 1) {
        have(world.source, "k", "v3|t3");
        return;
    }
    g_array_append_val(bounds->running, running);
    have(world.source, "k", "v2|t2");
}

static void test_a_read_that_misses_what_was_applied_is_read_again(void **state)
{
    (void)state;
    world.on_read = read_xid_30_late;
    put_one(1, 30, 1030, (Event)UPDATE("k", "v3", UNCHANGED)); /* finds no row */
    run_to(1030);
    assert_row("k", "v3|t3");
    assert_int_equal(world.reads, 2);
}

static void read_behind_the_bus(ReadBounds *bounds)
{
    assert_true(position_now() >= 1020);
    read_at_the_end(bounds);
}

static void test_rows_are_refetched_only_once_the_bus_was_read_to_its_end(void **state)
{
    (void)state;
    world.on_read = read_behind_the_bus;
    want("k");
    have(world.source, "k", "1|t");
    put_one(1, 30, 1010, (Event)INSERT("l", "1", "t"));
    put_one(1, 31, 1020, (Event)INSERT("m", "1", "t"));
    run_to(1020);
    assert_row("k", "1|t");
}

/* The bus has room again, and what HIGH waits for, once what is on it was committed. */
static void make_room_behind_a_commit(void)
{
    if (++world.nudges > 100)
        fail_msg("the window is waited for in vain");
    if (position_now() < 1010)
        return;
    fake_bus_set_capacity(0);
    nudge_past_high();
}

static void fill_the_bus(ReadBounds *bounds)
{
    read_at_the_end(bounds);
    if (world.reads > 1)
        return;
    put_one(1, 30, 1010, (Event)INSERT("l", "1", "t"));
    fake_bus_set_capacity(1);
}

static void fill_the_bus_unseen(ReadBounds *bounds)
{
    fill_the_bus(bounds);
    if (world.reads == 1)
        bounds->xmax = 30; /* the row enters the batch before transaction 30 */
}

static void assert_window_is_given_up(void (*on_read)(ReadBounds *bounds))
{
    world.on_read = on_read;
    world.on_nudge = make_room_behind_a_commit;
    want("k");
    have(world.source, "k", "1|t");
    run_to(1010);
    assert_row("k", "1|t");
    assert_row("l", "1|t");
    assert_int_equal(world.reads, 2);
    assert_accounts(1);
}

static void test_a_window_that_a_full_bus_keeps_open_is_given_up(void **state)
{
    (void)state;
    assert_window_is_given_up(fill_the_bus);
}

static void test_a_window_whose_rows_are_in_the_batch_is_given_up_with_it(void **state)
{
    (void)state;
    assert_window_is_given_up(fill_the_bus_unseen);
}

static void test_large_rows_are_refetched_in_windows_that_fit(void **state)
{
    (void)state;
    static const char *const ids[] = {"k", "l", "m", "n"};
    g_autofree char *image = g_strconcat("1|", big, NULL);
    migration.memory_limit = SMALL_MEMORY;
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        want(ids[i]);
        have(world.source, ids[i], image);
    }
    want("absent");
    have(fake_target.store.rows, "absent", "1|t");
    run_to(1000);
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++)
        assert_row(ids[i], image);
    assert_row("absent", NULL);
    assert_int_equal(world.reads, 4);
}

static void test_accounts_that_do_not_add_up_stop_apply_and_keep_nothing(void **state)
{
    (void)state;
    GError *error = NULL;
    const Part part = {10, 1010, 0, 2, 1, {INSERT("a", "1", "t")}};
    put(1, 1, &part);
    Apply *apply = apply_begun(&error);
    StepResult result = STEP_IDLE;
    for (guint i = 0; i < 20 && result != STEP_FAILED; i++)
        result = apply_step(apply, &error);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_BUG));
    g_clear_error(&error);
    apply_free(apply);
    assert_row("a", NULL);
    assert_int_equal(position_now(), 1000);
}

static void test_a_stop_between_pieces_leaves_nothing(void **state)
{
    (void)state;
    GError *error = NULL;
    migration.memory_limit = SMALL_MEMORY;
    put_mixture();
    world.stop_at_write = 2;
    Apply *apply = apply_begun(&error);
    while (!runtime_stopping(&runtime))
        assert_true(apply_step(apply, &error) != STEP_FAILED);
    apply_free(apply);
    assert_row("d", NULL);
    assert_row("g", NULL);
    runtime.stop = 0;
    run_to(1060);
    assert_mixture();
}

static void test_nothing_is_written_while_paused(void **state)
{
    (void)state;
    GError *error = NULL;
    fake_target.paused = true;
    put_one(1, 30, 1010, (Event)INSERT("l", "1", "t"));
    Apply *apply = apply_begun(&error);
    for (guint i = 0; i < 20; i++)
        assert_int_equal(apply_step(apply, &error), STEP_IDLE);
    assert_int_equal(fake_target.writes, 0);
    apply_free(apply);
    fake_target.paused = false;
    run_to(1010);
    assert_row("l", "1|t");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_failure_at_any_call_loses_and_doubles_nothing),
        TEST(test_a_failure_at_any_call_is_outlived_by_a_transaction_in_pieces),
        TEST(test_a_transaction_in_pieces_is_one_commit),
        TEST(test_a_claim_that_voids_pieces_loses_no_whole_transaction_before_them),
        TEST(test_a_refetched_row_enters_below_what_its_read_did_not_see),
        TEST(test_a_read_that_misses_what_was_applied_is_read_again),
        TEST(test_rows_are_refetched_only_once_the_bus_was_read_to_its_end),
        TEST(test_a_window_that_a_full_bus_keeps_open_is_given_up),
        TEST(test_a_window_whose_rows_are_in_the_batch_is_given_up_with_it),
        TEST(test_large_rows_are_refetched_in_windows_that_fit),
        TEST(test_accounts_that_do_not_add_up_stop_apply_and_keep_nothing),
        TEST(test_a_stop_between_pieces_leaves_nothing),
        TEST(test_nothing_is_written_while_paused),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
