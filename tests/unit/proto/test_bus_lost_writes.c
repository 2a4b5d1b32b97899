/*
 * The local bus on a disk that loses what was not synced: whatever happens, every record whose
 * flush returned is there after the power comes back, and the log is whole.
 */
#include "proto/bus.h"
#include "tests/support/lost_writes_vfs.h"
#include "tests/support/temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>

#define ROUNDS 300
#define ROUNDS_SHORT 40 /* under valgrind: DROVER_SHORT is set */
#define STEPS 40        /* of a round, at most */
#define SEED 20241

/* What was asked of the bus: the records by their number, and how far they must be there. */
typedef struct Model {
    const BusOptions *options;
    GRand *random;
    GPtrArray *records; /* GBytes; the first one's number is 1 */
    guint64 flushed;    /* the last record whose flush returned */
    guint64 trimmed;    /* records below it may be gone */
    guint64 epoch;
} Model;

static GBytes *random_record(GRand *random)
{
    gint32 limit = g_rand_int_range(random, 0, 20) == 0 ? 300000 : 9000;
    gsize size = (gsize)g_rand_int_range(random, 1, limit);
    guint8 *data = g_malloc(size);
    guint32 state = g_rand_int(random);
    for (gsize i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = (guint8)(state >> 24);
    }
    return g_bytes_new_take(data, size);
}

static void check_record(const Model *model, guint64 sequence, const guint8 *data, gsize size)
{
    gsize expected_size;
    const guint8 *expected =
        g_bytes_get_data(g_ptr_array_index(model->records, sequence - 1), &expected_size);
    assert_int_equal(size, expected_size);
    assert_memory_equal(data, expected, size);
}

/* The bus holds everything that was flushed; what was appended after that may be there or not. */
static void check_bus(Model *model, Bus *bus)
{
    BusInfo info;
    assert_true(bus_local_ops.info(bus, &info, NULL));
    assert_in_range(info.last_sequence, model->flushed, model->records->len);
    assert_true(info.first_sequence <= MAX(model->trimmed, 1));
    guint64 digest = 0, sequence;
    const guint8 *data;
    gsize size;
    bus_local_ops.seek(bus, info.first_sequence);
    for (guint64 i = info.first_sequence; i <= info.last_sequence; i++) {
        assert_int_equal(bus_local_ops.read(bus, 0, &sequence, &data, &size, NULL), BUS_RECORD);
        assert_int_equal(sequence, i);
        check_record(model, i, data, size);
        digest = record_digest(data, size);
    }
    assert_int_equal(bus_local_ops.read(bus, 0, &sequence, &data, &size, NULL), BUS_EMPTY);
    if (info.first_sequence <= info.last_sequence)
        assert_int_equal(digest, info.last_digest);
    model->flushed = info.last_sequence;
    g_ptr_array_set_size(model->records, (gint)info.last_sequence);
}

static Bus *open_writer(Model *model)
{
    Bus *bus = bus_local_ops.open(model->options, BUS_WRITE, NULL);
    if (bus && !bus_local_ops.claim(bus, ++model->epoch, false, NULL)) {
        bus_local_ops.close(bus);
        bus = NULL;
    }
    return bus;
}

static bool append_some(Model *model, Bus *bus)
{
    gint32 n = g_rand_int_range(model->random, 1, 9);
    for (gint32 i = 0; i < n; i++) {
        GBytes *record = random_record(model->random);
        g_ptr_array_add(model->records, record);
        gsize size;
        const guint8 *data = g_bytes_get_data(record, &size);
        if (!bus_local_ops.append(bus, model->records->len, data, size, NULL))
            return false;
    }
    if (!bus_local_ops.flush(bus, NULL))
        return false;
    model->flushed = model->records->len;
    return true;
}

/* One random action; NULL once the power is gone. */
static Bus *step(Model *model, Bus *bus)
{
    bool worked = true;
    gint32 chance = g_rand_int_range(model->random, 0, 10);
    if (chance == 0) {
        bus_local_ops.close(bus);
        return open_writer(model);
    }
    if (chance == 1 && model->flushed > 0) {
        guint64 below = 1 + g_rand_int(model->random) % model->flushed;
        model->trimmed = MAX(model->trimmed, below);
        worked = bus_local_ops.trim(bus, below, NULL);
    } else {
        worked = append_some(model, bus);
    }
    if (worked)
        return bus;
    bus_local_ops.close(bus);
    return NULL;
}

static void run_round(Model *model)
{
    Bus *bus = open_writer(model);
    assert_non_null(bus);
    check_bus(model, bus);
    lost_writes_cut_after((guint)g_rand_int_range(model->random, 1, 400));
    for (int i = 0; bus && i < STEPS; i++)
        bus = step(model, bus);
    if (!bus)
        assert_true(lost_writes_is_cut());
    lost_writes_cut();
    bus_local_ops.close(bus);
    lost_writes_restore(model->random);
}

static char *directory;

static int set_up(void **state)
{
    (void)state;
    directory = temporary_directory_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temporary_directory_free(directory);
    return 0;
}

static void test_flushed_records_survive_a_power_cut(void **state)
{
    (void)state;
    g_autofree char *path = g_build_filename(directory, "cut.bus", NULL);
    BusOptions options = {.path = path, .vfs = lost_writes_vfs()};
    g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
    Model model = {.options = &options, .random = random};
    model.records = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    bus_local_ops.close(bus_local_ops.open(&options, BUS_CREATE, NULL));
    int rounds = g_getenv("DROVER_SHORT") != NULL ? ROUNDS_SHORT : ROUNDS;
    for (int round = 0; round < rounds; round++)
        run_round(&model);
    g_ptr_array_unref(model.records);
}

/* Whatever is there after a cut in the middle of the creation: a bus, or something that the next
 * creation makes one of. */
static void test_a_creation_that_was_cut_can_be_done_again(void **state)
{
    (void)state;
    g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
    for (guint cut = 1; cut < 60; cut++) {
        g_autofree char *name = g_strdup_printf("create-%u.bus", cut);
        g_autofree char *path = g_build_filename(directory, name, NULL);
        BusOptions options = {.path = path, .vfs = lost_writes_vfs()};
        lost_writes_cut_after(cut);
        Bus *bus = bus_local_ops.open(&options, BUS_CREATE, NULL);
        bool created = bus != NULL;
        lost_writes_cut();
        bus_local_ops.close(bus);
        lost_writes_restore(random);
        bus = bus_local_ops.open(&options, BUS_WRITE, NULL);
        if (created)
            assert_non_null(bus);
        if (!bus)
            bus = bus_local_ops.open(&options, BUS_CREATE, NULL);
        assert_non_null(bus);
        bus_local_ops.close(bus);
    }
}

/* The counter-proof: the same disk does lose what a careless writer committed. */
static void test_commits_without_a_sync_are_lost(void **state)
{
    (void)state;
    g_autofree char *path = g_build_filename(directory, "careless.bus", NULL);
    BusOptions options = {.path = path, .vfs = lost_writes_vfs()};
    bus_local_ops.close(bus_local_ops.open(&options, BUS_CREATE, NULL));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, options.vfs), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "pragma synchronous = off; begin;"
                                  "insert into record values (1, x'01');"
                                  "update meta set last_sequence = 1; commit;",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    lost_writes_cut();
    sqlite3_close(db);
    lost_writes_restore(NULL);
    Bus *bus = bus_local_ops.open(&options, BUS_READ, NULL);
    assert_non_null(bus);
    BusInfo info;
    assert_true(bus_local_ops.info(bus, &info, NULL));
    assert_int_equal(info.last_sequence, 0);
    bus_local_ops.close(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flushed_records_survive_a_power_cut),
        cmocka_unit_test(test_a_creation_that_was_cut_can_be_done_again),
        cmocka_unit_test(test_commits_without_a_sync_are_lost),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
