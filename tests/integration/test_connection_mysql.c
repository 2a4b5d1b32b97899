/*
 * Sessions on real servers: who gets in over what, and what every session begins with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/connection_mysql.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"

#include <string.h>

static const char *const servers[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

#define EACH_SERVER(scratch)                                                                       \
    for (guint each = 0; each < G_N_ELEMENTS(servers); each++)                                     \
        for (MysqlScratch *scratch = mysql_scratch_new(servers[each]); scratch;                    \
             mysql_scratch_free(scratch), scratch = NULL)

static char *ask(const Endpoint *endpoint, const char *sql)
{
    GError *error = NULL;
    MYSQL *mysql;
    MUST(mysql = mysql_session_open(endpoint, "drover test", 60, &error));
    char *value = mysql_session_ask(mysql, sql, &error);
    if (!value)
        fail_msg("%s: %s", sql, error ? error->message : "no value");
    mysql_close(mysql);
    return value;
}

static void expect_refusal(const Endpoint *endpoint, DroverErrorCode code, const char *needle)
{
    g_autoptr(GError) error = NULL;
    assert_null(mysql_session_open(endpoint, "drover test", 60, &error));
    if (!g_error_matches(error, DROVER_ERROR, (int)code) || !strstr(error->message, needle))
        fail_msg("class %d, \"%s\" does not say \"%s\"", error->code, error->message, needle);
}

/* Libraries and servers differ in what they take for the default. */
static void test_sessions_compare_texts_in_one_way(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        g_autofree char *charsets =
            ask(&scratch->endpoint, "select concat_ws(' ', @@character_set_client, "
                                    "@@character_set_connection, @@collation_connection)");
        assert_string_equal(charsets, "utf8mb4 utf8mb4 utf8mb4_general_ci");
    }
}

static void test_a_server_whose_texts_are_latin1_is_asked_in_utf8(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        g_autofree char *before =
            mysql_scratch_ask(scratch, 0, "select @@global.character_set_client");
        mysql_scratch_run(scratch, "set global character_set_client = latin1");
        g_autofree char *size = ask(&scratch->endpoint, "select char_length('\xc3\xa9')");
        mysql_scratch_run(scratch, "set global character_set_client = %s", before);
        assert_string_equal(size, "1");
    }
}

/* ---- TLS ---- */

static Endpoint with_mode(const MysqlScratch *scratch, const char *mode, const char *ca)
{
    Endpoint endpoint = scratch->endpoint;
    endpoint.tls_mode = (char *)mode;
    endpoint.tls_ca = (char *)ca;
    return endpoint;
}

static void expect_encryption(const Endpoint *endpoint, bool encrypted)
{
    GError *error = NULL;
    MYSQL *mysql;
    MUST(mysql = mysql_session_open(endpoint, "drover test", 60, &error));
    assert_int_equal(mysql_get_ssl_cipher(mysql) != NULL, encrypted);
    mysql_close(mysql);
}

static void test_tls_is_used_as_the_mode_says(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        bool encrypted;
    } cases[] = {{"disable", false}, {"allow", false}, {"prefer", true}, {"require", true}};
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Endpoint endpoint = with_mode(scratch, cases[i].mode, NULL);
        expect_encryption(&endpoint, cases[i].encrypted);
    }
    mysql_scratch_free(scratch);
}

static void test_a_certificate_is_checked_against_the_ca(void **state)
{
    (void)state;
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    g_autofree char *ca = mysql_scratch_ask(scratch, 0, "select concat(@@datadir, 'ca.pem')");
    g_autofree char *other =
        mysql_scratch_ask(scratch, 0, "select concat(@@datadir, 'client-cert.pem')");
    Endpoint checked = with_mode(scratch, "verify-ca", ca);
    expect_encryption(&checked, true);
    Endpoint wrong = with_mode(scratch, "verify-ca", other);
    expect_refusal(&wrong, DROVER_ERROR_RETRY, "error 2026");
    Endpoint named = with_mode(scratch, "verify-full", ca); /* it names no host */
    expect_refusal(&named, DROVER_ERROR_RETRY, "error 2026");
    mysql_scratch_free(scratch);
}

static void test_a_server_without_tls_is_used_only_where_that_is_wanted(void **state)
{
    (void)state;
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MARIADB");
    Endpoint prefer = with_mode(scratch, "prefer", NULL);
    expect_encryption(&prefer, false);
    Endpoint require = with_mode(scratch, "require", NULL);
    expect_refusal(&require, DROVER_ERROR_RETRY, "error 2026");
    Endpoint verify = with_mode(scratch, "verify-ca", "/dev/null");
    expect_refusal(&verify, DROVER_ERROR_RETRY, "error 2026");
    mysql_scratch_free(scratch);
}

/* ---- accounts ---- */

/* With the server's own kind of password; MySQL has not seen the new account's before. */
static void expect_account(MysqlScratch *scratch, const char *mode)
{
    g_autofree char *account = g_strdup_printf("in_%.20s", scratch->name);
    g_autofree char *url = g_strdup(strchr(scratch->endpoint.url, '@'));
    Endpoint endpoint = with_mode(scratch, mode, NULL);
    endpoint.url = g_strdup_printf("mysql://%s%s", account, url);
    endpoint.password = (char *)"s3cret \xc3\xa9";
    mysql_scratch_run(scratch, "create user %s@'127.0.0.1' identified by '%s'", account,
                      endpoint.password);
    mysql_scratch_run(scratch, "grant all on %s.* to %s@'127.0.0.1'", scratch->name, account);
    g_autofree char *user = ask(&endpoint, "select current_user()");
    assert_true(g_str_has_prefix(user, account));
    endpoint.password = (char *)"another";
    expect_refusal(&endpoint, DROVER_ERROR_NO, "error 1045");
    endpoint.password = NULL;
    expect_refusal(&endpoint, DROVER_ERROR_NO, "error 1045");
    mysql_scratch_run(scratch, "drop user %s@'127.0.0.1'", account);
    g_free(endpoint.url);
}

static void test_accounts_with_passwords_get_in(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        expect_account(scratch, "disable");
        expect_account(scratch, "prefer");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_compare_texts_in_one_way),
        cmocka_unit_test(test_a_server_whose_texts_are_latin1_is_asked_in_utf8),
        cmocka_unit_test(test_tls_is_used_as_the_mode_says),
        cmocka_unit_test(test_a_certificate_is_checked_against_the_ca),
        cmocka_unit_test(test_a_server_without_tls_is_used_only_where_that_is_wanted),
        cmocka_unit_test(test_accounts_with_passwords_get_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
