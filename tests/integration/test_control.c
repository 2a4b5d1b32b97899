#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "schema/control.h"
#include "tests/support/must.h"
#include "tests/support/target_scratch.h"

#include <pthread.h>
#include <string.h>

/* Waits for what another process of the server is about to do. */
#define UNTIL(condition)                                                                           \
    for (int tries = 0; !(condition); tries++) {                                                   \
        assert_true(tries < 10000);                                                                \
        g_usleep(1000);                                                                            \
    }

static char shop_name[] = "shop";
static char shop_uuid[] = "7f000000-0000-4000-8000-000000000001";
/* The server of the group of tests that is running. */
static const char *server;

typedef struct Fixture {
    TargetScratch *database;
    Migration migration;
    Control control;
} Fixture;

static Target *open_target(Fixture *fixture)
{
    return target_scratch_open(fixture->database, "drover shop test");
}

static Control new_control(Fixture *fixture)
{
    return (Control){fixture->database->ops, open_target(fixture), &fixture->migration};
}

static void close_control(Control *control)
{
    control->ops->close(control->target);
}

static int set_up_empty(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->database = target_scratch_new(server);
    fixture->migration.name = shop_name;
    fixture->migration.uuid = shop_uuid;
    fixture->control = new_control(fixture);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    set_up_empty(state);
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    MUST(control_install(fixture->database->ops, fixture->control.target, &error));
    target_scratch_run(fixture->database,
                       "insert into drover.migration (name, uuid, file, phase) "
                       "values ('shop', '7f000000-0000-4000-8000-000000000001', '', 'planned'); "
                       "insert into drover.tables (migration, id, source_schema, source_name, "
                       "target_schema, target_name, version, storage, state, bytes_total) "
                       "values ('shop', 1, 's', 'small', 's', 'small', '0', '0', 'planned', 10), "
                       "('shop', 2, 's', 'big', 's', 'big', '0', '0', 'planned', 1000)");
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    close_control(&fixture->control);
    target_scratch_free(fixture->database);
    g_free(fixture);
    return 0;
}

static void assert_answer(Fixture *fixture, const char *sql, const char *expected)
{
    g_autofree char *value = target_scratch_ask(fixture->database, sql);
    assert_string_equal(value, expected);
}

/* --- Installing ------------------------------------------------------------------------------- */

static void test_installed_is_false_on_an_empty_target(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    bool installed = true;
    MUST(control_installed(fixture->database->ops, fixture->control.target, &installed, &error));
    assert_false(installed);
    MUST(control_install(fixture->database->ops, fixture->control.target, &error));
    MUST(control_installed(fixture->database->ops, fixture->control.target, &installed, &error));
    assert_true(installed);
}

static void *install(void *user)
{
    GError *error = NULL;
    Control *control = user;
    for (int i = 0; i < 3 && error == NULL; i++) {
        control_install(control->ops, control->target, &error);
    }
    return error;
}

static void test_many_processes_may_install_at_once(void **state)
{
    Fixture *fixture = *state;
    Control controls[8];
    pthread_t threads[G_N_ELEMENTS(controls)];
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        controls[i] = new_control(fixture);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, install, &controls[i]), 0);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        g_autoptr(GError) error = result;
        MUST(error == NULL);
        close_control(&controls[i]);
    }
}

/* Where each table is created by itself, a process that was killed leaves some of them. */
static void test_what_a_killed_install_left_is_completed(void **state)
{
    Fixture *fixture = *state;
    const Control *control = &fixture->control;
    GError *error = NULL;
    bool installed = false;
    if (strcmp(control->ops->engine, "mysql") == 0) {
        MUST(control_install(control->ops, control->target, &error));
        target_scratch_run(fixture->database, "drop table drover.object, drover.difference");
        MUST(control_installed(control->ops, control->target, &installed, &error));
        assert_false(installed);
    }
    MUST(control_install(control->ops, control->target, &error));
    MUST(control_installed(control->ops, control->target, &installed, &error));
    assert_true(installed);
    assert_answer(fixture, "select count(*) from drover.object", "0");
}

static void test_uninstalling_leaves_nothing(void **state)
{
    Fixture *fixture = *state;
    const Control *control = &fixture->control;
    GError *error = NULL;
    MUST(control_uninstall(control->ops, control->target, &error));
    assert_answer(fixture,
                  "select count(*) from information_schema.schemata where schema_name = 'drover'",
                  "0");
}

static void test_what_somebody_else_put_there_keeps_all(void **state)
{
    Fixture *fixture = *state;
    const Control *control = &fixture->control;
    g_autoptr(GError) error = NULL;
    target_scratch_run(fixture->database, "create table drover.theirs (a int)");
    assert_false(control_uninstall(control->ops, control->target, &error));
    assert_false(drover_error_is_retry(error));
    assert_non_null(strstr(error->message, "theirs"));
    assert_answer(fixture, "select count(*) from drover.theirs", "0");
    assert_answer(fixture, "select count(*) from drover.migration", "1");
}

/* --- Roles and epochs ------------------------------------------------------------------------- */

static void test_a_role_gets_a_higher_epoch_each_time(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 first = 0, second = 0;
    MUST(control_take_role(&fixture->control, "apply", false, &first, &error));
    Control other = new_control(fixture);
    close_control(&fixture->control);
    fixture->control.target = open_target(fixture);
    MUST(control_take_role(&other, "apply", true, &second, &error));
    assert_true(second > first);
    close_control(&other);
}

static void test_a_lease_names_its_holder(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 epoch;
    MUST(control_take_role(&fixture->control, "copy", false, &epoch, &error));
    const char *sql = control_sql(
        fixture->database->ops,
        "select holder like '% pid %' and backend_pid = pg_backend_pid() from drover.lease",
        "select holder like '% pid %' and backend_pid = connection_id() from drover.lease");
    g_autoptr(Answer) answer =
        fixture->database->ops->execute(fixture->control.target, sql, 0, NULL, &error);
    assert_non_null(answer);
    assert_true(control_bool(answer_get(answer, 0, 0)));
}

static void test_a_role_needs_its_migration_in_the_target(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 epoch;
    target_scratch_run(fixture->database, "delete from drover.migration");
    MUST_FAIL(control_take_role(&fixture->control, "copy", false, &epoch, &error), DROVER_ERROR_NO);
}

static void test_a_taken_over_worker_cannot_write(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    guint64 first, second;
    MUST(control_take_role(control, "copy", false, &first, &error));
    MUST(control_worker_register(control, "copy-1", first, &error));
    MUST(control_write_begin(control, "copy-1", first, &error));
    MUST(control_commit(control, &error));
    Control other = new_control(fixture);
    close_control(control);
    MUST(control_take_role(&other, "copy", true, &second, &error));
    control->target = open_target(fixture);
    MUST_FAIL(control_write_begin(control, "copy-1", first, &error), DROVER_ERROR_NO);
    MUST_FAIL(control_worker_register(control, "copy-2", first, &error), DROVER_ERROR_NO);
    MUST(control_write_begin(&other, "copy-1", second, &error));
    MUST(control_commit(&other, &error));
    close_control(&other);
}

/* A session that has joined the role, with its epoch. */
static Control join(Fixture *fixture, bool take_over, guint64 *epoch)
{
    g_autoptr(GError) error = NULL;
    Control control = new_control(fixture);
    MUST(control_join_role(&control, "copy", take_over, epoch, &error));
    return control;
}

static void register_copier(Control *control, guint64 epoch)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *worker = g_strdup_printf("copy-%" G_GUINT64_FORMAT "-1", epoch);
    MUST(control_worker_register(control, worker, epoch, &error));
}

static bool write_as(Control *control, guint64 epoch, GError **error)
{
    g_autofree char *worker = g_strdup_printf("copy-%" G_GUINT64_FORMAT "-1", epoch);
    return control_write_begin(control, worker, epoch, error) && control_commit(control, error);
}

static void test_many_share_a_role_each_with_an_epoch_of_its_own(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 first, second, alone;
    Control one = join(fixture, false, &first), other = join(fixture, false, &second);
    assert_true(second > first);
    register_copier(&one, first);
    register_copier(&other, second);
    MUST(write_as(&one, first, &error));
    MUST(write_as(&other, second, &error));
    assert_answer(fixture, "select count(*) from drover.lease where role like 'copy-%'", "2");
    MUST_FAIL(control_take_role(&fixture->control, "copy", false, &alone, &error), DROVER_ERROR_NO);
    close_control(&one);
    close_control(&other);
}

static void test_who_takes_a_shared_role_alone_fences_off_all_sharers(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 first, second, alone;
    Control one = join(fixture, false, &first), other = join(fixture, false, &second);
    Control sleeper = new_control(fixture);
    register_copier(&one, first);
    MUST(control_take_role(&fixture->control, "copy", true, &alone, &error));
    assert_true(alone > second);
    MUST_FAIL(write_as(&sleeper, first, &error), DROVER_ERROR_NO);
    MUST_FAIL(control_worker_register(&sleeper, "copy-1-1", first, &error), DROVER_ERROR_NO);
    MUST_FAIL(control_worker_register(&sleeper, "copy-2-1", second, &error), DROVER_ERROR_NO);
    close_control(&one);
    close_control(&other);
    close_control(&sleeper);
}

static void test_joining_with_a_take_over_lets_others_in_again(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 first, second, third;
    Control one = join(fixture, false, &first);
    register_copier(&one, first);
    Control other = join(fixture, true, &second);
    register_copier(&other, second);
    MUST_FAIL(control_get(&one, "phase", &(char *){NULL}, &error), DROVER_ERROR_RETRY);
    Control again = join(fixture, false, &third);
    register_copier(&again, third);
    MUST_FAIL(write_as(&again, first, &error), DROVER_ERROR_NO);
    MUST(write_as(&again, third, &error));
    MUST(write_as(&other, second, &error));
    close_control(&one);
    close_control(&other);
    close_control(&again);
}

static guint holders(Fixture *fixture, const char *role)
{
    g_autoptr(GError) error = NULL;
    const char *const roles[] = {role, NULL};
    g_autoptr(Answer) answer = fixture->database->ops->role_holders(
        fixture->control.target, &fixture->migration, roles, &error);
    MUST(answer != NULL);
    return answer->n_rows;
}

static void test_joining_sweeps_up_after_those_who_have_gone(void **state)
{
    Fixture *fixture = *state;
    guint64 gone, here, fresh;
    Control dead = join(fixture, false, &gone);
    register_copier(&dead, gone);
    Control alive = join(fixture, false, &here);
    register_copier(&alive, here);
    close_control(&dead);
    UNTIL(holders(fixture, "copy") == 1)
    Control newcomer = join(fixture, false, &fresh);
    assert_true(fresh > here);
    g_autofree char *expected = g_strdup_printf("copy-%" G_GUINT64_FORMAT "-1", here);
    assert_answer(fixture, "select worker from drover.progress", expected);
    assert_answer(fixture, "select count(*) from drover.lease", "2");
    close_control(&alive);
    close_control(&newcomer);
}

static void test_an_epoch_never_comes_again(void **state)
{
    Fixture *fixture = *state;
    guint64 last = 0;
    for (int i = 0; i < 5; i++) {
        guint64 epoch;
        Control control = join(fixture, i == 2, &epoch);
        assert_true(epoch > last);
        last = epoch;
        register_copier(&control, epoch);
        close_control(&control);
    }
}

static void test_a_worker_of_a_dropped_migration_cannot_register(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    char other_uuid[] = "7f000000-0000-4000-8000-000000000002";
    Migration slept = fixture->migration;
    slept.uuid = other_uuid;
    Control sleeper = {fixture->database->ops, fixture->control.target, &slept};
    MUST_FAIL(control_worker_register(&sleeper, "apply", 7, &error), DROVER_ERROR_NO);
    assert_answer(fixture, "select count(*) from drover.progress", "0");
}

static void test_a_role_owns_only_its_own_workers(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    guint64 epoch;
    MUST(control_worker_register(control, "apply", 1, &error));
    MUST(control_worker_register(control, "copy-1", 1, &error));
    MUST(control_take_role(control, "copy", false, &epoch, &error));
    assert_int_equal(epoch, 2);
    assert_answer(fixture, "select worker, epoch from drover.progress order by worker",
                  "apply,1 copy-1,2");
}

static void test_registering_again_keeps_the_progress(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    Progress progress = {{5, 0}, 7, 8, 9, 10};
    MUST(control_worker_register(control, "apply", 1, &error));
    MUST(control_progress_set(control, "apply", &progress, NULL, &error));
    MUST(control_worker_register(control, "apply", 3, &error));
    assert_answer(fixture, "select epoch, position from drover.progress", "3,0/5");
}

static void test_a_rolled_back_write_leaves_no_trace(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    MUST(control_worker_register(control, "apply", 1, &error));
    MUST(control_write_begin(control, "apply", 1, &error));
    control_rollback(control);
    assert_answer(fixture, "select writes from drover.progress", "0");
    MUST(control_write_begin(control, "apply", 1, &error));
    MUST(control_commit(control, &error));
    assert_answer(fixture, "select writes from drover.progress", "1");
}

static void *join_and_register(void *user)
{
    Control *control = user;
    GError *error = NULL;
    for (int i = 0; i < 10 && error == NULL; i++) {
        guint64 epoch = 0;
        if (!control_join_role(control, "copy", false, &epoch, &error)) {
            break;
        }
        g_autofree char *worker = g_strdup_printf("copy-%" G_GUINT64_FORMAT "-1", epoch);
        control_worker_register(control, worker, epoch, &error);
    }
    return error;
}

static void test_many_processes_may_join_and_register_at_once(void **state)
{
    Fixture *fixture = *state;
    Control controls[6];
    pthread_t threads[G_N_ELEMENTS(controls)];
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        controls[i] = new_control(fixture);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, join_and_register, &controls[i]), 0);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(controls); i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        g_autoptr(GError) error = result;
        MUST(error == NULL);
        close_control(&controls[i]);
    }
}

/* --- The migration's row, progress, accounts -------------------------------------------------- */

static void test_columns_of_the_migration_come_back(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    g_autofree char *paused = NULL, *slot = NULL, *none = NULL;
    MUST(control_set(control, "paused", "1", &error));
    MUST(control_set(control, "slot", "it's a \"slot\"", &error));
    MUST(control_get(control, "paused", &paused, &error));
    MUST(control_get(control, "slot", &slot, &error));
    assert_true(control_bool(paused));
    assert_string_equal(slot, "it's a \"slot\"");
    MUST(control_set(control, "slot", NULL, &error));
    MUST(control_get(control, "slot", &none, &error));
    assert_null(none);
}

static void test_progress_comes_back_to_the_last_bit(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    const Progress written = {{G_GUINT64_CONSTANT(0xFFFFFFFF00000001), 3},
                              G_GUINT64_CONSTANT(0x7FFFFFFFFFFFFFFF),
                              G_GUINT64_CONSTANT(0xFEDCBA9876543210),
                              G_GINT64_CONSTANT(1790000000123457),
                              11};
    Progress read;
    MUST(control_worker_register(control, "apply", 1, &error));
    MUST(control_progress_set(control, "apply", &written, NULL, &error));
    MUST(control_progress_get(control, "apply", &read, &error));
    assert_int_equal(position_compare(read.position, written.position), 0);
    assert_int_equal(read.bus_sequence, written.bus_sequence);
    assert_int_equal(read.bus_digest, written.bus_digest);
    assert_int_equal(read.commit_time, written.commit_time);
    assert_int_equal(read.bus_epoch, written.bus_epoch);
}

static void test_progress_of_a_new_worker_is_zero(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    Progress progress = {{1, 1}, 1, 1, 1, 1};
    MUST(control_progress_get(&fixture->control, "apply", &progress, &error));
    assert_true(position_is_zero(progress.position));
    MUST(control_worker_register(&fixture->control, "apply", 1, &error));
    MUST(control_progress_get(&fixture->control, "apply", &progress, &error));
    assert_true(position_is_zero(progress.position));
    assert_int_equal(progress.commit_time, 0);
}

static void test_accounts_add_up(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    const Account accounts[] = {{1, 10, 1, 2, 3, 4, 5}, {2, 100, 60, 0, 40, 0, 0}};
    MUST(control_accounts_add(&fixture->control, accounts, 2, &error));
    MUST(control_accounts_add(&fixture->control, accounts, 1, &error));
    MUST(control_accounts_add(&fixture->control, accounts, 0, &error));
    assert_answer(fixture,
                  "select captured, applied, filtered, superseded, rejected, refetched "
                  "from drover.tables order by id",
                  "20,2,4,6,8,10 100,60,0,40,0,0");
    const Account unknown = {.table = 9, .captured = 1};
    MUST_FAIL(control_accounts_add(&fixture->control, &unknown, 1, &error), DROVER_ERROR_BUG);
}

/* --- The ledger ------------------------------------------------------------------------------- */

static char **bound(const char *first, const char *second)
{
    const char *const both[] = {first, second, NULL};
    return g_strdupv((char **)both);
}

static void add_ranges(Fixture *fixture, guint32 table, guint n, const char *odd)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(KeyRange));
    g_array_set_clear_func(ranges, (GDestroyNotify)key_range_clear);
    for (guint i = 0; i < n; i++) {
        KeyRange range = {i == 0 ? NULL : bound("7", odd), i == n - 1 ? NULL : bound("8", odd)};
        g_array_append_val(ranges, range);
    }
    MUST(control_chunks_add(&fixture->control, table, ranges, &error));
}

/* Another session with a transaction in which it claims. */
static Control begin(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Control control = new_control(fixture);
    g_autoptr(Answer) begun = NULL;
    MUST(begun = control.ops->execute(control.target, "begin", 0, NULL, &error));
    return control;
}

static Chunk *claim(Control *control)
{
    g_autoptr(GError) error = NULL;
    Chunk *chunk = NULL;
    MUST(control_chunk_claim(control, &chunk, &error));
    return chunk;
}

static void finish(Control *control, const Chunk *chunk, guint64 high, bool expect_last)
{
    g_autoptr(GError) error = NULL;
    bool last = !expect_last;
    MUST(control_chunk_done(control, chunk, "copy-1-1", 5, 50, (Position){high, 0}, &last, &error));
    assert_int_equal(last, expect_last);
}

static guint32 claim_key(Control *control)
{
    g_autoptr(GError) error = NULL;
    guint32 table = 9;
    MUST(control_key_claim(control, &table, &error));
    return table;
}

static guint32 claim_plan(Control *control)
{
    g_autoptr(GError) error = NULL;
    guint32 table = 9;
    MUST(control_plan_claim(control, &table, &error));
    return table;
}

static void test_bounds_may_hold_any_character(void **state)
{
    Fixture *fixture = *state;
    const char *odd = "it's \"{NULL}\", a\\b\té\xF0\x9F\x98\x80 ";
    add_ranges(fixture, 1, 3, odd);
    Control sessions[] = {begin(fixture), begin(fixture), begin(fixture)};
    g_autoptr(Chunk) first = claim(&sessions[0]);
    assert_null(first->range.lower);
    assert_string_equal(first->range.upper[1], odd);
    g_autoptr(Chunk) second = claim(&sessions[1]);
    assert_string_equal(second->range.lower[0], "7");
    assert_string_equal(second->range.lower[1], odd);
    assert_null(second->range.lower[2]);
    g_autoptr(Chunk) third = claim(&sessions[2]);
    assert_string_equal(third->range.lower[1], odd);
    assert_null(third->range.upper);
    for (gsize i = 0; i < G_N_ELEMENTS(sessions); i++)
        close_control(&sessions[i]);
}

static void test_chunks_are_claimed_from_big_tables_first_and_by_one_session(void **state)
{
    Fixture *fixture = *state;
    add_ranges(fixture, 1, 2, "x");
    add_ranges(fixture, 2, 2, "x");
    const guint32 expected[][2] = {{2, 1}, {2, 2}, {1, 1}, {1, 2}};
    Control sessions[G_N_ELEMENTS(expected) + 1];
    for (gsize i = 0; i < G_N_ELEMENTS(sessions); i++) {
        sessions[i] = begin(fixture);
        g_autoptr(Chunk) chunk = claim(&sessions[i]);
        if (i == G_N_ELEMENTS(expected)) {
            assert_null(chunk);
            continue;
        }
        assert_int_equal(chunk->table, expected[i][0]);
        assert_int_equal(chunk->number, expected[i][1]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(sessions); i++)
        close_control(&sessions[i]);
}

static void test_a_claim_ends_with_its_session(void **state)
{
    Fixture *fixture = *state;
    add_ranges(fixture, 1, 1, "x");
    Control dies = begin(fixture), waits = begin(fixture);
    g_autoptr(Chunk) chunk = claim(&dies);
    assert_non_null(chunk);
    assert_null(claim(&waits));
    close_control(&dies);
    g_autoptr(Chunk) again = NULL;
    UNTIL((again = claim(&waits)) != NULL)
    assert_int_equal(again->number, 1);
    close_control(&waits);
}

/* The one who waited sees what was committed while it did. */
static void test_a_chunk_that_is_done_is_never_claimed_again(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    add_ranges(fixture, 1, 2, "x");
    Control one = begin(fixture), other = begin(fixture);
    g_autoptr(Chunk) first = claim(&one);
    finish(&one, first, 7, false);
    MUST(control_commit(&one, &error));
    g_autoptr(Chunk) second = claim(&other);
    assert_int_equal(second->number, 2);
    finish(&other, second, 8, true);
    MUST(control_commit(&other, &error));
    assert_null(claim(&one));
    close_control(&one);
    close_control(&other);
}

static void test_a_plan_of_many_chunks_keeps_their_order(void **state)
{
    Fixture *fixture = *state;
    add_ranges(fixture, 1, 2500, "x");
    assert_answer(fixture,
                  "select count(*), min(chunk), max(chunk), "
                  "min(case when upper_key is null then chunk end), "
                  "max(case when lower_key is null then chunk end) from drover.chunk",
                  "2500,1,2500,2500,1");
}

static void test_the_last_chunk_of_a_table_is_noticed(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    add_ranges(fixture, 1, 2, "x");
    for (guint i = 1; i <= 2; i++) {
        bool last;
        g_autoptr(Chunk) chunk = claim(control);
        finish(control, chunk, i, i == 2);
        MUST_FAIL(
            control_chunk_done(control, chunk, "copy-1-1", 5, 50, (Position){i, 0}, &last, &error),
            DROVER_ERROR_RETRY);
    }
}

static void test_the_copy_state_has_the_highest_high(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    gint64 todo;
    Position high;
    add_ranges(fixture, 1, 3, "x");
    MUST(control_copy_state(control, &todo, &high, &error));
    assert_int_equal(todo, 3);
    assert_true(position_is_zero(high));
    const guint64 highs[] = {G_GUINT64_CONSTANT(0x900000000), G_GUINT64_CONSTANT(0x1000000000)};
    for (gsize i = 0; i < G_N_ELEMENTS(highs); i++) {
        g_autoptr(Chunk) chunk = claim(control);
        finish(control, chunk, highs[i], false);
    }
    MUST(control_copy_state(control, &todo, &high, &error));
    assert_int_equal(todo, 1);
    assert_int_equal(high.major, highs[1]);
}

static void test_tables_are_planned_by_one_session_big_ones_first(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    Control one = begin(fixture), other = begin(fixture), third = begin(fixture);
    assert_int_equal(claim_plan(&one), 2);
    assert_int_equal(claim_plan(&other), 1);
    assert_int_equal(claim_plan(&third), 0);
    MUST(control_table_state(&one, 2, "copying", &error));
    MUST(control_commit(&one, &error));
    close_control(&other);
    guint32 table = 0;
    UNTIL((table = claim_plan(&third)) != 0)
    assert_int_equal(table, 1);
    close_control(&one);
    close_control(&third);
}

static void test_a_copied_table_waits_for_its_key(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    CopyLeft left;
    add_ranges(fixture, 1, 1, "x");
    MUST(control_table_state(control, 1, "copying", &error));
    assert_int_equal(claim_key(control), 0);
    target_scratch_run(fixture->database, "update drover.chunk set state = 'done'");
    Control one = begin(fixture), other = begin(fixture);
    assert_int_equal(claim_key(&one), 1);
    assert_int_equal(claim_key(&other), 0);
    MUST(control_copy_left(control, &left, &error));
    assert_int_equal(left.tables, 2);
    assert_int_equal(left.plans, 1);
    MUST(control_table_state(&one, 1, "keyed", &error));
    MUST(control_commit(&one, &error));
    assert_int_equal(claim_key(&other), 0);
    MUST(control_copy_left(control, &left, &error));
    assert_int_equal(left.tables, 1);
    close_control(&one);
    close_control(&other);
}

/* The rows that a session can still lock. */
static char *free_rows(Control *control, const char *sql)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 0, NULL, &error);
    g_autoptr(GString) text = g_string_new(NULL);
    MUST(answer != NULL);
    for (guint i = 0; i < answer->n_rows; i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", answer_get(answer, i, 0));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_a_claim_locks_nothing_but_what_it_claims(void **state)
{
    Fixture *fixture = *state;
    target_scratch_run(
        fixture->database,
        "insert into drover.tables (migration, id, source_schema, source_name, target_schema, "
        "target_name, version, storage, state, bytes_total) "
        "values ('shop', 3, 's', 'c', 's', 'c', '0', '0', 'keyed', 7), "
        "('shop', 4, 's', 'd', 's', 'd', '0', '0', 'copied', 5), "
        "('shop', 5, 's', 'e', 's', 'e', '0', '0', 'copying', 500)");
    add_ranges(fixture, 2, 3, "x");
    add_ranges(fixture, 4, 1, "x");
    add_ranges(fixture, 5, 2, "x");
    Control claims = begin(fixture), other = begin(fixture);
    assert_int_equal(claim_key(&claims), 0);
    g_autoptr(Chunk) chunk = claim(&claims);
    assert_int_equal(chunk->table, 2);
    const char *tables = "select id from drover.tables order by id for update skip locked";
    const char *chunks = "select concat(table_id, '/', chunk) from drover.chunk "
                         "order by table_id, chunk for update skip locked";
    g_autofree char *first = free_rows(&other, tables), *free_chunks = free_rows(&other, chunks);
    assert_string_equal(first, "1 2 3 4 5");
    assert_string_equal(free_chunks, "2/2 2/3 4/1 5/1 5/2");
    control_rollback(&other);
    control_rollback(&claims);
    answer_free(claims.ops->execute(claims.target, "begin", 0, NULL, NULL));
    answer_free(other.ops->execute(other.target, "begin", 0, NULL, NULL));
    assert_int_equal(claim_plan(&claims), 2);
    g_autofree char *second = free_rows(&other, tables);
    assert_string_equal(second, "1 3 4 5");
    close_control(&claims);
    close_control(&other);
}

static void test_who_holds_what_is_told(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    guint64 epoch;
    g_autoptr(GPtrArray) held = NULL, others = NULL;
    add_ranges(fixture, 1, 2, "x");
    Control control = join(fixture, false, &epoch);
    g_autofree char *worker = g_strdup_printf("copy-%" G_GUINT64_FORMAT "-1", epoch);
    g_autofree char *label = g_strdup_printf("drover shop %s", worker);
    MUST(control_worker_register(&control, worker, epoch, &error));
    Control session = {fixture->database->ops, target_scratch_open(fixture->database, label),
                       &fixture->migration};
    MUST(control_write_begin(&session, worker, epoch, &error));
    g_autoptr(Chunk) chunk = claim(&session);
    assert_non_null(chunk);
    MUST(control_copy_held(&fixture->control, epoch + 1, &held, &error));
    assert_int_equal(held->len, 1);
    const char *text = g_ptr_array_index(held, 0);
    if (!g_str_has_prefix(text, "chunk 1 of table s.small by ") || strstr(text, " pid ") == NULL ||
        strstr(text, worker) == NULL)
        fail_msg("%s", text);
    MUST(control_copy_held(&fixture->control, epoch, &others, &error));
    assert_int_equal(others->len, 0);
    close_control(&session);
    close_control(&control);
}

static void test_the_copy_ends_once_at_its_highest_high(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    fixture->migration.start = (Position){3, 0};
    target_scratch_run(fixture->database,
                       "update drover.migration set phase = 'copying', snapshot = 'x'; "
                       "update drover.tables set state = 'keyed'");
    add_ranges(fixture, 1, 1, "x");
    MUST_FAIL(control_copy_finish(control, &error), DROVER_ERROR_BUG);
    assert_answer(fixture, "select phase from drover.migration", "copying");
    g_autoptr(Chunk) chunk = claim(control);
    finish(control, chunk, 0x25, true);
    MUST(control_copy_finish(control, &error));
    assert_answer(fixture, "select phase, consistent_position, snapshot from drover.migration",
                  "catching_up,0/25,null");
    target_scratch_run(fixture->database, "update drover.migration set phase = 'indexing'; "
                                          "update drover.chunk set high = '0/99'");
    MUST(control_copy_finish(control, &error));
    assert_answer(fixture, "select phase, consistent_position from drover.migration",
                  "indexing,0/25");
}

static void test_a_copy_of_nothing_but_the_snapshot_is_consistent_at_the_start(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    fixture->migration.start = (Position){3, 0};
    target_scratch_run(fixture->database, "update drover.migration set phase = 'copying'; "
                                          "update drover.tables set state = 'keyed'");
    MUST(control_copy_finish(&fixture->control, &error));
    assert_answer(fixture, "select consistent_position from drover.migration", "0/3");
}

static void test_a_copy_with_a_table_to_do_is_not_at_its_end(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    target_scratch_run(fixture->database, "update drover.migration set phase = 'copying'; "
                                          "update drover.tables set state = 'keyed' where id = 1");
    MUST_FAIL(control_copy_finish(&fixture->control, &error), DROVER_ERROR_BUG);
}

static void test_only_the_snapshot_that_was_lost_is_forgotten(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    MUST(control_set(control, "snapshot", "new", &error));
    MUST(control_snapshot_forget(control, "old", &error));
    assert_answer(fixture, "select snapshot from drover.migration", "new");
    MUST(control_snapshot_forget(control, "new", &error));
    assert_answer(fixture, "select snapshot from drover.migration", "null");
}

static void test_a_table_in_doubt_says_why(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    MUST(control_table_in_doubt(&fixture->control, 1, "it was rewritten", &error));
    assert_answer(fixture, "select in_doubt from drover.tables where id = 1", "it was rewritten");
    MUST_FAIL(control_table_in_doubt(&fixture->control, 9, "x", &error), DROVER_ERROR_BUG);
}

/* --- Refetch list and objects ----------------------------------------------------------------- */

static void test_refetch_keys_come_back_byte_by_byte(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    const guint8 bytes[] = {0, 1, '\\', '\'', 0xFF, 0};
    Cell cells[] = {{bytes, sizeof bytes, CELL_VALUE}, {NULL, 0, CELL_VALUE}};
    const Row key = {cells, 2};
    MUST(control_refetch_add(control, 2, &key, "no row", &error));
    MUST(control_refetch_add(control, 2, &key, "no row", &error));
    g_autoptr(GArray) keys = NULL, none = NULL;
    MUST(control_refetch_list(control, 10, &keys, &error));
    assert_int_equal(keys->len, 1);
    const RefetchKey *found = &g_array_index(keys, RefetchKey, 0);
    Row back;
    assert_int_equal(found->table, 2);
    assert_true(row_unpack(found->packed->data, found->packed->len, 2, &back));
    assert_true(row_equal(&back, &key));
    g_free(back.cells);
    MUST(control_refetch_remove(control, 2, &key, &error));
    MUST(control_refetch_list(control, 10, &none, &error));
    assert_int_equal(none->len, 0);
}

static void test_differences_are_listed_once_byte_by_byte(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    const char *const keys[] = {"(a)=(x)", "(a)=(x )", "(a)=(X)", "(a)=(\xC3\xA9)", "(a)=(e)"};
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        MUST(control_difference_add(control, 1, "missing", keys[i], &error));
        MUST(control_difference_add(control, 1, "missing", keys[i], &error));
    }
    assert_answer(fixture, "select count(*), count(distinct d.key) from drover.difference d",
                  "5,5");
}

static void test_objects_are_recorded_once_and_forgotten(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    GError *error = NULL;
    MUST(control_object_add(control, "source", "slot", "drover_shop", &error));
    MUST(control_object_add(control, "source", "slot", "drover_shop", &error));
    assert_answer(fixture, "select count(*) from drover.object", "1");
    MUST(control_object_remove(control, "source", "slot", "drover_shop", &error));
    assert_answer(fixture, "select count(*) from drover.object", "0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_EMPTY(name) cmocka_unit_test_setup_teardown(name, set_up_empty, tear_down)

/* An argument: the one server to run them on. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST_EMPTY(test_installed_is_false_on_an_empty_target),
        TEST_EMPTY(test_many_processes_may_install_at_once),
        TEST_EMPTY(test_what_a_killed_install_left_is_completed),
        TEST(test_uninstalling_leaves_nothing),
        TEST(test_what_somebody_else_put_there_keeps_all),
        TEST(test_a_role_gets_a_higher_epoch_each_time),
        TEST(test_a_lease_names_its_holder),
        TEST(test_a_role_needs_its_migration_in_the_target),
        TEST(test_a_taken_over_worker_cannot_write),
        TEST(test_many_share_a_role_each_with_an_epoch_of_its_own),
        TEST(test_who_takes_a_shared_role_alone_fences_off_all_sharers),
        TEST(test_joining_with_a_take_over_lets_others_in_again),
        TEST(test_joining_sweeps_up_after_those_who_have_gone),
        TEST(test_an_epoch_never_comes_again),
        TEST(test_a_worker_of_a_dropped_migration_cannot_register),
        TEST(test_a_role_owns_only_its_own_workers),
        TEST(test_registering_again_keeps_the_progress),
        TEST(test_a_rolled_back_write_leaves_no_trace),
        TEST(test_many_processes_may_join_and_register_at_once),
        TEST(test_columns_of_the_migration_come_back),
        TEST(test_progress_comes_back_to_the_last_bit),
        TEST(test_progress_of_a_new_worker_is_zero),
        TEST(test_accounts_add_up),
        TEST(test_bounds_may_hold_any_character),
        TEST(test_chunks_are_claimed_from_big_tables_first_and_by_one_session),
        TEST(test_a_claim_ends_with_its_session),
        TEST(test_a_chunk_that_is_done_is_never_claimed_again),
        TEST(test_a_plan_of_many_chunks_keeps_their_order),
        TEST(test_the_last_chunk_of_a_table_is_noticed),
        TEST(test_the_copy_state_has_the_highest_high),
        TEST(test_tables_are_planned_by_one_session_big_ones_first),
        TEST(test_a_copied_table_waits_for_its_key),
        TEST(test_a_claim_locks_nothing_but_what_it_claims),
        TEST(test_who_holds_what_is_told),
        TEST(test_the_copy_ends_once_at_its_highest_high),
        TEST(test_a_copy_of_nothing_but_the_snapshot_is_consistent_at_the_start),
        TEST(test_a_copy_with_a_table_to_do_is_not_at_its_end),
        TEST(test_only_the_snapshot_that_was_lost_is_forgotten),
        TEST(test_a_table_in_doubt_says_why),
        TEST(test_refetch_keys_come_back_byte_by_byte),
        TEST(test_differences_are_listed_once_byte_by_byte),
        TEST(test_objects_are_recorded_once_and_forgotten),
    };
    int failed = 0;
    for (guint i = 0; target_servers[i] != NULL; i++) {
        server = target_servers[i];
        if (argc > 1 && strcmp(argv[1], server) != 0) {
            continue;
        }
        failed += cmocka_run_group_tests_name(server, tests, NULL, NULL);
    }
    return failed;
}
