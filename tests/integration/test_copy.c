#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "tests/support/copy_test.h"
#include "tests/support/must.h"

#include <string.h>

/* --- The whole way ------------------------------------------------------------------------------
 */

static void test_workers_copy_every_row_once(void **state)
{
    CopyTest *fixture = *state;
    guint64 rows, bytes;
    copy_test_add_plain(fixture, "large", 200000);
    copy_test_add_plain(fixture, "small", 3);
    copy_test_add_plain(fixture, "empty", 0);
    copy_test_add_odd(fixture, 20000);
    copy_test_plan(fixture, NULL);
    assert_true(copy_test_chunks(fixture, "todo") > 100);
    copy_test_run_workers(fixture, NULL);
    assert_int_equal(copy_test_chunks(fixture, "todo"), 0);
    copy_test_assert_equal_rows(fixture, "large");
    copy_test_assert_equal_rows(fixture, "small");
    copy_test_assert_equal_rows(fixture, "empty");
    copy_test_assert_equal_rows(fixture, "odd");
    copy_test_assert_all_keyed(fixture);
    copy_board_counts(fixture->board, &rows, &bytes);
    assert_int_equal(rows, 220003);
    assert_int_equal(scratch_number(fixture->target, "select sum(rows) from drover.chunk"), 220003);
    assert_int_equal(scratch_number(fixture->target, "select sum(bytes) from drover.chunk"), bytes);
    copy_board_in_flight(fixture->board, &rows, &bytes);
    assert_int_equal(rows, 0);
    assert_int_equal(bytes, 0);
}

static void test_every_chunk_knows_a_high_of_its_own(void **state)
{
    CopyTest *fixture = *state;
    copy_test_add_plain(fixture, "large", 5000);
    copy_test_plan(fixture, NULL);
    scratch_run(fixture->source, "create table public.other (x integer)");
    copy_test_run_to_the_end(fixture, NULL);
    assert_int_equal(scratch_number(fixture->target, "select count(*) from drover.chunk where high "
                                                     "is null or high::pg_lsn <= '0/0'"),
                     0);
}

static void test_planning_again_adds_no_chunks(void **state)
{
    CopyTest *fixture = *state;
    copy_test_add_plain(fixture, "large", 5000);
    copy_test_plan(fixture, NULL);
    gint64 planned = copy_test_chunks(fixture, "todo");
    copy_test_plan(fixture, NULL);
    assert_int_equal(copy_test_chunks(fixture, "todo"), planned);
}

static void test_an_exported_snapshot_is_copied_as_of_its_start(void **state)
{
    CopyTest *fixture = *state;
    g_autofree char *snapshot = NULL;
    copy_test_add_plain(fixture, "large", 20000);
    PGconn *holder = copy_test_export_snapshot(fixture, &snapshot);
    scratch_run(fixture->source, "delete from public.large where id <= 50; "
                                 "insert into public.large values (1000000, 'late')");
    copy_test_plan(fixture, snapshot);
    copy_test_run_workers(fixture, snapshot);
    PQfinish(holder);
    assert_int_equal(scratch_number(fixture->target, "select count(*) from public.large"), 20000);
    g_autofree char *highs =
        scratch_ask(fixture->target, "select string_agg(distinct high, ' ') from drover.chunk");
    assert_string_equal(highs, "1/23456789");
}

static void test_a_lost_snapshot_is_replaced_by_new_ones(void **state)
{
    CopyTest *fixture = *state;
    g_autofree char *snapshot = NULL;
    copy_test_add_plain(fixture, "large", 20000);
    PGconn *holder = copy_test_export_snapshot(fixture, &snapshot);
    copy_test_plan(fixture, snapshot);
    Copy *copy = copy_test_start(fixture, 1, snapshot);
    g_autoptr(GError) error = NULL;
    MUST(copy_step(copy, &error) == STEP_WORKED);
    copy_free(copy);
    PQfinish(holder);
    scratch_run(fixture->source, "update public.large set note = 'late' where id = 20000");
    copy_test_run_workers(fixture, snapshot);
    copy_test_assert_equal_rows(fixture, "large");
    assert_int_equal(scratch_number(fixture->target,
                                    "select count(*) from drover.chunk where high = '1/23456789'"),
                     1);
}

/* A server that was started again may give the same name to another snapshot. */
static void test_a_snapshot_of_another_time_is_not_taken_for_the_exported_one(void **state)
{
    CopyTest *fixture = *state;
    g_autofree char *old = NULL, *name = NULL;
    copy_test_add_plain(fixture, "small", 3);
    PGconn *holder = copy_test_export_snapshot(fixture, &old);
    PQfinish(holder);
    scratch_run(fixture->source, "insert into public.small values (4, 'late')");
    g_autofree char *recent = NULL;
    holder = copy_test_export_snapshot(fixture, &recent);
    *strrchr(recent, ' ') = '\0';
    name = g_strconcat(recent, strrchr(old, ' '), NULL);
    copy_test_plan(fixture, name);
    copy_test_run_to_the_end(fixture, name);
    PQfinish(holder);
    copy_test_assert_equal_rows(fixture, "small");
    assert_int_equal(scratch_number(fixture->target,
                                    "select count(*) from drover.chunk where high = '1/23456789'"),
                     0);
    assert_true(copy_board_snapshot_lost(fixture->board));
}

/* --- Beside other processes ---------------------------------------------------------------------
 */

/* A session that stands still with a claim, as a process that is stopped leaves it. */
static void claim_and_stand_still(CopyTest *fixture, const char *what)
{
    scratch_run(fixture->target, "begin; %s", what);
}

static void test_a_chunk_that_another_process_has_is_left_to_it(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "large", 5000);
    copy_test_plan(fixture, NULL);
    claim_and_stand_still(fixture, "select from drover.chunk where chunk = 2 for update");
    Copy *copy = copy_test_start(fixture, 1, NULL);
    StepResult result;
    while ((result = copy_step(copy, &error)) == STEP_WORKED)
        ;
    assert_int_equal(result, STEP_IDLE);
    assert_int_equal(copy_test_chunks(fixture, "todo"), 1);
    scratch_run(fixture->target, "rollback");
    assert_int_equal(copy_test_run_steps(copy, &error), STEP_DONE);
    copy_free(copy);
    copy_test_assert_equal_rows(fixture, "large");
    copy_test_assert_all_keyed(fixture);
}

static void test_a_key_that_another_process_builds_is_waited_for(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_plan(fixture, NULL);
    Copy *copy = copy_test_start(fixture, 1, NULL);
    MUST(copy_step(copy, &error) == STEP_WORKED);
    claim_and_stand_still(fixture, "select from drover.tables for no key update");
    assert_int_equal(copy_step(copy, &error), STEP_IDLE);
    scratch_run(fixture->target, "rollback");
    assert_int_equal(copy_test_run_steps(copy, &error), STEP_DONE);
    copy_free(copy);
    copy_test_assert_all_keyed(fixture);
}

static void test_a_table_that_another_process_plans_is_waited_for(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_add_plain(fixture, "large", 3000);
    claim_and_stand_still(fixture, "select from drover.tables where id = 2 for no key update");
    Copy *copy = copy_test_start(fixture, 1, NULL);
    MUST(copy_plan_step(copy, &error) == STEP_WORKED);
    assert_int_equal(copy_plan_step(copy, &error), STEP_IDLE);
    assert_int_equal(copy_test_chunks(fixture, "todo"), 1);
    scratch_run(fixture->target, "rollback");
    MUST(copy_plan_step(copy, &error) == STEP_WORKED);
    assert_int_equal(copy_plan_step(copy, &error), STEP_DONE);
    copy_free(copy);
}

/* --- What else may happen ------------------------------------------------------------------------
 */

static void test_a_paused_copy_waits(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_plan(fixture, NULL);
    scratch_run(fixture->target, "update drover.migration set paused = true");
    Copy *copy = copy_test_start(fixture, 1, NULL);
    assert_int_equal(copy_step(copy, &error), STEP_IDLE);
    assert_int_equal(copy_test_cues.waits, 1);
    assert_int_equal(copy_test_chunks(fixture, "done"), 0);
    scratch_run(fixture->target, "update drover.migration set paused = false");
    assert_int_equal(copy_step(copy, &error), STEP_WORKED);
    copy_free(copy);
}

static void test_a_copy_that_was_taken_over_writes_nothing(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_plan(fixture, NULL);
    Copy *copy = copy_test_start(fixture, 1, NULL);
    scratch_run(fixture->target, "update drover.progress set epoch = epoch + 1");
    assert_int_equal(copy_step(copy, &error), STEP_FAILED);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    copy_free(copy);
    assert_int_equal(scratch_number(fixture->target, "select count(*) from public.small"), 0);
}

static void test_lost_rows_are_a_bug(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_plan(fixture, NULL);
    copy_test_cues.lose_rows = 1;
    Copy *copy = copy_test_start(fixture, 1, NULL);
    assert_int_equal(copy_step(copy, &error), STEP_FAILED);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_BUG));
    copy_free(copy);
    assert_int_equal(scratch_number(fixture->target, "select count(*) from public.small"), 0);
}

static void test_a_rewritten_table_is_in_doubt(void **state)
{
    CopyTest *fixture = *state;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_add_plain(fixture, "large", 3000);
    copy_test_plan(fixture, NULL);
    scratch_run(fixture->source, "truncate public.large");
    copy_test_run_to_the_end(fixture, NULL);
    g_autofree char *doubt =
        scratch_ask(fixture->target,
                    "select string_agg(source_name || ': ' || in_doubt, ' ') from drover.tables");
    assert_true(g_str_has_prefix(doubt, "large: "));
    copy_test_assert_equal_rows(fixture, "large");
}

static void test_sessions_are_renewed_after_a_huge_row(void **state)
{
    CopyTest *fixture = *state;
    Table *table = copy_test_add_plain(fixture, "small", 3);
    scratch_run(fixture->source,
                "update public.small set note = repeat('0123456789abcdef', 1100000) where id = 2");
    copy_test_measure(fixture, table);
    copy_test_plan(fixture, NULL);
    gint before = copy_test_cues.source_opened;
    copy_test_run_to_the_end(fixture, NULL);
    copy_test_assert_equal_rows(fixture, "small");
    assert_int_equal(copy_test_cues.source_opened - before, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, copy_test_set_up, copy_test_tear_down)

int main(void)
{
    drover_error_quark();
    const struct CMUnitTest tests[] = {
        TEST(test_workers_copy_every_row_once),
        TEST(test_every_chunk_knows_a_high_of_its_own),
        TEST(test_planning_again_adds_no_chunks),
        TEST(test_an_exported_snapshot_is_copied_as_of_its_start),
        TEST(test_a_lost_snapshot_is_replaced_by_new_ones),
        TEST(test_a_snapshot_of_another_time_is_not_taken_for_the_exported_one),
        TEST(test_a_chunk_that_another_process_has_is_left_to_it),
        TEST(test_a_key_that_another_process_builds_is_waited_for),
        TEST(test_a_table_that_another_process_plans_is_waited_for),
        TEST(test_a_paused_copy_waits),
        TEST(test_a_copy_that_was_taken_over_writes_nothing),
        TEST(test_lost_rows_are_a_bug),
        TEST(test_a_rewritten_table_is_in_doubt),
        TEST(test_sessions_are_renewed_after_a_huge_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
