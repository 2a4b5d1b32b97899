/*
 * The MySQL source against real servers of both makes: what it hands out of the log, where it goes
 * on, and what it refuses. Each test has a database of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/source.h"
#include "proto/error.h"
#include "proto/gtid.h"
#include "tests/support/must.h"
#include "tests/support/mysql_bench.h"

#include <string.h>

static const SourceOps *const ops = &mysql_source_ops;
static const char *const servers[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

#define EACH_SERVER(bench, sql)                                                                    \
    for (guint each = 0; each < G_N_ELEMENTS(servers); each++)                                     \
        for (MysqlBench *bench = mysql_bench_streaming(servers[each], sql); bench;                 \
             mysql_bench_free(bench), bench = NULL)

static const char tables_sql[] =
    "create table a (id int primary key, v varchar(20), b text);\n"
    "create table k (k1 varchar(10), n int, k2 int, primary key (k2, k1));\n"
    "create table other (id int primary key, v int)";

static void expect_rest(MysqlBench *bench, const char *wanted)
{
    g_autofree char *text = mysql_bench_rest(bench);
    assert_string_equal(text, wanted);
}

/* ---- changes ---- */

static void test_inserts_updates_and_deletes_come_in_order(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "begin;\ninsert into a values (1, 'one', null), (2, null, 'x');\n"
                               "update a set v = 'uno' where id = 1;\ndelete from a where id = 2;\n"
                               "commit");
        expect_rest(bench, "insert a (1, one, null)\ninsert a (2, null, x)\n"
                           "update a (1, uno, null)\ndelete a old (2)\ncommit\n");
    }
}

static void test_a_key_update_has_the_old_key_in_key_order(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "insert into k values ('x', 7, 1);\nupdate k set k2 = 2");
        expect_rest(bench, "insert k (x, 7, 1)\ncommit\nupdate k old (1, x) (x, 7, 2)\ncommit\n");
    }
}

static void test_other_tables_are_positions(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "insert into other values (1, 1);\ninsert into a (id) values (1);\n"
                               "update other set v = 2");
        expect_rest(bench, "insert a (1, null, null)\ncommit\n");
    }
}

static void test_generated_columns_are_not_streamed(void **state)
{
    (void)state;
    EACH_SERVER(bench, "create table g (x int generated always as (id * 2) virtual, id int primary "
                       "key, y int generated always as (id * 3) stored, v varchar(9));\n"
                       "create index i on g (x)")
    {
        mysql_bench_run(bench, "insert into g (id, v) values (1, 'a');\nupdate g set id = 2");
        expect_rest(bench, "insert g (1, a)\ncommit\nupdate g old (1) (2, a)\ncommit\n");
    }
}

/* Hidden columns stand behind those that a catalog knows. */
static void test_an_index_over_an_expression_adds_no_column(void **state)
{
    (void)state;
    MysqlBench *bench = mysql_bench_streaming(
        servers[0], "create table g (id int primary key, v varchar(9), key i ((lower(v))))");
    mysql_bench_run(bench, "insert into g values (1, 'a')");
    expect_rest(bench, "insert g (1, a)\ncommit\n");
    mysql_bench_free(bench);
}

static void test_an_invisible_key_is_a_column(void **state)
{
    (void)state;
    MysqlBench *bench = mysql_bench_new(servers[0], "set sql_generate_invisible_primary_key = ON;\n"
                                                    "create table g (v varchar(9))");
    mysql_bench_set_up(bench);
    mysql_bench_stream(bench, bench->migration->start, bench->migration->start_resume);
    mysql_bench_run(bench, "insert into g values ('a')");
    expect_rest(bench, "insert g (00010000000000000001, a)\ncommit\n");
    mysql_bench_free(bench);
}

static void test_a_truncation_is_a_transaction_of_its_own(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "insert into a (id) values (1);\ntruncate a;\ntruncate other;\n"
                               "insert into a (id) values (2)");
        expect_rest(bench, "insert a (1, null, null)\ncommit\ntruncate a\ncommit\n"
                           "insert a (2, null, null)\ncommit\n");
    }
}

static void test_a_memory_table_that_lost_its_rows_is_empty(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        g_autofree char *format =
            mysql_scratch_ask(bench->scratch, 0, "select @@session.binlog_format");
        mysql_bench_run(bench, "set binlog_format = statement;\ndelete from a");
        mysql_scratch_run(bench->scratch, "set binlog_format = %s", format);
        expect_rest(bench, "truncate a\ncommit\n");
    }
}

/* ---- images ---- */

static void test_minimal_images_leave_cells_unchanged(void **state)
{
    (void)state;
    EACH_SERVER(bench,
                "create table a (id int primary key, v varchar(20), b text, d int default 5)")
    {
        mysql_bench_run(bench, "insert into a values (1, 'one', 'long', 1);\n"
                               "set binlog_row_image = minimal;\nupdate a set v = 'uno';\n"
                               "update a set id = 2;\ndelete from a;\n"
                               "set binlog_row_image = full;\ninsert into a values (3, '', '', 0)");
        expect_rest(bench, "insert a (1, one, long, 1)\ncommit\n"
                           "update a (1, uno, unchanged, unchanged)\ncommit\n"
                           "update a old (1) (2, unchanged, unchanged, unchanged)\ncommit\n"
                           "delete a old (2)\ncommit\ninsert a (3, , , 0)\ncommit\n");
    }
}

/* Only the source knows a default; null is no secret. */
static void test_an_insert_without_all_values_is_read_from_the_source(void **state)
{
    (void)state;
    EACH_SERVER(bench, "create table a (id int primary key, v varchar(20), d int default 5);\n"
                       "create table n (id int primary key, v varchar(20))")
    {
        mysql_bench_run(bench, "set binlog_row_image = minimal;\ninsert into a (id) values (1);\n"
                               "insert into n (id) values (1)");
        expect_rest(bench, "update a (1, null, unchanged)\ncommit\ninsert n (1, null)\ncommit\n");
    }
}

static void test_noblob_images_leave_texts_unchanged(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench,
                        "set binlog_row_image = noblob;\ninsert into a values (1, 'x', 'y');\n"
                        "update a set v = 'z';\nupdate a set b = 'q';\ndelete from a");
        expect_rest(bench, "insert a (1, x, y)\ncommit\nupdate a (1, z, unchanged)\ncommit\n"
                           "update a (1, z, q)\ncommit\ndelete a old (1)\ncommit\n");
    }
}

static void test_changes_of_json_documents_are_documents(void **state)
{
    (void)state;
    MysqlBench *bench =
        mysql_bench_streaming(servers[0], "create table j (id int primary key, d json)");
    mysql_bench_run(bench, "insert into j values (1, json_object('a', 1, 'b', repeat('x', 300)));\n"
                           "set binlog_row_value_options = PARTIAL_JSON;\n"
                           "update j set d = json_set(d, '$.a', 2)");
    expect_rest(bench, "insert j (1, {\"a\": 1, \"b\": \"xxxxxxxxx)\ncommit\n"
                       "update j (1, {\"a\": 2, \"b\": \"xxxxxxxxx)\ncommit\n");
    mysql_bench_free(bench);
}

static void test_a_json_change_without_its_document_is_read_from_the_source(void **state)
{
    (void)state;
    MysqlBench *bench =
        mysql_bench_streaming(servers[0], "create table j (id int primary key, v int, d json)");
    mysql_bench_run(bench,
                    "insert into j values (1, 1, json_object('a', 1, 'b', repeat('x', 300)));\n"
                    "set binlog_row_value_options = PARTIAL_JSON, binlog_row_image = MINIMAL;\n"
                    "update j set d = json_set(d, '$.a', 2);\n"
                    "update j set id = 2, d = json_set(d, '$.a', 3)");
    expect_rest(bench, "insert j (1, 1, {\"a\": 1, \"b\": \"xxxxxxxxx)\ncommit\n"
                       "delete j old (1)\nupdate j (1, unchanged, unchanged)\ncommit\n"
                       "delete j old (1)\ndelete j old (2)\n"
                       "update j (2, unchanged, unchanged)\ncommit\n");
    mysql_bench_free(bench);
}

static void test_compressed_transactions_are_like_others(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, bench->scratch->mariadb ? "set global log_bin_compress = ON"
                                                       : "set binlog_transaction_compression = ON");
        mysql_bench_run(bench, "insert into a values (1, 'x', repeat('long ', 500));\n"
                               "update a set v = 'y'");
        if (bench->scratch->mariadb)
            mysql_bench_run(bench, "set global log_bin_compress = OFF");
        expect_rest(bench, "insert a (1, x, long long long long long)\ncommit\n"
                           "update a (1, y, long long long long long)\ncommit\n");
    }
}

/* ---- metadata ---- */

static const char metadata_sql[] =
    "create table m (id int unsigned primary key, s varchar(10) character set latin1, "
    "e enum('a','\u00e9','it''s') character set latin1, f set('x','y'), t text character set "
    "utf8mb3, "
    "b varbinary(5), c char(3), g int generated always as (1) stored, n tinyint unsigned)";
static const char metadata_row[] =
    "insert m (0000000000000007, \u00fc, \u00e9, x,y, \u00e4, 00ff, ab, 00ff)\ncommit\n";

static void expect_metadata(const char *server, const char *metadata)
{
    MysqlBench *bench = mysql_bench_streaming(server, metadata_sql);
    g_autofree char *before =
        mysql_scratch_ask(bench->scratch, 0, "select @@global.binlog_row_metadata");
    mysql_scratch_run(bench->scratch, "set global binlog_row_metadata = %s", metadata);
    mysql_bench_run(bench,
                    "insert into m values (7, '\u00fc', '\u00e9', 'x,y', '\u00e4', 0x00ff, 'ab', "
                    "default, 255)");
    mysql_scratch_run(bench->scratch, "set global binlog_row_metadata = %s", before);
    expect_rest(bench, metadata_row);
    mysql_bench_free(bench);
}

static void test_full_metadata_names_columns(void **state)
{
    (void)state;
    expect_metadata(servers[0], "FULL");
    expect_metadata(servers[1], "FULL");
}

static void test_with_minimal_metadata_the_catalog_tells_the_rest(void **state)
{
    (void)state;
    expect_metadata(servers[0], "MINIMAL");
    expect_metadata(servers[1], "MINIMAL");
}

static void test_without_metadata_the_catalog_tells_all(void **state)
{
    (void)state;
    expect_metadata(servers[1], "NO_LOG");
}

static void test_types_that_only_the_catalog_knows(void **state)
{
    (void)state;
    MysqlBench *bench = mysql_bench_streaming(
        servers[1], "create table u (id int primary key, u uuid, i4 inet4, i6 inet6, j json, "
                    "c varchar(20) compressed)");
    mysql_bench_run(bench, "insert into u values (1, '00112233-4455-6677-8899-aabbccddee00', "
                           "'1.2.3.0', '2001:db8::', '{}', 'packed')");
    expect_rest(bench, "insert u (1, 00112233445566778899aabbccddee00, 0220000401020300, "
                       "0380001020010db8000000000000000000000000, {}, packed)\ncommit\n");
    mysql_bench_free(bench);
}

static void expect_zero_dates(ZeroDates zero_dates, const char *literal, const char *wanted)
{
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_new(
            servers[i],
            "create table z (id int primary key, d date, t datetime(3), s timestamp null)");
        Table *table = g_ptr_array_index(bench->migration->tables, 0);
        table->zero_dates = zero_dates;
        table->zero_date = g_strdup(literal);
        mysql_bench_set_up(bench);
        mysql_bench_stream(bench, bench->migration->start, bench->migration->start_resume);
        mysql_bench_run(bench, "insert into z values (1, 0, 0, 0);\n"
                               "insert into z values (2, '2024-00-01', '2000-01-01', null)");
        expect_rest(bench, wanted);
        mysql_bench_free(bench);
    }
}

static void test_zero_dates_become_what_the_migration_says(void **state)
{
    (void)state;
    expect_zero_dates(ZERO_DATES_NULL, NULL,
                      "insert z (1, null, null, null)\ncommit\n"
                      "insert z (2, null, 0000000000000000, null)\ncommit\n");
    expect_zero_dates(ZERO_DATES_LITERAL, "2000-01-02",
                      "insert z (1, 00000001, 000000141dd76000, 000000141dd76000)\ncommit\n"
                      "insert z (2, 00000001, 0000000000000000, null)\ncommit\n");
}

/* ---- transactions ---- */

static void test_a_savepoint_changes_nothing(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "begin;\ninsert into a (id) values (1);\nsavepoint s;\n"
                               "insert into a (id) values (2);\nrelease savepoint s;\n"
                               "savepoint s;\ninsert into a (id) values (3);\nrollback to s;\n"
                               "insert into a (id) values (4);\ncommit");
        expect_rest(bench, "insert a (1, null, null)\ninsert a (2, null, null)\n"
                           "insert a (4, null, null)\ncommit\n");
    }
}

/* With a table without transactions in it MariaDB logs the way back instead of leaving out what
 * was undone. */
static void test_what_goes_back_to_a_savepoint_is_not_there(void **state)
{
    (void)state;
    MysqlBench *bench =
        mysql_bench_streaming(servers[1], "create table a (id int primary key);\n"
                                          "create table other (id int primary key) engine=myisam");
    mysql_bench_run(bench, "begin;\ninsert into a values (1);\ninsert into other values (1);\n"
                           "savepoint s;\ninsert into a values (2);\nsavepoint `T`;\n"
                           "insert into a values (3);\ninsert into other values (2);\n"
                           "rollback to t;\ninsert into a values (4);\nrollback to s;\n"
                           "insert into a values (5);\ncommit;\ninsert into a values (6)");
    expect_rest(bench, "insert a (1)\ninsert a (5)\ncommit\ninsert a (6)\ncommit\n");
    mysql_bench_free(bench);
}

static void test_a_table_made_of_another_is_ignored(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "insert into a (id) values (1);\n"
                               "create table other2 as select * from a;\n"
                               "insert into a (id) values (2)");
        expect_rest(bench, "insert a (1, null, null)\ncommit\ninsert a (2, null, null)\ncommit\n");
    }
}

static void test_a_rolled_back_transaction_is_not_there(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "begin;\ninsert into a (id) values (1);\nrollback;\n"
                               "insert into a (id) values (2)");
        expect_rest(bench, "insert a (2, null, null)\ncommit\n");
    }
}

static void test_a_large_transaction_behind_a_savepoint_comes_whole(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        guint inserts = 0;
        mysql_bench_run(bench, "begin;\nsavepoint s");
        for (guint i = 0; i < 60; i++)
            mysql_scratch_run(bench->scratch, "insert into a values (%u, 'v', repeat('x', 50000))",
                              i);
        mysql_bench_run(bench, "commit");
        g_autofree char *text = mysql_bench_rest(bench);
        for (const char *at = text; (at = strstr(at, "insert")); at++)
            g_assert_cmpint(g_ascii_strtoll(strchr(at, '(') + 1, NULL, 10), ==, inserts++);
        assert_int_equal(inserts, 60);
    }
}

static void test_the_commit_time_is_the_servers(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        Transaction transaction;
        mysql_bench_run(bench, "insert into a (id) values (1)");
        g_autofree char *now = mysql_scratch_ask(
            bench->scratch, 0, "select cast(unix_timestamp(now(6)) * 1000000 as signed)");
        g_free(mysql_bench_commits(bench, 1, &transaction, NULL));
        gint64 distance = g_ascii_strtoll(now, NULL, 10) - transaction.commit_time;
        assert_true(distance >= 0 && distance < 60 * G_USEC_PER_SEC);
        assert_int_equal(transaction.xid, 0);
    }
}

/* ---- waiting ---- */

static void test_a_silent_log_tells_how_far_it_is(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        SourceStatus status;
        StreamEvent event;
        gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
        mysql_bench_run(bench, "insert into other values (1, 1)");
        MUST(ops->status(bench->source, bench->migration, true, &status, &error));
        g_free(status.identity);
        do {
            StreamResult result = ops->stream_next(bench->stream, 100, &event, &error);
            assert_true(result == STREAM_TIMEOUT || result == STREAM_POSITION);
            assert_true(result == STREAM_TIMEOUT || event.resume != NULL);
            assert_true(g_get_monotonic_time() < limit);
        } while (!event.marker || position_compare(event.position, status.head) < 0);
    }
}

/* Rows of tables that are not moved are no reason to let the caller wait for their commit. */
static void test_a_short_wait_ends_inside_of_a_large_transaction(void **state)
{
    (void)state;
    EACH_SERVER(bench, "create table a (id int primary key);\n"
                       "create table other (id int auto_increment primary key, v varchar(200))")
    {
        GError *error = NULL;
        StreamEvent event;
        guint timeouts = 0;
        mysql_bench_run(bench, "begin;\ninsert into other (v) values (repeat('x', 200))");
        for (guint i = 0; i < 17; i++)
            mysql_bench_run(bench, "insert into other (v) select v from other");
        mysql_bench_run(bench, "commit;\ninsert into a values (1)");
        for (;;) {
            StreamResult result;
            MUST((result = ops->stream_next(bench->stream, 0, &event, &error)) != STREAM_FAILED);
            timeouts += result == STREAM_TIMEOUT;
            if (result == STREAM_COMMIT)
                break;
        }
        assert_true(timeouts > 0);
    }
}

static void test_a_short_wait_ends_without_an_event(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        StreamEvent event;
        guint timeouts = 0;
        expect_rest(bench, "");
        for (guint i = 0; i < 20; i++)
            timeouts += ops->stream_next(bench->stream, 1, &event, &error) == STREAM_TIMEOUT;
        assert_true(timeouts > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_updates_and_deletes_come_in_order),
        cmocka_unit_test(test_a_key_update_has_the_old_key_in_key_order),
        cmocka_unit_test(test_other_tables_are_positions),
        cmocka_unit_test(test_generated_columns_are_not_streamed),
        cmocka_unit_test(test_an_index_over_an_expression_adds_no_column),
        cmocka_unit_test(test_an_invisible_key_is_a_column),
        cmocka_unit_test(test_a_truncation_is_a_transaction_of_its_own),
        cmocka_unit_test(test_a_memory_table_that_lost_its_rows_is_empty),
        cmocka_unit_test(test_minimal_images_leave_cells_unchanged),
        cmocka_unit_test(test_an_insert_without_all_values_is_read_from_the_source),
        cmocka_unit_test(test_noblob_images_leave_texts_unchanged),
        cmocka_unit_test(test_changes_of_json_documents_are_documents),
        cmocka_unit_test(test_a_json_change_without_its_document_is_read_from_the_source),
        cmocka_unit_test(test_compressed_transactions_are_like_others),
        cmocka_unit_test(test_full_metadata_names_columns),
        cmocka_unit_test(test_with_minimal_metadata_the_catalog_tells_the_rest),
        cmocka_unit_test(test_without_metadata_the_catalog_tells_all),
        cmocka_unit_test(test_types_that_only_the_catalog_knows),
        cmocka_unit_test(test_zero_dates_become_what_the_migration_says),
        cmocka_unit_test(test_a_savepoint_changes_nothing),
        cmocka_unit_test(test_what_goes_back_to_a_savepoint_is_not_there),
        cmocka_unit_test(test_a_table_made_of_another_is_ignored),
        cmocka_unit_test(test_a_rolled_back_transaction_is_not_there),
        cmocka_unit_test(test_a_large_transaction_behind_a_savepoint_comes_whole),
        cmocka_unit_test(test_the_commit_time_is_the_servers),
        cmocka_unit_test(test_a_silent_log_tells_how_far_it_is),
        cmocka_unit_test(test_a_short_wait_ends_inside_of_a_large_transaction),
        cmocka_unit_test(test_a_short_wait_ends_without_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
