/*
 * TargetOps.write on real MySQL and MariaDB servers: what stands in the target after a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/mysql_writing.h"

#include <string.h>

#define V(...) NET_VALUES(__VA_ARGS__)

static void test_inserts_updates_and_deletes_by_key(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, name text, n integer", "id int primary key, name text, n int);"
                                                "insert into t values (1, 'a', 1), (2, 'b', 2)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add_delete(net, V("1"));
    net_add(net, NET_UPDATE, V("2", "it's", NULL), NULL);
    net_add(net, NET_INSERT, V("3", "", "-3"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(2,it's,~) (3,,-3)");
}

static void test_composite_key_in_another_order_than_the_columns(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("a integer key2, v text, b bigint key1",
                                 "a int, v text, b bigint, primary key (b, a));"
                                 "insert into t values (1, 'x', 2), (2, 'y', 1), (5, 'z', 5)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "new", "2"), NULL);
    net_add_delete(net, V("5", "5"));
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,new,2) (2,y,1)");
}

static void test_names_that_need_quotes(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("Select integer key, a`b integer",
                                                      "`Select` int primary key, `a``b` int);"
                                                      "insert into t values (1, 1)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "2"), NULL);
    net_add(net, NET_INSERT, V("2", "3"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,2) (2,3)");
}

static void test_delete_of_an_absent_key_changes_nothing(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text);"
                                                           "insert into t values (1, 'a')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add_delete(net, V("7"));
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,a)");
}

static void test_insert_of_a_key_that_is_there_updates_it_before_the_consistent_point(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text);"
                                                           "insert into t values (1, 'a')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "b"), NULL);
    net_add(net, NET_INSERT, V("2", "c"), NULL);
    mysql_writing_write_and_commit(net, false);
    mysql_writing_expect_rows("(1,b) (2,c)");
}

static void test_update_of_an_absent_key_inserts_it(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text);"
                                                           "insert into t values (1, 'a')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add(net, NET_UPDATE, V("2", "c"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,b) (2,c)");
}

static void test_insert_of_a_key_that_is_there_is_an_error_past_the_consistent_point(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text);"
                                                           "insert into t values (1, 'a')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "b"), NULL);
    mysql_writing_expect_refused(net, true, V(".t: ", "PRIMARY", "'1'", NULL));
    mysql_writing_expect_rows("(1,a)");
}

static void test_table_of_only_key_columns(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("a integer key1, b integer key2",
                                                      "a int, b int, primary key (a, b));"
                                                      "insert into t values (1, 1), (2, 2)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "1"), NULL);
    net_add(net, NET_UPDATE, V("3", "3"), NULL);
    net_add(net, NET_INSERT, V("4", "4"), NULL);
    net_add_delete(net, V("2", "2"));
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,1) (3,3) (4,4)");
}

static void test_unchanged_cells_keep_the_rows_own_values(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, a text, b text, n integer",
        "id int primary key, a text, b text, n int);"
        "insert into t values (1, 'a1', 'b1', 1), (2, 'a2', null, 2), (3, 'x', 'y', 3)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", net_unchanged, "new", "10"), NULL);
    net_add(net, NET_UPDATE, V("2", "new", net_unchanged, NULL), NULL);
    net_add(net, NET_UPDATE, V("3", "full", NULL, "30"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,a1,new,10) (2,new,~,~) (3,full,~,30)");
}

static void test_unchanged_cells_come_from_the_row_of_the_old_key(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, a text, n integer",
                                 "id int primary key, a text, n int);"
                                 "insert into t values (1, 'from one', 1), (2, 'from two', 2)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add_delete(net, V("1"));
    net_add(net, NET_INSERT, V("5", net_unchanged, "50"), V("1"));
    net_add(net, NET_UPDATE, V("2", net_unchanged, "20"), V("1"));
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(2,from one,20) (5,from one,50)");
}

static void test_row_whose_base_is_not_there_is_missing_and_its_key_deleted(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, a text, n integer", "id int primary key, a text, n int);"
                                             "insert into t values (1, 'a', 1), (2, 'b', 2)");
    g_autoptr(Net) net = mysql_writing_net(table);
    NetRow *kept = net_add(net, NET_UPDATE, V("1", net_unchanged, "10"), NULL);
    NetRow *other = net_add(net, NET_UPDATE, V("2", net_unchanged, "20"), V("9"));
    NetRow *new = net_add(net, NET_INSERT, V("3", net_unchanged, "30"), V("9"));
    mysql_writing_write_and_commit(net, true);
    assert_false(kept->missing);
    assert_true(other->missing);
    assert_true(new->missing);
    mysql_writing_expect_rows("(1,a,10)");
}

static void test_partial_row_that_is_not_there_is_missing(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, a text, n integer",
                                                      "id int primary key, a text, n int);"
                                                      "insert into t values (1, 'a', 1)");
    for (int consistent = 0; consistent < 2; consistent++) {
        g_autoptr(Net) net = mysql_writing_net(table);
        NetRow *absent = net_add(net, NET_UPDATE, V("7", net_unchanged, "70"), NULL);
        NetRow *there = net_add(net, NET_UPDATE, V("1", net_unchanged, "11"), NULL);
        mysql_writing_write_and_commit(net, consistent == 1);
        assert_true(absent->missing);
        assert_false(there->missing);
        mysql_writing_expect_rows("(1,a,11)");
    }
}

static void test_unique_values_swapped_between_two_rows(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, u text", "id int primary key, u varchar(20) unique);"
                                  "insert into t values (1, 'a'), (2, 'b'), (3, 'c')");
    assert_true(table->other_unique);
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add(net, NET_UPDATE, V("2", "a"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,b) (2,a) (3,c)");
}

static void test_unique_values_rotated_among_three_rows_with_unchanged_cells(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, u text, long text, n integer",
        "id int primary key, u varchar(20) unique, `long` text, n int);"
        "insert into t values (1, 'a', 'l1', 1), (2, 'b', 'l2', 2), (3, 'c', 'l3', 3)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "b", net_unchanged, "10"), NULL);
    net_add(net, NET_UPDATE, V("2", "c", "new", "20"), NULL);
    net_add(net, NET_UPDATE, V("3", "a", net_unchanged, "30"), NULL);
    NetRow *missing = net_add(net, NET_UPDATE, V("4", "d", net_unchanged, "40"), NULL);
    mysql_writing_write_and_commit(net, true);
    assert_true(missing->missing);
    mysql_writing_expect_rows("(1,b,l1,10) (2,c,new,20) (3,a,l3,30)");
}

static void test_unique_value_goes_from_an_updated_row_to_a_new_one(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, u text",
                                                      "id int primary key, u varchar(20) unique);"
                                                      "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("5", "a"), NULL);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    net_add_delete(net, V("2"));
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,b) (5,a)");
}

static void test_unique_value_of_a_row_outside_the_batch_is_an_error(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, u text",
                                                      "id int primary key, u varchar(20) unique);"
                                                      "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "b"), NULL);
    mysql_writing_expect_refused(net, true, V(".t: ", "u'", "'b'", NULL));
    mysql_writing_expect_rows("(1,a) (2,b)");
}

static void test_generated_columns_follow(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, g integer generated, n integer",
        "id int primary key, g int generated always as (n * 2) stored, n int);"
        "insert into t (id, n) values (1, 1)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "5"), NULL);
    net_add(net, NET_INSERT, V("2", "6"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,10,5) (2,12,6)");
}

static void test_truncated_table_holds_only_the_batch(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, v text",
                                                      "id int primary key, v text);"
                                                      "insert into t values (1, 'a'), (2, 'b')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net->table.truncated = true;
    net_add(net, NET_INSERT, V("2", "new"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(2,new)");
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
        cmocka_unit_test(test_unchanged_cells_come_from_the_row_of_the_old_key),
        cmocka_unit_test(test_row_whose_base_is_not_there_is_missing_and_its_key_deleted),
        cmocka_unit_test(test_partial_row_that_is_not_there_is_missing),
        cmocka_unit_test(test_unique_values_swapped_between_two_rows),
        cmocka_unit_test(test_unique_values_rotated_among_three_rows_with_unchanged_cells),
        cmocka_unit_test(test_unique_value_goes_from_an_updated_row_to_a_new_one),
        cmocka_unit_test(test_unique_value_of_a_row_outside_the_batch_is_an_error),
        cmocka_unit_test(test_generated_columns_follow),
        cmocka_unit_test(test_truncated_table_holds_only_the_batch),
    };
    return mysql_writing_run_groups(tests);
}
