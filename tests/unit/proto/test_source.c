#include "proto/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static ReadBounds bounds_of(guint64 xmin, guint64 xmax, guint n, const guint64 *running)
{
    ReadBounds bounds = {.xmin = xmin, .xmax = xmax};
    bounds.running = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_array_append_vals(bounds.running, running, n);
    return bounds;
}

static void test_running_and_later_transactions_are_not_seen(void **state)
{
    (void)state;
    const guint64 running[] = {10, 13, 17, 0x100000010};
    ReadBounds bounds = bounds_of(10, 0x100000020, G_N_ELEMENTS(running), running);
    const guint64 seen[] = {3, 9, 11, 12, 14, 16, 18, 0x10000000f, 0x10000001f};
    const guint64 unseen[] = {10, 13, 17, 0x100000010, 0x100000020, 0x100000021};
    for (gsize i = 0; i < G_N_ELEMENTS(seen); i++)
        assert_true(read_bounds_include(&bounds, seen[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(unseen); i++)
        assert_false(read_bounds_include(&bounds, unseen[i]));
    read_bounds_clear(&bounds);
    assert_null(bounds.running);
}

static void test_without_running_transactions_xmax_decides(void **state)
{
    (void)state;
    ReadBounds empty = bounds_of(5, 5, 0, NULL), none = {.xmin = 5, .xmax = 7};
    assert_true(read_bounds_include(&empty, 4));
    assert_false(read_bounds_include(&empty, 5));
    assert_true(read_bounds_include(&none, 6));
    read_bounds_clear(&empty);
    read_bounds_clear(&none);
}

static void test_a_digest_tells_reads_apart_that_saw_different_transactions(void **state)
{
    (void)state;
    const guint64 running[] = {10, 13}, other[] = {10, 14};
    ReadBounds first = bounds_of(10, 20, 2, running), same = bounds_of(10, 20, 2, running);
    ReadBounds fewer = bounds_of(10, 20, 1, running), others = bounds_of(10, 20, 2, other);
    ReadBounds later = bounds_of(10, 21, 2, running);
    first.before = (Position){5, 0}; /* where the log was says nothing of what was seen */
    assert_true(read_bounds_digest(&first) == read_bounds_digest(&same));
    assert_true(read_bounds_digest(&first) != read_bounds_digest(&fewer));
    assert_true(read_bounds_digest(&first) != read_bounds_digest(&others));
    assert_true(read_bounds_digest(&first) != read_bounds_digest(&later));
    read_bounds_clear(&first);
    read_bounds_clear(&same);
    read_bounds_clear(&fewer);
    read_bounds_clear(&others);
    read_bounds_clear(&later);
}

#define ORIGIN "3e11fa47-71ca-11e1-9e33-c80aa9429562:"

static void test_a_set_of_gtids_reaches_what_it_contains(void **state)
{
    (void)state;
    ReadBounds bounds = {.kind = BOUNDS_GTIDS, .gtids = g_strdup(ORIGIN "1-5:7")};
    Transaction seen = {.resume = ORIGIN "1-5", .position = {9, 9}};
    Transaction later = {.resume = ORIGIN "1-6", .position = {1, 1}};
    assert_true(read_bounds_saw(&bounds, &seen));
    assert_false(read_bounds_saw(&bounds, &later));
    assert_true(read_bounds_reach(&bounds, seen.position, ORIGIN "1-4 since " ORIGIN "1-2"));
    assert_false(read_bounds_reach(&bounds, seen.position, NULL));
    ReadBounds other = {.kind = BOUNDS_GTIDS, .gtids = g_strdup(ORIGIN "1-7")};
    assert_true(read_bounds_digest(&bounds) != read_bounds_digest(&other));
    read_bounds_clear(&bounds);
    read_bounds_clear(&other);
    assert_null(bounds.gtids);
}

static void test_an_exact_position_reaches_what_ends_at_or_below_it(void **state)
{
    (void)state;
    ReadBounds bounds = {.kind = BOUNDS_POSITION, .low = {3, 400}};
    assert_true(read_bounds_saw(&bounds, &(Transaction){.position = {3, 400}}));
    assert_true(read_bounds_reach(&bounds, (Position){2, 9000}, "0-1-5"));
    assert_false(read_bounds_saw(&bounds, &(Transaction){.position = {3, 401}}));
    ReadBounds other = {.kind = BOUNDS_POSITION, .low = {3, 401}};
    assert_true(read_bounds_digest(&bounds) != read_bounds_digest(&other));
}

static void test_a_cleared_range_can_be_cleared_again(void **state)
{
    (void)state;
    KeyRange range = {.lower = g_strsplit("1 2", " ", 0)};
    key_range_clear(&range);
    key_range_clear(&range);
    assert_null(range.lower);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_running_and_later_transactions_are_not_seen),
        cmocka_unit_test(test_without_running_transactions_xmax_decides),
        cmocka_unit_test(test_a_digest_tells_reads_apart_that_saw_different_transactions),
        cmocka_unit_test(test_a_set_of_gtids_reaches_what_it_contains),
        cmocka_unit_test(test_an_exact_position_reaches_what_ends_at_or_below_it),
        cmocka_unit_test(test_a_cleared_range_can_be_cleared_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
