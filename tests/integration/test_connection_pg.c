#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/connection_pg.h"
#include "tests/support/must.h"
#include "tests/support/scratch.h"

#include <string.h>

typedef struct Fixture {
    Scratch *database;
    Endpoint endpoint;
    PGconn *connection;
} Fixture;

static char side[] = "source";
static char engine[] = "postgresql";
static char label[] = "source test";

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(GError) error = NULL;
    fixture->database = scratch_new("DROVER_TEST_SOURCE");
    fixture->endpoint =
        (Endpoint){.side = side, .engine = engine, .url = fixture->database->url, .label = label};
    fixture->connection = pg_connect(&fixture->endpoint, "drover test", PG_ORDINARY, &error);
    MUST(fixture->connection != NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    PQfinish(fixture->connection);
    scratch_free(fixture->database);
    g_free(fixture);
    return 0;
}

static char *value_of(PGconn *connection, const char *sql)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PGresult) result = pg_query(connection, sql, &error);
    MUST(result != NULL);
    return g_strdup(PQgetvalue(result, 0, 0));
}

static void expect_text(PGconn *connection, const char *sql, const char *expected)
{
    g_autofree char *value = value_of(connection, sql);
    assert_string_equal(value, expected);
}

static void expect_failure(Fixture *fixture, const char *sql, DroverErrorCode code,
                           const char *part)
{
    g_autoptr(GError) error = NULL;
    assert_false(pg_run(fixture->connection, sql, &error));
    if (!g_error_matches(error, DROVER_ERROR, (int)code) || strstr(error->message, part) == NULL)
        fail_msg("code %d: %s", error->code, error->message);
}

static void expect_refusal(const char *url, DroverErrorCode code, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *copy = g_strdup(url);
    Endpoint endpoint = {.side = side, .engine = engine, .url = copy, .label = label};
    assert_null(pg_connect(&endpoint, "drover test", PG_ORDINARY, &error));
    if (!g_error_matches(error, DROVER_ERROR, (int)code) || strstr(error->message, part) == NULL)
        fail_msg("code %d: %s", error->code, error->message);
}

static void test_settings_of_the_user_do_not_count(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    scratch_run(fixture->database,
                "alter database %s set datestyle = 'German'; "
                "alter database %s set default_transaction_read_only = on; "
                "alter database %s set statement_timeout = '1h'; "
                "alter database %s set search_path = public",
                fixture->database->name, fixture->database->name, fixture->database->name,
                fixture->database->name);
    g_autoptr(PGconn) connection =
        pg_connect(&fixture->endpoint, "drover test", PG_ORDINARY, &error);
    MUST(connection != NULL);
    expect_text(connection, "select date '2024-12-31'", "2024-12-31");
    expect_text(connection, "show transaction_read_only", "off");
    expect_text(connection, "show statement_timeout", "0");
    expect_text(connection, "show search_path", "\"\"");
}

static void test_the_server_notices_soon_that_our_machine_vanished(void **state)
{
    Fixture *fixture = *state;
    expect_text(fixture->connection, "show tcp_keepalives_idle", "10");
    expect_text(fixture->connection, "show tcp_keepalives_interval", "5");
    expect_text(fixture->connection, "show tcp_keepalives_count", "3");
}

static void test_a_long_label_is_cut_where_a_character_ends(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strnfill(62, 'x');
    g_autofree char *long_label = g_strconcat(name, "\303\244\303\244", NULL);
    g_autoptr(PGconn) connection = pg_connect(&fixture->endpoint, long_label, PG_ORDINARY, &error);
    MUST(connection != NULL);
    expect_text(connection, "show application_name", name);
}

static void test_a_replication_connection_answers_both_languages(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(PGconn) connection =
        pg_connect(&fixture->endpoint, "drover test", PG_REPLICATION, &error);
    MUST(connection != NULL);
    MUST(pg_run(connection, "IDENTIFY_SYSTEM", &error));
    expect_text(connection, "select 1", "1");
}

static void test_an_unreachable_server_may_be_tried_again(void **state)
{
    (void)state;
    expect_refusal("postgresql://postgres@127.0.0.1:1/x", DROVER_ERROR_RETRY, "source test");
}

static void test_a_missing_database_is_a_refusal(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *url = g_strconcat(fixture->database->url, "_none", NULL);
    expect_refusal(url, DROVER_ERROR_NO, "does not exist");
}

static void test_a_wrong_url_is_a_usage_error(void **state)
{
    (void)state;
    expect_refusal("postgresql://%zz", DROVER_ERROR_USAGE, "the url is not valid");
}

static void test_a_server_without_tls_is_a_refusal_where_tls_is_required(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *url = g_strconcat(fixture->database->url, "?sslmode=require", NULL);
    g_autofree char *ssl = value_of(fixture->connection, "show ssl");
    if (strcmp(ssl, "off") != 0)
        skip();
    expect_refusal(url, DROVER_ERROR_NO, "SSL");
}

static void test_errors_are_classed_by_their_state(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database, "create table t (id int primary key, n int check (n > 0)); "
                                   "insert into t values (1, 1)");
    expect_failure(fixture, "insert into public.t values (1, 1)", DROVER_ERROR_DATA,
                   "constraint t_pkey");
    expect_failure(fixture, "insert into public.t values (2, -1)", DROVER_ERROR_DATA, "t_n_check");
    expect_failure(fixture, "select 'x'::int", DROVER_ERROR_DATA, "invalid input syntax");
    expect_failure(fixture, "select * from public.none", DROVER_ERROR_PERSON, "does not exist");
    expect_failure(fixture, "select pg_terminate_backend(pg_backend_pid())", DROVER_ERROR_RETRY,
                   "");
    expect_failure(fixture, "select 1", DROVER_ERROR_RETRY, "");
}

static void test_a_lock_that_is_not_available_may_be_tried_again(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database, "create table t (id int)");
    scratch_run(fixture->database, "begin; lock table t");
    expect_failure(fixture, "begin; lock table public.t nowait", DROVER_ERROR_RETRY, "t");
    scratch_run(fixture->database, "rollback");
}

static void test_missing_privileges_are_a_refusal(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database, "create table t (id int); create role %s",
                fixture->database->name);
    g_autofree char *sql = g_strdup_printf("set role %s", fixture->database->name);
    g_autoptr(GError) error = NULL;
    MUST(pg_run(fixture->connection, sql, &error));
    expect_failure(fixture, "select * from public.t", DROVER_ERROR_NO, "permission denied");
    MUST(pg_run(fixture->connection, "reset role", &error));
    scratch_run(fixture->database, "drop role %s", fixture->database->name);
}

static void test_names_and_literals_are_quoted(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) sql = g_string_new("select ");
    MUST(pg_append_literal(fixture->connection, sql, "it's \\ \"x\"", &error));
    g_string_append(sql, " as ");
    pg_append_identifier(sql, "a\"b");
    g_autoptr(PGresult) result = pg_query(fixture->connection, sql->str, &error);
    MUST(result != NULL);
    assert_string_equal(PQgetvalue(result, 0, 0), "it's \\ \"x\"");
    assert_string_equal(PQfname(result, 0), "a\"b");
}

static void test_answer_tells_changed_rows_but_not_selected_ones(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    scratch_run(fixture->database, "create table t (id int)");
    g_autoptr(PGresult) insert = pg_query(
        fixture->connection, "insert into public.t values (1), (2) returning id, null", &error);
    MUST(insert != NULL);
    g_autoptr(Answer) changed = pg_answer(insert);
    assert_int_equal(changed->affected, 2);
    assert_int_equal(changed->n_rows, 2);
    assert_string_equal(answer_get(changed, 1, 0), "2");
    assert_null(answer_get(changed, 1, 1));
    g_autoptr(PGresult) select = pg_query(fixture->connection, "select id from public.t", &error);
    MUST(select != NULL);
    g_autoptr(Answer) selected = pg_answer(select);
    assert_int_equal(selected->affected, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_settings_of_the_user_do_not_count),
        TEST(test_the_server_notices_soon_that_our_machine_vanished),
        TEST(test_a_long_label_is_cut_where_a_character_ends),
        TEST(test_a_replication_connection_answers_both_languages),
        TEST(test_an_unreachable_server_may_be_tried_again),
        TEST(test_a_missing_database_is_a_refusal),
        TEST(test_a_wrong_url_is_a_usage_error),
        TEST(test_a_server_without_tls_is_a_refusal_where_tls_is_required),
        TEST(test_errors_are_classed_by_their_state),
        TEST(test_a_lock_that_is_not_available_may_be_tried_again),
        TEST(test_missing_privileges_are_a_refusal),
        TEST(test_names_and_literals_are_quoted),
        TEST(test_answer_tells_changed_rows_but_not_selected_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
