/*
 * Apply under random schedules: a source whose commits are in the log before they are visible, a
 * copy that reads while it changes, a bus that lags, is torn by claims and is read in any portions,
 * rows that are refetched, an apply that is killed. In the end both sides hold the same rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/apply.h"
#include "proto/error.h"
#include "tests/support/fake_bus.h"
#include "tests/support/fake_target.h"
#include "tests/support/must.h"
#include "tests/support/tables.h"

#include <string.h>

#define SEEDS 4000
#define SEEDS_SHORT 200 /* under valgrind: DROVER_SHORT is set */
#define MOST_STEPS 120
#define KEYS 6
#define MOST_EVENTS 4
#define START 1000 /* position before the first transaction */
#define UNCHANGED 0

typedef struct Image {
    bool there;
    guint a, t;
} Image;

typedef struct Event {
    Operation operation;
    guint old_key, key;
    guint a, t; /* t UNCHANGED: the log does not carry it */
} Event;

typedef struct Commit {
    bool invisible; /* in the log, and no read sees it */
    guint n;
    Event events[MOST_EVENTS];
    Image before[KEYS], after[KEYS];
    bool touches[KEYS];
} Commit;

static struct World {
    GRand *random;
    GArray *log; /* Commit; its position is START + 10 * (index + 1), its xid 10 + index */
    Image rows[KEYS];
    guint next_value;
    guint on_bus; /* commits */
    guint64 bus_epoch, last_digest;
    Position high; /* of the copy */
    gint64 clock;
    guint wrong;
} world;

static Migration migration;
static Runtime runtime;
static char identity[] = "1/1";
static char name[] = "shop";

static bool chance(double of)
{
    return g_rand_double(world.random) < of;
}

static guint pick(guint n)
{
    return (guint)g_rand_int_range(world.random, 0, (gint32)n);
}

static Commit *commit_at(guint i)
{
    return &g_array_index(world.log, Commit, i);
}

static guint64 end_of(guint commits)
{
    return START + 10 * (guint64)commits;
}

/* ---- the source ---- */

static bool is_locked(guint key)
{
    for (guint i = 0; i < world.log->len; i++)
        if (commit_at(i)->invisible && commit_at(i)->touches[key])
            return true;
    return false;
}

static void write_key(Commit *commit, guint key)
{
    Image *row = &world.rows[key];
    Event *event = &commit->events[commit->n];
    guint other = pick(KEYS), way = row->there ? pick(6) : 6;
    *event = (Event){.operation = OPERATION_UPDATE, .key = key, .old_key = key};
    if (way == 0) {
        event->operation = OPERATION_DELETE;
        *row = (Image){0};
    } else if (way == 1) {
        if (world.rows[other].there || is_locked(other))
            return;
        row->a = ++world.next_value;
        event->key = other;
        world.rows[other] = *row;
        *row = (Image){0};
        row = &world.rows[other];
        commit->touches[other] = true;
    } else if (way == 6) {
        event->operation = OPERATION_INSERT;
        *row = (Image){true, ++world.next_value, ++world.next_value};
        event->t = row->t;
    } else {
        row->a = ++world.next_value;
        if (way < 4)
            event->t = row->t = ++world.next_value;
    }
    event->a = row->a;
    commit->touches[key] = true;
    commit->n++;
}

static void write_transaction(bool may_be_invisible)
{
    Commit commit = {0};
    memcpy(commit.before, world.rows, sizeof world.rows);
    for (guint n = 1 + pick(MOST_EVENTS); n > 0; n--) {
        guint key = pick(KEYS);
        if (!is_locked(key))
            write_key(&commit, key);
    }
    memcpy(commit.after, world.rows, sizeof world.rows);
    commit.invisible = may_be_invisible && chance(0.5);
    if (commit.n > 0)
        g_array_append_val(world.log, commit);
}

static void show_one(void)
{
    if (world.log->len > 0)
        commit_at(pick(world.log->len))->invisible = false;
}

/* What a new snapshot sees of a key: no later commit changes it before an invisible one is seen. */
static Image visible(guint key)
{
    for (guint i = 0; i < world.log->len; i++)
        if (commit_at(i)->invisible && commit_at(i)->touches[key])
            return commit_at(i)->before[key];
    return world.rows[key];
}

struct Source {
    int unused;
};

static Source *source_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint, (void)label, (void)error;
    return g_new0(Source, 1);
}

static void source_close(Source *source)
{
    g_free(source);
}

static bool source_begin(Source *source, const char *snapshot, ReadBounds *bounds, GError **error)
{
    (void)source, (void)snapshot, (void)error;
    *bounds = (ReadBounds){.xmin = 10 + world.log->len, .xmax = 10 + world.log->len};
    bounds->running = g_array_new(FALSE, FALSE, sizeof(guint64));
    for (guint i = 0; i < world.log->len; i++) {
        guint64 xid = 10 + i;
        if (!commit_at(i)->invisible)
            continue;
        bounds->xmin = MIN(bounds->xmin, xid);
        g_array_append_val(bounds->running, xid);
    }
    return true;
}

static Cell number_cell(guint number, char *text)
{
    g_snprintf(text, 12, "%u", number);
    return (Cell){.data = (const guint8 *)text, .length = (guint32)strlen(text)};
}

static bool source_read(Source *source, ReadRequest *request, const ReadSink *sink, GError **error)
{
    (void)source;
    for (guint i = 0; i < request->n_keys; i++) {
        guint key = (guint)(request->keys[i].cells[0].data[0] - '0');
        Image image = visible(key);
        char texts[3][12];
        Cell cells[3] = {number_cell(key, texts[0]), number_cell(image.a, texts[1]),
                         number_cell(image.t, texts[2])};
        if (image.there && !sink->row(sink->user, &(Row){cells, 3}, 1, error))
            return false;
    }
    return true;
}

static bool source_end(Source *source, ReadBounds *bounds, GError **error)
{
    (void)source, (void)error;
    bounds->high.major = end_of(world.log->len);
    for (guint n = pick(4); n > 0; n--)
        write_transaction(true);
    return true;
}

static void feed_bus(void);

static bool source_status(Source *source, const Migration *of, bool emit, SourceStatus *status,
                          GError **error)
{
    (void)source, (void)of, (void)emit, (void)error;
    *status = (SourceStatus){0};
    if (chance(0.5))
        write_transaction(true);
    feed_bus();
    return true;
}

static const SourceOps source_ops = {.engine = "fake",
                                     .connect = source_connect,
                                     .close = source_close,
                                     .status = source_status,
                                     .read_begin = source_begin,
                                     .read = source_read,
                                     .read_end = source_end};

/* ---- the bus ---- */

static void append(Record *record)
{
    GError *error = NULL;
    g_autoptr(Arena) arena = arena_new(4096);
    g_autoptr(GByteArray) packed = g_byte_array_new();
    Bus *bus = fake_bus_ops.open(NULL, BUS_WRITE, &error);
    record->epoch = world.bus_epoch;
    record->sequence = fake_bus_durable() + 1;
    record->predecessor = world.last_digest;
    record->source_identity = identity;
    record_pack(record, arena, packed);
    MUST(fake_bus_ops.append(bus, record->sequence, packed->data, packed->len, &error));
    MUST(fake_bus_ops.flush(bus, &error));
    fake_bus_ops.close(bus);
    world.last_digest = record_digest(packed->data, packed->len);
}

typedef struct Buffers {
    Change changes[MOST_EVENTS];
    Cell cells[MOST_EVENTS][4];
    char texts[MOST_EVENTS][4][12];
} Buffers;

static void fill_change(const Event *event, Buffers *buffers, guint i)
{
    const Table *table = g_ptr_array_index(migration.tables, 0);
    Cell *cells = buffers->cells[i];
    Change *change = &buffers->changes[i];
    *change = (Change){.operation = event->operation, .table = 1};
    change->schema_version = table->version;
    cells[0] = number_cell(event->old_key, buffers->texts[i][0]);
    cells[1] = number_cell(event->key, buffers->texts[i][1]);
    cells[2] = number_cell(event->a, buffers->texts[i][2]);
    cells[3] = number_cell(event->t, buffers->texts[i][3]);
    if (event->operation == OPERATION_UPDATE && event->t == UNCHANGED)
        cells[3] = (Cell){.kind = CELL_UNCHANGED};
    if (event->operation == OPERATION_DELETE || event->old_key != event->key)
        change->old_key = (Row){cells, 1};
    if (event->operation != OPERATION_DELETE)
        change->row = (Row){cells + 1, 3};
}

/* The events [from, to) of a commit as one part in a record of its own. */
static void append_part(guint commit, guint from, guint to, guint fragment)
{
    Buffers buffers;
    const Commit *of = commit_at(commit);
    bool last = to == of->n;
    TableCount count = {.table = 1, .events = of->n};
    for (guint i = from; i < to; i++)
        fill_change(&of->events[i], &buffers, i);
    Transaction part = {.xid = 10 + commit,
                        .position = {.major = last ? end_of(commit + 1) : 0},
                        .fragment = fragment,
                        .last = last,
                        .n_changes = to - from,
                        .changes = buffers.changes + from,
                        .n_captured = last ? 1 : 0,
                        .captured = &count};
    append(&(Record){.kind = RECORD_EVENTS, .n_transactions = 1, .transactions = &part});
}

static void claim(void)
{
    world.bus_epoch++;
    append(&(Record){.kind = RECORD_CLAIM, .position = {.major = end_of(world.on_bus)}});
}

/* The next commits of the log; some are torn by a claim and sent again. */
static void feed_bus(void)
{
    for (guint n = 1 + pick(4); n > 0 && world.on_bus < world.log->len; n--) {
        guint all = commit_at(world.on_bus)->n, cut = pick(all + 1);
        if (cut > 0 && cut < all)
            append_part(world.on_bus, 0, cut, 0);
        if (cut > 0 && cut < all && chance(0.3)) {
            claim();
            cut = 0;
        }
        bool whole = cut == 0 || cut == all;
        append_part(world.on_bus, whole ? 0 : cut, all, whole ? 0 : 1);
        world.on_bus++;
    }
    if (chance(0.3))
        claim();
    if (world.on_bus == world.log->len)
        append(&(Record){.kind = RECORD_HEARTBEAT, .position = {.major = end_of(world.on_bus)}});
}

/* ---- the bench ---- */

static bool allow(const char *operation, GError **error)
{
    (void)operation, (void)error;
    return true;
}

static void ignore(void)
{
}

static gint64 fake_now(Runtime *self)
{
    (void)self;
    return world.clock += 300000;
}

static void begin(guint32 seed)
{
    world = (struct World){.random = g_rand_new_with_seed(seed), .bus_epoch = 1};
    world.log = g_array_new(FALSE, FALSE, sizeof(Commit));
    fake_target_reset("0/3E8");
    fake_target.hook = allow;
    fake_target.wrote = ignore;
    fake_bus_reset();
    runtime = (Runtime){.now = fake_now};
}

static void end(void)
{
    g_rand_free(world.random);
    g_array_unref(world.log);
    fake_target_clear();
}

/* Rows from before the stream's start. */
static void fill_source(void)
{
    for (guint i = 0; i < 20; i++)
        write_transaction(false);
    g_array_set_size(world.log, 0);
}

/* Each key is read by itself, while transactions go on. */
static void copy_rows(void)
{
    for (guint key = 0; key < KEYS; key++) {
        for (guint n = pick(6); n > 0; n--)
            write_transaction(true);
        if (chance(0.5))
            show_one();
        Image image = visible(key);
        if (image.there)
            g_hash_table_insert(fake_target.store.rows, g_strdup_printf("%u", key),
                                g_strdup_printf("%u|%u", image.a, image.t));
    }
    world.high.major = end_of(world.log->len);
}

static Position position_now(void)
{
    Position position;
    assert_true(position_parse(fake_target.store.progress[0], &position));
    return position;
}

static Apply *apply_begun(bool consistent)
{
    GError *error = NULL;
    const ApplySettings settings = {.migration = &migration,
                                    .source = &source_ops,
                                    .bus = &fake_bus_ops,
                                    .target = &fake_target_ops,
                                    .epoch = 1,
                                    .runtime = &runtime,
                                    .consistent = consistent,
                                    .until = consistent ? (Position){0} : world.high};
    Apply *apply;
    MUST(apply = apply_new(&settings, &error));
    return apply;
}

/* Rows that a verify doubts. */
static void doubt_one(void)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autoptr(GString) hex = g_string_new("\\x");
    char text[12];
    Cell cell = number_cell(pick(KEYS), text);
    row_pack(&(Row){&cell, 1}, packed);
    for (guint i = 0; i < packed->len; i++)
        g_string_append_printf(hex, "%02x", packed->data[i]);
    g_hash_table_insert(fake_target.store.list, g_strdup(hex->str), NULL);
}

/* One step; a new apply where there is none, or past the consistent point another. */
static Apply *step(Apply *apply)
{
    GError *error = NULL;
    if (apply == NULL)
        apply = apply_begun(position_compare(position_now(), world.high) >= 0);
    StepResult result = apply_step(apply, &error);
    if (result == STEP_FAILED)
        fail_msg("%s", error->message);
    if (result == STEP_DONE)
        g_clear_pointer(&apply, apply_free);
    return apply;
}

static bool settled(void)
{
    return position_now().major == end_of(world.log->len) &&
           g_hash_table_size(fake_target.store.list) == 0;
}

static Apply *run_randomly(void)
{
    Apply *apply = NULL;
    guint steps = pick(MOST_STEPS); /* after many, what went wrong early is often written over */
    for (guint i = 0; i < steps; i++) {
        guint way = pick(100);
        if (way < 34)
            write_transaction(true);
        else if (way < 50)
            show_one();
        else if (way < 65)
            feed_bus();
        else if (way < 90)
            apply = step(apply);
        else
            g_clear_pointer(&apply, apply_free);
        if (way >= 94) /* the next apply finds it */
            doubt_one();
    }
    return apply;
}

static void run_to_the_end(Apply *apply)
{
    g_clear_pointer(&apply, apply_free); /* the next one finds the keys in doubt */
    for (guint i = 0; i < world.log->len; i++)
        commit_at(i)->invisible = false;
    for (guint i = 0; i < 2000 && !settled(); i++) {
        while (world.on_bus < world.log->len)
            feed_bus();
        feed_bus();
        apply = step(apply);
        for (guint c = 0; c < world.log->len; c++)
            commit_at(c)->invisible = false;
    }
    apply_free(apply);
    assert_true(settled());
}

static void assert_same_rows(guint32 seed)
{
    for (guint key = 0; key < KEYS; key++) {
        g_autofree char *id = g_strdup_printf("%u", key);
        const Image *row = &world.rows[key];
        g_autofree char *image = row->there ? g_strdup_printf("%u|%u", row->a, row->t) : NULL;
        const char *found = g_hash_table_lookup(fake_target.store.rows, id);
        if (g_strcmp0(found, image) != 0)
            fail_msg("seed %u: row %s is %s, not %s", seed, id, found ? found : "absent",
                     image ? image : "absent");
    }
    const Account *account = &fake_target.store.account;
    guint64 captured = 0;
    for (guint i = 0; i < world.log->len; i++)
        captured += commit_at(i)->n;
    assert_int_equal(account->captured, captured);
    assert_int_equal(account->applied + account->superseded + account->refetched, captured);
}

static void run_seeds(guint64 memory)
{
    migration = (Migration){.name = name, .source_identity = identity, .memory_limit = memory};
    migration.tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    g_ptr_array_add(migration.tables, test_table_new(1, "x", "id text key, a text, t text"));
    guint32 seeds = g_getenv("DROVER_SHORT") != NULL ? SEEDS_SHORT : SEEDS;
    for (guint32 seed = 0; seed < seeds; seed++) {
        begin(seed);
        fill_source();
        copy_rows();
        run_to_the_end(run_randomly());
        assert_same_rows(seed);
        end();
    }
    g_ptr_array_unref(migration.tables);
}

static void test_both_sides_end_with_the_same_rows(void **state)
{
    (void)state;
    run_seeds(256 << 20);
}

/* Little more memory than the one block that a batch begins with: a transaction of several records
 * is written in pieces of three keys. */
static void test_both_sides_end_with_the_same_rows_written_in_pieces(void **state)
{
    (void)state;
    g_autoptr(Arena) block = arena_new(256 * 1024);
    arena_alloc(block, 1);
    run_seeds((arena_size(block) + 60) * 5 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_end_with_the_same_rows),
        cmocka_unit_test(test_both_sides_end_with_the_same_rows_written_in_pieces),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
