/* What may change between two starts, and what stops the second one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/stored.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/tables.h"

#include <string.h>

/* --- The file --------------------------------------------------------------------------------- */

static const char file[] = "migration: shop\nsource.url: postgresql://db1/shop\n"
                           "source.password_file: /a\nlimits.copy_workers: 4\n"
                           "bus.local.path: /x/shop.bus\ntables[1].source: public.*\n";

static bool matches_from(const char *engine, const char *resolved, GError **error)
{
    const Stored stored = {.file = (char *)(gintptr)file};
    const Endpoint source = {.engine = (char *)(gintptr)engine};
    return stored_match_file(&stored, resolved, &source, error);
}

static bool matches(const char *resolved, GError **error)
{
    return matches_from("postgresql", resolved, error);
}

static void test_the_same_file_matches(void **state)
{
    GError *error = NULL;
    (void)state;
    MUST(matches(file, &error));
}

static void test_limits_secrets_and_the_place_of_the_bus_may_change(void **state)
{
    GError *error = NULL;
    (void)state;
    MUST(matches("migration: shop\nsource.url: postgresql://db1/shop\n"
                 "source.password_env: X\nlimits.copy_workers: 8\n"
                 "bus.local.path: /y/shop.bus\ntables[1].source: public.*\n",
                 &error));
}

static void test_another_source_is_refused_by_name(void **state)
{
    g_autoptr(GError) error = NULL;
    (void)state;
    assert_false(matches("migration: shop\nsource.url: postgresql://db9/shop\n", &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
    assert_non_null(strstr(error->message, "was source.url: postgresql://db1/shop"));
    assert_non_null(strstr(error->message, "is source.url: postgresql://db9/shop"));
}

static void test_another_server_of_mysql_may_take_over(void **state)
{
    g_autoptr(GError) error = NULL;
    (void)state;
    MUST(matches_from("mysql",
                      "migration: shop\nsource.url: mysql://db9/shop\nsource.password_file: /a\n",
                      &error));
    assert_false(
        matches_from("mysql", "migration: shop\nsource.url: mysql://db9/shop\nextra: 1\n", &error));
    assert_non_null(strstr(error->message, "is extra: 1"));
}

/* --- The tables: drover.tables as it was stored for `stored_tables` ----------------------------
 */

static GPtrArray *stored_tables;

static Answer *fake_execute(Target *target, const char *sql, guint n_values,
                            const char *const *values, GError **error)
{
    (void)target;
    (void)sql;
    (void)n_values;
    (void)values;
    (void)error;
    Answer *answer = g_new0(Answer, 1);
    answer->n_rows = stored_tables->len;
    answer->n_columns = 7;
    answer->values = g_new0(char *, 7 * stored_tables->len);
    for (guint i = 0; i < stored_tables->len; i++) {
        const Table *table = g_ptr_array_index(stored_tables, i);
        char **row = &answer->values[7 * i];
        row[0] = g_strdup_printf("%u", i + 1);
        row[1] = g_strdup(table->source_schema);
        row[2] = g_strdup(table->source_name);
        row[3] = g_strdup(table->target_schema);
        row[4] = g_strdup(table->target_name);
        row[5] = g_strdup_printf("%016" G_GINT64_MODIFIER "x", table->version);
        row[6] = g_strdup("77");
    }
    return answer;
}

static const TargetOps ops = {.engine = "fake", .execute = fake_execute};
static Migration migration;
static Control control = {&ops, NULL, &migration};

static GPtrArray *new_list(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
}

static int set_up(void **state)
{
    (void)state;
    stored_tables = new_list();
    g_ptr_array_add(stored_tables, test_table_new(1, "b", "id integer key"));
    g_ptr_array_add(stored_tables, test_table_new(2, "d", "id integer key, x text"));
    migration = (Migration){.name = (char *)(gintptr) "shop", .tables = new_list()};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    g_ptr_array_unref(stored_tables);
    g_ptr_array_unref(migration.tables);
    return 0;
}

static void found(const char *name, const char *columns)
{
    g_ptr_array_add(migration.tables, test_table_new(migration.tables->len + 1, name, columns));
}

static void test_tables_keep_their_numbers_and_storage(void **state)
{
    GError *error = NULL;
    (void)state;
    found("d", "id integer key, x text");
    found("b", "id integer key");
    MUST(stored_match_tables(&control, &migration, &error));
    const Table *first = migration_table(&migration, 1), *second = migration_table(&migration, 2);
    assert_string_equal(first->source_name, "b");
    assert_string_equal(second->source_name, "d");
    assert_int_equal(first->id, 1);
    assert_int_equal(first->storage, 77);
    assert_true(migration.schema_version != 0);
}

static void assert_refused(const char *name, DroverErrorCode code)
{
    g_autoptr(GError) error = NULL;
    assert_false(stored_match_tables(&control, &migration, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, (int)code));
    assert_non_null(strstr(error->message, name));
}

static void test_a_changed_table_needs_a_person(void **state)
{
    (void)state;
    found("b", "id integer key");
    found("d", "id integer key, x text, y text");
    assert_refused("public.d", DROVER_ERROR_PERSON);
}

static void test_a_missing_table_needs_a_person(void **state)
{
    (void)state;
    found("b", "id integer key");
    assert_refused("public.d", DROVER_ERROR_PERSON);
}

static void test_a_new_table_needs_a_person(void **state)
{
    (void)state;
    found("b", "id integer key");
    found("c", "id integer key");
    found("d", "id integer key, x text");
    assert_refused("public.c", DROVER_ERROR_PERSON);
}

static void test_another_target_name_is_a_usage_error(void **state)
{
    (void)state;
    found("b", "id integer key");
    found("d", "id integer key, x text");
    Table *table = g_ptr_array_index(migration.tables, 0);
    g_free(table->target_name);
    table->target_name = g_strdup("elsewhere");
    assert_refused("public.elsewhere", DROVER_ERROR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_file_matches),
        cmocka_unit_test(test_limits_secrets_and_the_place_of_the_bus_may_change),
        cmocka_unit_test(test_another_source_is_refused_by_name),
        cmocka_unit_test(test_another_server_of_mysql_may_take_over),
        cmocka_unit_test_setup_teardown(test_tables_keep_their_numbers_and_storage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_changed_table_needs_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_table_needs_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_table_needs_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_target_name_is_a_usage_error, set_up,
                                        tear_down),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
