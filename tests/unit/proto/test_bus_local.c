#include "proto/bus.h"
#include "proto/error.h"
#include "tests/support/bus_contract.h"
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

static char *directory;

static BusOptions fresh_options(void)
{
    static guint number;
    g_autofree char *name = g_strdup_printf("test%u.bus", ++number);
    return (BusOptions){.path = g_build_filename(directory, name, NULL)};
}

static int set_up(void **state)
{
    directory = temporary_directory_new();
    contract_set_up(ops, fresh_options, state);
    return 0;
}

static int tear_down(void **state)
{
    contract_tear_down(state);
    temporary_directory_free(directory);
    return 0;
}

static void test_a_hole_is_an_error(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    sqlite3 *db = NULL;
    contract_append(fixture->writer, 1, "one");
    contract_append(fixture->writer, 2, "two");
    contract_append(fixture->writer, 3, "three");
    contract_flush(fixture->writer);
    assert_int_equal(sqlite3_open(fixture->options.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "delete from record where sequence = 2", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    contract_assert_reads(reader, 1, "one");
    MUST_FAIL(contract_read_now(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->close(reader);
}

static void test_trims_go_piece_by_piece_and_shrink_the_file(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    contract_append_blocks(fixture->writer, 1, 60, block);
    MUST(ops->trim(fixture->writer, 60, &error));
    assert_true(contract_info_of(fixture->writer).first_sequence < 60);
    for (int i = 0; i < 20; i++)
        MUST(ops->trim(fixture->writer, 60, &error));
    assert_int_equal(contract_info_of(fixture->writer).first_sequence, 60);
    ops->close(fixture->writer);
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    assert_true(contract_info_of(fixture->writer).bytes < 20 * block);
}

static void test_the_write_ahead_log_stays_small(void **state)
{
    BusFixture *fixture = *state;
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    for (guint64 i = 1; i <= 100; i++) {
        contract_append_blocks(fixture->writer, i, i, 1 << 20);
        assert_int_equal(contract_read_now(reader, NULL), BUS_RECORD);
    }
    assert_true(contract_info_of(reader).bytes < (guint64)140 << 20);
    ops->close(reader);
}

static void test_a_full_bus_asks_for_patience_and_works_after_a_trim(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    g_autofree guint8 *data = g_malloc0(block);
    ops->close(fixture->writer);
    fixture->options.max_size = 5 * block;
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 1, false, &error));
    contract_append_blocks(fixture->writer, 1, 4, block);
    MUST_FAIL(ops->append(fixture->writer, 5, data, block, &error), DROVER_ERROR_RETRY);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 4);
    MUST(ops->trim(fixture->writer, 4, &error));
    contract_append_blocks(fixture->writer, 5, 6, block);
}

static void test_a_full_bus_says_so_and_still_takes_a_claim(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    g_autofree guint8 *data = g_malloc0(block);
    ops->close(fixture->writer);
    fixture->options.max_size = 5 * block;
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 1, false, &error));
    contract_append_blocks(fixture->writer, 1, 2, block);
    assert_false(contract_info_of(fixture->writer).full);
    contract_append_blocks(fixture->writer, 3, 4, block);
    assert_true(contract_info_of(fixture->writer).full);
    MUST_FAIL(ops->append(fixture->writer, 5, data, block, &error), DROVER_ERROR_RETRY);
    for (guint64 claim = 5; claim < 1000; claim++)
        MUST(ops->append(fixture->writer, claim, data, 2000, &error));
    contract_flush(fixture->writer);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 999);
}

static void test_a_full_bus_keeps_nothing_unflushed(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    const gsize block = 1 << 20;
    g_autofree guint8 *data = g_malloc0(block);
    ops->close(fixture->writer);
    fixture->options.max_size = 3 * block;
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 1, false, &error));
    MUST(ops->append(fixture->writer, 1, data, block, &error));
    MUST(ops->append(fixture->writer, 2, data, block, &error));
    MUST_FAIL(ops->append(fixture->writer, 3, data, block, &error), DROVER_ERROR_RETRY);
    contract_flush(fixture->writer);
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 0);
}

static void test_a_missing_file_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(directory, "none.bus", NULL);
    BusOptions options = {.path = path};
    MUST_FAIL(ops->open(&options, BUS_READ, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(ops->open(&options, BUS_WRITE, &error), DROVER_ERROR_PERSON);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_a_missing_directory_can_be_mended(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(directory, "none", "x.bus", NULL);
    BusOptions options = {.path = path};
    MUST_FAIL(ops->open(&options, BUS_CREATE, &error), DROVER_ERROR_RETRY);
}

static void test_files_that_are_no_bus_need_a_person_and_stay_as_they_are(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(directory, "other", NULL);
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
    (void)state;
    GError *error = NULL;
    sqlite3 *db = NULL;
    g_autofree char *path = g_build_filename(directory, "app.sqlite", NULL);
    BusOptions options = {.path = path};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "create table t (a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (BusMode mode = BUS_CREATE; mode <= BUS_READ; mode++)
        MUST_FAIL(ops->open(&options, mode, &error), DROVER_ERROR_PERSON);
}

static void test_a_damaged_page_needs_a_person(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append_blocks(fixture->writer, 1, 3, 100000);
    ops->close(fixture->writer);
    g_autofree char *bytes = NULL;
    gsize size;
    MUST(g_file_get_contents(fixture->options.path, &bytes, &size, &error));
    memset(bytes + 8192, 0xee, size - 8192);
    MUST(g_file_set_contents(fixture->options.path, bytes, (gssize)size, &error));
    fixture->writer = NULL;
    MUST_FAIL(ops->open(&fixture->options, BUS_READ, &error), DROVER_ERROR_PERSON);
}

static void test_only_the_owner_may_read_the_file(void **state)
{
    BusFixture *fixture = *state;
    GStatBuf status;
    assert_int_equal(g_stat(fixture->options.path, &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
}

/* In a child process, which has no part in this one's condition: writes and leaves. */
static void write_in_child(const BusFixture *fixture)
{
    Bus *writer = ops->open(&fixture->options, BUS_WRITE, NULL);
    bool done = writer && ops->claim(writer, 2, false, NULL) &&
                ops->append(writer, 1, (const guint8 *)"one", 3, NULL) && ops->flush(writer, NULL);
    ops->close(writer);
    _exit(done ? 0 : 1);
}

static void test_a_waiting_reader_gets_a_record_of_another_process(void **state)
{
    BusFixture *fixture = *state;
    ops->close(fixture->writer); /* no open connection may cross the fork */
    fixture->writer = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_in_child(fixture);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    contract_assert_reads(reader, 1, "one");
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ops->close(reader);
}

/* In a child process whose files cannot grow past 4 MiB: the system refuses writes as a full disk
 * does. 0 where append or flush failed with RETRY, naming the file. */
static void fill_in_child(const BusFixture *fixture)
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
    bool right =
        error && drover_error_is_retry(error) && strstr(error->message, fixture->options.path);
    ops->close(writer);
    g_clear_error(&error);
    g_free(data);
    _exit(right ? 0 : 1);
}

static void test_a_full_disk_asks_for_patience_and_keeps_what_was_flushed(void **state)
{
    BusFixture *fixture = *state;
    ops->close(fixture->writer);
    fixture->writer = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fill_in_child(fixture);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    assert_in_range(contract_info_of(fixture->writer).last_sequence, 2, 4);
}

int main(void)
{
    drover_error_quark();
    const struct CMUnitTest tests[] = {
        BUS_CONTRACT_TESTS(set_up, tear_down),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_a_hole_is_an_error),
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
        TEST(test_only_the_owner_may_read_the_file),
        TEST(test_a_waiting_reader_gets_a_record_of_another_process),
        TEST(test_a_full_disk_asks_for_patience_and_keeps_what_was_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
