#include "proto/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define VALUE(text)                                                                                \
    {                                                                                              \
        .data = (const guint8 *)(text), .length = sizeof(text) - 1                                 \
    }

static Cell all_kinds[] = {
    VALUE("one"), VALUE(""), {.kind = CELL_NULL}, {.kind = CELL_UNCHANGED}, {.kind = CELL_ABSENT}};
static const Row mixed = {all_kinds, G_N_ELEMENTS(all_kinds)};

static void test_the_packed_form_is_kind_length_bytes(void **state)
{
    (void)state;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    row_pack(&mixed, packed);
    static const guint8 golden[] = "\0\0\0\0\3one\0\0\0\0\0\1\2\3";
    assert_int_equal(packed->len, sizeof golden - 1);
    assert_memory_equal(packed->data, golden, packed->len);
}

static void test_a_packed_row_reads_back(void **state)
{
    (void)state;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    row_pack(&mixed, packed);
    Row row;
    assert_true(row_unpack(packed->data, packed->len, mixed.n_cells, &row));
    assert_true(row_equal(&row, &mixed));
    g_free(row.cells);
}

static void test_a_row_cut_anywhere_is_refused(void **state)
{
    (void)state;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    row_pack(&mixed, packed);
    for (guint size = 0; size < packed->len; size++) {
        g_autofree guint8 *part = g_memdup2(packed->data, size);
        Row row;
        assert_false(row_unpack(part, size, mixed.n_cells, &row));
    }
}

static void test_other_numbers_of_cells_are_refused(void **state)
{
    (void)state;
    g_autoptr(GByteArray) packed = g_byte_array_new();
    row_pack(&mixed, packed);
    Row row;
    assert_false(row_unpack(packed->data, packed->len, mixed.n_cells - 1, &row));
    assert_false(row_unpack(packed->data, packed->len, mixed.n_cells + 1, &row));
    assert_false(row_unpack(packed->data, packed->len, G_MAXUINT32, &row));
}

static void test_an_unknown_kind_is_refused(void **state)
{
    (void)state;
    Row row;
    assert_false(row_unpack((const guint8 *)"\4", 1, 1, &row));
}

static void test_random_bytes_never_crash(void **state)
{
    (void)state;
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (int round = 0; round < 20000; round++) {
        gsize size = (gsize)g_rand_int_range(random, 0, 40);
        g_autofree guint8 *data = g_malloc(size);
        for (gsize i = 0; i < size; i++)
            data[i] = (guint8)g_rand_int_range(random, 0, 5);
        Row row;
        if (row_unpack(data, size, (guint32)g_rand_int_range(random, 0, 6), &row))
            g_free(row.cells);
    }
}

/* What row_equal and row_hash must tell apart. */
static void assert_differ(Cell a, Cell b)
{
    Row left = {&a, 1}, right = {&b, 1};
    assert_false(row_equal(&left, &right));
    assert_true(row_hash(&left) != row_hash(&right));
}

static void test_kinds_lengths_and_bytes_make_a_difference(void **state)
{
    (void)state;
    Cell empty = VALUE(""), null = {.kind = CELL_NULL}, unchanged = {.kind = CELL_UNCHANGED};
    Cell a = VALUE("a"), b = VALUE("b"), zero = VALUE("\0");
    assert_differ(empty, null);
    assert_differ(null, unchanged);
    assert_differ(a, b);
    assert_differ(empty, zero);
}

static void test_bytes_do_not_slide_between_cells(void **state)
{
    (void)state;
    Cell first[] = {VALUE("ab"), VALUE("c")}, second[] = {VALUE("a"), VALUE("bc")};
    Row left = {first, 2}, right = {second, 2}, shorter = {first, 1};
    assert_false(row_equal(&left, &right));
    assert_true(row_hash(&left) != row_hash(&right));
    assert_false(row_equal(&left, &shorter));
}

static void test_equal_rows_of_every_length_hash_alike(void **state)
{
    (void)state;
    g_autofree guint8 *one = g_malloc0(1000), *two = g_malloc0(1000);
    for (guint32 length = 0; length < 1000; length++) {
        Cell left_cells[] = {{one, length, CELL_VALUE}, {NULL, 0, CELL_NULL}};
        Cell right_cells[] = {{two, length, CELL_VALUE}, {NULL, 0, CELL_NULL}};
        Row left = {left_cells, 2}, right = {right_cells, 2};
        assert_true(row_equal(&left, &right));
        assert_true(row_hash(&left) == row_hash(&right));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_packed_form_is_kind_length_bytes),
        cmocka_unit_test(test_a_packed_row_reads_back),
        cmocka_unit_test(test_a_row_cut_anywhere_is_refused),
        cmocka_unit_test(test_other_numbers_of_cells_are_refused),
        cmocka_unit_test(test_an_unknown_kind_is_refused),
        cmocka_unit_test(test_random_bytes_never_crash),
        cmocka_unit_test(test_kinds_lengths_and_bytes_make_a_difference),
        cmocka_unit_test(test_bytes_do_not_slide_between_cells),
        cmocka_unit_test(test_equal_rows_of_every_length_hash_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
