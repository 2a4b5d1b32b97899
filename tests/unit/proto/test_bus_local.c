#include "proto/bus.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib/gstdio.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_WAIT 30000 /* milliseconds; a test that waits that long has failed */

static const BusOps *const ops = &bus_local_ops;

typedef struct Fixture {
    char *directory;
    char *path;
    BusOptions options;
    Bus *writer; /* of a new bus, epoch 1 claimed */
} Fixture;

static int set_up(void **state)
{
    GError *error = NULL;
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->directory = temporary_directory_new();
    fixture->path = g_build_filename(fixture->directory, "test.bus", NULL);
    fixture->options.path = fixture->path;
    MUST(fixture->writer = ops->open(&fixture->options, BUS_CREATE, &error));
    MUST(ops->claim(fixture->writer, 1, false, &error));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    ops->close(fixture->writer);
    temporary_directory_free(fixture->directory);
    g_free(fixture->path);
    g_free(fixture);
    return 0;
}

static Bus *open_bus(const Fixture *fixture, BusMode mode)
{
    GError *error = NULL;
    Bus *bus = NULL;
    MUST(bus = ops->open(&fixture->options, mode, &error));
    return bus;
}

static void append(Bus *bus, guint64 sequence, const char *text)
{
    GError *error = NULL;
    MUST(ops->append(bus, sequence, (const guint8 *)text, strlen(text), &error));
}

static void flush(Bus *bus)
{
    GError *error = NULL;
    MUST(ops->flush(bus, &error));
}

static void append_blocks(Bus *bus, guint64 from, guint64 to, gsize size)
{
    GError *error = NULL;
    g_autofree guint8 *data = g_malloc0(size);
    for (guint64 i = from; i <= to; i++) {
        MUST(ops->append(bus, i, data, size, &error));
        MUST(ops->flush(bus, &error));
    }
}

static BusInfo info_of(Bus *bus)
{
    GError *error = NULL;
    BusInfo info;
    MUST(ops->info(bus, &info, &error));
    return info;
}

static void assert_reads(Bus *bus, guint64 expected, const char *text)
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

static BusResult read_now(Bus *bus, GError **error)
{
    guint64 sequence;
    const guint8 *data;
    gsize size;
    return ops->read(bus, 0, &sequence, &data, &size, error);
}

static void test_flushed_records_are_read_in_order(void **state)
{
    Fixture *fixture = *state;
    append(fixture->writer, 1, "one");
    append(fixture->writer, 2, "");
    flush(fixture->writer);
    append(fixture->writer, 3, "three");
    flush(fixture->writer);
    Bus *reader = open_bus(fixture, BUS_READ);
    assert_reads(reader, 1, "one");
    assert_reads(reader, 2, "");
    assert_reads(reader, 3, "three");
    assert_int_equal(read_now(reader, NULL), BUS_EMPTY);
    ops->close(reader);
}

static void test_unflushed_records_are_not_seen(void **state)
{
    Fixture *fixture = *state;
    append(fixture->writer, 1, "one");
    Bus *reader = open_bus(fixture, BUS_READ);
    assert_int_equal(read_now(reader, NULL), BUS_EMPTY);
    assert_int_equal(info_of(reader).last_sequence, 0);
    flush(fixture->writer);
    assert_reads(reader, 1, "one");
    ops->close(reader);
}

static void test_unflushed_records_are_forgotten_by_close(void **state)
{
    Fixture *fixture = *state;
    append(fixture->writer, 1, "one");
    ops->close(fixture->writer);
    fixture->writer = open_bus(fixture, BUS_WRITE);
    assert_int_equal(info_of(fixture->writer).last_sequence, 0);
}

static void test_records_of_any_size_are_read(void **state)
{
    Fixture *fixture = *state;
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
    flush(fixture->writer);
    Bus *reader = open_bus(fixture, BUS_READ);
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

static void test_seek_goes_back_and_forth(void **state)
{
    Fixture *fixture = *state;
    for (guint64 i = 1; i <= 9; i++) {
        char text[] = {(char)('0' + i), '\0'};
        append(fixture->writer, i, text);
    }
    flush(fixture->writer);
    Bus *reader = open_bus(fixture, BUS_READ);
    ops->seek(reader, 5);
    assert_reads(reader, 5, "5");
    ops->seek(reader, 2);
    assert_reads(reader, 2, "2");
    ops->seek(reader, 9);
    assert_reads(reader, 9, "9");
    ops->close(reader);
}

static void test_a_reader_past_the_end_is_an_error(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append(fixture->writer, 1, "one");
    flush(fixture->writer);
    Bus *reader = open_bus(fixture, BUS_READ);
    ops->seek(reader, 3);
    MUST_FAIL(read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->close(reader);
}

static void test_a_hole_is_an_error(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    sqlite3 *db = NULL;
    append(fixture->writer, 1, "one");
    append(fixture->writer, 2, "two");
    append(fixture->writer, 3, "three");
    flush(fixture->writer);
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "delete from record where sequence = 2", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    Bus *reader = open_bus(fixture, BUS_READ);
    assert_reads(reader, 1, "one");
    MUST_FAIL(read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->close(reader);
}

static void test_a_higher_epoch_fences_the_old_writer(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append(fixture->writer, 1, "old");
    flush(fixture->writer);
    Bus *second = open_bus(fixture, BUS_WRITE);
    MUST(ops->claim(second, 2, false, &error));
    MUST_FAIL(ops->append(fixture->writer, 2, (const guint8 *)"x", 1, &error), DROVER_ERROR_NO);
    MUST_FAIL(ops->trim(fixture->writer, 2, &error), DROVER_ERROR_NO);
    MUST_FAIL(ops->claim(fixture->writer, 1, false, &error), DROVER_ERROR_NO);
    append(second, 2, "new");
    flush(second);
    assert_int_equal(info_of(second).epoch, 2);
    assert_reads(second, 1, "old");
    assert_reads(second, 2, "new");
    ops->close(second);
}

static void test_a_writer_without_an_epoch_cannot_append(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    Bus *second = open_bus(fixture, BUS_WRITE);
    MUST_FAIL(ops->append(second, 1, (const guint8 *)"x", 1, &error), DROVER_ERROR_BUG);
    ops->close(second);
}

static void test_a_wrong_number_is_refused_and_nothing_kept(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append(fixture->writer, 1, "one");
    MUST_FAIL(ops->append(fixture->writer, 3, (const guint8 *)"x", 1, &error), DROVER_ERROR_BUG);
    flush(fixture->writer);
    assert_int_equal(info_of(fixture->writer).last_sequence, 0);
    append(fixture->writer, 1, "one");
    flush(fixture->writer);
    assert_int_equal(info_of(fixture->writer).last_sequence, 1);
}

static void test_the_end_survives_a_trim_of_everything(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append(fixture->writer, 1, "one");
    append(fixture->writer, 2, "two");
    flush(fixture->writer);
    MUST(ops->trim(fixture->writer, 3, &error));
    BusInfo info = info_of(fixture->writer);
    assert_int_equal(info.first_sequence, 3);
    assert_int_equal(info.last_sequence, 2);
    assert_int_equal(info.last_digest, record_digest((const guint8 *)"two", 3));
    append(fixture->writer, 3, "three");
    flush(fixture->writer);
    info = info_of(fixture->writer);
    assert_int_equal(info.first_sequence, 3);
    assert_int_equal(info.last_sequence, 3);
}

static void test_trimmed_records_cannot_be_read(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append(fixture->writer, 1, "one");
    append(fixture->writer, 2, "two");
    flush(fixture->writer);
    MUST(ops->trim(fixture->writer, 2, &error));
    Bus *reader = open_bus(fixture, BUS_READ);
    MUST_FAIL(read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->seek(reader, 2);
    assert_reads(reader, 2, "two");
    MUST(ops->trim(fixture->writer, 3, &error));
    ops->seek(reader, 2);
    MUST_FAIL(read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->seek(reader, 3);
    assert_int_equal(read_now(reader, NULL), BUS_EMPTY);
    ops->close(reader);
}

static void test_trim_with_unflushed_records_keeps_them(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append(fixture->writer, 1, "one");
    flush(fixture->writer);
    append(fixture->writer, 2, "two");
    MUST(ops->trim(fixture->writer, 2, &error));
    flush(fixture->writer);
    BusInfo info = info_of(fixture->writer);
    assert_int_equal(info.first_sequence, 2);
    assert_int_equal(info.last_sequence, 2);
}

static void test_trims_go_piece_by_piece_and_shrink_the_file(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    append_blocks(fixture->writer, 1, 60, block);
    MUST(ops->trim(fixture->writer, 60, &error));
    assert_true(info_of(fixture->writer).first_sequence < 60);
    for (int i = 0; i < 20; i++)
        MUST(ops->trim(fixture->writer, 60, &error));
    assert_int_equal(info_of(fixture->writer).first_sequence, 60);
    ops->close(fixture->writer);
    fixture->writer = open_bus(fixture, BUS_WRITE);
    assert_true(info_of(fixture->writer).bytes < 20 * block);
}

static void test_the_write_ahead_log_stays_small(void **state)
{
    Fixture *fixture = *state;
    Bus *reader = open_bus(fixture, BUS_READ);
    for (guint64 i = 1; i <= 100; i++) {
        append_blocks(fixture->writer, i, i, 1 << 20);
        assert_int_equal(read_now(reader, NULL), BUS_RECORD);
    }
    assert_true(info_of(reader).bytes < (guint64)140 << 20);
    ops->close(reader);
}

static void test_a_full_bus_asks_for_patience_and_works_after_a_trim(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    g_autofree guint8 *data = g_malloc0(block);
    ops->close(fixture->writer);
    fixture->options.max_size = 5 * block;
    fixture->writer = open_bus(fixture, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 1, false, &error));
    append_blocks(fixture->writer, 1, 4, block);
    MUST_FAIL(ops->append(fixture->writer, 5, data, block, &error), DROVER_ERROR_RETRY);
    assert_int_equal(info_of(fixture->writer).last_sequence, 4);
    MUST(ops->trim(fixture->writer, 4, &error));
    append_blocks(fixture->writer, 5, 6, block);
}

static void test_a_full_bus_says_so_and_still_takes_a_claim(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    g_autofree guint8 *data = g_malloc0(block);
    ops->close(fixture->writer);
    fixture->options.max_size = 5 * block;
    fixture->writer = open_bus(fixture, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 1, false, &error));
    append_blocks(fixture->writer, 1, 2, block);
    assert_false(info_of(fixture->writer).full);
    append_blocks(fixture->writer, 3, 4, block);
    assert_true(info_of(fixture->writer).full);
    MUST_FAIL(ops->append(fixture->writer, 5, data, block, &error), DROVER_ERROR_RETRY);
    for (guint64 claim = 5; claim < 1000; claim++)
        MUST(ops->append(fixture->writer, claim, data, 2000, &error));
    flush(fixture->writer);
    assert_int_equal(info_of(fixture->writer).last_sequence, 999);
}

static void test_a_full_bus_keeps_nothing_unflushed(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    g_autofree guint8 *data = g_malloc0(block);
    ops->close(fixture->writer);
    fixture->options.max_size = 3 * block;
    fixture->writer = open_bus(fixture, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 1, false, &error));
    MUST(ops->append(fixture->writer, 1, data, block, &error));
    MUST(ops->append(fixture->writer, 2, data, block, &error));
    MUST_FAIL(ops->append(fixture->writer, 3, data, block, &error), DROVER_ERROR_RETRY);
    flush(fixture->writer);
    assert_int_equal(info_of(fixture->writer).last_sequence, 0);
}

static void test_a_missing_file_needs_a_person(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "none.bus", NULL);
    BusOptions options = {.path = path};
    MUST_FAIL(ops->open(&options, BUS_READ, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(ops->open(&options, BUS_WRITE, &error), DROVER_ERROR_PERSON);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_a_missing_directory_can_be_mended(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "none", "x.bus", NULL);
    BusOptions options = {.path = path};
    MUST_FAIL(ops->open(&options, BUS_CREATE, &error), DROVER_ERROR_RETRY);
}

static void test_files_that_are_no_bus_need_a_person_and_stay_as_they_are(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "other", NULL);
    g_autofree char *garbage = g_strnfill(100000, 'g');
    BusOptions options = {.path = path};
    MUST(g_file_set_contents(path, garbage, -1, &error));
    for (BusMode mode = BUS_CREATE; mode <= BUS_READ; mode++)
        MUST_FAIL(ops->open(&options, mode, &error), DROVER_ERROR_PERSON);
    g_autofree char *after = NULL;
    MUST(g_file_get_contents(path, &after, NULL, &error));
    assert_string_equal(after, garbage);
    MUST(g_file_set_contents(path, "", 0, &error));
    MUST_FAIL(ops->open(&options, BUS_WRITE, &error), DROVER_ERROR_PERSON);
}

static void test_another_sqlite_database_is_no_bus(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    sqlite3 *db = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "app.sqlite", NULL);
    BusOptions options = {.path = path};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "create table t (a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (BusMode mode = BUS_CREATE; mode <= BUS_READ; mode++)
        MUST_FAIL(ops->open(&options, mode, &error), DROVER_ERROR_PERSON);
}

static void test_a_damaged_page_needs_a_person(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    append_blocks(fixture->writer, 1, 3, 100000);
    ops->close(fixture->writer);
    g_autofree char *bytes = NULL;
    gsize size;
    MUST(g_file_get_contents(fixture->path, &bytes, &size, &error));
    memset(bytes + 8192, 0xee, size - 8192);
    MUST(g_file_set_contents(fixture->path, bytes, (gssize)size, &error));
    fixture->writer = NULL;
    MUST_FAIL(ops->open(&fixture->options, BUS_READ, &error), DROVER_ERROR_PERSON);
}

static void test_an_existing_bus_is_not_created_again(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint8 uuid[16];
    memcpy(uuid, info_of(fixture->writer).uuid, sizeof uuid);
    MUST_FAIL(ops->open(&fixture->options, BUS_CREATE, &error), DROVER_ERROR_PERSON);
    assert_memory_equal(uuid, info_of(fixture->writer).uuid, sizeof uuid);
}

static void test_each_bus_has_its_own_uuid(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(fixture->directory, "second.bus", NULL);
    BusOptions options = {.path = path};
    Bus *second = NULL;
    MUST(second = ops->open(&options, BUS_CREATE, &error));
    BusInfo one = info_of(fixture->writer), two = info_of(second);
    assert_memory_not_equal(one.uuid, two.uuid, sizeof one.uuid);
    ops->close(second);
}

static void test_only_the_owner_may_read_the_file(void **state)
{
    Fixture *fixture = *state;
    GStatBuf status;
    assert_int_equal(g_stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
}

typedef struct Waiting {
    const Fixture *fixture;
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

static void test_a_waiting_reader_gets_a_record_flushed_by_another_thread(void **state)
{
    Fixture *fixture = *state;
    Waiting waiting = {.fixture = fixture};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_record, &waiting), 0);
    append(fixture->writer, 1, "one");
    flush(fixture->writer);
    pthread_join(thread, NULL);
    assert_int_equal(waiting.result, BUS_RECORD);
    assert_int_equal(waiting.sequence, 1);
}

/* In a child process, which has no part in this one's condition: writes and leaves. */
static void write_in_child(const Fixture *fixture)
{
    Bus *writer = ops->open(&fixture->options, BUS_WRITE, NULL);
    bool done = writer && ops->claim(writer, 2, false, NULL) &&
                ops->append(writer, 1, (const guint8 *)"one", 3, NULL) && ops->flush(writer, NULL);
    ops->close(writer);
    _exit(done ? 0 : 1);
}

static void test_a_waiting_reader_gets_a_record_of_another_process(void **state)
{
    Fixture *fixture = *state;
    ops->close(fixture->writer); /* no open connection may cross the fork */
    fixture->writer = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_in_child(fixture);
    Bus *reader = open_bus(fixture, BUS_READ);
    assert_reads(reader, 1, "one");
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ops->close(reader);
}

/* In a child process whose files cannot grow past 4 MiB: the system refuses writes as a full disk
 * does. 0 where append or flush failed with RETRY, naming the file. */
static void fill_in_child(const Fixture *fixture)
{
    struct rlimit limit = {.rlim_cur = 4 << 20, .rlim_max = 4 << 20};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    GError *error = NULL;
    guint8 *data = g_malloc0(1 << 20);
    Bus *writer = ops->open(&fixture->options, BUS_WRITE, NULL);
    bool worked = writer && ops->claim(writer, 2, false, NULL);
    for (guint64 i = 1; worked && i < 100; i++)
        worked = ops->append(writer, i, data, 1 << 20, &error) && ops->flush(writer, &error);
    bool right = error && drover_error_is_retry(error) && strstr(error->message, fixture->path);
    ops->close(writer);
    g_clear_error(&error);
    g_free(data);
    _exit(right ? 0 : 1);
}

static void test_a_full_disk_asks_for_patience_and_keeps_what_was_flushed(void **state)
{
    Fixture *fixture = *state;
    ops->close(fixture->writer);
    fixture->writer = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fill_in_child(fixture);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture->writer = open_bus(fixture, BUS_WRITE);
    assert_in_range(info_of(fixture->writer).last_sequence, 2, 4);
}

int main(void)
{
    drover_error_quark();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_flushed_records_are_read_in_order),
        TEST(test_unflushed_records_are_not_seen),
        TEST(test_unflushed_records_are_forgotten_by_close),
        TEST(test_records_of_any_size_are_read),
        TEST(test_seek_goes_back_and_forth),
        TEST(test_a_reader_past_the_end_is_an_error),
        TEST(test_a_hole_is_an_error),
        TEST(test_a_higher_epoch_fences_the_old_writer),
        TEST(test_a_writer_without_an_epoch_cannot_append),
        TEST(test_a_wrong_number_is_refused_and_nothing_kept),
        TEST(test_the_end_survives_a_trim_of_everything),
        TEST(test_trimmed_records_cannot_be_read),
        TEST(test_trim_with_unflushed_records_keeps_them),
        TEST(test_trims_go_piece_by_piece_and_shrink_the_file),
        TEST(test_the_write_ahead_log_stays_small),
        TEST(test_a_full_bus_asks_for_patience_and_works_after_a_trim),
        TEST(test_a_full_bus_says_so_and_still_takes_a_claim),
        TEST(test_a_full_bus_keeps_nothing_unflushed),
        TEST(test_a_missing_file_needs_a_person),
        TEST(test_a_missing_directory_can_be_mended),
        TEST(test_files_that_are_no_bus_need_a_person_and_stay_as_they_are),
        TEST(test_another_sqlite_database_is_no_bus),
        TEST(test_a_damaged_page_needs_a_person),
        TEST(test_an_existing_bus_is_not_created_again),
        TEST(test_each_bus_has_its_own_uuid),
        TEST(test_only_the_owner_may_read_the_file),
        TEST(test_a_waiting_reader_gets_a_record_flushed_by_another_thread),
        TEST(test_a_waiting_reader_gets_a_record_of_another_process),
        TEST(test_a_full_disk_asks_for_patience_and_keeps_what_was_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
