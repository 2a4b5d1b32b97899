#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/migration.h"
#include "schema/type.h"
#include "tests/support/tables.h"

static guint64 version_of(const char *columns)
{
    g_autoptr(Table) table = test_table_new(1, "t", columns);
    return table_compute_version(table);
}

static void test_version_is_the_same_for_the_same_columns(void **state)
{
    (void)state;
    assert_true(version_of("id integer key, name text") == version_of("id integer key, name text"));
}

static void test_version_changes_with_names_types_order_and_key(void **state)
{
    (void)state;
    guint64 version = version_of("id integer key, name text");
    assert_true(version != version_of("id integer key, nam text"));
    assert_true(version != version_of("id bigint key, name text"));
    assert_true(version != version_of("name text, id integer key"));
    assert_true(version != version_of("id integer, name text key"));
    assert_true(version != version_of("id integer key"));
}

static void test_version_ignores_generated_columns(void **state)
{
    (void)state;
    assert_true(version_of("id integer key, name text") ==
                version_of("id integer key, name text, twice text generated"));
}

static void test_columns_are_found_by_name(void **state)
{
    (void)state;
    g_autoptr(Table) table = test_table_new(1, "t", "id integer key, name text");
    assert_int_equal(table_find_column(table, "name"), 1);
    assert_int_equal(table_find_column(table, "Name"), -1);
}

static void test_key_of_a_row_points_at_its_cells(void **state)
{
    (void)state;
    g_autoptr(Table) table = test_table_new(1, "t", "a text, b integer key, c text key");
    const guint8 bytes[] = "bc";
    Cell cells[] = {{.kind = CELL_NULL},
                    {.data = bytes, .length = 1, .kind = CELL_VALUE},
                    {.data = bytes + 1, .length = 1, .kind = CELL_VALUE}};
    const Row row = {.cells = cells, .n_cells = 3};
    Cell key_cells[2];
    Row key;
    table_key_of(table, &row, key_cells, &key);
    assert_int_equal(key.n_cells, 2);
    assert_ptr_equal(key.cells[0].data, bytes);
    assert_ptr_equal(key.cells[1].data, bytes + 1);
}

static void test_migration_finds_tables_by_number(void **state)
{
    (void)state;
    g_autoptr(Migration) migration = g_new0(Migration, 1);
    assert_null(migration_table(migration, 1));
    migration->tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    g_ptr_array_add(migration->tables, test_table_new(1, "t", "id integer key"));
    assert_int_equal(migration_table(migration, 1)->id, 1);
    assert_null(migration_table(migration, 0));
    assert_null(migration_table(migration, 2));
}

static void test_types_are_found_by_their_own_and_their_array_oid(void **state)
{
    (void)state;
    bool array = true;
    assert_string_equal(type_find(3802, &array)->name, "jsonb");
    assert_false(array);
    assert_string_equal(type_find(3807, &array)->name, "jsonb");
    assert_true(array);
}

static void test_types_that_mean_nothing_elsewhere_are_unmapped(void **state)
{
    static const guint32 oids[] = {0, 24, 2205, 2210, 2206, 1790, 16385};
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(oids); i++)
        assert_null(type_find(oids[i], NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_the_same_for_the_same_columns),
        cmocka_unit_test(test_version_changes_with_names_types_order_and_key),
        cmocka_unit_test(test_version_ignores_generated_columns),
        cmocka_unit_test(test_columns_are_found_by_name),
        cmocka_unit_test(test_key_of_a_row_points_at_its_cells),
        cmocka_unit_test(test_migration_finds_tables_by_number),
        cmocka_unit_test(test_types_are_found_by_their_own_and_their_array_oid),
        cmocka_unit_test(test_types_that_mean_nothing_elsewhere_are_unmapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
