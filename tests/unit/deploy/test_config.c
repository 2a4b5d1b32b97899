/* The migration file: what is understood of a whole one, and its tables. */
#include "deploy/config.h"
#include "proto/error.h"
#include "schema/mapping.h"
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

static void test_defaults_of_the_smallest_file(void **state)
{
    (void)state;
    g_autoptr(Config) config = migration_file_parse(BASE);
    assert_string_equal(config->path, "m.yaml");
    assert_string_equal(config->migration, "shop");
    assert_string_equal(config->bus.path, "/etc/drover/shop.bus");
    assert_true(config->bus.max_size == G_GUINT64_CONSTANT(100) << 30);
    assert_true(config->memory_limit == 256 << 20);
    assert_int_equal(config->copy_workers, 4);
    assert_int_equal(config->lines->len, 1);
    const MappingLine *line = g_ptr_array_index(config->lines, 0);
    assert_string_equal(line->source, "*.*");
    assert_null(line->target);
}

/* "source>target", a line each. */
static void assert_lines(const char *urls, const char *expected)
{
    g_auto(GStrv) sides = g_strsplit(urls, " ", 2);
    g_autofree char *text = g_strdup_printf("migration: shop\nsource: {url: \"%s\"}\n"
                                            "target: {url: \"%s\"}\n",
                                            sides[0], sides[1]);
    g_autoptr(Config) config = migration_file_parse(text);
    g_autoptr(GString) lines = g_string_new(NULL);
    for (guint i = 0; i < config->lines->len; i++) {
        const MappingLine *line = g_ptr_array_index(config->lines, i);
        assert_int_equal(line->line, 0);
        g_string_append_printf(lines, "%s>%s\n", line->source, line->target ? line->target : "");
    }
    assert_string_equal(lines->str, expected);
}

static void test_a_file_without_tables_moves_the_database_of_the_url(void **state)
{
    (void)state;
    assert_lines("postgresql://a/s postgresql://b/t", "*.*>\n");
    assert_lines("mysql://a/s postgresql://b/t", "\"s\".*>\n");
    assert_lines("mysql://a/s mariadb://b/t", "\"s\".*>\"t\".*\n");
    assert_lines("postgresql://a/s mysql://b/t", "*.*>\npublic.*>\"t\".*\n");
    assert_lines("mysql://a/o%22.x mysql://b/t", "\"o\"\".x\".*>\"t\".*\n");
}

static void test_endpoint_of_a_url(void **state)
{
    (void)state;
    g_autoptr(Config) config = migration_file_parse(BASE);
    assert_string_equal(config->source->side, "source");
    assert_string_equal(config->source->engine, "postgresql");
    assert_string_equal(config->source->url, "postgresql://drover@db1/shop");
    assert_string_equal(config->source->label, "source db1:5432/shop");
    assert_null(config->source->password);
    assert_null(config->source->tls_mode);
    assert_string_equal(config->target->label, "target db2:5432/shop");
}

static void test_every_supported_key(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(BASE "bus: {local: {path: /var/x.bus, max_size: 64MB}}\n"
                                  "target_schema: {tables: create, on_ddl: stop}\n"
                                  "limits: {memory: 1GiB, copy_workers: 64}\n"
                                  "tables:\n"
                                  "  - source: shop.*\n"
                                  "    target: app.*\n"
                                  "    exclude: [shop.tmp_*, shop.log]\n"
                                  "    new_tables: stop\n"
                                  "  - {source: shop.users, target: app.people}\n");
    assert_string_equal(config->bus.path, "/var/x.bus");
    assert_true(config->bus.max_size == 64000000);
    assert_true(config->memory_limit == 1 << 30);
    assert_int_equal(config->copy_workers, 64);
    assert_int_equal(config->lines->len, 2);
    const MappingLine *first = g_ptr_array_index(config->lines, 0);
    assert_string_equal(first->source, "shop.*");
    assert_string_equal(first->target, "app.*");
    assert_int_equal(first->line, 10);
    assert_int_equal(first->exclude->len, 2);
    assert_string_equal(g_ptr_array_index(first->exclude, 1), "shop.log");
    const MappingLine *second = g_ptr_array_index(config->lines, 1);
    assert_string_equal(second->target, "app.people");
    assert_int_equal(second->line, 14);
}

static void test_quoted_names_may_hold_dots(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(BASE "tables: [{source: '\"my.schema\".\"a\"\"b.c\"'}]\n");
    const MappingLine *line = g_ptr_array_index(config->lines, 0);
    assert_string_equal(line->source, "\"my.schema\".\"a\"\"b.c\"");
}

static void test_variables_come_from_the_environment(void **state)
{
    (void)state;
    g_autoptr(Config) config = migration_file_parse(
        WITH_SOURCE("source: {url: \"postgresql://${HOST}:5433/shop\"}\n") "limits: {copy_workers: "
                                                                           "\"${WORKERS}\"}\n"
                                                                           "bus: {local: {path: "
                                                                           "\"$${HOST}.bus\"}}\n");
    assert_string_equal(config->source->label, "source db9:5433/shop");
    assert_int_equal(config->copy_workers, 7);
    assert_string_equal(config->bus.path, "/etc/drover/${HOST}.bus");
}

static void test_password_from_the_environment(void **state)
{
    (void)state;
    g_autoptr(Config) config = migration_file_parse(BASE "  password_env: PASSWORD\n");
    assert_string_equal(config->target->password, "s3cret");
}

static void test_resolved_names_everything_but_secrets(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(BASE "  password_env: PASSWORD\n"
                                  "  tls: {mode: require}\n"
                                  "tables: [{source: shop.*, exclude: ['shop.a b']}]\n"
                                  "bus: {local: {max_size: 1024MiB}}\n");
    assert_string_equal(config->resolved, "migration: shop\n"
                                          "source.url: postgresql://drover@db1/shop\n"
                                          "target.url: postgresql://drover@db2/shop\n"
                                          "target.password_env: PASSWORD\n"
                                          "target.tls.mode: require\n"
                                          "bus.local.path: /etc/drover/shop.bus\n"
                                          "bus.local.max_size: 1GiB\n"
                                          "target_schema.tables: create\n"
                                          "target_schema.on_ddl: stop\n"
                                          "tables[1].source: shop.*\n"
                                          "tables[1].exclude[1]: \"shop.a b\"\n"
                                          "tables[1].new_tables: stop\n"
                                          "limits.memory: 256MiB\n"
                                          "limits.copy_workers: 4\n");
}

static void test_resolved_does_not_depend_on_how_it_is_written(void **state)
{
    (void)state;
    g_autoptr(Config) one = migration_file_parse(BASE "limits: {memory: 1GiB}\n");
    g_autoptr(Config) other =
        migration_file_parse("limits: {copy_workers: 4, memory: \"1024 MiB\"}\n" BASE);
    assert_string_equal(one->resolved, other->resolved);
}

static void test_service_names_the_database(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(WITH_SOURCE("source: {url: \"postgresql://?service=old\"}\n"));
    assert_string_equal(config->source->label, "source service old");
}

static void test_ipv6_host_stands_in_brackets(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(WITH_SOURCE("source: {url: \"postgres://[::1]:1/shop\"}\n"));
    assert_string_equal(config->source->label, "source [::1]:1/shop");
}

static void test_same_table_twice(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "tables:\n"
             "  - {source: shop.users}\n"
             "  - {source: shop.users, target: app.users}\n",
        "m.yaml:8:14: the table 'shop.users' is named twice; first in line 7");
}

static void test_table_patterns(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "tables:\n"
             "  - {source: users}\n"
             "  - {source: \"s*.users\"}\n"
             "  - {source: \"*.users\"}\n"
             "  - {source: a.b.c}\n"
             "  - {source: shop.*, target: app.users}\n"
             "  - {source: '\"a.b'}\n",
        "m.yaml:7:14: tables[].source: 'users': schema.table, schema.* or *.* is needed\n"
        "m.yaml:8:14: tables[].source: 's*.users': the schema's part is a name or a lone "
        "'*'\n"
        "m.yaml:9:14: tables[].source: name the schema, or write *.* for every table\n"
        "m.yaml:10:14: tables[].source: 'a.b.c': schema.table, schema.* or *.* is needed\n"
        "m.yaml:11:30: contradiction: tables[].target names one table, source may name "
        "many; write schema.*\n"
        "m.yaml:12:14: tables[].source: '\"a.b': schema.table, schema.* or *.* is needed");
}

#define WITH_TABLES(lines) WITH_SOURCE("source: {url: \"mysql://db1/shop\"}\n") "tables:\n" lines

static void test_zero_dates(void **state)
{
    (void)state;
    static const char *const policies[] = {NULL,   NULL,         "null",
                                           "null", "1970-01-01", "1970-01-01 00:00:01.25"};
    g_autoptr(Config) config =
        migration_file_parse(WITH_TABLES("  - {source: shop.a}\n"
                                         "  - {source: shop.b, zero_dates: error}\n"
                                         "  - {source: shop.c, zero_dates: null}\n"
                                         "  - {source: shop.d, zero_dates: ~}\n"
                                         "  - {source: shop.e, zero_dates: 1970-01-01}\n"
                                         "  - source: shop.f\n"
                                         "    zero_dates: 1970-01-01 00:00:01.25\n"));
    assert_int_equal(config->lines->len, G_N_ELEMENTS(policies));
    for (guint i = 0; i < config->lines->len; i++) {
        const MappingLine *line = g_ptr_array_index(config->lines, i);
        assert_int_equal(g_strcmp0(line->zero_dates, policies[i]), 0);
    }
    assert_non_null(strstr(config->resolved, "tables[4].zero_dates: null\n"));
}

static void test_zero_dates_that_are_none(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_TABLES("  - {source: shop.a, zero_dates: 1970-02-30}\n"
                    "  - {source: shop.b, zero_dates: 1970}\n"
                    "  - {source: shop.c, zero_dates: }\n"),
        "m.yaml:5:34: tables[].zero_dates: '1970-02-30': error, null, or a date of the calendar is "
        "needed, such as 1970-01-01 or '1970-01-01 00:00:00'\n"
        "m.yaml:6:34: wrong type: error, null or a value is needed for tables[].zero_dates, this "
        "is a number\n"
        "m.yaml:7:34: wrong type: error, null or a value is needed for tables[].zero_dates, this "
        "is empty");
}

static void test_zero_dates_of_postgresql(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "tables: [{source: a.b, zero_dates: null}]\n",
                                  "m.yaml:6:24: tables[].zero_dates is for sources that are MySQL "
                                  "or MariaDB: no other database has such dates");
}

static void test_line_without_a_source(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "tables: [{target: app.*}]\n",
                                  "m.yaml:6:10: 'tables[].source' is missing");
}

static void test_empty_list(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "tables: []\n",
                                  "m.yaml:6:9: tables: the list is empty; leave the key out");
}

static void test_load_takes_paths_from_the_files_folder(void **state)
{
    g_autofree char *path = migration_file_put(*state, "m.yaml", BASE, 0644);
    g_autofree char *bus = g_build_filename(*state, "shop.bus", NULL);
    g_autoptr(Config) config = config_load(path, migration_file_environment, NULL);
    assert_non_null(config);
    assert_string_equal(config->bus.path, bus);
    assert_string_equal(config->path, path);
}

static void test_load_of_a_missing_file(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_null(config_load("/nowhere/m.yaml", migration_file_environment, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
    assert_string_equal(error->message, "cannot read the migration file '/nowhere/m.yaml': No such "
                                        "file or directory");
}

static void test_load_of_an_endless_file(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    assert_null(config_load("/dev/zero", migration_file_environment, &error));
    assert_string_equal(error->message, "/dev/zero:1:1: the file is too large: more than 1 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_the_smallest_file),
        cmocka_unit_test(test_a_file_without_tables_moves_the_database_of_the_url),
        cmocka_unit_test(test_endpoint_of_a_url),
        cmocka_unit_test(test_every_supported_key),
        cmocka_unit_test(test_quoted_names_may_hold_dots),
        cmocka_unit_test(test_variables_come_from_the_environment),
        cmocka_unit_test(test_password_from_the_environment),
        cmocka_unit_test(test_resolved_names_everything_but_secrets),
        cmocka_unit_test(test_resolved_does_not_depend_on_how_it_is_written),
        cmocka_unit_test(test_service_names_the_database),
        cmocka_unit_test(test_ipv6_host_stands_in_brackets),
        cmocka_unit_test(test_same_table_twice),
        cmocka_unit_test(test_table_patterns),
        cmocka_unit_test(test_zero_dates),
        cmocka_unit_test(test_zero_dates_that_are_none),
        cmocka_unit_test(test_zero_dates_of_postgresql),
        cmocka_unit_test(test_line_without_a_source),
        cmocka_unit_test(test_empty_list),
        FOLDER_TEST(test_load_takes_paths_from_the_files_folder),
        cmocka_unit_test(test_load_of_a_missing_file),
        cmocka_unit_test(test_load_of_an_endless_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
