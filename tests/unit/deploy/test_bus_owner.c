/* Whose a bus file is: made, found again, refused and removed only by its own migration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/bus_owner.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/temporary.h"

#include <string.h>

static char *directory;
static BusOptions options;

static int set_up(void **state)
{
    (void)state;
    directory = temporary_directory_new();
    options = (BusOptions){.path = g_build_filename(directory, "shop.bus", NULL)};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    g_free(options.path);
    temporary_directory_free(directory);
    return 0;
}

static char *prepare(const char *stored_uuid)
{
    GError *error = NULL;
    char *uuid = NULL;
    MUST(bus_owner_prepare(&bus_local_ops, &options, stored_uuid, &uuid, &error));
    return uuid;
}

static void write_record(void)
{
    GError *error = NULL;
    Bus *bus = bus_local_ops.open(&options, BUS_WRITE, &error);
    MUST(bus != NULL);
    MUST(bus_local_ops.claim(bus, 1, false, &error));
    MUST(bus_local_ops.append(bus, 1, (const guint8 *)"x", 1, &error));
    MUST(bus_local_ops.flush(bus, &error));
    bus_local_ops.close(bus);
}

static void test_a_new_bus_belongs_to_its_uuid(void **state)
{
    GError *error = NULL;
    (void)state;
    g_autofree char *uuid = prepare(NULL);
    assert_int_equal(strlen(uuid), 36);
    MUST(bus_owner_check(&bus_local_ops, &options, uuid, &error));
    MUST_FAIL(bus_owner_check(&bus_local_ops, &options, "another", &error), DROVER_ERROR_PERSON);
}

static void test_a_start_made_again_finds_its_bus(void **state)
{
    (void)state;
    g_autofree char *first = prepare(NULL);
    g_autofree char *second = prepare(first);
    assert_string_equal(first, second);
}

static void test_an_empty_bus_that_nobody_owns_is_replaced(void **state)
{
    (void)state;
    g_autofree char *first = prepare(NULL);
    g_autofree char *second = prepare(NULL);
    assert_string_not_equal(first, second);
}

static void test_a_bus_with_events_is_never_replaced(void **state)
{
    g_autofree char *replaced = NULL;
    GError *error = NULL;
    (void)state;
    g_autofree char *uuid = prepare(NULL);
    write_record();
    MUST_FAIL(bus_owner_prepare(&bus_local_ops, &options, NULL, &replaced, &error),
              DROVER_ERROR_PERSON);
    MUST(bus_owner_check(&bus_local_ops, &options, uuid, &error));
}

static void test_a_missing_bus_needs_a_person(void **state)
{
    GError *error = NULL;
    (void)state;
    MUST_FAIL(bus_owner_check(&bus_local_ops, &options, "any", &error), DROVER_ERROR_PERSON);
}

static void test_only_its_own_migration_removes_a_bus(void **state)
{
    GError *error = NULL;
    bool removed;
    (void)state;
    g_autofree char *uuid = prepare(NULL);
    MUST(bus_owner_remove(&bus_local_ops, &options, "another", &removed, &error));
    assert_false(removed);
    MUST(bus_owner_remove(&bus_local_ops, &options, uuid, &removed, &error));
    assert_true(removed);
    assert_false(g_file_test(options.path, G_FILE_TEST_EXISTS));
}

static void test_a_file_that_is_no_bus_is_left_alone(void **state)
{
    GError *error = NULL;
    bool removed;
    (void)state;
    assert_true(
        g_file_set_contents(options.path, "my notes, which are longer than a header", -1, NULL));
    MUST(bus_owner_remove(&bus_local_ops, &options, "any", &removed, &error));
    assert_false(removed);
    assert_true(g_file_test(options.path, G_FILE_TEST_EXISTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_bus_belongs_to_its_uuid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_start_made_again_finds_its_bus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_empty_bus_that_nobody_owns_is_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_bus_with_events_is_never_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_bus_needs_a_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_its_own_migration_removes_a_bus, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_bus_is_left_alone, set_up,
                                        tear_down),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
