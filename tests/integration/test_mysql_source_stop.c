/*
 * What the MySQL source does not follow, on real servers: it stops with the name, the place and
 * what to do; and what looks alike and changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/source.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/mysql_bench.h"

#include <string.h>

static const SourceOps *const ops = &mysql_source_ops;
static const char *const servers[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

static const char tables_sql[] =
    "create table a (id int primary key, v varchar(20), e enum('x','y'));\n"
    "create table k (id int primary key, v varchar(20), unique key u (v), key p (v));\n"
    "create table other (id int primary key, v int)";

/* Runs the statements; the stream must stop with PERSON, its place and a message with `needle`. */
static void expect_stop_on(const char *server, const char *sql, const char *needle)
{
    MysqlBench *bench = mysql_bench_streaming(server, tables_sql);
    mysql_bench_run(bench, sql);
    g_autoptr(GError) error = mysql_bench_failure(bench);
    if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON) ||
        !strstr(error->message, needle) || !strstr(error->message, "source log at binlog.0") ||
        !strstr(error->message, "start the migration over"))
        fail_msg("%s: \"%s\" of class PERSON was expected: %s", sql, needle, error->message);
    GError *again = NULL;
    StreamEvent event;
    assert_int_equal(ops->stream_next(bench->stream, 1, &event, &again), STREAM_FAILED);
    assert_true(drover_error_is_retry(again));
    g_error_free(again);
    mysql_bench_free(bench);
}

static void expect_stop(const char *sql, const char *needle)
{
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++)
        expect_stop_on(servers[i], sql, needle);
}

static void test_ddl_on_a_captured_table_stops(void **state)
{
    (void)state;
    expect_stop("alter table a add column n int", "ALTER TABLE changes table");
    expect_stop("alter table a drop column v", "ALTER TABLE changes table");
    expect_stop("alter table a modify e enum('x','y','z')", "ALTER TABLE changes table");
    expect_stop("drop table a", "DROP TABLE changes table");
    expect_stop("rename table a to b", "RENAME TABLE changes table");
    expect_stop("rename table k to k2, other to k", "RENAME TABLE changes table");
    expect_stop_on(servers[1], "create or replace table a (id int)", "CREATE TABLE changes table");
}

static void test_a_unique_index_stops(void **state)
{
    (void)state;
    expect_stop("create unique index i on a (v)", "CREATE INDEX changes table");
    expect_stop("alter table a add unique key i (v)", "ALTER TABLE changes table");
    expect_stop("drop index u on k", "DROP INDEX changes table");
}

static void test_rows_that_move_with_a_partition_are_told(void **state)
{
    (void)state;
    static const char sql[] = "create table p (id int primary key) partition by range (id) "
                              "(partition p0 values less than (10), partition p1 values less than "
                              "(20))";
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_streaming(servers[i], sql);
        mysql_bench_run(bench, "alter table p truncate partition p0");
        g_autoptr(GError) error = mysql_bench_failure(bench);
        assert_non_null(strstr(error->message, "rows of it without telling which"));
        mysql_bench_free(bench);
    }
}

static void test_a_dropped_database_stops(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_streaming(servers[i], tables_sql);
        mysql_scratch_run(bench->scratch, "drop database %s", bench->scratch->name);
        mysql_scratch_run(bench->scratch, "create database %s", bench->scratch->name);
        g_autoptr(GError) error = mysql_bench_failure(bench);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
        assert_non_null(strstr(error->message, "DROP DATABASE changes table"));
        mysql_bench_free(bench);
    }
}

static void test_statements_instead_of_rows_stop(void **state)
{
    (void)state;
    expect_stop("set binlog_format = statement;\nupdate a set v = 'x';\nset binlog_format = row",
                "update a set v = 'x'");
    expect_stop("set binlog_format = statement;\ninsert into a (id) values (3);\n"
                "set binlog_format = row",
                "binlog_format=ROW");
}

/* As tools that watch a server log their own tables. */
static void test_statements_that_change_other_tables_are_passed_over(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_streaming(servers[i], tables_sql);
        mysql_bench_run(bench,
                        "set binlog_format = statement;\n"
                        "replace into other (id, v) values (1, length('x'));\n"
                        "insert into other select id + 1, v from other;\n"
                        "update other set v = 3 where id = 1;\ndelete from other where id = 2;\n"
                        "set binlog_format = row;\ninsert into a (id) values (1)");
        g_autofree char *text = mysql_bench_rest(bench);
        assert_string_equal(text, "insert a (1, null, null)\ncommit\n");
        mysql_bench_free(bench);
    }
}

static void test_statements_that_may_reach_further_stop(void **state)
{
    (void)state;
    expect_stop("create trigger g after insert on other for each row insert into a (id) values "
                "(new.id);\nset binlog_format = statement;\ninsert into other values (1, 1);\n"
                "set binlog_format = row",
                "of a view, a table with triggers");
    expect_stop("create view w as select * from a;\nset binlog_format = statement;\n"
                "insert into w (id) values (1);\nset binlog_format = row",
                "insert into w (id) values (1)");
    expect_stop("create function f() returns int deterministic modifies sql data begin insert into "
                "a (id) values "
                "(1); return 1; end;\nset binlog_format = statement;\n"
                "insert into other values (1, f());\nset binlog_format = row",
                "insert into other values (1, f())");
}

/* The log of a session that does not log its DDL. */
static void test_a_table_that_changed_without_a_trace_stops(void **state)
{
    (void)state;
    expect_stop("set sql_log_bin = 0;\nalter table a add column n int;\nset sql_log_bin = 1;\n"
                "insert into a values (1, 'a', 'x', 1)",
                "column \"n\" was added");
    expect_stop("set sql_log_bin = 0;\nalter table a drop column v;\nset sql_log_bin = 1;\n"
                "insert into a values (1, 'x')",
                "column \"v\" was dropped");
    expect_stop("set sql_log_bin = 0;\nalter table a modify v varchar(30);\nset sql_log_bin = 1;\n"
                "insert into a values (1, 'a', 'x')",
                "column \"v\" is no longer varchar(20)");
    expect_stop("set sql_log_bin = 0;\nalter table a modify v varchar(20) character set latin1;\n"
                "set sql_log_bin = 1;\ninsert into a values (1, 'a', 'x')",
                "latin1");
    expect_stop("set sql_log_bin = 0;\nalter table a modify id int unsigned;\nset sql_log_bin = "
                "1;\ninsert into a values (1, 'a', 'x')",
                "column \"id\" is no longer int");
    expect_stop("set sql_log_bin = 0;\nalter table a modify e enum('x','y','z');\n"
                "set sql_log_bin = 1;\ninsert into a values (1, 'a', 'x')",
                "column \"e\" is no longer enum('x','y')");
    expect_stop("set sql_log_bin = 0;\nalter table a drop primary key, add primary key (v);\n"
                "set sql_log_bin = 1;\ninsert into a values (1, 'a', 'x')",
                "its primary key is another one");
}

static void test_with_minimal_metadata_columns_are_counted(void **state)
{
    (void)state;
    MysqlBench *bench = mysql_bench_streaming(servers[0], tables_sql);
    mysql_bench_run(bench, "set global binlog_row_metadata = MINIMAL;\nset sql_log_bin = 0;\n"
                           "alter table a add column n int;\nset sql_log_bin = 1;\n"
                           "insert into a values (1, 'a', 'x', 1);\n"
                           "set global binlog_row_metadata = FULL");
    g_autoptr(GError) error = mysql_bench_failure(bench);
    assert_non_null(strstr(error->message, "it has 3 columns, the log 4"));
    mysql_bench_free(bench);
}

static void test_a_value_without_a_form_is_named(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_streaming(
            servers[i], "create table d (id int, s varchar(3), v date, primary key (s, id))");
        mysql_bench_run(bench, "set sql_mode = 'ALLOW_INVALID_DATES';\n"
                               "insert into d values (7, 'k', '2023-02-31')");
        g_autoptr(GError) error = mysql_bench_failure(bench);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
        assert_non_null(
            strstr(error->message, ".d, key (k, 7), column \"v\": value 2023-02-31 is no date"));
        mysql_bench_free(bench);
    }
}

/* A key that is not the primary one is not in a minimal image. */
static void test_a_row_without_its_key_is_named(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_new(
            servers[i],
            "create table d (id int primary key, u int not null, v int, unique key (u))");
        Table *table = g_ptr_array_index(bench->migration->tables, 0);
        table->key[0] = 1;
        table->key_is_primary = false;
        mysql_bench_set_up(bench);
        mysql_bench_stream(bench, bench->migration->start, bench->migration->start_resume);
        mysql_bench_run(bench, "insert into d values (1, 2, 3);\nset binlog_row_image = minimal;\n"
                               "update d set v = 4");
        g_autoptr(GError) error = mysql_bench_failure(bench);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
        assert_non_null(strstr(error->message, "no value for column \"u\" of its key"));
        mysql_bench_free(bench);
    }
}

static void test_what_changes_nothing_is_passed_over(void **state)
{
    (void)state;
    static const char sql[] =
        "create index i on a (v);\nalter table a add index j (v, id), add key (id);\n"
        "drop index i on a;\nalter table a comment 'x';\nanalyze table a;\noptimize table a;\n"
        "create table if not exists a (id int);\ncreate table other2 like a;\n"
        "alter table other add column n int;\ndrop table other, other2;\ncreate view w as select "
        "1;\ncreate trigger t before insert on a for each row set new.v = 'triggered';\n"
        "create temporary table a (id int);\ndrop temporary table a;\n"
        "create database %s_x;\ndrop database %s_x;\ninsert into a (id) values (1)";
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_streaming(servers[i], tables_sql);
        g_autoptr(GString) statements = g_string_new(sql);
        g_string_replace(statements, "%s", bench->scratch->name, 0);
        mysql_bench_run(bench, statements->str);
        g_autofree char *text = mysql_bench_rest(bench);
        assert_string_equal(text, "insert a (1, triggered, null)\ncommit\n");
        mysql_bench_free(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ddl_on_a_captured_table_stops),
        cmocka_unit_test(test_a_unique_index_stops),
        cmocka_unit_test(test_rows_that_move_with_a_partition_are_told),
        cmocka_unit_test(test_a_dropped_database_stops),
        cmocka_unit_test(test_statements_instead_of_rows_stop),
        cmocka_unit_test(test_statements_that_change_other_tables_are_passed_over),
        cmocka_unit_test(test_statements_that_may_reach_further_stop),
        cmocka_unit_test(test_a_table_that_changed_without_a_trace_stops),
        cmocka_unit_test(test_with_minimal_metadata_columns_are_counted),
        cmocka_unit_test(test_a_value_without_a_form_is_named),
        cmocka_unit_test(test_a_row_without_its_key_is_named),
        cmocka_unit_test(test_what_changes_nothing_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
