/*
 * TargetOps.write on real MySQL and MariaDB servers: what stands in the target after a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/mysql/session.h"
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

/* The columns of the key that a collation compares get the bytes of the new image. */
static void test_key_that_is_equal_in_other_letters_is_the_same_row(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "k text key, v text", "k varchar(20) collate utf8mb4_general_ci primary key, v text);"
                              "insert into t values ('abc', 'a'), ('def', 'd'), ('ghi', 'g')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("ABC", "new"), NULL);
    net_add_delete(net, V("DEF"));
    net_add_delete(net, V("ghi"));
    net_add(net, NET_INSERT, V("GHI", "G"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(ABC,new) (GHI,G)");
}

static void test_key_changed_in_its_letters_alone_keeps_its_unchanged_cells(void **state)
{
    (void)state;
    static const char sql[] = "k varchar(20) collate utf8mb4_general_ci primary key, u varchar(9) "
                              "unique, v text); insert into t values ('abc', 'u', 'kept')";
    g_autoptr(Table) table = mysql_writing_make_table("k text key, u text, v text", sql);
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add_delete(net, V("abc"));
    net_add(net, NET_INSERT, V("ABC", "u", net_unchanged), V("abc"));
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(ABC,u,kept)");
}

/* What a delete of an equal key takes away is not the row that the cells are to come from. */
static void test_partial_row_takes_nothing_from_a_row_that_the_batch_deletes(void **state)
{
    (void)state;
    for (int unique = 0; unique < 2; unique++) {
        g_autoptr(Table) table = mysql_writing_make_table(
            "k text key, u text, v text",
            "k varchar(20) collate utf8mb4_general_ci primary key, u varchar(9) unique, v text);"
            "insert into t values ('abc', 'u', 'old'), ('x', 'ux', 'x'), ('y', 'uy', 'y')");
        g_autoptr(Net) net = mysql_writing_net(table);
        net_add_delete(net, V("abc"));
        NetRow *row = net_add(net, NET_UPDATE, V("ABC", "u", net_unchanged), NULL);
        const char *x = unique ? "uy" : "ux", *y = unique ? "ux" : "uy"; /* swapped */
        net_add(net, NET_UPDATE, V("x", x, net_unchanged), NULL);
        net_add(net, NET_UPDATE, V("y", y, "new"), NULL);
        mysql_writing_write_and_commit(net, false);
        assert_true(row->missing);
        mysql_writing_expect_rows(unique ? "(x,uy,x) (y,ux,new)" : "(x,ux,x) (y,uy,new)");
    }
}

static void test_columns_that_follow_the_clock_stay_when_they_are_unchanged(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v text, at timestamp",
        "id int primary key, v text, at timestamp default current_timestamp on update "
        "current_timestamp); insert into t values (1, 'a', '2001-02-03 04:05:06')");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", "new", net_unchanged), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(1,new,2001-02-03 04:05:06)");
}

static void test_automatic_numbers_are_written_as_they_are(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, v text",
                                                      "id int auto_increment primary key, v text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("0", "zero"), NULL);
    net_add(net, NET_INSERT, V("7", "seven"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(0,zero) (7,seven)");
}

static void test_keys_of_many_types_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *type, *column, *key, *other;
    } cases[] = {
        {"real", "float", "1.1", "2.2"},
        {"double", "double", "1.1", "2.2"},
        {"numeric(12,4)", "decimal(12,4)", "1.1000", "2.2000"},
        {"numeric(20,0)", "bigint unsigned", "18446744073709551615", "0"},
        {"date", "date", "2024-02-29", "2024-03-01"},
        {"timestamp", "datetime(6)", "2024-02-29 01:02:03.000004", "2024-02-29 01:02:03.000005"},
        {"time", "time(6)", "01:02:03.000004", "01:02:03.000005"},
        {"bytea", "varbinary(8)", "\\x00ff", "\\x00fe"},
        {"uuid", "char(36) character set ascii collate ascii_bin",
         "0d9a4f2c-6c1d-4d7e-9a53-0a3f7c1e2b11", "0d9a4f2c-6c1d-4d7e-9a53-0a3f7c1e2b12"},
        {"text", "varchar(20) collate utf8mb4_bin", "it's", "it''s"},
        {"text", "enum('a', 'b')", "a", "b"},
        {"bit(5)", "bit(5)", "10101", "10100"},
        {"boolean", "tinyint(1)", "t", "f"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *columns = g_strdup_printf("id %s key, v text", cases[i].type);
        g_autofree char *sql = g_strdup_printf("id %s primary key, v text)", cases[i].column);
        g_autoptr(Table) table = mysql_writing_make_table(columns, sql);
        g_autoptr(Net) first = mysql_writing_net(table);
        net_add(first, NET_INSERT, V(cases[i].key, "a"), NULL);
        net_add(first, NET_INSERT, V(cases[i].other, "b"), NULL);
        mysql_writing_write_and_commit(first, true);
        g_autoptr(Net) second = mysql_writing_net(table);
        NetRow *row = net_add(second, NET_UPDATE, V(cases[i].key, net_unchanged), NULL);
        net_add_delete(second, V(cases[i].other));
        mysql_writing_write_and_commit(second, true);
        if (row->missing)
            fail_msg("%s was not found", cases[i].type);
        mysql_writing_expect_value("select group_concat(v) from t", "a");
    }
}

static void test_foreign_key_actions_do_not_fire(void **state)
{
    (void)state;
    mysql_writing_run("rollback");
    mysql_writing_run_scratch("drop table if exists child");
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v text",
        "id int primary key, v text); insert into t values (1, 'a'), (2, 'b');"
        "create table child (id int primary key, parent int, foreign key (parent) references t "
        "(id) on delete cascade on update cascade); insert into child values (1, 1), (2, 2)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add_delete(net, V("1"));
    net_add(net, NET_INSERT, V("3", "c"), NULL);
    mysql_writing_write_and_commit(net, true);
    net->table.truncated = true;
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_rows("(3,c)");
    mysql_writing_expect_value("select group_concat(parent) from child", "1,2");
    mysql_writing_run_scratch("drop table child");
}

static void add_numbered(Net *net, NetKind kind, int number, const char *u, const char *v)
{
    g_autofree char *id = g_strdup_printf("%d", number);
    g_autofree char *unique = u ? g_strdup_printf("%s%d", u, number) : NULL;
    if (kind == NET_DELETE)
        net_add_delete(net, V(id));
    else
        net_add(net, kind, V(id, unique, v), NULL);
}

/* 1 to 3000 are there; 1 to 1000 go, 1001 to 2000 change, 2001 to 3000 in part, 3001 to 9000 come.
 */
static void test_a_large_batch_of_every_kind(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, u text, v text", "id int primary key, u varchar(20) unique, v text)");
    g_autoptr(Net) first = mysql_writing_net(table);
    for (int i = 1; i <= 3000; i++)
        add_numbered(first, NET_INSERT, i, "u", "old");
    mysql_writing_write_and_commit(first, true);
    g_autoptr(Net) net = mysql_writing_net(table);
    for (int i = 1; i <= 9000; i++) {
        NetKind kind = i <= 1000 ? NET_DELETE : i <= 3000 ? NET_UPDATE : NET_INSERT;
        add_numbered(net, kind, i, "n", i > 2000 && i <= 3000 ? net_unchanged : "new");
    }
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_value("select concat(count(*), ' ', sum(id), ' ', sum(v = 'old'), ' ', "
                               "sum(u = concat('n', id))) from t",
                               "8000 40004000 1000 8000");
}

static void test_a_large_batch_that_moves_unique_values(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, u text, v text", "id int primary key, u varchar(20) unique, v text)");
    g_autoptr(Net) first = mysql_writing_net(table);
    g_autoptr(Net) net = mysql_writing_net(table);
    for (int i = 0; i < 3000; i++) {
        g_autofree char *id = g_strdup_printf("%d", i), *u = g_strdup_printf("u%d", i);
        g_autofree char *next = g_strdup_printf("u%d", (i + 1) % 3000);
        net_add(first, NET_INSERT, V(id, u, "old"), NULL);
        net_add(net, NET_UPDATE, V(id, next, i % 3 == 0 ? "new" : net_unchanged), NULL);
    }
    mysql_writing_write_and_commit(first, true);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_value("select concat(count(*), ' ', sum(v = 'old'), ' ', sum(u = "
                               "concat('u', (id + 1) mod 3000))) from t",
                               "3000 2000 3000");
}

static void test_a_row_larger_than_the_servers_packets_is_loaded_or_refused(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v text", "id int primary key, v longtext); insert into t values (1, '')");
    g_autofree char *text = g_strnfill(2000000, 'x');
    Target *target = mysql_writing.target;
    gsize packet = target->max_packet;
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add_delete(net, V("7"));
    net_add(net, NET_UPDATE, V("1", text), NULL);
    target->max_packet = 1000000;
    if (!target->local_infile)
        mysql_writing_expect_refused(net, true,
                                     V(".t: ", "the row with id=1", "max_allowed_packet", NULL));
    if (!target->local_infile)
        target->max_packet = packet;
    mysql_writing_write_and_commit(net, true);
    target->max_packet = packet;
    mysql_writing_expect_value("select length(v) from t", "2000000");
}

static void test_values_of_20_megabytes(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v text, n integer",
        "id int primary key, v longtext, n int); insert into t values (1, '', 1), (2, '', 2)");
    g_autofree char *text = g_strnfill(20000000, 'x');
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_UPDATE, V("1", text, "10"), NULL);
    net_add(net, NET_UPDATE, V("2", net_unchanged, "20"), NULL);
    net_add(net, NET_INSERT, V("3", text, "30"), NULL);
    mysql_writing_write_and_commit(net, true);
    mysql_writing_expect_value("select group_concat(length(v), ' ', n order by id) from t",
                               "20000000 10,0 20,20000000 30");
}

static void test_values_that_do_not_fit_name_the_row(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, vv numeric",
                                                      "id int primary key, vv decimal(5,2));"
                                                      "insert into t values (1, 1), (2, 2)");
    static const NetKind kinds[] = {NET_UPDATE, NET_INSERT};
    static const char *const values[] = {"12345", "1.005", "NaN"};
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++)
        for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
            g_autoptr(Net) net = mysql_writing_net(table);
            const char *id = kinds[k] == NET_UPDATE ? "2" : "3";
            g_autofree char *row = g_strdup_printf("the row with id=%s: ", id);
            net_add(net, NET_UPDATE, V("1", "7"), NULL);
            net_add(net, kinds[k], V(id, values[i]), NULL);
            mysql_writing_expect_refused(net, true, V(".t: ", row, NULL));
            mysql_writing_expect_rows("(1,1.00) (2,2.00)");
        }
}

static void test_row_that_does_not_fit_the_table_is_a_bug(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    NetRow *row = net_add(net, NET_INSERT, V("1", "a"), NULL);
    row->row.cells[1].kind = CELL_ABSENT;
    mysql_writing_run("begin");
    MUST_FAIL(mysql_writing_write(net, true, &error), DROVER_ERROR_BUG);
    mysql_writing_run("rollback");
}

static void test_several_writes_in_one_transaction(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v text, w text", "id int primary key, v text, w text);"
                                          "insert into t values (1, 'a', 'w'), (2, 'b', 'w')");
    for (int times = 0; times < 2; times++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Net) first = mysql_writing_net(table);
        g_autoptr(Net) second = mysql_writing_net(table);
        net_add_delete(first, V("1"));
        net_add(first, NET_INSERT, V("3", "c", net_unchanged), V("1"));
        net_add(second, NET_INSERT, V("1", "again", net_unchanged), V("3"));
        net_add_delete(second, V("3"));
        mysql_writing_run("begin");
        MUST(mysql_writing_write(first, true, &error));
        MUST(mysql_writing_write(second, true, &error));
        mysql_writing_run(times == 0 ? "rollback" : "commit");
        mysql_writing_expect_rows(times == 0 ? "(1,a,w) (2,b,w)" : "(1,again,w) (2,b,w)");
    }
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
        cmocka_unit_test(test_key_that_is_equal_in_other_letters_is_the_same_row),
        cmocka_unit_test(test_key_changed_in_its_letters_alone_keeps_its_unchanged_cells),
        cmocka_unit_test(test_partial_row_takes_nothing_from_a_row_that_the_batch_deletes),
        cmocka_unit_test(test_columns_that_follow_the_clock_stay_when_they_are_unchanged),
        cmocka_unit_test(test_automatic_numbers_are_written_as_they_are),
        cmocka_unit_test(test_keys_of_many_types_are_found),
        cmocka_unit_test(test_foreign_key_actions_do_not_fire),
        cmocka_unit_test(test_a_large_batch_of_every_kind),
        cmocka_unit_test(test_a_large_batch_that_moves_unique_values),
        cmocka_unit_test(test_a_row_larger_than_the_servers_packets_is_loaded_or_refused),
        cmocka_unit_test(test_values_of_20_megabytes),
        cmocka_unit_test(test_values_that_do_not_fit_name_the_row),
        cmocka_unit_test(test_row_that_does_not_fit_the_table_is_a_bug),
        cmocka_unit_test(test_several_writes_in_one_transaction),
    };
    return mysql_writing_run_groups(tests);
}
