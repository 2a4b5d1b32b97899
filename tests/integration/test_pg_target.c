/*
 * The PostgreSQL target's session on a real server: statements, raw copies, preparing for writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/postgres/target.h"
#include "proto/error.h"
#include "schema/migration.h"
#include "tests/support/must.h"
#include "tests/support/net.h"
#include "tests/support/scratch.h"

#include <string.h>

static Scratch *scratch;
static Target *target;

static char engine[] = "postgresql";
static char side[] = "target";

static Target *open_target(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *copy = g_strdup(url);
    Endpoint endpoint = {.side = side, .engine = engine, .url = copy, .label = side};
    Target *opened = NULL;
    MUST(opened = pg_target_ops.connect(&endpoint, "drover shop apply", &error));
    return opened;
}

static int open_session(void **state)
{
    (void)state;
    scratch = scratch_new("DROVER_TEST_TARGET");
    target = open_target(scratch->url);
    return 0;
}

static int close_session(void **state)
{
    (void)state;
    pg_target_ops.close(target);
    scratch_free(scratch);
    return 0;
}

static Answer *execute(const char *sql, guint n, const char *const *values)
{
    g_autoptr(GError) error = NULL;
    Answer *answer = NULL;
    MUST(answer = pg_target_ops.execute(target, sql, n, values, &error));
    return answer;
}

static void run(const char *sql)
{
    answer_free(execute(sql, 0, NULL));
}

static void test_statement_with_parameters_answers_in_text(void **state)
{
    (void)state;
    g_autoptr(Answer) answer = execute("select $1::int + 1, $2::text", 2, NET_VALUES("41", NULL));
    assert_int_equal(answer->n_rows, 1);
    assert_string_equal(answer_get(answer, 0, 0), "42");
    assert_null(answer_get(answer, 0, 1));
    assert_int_equal(answer->affected, -1);
}

static void test_repeated_statement_is_prepared_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        answer_free(execute("select $1::text as repeated", 1, NET_VALUES("x")));
    }
    g_autoptr(Answer) prepared =
        execute("select count(*) from pg_catalog.pg_prepared_statements where statement like $1", 1,
                NET_VALUES("%repeated%"));
    assert_string_equal(answer_get(prepared, 0, 0), "1");
}

static void test_affected_rows_are_counted(void **state)
{
    (void)state;
    scratch_run(scratch, "create table counted (id int)");
    g_autoptr(Answer) answer = execute(
        "insert into public.counted select generate_series(1, $1::int)", 1, NET_VALUES("5"));
    assert_int_equal(answer->affected, 5);
}

static void test_error_of_a_statement_names_the_side(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_null(pg_target_ops.execute(target, "select $1::int", 1, NET_VALUES("x"), &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    assert_true(g_str_has_prefix(error->message, "target: "));
}

static void test_commit_of_a_failed_transaction_is_an_error(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    run("begin");
    assert_null(pg_target_ops.execute(target, "select 1 / 0", 0, NULL, &error));
    g_clear_error(&error);
    MUST_FAIL(pg_target_ops.execute(target, "commit", 0, NULL, &error), DROVER_ERROR_RETRY);
    run("begin");
    run("commit");
}

static void test_raw_rows_pass_through_a_copy(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    scratch_run(scratch,
                "create table source_rows as select i as id, repeat(i::text, 1 + i %% 300) as v"
                " from generate_series(1, 5000) i;"
                "create table rows (id int generated always as identity primary key,"
                " twice int generated always as (id * 2) stored, v text)");
    g_autoptr(Table) table = net_table_load(scratch, 1, "rows");
    PGresult *out =
        PQexec(scratch->connection, "copy source_rows (id, v) to stdout (format binary)");
    assert_int_equal(PQresultStatus(out), PGRES_COPY_OUT);
    PQclear(out);
    run("begin");
    MUST(pg_target_ops.copy_begin(target, table, &error));
    char *row = NULL;
    for (int size; (size = PQgetCopyData(scratch->connection, &row, 0)) > 0; PQfreemem(row)) {
        MUST(pg_target_ops.copy_data(target, (const guint8 *)row, (gsize)size, &error));
    }
    PQclear(PQgetResult(scratch->connection));
    gint64 rows = 0;
    MUST(pg_target_ops.copy_end(target, &rows, &error));
    run("commit");
    assert_int_equal(rows, 5000);
    assert_int_equal(scratch_number(scratch, "select count(*) from rows join source_rows using "
                                             "(id, v) where twice = id * 2"),
                     5000);
}

static void test_rollback_ends_a_copy_that_is_open(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    scratch_run(scratch, "create table half (id int primary key)");
    g_autoptr(Table) table = net_table_load(scratch, 2, "half");
    run("begin");
    MUST(pg_target_ops.copy_begin(target, table, &error));
    MUST(pg_target_ops.copy_data(target, (const guint8 *)"PGCOPY", 6, &error));
    run("rollback");
    MUST_FAIL(pg_target_ops.copy_data(target, (const guint8 *)"x", 1, &error), DROVER_ERROR_BUG);
    g_autoptr(Answer) answer = execute("select count(*) from public.half", 0, NULL);
    assert_string_equal(answer_get(answer, 0, 0), "0");
}

/* Enough bytes for the server's answer to arrive while data is still being sent. */
static void test_copy_that_the_server_refuses_tells_why(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *junk = g_malloc0(1 << 20);
    scratch_run(scratch, "create table junk (id int primary key)");
    g_autoptr(Table) table = net_table_load(scratch, 3, "junk");
    run("begin");
    MUST(pg_target_ops.copy_begin(target, table, &error));
    bool sent = true;
    for (int i = 0; sent && i < 64; i++) {
        sent = pg_target_ops.copy_data(target, junk, 1 << 20, &error);
    }
    gint64 rows = 0;
    assert_false(sent && pg_target_ops.copy_end(target, &rows, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    assert_non_null(strstr(error->message, "COPY file signature not recognized"));
    assert_non_null(strstr(error->message, "public.junk"));
    run("rollback");
}

static void test_role_without_the_right_to_write_as_a_replica_is_told_the_grant(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    g_autofree char *role = g_strdup_printf("%s_plain", scratch->name);
    scratch_run(scratch, "create role %s login; grant connect on database %s to %s", role,
                scratch->name, role);
    g_autofree char *url = g_strdup_printf("%s?user=%s", scratch->url, role);
    const char *at = strchr(scratch->url, '@');
    g_autofree char *named = at != NULL ? g_strdup_printf("postgresql://%s%s", role, at) : NULL;
    Target *plain = open_target(named != NULL ? named : url);
    bool prepared = pg_target_ops.prepare_writes(plain, &error);
    pg_target_ops.close(plain);
    g_autofree char *wanted =
        g_strdup_printf(PQserverVersion(scratch->connection) >= 150000
                            ? "grant set on parameter session_replication_role to \"%s\""
                            : "alter role \"%s\" superuser",
                        role);
    scratch_run(scratch, "revoke connect on database %s from %s; drop role %s", scratch->name, role,
                role);
    assert_false(prepared);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statement_with_parameters_answers_in_text),
        cmocka_unit_test(test_repeated_statement_is_prepared_once),
        cmocka_unit_test(test_affected_rows_are_counted),
        cmocka_unit_test(test_error_of_a_statement_names_the_side),
        cmocka_unit_test(test_commit_of_a_failed_transaction_is_an_error),
        cmocka_unit_test(test_raw_rows_pass_through_a_copy),
        cmocka_unit_test(test_rollback_ends_a_copy_that_is_open),
        cmocka_unit_test(test_copy_that_the_server_refuses_tells_why),
        cmocka_unit_test(test_role_without_the_right_to_write_as_a_replica_is_told_the_grant),
    };
    return cmocka_run_group_tests(tests, open_session, close_session);
}
