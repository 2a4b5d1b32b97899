#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "tests/support/copy_test.h"
#include "tests/support/must.h"

#include <string.h>

static void forget_the_copy(CopyTest *fixture)
{
    scratch_run(fixture->target,
                "delete from drover.chunk; update drover.tables set state = 'planned'; "
                "update drover.ddl set done = false; drop table public.large; "
                "create table public.large (id integer, note text)");
}

/* False where it failed on cue. */
static bool try_the_whole_copy(CopyTest *fixture)
{
    g_autoptr(GError) error = NULL;
    CopySettings settings = copy_test_settings_of(fixture, 1, NULL);
    Copy *copy = copy_test_try_plan(fixture, NULL, &error) ? copy_new(&settings, &error) : NULL;
    StepResult result = copy != NULL ? copy_test_run_steps(copy, &error) : STEP_FAILED;
    copy_free(copy);
    assert_true(result == STEP_DONE || drover_error_is_retry(error));
    return result == STEP_DONE;
}

static void fail_at_every_statement(CopyTest *fixture)
{
    bool done = false;
    copy_test_add_plain(fixture, "large", 2500);
    for (gint at = 1; !done; at++) {
        forget_the_copy(fixture);
        copy_test_cues.statements = 0;
        copy_test_cues.fail_at_statement = at;
        done = try_the_whole_copy(fixture);
        assert_true(done || try_the_whole_copy(fixture));
        copy_test_assert_equal_rows(fixture, "large");
        copy_test_assert_all_keyed(fixture);
        assert_int_equal(scratch_number(fixture->target, "select sum(rows) from drover.chunk"),
                         2500);
    }
    assert_true(copy_test_cues.fail_at_statement > 20);
}

static void test_a_copy_survives_a_failure_at_every_statement(void **state)
{
    fail_at_every_statement(*state);
}

static void test_a_copy_survives_a_lost_answer_of_every_statement(void **state)
{
    copy_test_cues.answer_lost = true;
    fail_at_every_statement(*state);
}

static void test_a_high_that_is_not_flushed_leaves_the_chunk_to_do(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "small", 3);
    copy_test_plan(fixture, NULL);
    copy_test_cues.fail_read_end = 1;
    Copy *copy = copy_test_start(fixture, 1, NULL);
    assert_int_equal(copy_step(copy, &error), STEP_FAILED);
    copy_free(copy);
    assert_int_equal(copy_test_chunks(fixture, "done"), 0);
    copy_test_cues.fail_read_end = 0;
    copy_test_run_to_the_end(fixture, NULL);
    copy_test_assert_equal_rows(fixture, "small");
}

static void test_a_failed_copy_goes_on_where_it_was(void **state)
{
    CopyTest *fixture = *state;
    static const gint at[] = {1, 2, 999, 1000, 1001, 1003, 4321, 7990, 8001};
    copy_test_add_plain(fixture, "large", 8000);
    for (gsize i = 0; i < G_N_ELEMENTS(at); i++) {
        g_autoptr(GError) error = NULL;
        forget_the_copy(fixture);
        copy_test_plan(fixture, NULL);
        copy_test_cues.blocks = 0;
        copy_test_cues.fail_at_block = at[i];
        Copy *copy = copy_test_start(fixture, 1, NULL);
        assert_int_equal(copy_test_run_steps(copy, &error), STEP_FAILED);
        assert_true(drover_error_is_retry(error));
        assert_non_null(strstr(error->message, "public.large"));
        copy_free(copy);
        scratch_run(fixture->target, "create table public.before as select chunk, copied_at "
                                     "from drover.chunk where state = 'done'");
        copy_test_run_to_the_end(fixture, NULL);
        copy_test_assert_equal_rows(fixture, "large");
        copy_test_assert_all_keyed(fixture);
        assert_int_equal(scratch_number(fixture->target,
                                        "select count(*) from public.before b join drover.chunk c "
                                        "using (chunk) where b.copied_at <> c.copied_at"),
                         0);
        scratch_run(fixture->target, "drop table public.before");
    }
}

static void test_a_failed_chunk_is_not_counted(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    guint64 rows, bytes;
    /* Wide rows: the counters hear of a chunk before it ends. */
    Table *table = copy_test_add_plain(fixture, "large", 3000);
    scratch_run(fixture->source, "update public.large set note = repeat('x', 2000)");
    copy_test_measure(fixture, table);
    copy_test_plan(fixture, NULL);
    copy_test_cues.fail_at_block = 1700;
    Copy *copy = copy_test_start(fixture, 1, NULL);
    assert_int_equal(copy_test_run_steps(copy, &error), STEP_FAILED);
    copy_free(copy);
    copy_board_counts(fixture->board, &rows, &bytes);
    assert_int_equal(
        scratch_number(fixture->target, "select coalesce(sum(rows), 0) from drover.chunk"), rows);
    assert_int_equal(
        scratch_number(fixture->target, "select coalesce(sum(bytes), 0) from drover.chunk"), bytes);
}

static void test_workers_outlive_the_failure_of_one(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "large", 30000);
    copy_test_plan(fixture, NULL);
    copy_test_cues.fail_at_block = 1200;
    Copy *failing = copy_test_start(fixture, 5, NULL);
    assert_int_equal(copy_test_run_steps(failing, &error), STEP_FAILED);
    copy_test_run_workers(fixture, NULL);
    copy_free(failing);
    copy_test_assert_equal_rows(fixture, "large");
}

static void test_a_stop_leaves_the_chunk_to_do(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "large", 5000);
    copy_test_plan(fixture, NULL);
    gint64 planned = copy_test_chunks(fixture, "todo");
    copy_test_cues.stop_at_block = 1500;
    Copy *copy = copy_test_start(fixture, 1, NULL);
    assert_int_equal(copy_test_run_steps(copy, &error), STEP_IDLE);
    assert_null(error);
    copy_free(copy);
    assert_int_equal(copy_test_chunks(fixture, "done"), 1);
    assert_int_equal(copy_test_chunks(fixture, "todo"), planned - 1);
    g_atomic_int_set(&copy_test_cues.runtime.stop, 0);
    copy_test_run_to_the_end(fixture, NULL);
    copy_test_assert_equal_rows(fixture, "large");
}

static void test_a_key_that_a_crash_left_out_is_built(void **state)
{
    CopyTest *fixture = *state;
    g_autoptr(GError) error = NULL;
    copy_test_add_plain(fixture, "large", 3000);
    copy_test_add_plain(fixture, "small", 3);
    copy_test_plan(fixture, NULL);
    Copy *copy = copy_test_start(fixture, 1, NULL);
    while (copy_test_chunks(fixture, "todo") > 0) {
        MUST(copy_step(copy, &error) == STEP_WORKED);
    }
    copy_free(copy);
    assert_int_not_equal(
        scratch_number(fixture->target,
                       "select count(*) from drover.tables where state <> 'keyed'"),
        0);
    copy_test_run_workers(fixture, NULL);
    copy_test_assert_all_keyed(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, copy_test_set_up, copy_test_tear_down)

int main(void)
{
    drover_error_quark();
    const struct CMUnitTest tests[] = {
        TEST(test_a_copy_survives_a_failure_at_every_statement),
        TEST(test_a_copy_survives_a_lost_answer_of_every_statement),
        TEST(test_a_high_that_is_not_flushed_leaves_the_chunk_to_do),
        TEST(test_a_failed_copy_goes_on_where_it_was),
        TEST(test_a_failed_chunk_is_not_counted),
        TEST(test_workers_outlive_the_failure_of_one),
        TEST(test_a_stop_leaves_the_chunk_to_do),
        TEST(test_a_key_that_a_crash_left_out_is_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
