#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/bus_holder.h"

static void test_holder_of_the_write_byte_is_found(void **state)
{
    (void)state;
    assert_int_equal(bus_holder_parse("1: POSIX  ADVISORY  READ 11 fe:00:77 123 123\n"
                                      "2: POSIX  ADVISORY  WRITE 12 fe:00:78 120 120\n"
                                      "3: POSIX  ADVISORY  WRITE 13 fe:00:77 120 120\n",
                                      77),
                     13);
}

static void test_readers_waiters_and_other_bytes_are_no_holders(void **state)
{
    (void)state;
    assert_int_equal(bus_holder_parse("1: POSIX  ADVISORY  READ 11 fe:00:77 120 120\n"
                                      "1: -> POSIX  ADVISORY  WRITE 12 fe:00:77 120 120\n"
                                      "2: FLOCK  ADVISORY  WRITE 14 fe:00:77 0 EOF\n"
                                      "3: POSIX  ADVISORY  WRITE 13 fe:00:77 121 127\n"
                                      "garbage\n",
                                      77),
                     0);
}

static void test_range_to_the_end_of_the_file_covers_the_byte(void **state)
{
    (void)state;
    assert_int_equal(bus_holder_parse("1: POSIX  ADVISORY  WRITE 9 00:2f:5 0 EOF\n", 5), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holder_of_the_write_byte_is_found),
        cmocka_unit_test(test_readers_waiters_and_other_bytes_are_no_holders),
        cmocka_unit_test(test_range_to_the_end_of_the_file_covers_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
