/* Decimals, JSON documents and their changes, and texts of MySQL, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/canonical.h"
#include "capture/mysql/json.h"
#include "proto/error.h"
#include "schema/mysql/charset.h"
#include "schema/mysql/decimal.h"
#include "tests/support/must.h"

#include <string.h>

/* ---- decimals ---- */

static void expect_numeric(guint64 value, const char *hex)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GString) found = g_string_new(NULL);
    MysqlDecimal decimal = mysql_decimal_of_unsigned(value);
    mysql_decimal_append_numeric(&decimal, bytes);
    for (guint i = 0; i < bytes->len; i++)
        g_string_append_printf(found, "%02x", bytes->data[i]);
    assert_string_equal(found->str, hex);
}

static void test_numbers_become_numeric(void **state)
{
    (void)state;
    expect_numeric(0, "0000000000000000");
    expect_numeric(1, "00010000000000000001");
    expect_numeric(9999, "0001000000000000270f");
    expect_numeric(10000, "00010001000000000001");
    expect_numeric(10001, "000200010000000000010001");
    expect_numeric(G_MAXUINT64, "000500040000000007341a5802e103bb064f");
}

static void test_bytes_that_are_no_digits_are_refused(void **state)
{
    (void)state;
    static const guint8 too_large[] = {0xbf, 0xff, 0xff, 0xff}; /* 1073741823 in nine digits */
    MysqlDecimal decimal;
    assert_int_equal(mysql_decimal_size(9, 0), sizeof too_large);
    assert_false(mysql_decimal_read(too_large, 9, 0, &decimal));
}

/* ---- JSON ---- */

/* {"a": -1} and [false, "xy"], small forms */
static const guint8 object[] = {0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 0xff, 0xff, 'a'};
static const guint8 array[] = {2, 2, 0, 13, 0, 4, 2, 0, 12, 10, 0, 2, 'x', 'y'};

static char *json_text(const guint8 *data, gsize size, const char *diff, gsize diff_size,
                       GError **error)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_autofree guint8 *copy = g_memdup2(data, size);
    if (!mysql_json_append_changed(copy, size, (const guint8 *)diff, diff_size, text, error))
        return NULL;
    return g_strndup(text->len > 0 ? (const char *)text->data : "", text->len);
}

static void expect_json(const guint8 *data, gsize size, const char *diff, gsize diff_size,
                        const char *wanted)
{
    GError *error = NULL;
    g_autofree char *text = json_text(data, size, diff, diff_size, &error);
    if (!text)
        fail_msg("%s", error->message);
    assert_string_equal(text, wanted);
}

static void test_documents_become_text(void **state)
{
    (void)state;
    expect_json(object, sizeof object, "", 0, "{\"a\": -1}");
    expect_json(array, sizeof array, "", 0, "[false, \"xy\"]");
    expect_json(object, 0, "", 0, "null");
}

static void test_cut_documents_are_refused(void **state)
{
    (void)state;
    for (gsize size = 1; size < sizeof array; size++) {
        GError *error = NULL;
        MUST_FAIL(json_text(array, size, "", 0, &error), DROVER_ERROR_PERSON);
    }
    for (gsize size = 1; size < sizeof object; size++) {
        GError *error = NULL;
        MUST_FAIL(json_text(object, size, "", 0, &error), DROVER_ERROR_PERSON);
    }
}

/* An array that contains itself, and one whose elements are all the same long text. */
static void test_documents_whose_parts_overlap_are_refused(void **state)
{
    (void)state;
    static const guint8 itself[] = {2, 2, 0, 10, 0, 2, 0, 0, 2, 0, 0};
    static const guint8 same[] = {2,  3,  0, 21, 0,   12,  13,  0,   12,  13,  0,
                                  12, 13, 0, 7,  'a', 'b', 'c', 'd', 'e', 'f', 'g'};
    GError *error = NULL;
    MUST_FAIL(json_text(itself, sizeof itself, "", 0, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(json_text(same, sizeof same, "", 0, &error), DROVER_ERROR_PERSON);
}

#define DIFF(text) text, sizeof text - 1

static void test_changes_replace_insert_and_remove(void **state)
{
    (void)state;
    expect_json(object, sizeof object, DIFF("\0\3$.a\2\4\1"), "{\"a\": true}");
    expect_json(object, sizeof object, DIFF("\1\3$.b\2\4\0\1\6$.\"\\n\"\2\4\2"),
                "{\"\\n\": false, \"a\": -1, \"b\": null}");
    expect_json(object, sizeof object, DIFF("\2\3$.a"), "{}");
    expect_json(object, sizeof object, DIFF("\0\1$\2\4\1"), "true");
    expect_json(array, sizeof array, DIFF("\1\4$[0]\2\4\0\2\4$[2]"), "[null, false]");
    expect_json(array, sizeof array, DIFF("\1\4$[9]\2\4\0"), "[false, \"xy\", null]");
}

static void test_changes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *diff;
        gsize size;
    } diffs[] = {{DIFF("\0\3$.b\2\4\1")}, {DIFF("\1\3$.a\2\4\1")}, {DIFF("\2\3$.b")},
                 {DIFF("\2\4$[0]")},      {DIFF("\2\1$")},         {DIFF("\3\3$.a")},
                 {DIFF("\2\3x.a")},       {DIFF("\2\4$.\"a")},     {DIFF("\0\3$.a\2\4")},
                 {DIFF("\0\3$.a\2\4\7")}, {DIFF("\2\6$.a.bc")},    {DIFF("\2\11$.\"\\ud800\"")},
                 {DIFF("\2\5$[1x]")}};
    for (guint i = 0; i < G_N_ELEMENTS(diffs); i++) {
        GError *error = NULL;
        if (json_text(object, sizeof object, diffs[i].diff, diffs[i].size, &error))
            fail_msg("change %u was made", i);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
        g_clear_error(&error);
    }
}

/* ---- texts ---- */

static void test_texts_of_unknown_sets_are_refused_by_name(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();
    const guint8 text[] = {0xe4};
    assert_false(mysql_charset_to_utf8(84, text, 1, out, &error)); /* big5 */
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    assert_non_null(strstr(error->message, "big5"));
    g_clear_error(&error);
    MUST_FAIL(mysql_charset_to_utf8(9999, text, 1, out, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(mysql_charset_to_utf8(45, text, 1, out, &error), DROVER_ERROR_DATA);
    MUST(mysql_charset_to_utf8(8, text, 1, out, &error));
    assert_int_equal(out->len, 2);
    assert_string_equal(mysql_charset_name(63), "binary");
    assert_string_equal(mysql_charset_name(255), "utf8mb4");
    assert_string_equal(mysql_charset_name(2304), "utf8mb4");
    assert_null(mysql_charset_name(9999));
}

static void test_what_the_log_does_not_tell_is_asked_for(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();
    BinlogColumn number = {.type = COLUMN_LONG}, text = {.type = COLUMN_VARCHAR, .size = 10};
    BinlogColumn labels = {.type = COLUMN_ENUM, .size = 1, .collation = 45};
    BinlogValue one = {.kind = BINLOG_VALUE_INTEGER, .integer = 1};
    BinlogValue string = {.kind = BINLOG_VALUE_STRING, .data = (const guint8 *)"a", .size = 1};
    BinlogValue label = {.kind = BINLOG_VALUE_ENUM, .integer = 1};
    assert_int_equal(mysql_canonical_type(&number), 0);
    assert_int_equal(mysql_canonical_type(&text), 0);
    MUST_FAIL(mysql_canonical_append(&number, &one, NULL, out, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(mysql_canonical_append(&text, &string, NULL, out, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(mysql_canonical_append(&labels, &label, NULL, out, &error), DROVER_ERROR_PERSON);
    number.sign_known = true;
    assert_int_equal(mysql_canonical_type(&number), 23);
    MUST(mysql_canonical_append(&number, &one, NULL, out, &error));
    assert_memory_equal(out->data, "\0\0\0\1", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_become_numeric),
        cmocka_unit_test(test_bytes_that_are_no_digits_are_refused),
        cmocka_unit_test(test_documents_become_text),
        cmocka_unit_test(test_cut_documents_are_refused),
        cmocka_unit_test(test_documents_whose_parts_overlap_are_refused),
        cmocka_unit_test(test_changes_replace_insert_and_remove),
        cmocka_unit_test(test_changes_that_do_not_fit_are_refused),
        cmocka_unit_test(test_texts_of_unknown_sets_are_refused_by_name),
        cmocka_unit_test(test_what_the_log_does_not_tell_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
