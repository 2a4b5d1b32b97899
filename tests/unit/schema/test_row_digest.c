/* Hashes of rows over canonical bytes: what is equal, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/row_digest.h"
#include "schema/type_oid.h"

#include <string.h>

static char name[] = "c";

static Column column_of(guint32 oid, const char *type)
{
    return (Column){.name = name, .type = (char *)(gpointer)type, .type_oid = oid};
}

static guint64 hash_of(const Column *column, const void *data, gsize size)
{
    g_autoptr(GByteArray) row = g_byte_array_new();
    Cell cell = {.data = data, .length = (guint32)size};
    if (data == NULL)
        cell.kind = CELL_NULL;
    row_digest_append(row, column, &cell);
    return row_digest_hash(row->data, row->len);
}

static void test_null_and_empty_differ(void **state)
{
    (void)state;
    Column column = column_of(OID_TEXT, "text");
    assert_true(hash_of(&column, NULL, 0) != hash_of(&column, "", 0));
    assert_true(hash_of(&column, "a", 1) == hash_of(&column, "a", 1));
    assert_true(hash_of(&column, "a", 1) != hash_of(&column, "a ", 2));
}

/* 1.5 with one and with thirty digits after the point, 100.0 and 100, zero. */
static void test_numeric_without_a_scale_is_what_it_says(void **state)
{
    (void)state;
    static const guint8 short_one[] = {0, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0x13, 0x88},
                        long_one[] = {0, 2, 0, 0, 0, 0, 0, 30, 0, 1, 0x13, 0x88},
                        other[] = {0, 2, 0, 0, 0, 0, 0, 30, 0, 1, 0x13, 0x89},
                        hundred[] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 100},
                        hundred_point[] = {0, 1, 0, 0, 0, 0, 0, 1, 0, 100},
                        zero[] = {0, 0, 0, 0, 0, 0, 0, 0}, zero_point[] = {0, 0, 0, 0, 0, 0, 0, 2};
    Column free_scale = column_of(OID_NUMERIC, "numeric"),
           fixed = column_of(OID_NUMERIC, "numeric(40,30)");
    guint64 wanted = hash_of(&free_scale, short_one, sizeof short_one);
    assert_true(wanted == hash_of(&free_scale, long_one, sizeof long_one));
    assert_true(wanted != hash_of(&free_scale, other, sizeof other));
    assert_true(hash_of(&free_scale, hundred, sizeof hundred) ==
                hash_of(&free_scale, hundred_point, sizeof hundred_point));
    assert_true(hash_of(&free_scale, zero, sizeof zero) ==
                hash_of(&free_scale, zero_point, sizeof zero_point));
    assert_true(hash_of(&fixed, short_one, sizeof short_one) !=
                hash_of(&fixed, long_one, sizeof long_one));
}

static void test_json_counts_by_its_values_where_a_side_keeps_only_them(void **state)
{
    (void)state;
    Column text = column_of(OID_JSON, "json"), values = text,
           binary = column_of(OID_JSONB, "jsonb");
    values.json_normal = binary.json_normal = true;
    assert_true(hash_of(&text, "{}", 2) != hash_of(&text, "{ }", 3));
    assert_true(hash_of(&values, "{}", 2) == hash_of(&values, "{ }", 3));
    assert_true(hash_of(&binary, "\1[1.0]", 6) == hash_of(&binary, "\1[1]", 4));
    assert_true(hash_of(&values, "no json", 7) != hash_of(&values, "no  json", 8));
}

static void test_a_float_has_one_zero(void **state)
{
    (void)state;
    static const guint8 zero[8] = {0}, negative[8] = {0x80}, other[8] = {0x80, 1};
    Column real = column_of(OID_FLOAT4, "real"), wide = column_of(OID_FLOAT8, "double precision"),
           number = column_of(OID_INT8, "bigint");
    assert_true(hash_of(&real, zero, 4) == hash_of(&real, negative, 4));
    assert_true(hash_of(&wide, zero, 8) == hash_of(&wide, negative, 8));
    assert_true(hash_of(&wide, zero, 8) != hash_of(&wide, other, 8));
    assert_true(hash_of(&number, zero, 8) != hash_of(&number, negative, 8));
}

static void test_sums_do_not_depend_on_the_order(void **state)
{
    (void)state;
    RowDigest one = {0}, other = {0};
    row_digest_add(&one, (const guint8 *)"a", 1);
    row_digest_add(&one, (const guint8 *)"b", 1);
    row_digest_add(&other, (const guint8 *)"b", 1);
    row_digest_add(&other, (const guint8 *)"a", 1);
    assert_memory_equal(&one, &other, sizeof one);
    assert_true(one.sums[0] != one.sums[1]);
    ReadRequest request = {0};
    row_digest_finish(&one, &request);
    assert_int_equal(request.rows, 2);
    assert_true(g_ascii_strtoull(request.digest_2, NULL, 10) == one.sums[1]);
    g_free(request.digest_1);
    g_free(request.digest_2);
}

static void test_generated_columns_count_where_both_sides_have_them(void **state)
{
    (void)state;
    char text[] = "text";
    Column columns[] = {column_of(OID_TEXT, "text")};
    Column generated[] = {column_of(OID_TEXT, "text"), column_of(OID_INT4, "int"),
                          column_of(OID_INT8, "bigint")};
    generated[1].target_type = generated[2].target_type = text;
    Table table = {.n_columns = 1, .columns = columns, .n_generated = 3, .generated = generated};
    assert_int_equal(row_digest_columns(&table), 3);
    assert_ptr_equal(row_digest_column(&table, 0), &columns[0]);
    assert_ptr_equal(row_digest_column(&table, 1), &generated[1]);
    assert_ptr_equal(row_digest_column(&table, 2), &generated[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_and_empty_differ),
        cmocka_unit_test(test_numeric_without_a_scale_is_what_it_says),
        cmocka_unit_test(test_json_counts_by_its_values_where_a_side_keeps_only_them),
        cmocka_unit_test(test_a_float_has_one_zero),
        cmocka_unit_test(test_sums_do_not_depend_on_the_order),
        cmocka_unit_test(test_generated_columns_count_where_both_sides_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
