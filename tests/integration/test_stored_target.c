/*
 * What the commands read and write of a migration in the target, on every engine: its row, its
 * tables, what status and the monitor of a run ask.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/log.h"
#include "deploy/monitor.h"
#include "deploy/status.h"
#include "deploy/stored.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/tables.h"
#include "tests/support/target_scratch.h"

#include <string.h>

static const char *server;
static char shop_name[] = "shop";
static char shop_uuid[] = "7f000000-0000-4000-8000-000000000001";

typedef struct Fixture {
    TargetScratch *database;
    Migration migration;
    Context context;
    Control *control;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(GError) error = NULL;
    fixture->database = target_scratch_new(server);
    Migration *migration = &fixture->migration;
    migration->name = shop_name;
    migration->source = migration->target = &fixture->database->endpoint;
    migration->tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    g_ptr_array_add(migration->tables, test_table_new(1, "It's \"a\" t\xC3\xA4", "id integer key"));
    g_ptr_array_add(migration->tables, test_table_new(2, "small", "id integer key, x text"));
    Context *context = &fixture->context;
    context->target = fixture->database->ops;
    context->bus = &bus_local_ops;
    context->migration = migration;
    context->session = fixture->database->session;
    context->control = (Control){context->target, context->session, migration};
    fixture->control = &context->control;
    MUST(control_install(context->target, context->session, &error));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    g_clear_pointer(&fixture->database->endpoint.server, g_free);
    target_scratch_free(fixture->database);
    g_ptr_array_unref(fixture->migration.tables);
    g_free(fixture->migration.uuid);
    g_free(fixture->migration.slot);
    g_free(fixture->migration.source_identity);
    g_free(fixture->migration.start_resume);
    g_free(fixture);
    return 0;
}

static void store(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    MUST(stored_insert(fixture->control, shop_uuid, "a: 'file'\n", &error));
    MUST(stored_save_tables(fixture->control, &error));
    g_free(fixture->migration.uuid);
    fixture->migration.uuid = g_strdup(shop_uuid);
}

static Stored *find(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Stored *stored = NULL;
    MUST(stored = stored_find(fixture->control, &error));
    return stored;
}

static void test_the_row_comes_back_as_it_was_stored(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    Stored *none = NULL;
    MUST(stored_read(fixture->control, &none, &error));
    assert_null(none);
    MUST(stored_insert(fixture->control, shop_uuid, "a: 'file'\n", &error));
    MUST(control_set(fixture->control, "start_position", "0/25", &error));
    MUST(control_set(fixture->control, "start_resume", "0-1-5,2-3-7", &error));
    MUST(control_set(fixture->control, "paused", "1", &error));
    g_autoptr(Stored) stored = find(fixture);
    assert_string_equal(stored->uuid, shop_uuid);
    assert_string_equal(stored->file, "a: 'file'\n");
    assert_string_equal(stored->phase, "planned");
    assert_string_equal(stored->start_position, "0/25");
    assert_string_equal(stored->start_resume, "0-1-5,2-3-7");
    assert_null(stored->slot);
    assert_true(stored->paused);
}

static void test_the_first_row_of_a_name_counts(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    MUST(stored_insert(fixture->control, shop_uuid, "first", &error));
    MUST(stored_insert(fixture->control, "7f000000-0000-4000-8000-000000000002", "second", &error));
    g_autoptr(Stored) stored = find(fixture);
    assert_string_equal(stored->uuid, shop_uuid);
    assert_string_equal(stored->file, "first");
}

static void test_tables_match_what_was_stored_of_them(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    store(fixture);
    MUST(stored_save_tables(fixture->control, &error)); /* in place of the first */
    MUST(stored_match_tables(fixture->control, &fixture->migration, &error));
    assert_int_equal(fixture->migration.tables->len, 2);
    g_ptr_array_remove_index(fixture->migration.tables, 0);
    MUST_FAIL(stored_match_tables(fixture->control, &fixture->migration, &error),
              DROVER_ERROR_PERSON);
}

static void test_status_tells_of_tables_and_roles(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 epoch;
    store(fixture);
    target_scratch_run(
        fixture->database,
        "update drover.tables set rows_total = 90, captured = 7, applied = 4, superseded = 3 "
        "where id = 1; "
        "insert into drover.verify (migration, table_id, state, missing, extra, backlog) "
        "values ('shop', 2, 'different', 1, 2, 5)");
    g_autoptr(GArray) ranges = g_array_new(FALSE, TRUE, sizeof(KeyRange));
    g_array_set_size(ranges, 2);
    MUST(control_chunks_add(fixture->control, 1, ranges, &error));
    target_scratch_run(fixture->database, "update drover.chunk set state = 'done', high = '0/9' "
                                          "where chunk = 2");
    MUST(control_take_role(fixture->control, "apply", false, &epoch, &error));
    MUST(control_worker_register(fixture->control, "apply", epoch, &error));
    g_autoptr(Status) status = status_read(&fixture->context, &error);
    MUST(status != NULL);
    const StatusTable *first = g_ptr_array_index(status->tables, 0);
    const StatusTable *second = g_ptr_array_index(status->tables, 1);
    assert_string_equal(first->source, "public.It's \"a\" t\xC3\xA4");
    assert_int_equal(first->rows_total, 90);
    assert_int_equal(first->chunks_done, 1);
    assert_int_equal(first->chunks_total, 2);
    assert_true(status_table_adds_up(first));
    assert_string_equal(second->verify_state, "different");
    assert_int_equal(second->differences, 3);
    assert_int_equal(second->backlog, 5);
    assert_int_equal(status->roles->len, 1);
    const StatusRole *role = g_ptr_array_index(status->roles, 0);
    assert_string_equal(role->role, "apply");
    assert_int_equal(role->epoch, epoch);
    assert_int_equal(status->apply_epoch, epoch);
}

static void test_a_run_is_monitored(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    Run run;
    store(fixture);
    MUST(control_set(fixture->control, "phase", "catching_up", &error));
    MUST(control_set(fixture->control, "consistent_position", "0/25", &error));
    run_init(&run, &fixture->context, ROLE_ALL);
    Monitor *monitor = monitor_new(&run, false, false);
    const Stage *stage = NULL;
    MUST(run_read(&run, &stage, &error));
    assert_string_equal(stage->phase, "catching_up");
    assert_int_equal(run.consistent.major, 0x25);
    MUST(monitor_start(monitor, stage->phase, &error));
    MUST(monitor_read(monitor, &error));
    assert_true(monitor_is_in(monitor, "catching_up"));
    MUST(control_set(fixture->control, "phase", "indexing", &error));
    MUST(monitor_read(monitor, &error));
    assert_true(monitor_is_in(monitor, "indexing"));
    MUST(run_read(&run, &stage, &error));
    monitor_begin(monitor, stage, 0);
    MUST(monitor_read(monitor, &error));
    monitor_free(monitor);
    run_clear(&run);
}

/* An argument: the one server to run them on. */
int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_row_comes_back_as_it_was_stored),
        TEST(test_the_first_row_of_a_name_counts),
        TEST(test_tables_match_what_was_stored_of_them),
        TEST(test_status_tells_of_tables_and_roles),
        TEST(test_a_run_is_monitored),
    };
    int failed = 0;
    log_start(stderr, LOG_FORMAT_LOGFMT, G_LOG_LEVEL_WARNING);
    for (guint i = 0; target_servers[i] != NULL; i++) {
        server = target_servers[i];
        if (argc > 1 && strcmp(argv[1], server) != 0)
            continue;
        failed += cmocka_run_group_tests_name(server, tests, NULL, NULL);
    }
    return failed;
}
