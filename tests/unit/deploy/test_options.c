/*
 * The table of options, and that the files made from it are up to date. With DROVER_UPDATE_DOCS=1
 * in the environment this program writes deploy/docs/options.md and
 * deploy/docs/migration.schema.json.
 */
#include "deploy/config_value.h"
#include "deploy/options.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *docs_path(const char *name)
{
    g_autofree char *folder = g_path_get_dirname(__FILE__);
    return g_build_filename(folder, "..", "..", "..", "deploy", "docs", name, NULL);
}

static void assert_up_to_date(const char *name, const char *text)
{
    g_autofree char *path = docs_path(name);
    g_autofree char *stored = NULL;
    if (g_getenv("DROVER_UPDATE_DOCS") != NULL)
        assert_true(g_file_set_contents(path, text, -1, NULL));
    if (!g_file_get_contents(path, &stored, NULL, NULL) || strcmp(stored, text) != 0)
        fail_msg("deploy/docs/%s is not what deploy/options.def says; run this test with "
                 "DROVER_UPDATE_DOCS=1",
                 name);
}

static void test_reference_page_is_up_to_date(void **state)
{
    (void)state;
    g_autofree char *text = drover_options_reference();
    assert_up_to_date("options.md", text);
}

static void test_json_schema_is_up_to_date(void **state)
{
    (void)state;
    g_autofree char *text = drover_options_json_schema();
    assert_up_to_date("migration.schema.json", text);
}

static void test_json_schema_is_json(void **state)
{
    (void)state;
    g_autofree char *text = drover_options_json_schema();
    json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(schema);
    json_t *properties = json_object_get(schema, "properties");
    assert_non_null(json_object_get(properties, "migration"));
    assert_non_null(json_object_get(json_object_get(properties, "cutover"), "not"));
    json_decref(schema);
}

static bool has_row(const char *path, gsize length)
{
    for (const Option *option = NULL; (option = option_next(option)) != NULL;)
        if (strlen(option->path) == length && strncmp(option->path, path, length) == 0)
            return true;
    return length == 0;
}

static void test_every_row_has_its_parent(void **state)
{
    (void)state;
    for (const Option *option = NULL; (option = option_next(option)) != NULL;) {
        const char *end = strrchr(option->path, '.');
        gsize length = end != NULL ? (gsize)(end - option->path) : 0;
        if (g_str_has_suffix(option->path, "[]"))
            length = strlen(option->path) - 2;
        if (!has_row(option->path, length))
            fail_msg("%s: no row for what it is in", option->path);
    }
}

static void test_every_list_has_its_element(void **state)
{
    (void)state;
    for (const Option *option = NULL; (option = option_next(option)) != NULL;)
        if (option->type == OPTION_LIST && option_element(option) == NULL)
            fail_msg("%s: no row for its elements", option->path);
}

static bool is_size(const char *text)
{
    guint64 bytes = 0;
    return text == NULL || *text == '\0' || config_parse_size(text, &bytes, NULL);
}

static bool is_count(const char *text)
{
    guint64 count = 0;
    return text == NULL || *text == '\0' || config_parse_count(text, &count, NULL);
}

static void test_every_default_and_bound_parses(void **state)
{
    (void)state;
    for (const Option *option = NULL; (option = option_next(option)) != NULL;) {
        g_autofree char *lowest = NULL, *highest = NULL;
        option_bounds(option, &lowest, &highest);
        const char *texts[] = {option->default_text, lowest, highest};
        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
            if ((option->type == OPTION_SIZE && !is_size(texts[i])) ||
                (option->type == OPTION_COUNT && !is_count(texts[i])))
                fail_msg("%s: '%s' does not parse", option->path, texts[i]);
    }
}

static void test_every_default_word_is_a_word(void **state)
{
    (void)state;
    for (const Option *option = NULL; (option = option_next(option)) != NULL;)
        if (option->type == OPTION_WORD && *option->default_text != '\0' &&
            !option_has_word(option->values, option->default_text) &&
            !option_has_word(option->later, option->default_text))
            fail_msg("%s: '%s' is none of its words", option->path, option->default_text);
}

static void test_words_are_found_whole(void **state)
{
    (void)state;
    assert_true(option_has_word("allow verify-ca prefer", "verify-ca"));
    assert_true(option_has_word("allow verify-ca prefer", "prefer"));
    assert_false(option_has_word("allow verify-ca prefer", "verify"));
    assert_false(option_has_word("allow verify-ca prefer", "allow verify-ca"));
    assert_false(option_has_word("allow", ""));
}

static void test_nearest_key(void **state)
{
    (void)state;
    assert_string_equal(option_nearest(&option_root, "sorce")->path, "source");
    assert_string_equal(option_nearest(&option_root, "table")->path, "tables");
    assert_string_equal(option_nearest(&option_root, "max_size")->path, "bus.local.max_size");
    assert_null(option_nearest(&option_root, "zzz"));
    assert_null(option_nearest(&option_root, ""));
}

static void test_name_too_long_to_be_near_anything(void **state)
{
    (void)state;
    g_autofree char *name = g_strnfill(1000, 'a');
    assert_null(option_nearest(&option_root, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_page_is_up_to_date),
        cmocka_unit_test(test_json_schema_is_up_to_date),
        cmocka_unit_test(test_json_schema_is_json),
        cmocka_unit_test(test_every_row_has_its_parent),
        cmocka_unit_test(test_every_list_has_its_element),
        cmocka_unit_test(test_every_default_and_bound_parses),
        cmocka_unit_test(test_every_default_word_is_a_word),
        cmocka_unit_test(test_words_are_found_whole),
        cmocka_unit_test(test_nearest_key),
        cmocka_unit_test(test_name_too_long_to_be_near_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
