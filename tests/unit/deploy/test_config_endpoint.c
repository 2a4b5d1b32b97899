/* The migration file: addresses, passwords and TLS of the two sides. */
#include "deploy/config.h"
#include "tests/support/migration_file.h"
#include "tests/support/temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

static int make_folder(void **state)
{
    *state = temporary_directory_new();
    return 0;
}

static int remove_folder(void **state)
{
    temporary_directory_free(*state);
    return 0;
}

static void test_engines_not_supported_yet(void **state)
{
    (void)state;
    static const char *const schemes[] = {"sqlserver", "kafka", "file", "s3"};
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
        g_autofree char *text =
            g_strdup_printf(WITH_SOURCE("source: {url: \"%s://db1/shop\"}\n"), schemes[i]);
        g_autofree char *message =
            g_strdup_printf("m.yaml:2:15: not supported yet: '%s://' for source.url; supported: "
                            "postgresql://, mysql://, mariadb://",
                            schemes[i]);
        assert_migration_file_refused(text, message);
    }
}

static void test_text_that_is_no_url(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_SOURCE("source: {url: \"host=db1 password=hunter2\"}\n"),
        "m.yaml:2:15: source.url: a URL such as postgresql://user@host:5432/database or "
        "mysql://user@host:3306/database is needed");
}

static void test_broken_url_is_not_repeated(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_SOURCE("source: {url: \"postgresql://u:hunter2%zz@db1/shop\"}\n"),
        "m.yaml:2:15: source.url: not a URL that libpq understands: "
        "postgresql://user@host:port/database?parameter=value, special characters as "
        "%XX, and never a password");
}

static void test_password_in_the_url(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_SOURCE("source: {url: \"postgresql://u:hunter2@db1/shop\"}\n"),
        "m.yaml:2:15: source.url: a password does not belong in the URL: use password_file or "
        "password_env");
    assert_migration_file_refused(
        WITH_SOURCE("source: {url: \"postgresql://u@db1/shop?password=${PASSWORD}\"}\n"),
        "m.yaml:2:15: source.url: a password does not belong in the URL: use password_file or "
        "password_env");
}

static void test_url_without_a_database(void **state)
{
    (void)state;
    assert_migration_file_refused(WITH_SOURCE("source: {url: \"postgresql://u@db1\"}\n"),
                                  "m.yaml:2:15: source.url: the URL names no database");
}

static void test_same_database_on_both_sides(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_SOURCE("source: {url: \"postgres://other@DB2:5432/shop\"}\n"),
        "m.yaml:3:15: contradiction: target db2:5432/shop is the source, too (line 2)");
}

#define REFUSED_URL(url, message)                                                                  \
    assert_migration_file_refused(WITH_SOURCE("source: {url: \"" url "\"}\n"),                     \
                                  "m.yaml:2:15: source.url: " message)

static void test_mysql_and_mariadb_are_one_engine(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse("migration: shop\n"
                             "source: {url: \"mysql://drover@[::1]/shop?connect_timeout=7\",\n"
                             "  password_env: PASSWORD, tls: {mode: require}}\n"
                             "target: {url: \"mariadb://db2:3307/shop\"}\n");
    assert_string_equal(config->source->engine, "mysql");
    assert_string_equal(config->source->url, "mysql://drover@[::1]/shop?connect_timeout=7");
    assert_string_equal(config->source->label, "source [::1]:3306/shop");
    assert_string_equal(config->source->password, "s3cret");
    assert_string_equal(config->source->tls_mode, "require");
    assert_string_equal(config->target->engine, "mysql");
    assert_string_equal(config->target->label, "target db2:3307/shop");
    assert_null(config->target->password);
}

static void test_engines_may_differ(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(WITH_SOURCE("source: {url: \"mysql://db2:5432/shop\"}\n"));
    assert_string_equal(config->source->engine, "mysql");
    assert_string_equal(config->target->engine, "postgresql");
}

static void test_same_mysql_database_on_both_sides(void **state)
{
    (void)state;
    assert_migration_file_refused(
        "migration: shop\n"
        "source: {url: \"mysql://u@db1/shop\"}\n"
        "target: {url: \"mariadb://DB1:3306/shop\"}\n",
        "m.yaml:3:15: contradiction: target DB1:3306/shop is the source, too (line 2)");
}

static void test_mysql_url_that_is_none(void **state)
{
    (void)state;
    REFUSED_URL("mysql://u:hunter2%zz@db1/shop",
                "not a URL: mysql://user@host:3306/database?connect_timeout=10, special characters "
                "as %XX, and never a password");
    REFUSED_URL("mysql://db1:port/shop",
                "not a URL: mysql://user@host:3306/database?connect_timeout=10, special characters "
                "as %XX, and never a password");
    REFUSED_URL("mysql://u@db1/", "the URL names no database");
    REFUSED_URL("mariadb://u@db1", "the URL names no database");
    REFUSED_URL("mysql://u@db1/shop/users", "something stands behind the database's name");
}

static void test_mysql_url_with_a_password(void **state)
{
    (void)state;
    REFUSED_URL("mysql://u:hunter2@db1/shop",
                "a password does not belong in the URL: use password_file or password_env");
    REFUSED_URL("mysql://u@db1/shop?password=hunter2",
                "a password does not belong in the URL: use password_file or password_env");
}

static void test_mysql_sockets_are_not_supported(void **state)
{
    (void)state;
    REFUSED_URL("mysql:///shop", "the URL names no host, and sockets are not supported");
    REFUSED_URL("mysql://u@%2Frun%2Fmysqld/shop",
                "the URL names no host, and sockets are not supported");
    REFUSED_URL("mysql://u@db1/shop?socket=/run/mysqld/mysqld.sock",
                "sockets are not supported: name a host");
}

static void test_mysql_url_parameters(void **state)
{
    (void)state;
    REFUSED_URL("mysql://u@db1/shop?sslmode=require",
                "the URL has the unknown parameter 'sslmode'; known: connect_timeout");
    REFUSED_URL("mysql://u@db1/shop?connect_timeout=soon",
                "connect_timeout is a number of seconds, 2 to 600");
    REFUSED_URL("mysql://u@db1/shop?connect_timeout",
                "the URL's parameters are not of the form parameter=value");
    REFUSED_URL("mysql://u@db1/shop?ssl-mode=REQUIRED",
                "how the connection is encrypted does not belong in the URL: use tls");
}

static void test_mysql_certificates_are_checked_against_one(void **state)
{
    (void)state;
    assert_migration_file_refused(WITH_SOURCE("source:\n"
                                              "  url: mysql://db1/shop\n"
                                              "  tls: {mode: verify-full}\n"),
                                  "m.yaml:4:9: source.tls.mode verify-full needs ca beside it");
}

static void test_password_from_two_places(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "  password_env: PASSWORD\n"
             "  password_file: /nowhere\n",
        "m.yaml:7:3: contradiction: target.password_file and target.password_env (line "
        "6); name one of them");
}

static void test_password_variable_must_be_set(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "  password_env: NOWHERE\n",
        "m.yaml:6:17: target.password_env: the environment variable NOWHERE is not set");
    assert_migration_file_refused(
        BASE "  password_env: EMPTY\n",
        "m.yaml:6:17: target.password_env: the environment variable EMPTY is empty");
}

static void test_tls_contradictions(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_SOURCE("source:\n"
                    "  url: postgresql://db1/shop?sslmode=require\n"
                    "  tls: {mode: disable, ca: /nowhere/ca.pem, cert: /nowhere/c.pem}\n"),
        "m.yaml:4:9: contradiction: source.tls.mode, and sslmode in the URL; name one of them\n"
        "m.yaml:4:24: contradiction: source.tls.ca, while mode is disable\n"
        "m.yaml:4:45: contradiction: source.tls.cert, while mode is disable\n"
        "m.yaml:4:45: source.tls.cert needs key beside it");
}

static void test_tls_file_must_be_readable(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "  tls: {mode: verify-full, ca: ca.pem}\n",
        "m.yaml:6:32: target.tls.ca: cannot read '/etc/drover/ca.pem': No such file or "
        "directory");
}

#define SECRET BASE "  password_file: secret\n"

/* The refusal of a file whose target's password file holds `secret` with these rights. */
static void assert_secret_refused(const char *folder, const char *secret, mode_t mode,
                                  const char *message)
{
    g_free(migration_file_put(folder, "secret", secret, mode));
    g_autofree char *refusal = migration_file_refusal(SECRET, strlen(SECRET), folder);
    assert_string_equal(refusal, message);
}

static void test_password_file_loses_its_line_break(void **state)
{
    g_free(migration_file_put(*state, "secret", "p w\r\n", 0600));
    g_autoptr(Config) config =
        config_parse("m.yaml", *state, SECRET, strlen(SECRET), migration_file_environment, NULL);
    assert_non_null(config);
    assert_string_equal(config->target->password, "p w");
    assert_null(strstr(config->resolved, "p w"));
}

static void test_password_file_is_missing(void **state)
{
    g_autofree char *message = g_strdup_printf(
        "m.yaml:6:18: target.password_file: cannot read '%s/secret': No such file or directory",
        (const char *)*state);
    g_autofree char *refusal = migration_file_refusal(SECRET, strlen(SECRET), *state);
    assert_string_equal(refusal, message);
}

static void test_password_file_is_empty(void **state)
{
    assert_secret_refused(*state, "\n", 0600,
                          "m.yaml:6:18: target.password_file: the file holds no password");
}

static void test_password_file_that_others_can_read(void **state)
{
    g_autofree char *message = g_strdup_printf(
        "m.yaml:6:18: target.password_file: others than its owner have rights on '%s/secret'; run: "
        "chmod 600 '%s/secret'",
        (const char *)*state, (const char *)*state);
    assert_secret_refused(*state, "secret\n", 0640, message);
}

static void test_password_file_that_is_a_folder(void **state)
{
    g_autofree char *message = g_strdup_printf(
        "m.yaml:6:18: target.password_file: '%s' is no regular file", (const char *)*state);
    g_autofree char *refusal = migration_file_refusal(BASE "  password_file: .\n",
                                                      strlen(BASE "  password_file: .\n"), *state);
    assert_string_equal(refusal, message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines_not_supported_yet),
        cmocka_unit_test(test_text_that_is_no_url),
        cmocka_unit_test(test_broken_url_is_not_repeated),
        cmocka_unit_test(test_password_in_the_url),
        cmocka_unit_test(test_url_without_a_database),
        cmocka_unit_test(test_same_database_on_both_sides),
        cmocka_unit_test(test_mysql_and_mariadb_are_one_engine),
        cmocka_unit_test(test_engines_may_differ),
        cmocka_unit_test(test_same_mysql_database_on_both_sides),
        cmocka_unit_test(test_mysql_url_that_is_none),
        cmocka_unit_test(test_mysql_url_with_a_password),
        cmocka_unit_test(test_mysql_sockets_are_not_supported),
        cmocka_unit_test(test_mysql_url_parameters),
        cmocka_unit_test(test_mysql_certificates_are_checked_against_one),
        cmocka_unit_test(test_password_from_two_places),
        cmocka_unit_test(test_password_variable_must_be_set),
        cmocka_unit_test(test_tls_contradictions),
        cmocka_unit_test(test_tls_file_must_be_readable),
        FOLDER_TEST(test_password_file_loses_its_line_break),
        FOLDER_TEST(test_password_file_is_missing),
        FOLDER_TEST(test_password_file_is_empty),
        FOLDER_TEST(test_password_file_that_others_can_read),
        FOLDER_TEST(test_password_file_that_is_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
