/*
 * TargetOps.write on a real server: what stands in the target after a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/writing.h"

#include <string.h>

#define V(...) NET_VALUES(__VA_ARGS__)

static void test_inserts_updates_and_deletes_by_key(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, name text, n int);"
                           "insert into t values (1, 'a', 1), (2, 'b', 2)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add_delete(net, V("1"));
    net_add(net, NET_UPDATE, V("2", "it's", NULL), NULL);
    net_add(net, NET_INSERT, V("3", "", "-3"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(2,it's,) (3,\"\",-3)");
}

static void test_composite_key_in_another_order_than_the_columns(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (a int, v text, b bigint, primary key (b, a));"
                           "insert into t values (1, 'x', 2), (2, 'y', 1), (5, 'z', 5)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "new", "2"), NULL);
    net_add_delete(net, V("5", "5"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,new,2) (2,y,1)");
}

static void test_names_that_need_quotes(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (\"Select\" int primary key, \"a \"\"b\" int);"
                           "insert into t values (1, 1)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "2"), NULL);
    net_add(net, NET_INSERT, V("2", "3"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,2) (2,3)");
}

static void test_delete_of_an_absent_key_changes_nothing(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, v text); insert into t values (1, 'a')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add_delete(net, V("7"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,a)");
}

static void test_insert_of_a_key_that_is_there_updates_it_before_the_consistent_point(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, v text); insert into t values (1, 'a')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_INSERT, V("1", "b"), NULL);
    net_add(net, NET_INSERT, V("2", "c"), NULL);
    writing_write_and_commit(net, false);
    writing_expect_rows("(1,b) (2,c)");
}

static void test_update_of_an_absent_key_inserts_it(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, v text); insert into t values (1, 'a')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add(net, NET_UPDATE, V("2", "c"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,b) (2,c)");
}

static void test_insert_of_a_key_that_is_there_is_an_error_past_the_consistent_point(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, v text); insert into t values (1, 'a')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_INSERT, V("1", "b"), NULL);
    writing_run("begin");
    assert_false(writing_write(net, true, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    assert_non_null(strstr(error->message, "public.t"));
    assert_non_null(strstr(error->message, "t_pkey"));
    assert_non_null(strstr(error->message, "(id)=(1)"));
    writing_run("rollback");
    writing_expect_rows("(1,a)");
}

static void test_table_of_only_key_columns(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table("create table t (a int, b int, primary key (a, b));"
                                                "insert into t values (1, 1), (2, 2)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "1"), NULL);
    net_add(net, NET_UPDATE, V("3", "3"), NULL);
    net_add(net, NET_INSERT, V("4", "4"), NULL);
    net_add_delete(net, V("2", "2"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,1) (3,3) (4,4)");
}

static void test_unchanged_cells_keep_the_rows_own_values(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, a text, b text, n int);"
        "insert into t values (1, 'a1', 'b1', 1), (2, 'a2', null, 2), (3, 'x', 'y', 3)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", net_unchanged, "new", "10"), NULL);
    net_add(net, NET_UPDATE, V("2", "new", net_unchanged, NULL), NULL);
    net_add(net, NET_UPDATE, V("3", "full", NULL, "30"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,a1,new,10) (2,new,,) (3,full,,30)");
}

/* The server keeps a large value where it is, as long as it is handed back untouched. */
static void test_large_unchanged_value_is_not_stored_again(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, v text, long text);"
                           "alter table t alter long set storage external;"
                           "insert into t values (1, 'a', repeat('x', 100000))");
    const char *size = "select pg_relation_size(reltoastrelid) from pg_class where oid = "
                       "'t'::regclass";
    gint64 before = scratch_number(writing.scratch, "%s", size);
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "new", net_unchanged), NULL);
    writing_write_and_commit(net, true);
    assert_int_equal(scratch_number(writing.scratch, "%s", size), before);
    assert_int_equal(scratch_number(writing.scratch, "select length(long) from t where v = 'new'"),
                     100000);
}

static void test_unchanged_cells_in_columns_past_the_eighth(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, c1 int, c2 int, c3 int, c4 int, c5 int,"
        " c6 int, c7 int, c8 int, c9 int);"
        "insert into t values (1, 1, 2, 3, 4, 5, 6, 7, 8, 9)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE,
            V("1", "10", "20", "30", "40", "50", "60", net_unchanged, net_unchanged, "90"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,10,20,30,40,50,60,7,8,90)");
}

static void test_unchanged_cells_come_from_the_row_of_the_old_key(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, a text, n int);"
                           "insert into t values (1, 'from one', 1), (2, 'from two', 2)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add_delete(net, V("1"));
    net_add(net, NET_INSERT, V("5", net_unchanged, "50"), V("1"));
    net_add(net, NET_UPDATE, V("2", net_unchanged, "20"), V("1"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(2,\"from one\",20) (5,\"from one\",50)");
}

static void test_row_whose_base_is_not_there_is_missing_and_its_key_deleted(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, a text, n int);"
                           "insert into t values (1, 'a', 1), (2, 'b', 2)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    NetRow *kept = net_add(net, NET_UPDATE, V("1", net_unchanged, "10"), NULL);
    NetRow *other = net_add(net, NET_UPDATE, V("2", net_unchanged, "20"), V("9"));
    NetRow *new = net_add(net, NET_INSERT, V("3", net_unchanged, "30"), V("9"));
    writing_write_and_commit(net, true);
    assert_false(kept->missing);
    assert_true(other->missing);
    assert_true(new->missing);
    writing_expect_rows("(1,a,10)");
}

static void test_partial_row_that_is_not_there_is_missing(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, a text, n int);"
                           "insert into t values (1, 'a', 1)");
    for (int consistent = 0; consistent < 2; consistent++) {
        g_autoptr(Net) net = net_new(writing.scratch, table);
        NetRow *absent = net_add(net, NET_UPDATE, V("7", net_unchanged, "70"), NULL);
        NetRow *there = net_add(net, NET_UPDATE, V("1", net_unchanged, "11"), NULL);
        writing_write_and_commit(net, consistent == 1);
        assert_true(absent->missing);
        assert_false(there->missing);
        writing_expect_rows("(1,a,11)");
    }
}

static void test_unique_values_swapped_between_two_rows(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, u text unique);"
                           "insert into t values (1, 'a'), (2, 'b'), (3, 'c')");
    assert_true(table->other_unique);
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add(net, NET_UPDATE, V("2", "a"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,b) (2,a) (3,c)");
}

static void test_unique_values_rotated_among_three_rows_with_unchanged_cells(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, u text unique, long text, n int);"
        "insert into t values (1, 'a', 'l1', 1), (2, 'b', 'l2', 2), (3, 'c', 'l3', 3)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "b", net_unchanged, "10"), NULL);
    net_add(net, NET_UPDATE, V("2", "c", "new", "20"), NULL);
    net_add(net, NET_UPDATE, V("3", "a", net_unchanged, "30"), NULL);
    NetRow *missing = net_add(net, NET_UPDATE, V("4", "d", net_unchanged, "40"), NULL);
    writing_write_and_commit(net, true);
    assert_true(missing->missing);
    writing_expect_rows("(1,b,l1,10) (2,c,new,20) (3,a,l3,30)");
}

static void test_unique_value_goes_from_an_updated_row_to_a_new_one(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, u text unique);"
                           "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_INSERT, V("5", "a"), NULL);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add_delete(net, V("2"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,b) (5,a)");
}

static void test_unique_value_of_a_row_outside_the_batch_is_an_error(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, u text unique);"
                           "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    writing_run("begin");
    assert_false(writing_write(net, true, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    assert_non_null(strstr(error->message, "t_u_key"));
    assert_non_null(strstr(error->message, "(u)=(b)"));
    writing_run("rollback");
    writing_expect_rows("(1,a) (2,b)");
}

static void test_deferrable_unique_values_swapped(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        writing_make_table("create table t (id int primary key, u text unique deferrable);"
                           "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add(net, NET_UPDATE, V("2", "a"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,b) (2,a)");
}

static void test_identity_always_as_key(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int generated always as identity primary key, v text);"
        "insert into t overriding system value values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "new"), NULL);
    net_add(net, NET_INSERT, V("9", "nine"), NULL);
    net_add_delete(net, V("2"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,new) (9,nine)");
}

static void test_identity_always_beside_the_key(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, n int generated always as identity, v text,"
        " long text);"
        "insert into t overriding system value values (1, 11, 'a', 'l1'), (2, 12, 'b', "
        "'l2')");
    assert_true(table->replace_updates);
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "71", "new", net_unchanged), NULL);
    net_add(net, NET_INSERT, V("3", "73", "three", "l3"), NULL);
    net_add_delete(net, V("2"));
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,71,new,l1) (3,73,three,l3)");
}

static void test_generated_columns_follow(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, g int generated always as (n * 2) stored, n int);"
        "insert into t (id, n) values (1, 1)");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add(net, NET_UPDATE, V("1", "5"), NULL);
    net_add(net, NET_INSERT, V("2", "6"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(1,10,5) (2,12,6)");
}

static void test_truncated_table_holds_only_the_batch(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table("create table t (id int primary key, v text);"
                                                "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net->table.truncated = true;
    net_add(net, NET_INSERT, V("2", "new"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(2,new)");
}

static void test_tables_that_refer_to_each_other_are_truncated_together(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) parent = writing_make_table("create table t (id int primary key);"
                                                 "insert into t values (1)");
    scratch_run(writing.scratch,
                "drop table if exists child; create table child (id int primary key, "
                "parent int references t); insert into child values (1, 1)");
    g_autoptr(Table) child = net_table_load(writing.scratch, parent->id + 100, "child");
    NetTable tables[] = {{.table = parent, .truncated = true}, {.table = child, .truncated = true}};
    writing_run("begin");
    MUST(pg_target_ops.write(writing.target, tables, 2, true, &error));
    writing_run("commit");
    writing_expect_rows("");
    assert_int_equal(scratch_number(writing.scratch, "select count(*) from child"), 0);
}

static void test_foreign_key_actions_and_triggers_do_not_fire(void **state)
{
    (void)state;
    g_autoptr(Table) table = writing_make_table(
        "create table t (id int primary key, v text); insert into t values (1, 'a'), "
        "(2, 'b')");
    scratch_run(writing.scratch,
                "drop table if exists child;"
                "create table child (id int primary key, parent int references t on delete "
                "cascade); insert into child values (1, 1);"
                "create or replace function refuse() returns trigger language plpgsql as $$ begin "
                "raise 'a trigger fired'; end $$;"
                "create trigger refuse before insert or update on t for each row execute function "
                "refuse()");
    g_autoptr(Net) net = net_new(writing.scratch, table);
    net_add_delete(net, V("1"));
    net_add(net, NET_UPDATE, V("2", "new"), NULL);
    net_add(net, NET_INSERT, V("3", "c"), NULL);
    writing_write_and_commit(net, true);
    writing_expect_rows("(2,new) (3,c)");
    assert_int_equal(scratch_number(writing.scratch, "select count(*) from child"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_updates_and_deletes_by_key),
        cmocka_unit_test(test_composite_key_in_another_order_than_the_columns),
        cmocka_unit_test(test_names_that_need_quotes),
        cmocka_unit_test(test_delete_of_an_absent_key_changes_nothing),
        cmocka_unit_test(test_insert_of_a_key_that_is_there_updates_it_before_the_consistent_point),
        cmocka_unit_test(test_update_of_an_absent_key_inserts_it),
        cmocka_unit_test(test_insert_of_a_key_that_is_there_is_an_error_past_the_consistent_point),
        cmocka_unit_test(test_table_of_only_key_columns),
        cmocka_unit_test(test_unchanged_cells_keep_the_rows_own_values),
        cmocka_unit_test(test_large_unchanged_value_is_not_stored_again),
        cmocka_unit_test(test_unchanged_cells_in_columns_past_the_eighth),
        cmocka_unit_test(test_unchanged_cells_come_from_the_row_of_the_old_key),
        cmocka_unit_test(test_row_whose_base_is_not_there_is_missing_and_its_key_deleted),
        cmocka_unit_test(test_partial_row_that_is_not_there_is_missing),
        cmocka_unit_test(test_unique_values_swapped_between_two_rows),
        cmocka_unit_test(test_unique_values_rotated_among_three_rows_with_unchanged_cells),
        cmocka_unit_test(test_unique_value_goes_from_an_updated_row_to_a_new_one),
        cmocka_unit_test(test_unique_value_of_a_row_outside_the_batch_is_an_error),
        cmocka_unit_test(test_deferrable_unique_values_swapped),
        cmocka_unit_test(test_identity_always_as_key),
        cmocka_unit_test(test_identity_always_beside_the_key),
        cmocka_unit_test(test_generated_columns_follow),
        cmocka_unit_test(test_truncated_table_holds_only_the_batch),
        cmocka_unit_test(test_tables_that_refer_to_each_other_are_truncated_together),
        cmocka_unit_test(test_foreign_key_actions_and_triggers_do_not_fire),
    };
    int small = cmocka_run_group_tests_name("row by row", tests, writing_open_small, writing_close);
    int large = cmocka_run_group_tests_name("staged", tests, writing_open_large, writing_close);
    return small != 0 || large != 0;
}
