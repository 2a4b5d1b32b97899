#include "proto/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_major_orders_before_minor(void **state)
{
    (void)state;
    Position low = {1, 9}, high = {2, 0}, higher = {2, 1};
    assert_true(position_compare(low, high) < 0);
    assert_true(position_compare(higher, high) > 0);
    assert_int_equal(position_compare(high, high), 0);
}

static void test_positions_compare_unsigned(void **state)
{
    (void)state;
    assert_true(position_compare((Position){G_MAXUINT64, 0}, (Position){1, 0}) > 0);
    assert_true(position_compare((Position){1, G_MAXUINT64}, (Position){1, 1}) > 0);
}

static void test_only_the_zero_position_is_zero(void **state)
{
    (void)state;
    assert_true(position_is_zero((Position){0, 0}));
    assert_false(position_is_zero((Position){1, 0}));
    assert_false(position_is_zero((Position){0, 1}));
}

static void test_an_lsn_is_printed_as_postgresql_does(void **state)
{
    (void)state;
    char text[POSITION_TEXT_SIZE];
    assert_string_equal(position_format((Position){0x16B374D848, 0}, text), "16/B374D848");
    assert_string_equal(position_format((Position){0, 0}, text), "0/0");
}

static void test_a_place_in_a_binlog_has_the_number_that_its_file_ends_in(void **state)
{
    (void)state;
    char text[POSITION_TEXT_SIZE];
    assert_string_equal(position_format((Position){12, 345}, text), "000012:345");
    assert_string_equal(position_format((Position){1234567, 4}, text), "1234567:4");
}

static void test_places_of_a_later_server_come_behind_all_of_the_one_before(void **state)
{
    (void)state;
    char text[POSITION_TEXT_SIZE];
    Position before = {position_major(1, 4000000000), G_MAXUINT64},
             behind = {position_major(2, 1), 4};
    assert_true(position_compare(before, behind) < 0);
    assert_int_equal(position_era(behind), 2);
    assert_string_equal(position_format(behind, text), "2:000001:4");
    assert_int_equal(position_distance(before, behind), -1);
}

static void test_distances_are_bytes_of_one_log_file(void **state)
{
    (void)state;
    assert_int_equal(position_distance((Position){0x100, 0}, (Position){0x16B374D848, 0}),
                     0x16B374D748);
    assert_int_equal(position_distance((Position){0x100, 0}, (Position){0x100, 0}), 0);
    assert_int_equal(position_distance((Position){0x101, 0}, (Position){0x100, 0}), 0);
    assert_int_equal(position_distance((Position){12, 4}, (Position){12, 345}), 341);
    assert_int_equal(position_distance((Position){12, 345}, (Position){12, 4}), 0);
    assert_int_equal(position_distance((Position){13, 4}, (Position){12, 345}), 0);
    assert_int_equal(position_distance((Position){12, 4}, (Position){13, 345}), -1);
    assert_int_equal(position_distance((Position){0, 0}, (Position){13, 345}), -1);
}

static void test_every_position_reads_back(void **state)
{
    (void)state;
    const guint64 values[] = {0, 1, 0xffffffff, 0x100000000, 0x8000000000000000, G_MAXUINT64};
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        for (gsize j = 0; j < G_N_ELEMENTS(values); j++) {
            Position before = {values[i], values[j]}, after = {7, 7};
            char text[POSITION_TEXT_SIZE];
            assert_true(position_parse(position_format(before, text), &after));
            assert_int_equal(position_compare(before, after), 0);
        }
}

static void test_other_texts_are_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"",
                                 "/",
                                 "0",
                                 "0/",
                                 "/0",
                                 "G/0",
                                 "0/ 1",
                                 "123456789/0",
                                 "0/0 ",
                                 "0/0:",
                                 "12:",
                                 ":12",
                                 "12:x",
                                 "A:1",
                                 "0:2:3",
                                 "1:2:3:4",
                                 "1::3",
                                 "4294967296:3",
                                 "4294967296:2:3",
                                 "-1/0",
                                 "0x1/0",
                                 "0/0:1",
                                 "0:1 ",
                                 "0:-1",
                                 "0/0/0",
                                 " 1/2",
                                 "0:18446744073709551616"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        Position position = {7, 8};
        assert_false(position_parse(texts[i], &position));
        assert_int_equal(position.major, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_major_orders_before_minor),
        cmocka_unit_test(test_positions_compare_unsigned),
        cmocka_unit_test(test_only_the_zero_position_is_zero),
        cmocka_unit_test(test_an_lsn_is_printed_as_postgresql_does),
        cmocka_unit_test(test_a_place_in_a_binlog_has_the_number_that_its_file_ends_in),
        cmocka_unit_test(test_places_of_a_later_server_come_behind_all_of_the_one_before),
        cmocka_unit_test(test_distances_are_bytes_of_one_log_file),
        cmocka_unit_test(test_every_position_reads_back),
        cmocka_unit_test(test_other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
