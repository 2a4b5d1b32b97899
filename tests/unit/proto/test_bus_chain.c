#include "proto/bus.h"
#include "proto/error.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_a_record_that_follows_passes(void **state)
{
    (void)state;
    Record record = {.bus_uuid = "0123456789abcde", .sequence = 7, .predecessor = 99};
    assert_true(bus_chain_check(&record, 7, 99, record.bus_uuid, NULL));
    assert_true(bus_chain_check(&record, 7, 99, NULL, NULL));
}

static void test_a_break_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    Record record = {.bus_uuid = "0123456789abcde", .sequence = 7, .predecessor = 99};
    const guint8 *other = (const guint8 *)"fedcba987654321";
    MUST_FAIL(bus_chain_check(&record, 8, 99, NULL, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(bus_chain_check(&record, 7, 98, NULL, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(bus_chain_check(&record, 7, 99, other, &error), DROVER_ERROR_PERSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_that_follows_passes),
        cmocka_unit_test(test_a_break_needs_a_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
