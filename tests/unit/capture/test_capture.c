/*
 * Capture between a scripted source and a bus in memory. Whatever fails and whenever, a new capture
 * must go on so that a reader of the bus sees each committed transaction once, and nothing may be
 * acknowledged that is not durable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"
#include "proto/error.h"
#include "tests/support/fake_bus.h"
#include "tests/support/must.h"
#include "tests/support/tables.h"

#include <string.h>

#define START 1000 /* P0 */

/* ---- the scripted source ---- */

typedef struct Item {
    StreamResult kind;
    Operation operation;
    guint64 position; /* commit, position; begin: the transaction's commit */
    guint64 xid;
    guint number; /* of the change, in its bytes */
    guint size;   /* bytes of the change's value */
} Item;

static struct World {
    GArray *script; /* Item */
    guint64 acknowledged;
    guint acknowledgements;
    guint64 head; /* what status tells, and a heartbeat's marker */
    guint heartbeats;
    gint64 clock;
    bool restless; /* past the script come positions without end */
    guint calls;   /* of the source and the bus */
    guint fail_at; /* 0: never */
} world;

struct Source {
    guint next; /* item */
    guint8 *value;
    Cell cells[2];
    Cell key[1];
};

static bool may(const char *operation, GError **error)
{
    if (++world.calls != world.fail_at)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "%s fails on cue", operation);
    return false;
}

static Source *fake_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint, (void)label;
    return may("connect", error) ? g_new0(Source, 1) : NULL;
}

static void fake_close(Source *source)
{
    g_free(source->value);
    g_free(source);
}

static bool fake_status(Source *source, const Migration *migration, bool emit, SourceStatus *status,
                        GError **error)
{
    (void)source, (void)migration;
    *status = (SourceStatus){.oldest_xid = 700, .time = 5000000};
    if (!may("status", error))
        return false;
    world.heartbeats += emit;
    status->head.major = world.head;
    return true;
}

static bool fake_start(Source *source, const Migration *migration, Position from,
                       const char *resume, bool take_over, GError **error)
{
    (void)migration, (void)take_over, (void)resume;
    if (!may("start", error))
        return false;
    assert_true(world.acknowledged <= from.major);
    for (source->next = 0; source->next < world.script->len; source->next++) {
        const Item *item = &g_array_index(world.script, Item, source->next);
        if ((item->kind == STREAM_BEGIN || item->kind == STREAM_POSITION) &&
            item->position > from.major)
            break;
    }
    return true;
}

/* The bytes are new memory each time, and the old ones are gone, as the contract allows. */
static void fill_change(Source *source, const Item *item, StreamEvent *event)
{
    static const guint32 both[] = {1, 2};
    g_free(source->value);
    source->value = g_malloc0(MAX(item->size, sizeof item->number));
    memcpy(source->value, &item->number, sizeof item->number);
    source->cells[0] = (Cell){.data = source->value, .length = sizeof item->number};
    source->cells[1] = (Cell){.data = source->value, .length = item->size};
    source->key[0] = source->cells[0];
    event->change = (Change){.operation = item->operation, .table = 1, .schema_version = 7};
    if (item->operation == OPERATION_TRUNCATE) {
        event->n_truncated = 2;
        event->truncated = both;
        return;
    }
    if (item->operation != OPERATION_DELETE)
        event->change.row = (Row){.cells = source->cells, .n_cells = 2};
    if (item->operation != OPERATION_INSERT)
        event->change.old_key = (Row){.cells = source->key, .n_cells = 1};
}

static StreamResult fake_next(Source *source, int timeout_ms, StreamEvent *event, GError **error)
{
    *event = (StreamEvent){0};
    if (!may("next", error))
        return STREAM_FAILED;
    if (source->next >= world.script->len && world.restless) {
        world.clock += 1000;
        event->position.major = 5000 + (guint64)world.clock;
        return STREAM_POSITION;
    }
    if (source->next >= world.script->len) {
        world.clock += timeout_ms * 1000;
        return STREAM_TIMEOUT;
    }
    const Item *item = &g_array_index(world.script, Item, source->next++);
    event->transaction = (Transaction){.xid = item->xid, .commit_time = (gint64)item->xid * 10};
    event->position.major = item->position;
    if (item->kind == STREAM_TIMEOUT)
        world.clock += timeout_ms * 1000;
    if (item->kind == STREAM_COMMIT)
        event->transaction.position.major = item->position;
    if (item->kind == STREAM_CHANGE)
        fill_change(source, item, event);
    return item->kind;
}

static guint64 durable_position(void);

static bool fake_acknowledge(Source *source, Position durable, GError **error)
{
    (void)source;
    if (!may("acknowledge", error))
        return false;
    assert_true(durable.major <= durable_position());
    world.acknowledged = MAX(world.acknowledged, durable.major);
    world.acknowledgements++;
    return true;
}

static const SourceOps fake_source_ops = {.engine = "fake",
                                          .connect = fake_connect,
                                          .close = fake_close,
                                          .status = fake_status,
                                          .stream_start = fake_start,
                                          .stream_next = fake_next,
                                          .stream_acknowledge = fake_acknowledge};

/* ---- scripts ---- */

static void add(Item item)
{
    g_array_append_val(world.script, item);
}

/* A transaction that ends at position: n changes of one operation, with values of size bytes. */
static void add_transaction(guint64 xid, guint64 position, guint n, Operation operation, guint size)
{
    add((Item){.kind = STREAM_BEGIN, .xid = xid, .position = position});
    for (guint i = 0; i < n; i++)
        add((Item){
            .kind = STREAM_CHANGE, .operation = operation, .xid = xid, .number = i, .size = size});
    add((Item){.kind = STREAM_COMMIT, .xid = xid, .position = position});
}

static void add_pause(void)
{
    add((Item){.kind = STREAM_TIMEOUT});
}

static void add_position(guint64 position)
{
    add((Item){.kind = STREAM_POSITION, .position = position});
}

/* Small ones, an empty one, one of several records, a truncation, markers and pauses. */
static void add_mixture(void)
{
    add_transaction(701, 1010, 3, OPERATION_INSERT, 10);
    add_pause();
    add_transaction(702, 1020, 0, OPERATION_INSERT, 0);
    add_position(1025);
    add_transaction(703, 1030, 2100, OPERATION_UPDATE, 1000);
    add_transaction(704, 1040, 1, OPERATION_TRUNCATE, 0);
    add_pause();
    add_transaction(705, 1050, 2, OPERATION_DELETE, 10);
    add_transaction(706, 1060, 1, OPERATION_INSERT, 2000000);
    add_position(1070);
    add_pause();
}

static const char mixture_text[] = "701: insert*3 captured 1=3\n"
                                   "703: update*2100 captured 1=2100\n"
                                   "704: truncate*2 captured 1=1 2=1\n"
                                   "705: delete*2 captured 1=2\n"
                                   "706: insert*1 captured 1=1\n";

/* ---- a reader of the bus ---- */

typedef struct Reader {
    Arena *arena;
    GString *text;
    guint64 epoch;
    guint64 predecessor;
    guint64 position; /* of the last whole transaction */
    guint64 last_position;
    guint64 open_xid; /* a transaction whose last part did not come yet */
    guint64 changes;  /* of it */
    guint32 fragments;
    Operation operation;
    guint claims, heartbeats;
    guint behind_long_ones; /* parts behind the last one of a transaction of several records */
    Record last_heartbeat;
} Reader;

static void read_part(Reader *reader, const Transaction *part)
{
    static const char *const names[] = {"", "insert", "update", "delete", "truncate"};
    if (part->fragment == 0) {
        assert_int_equal(reader->open_xid, 0);
        reader->open_xid = part->xid;
        reader->changes = reader->fragments = 0;
    }
    assert_int_equal(part->xid, reader->open_xid);
    assert_int_equal(part->fragment, reader->fragments++);
    assert_int_equal(part->first_sequence, reader->changes);
    for (guint32 i = 0; i < part->n_changes; i++) {
        const Change *change = &part->changes[i];
        reader->operation = change->operation;
        if (change->row.n_cells > 0)
            assert_memory_equal(change->row.cells[0].data, &(guint){(guint)reader->changes + i}, 4);
    }
    reader->changes += part->n_changes;
    assert_true(part->last == !position_is_zero(part->position));
    if (!part->last)
        return;
    reader->open_xid = 0;
    reader->last_position = part->position.major;
    if (part->position.major <= reader->position)
        return;
    reader->position = part->position.major;
    g_string_append_printf(reader->text, "%u: %s*%u captured", (guint)part->xid,
                           names[reader->operation], (guint)reader->changes);
    for (guint32 i = 0; i < part->n_captured; i++)
        g_string_append_printf(reader->text, " %u=%u", part->captured[i].table,
                               (guint)part->captured[i].events);
    g_string_append(reader->text, "\n");
}

static void read_record(Reader *reader, guint64 sequence)
{
    GError *error = NULL;
    Record record;
    gsize size;
    const guint8 *data = g_bytes_get_data(fake_bus_record(sequence), &size);
    MUST(record_unpack(data, size, reader->arena, &record, &error));
    MUST(bus_chain_check(&record, sequence, reader->predecessor, NULL, &error));
    reader->predecessor = record_digest(data, size);
    assert_true(record.epoch >= reader->epoch);
    if (record.kind == RECORD_CLAIM) {
        reader->epoch = record.epoch;
        reader->open_xid = 0;
        reader->claims++;
    }
    if (record.kind == RECORD_HEARTBEAT) {
        assert_int_equal(reader->open_xid, 0);
        reader->heartbeats++;
        reader->last_heartbeat = record;
    }
    if (record.kind != RECORD_EVENTS) {
        assert_true(record.position.major >= reader->last_position);
        reader->last_position = record.position.major;
    }
    for (guint32 i = 0; i < record.n_transactions; i++) {
        const Transaction *before = i > 0 ? &record.transactions[i - 1] : NULL;
        reader->behind_long_ones += before != NULL && before->fragment > 0;
        read_part(reader, &record.transactions[i]);
    }
}

static void reader_run(Reader *reader)
{
    *reader = (Reader){.arena = arena_new(65536), .text = g_string_new(NULL)};
    for (guint64 sequence = 1; sequence <= fake_bus_durable(); sequence++)
        read_record(reader, sequence);
}

static void reader_clear(Reader *reader)
{
    arena_free(reader->arena);
    g_string_free(reader->text, true);
}

static guint64 durable_position(void)
{
    Reader reader;
    reader_run(&reader);
    guint64 position = reader.last_position;
    reader_clear(&reader);
    return position;
}

/* ---- the bench ---- */

static gint64 fake_now(Runtime *runtime)
{
    (void)runtime;
    return world.clock;
}

static void fake_wait(Runtime *runtime, gint64 duration)
{
    (void)runtime;
    world.clock += duration;
}

static Migration migration;
static Runtime runtime = {.now = fake_now, .wait = fake_wait};
static char identity[] = "1/1";
static char name[] = "shop";

static int set_up(void **state)
{
    (void)state;
    world = (struct World){.script = g_array_new(false, false, sizeof(Item)), .clock = 1};
    fake_bus_reset();
    fake_bus_set_hook(may);
    migration = (Migration){.name = name, .source_identity = identity, .start = {.major = START}};
    migration.tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    g_ptr_array_add(migration.tables, test_table_new(1, "t", "id integer key, v text"));
    g_ptr_array_add(migration.tables, test_table_new(2, "u", "id integer key"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    g_array_unref(world.script);
    g_ptr_array_unref(migration.tables);
    fake_bus_reset();
    return 0;
}

static CaptureSettings settings(guint64 epoch)
{
    return (CaptureSettings){.migration = &migration,
                             .source = &fake_source_ops,
                             .bus = &fake_bus_ops,
                             .epoch = epoch,
                             .runtime = &runtime};
}

static Capture *capture_begun(guint64 epoch)
{
    GError *error = NULL;
    Capture *capture;
    CaptureSettings chosen = settings(epoch);
    MUST(capture = capture_new(&chosen, &error));
    return capture;
}

/* Steps until the source has had nothing for a while. False where a step failed. */
static bool run_dry(Capture *capture)
{
    g_autoptr(GError) error = NULL;
    for (guint idle = 0; idle < 15;) {
        StepResult result = capture_step(capture, &error);
        if (result == STEP_FAILED) {
            assert_true(drover_error_is_retry(error));
            return false;
        }
        idle = result == STEP_IDLE ? idle + 1 : 0;
    }
    return true;
}

static void assert_bus(const char *text)
{
    Reader reader;
    reader_run(&reader);
    assert_string_equal(reader.text->str, text);
    reader_clear(&reader);
}

/* ---- tests ---- */

static void test_the_bus_holds_what_was_committed(void **state)
{
    (void)state;
    add_mixture();
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    assert_bus(mixture_text);
    capture_free(capture);
}

/* A reader that has applied it begins with the next record, and need not know whether the parts of
 * a long transaction that it finds there are applied. */
static void test_a_transaction_of_several_records_ends_its_record(void **state)
{
    (void)state;
    add_transaction(701, 1010, 900, OPERATION_UPDATE, 1000);
    add_transaction(702, 1020, 1, OPERATION_INSERT, 10);
    add_transaction(703, 1030, 900, OPERATION_UPDATE, 1000);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    Reader reader;
    reader_run(&reader);
    assert_int_equal(reader.position, 1030);
    assert_int_equal(reader.behind_long_ones, 0);
    reader_clear(&reader);
    capture_free(capture);
}

static void test_a_stream_that_never_pauses_holds_no_commit_back(void **state)
{
    (void)state;
    GError *error = NULL;
    add_transaction(701, 1010, 1, OPERATION_INSERT, 10);
    world.restless = true;
    Capture *capture = capture_begun(1);
    assert_int_equal(capture_step(capture, &error), STEP_WORKED);
    assert_bus("701: insert*1 captured 1=1\n");
    capture_free(capture);
}

static void test_everything_durable_is_acknowledged_in_the_end(void **state)
{
    (void)state;
    add_mixture();
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    assert_int_equal(world.acknowledged, 1070);
    capture_free(capture);
}

static void add_many(guint n)
{
    for (guint i = 0; i < n; i++)
        add_transaction(701 + i, 1010 + 10 * i, 1, OPERATION_INSERT, 500000);
}

static void test_a_full_bus_is_waited_for_and_goes_on_once_it_is_trimmed(void **state)
{
    (void)state;
    add_many(20);
    fake_bus_set_capacity(2000000);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    assert_true(durable_position() < 1200);
    while (durable_position() < 1200) {
        guint before = fake_bus_durable();
        capture_allow_trim(capture, before + 1);
        assert_true(run_dry(capture));
        assert_true(fake_bus_durable() > before);
    }
    capture_free(capture);
}

static void test_a_new_capture_trims_a_bus_that_is_full(void **state)
{
    (void)state;
    add_many(20);
    fake_bus_set_capacity(2000000);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    capture_free(capture);
    capture = capture_begun(2);
    guint before = fake_bus_durable();
    capture_allow_trim(capture, before);
    assert_true(run_dry(capture));
    assert_true(fake_bus_durable() > before);
    capture_free(capture);
}

static void test_a_full_bus_stops_no_acknowledgement(void **state)
{
    (void)state;
    add_many(20);
    fake_bus_set_capacity(2000000);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    guint before = world.acknowledgements;
    world.clock += 60 * G_USEC_PER_SEC;
    assert_true(run_dry(capture));
    assert_true(world.acknowledgements > before);
    capture_free(capture);
}

static void test_the_status_tells_position_and_events(void **state)
{
    (void)state;
    CaptureStatus status;
    add_mixture();
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    capture_status(capture, &status);
    assert_int_equal(status.position.major, 1070);
    assert_int_equal(status.events, 3 + 2100 + 2 + 2 + 1);
    assert_int_equal(status.commit_time, 7060);
    assert_int_equal(status.bus_sequence, fake_bus_durable());
    capture_free(capture);
}

static void test_no_record_is_far_larger_than_its_limit(void **state)
{
    (void)state;
    add_transaction(701, 1010, 5000, OPERATION_INSERT, 1000);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    assert_true(fake_bus_durable() >= 7);
    for (guint64 i = 1; i <= fake_bus_durable(); i++)
        assert_true(g_bytes_get_size(fake_bus_record(i)) < 900000);
    capture_free(capture);
}

static void test_an_open_transaction_is_not_acknowledged(void **state)
{
    (void)state;
    add_transaction(701, 1010, 3000, OPERATION_INSERT, 1000);
    g_array_set_size(world.script, world.script->len - 1);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    assert_true(fake_bus_durable() > 1);
    assert_true(world.acknowledged <= START);
    capture_free(capture);
}

static void test_a_claim_repeats_the_position_and_resumes_there(void **state)
{
    (void)state;
    add_transaction(701, 1010, 1, OPERATION_INSERT, 10);
    Capture *first = capture_begun(1);
    assert_true(run_dry(first));
    capture_free(first);
    add_transaction(702, 1020, 1, OPERATION_INSERT, 10);
    Capture *second = capture_begun(2);
    assert_true(run_dry(second));
    capture_free(second);
    assert_bus("701: insert*1 captured 1=1\n702: insert*1 captured 1=1\n");
}

static void test_a_resume_inside_a_huge_transaction_finds_the_position_before_it(void **state)
{
    (void)state;
    add_transaction(701, 1010, 1, OPERATION_INSERT, 10);
    add_transaction(702, 1020, 60000, OPERATION_INSERT, 1000);
    Item end = g_array_index(world.script, Item, world.script->len - 1);
    g_array_set_size(world.script, world.script->len - 1);
    Capture *first = capture_begun(1);
    assert_true(run_dry(first));
    assert_true(fake_bus_durable() > 64);
    capture_free(first);
    add(end);
    Capture *second = capture_begun(2);
    assert_true(run_dry(second));
    capture_free(second);
    assert_bus("701: insert*1 captured 1=1\n702: insert*60000 captured 1=60000\n");
}

static void test_a_lower_epoch_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;
    CaptureSettings old = settings(1);
    capture_free(capture_begun(2));
    MUST_FAIL(capture_new(&old, &error), DROVER_ERROR_NO);
}

static void test_a_failure_at_any_call_loses_and_doubles_nothing(void **state)
{
    (void)state;
    /* Under valgrind (DROVER_SHORT is set) not at every call. */
    guint stride = g_getenv("DROVER_SHORT") != NULL ? 41 : 13;
    for (guint n = 1;; n += n < 40 && stride == 13 ? 1 : stride) {
        g_autoptr(GError) error = NULL;
        tear_down(NULL);
        set_up(NULL);
        add_mixture();
        world.fail_at = n;
        CaptureSettings failing = settings(1);
        failing.heartbeat_interval = 50000;
        world.head = 1015;
        Capture *first = capture_new(&failing, &error);
        bool all = first && run_dry(first);
        capture_free(first);
        world.fail_at = 0;
        Capture *second = capture_begun(2);
        assert_true(run_dry(second));
        capture_free(second);
        assert_bus(mixture_text);
        assert_int_equal(world.acknowledged, 1070);
        if (all)
            break;
    }
}

static void test_a_failed_capture_stays_failed(void **state)
{
    (void)state;
    GError *error = NULL;
    Capture *capture = capture_begun(1);
    world.fail_at = world.calls + 1;
    assert_int_equal(capture_step(capture, &error), STEP_FAILED);
    g_clear_error(&error);
    assert_int_equal(capture_step(capture, &error), STEP_FAILED);
    assert_true(drover_error_is_retry(error));
    g_clear_error(&error);
    capture_free(capture);
}

static void test_a_quiet_source_writes_nothing(void **state)
{
    (void)state;
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    assert_int_equal(fake_bus_durable(), 1);
    capture_free(capture);
}

static void test_a_position_that_moves_is_recorded_within_a_second(void **state)
{
    (void)state;
    Reader reader;
    add_position(1005);
    add_position(1006);
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    reader_run(&reader);
    assert_int_equal(reader.heartbeats, 1);
    assert_int_equal(reader.last_heartbeat.position.major, 1006);
    assert_int_equal(world.acknowledged, 1006);
    reader_clear(&reader);
    capture_free(capture);
}

static void test_a_position_far_ahead_is_recorded_at_once(void **state)
{
    (void)state;
    GError *error = NULL;
    Reader reader;
    add_position(START + 2000000);
    Capture *capture = capture_begun(1);
    assert_int_equal(capture_step(capture, &error), STEP_WORKED);
    reader_run(&reader);
    assert_int_equal(reader.heartbeats, 1);
    reader_clear(&reader);
    capture_free(capture);
}

static void test_a_heartbeat_that_came_back_carries_time_and_oldest_transaction(void **state)
{
    (void)state;
    GError *error = NULL;
    Reader reader;
    CaptureSettings beating = settings(1);
    beating.heartbeat_interval = G_USEC_PER_SEC;
    world.head = 1005;
    add_position(1005);
    Capture *capture = capture_new(&beating, &error);
    assert_int_equal(capture_step(capture, &error), STEP_WORKED);
    reader_run(&reader);
    assert_int_equal(reader.heartbeats, 1);
    assert_int_equal(reader.last_heartbeat.oldest_xid, 700);
    assert_int_equal(reader.last_heartbeat.source_time, 5000000);
    reader_clear(&reader);
    capture_free(capture);
}

static void test_heartbeats_wait_for_the_one_on_its_way(void **state)
{
    (void)state;
    GError *error = NULL;
    CaptureSettings beating = settings(1);
    beating.heartbeat_interval = 200000;
    world.head = 5000;
    Capture *capture = capture_new(&beating, &error);
    assert_true(run_dry(capture));
    assert_int_equal(world.heartbeats, 1);
    capture_free(capture);
}

static void test_trim_keeps_the_last_record_with_a_position(void **state)
{
    (void)state;
    add_mixture();
    Capture *capture = capture_begun(1);
    assert_true(run_dry(capture));
    capture_allow_trim(capture, fake_bus_durable() + 1);
    assert_true(run_dry(capture));
    assert_int_equal(fake_bus_first(), fake_bus_durable());
    capture_free(capture);
    Capture *second = capture_begun(2);
    assert_true(run_dry(second));
    capture_free(second);
}

static void test_a_silent_stream_is_answered_every_ten_seconds(void **state)
{
    (void)state;
    Capture *capture = capture_begun(1);
    for (guint i = 0; i < 18; i++)
        assert_true(run_dry(capture));
    assert_true(world.acknowledgements >= 2);
    capture_free(capture);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_bus_holds_what_was_committed),
        TEST(test_a_transaction_of_several_records_ends_its_record),
        TEST(test_a_stream_that_never_pauses_holds_no_commit_back),
        TEST(test_everything_durable_is_acknowledged_in_the_end),
        TEST(test_a_full_bus_is_waited_for_and_goes_on_once_it_is_trimmed),
        TEST(test_a_new_capture_trims_a_bus_that_is_full),
        TEST(test_a_full_bus_stops_no_acknowledgement),
        TEST(test_the_status_tells_position_and_events),
        TEST(test_no_record_is_far_larger_than_its_limit),
        TEST(test_an_open_transaction_is_not_acknowledged),
        TEST(test_a_claim_repeats_the_position_and_resumes_there),
        TEST(test_a_resume_inside_a_huge_transaction_finds_the_position_before_it),
        TEST(test_a_lower_epoch_is_refused),
        TEST(test_a_failure_at_any_call_loses_and_doubles_nothing),
        TEST(test_a_failed_capture_stays_failed),
        TEST(test_a_quiet_source_writes_nothing),
        TEST(test_a_position_that_moves_is_recorded_within_a_second),
        TEST(test_a_position_far_ahead_is_recorded_at_once),
        TEST(test_a_heartbeat_that_came_back_carries_time_and_oldest_transaction),
        TEST(test_heartbeats_wait_for_the_one_on_its_way),
        TEST(test_trim_keeps_the_last_record_with_a_position),
        TEST(test_a_silent_stream_is_answered_every_ten_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
