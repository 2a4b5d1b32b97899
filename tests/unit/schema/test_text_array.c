#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/text_array.h"

static void assert_round_trip(const char *const *elements)
{
    g_autoptr(GString) literal = g_string_new(NULL);
    text_array_append(literal, elements);
    g_auto(GStrv) back = text_array_parse(literal->str);
    assert_non_null(back);
    assert_true(g_strv_equal((const gchar *const *)back, elements));
}

static void test_any_character_survives(void **state)
{
    (void)state;
    const char *const elements[] = {"plain",
                                    "",
                                    "a\"b",
                                    "a\\b",
                                    "\\\"",
                                    "{1,2}",
                                    "a,b",
                                    " x ",
                                    "NULL",
                                    "null",
                                    "'",
                                    "\n\t",
                                    "é\xF0\x9F\x98\x80",
                                    "}",
                                    "a\\\\",
                                    NULL};
    assert_round_trip(elements);
}

static void test_an_empty_list_survives(void **state)
{
    (void)state;
    const char *const elements[] = {NULL};
    assert_round_trip(elements);
}

static void test_bare_elements_are_read(void **state)
{
    (void)state;
    const char *const expected[] = {"1", "2a", "x y", NULL};
    g_auto(GStrv) list = text_array_parse("{1,2a,\"x y\"}");
    assert_non_null(list);
    assert_true(g_strv_equal((const gchar *const *)list, expected));
}

static void test_what_is_no_list_of_strings_is_refused(void **state)
{
    (void)state;
    const char *const broken[] = {"",     "{",       "}",        "a",         "{a",
                                  "{a,",  "{a,}",    "{,a}",     "{\"a}",     "{\"a\\",
                                  "{a}b", "{NULL}",  "{a,null}", "{{a},{b}}", "[0:0]={a}",
                                  "{a\\", "{\"a\"b}"};
    for (gsize i = 0; i < G_N_ELEMENTS(broken); i++) {
        g_auto(GStrv) list = text_array_parse(broken[i]);
        if (list != NULL) {
            fail_msg("\"%s\" was read", broken[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_character_survives),
        cmocka_unit_test(test_an_empty_list_survives),
        cmocka_unit_test(test_bare_elements_are_read),
        cmocka_unit_test(test_what_is_no_list_of_strings_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
