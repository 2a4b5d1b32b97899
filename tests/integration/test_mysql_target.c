/*
 * The MySQL target's session on a real server: statements, transactions, errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/mysql/session.h"
#include "apply/mysql/target.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/net.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static MysqlScratch *scratch;
static Target *target;

static Target *open_target(void)
{
    g_autoptr(GError) error = NULL;
    Target *opened = NULL;
    MUST(opened = mysql_target_ops.connect(&scratch->endpoint, "drover shop apply", &error));
    return opened;
}

static int open_group(const char *variable)
{
    scratch = mysql_scratch_new(variable);
    target = open_target();
    return 0;
}

static int open_mysql(void **state)
{
    (void)state;
    return open_group("DROVER_TEST_MYSQL");
}

static int open_mariadb(void **state)
{
    (void)state;
    return open_group("DROVER_TEST_MARIADB");
}

static int close_group(void **state)
{
    (void)state;
    mysql_target_ops.close(target);
    mysql_scratch_free(scratch);
    return 0;
}

static Answer *execute(const char *sql, guint n, const char *const *values)
{
    g_autoptr(GError) error = NULL;
    Answer *answer = NULL;
    MUST(answer = mysql_target_ops.execute(target, sql, n, values, &error));
    return answer;
}

static void run(const char *sql)
{
    answer_free(execute(sql, 0, NULL));
}

static void expect_failure(const char *sql, DroverErrorCode code, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = mysql_target_ops.execute(target, sql, 0, NULL, &error);
    assert_null(answer);
    if (error->code != (int)code)
        fail_msg("%s: class %d: %s", sql, error->code, error->message);
    assert_true(g_str_has_prefix(error->message, scratch->endpoint.label));
    if (!strstr(error->message, message))
        fail_msg("%s", error->message);
}

static void expect_text(const char *sql, const char *expected)
{
    g_autofree char *value = mysql_scratch_ask(scratch, 0, "%s", sql);
    assert_string_equal(value, expected);
}

static void test_statement_with_parameters_answers_in_text(void **state)
{
    (void)state;
    g_autoptr(Answer) answer =
        execute("select $1 + 1, $2, $3", 3, NET_VALUES("41", NULL, "it's \\n \xf0\x9f\x90\x84"));
    assert_int_equal(answer->n_rows, 1);
    assert_int_equal(answer->n_columns, 3);
    assert_string_equal(answer_get(answer, 0, 0), "42");
    assert_null(answer_get(answer, 0, 1));
    assert_string_equal(answer_get(answer, 0, 2), "it's \\n \xf0\x9f\x90\x84");
    assert_int_equal(answer->affected, -1);
}

static void test_rows_that_a_condition_finds_are_counted(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table counted (id int)");
    g_autoptr(Answer) inserted =
        execute("insert into counted values (1), (2), ($1)", 1, NET_VALUES("3"));
    assert_int_equal(inserted->affected, 3);
    g_autoptr(Answer) same = execute("update counted set id = id where id > 1", 0, NULL);
    assert_int_equal(same->affected, 2);
    g_autoptr(Answer) none = execute("delete from counted where id = 9", 0, NULL);
    assert_int_equal(none->affected, 0);
}

static void test_of_several_statements_the_last_one_answers(void **state)
{
    (void)state;
    g_autoptr(Answer) answer = execute("set @a = 1; select 7", 0, NULL);
    assert_string_equal(answer_get(answer, 0, 0), "7");
    expect_failure("select 1; select no_such_column; select 2", DROVER_ERROR_NO, "no_such_column");
    run("select 1");
}

static void test_commit_keeps_and_rollback_forgets(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table kept (id int)");
    run("begin");
    run("insert into kept values (1)");
    run("commit");
    run("begin");
    run("insert into kept values (2)");
    run("rollback");
    expect_text("select group_concat(id) from kept", "1");
}

static void test_after_a_failure_a_transaction_can_only_be_rolled_back(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table half (id int primary key)");
    run("begin");
    run("insert into half values (1)");
    expect_failure("insert into half values (1)", DROVER_ERROR_DATA, "PRIMARY");
    expect_failure("insert into half values (2)", DROVER_ERROR_RETRY, "only be rolled back");
    expect_failure("commit", DROVER_ERROR_RETRY, "was rolled back");
    run("insert into half values (3)");
    expect_text("select group_concat(id) from half", "3");
}

static void test_rollback_to_a_savepoint_mends_a_transaction(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table mended (id int primary key)");
    run("begin");
    run("insert into mended values (1)");
    run("savepoint here");
    expect_failure("insert into mended values (2), (1)", DROVER_ERROR_DATA, "Duplicate");
    run("rollback to savepoint here");
    run("insert into mended values (3)");
    run("commit");
    expect_text("select group_concat(id) from mended", "1,3");
}

static void test_a_snapshot_stays_what_it_was(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table seen (id int)");
    run("begin isolation level repeatable read read only");
    mysql_scratch_run(scratch, "insert into seen values (1)");
    g_autoptr(Answer) before = execute("select count(*) from seen", 0, NULL);
    assert_string_equal(answer_get(before, 0, 0), "0");
    run("commit");
    run("begin");
    g_autoptr(Answer) after = execute("select count(*) from seen", 0, NULL);
    assert_string_equal(answer_get(after, 0, 0), "1");
    mysql_scratch_run(scratch, "insert into seen values (2)");
    g_autoptr(Answer) later = execute("select count(*) from seen", 0, NULL);
    assert_string_equal(answer_get(later, 0, 0), "2");
    run("commit");
}

static void test_values_that_do_not_fit_are_errors(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table strict (n tinyint not null, v varchar(2), d date, "
                               "check (n <> 7))");
    expect_failure("insert into strict (n) values (128)", DROVER_ERROR_DATA, "'n'");
    expect_failure("insert into strict (n) values ('x')", DROVER_ERROR_DATA, "Incorrect integer");
    expect_failure("insert into strict (n, v) values (1, 'abc')", DROVER_ERROR_DATA, "'v'");
    expect_failure("insert into strict (n, d) values (1, '2024-02-30')", DROVER_ERROR_DATA,
                   "Incorrect date");
    expect_failure("insert into strict (n) values (null)", DROVER_ERROR_DATA, "'n'");
    expect_failure("insert into strict (v) values ('a')", DROVER_ERROR_DATA, "'n'");
    expect_failure("insert into strict (n) values (7)", DROVER_ERROR_DATA, "(error ");
    run("insert into strict (n, d) values (1, '0000-00-00'), (2, '2024-00-07')");
}

static void test_automatic_numbers_are_written_as_they_are(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table automatic (id int auto_increment primary key)");
    run("insert into automatic values (0), (5)");
    expect_text("select group_concat(id order by id) from automatic", "0,5");
}

static void test_what_is_not_there_or_not_allowed_is_no(void **state)
{
    (void)state;
    expect_failure("select * from no_such_table", DROVER_ERROR_NO, "no_such_table");
    expect_failure("selekt", DROVER_ERROR_BUG, "syntax");
    mysql_scratch_run(scratch, "create table never (id int)");
    run("begin read only");
    expect_failure("insert into never values (1)", DROVER_ERROR_NO, "READ ONLY");
    run("rollback");
}

static void test_deadlock_can_be_tried_again(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table waited (id int primary key, n int)");
    mysql_scratch_run(scratch, "insert into waited values (1, 0), (2, 0)");
    run("set session innodb_lock_wait_timeout = 1");
    mysql_scratch_run(scratch, "begin");
    mysql_scratch_run(scratch, "update waited set n = 1 where id = 1");
    run("begin");
    expect_failure("update waited set n = 2 where id = 1", DROVER_ERROR_RETRY, "1205");
    run("rollback");
    mysql_scratch_run(scratch, "rollback");
    run("set session innodb_lock_wait_timeout = default");
}

static void test_lost_session_can_be_tried_again(void **state)
{
    (void)state;
    Target *kept = target;
    target = open_target();
    mysql_scratch_run(scratch, "kill %s", target->connection_id);
    expect_failure("select 1", DROVER_ERROR_RETRY, "");
    mysql_target_ops.close(target);
    target = kept;
}

static void test_a_machine_that_is_gone_is_noticed_within_a_minute(void **state)
{
    (void)state;
    int idle = 0, alive = 0;
    socklen_t size = sizeof idle;
    int socket = (int)target->mysql->net.fd;
    assert_int_equal(getsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &alive, &size), 0);
    assert_int_equal(getsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size), 0);
    assert_true(alive);
    assert_int_equal(idle, 10);
}

/* A server may ask for a file in answer to whatever it was told. */
static void test_no_file_is_given_to_the_server(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "create table filed (line text)");
    run("set global local_infile = on");
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = mysql_target_ops.execute(
        target, "load data local infile '/etc/passwd' into table filed", 0, NULL, &error);
    assert_null(answer);
    expect_text("select count(*) from filed", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statement_with_parameters_answers_in_text),
        cmocka_unit_test(test_rows_that_a_condition_finds_are_counted),
        cmocka_unit_test(test_of_several_statements_the_last_one_answers),
        cmocka_unit_test(test_commit_keeps_and_rollback_forgets),
        cmocka_unit_test(test_after_a_failure_a_transaction_can_only_be_rolled_back),
        cmocka_unit_test(test_rollback_to_a_savepoint_mends_a_transaction),
        cmocka_unit_test(test_a_snapshot_stays_what_it_was),
        cmocka_unit_test(test_values_that_do_not_fit_are_errors),
        cmocka_unit_test(test_automatic_numbers_are_written_as_they_are),
        cmocka_unit_test(test_what_is_not_there_or_not_allowed_is_no),
        cmocka_unit_test(test_deadlock_can_be_tried_again),
        cmocka_unit_test(test_lost_session_can_be_tried_again),
        cmocka_unit_test(test_a_machine_that_is_gone_is_noticed_within_a_minute),
        cmocka_unit_test(test_no_file_is_given_to_the_server),
    };
    int failed = cmocka_run_group_tests_name("MySQL", tests, open_mysql, close_group);
    return failed + cmocka_run_group_tests_name("MariaDB", tests, open_mariadb, close_group);
}
