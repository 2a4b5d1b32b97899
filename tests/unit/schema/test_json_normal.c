/* The normal form of JSON documents, and what MySQL's json would lose of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/json_normal.h"

#include <string.h>

static void expect(const char *text, const char *normal, const char *lost)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autofree char *found_lost = NULL;
    g_byte_array_append(out, (const guint8 *)"+", 1);
    if (!json_normal_append(text, strlen(text), out, &found_lost))
        fail_msg("%s was taken for no JSON", text);
    g_byte_array_append(out, (const guint8 *)"", 1);
    assert_string_equal((const char *)out->data + 1, normal);
    if (g_strcmp0(found_lost, lost) != 0)
        fail_msg("%s: found lost %s", text, found_lost ? found_lost : "nothing");
}

static void test_documents_of_one_value_have_one_normal_form(void **state)
{
    (void)state;
    expect(" null\n", "null", NULL);
    expect("[ true , false,[ ] ,{ }]", "[true,false,[],{}]", NULL);
    expect("{\"b\": 1, \"a\" :{\"d\":2,\"c\":[]}, \"ab\":3}",
           "{\"a\":{\"c\":[],\"d\":2},\"ab\":3,\"b\":1}", NULL);
    expect("\"\\u00e9\\/\\n\\u0000\\\"\\\\\\ud83d\\ude00\"",
           "\"\u00e9/\\u000a\\u0000\\\"\\\\\U0001f600\"", NULL);
}

static void test_numbers_are_their_digits_and_a_power_of_ten(void **state)
{
    (void)state;
    static const char *const ones[] = {"1", "1.0", "1e0", "10e-1", "0.1E+1", "1.000e00"};
    for (gsize i = 0; i < G_N_ELEMENTS(ones); i++)
        expect(ones[i], "1", NULL);
    static const char *const zeros[] = {"0", "-0", "0.00", "-0e5", "0e-400"};
    for (gsize i = 0; i < G_N_ELEMENTS(zeros); i++)
        expect(zeros[i], "0", NULL);
    expect("-1200", "-12e2", NULL);
    expect("0.00120", "12e-4", NULL);
    expect("18446744073709551615", "18446744073709551615", NULL);
    expect("-9223372036854775808", "-9223372036854775808", NULL);
    expect("1.7976931348623157e308", "17976931348623157e292", NULL);
    expect("0.30000000000000004", "30000000000000004e-17", NULL);
    expect("5e-324", "5e-324", NULL);
    expect("100000000000000000000", "1e20", NULL);
}

static void test_what_mysql_would_lose_is_told(void **state)
{
    (void)state;
    expect("18446744073709551616", "18446744073709551616", "the number 18446744073709551616");
    expect("-9223372036854775809", "-9223372036854775809", "the number -9223372036854775809");
    expect("[0.1000000000000000055]", "[1000000000000000055e-19]",
           "the number 0.1000000000000000055");
    expect("0.10000000000000001", "10000000000000001e-17", "the number 0.10000000000000001");
    expect("1e400", "1e400", "the number 1e400");
    expect("1e-400", "1e-400", "the number 1e-400");
    expect("1e99999999999999999999", "1e1000000000", "the number 1e99999999999999999999");
    expect("{\"a\": 1, \"b\": 2, \"\\u0061\": 3}", "{\"a\":3,\"b\":2}", "two members named \"a\"");
    expect("\"\\ud83d\"", "\"\\ud83d\"", "half of a surrogate pair, \\ud83d");
    expect("\"\\ude00\\ud83dx\"", "\"\\ude00\\ud83dx\"", "half of a surrogate pair, \\ude00");
}

static char *nested(guint depth)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < depth; i++)
        g_string_append_c(text, '[');
    for (guint i = 0; i < depth; i++)
        g_string_append_c(text, ']');
    return g_string_free(text, false);
}

static void test_nesting_is_told_and_has_a_limit(void **state)
{
    (void)state;
    g_autofree char *fits = nested(100), *deep = nested(101), *endless = nested(100000);
    g_autoptr(GByteArray) out = g_byte_array_new();
    expect(fits, fits, NULL);
    expect(deep, deep, "nesting of more than 100 levels");
    assert_false(json_normal_append(endless, strlen(endless), out, NULL));
    assert_int_equal(out->len, 0);
}

static void test_a_cut_document_is_no_json(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\\u00e9\": [1.5e-3, {\"b\": \"\\ud83d\\ude00\"}, true], \"c\": null}";
    for (gsize size = 0; size < sizeof whole - 1; size++) {
        g_autofree char *part = g_memdup2(whole, size); /* its end is the end of memory */
        g_autoptr(GByteArray) out = g_byte_array_new();
        if (json_normal_append(part, size, out, NULL))
            fail_msg("%.*s was taken for JSON", (int)size, whole);
        assert_int_equal(out->len, 0);
    }
}

static void test_other_texts_are_no_json(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",        " ",      "nul",  "nulll",       "01",    "-",       "1.",         ".5",
        "1e",      "+1",     "[1,]", "[,]",         "{1:2}", "{\"a\"}", "{\"a\":1,}", "\"",
        "\"\\x\"", "\"\n\"", "[1]]", "\"\\u12g4\"", "tru",   "1 2",     "--1",        "{\"a\" 1}"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GByteArray) out = g_byte_array_new();
        if (json_normal_append(wrong[i], strlen(wrong[i]), out, NULL))
            fail_msg("%s was taken for JSON", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_of_one_value_have_one_normal_form),
        cmocka_unit_test(test_numbers_are_their_digits_and_a_power_of_ten),
        cmocka_unit_test(test_what_mysql_would_lose_is_told),
        cmocka_unit_test(test_nesting_is_told_and_has_a_limit),
        cmocka_unit_test(test_a_cut_document_is_no_json),
        cmocka_unit_test(test_other_texts_are_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
