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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_updates_and_deletes_come_in_order),
        cmocka_unit_test(test_a_key_update_has_the_old_key_in_key_order),
        cmocka_unit_test(test_other_tables_are_positions),
    };
    (void)ops;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
