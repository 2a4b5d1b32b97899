/* The migration file: YAML that is refused before anything is made of it. */
#include "tests/support/migration_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_anchors_and_aliases(void **state)
{
    (void)state;
    assert_migration_file_refused(
        "a: &a {b: *a}\n"
        "<<: *a\n",
        "m.yaml:1:4: anchors are not allowed: write the value out\n"
        "m.yaml:1:11: aliases are not allowed: text that begins with '*' must stand in "
        "quotes\n"
        "m.yaml:2:5: aliases are not allowed: text that begins with '*' must stand in "
        "quotes");
}

static void test_pattern_without_quotes(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "tables: [{source: *.*}]\n",
                                  "m.yaml:6:19: text that begins with '*' must stand in quotes");
}

static void test_tags(void **state)
{
    (void)state;
    assert_migration_file_refused("a: !!str b\n"
                                  "c: !x [d]\n",
                                  "m.yaml:1:4: tags are not allowed: put text in quotes instead\n"
                                  "m.yaml:2:4: tags are not allowed: put text in quotes instead");
}

static void test_second_document(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "---\n" BASE, "m.yaml:6:1: a second document: a migration file is one document");
}

static void test_depth(void **state)
{
    (void)state;
    assert_migration_file_refused("a: [[[[[[[[[[[[x]]]]]]]]]]]]\n",
                                  "m.yaml:1:15: nested too deep: more than 12 levels");
}

static void test_160_kilobytes_of_brackets(void **state)
{
    (void)state;
    enum { SIZE = 160 * 1024 };
    g_autofree char *text = g_malloc(SIZE);
    memset(text, '[', SIZE);
    g_autofree char *refusal = migration_file_refusal(text, SIZE, "/etc/drover");
    assert_string_equal(refusal, "m.yaml:1:13: nested too deep: more than 12 levels");
}

static void test_a_megabyte_of_garbage(void **state)
{
    (void)state;
    enum { SIZE = 1000 * 1000 };
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autofree char *text = g_malloc(SIZE);
    for (gsize i = 0; i < SIZE; i++)
        text[i] = (char)g_rand_int_range(random, 1, 256);
    g_autofree char *refusal = migration_file_refusal(text, SIZE, "/etc/drover");
    assert_non_null(strstr(refusal, "not UTF-8: save the file as UTF-8"));
}

static void test_a_megabyte_of_printable_garbage(void **state)
{
    (void)state;
    enum { SIZE = 1000 * 1000 };
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autofree char *text = g_malloc(SIZE);
    for (gsize i = 0; i < SIZE; i++)
        text[i] = (char)g_rand_int_range(random, ' ', 127);
    g_autofree char *refusal = migration_file_refusal(text, SIZE, "/etc/drover");
    assert_true(g_str_has_prefix(refusal, "m.yaml:1:"));
}

static void test_more_than_a_mebibyte(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 + 1 };
    g_autofree char *text = g_malloc(SIZE);
    memset(text, ' ', SIZE);
    g_autofree char *refusal = migration_file_refusal(text, SIZE, "/etc/drover");
    assert_string_equal(refusal, "m.yaml:1:1: the file is too large: more than 1 MiB");
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    g_autofree char *nul = migration_file_refusal("a: b\nc: \0", 9, "/etc/drover");
    assert_string_equal(nul, "m.yaml:2:4: a NUL byte: this is no text file");
    g_autofree char *latin =
        migration_file_refusal("\xC3\xA4: b\n\xC3\xA4: \xE4", 11, "/etc/drover");
    assert_string_equal(latin, "m.yaml:2:4: not UTF-8: save the file as UTF-8");
    assert_migration_file_refused("a: \x01\n",
                                  "m.yaml:1:4: not valid YAML: control characters are not allowed");
}

static void test_empty_file(void **state)
{
    (void)state;
    assert_migration_file_refused("", "m.yaml:1:1: the file is empty");
    assert_migration_file_refused("# nothing\n", "m.yaml:1:1: the file is empty");
}

static void test_syntax_error_has_its_place(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "limits: {memory: 1GiB\n"
             "tables: []\n",
        "m.yaml:7:7: not valid YAML: while parsing a flow mapping (line 6), did not find "
        "expected ',' or '}'");
}

static void test_problems_past_fifty_are_counted(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(BASE);
    for (int i = 0; i < 60; i++)
        g_string_append_printf(text, "wrong%02d: 1\n", i);
    g_autofree char *refusal = migration_file_refusal(text->str, text->len, "/etc/drover");
    g_auto(GStrv) lines = g_strsplit(refusal, "\n", -1);
    assert_int_equal(g_strv_length(lines), 51);
    assert_true(g_str_has_prefix(lines[49], "m.yaml:55:1: unknown key 'wrong49'"));
    assert_string_equal(lines[50], "... and 10 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchors_and_aliases),
        cmocka_unit_test(test_pattern_without_quotes),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_second_document),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_160_kilobytes_of_brackets),
        cmocka_unit_test(test_a_megabyte_of_garbage),
        cmocka_unit_test(test_a_megabyte_of_printable_garbage),
        cmocka_unit_test(test_more_than_a_mebibyte),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_syntax_error_has_its_place),
        cmocka_unit_test(test_problems_past_fifty_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
