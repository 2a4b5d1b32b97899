#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/chunk.h"

#define MIB ((gint64)1 << 20)

static gint64 rows_of(gint64 rows, gint64 bytes, guint workers)
{
    const Table table = {.estimated_rows = rows, .bytes = bytes};
    return chunk_rows(&table, workers);
}

static void test_a_chunk_is_about_64_mib(void **state)
{
    (void)state;
    gint64 kib_rows = rows_of(100 * MIB, 100 * MIB * 1024, 4);
    assert_int_equal(kib_rows, 64 * 1024);
}

static void test_a_chunk_of_narrow_rows_is_500000_rows(void **state)
{
    (void)state;
    assert_int_equal(rows_of(1000 * MIB, 1000 * MIB * 30, 4), 500000);
}

static void test_a_table_keeps_every_worker_busy_four_times(void **state)
{
    (void)state;
    assert_int_equal(1600 * 1024 / rows_of(1600 * 1024, 1600 * MIB, 10), 40);
}

static void test_a_small_table_is_one_chunk(void **state)
{
    (void)state;
    assert_true(rows_of(10000, MIB, 4) > 10000);
    assert_true(rows_of(0, 0, 4) > 0);
}

static void test_a_table_that_was_never_counted_is_cut_by_its_size(void **state)
{
    (void)state;
    gint64 rows = rows_of(-1, 100000 * MIB, 4);
    assert_true(rows >= 100000 && rows <= 500000);
}

static void test_wrong_statistics_make_no_tiny_chunks(void **state)
{
    (void)state;
    assert_int_equal(rows_of(1, 1000000 * MIB, 4), 1000);
}

static void test_one_worker_speaks_for_all_that_wait_and_not_at_once(void **state)
{
    (void)state;
    const gint64 second = G_USEC_PER_SEC;
    CopyBoard *board = copy_board_new();
    assert_false(copy_board_waits(board, 100 * second));
    assert_false(copy_board_waits(board, 105 * second));
    assert_true(copy_board_waits(board, 110 * second));
    assert_false(copy_board_waits(board, 110 * second));
    assert_true(copy_board_waits(board, 170 * second));
    copy_board_works(board);
    assert_false(copy_board_waits(board, 300 * second));
    assert_true(copy_board_waits(board, 310 * second));
    copy_board_free(board);
}

static void test_what_a_failed_chunk_counted_is_taken_back(void **state)
{
    (void)state;
    guint64 rows, bytes;
    CopyBoard *board = copy_board_new();
    CopyFlight *kept = copy_board_depart(board), *lost = copy_board_depart(board);
    copy_board_count(board, kept, 5, 50);
    copy_board_count(board, lost, 3, 30);
    copy_board_in_flight(board, &rows, &bytes);
    assert_int_equal(rows, 8);
    assert_int_equal(bytes, 80);
    copy_board_arrive(board, kept, true);
    copy_board_arrive(board, lost, false);
    copy_board_counts(board, &rows, &bytes);
    assert_int_equal(rows, 5);
    assert_int_equal(bytes, 50);
    copy_board_in_flight(board, &rows, &bytes);
    assert_int_equal(rows, 0);
    copy_board_free(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chunk_is_about_64_mib),
        cmocka_unit_test(test_a_chunk_of_narrow_rows_is_500000_rows),
        cmocka_unit_test(test_a_table_keeps_every_worker_busy_four_times),
        cmocka_unit_test(test_a_small_table_is_one_chunk),
        cmocka_unit_test(test_a_table_that_was_never_counted_is_cut_by_its_size),
        cmocka_unit_test(test_wrong_statistics_make_no_tiny_chunks),
        cmocka_unit_test(test_one_worker_speaks_for_all_that_wait_and_not_at_once),
        cmocka_unit_test(test_what_a_failed_chunk_counted_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
