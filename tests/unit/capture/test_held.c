/* Changes that are held back, and the XA transactions that hold them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/prepared.h"
#include "proto/error.h"
#include "tests/support/must.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

typedef struct Sample {
    Cell cells[3];
    guint8 bytes[4096];
    Change change;
} Sample;

/* A change that only number tells. */
static void make(Sample *sample, guint number)
{
    memset(sample->bytes, (int)(number % 251), sizeof sample->bytes);
    sample->cells[0] = (Cell){.data = sample->bytes, .length = number % 3000};
    sample->cells[1] = (Cell){.kind = number % 2 ? CELL_NULL : CELL_UNCHANGED};
    sample->cells[2] = (Cell){.data = sample->bytes, .length = 4};
    sample->change = (Change){.operation = number % 3 == 0 ? OPERATION_INSERT : OPERATION_UPDATE,
                              .table = number,
                              .schema_version = (guint64)number << 33};
    sample->change.row = (Row){.cells = sample->cells, .n_cells = number % 7 == 0 ? 0 : 3};
    if (number % 3 != 0)
        sample->change.old_key = (Row){.cells = sample->cells + 2, .n_cells = 1};
}

static void add(Held *held, guint number)
{
    GError *error = NULL;
    Sample sample;
    make(&sample, number);
    MUST(held_add(held, &sample.change, &error));
}

static void expect(Held *held, guint number)
{
    GError *error = NULL;
    Sample sample;
    Change change;
    bool end;
    make(&sample, number);
    MUST(held_next(held, &change, &end, &error));
    assert_false(end);
    assert_int_equal(change.operation, sample.change.operation);
    assert_int_equal(change.table, number);
    assert_int_equal(change.schema_version, sample.change.schema_version);
    assert_true(row_equal(&change.row, &sample.change.row));
    assert_true(row_equal(&change.old_key, &sample.change.old_key));
}

static void expect_end(Held *held)
{
    GError *error = NULL;
    Change change;
    bool end;
    MUST(held_next(held, &change, &end, &error));
    assert_true(end);
}

static void test_changes_come_back_as_they_were(void **state)
{
    (void)state;
    static const gsize limits[] = {1, 5000, 100000, 10000000};
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autoptr(Held) held = held_new(limits[i]);
        assert_true(held_is_empty(held));
        for (guint n = 1; n < 900; n++)
            add(held, n);
        assert_false(held_is_empty(held));
        for (guint n = 1; n < 900; n++)
            expect(held, n);
        expect_end(held);
    }
}

static void test_what_is_cut_is_forgotten(void **state)
{
    (void)state;
    static const gsize limits[] = {1, 20000, 10000000};
    GError *error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
        for (guint kept = 0; kept < 60; kept += 7) {
            g_autoptr(Held) held = held_new(limits[i]);
            for (guint n = 1; n <= kept; n++)
                add(held, n);
            guint64 place = held_place(held);
            for (guint n = 1000; n < 1040; n++)
                add(held, n);
            MUST(held_cut(held, place, &error));
            assert_int_equal(held_is_empty(held), kept == 0);
            for (guint n = 2000; n < 2010; n++)
                add(held, n);
            for (guint n = 1; n <= kept; n++)
                expect(held, n);
            for (guint n = 2000; n < 2010; n++)
                expect(held, n);
            expect_end(held);
        }
}

static void test_a_full_disk_may_have_room_later(void **state)
{
    (void)state;
    GError *error = NULL;
    Sample sample;
    g_autoptr(Held) held = held_new(1);
    struct rlimit before, none;
    make(&sample, 5);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    bool possible = held_add(held, &sample.change, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(possible);
    assert_true(drover_error_is_retry(error));
    g_error_free(error);
}

/* ---- XA ---- */

static void test_the_oldest_prepared_transaction_says_where_to_start(void **state)
{
    (void)state;
    GError *error = NULL;
    Held *held;
    Prepared *prepared = prepared_new();
    assert_null(prepared_since(prepared));
    MUST(prepared_add(prepared, "a", held_new(10), "1", &error));
    MUST(prepared_add(prepared, "b", NULL, "2", &error));
    MUST(prepared_add(prepared, "c", NULL, "3", &error));
    assert_string_equal(prepared_since(prepared), "1");
    assert_true(prepared_take(prepared, "b", &held));
    assert_null(held);
    assert_true(prepared_take(prepared, "a", &held));
    assert_non_null(held);
    held_free(held);
    assert_string_equal(prepared_since(prepared), "3");
    assert_false(prepared_take(prepared, "a", &held));
    MUST_FAIL(prepared_add(prepared, "c", held_new(10), "4", &error), DROVER_ERROR_PERSON);
    prepared_free(prepared);
}

static void test_names_of_both_forms_are_one(void **state)
{
    (void)state;
    const guint8 bytes[] = {0x78, 0xff, 0x27};
    BinlogXid xid = {.format = 7, .gtrid_size = 1, .bqual_size = 2, .data = bytes};
    g_autofree char *name = prepared_name_of_xid(&xid);
    g_autofree char *same = prepared_name_of_text("X'78',X'FF27',7");
    assert_string_equal(name, "x'78',x'ff27',7");
    assert_string_equal(same, name);
}

static void test_other_forms_of_a_name_are_unknown(void **state)
{
    (void)state;
    static const char *const texts[] = {"",           "'x1'",          "X'78'",      "X'78',X''",
                                        "X'78',X'',", "X'78',X'',1 x", "X'78,X'',1", "X'7g',X'',1"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_null(prepared_name_of_text(texts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_come_back_as_they_were),
        cmocka_unit_test(test_what_is_cut_is_forgotten),
        cmocka_unit_test(test_a_full_disk_may_have_room_later),
        cmocka_unit_test(test_the_oldest_prepared_transaction_says_where_to_start),
        cmocka_unit_test(test_names_of_both_forms_are_one),
        cmocka_unit_test(test_other_forms_of_a_name_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
