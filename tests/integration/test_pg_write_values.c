/*
 * TargetOps.write on a real server: values of many types, batches that fail, and what a session
 * remembers from one write to the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/postgres/session.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/writing.h"

#include <string.h>

#define V(...) NET_VALUES(__VA_ARGS__)

static const char many_types[] =
    "create table t (id uuid primary key, b bool, i2 int2, i8 int8, f4 float4, f8 float8,"
    " n numeric(12,4), vc varchar(20), bp char(6), tx text, by bytea, d date, ti time, tz timetz,"
    " ts timestamp, tstz timestamptz, iv interval, j json, jb jsonb, ip inet, ci cidr,"
    " ma macaddr, ba int4[], ta text[], bi bit(5), vb varbit, r int4range, p point,"
    " x xml, m money, o oid, na name)";

static const char *const typed_values[] = {"0d9a4f2c-6c1d-4d7e-9a53-0a3f7c1e2b11",
                                           "t",
                                           "-7",
                                           "9223372036854775807",
                                           "1.5",
                                           "-0",
                                           "12345678.9012",
                                           "straße",
                                           "ab    ",
                                           "line\nbreak",
                                           "\\x00ff",
                                           "2024-02-29",
                                           "23:59:59.999999",
                                           "12:00:00+05:30",
                                           "0044-03-15 12:00:00 BC",
                                           "infinity",
                                           "1 mon -3 days 04:05:06",
                                           "{\"a\":  1}",
                                           "{\"b\": null}",
                                           "10.0.0.1/8",
                                           "192.168.0.0/16",
                                           "08:00:2b:01:02:03",
                                           "{1,NULL,3}",
                                           "{\"a,b\",\"\"}",
                                           "10101",
                                           "110",
                                           "[1,5)",
                                           "(1.5,-2)",
                                           "<a>1</a>",
                                           "$12.34",
                                           "4294967295",
                                           "a name"};

static char *typed_texts(const char *condition)
{
    return scratch_ask(writing.scratch, "select (t.*)::text from t where %s", condition);
}

static void test_values_of_many_types_arrive_as_they_are(void **state)
{
    (void)state;
    scratch_run(writing.scratch, "drop table if exists t cascade; %s", many_types);
    g_autoptr(GString) insert = g_string_new("insert into t values (");
    for (gsize i = 0; i < G_N_ELEMENTS(typed_values); i++) {
        char *literal =
            PQescapeLiteral(writing.scratch->connection, typed_values[i], strlen(typed_values[i]));
        g_string_append_printf(insert, "%s%s", i > 0 ? ", " : "", literal);
        PQfreemem(literal);
    }
    scratch_run(writing.scratch, "set timezone = 'UTC'; %s)", insert->str);
    g_autofree char *wanted = typed_texts("true");
    scratch_run(writing.scratch, "truncate t");
    g_autoptr(Table) table = net_table_load(writing.scratch, 900, "t");
    assert_int_equal(table->n_columns, G_N_ELEMENTS(typed_values));
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_INSERT, typed_values, NULL);
    const char *nulls[G_N_ELEMENTS(typed_values)] = {"00000000-0000-0000-0000-000000000002"};
    net_add(net, NET_INSERT, nulls, NULL);
    writing_write_and_commit(net, true);
    g_autofree char *found = typed_texts("b");
    assert_string_equal(found, wanted);
    assert_int_equal(scratch_number(writing.scratch,
                                    "select count(*) from t, jsonb_each_text(to_jsonb(t)) "
                                    "where t.b is null and value is null"),
                     G_N_ELEMENTS(typed_values) - 1);
}

static void test_value_that_the_column_cannot_hold_names_table_and_column(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, short varchar(20))");
    scratch_run(writing.scratch, "alter table t alter short type varchar(3)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_INSERT, V("1", "too long"), NULL);
    writing_run("begin");
    assert_false(writing_write(net, true, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    assert_non_null(strstr(error->message, "public.t"));
    assert_non_null(strstr(error->message, "\"short\""));
    writing_run("rollback");
}

static void test_null_in_a_not_null_column_names_table_and_column(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, v text not null)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_INSERT, V("1", NULL), NULL);
    writing_run("begin");
    assert_false(writing_write(net, true, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    assert_non_null(strstr(error->message, "public.t"));
    assert_non_null(strstr(error->message, "\"v\""));
    writing_run("rollback");
}

static void test_row_that_does_not_fit_the_table_is_a_bug(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    NetRow *row = net_add(net, NET_INSERT, V("1", "a"), NULL);
    row->row.cells[1].kind = CELL_ABSENT;
    writing_run("begin");
    MUST_FAIL(writing_write(net, true, &error), DROVER_ERROR_BUG);
    writing_run("rollback");
}

static void write_one(const Table *table, const char *id, const char *v)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V(id, v), NULL);
    MUST(writing_write(net, true, &error));
}

static void test_only_large_batches_use_a_stage(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text);"
                                                "insert into t values (1, 'a')");
    writing_run("begin");
    write_one(table, "1", "b");
    writing_run("commit");
    assert_int_equal(scratch_number(writing.scratch,
                                    "select count(*) from pg_class where relname like "
                                    "'drover\\_stage\\_%u\\_%%'",
                                    table->id),
                     writing.large ? 1 : 0);
}

static void test_several_writes_in_one_transaction(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text);"
                                                "insert into t values (1, 'a'), (2, 'b')");
    writing_run("begin");
    write_one(table, "1", "first");
    write_one(table, "1", "second");
    write_one(table, "2", "third");
    writing_run("commit");
    writing_expect_rows("(1,second) (2,third)");
    writing_run("begin");
    write_one(table, "1", "fourth");
    writing_run("commit");
    writing_expect_rows("(1,fourth) (2,third)");
}

static void test_write_after_a_rollback(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text);"
                                                "insert into t values (1, 'a')");
    writing_run("begin");
    write_one(table, "1", "lost");
    writing_run("rollback");
    writing_expect_rows("(1,a)");
    writing_run("begin");
    write_one(table, "1", "kept");
    writing_run("commit");
    writing_expect_rows("(1,kept)");
}

static void test_write_after_a_rollback_to_a_savepoint(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text);"
                                                "insert into t values (1, 'a'), (2, 'b')");
    writing_run("begin");
    writing_run("savepoint before");
    write_one(table, "1", "lost");
    writing_run("rollback to savepoint before");
    write_one(table, "2", "kept");
    writing_run("savepoint before");
    write_one(table, "1", "lost");
    writing_run("rollback to savepoint before");
    writing_run("commit");
    writing_expect_rows("(1,a) (2,kept)");
}

static void test_write_after_a_failed_write(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, v text not null);"
                           "insert into t values (1, 'a')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", NULL), NULL);
    writing_run("begin");
    MUST_FAIL(writing_write(net, true, &error), DROVER_ERROR_DATA);
    writing_run("rollback");
    writing_run("begin");
    write_one(table, "1", "kept");
    writing_run("commit");
    writing_expect_rows("(1,kept)");
}

static void test_lost_session_is_worth_another_try(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text);"
                                                "insert into t values (1, 'a')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    writing_run("begin");
    scratch_run(writing.scratch, "select pg_terminate_backend(%d, 10000)",
                PQbackendPID(writing.target->connection));
    MUST_FAIL(writing_write(net, true, &error), DROVER_ERROR_RETRY);
    writing_expect_rows("(1,a)");
    pg_target_ops.close(writing.target);
    writing_connect();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_many_types_arrive_as_they_are),
        cmocka_unit_test(test_value_that_the_column_cannot_hold_names_table_and_column),
        cmocka_unit_test(test_null_in_a_not_null_column_names_table_and_column),
        cmocka_unit_test(test_row_that_does_not_fit_the_table_is_a_bug),
        cmocka_unit_test(test_only_large_batches_use_a_stage),
        cmocka_unit_test(test_several_writes_in_one_transaction),
        cmocka_unit_test(test_write_after_a_rollback),
        cmocka_unit_test(test_write_after_a_rollback_to_a_savepoint),
        cmocka_unit_test(test_write_after_a_failed_write),
        cmocka_unit_test(test_lost_session_is_worth_another_try),
    };
    int small = cmocka_run_group_tests_name("row by row", tests, writing_open_small, writing_close);
    int large = cmocka_run_group_tests_name("staged", tests, writing_open_large, writing_close);
    return small != 0 || large != 0;
}
