#include "tests/support/bus_contract.h"

#include "proto/error.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#define LONG_WAIT 30000 /* milliseconds; a test that waits that long has failed */
#define LOOK_INTERVAL 50000

static const BusOps *ops;
static BusOptions (*fresh)(void);

void contract_set_up(const BusOps *driver, BusOptions (*fresh_options)(void), void **state)
{
    GError *error = NULL;
    BusFixture *fixture = g_new0(BusFixture, 1);
    ops = driver;
    fresh = fresh_options;
    fixture->options = fresh();
    MUST(fixture->writer = ops->open(&fixture->options, BUS_CREATE, &error));
    MUST(ops->claim(fixture->writer, 1, false, &error));
    *state = fixture;
}

void contract_tear_down(void **state)
{
    GError *error = NULL;
    BusFixture *fixture = *state;
    ops->close(fixture->writer);
    MUST(ops->remove(&fixture->options, &error));
    bus_options_clear(&fixture->options);
    g_free(fixture);
}

Bus *contract_open(const BusOptions *options, BusMode mode)
{
    GError *error = NULL;
    Bus *bus = NULL;
    MUST(bus = ops->open(options, mode, &error));
    return bus;
}

/* A driver may trim rarely. */
void contract_trim(Bus *bus, guint64 below)
{
    GError *error = NULL;
    gint64 deadline = g_get_monotonic_time() + (gint64)LONG_WAIT * 1000;
    while (contract_info_of(bus).first_sequence < below) {
        assert_true(g_get_monotonic_time() < deadline);
        MUST(ops->trim(bus, below, &error));
        g_usleep(LOOK_INTERVAL);
    }
}

void contract_append(Bus *bus, guint64 sequence, const char *text)
{
    GError *error = NULL;
    MUST(ops->append(bus, sequence, (const guint8 *)text, strlen(text), &error));
}

void contract_flush(Bus *bus)
{
    GError *error = NULL;
    MUST(ops->flush(bus, &error));
}

void contract_append_blocks(Bus *bus, guint64 from, guint64 to, gsize size)
{
    GError *error = NULL;
    g_autofree guint8 *data = g_malloc0(size);
    for (guint64 i = from; i <= to; i++) {
        MUST(ops->append(bus, i, data, size, &error));
        MUST(ops->flush(bus, &error));
    }
}

BusInfo contract_info_of(Bus *bus)
{
    GError *error = NULL;
    BusInfo info;
    MUST(ops->info(bus, &info, &error));
    return info;
}

void contract_assert_reads(Bus *bus, guint64 expected, const char *text)
{
    GError *error = NULL;
    guint64 sequence;
    const guint8 *data;
    gsize size;
    BusResult result = ops->read(bus, LONG_WAIT, &sequence, &data, &size, &error);
    MUST(result == BUS_RECORD);
    assert_int_equal(sequence, expected);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, size);
}

BusResult contract_read_now(Bus *bus, GError **error)
{
    guint64 sequence;
    const guint8 *data;
    gsize size;
    return ops->read(bus, 0, &sequence, &data, &size, error);
}

typedef struct Waiting {
    const BusFixture *fixture;
    BusResult result;
    guint64 sequence;
} Waiting;

static void *wait_for_record(void *data)
{
    Waiting *waiting = data;
    Bus *reader = ops->open(&waiting->fixture->options, BUS_READ, NULL);
    const guint8 *bytes;
    gsize size;
    waiting->result = ops->read(reader, LONG_WAIT, &waiting->sequence, &bytes, &size, NULL);
    ops->close(reader);
    return NULL;
}

void contract_test_flushed_records_are_read_in_order(void **state)
{
    BusFixture *fixture = *state;
    contract_append(fixture->writer, 1, "one");
    contract_append(fixture->writer, 2, "");
    contract_flush(fixture->writer);
    contract_append(fixture->writer, 3, "three");
    contract_flush(fixture->writer);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    contract_assert_reads(reader, 1, "one");
    contract_assert_reads(reader, 2, "");
    contract_assert_reads(reader, 3, "three");
    assert_int_equal(contract_read_now(reader, NULL), BUS_EMPTY);
    ops->close(reader);
}

void contract_test_unflushed_records_are_not_seen(void **state)
{
    BusFixture *fixture = *state;
    contract_append(fixture->writer, 1, "one");
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    assert_int_equal(contract_read_now(reader, NULL), BUS_EMPTY);
    assert_int_equal(contract_info_of(reader).last_sequence, 0);
    contract_flush(fixture->writer);
    contract_assert_reads(reader, 1, "one");
    ops->close(reader);
}

void contract_test_unflushed_records_are_forgotten_by_close(void **state)
{
    BusFixture *fixture = *state;
    contract_append(fixture->writer, 1, "one");
    ops->close(fixture->writer);
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 0);
}

void contract_test_records_of_any_size_are_read(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autofree guint8 *data = g_malloc(6 << 20);
    memset(data, 0x5c, 6 << 20);
    gsize sizes[60];
    for (guint64 i = 0; i < G_N_ELEMENTS(sizes); i++) {
        sizes[i] = (gsize)g_rand_int_range(random, 0, 1 << g_rand_int_range(random, 1, 22));
        if (i % 20 == 7)
            sizes[i] = 6 << 20;
        MUST(ops->append(fixture->writer, i + 1, data, sizes[i], &error));
    }
    contract_flush(fixture->writer);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    for (guint64 i = 0; i < G_N_ELEMENTS(sizes); i++) {
        guint64 sequence;
        const guint8 *read;
        gsize size;
        MUST(ops->read(reader, 0, &sequence, &read, &size, &error) == BUS_RECORD);
        assert_int_equal(sequence, i + 1);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(read, data, size);
    }
    ops->close(reader);
}

void contract_test_seek_goes_back_and_forth(void **state)
{
    BusFixture *fixture = *state;
    for (guint64 i = 1; i <= 9; i++) {
        char text[] = {(char)('0' + i), '\0'};
        contract_append(fixture->writer, i, text);
    }
    contract_flush(fixture->writer);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    ops->seek(reader, 5);
    contract_assert_reads(reader, 5, "5");
    ops->seek(reader, 2);
    contract_assert_reads(reader, 2, "2");
    ops->seek(reader, 9);
    contract_assert_reads(reader, 9, "9");
    ops->close(reader);
}

void contract_test_a_reader_past_the_end_is_an_error(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    ops->seek(reader, 3);
    MUST_FAIL(contract_read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->close(reader);
}

void contract_test_a_higher_epoch_fences_the_old_writer(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append(fixture->writer, 1, "old");
    contract_flush(fixture->writer);
    Bus *second = contract_open(&fixture->options, BUS_WRITE);
    MUST(ops->claim(second, 2, false, &error));
    contract_append(second, 2, "new");
    contract_flush(second);
    bool written = ops->append(fixture->writer, 2, (const guint8 *)"x", 1, &error) &&
                   ops->flush(fixture->writer, &error);
    assert_false(written);
    assert_true(error->code == DROVER_ERROR_NO || error->code == DROVER_ERROR_RETRY);
    g_clear_error(&error);
    MUST_FAIL(ops->claim(fixture->writer, 1, false, &error), DROVER_ERROR_NO);
    ops->close(second);
    second = contract_open(&fixture->options, BUS_WRITE);
    MUST(ops->claim(second, 2, false, &error));
    contract_append(second, 3, "newer");
    contract_flush(second);
    assert_int_equal(contract_info_of(second).epoch, 2);
    contract_assert_reads(second, 1, "old");
    contract_assert_reads(second, 2, "new");
    contract_assert_reads(second, 3, "newer");
    ops->close(second);
}

void contract_test_a_writer_without_an_epoch_cannot_append(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    Bus *second = contract_open(&fixture->options, BUS_WRITE);
    MUST_FAIL(ops->append(second, 1, (const guint8 *)"x", 1, &error), DROVER_ERROR_BUG);
    ops->close(second);
}

void contract_test_a_wrong_number_is_refused_and_nothing_kept(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append(fixture->writer, 1, "one");
    MUST_FAIL(ops->append(fixture->writer, 3, (const guint8 *)"x", 1, &error), DROVER_ERROR_BUG);
    contract_flush(fixture->writer);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 0);
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 1);
}

void contract_test_the_end_survives_a_trim_of_everything(void **state)
{
    BusFixture *fixture = *state;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    contract_append(fixture->writer, 2, "two");
    contract_flush(fixture->writer);
    contract_trim(fixture->writer, 2);
    GError *error = NULL;
    MUST(ops->trim(fixture->writer, 3, &error));
    BusInfo info = contract_info_of(fixture->writer);
    assert_true(info.first_sequence >= 2);
    assert_int_equal(info.last_sequence, 2);
    assert_int_equal(info.last_digest, record_digest((const guint8 *)"two", 3));
    contract_append(fixture->writer, 3, "three");
    contract_flush(fixture->writer);
    info = contract_info_of(fixture->writer);
    assert_int_equal(info.last_sequence, 3);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    ops->seek(reader, 3);
    contract_assert_reads(reader, 3, "three");
    assert_int_equal(contract_info_of(reader).first_sequence, info.first_sequence);
    assert_int_equal(contract_info_of(reader).last_sequence, 3);
    assert_int_equal(contract_info_of(reader).last_digest, info.last_digest);
    ops->close(reader);
}

void contract_test_trimmed_records_cannot_be_read(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    contract_append(fixture->writer, 2, "two");
    contract_flush(fixture->writer);
    contract_append(fixture->writer, 3, "three");
    contract_flush(fixture->writer);
    contract_trim(fixture->writer, 2);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    MUST_FAIL(contract_read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->seek(reader, 2);
    contract_assert_reads(reader, 2, "two");
    contract_trim(fixture->writer, 3);
    ops->seek(reader, 2);
    MUST_FAIL(contract_read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->seek(reader, 3);
    contract_assert_reads(reader, 3, "three");
    assert_int_equal(contract_read_now(reader, NULL), BUS_EMPTY);
    ops->close(reader);
}

void contract_test_trim_with_unflushed_records_keeps_them(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    contract_append(fixture->writer, 2, "two");
    MUST(ops->trim(fixture->writer, 2, &error));
    contract_flush(fixture->writer);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 2);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    ops->seek(reader, 2);
    contract_assert_reads(reader, 2, "two");
    ops->close(reader);
}

void contract_test_an_existing_bus_is_not_created_again(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    guint8 uuid[16];
    memcpy(uuid, contract_info_of(fixture->writer).uuid, sizeof uuid);
    MUST_FAIL(ops->open(&fixture->options, BUS_CREATE, &error), DROVER_ERROR_PERSON);
    assert_memory_equal(uuid, contract_info_of(fixture->writer).uuid, sizeof uuid);
}

void contract_test_each_bus_has_its_own_uuid(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    BusOptions options = fresh();
    Bus *second = contract_open(&options, BUS_CREATE);
    BusInfo one = contract_info_of(fixture->writer), two = contract_info_of(second);
    assert_memory_not_equal(one.uuid, two.uuid, sizeof one.uuid);
    ops->close(second);
    MUST(ops->remove(&options, &error));
    bus_options_clear(&options);
}

void contract_test_a_waiting_reader_gets_a_record_flushed_by_another_thread(void **state)
{
    BusFixture *fixture = *state;
    Waiting waiting = {.fixture = fixture};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_record, &waiting), 0);
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    pthread_join(thread, NULL);
    assert_int_equal(waiting.result, BUS_RECORD);
    assert_int_equal(waiting.sequence, 1);
}

void contract_test_a_bus_that_is_not_there_needs_a_person(void **state)
{
    GError *error = NULL;
    BusOptions options = fresh();
    bool exists = true;
    (void)state;
    MUST_FAIL(ops->open(&options, BUS_READ, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(ops->open(&options, BUS_WRITE, &error), DROVER_ERROR_PERSON);
    MUST(ops->exists(&options, &exists, &error));
    assert_false(exists);
    bus_options_clear(&options);
}

void contract_test_a_removed_bus_is_gone_and_can_be_made_anew(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    bool exists = false;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    BusInfo old = contract_info_of(fixture->writer);
    ops->close(fixture->writer);
    fixture->writer = NULL;
    MUST(ops->exists(&fixture->options, &exists, &error));
    assert_true(exists);
    MUST(ops->remove(&fixture->options, &error));
    MUST(ops->remove(&fixture->options, &error));
    fixture->writer = contract_open(&fixture->options, BUS_CREATE);
    BusInfo made = contract_info_of(fixture->writer);
    assert_memory_not_equal(old.uuid, made.uuid, sizeof old.uuid);
    assert_int_equal(made.last_sequence, 0);
}

static void note(void *user, BusNoteLevel level, const char *name, const char *text,
                 const char *remedy)
{
    guint *counts = user;
    assert_true(g_str_has_prefix(name, "bus.") && *text != '\0');
    assert_true(level != BUS_NOTE_FAIL || remedy == NULL || *remedy != '\0');
    counts[level]++;
}

void contract_test_a_check_finds_nothing_wrong_before_and_after(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    BusOptions options = fresh();
    guint before[3] = {0}, after[3] = {0};
    bool exists = true;
    MUST(ops->check(&options, note, before, &error));
    assert_true(before[BUS_NOTE_FAIL] == 0 && before[BUS_NOTE_PASS] > 0);
    MUST(ops->exists(&options, &exists, &error));
    assert_false(exists);
    contract_append(fixture->writer, 1, "one");
    MUST(ops->check(&fixture->options, note, after, &error));
    assert_true(after[BUS_NOTE_FAIL] == 0 && after[BUS_NOTE_PASS] > 0);
    contract_flush(fixture->writer);
    bus_options_clear(&options);
}
