/*
 * What reads of the MySQL source see, on real servers. One program, since it holds commits back and
 * prepares XA transactions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/source.h"
#include "proto/error.h"
#include "schema/connection_mysql.h"
#include "tests/support/must.h"
#include "tests/support/mysql_bench.h"

#include <string.h>

static const SourceOps *const ops = &mysql_source_ops;
static const char *const servers[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

#define EACH_SERVER(bench, sql)                                                                    \
    for (guint each = 0; each < G_N_ELEMENTS(servers); each++)                                     \
        for (MysqlBench *bench = mysql_bench_streaming(servers[each], sql); bench;                 \
             mysql_bench_free(bench), bench = NULL)

static const char tables_sql[] = "create table a (id int primary key, v varchar(20));\n"
                                 "create table other (id int primary key)";

static char *count_rows(MysqlBench *bench)
{
    return mysql_scratch_ask(bench->scratch, 0, "select count(*) from a");
}

/* A transaction that is in the log and not visible yet is denied by the bounds; what is visible is
 * at or below HIGH. */
static void test_bounds_hold_what_was_visible(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        ReadBounds bounds;
        Transaction first, second;
        g_autofree char *resume = NULL, *later = NULL;
        mysql_bench_run(bench, "insert into a values (1, 'x')");
        MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
        mysql_bench_run(bench, "insert into a values (2, 'x')");
        MUST(ops->read_end(bench->source, &bounds, &error));
        g_free(mysql_bench_commits(bench, 1, &first, &resume));
        g_free(mysql_bench_commits(bench, 1, &second, &later));
        first.resume = resume;
        second.resume = later;
        assert_true(read_bounds_saw(&bounds, &first));
        assert_false(read_bounds_saw(&bounds, &second));
        assert_true(position_compare(bounds.before, first.position) >= 0);
        assert_true(position_compare(bounds.high, second.position) >= 0);
        read_bounds_clear(&bounds);
    }
}

/* Lets commits wait, once they are in the log, for a replica that never comes. */
static void hold_commits(MysqlBench *bench, bool hold)
{
    MysqlScratch *scratch = bench->scratch;
    const char *name = scratch->mariadb ? "master" : "source";
    if (hold && !scratch->mariadb)
        mysql_scratch_run(scratch,
                          "install plugin rpl_semi_sync_source soname 'semisync_source.so'");
    if (hold) {
        mysql_scratch_run(scratch, "set global rpl_semi_sync_%s_timeout = 600000", name);
        mysql_scratch_run(scratch, "set global rpl_semi_sync_%s_wait_point = 'AFTER_SYNC'", name);
    }
    mysql_scratch_run(scratch, "set global rpl_semi_sync_%s_enabled = %s", name,
                      hold ? "ON" : "OFF");
    if (!hold && !scratch->mariadb)
        mysql_scratch_run(scratch, "uninstall plugin rpl_semi_sync_source");
}

static gpointer insert_a_row(gpointer endpoint)
{
    GError *error = NULL;
    MYSQL *mysql = mysql_session_open(endpoint, "drover test", 60, &error);
    bool good = mysql && mysql_session_run(mysql, "insert into a values (1, 'late')", &error);
    if (mysql)
        mysql_close(mysql);
    mysql_thread_end();
    return GINT_TO_POINTER(good);
}

static bool read_saw(MysqlBench *bench, const Transaction *transaction, char **rows)
{
    GError *error = NULL;
    ReadBounds bounds;
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    *rows = count_rows(bench);
    MUST(ops->read_end(bench->source, &bounds, &error));
    assert_true(position_compare(bounds.high, transaction->position) >= 0);
    bool saw = read_bounds_saw(&bounds, transaction);
    read_bounds_clear(&bounds);
    return saw;
}

/* A commit that is in the log, and in the stream, before anybody can see it. */
static void test_what_is_logged_and_not_visible_is_not_in_low(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        Transaction transaction;
        g_autofree char *resume = NULL, *before = NULL, *after = NULL;
        hold_commits(bench, true);
        GThread *thread = g_thread_new("insert", insert_a_row, &bench->scratch->endpoint);
        g_free(mysql_bench_commits(bench, 1, &transaction, &resume));
        transaction.resume = resume;
        bool saw = read_saw(bench, &transaction, &before);
        hold_commits(bench, false);
        assert_true(GPOINTER_TO_INT(g_thread_join(thread)));
        assert_false(saw);
        assert_string_equal(before, "0");
        assert_true(read_saw(bench, &transaction, &after));
        assert_string_equal(after, "1");
    }
}

static void run_xa(MysqlBench *bench, const char *name, int id)
{
    mysql_scratch_run(bench->scratch, "xa start '%s'", name);
    mysql_scratch_run(bench->scratch, "insert into a values (%d, 'xa')", id);
    mysql_scratch_run(bench->scratch, "xa end '%s'", name);
    mysql_scratch_run(bench->scratch, "xa prepare '%s'", name);
    mysql_scratch_again(bench->scratch);
}

/* Prepared and in the log, but not committed. */
static void test_a_prepared_transaction_is_not_in_low(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        ReadBounds bounds;
        Transaction transaction;
        g_autofree char *resume = NULL;
        run_xa(bench, "late", 1);
        MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
        g_autofree char *rows = count_rows(bench);
        assert_string_equal(rows, "0");
        MUST(ops->read_end(bench->source, &bounds, &error));
        mysql_bench_run(bench, "xa commit 'late'");
        g_free(mysql_bench_commits(bench, 1, &transaction, &resume));
        transaction.resume = resume;
        assert_false(read_bounds_saw(&bounds, &transaction));
        read_bounds_clear(&bounds);
    }
}

typedef struct Copied {
    GByteArray *bytes;
} Copied;

static bool take_bytes(void *user, const guint8 *data, gsize size, GError **error)
{
    (void)error;
    g_byte_array_append(((Copied *)user)->bytes, data, (guint)size);
    return true;
}

static void test_ranges_cover_the_table_and_are_copied(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        ReadBounds bounds;
        gint64 rows = 0;
        g_autoptr(GArray) ranges = NULL;
        mysql_bench_run(bench, "insert into a values (1, 'x'), (2, 'y'), (3, 'z'), (4, null)");
        MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
        const Table *table = mysql_bench_table(bench, "a");
        MUST(ops->key_ranges(bench->source, table, 2, &ranges, &error));
        assert_true(ranges->len >= 2);
        for (guint i = 0; i < ranges->len; i++) {
            Copied copied = {.bytes = g_byte_array_new()};
            ReadSink sink = {.bytes = take_bytes, .user = &copied};
            ReadRequest request = {
                .kind = READ_COPY, .table = table, .range = g_array_index(ranges, KeyRange, i)};
            MUST(ops->read(bench->source, &request, &sink, &error));
            assert_memory_equal(copied.bytes->data, "PGCOPY\n\377\r\n\0", 11);
            rows += request.rows;
            g_byte_array_unref(copied.bytes);
        }
        assert_int_equal(rows, 4);
        MUST(ops->read_end(bench->source, &bounds, &error));
        read_bounds_clear(&bounds);
    }
}

static void test_a_read_that_was_broken_off_says_so(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        ReadBounds bounds = {0};
        MUST_FAIL(ops->read_end(bench->source, &bounds, &error), DROVER_ERROR_RETRY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_hold_what_was_visible),
        cmocka_unit_test(test_what_is_logged_and_not_visible_is_not_in_low),
        cmocka_unit_test(test_a_prepared_transaction_is_not_in_low),
        cmocka_unit_test(test_ranges_cover_the_table_and_are_copied),
        cmocka_unit_test(test_a_read_that_was_broken_off_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
