/* Scalars of the migration file: sizes, durations, kinds. */
#include "deploy/config_value.h"
#include "proto/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static guint64 size_of(const char *text)
{
    guint64 bytes = 0;
    assert_true(config_parse_size(text, &bytes, NULL));
    return bytes;
}

static void test_sizes_in_every_unit(void **state)
{
    (void)state;
    assert_true(size_of("7B") == 7);
    assert_true(size_of("7kB") == 7000);
    assert_true(size_of("64MB") == 64000000);
    assert_true(size_of("2GB") == G_GUINT64_CONSTANT(2000000000));
    assert_true(size_of("2TB") == G_GUINT64_CONSTANT(2000000000000));
    assert_true(size_of("1KiB") == 1024);
    assert_true(size_of("1 MiB") == 1048576);
    assert_true(size_of("100GiB") == G_GUINT64_CONSTANT(107374182400));
    assert_true(size_of("1TiB") == G_GUINT64_CONSTANT(1099511627776));
}

static void test_text_that_is_no_size(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     "5",     "MiB",    "-1MiB", "+1MiB", "1.5MiB",
                                        "1mib", "1MiBx", "1 MiB ", " 1MiB", "0x1MiB"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        guint64 bytes = 0;
        assert_false(config_parse_size(texts[i], &bytes, &error));
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
    }
}

static void test_size_past_64_bits(void **state)
{
    (void)state;
    guint64 bytes = 0;
    g_autoptr(GError) error = NULL;
    assert_false(config_parse_size("99999999TiB", &bytes, &error));
    assert_string_equal(error->message, "too large");
    assert_false(config_parse_size("99999999999999999999B", &bytes, NULL));
}

static void test_size_is_written_in_the_largest_exact_unit(void **state)
{
    (void)state;
    static const char *const sizes[][2] = {{"1024MiB", "1GiB"},
                                           {"1000kB", "1MB"},
                                           {"1025B", "1025B"},
                                           {"0GiB", "0B"},
                                           {"1536MiB", "1536MiB"}};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *text = config_format_size(size_of(sizes[i][0]));
        assert_string_equal(text, sizes[i][1]);
    }
}

static void test_durations_in_every_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        guint64 microseconds;
    } durations[] = {{"5us", 5},
                     {"100ms", 100000},
                     {"30s", 30000000},
                     {"2min", 120000000},
                     {"24h", G_GUINT64_CONSTANT(86400000000)},
                     {"7 d", G_GUINT64_CONSTANT(604800000000)}};
    for (gsize i = 0; i < G_N_ELEMENTS(durations); i++) {
        guint64 microseconds = 0;
        assert_true(config_parse_duration(durations[i].text, &microseconds, NULL));
        assert_true(microseconds == durations[i].microseconds);
    }
}

static void test_duration_needs_a_unit(void **state)
{
    (void)state;
    guint64 microseconds = 0;
    g_autoptr(GError) error = NULL;
    assert_false(config_parse_duration("30", &microseconds, &error));
    assert_string_equal(error->message,
                        "a whole number with a unit is needed (us, ms, s, min, h, d)");
}

static void test_only_true_and_false_are_booleans(void **state)
{
    (void)state;
    bool value = false;
    assert_true(config_parse_boolean("true", &value, NULL));
    assert_true(value);
    assert_true(config_parse_boolean("false", &value, NULL));
    assert_false(value);
    static const char *const texts[] = {"yes", "on", "1", "True", ""};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_false(config_parse_boolean(texts[i], &value, NULL));
}

static void test_moments_of_the_calendar(void **state)
{
    (void)state;
    static const char *const good[] = {"1970-01-01", "2024-02-29", "9999-12-31 23:59:59",
                                       "1970-01-01 00:00:01.5", "0001-01-01 00:00:00.123456"};
    static const char *const bad[] = {"",
                                      "0000-00-00",
                                      "0000-01-01",
                                      "2023-02-29",
                                      "1970-1-1",
                                      "1970-01-01T00:00:00",
                                      "1970-01-01 00:00",
                                      "1970-01-01 24:00:00",
                                      "1970-01-01 00:60:00",
                                      "1970-01-01 00:00:60",
                                      "1970-01-01 00:00:00.",
                                      "1970-01-01 00:00:00.1234567",
                                      "1970-01-01 00:00:00+00"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        assert_true(config_check_moment(good[i], NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        if (config_check_moment(bad[i], NULL))
            fail_msg("'%s' is taken", bad[i]);
}

static void test_kinds_of_plain_scalars(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0", "-1", "+1", "1.5", ".5", "1e9"};
    static const char *const texts[] = {"1.2.3", "5m", "-", ".", "e9", "nan", "yes", "shop.*"};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        assert_int_equal(config_scalar_kind(numbers[i], true), CONFIG_NUMBER);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_int_equal(config_scalar_kind(texts[i], true), CONFIG_TEXT);
    assert_int_equal(config_scalar_kind("~", true), CONFIG_EMPTY);
    assert_int_equal(config_scalar_kind("Null", true), CONFIG_EMPTY);
    assert_int_equal(config_scalar_kind("false", true), CONFIG_BOOLEAN);
}

static void test_quoted_scalars_are_text(void **state)
{
    (void)state;
    assert_int_equal(config_scalar_kind("5", false), CONFIG_TEXT);
    assert_int_equal(config_scalar_kind("null", false), CONFIG_TEXT);
    assert_int_equal(config_scalar_kind("", false), CONFIG_EMPTY);
}

static const char *long_environment(const char *name)
{
    static char value[1001];
    memset(value, *name, sizeof value - 1);
    return value;
}

static void test_expansion_has_an_end(void **state)
{
    (void)state;
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 70; i++)
        g_string_append(text, "${A}");
    bool expanded = false;
    g_autoptr(GError) error = NULL;
    assert_null(config_expand(text->str, long_environment, &expanded, &error));
    assert_string_equal(error->message, "longer than 64 KiB with the environment's values");
}

static void test_dollars_without_braces_stay(void **state)
{
    (void)state;
    bool expanded = true;
    g_autofree char *text = config_expand("$A $$ $${A} }", long_environment, &expanded, NULL);
    assert_string_equal(text, "$A $$ ${A} }");
    assert_false(expanded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_in_every_unit),
        cmocka_unit_test(test_text_that_is_no_size),
        cmocka_unit_test(test_size_past_64_bits),
        cmocka_unit_test(test_size_is_written_in_the_largest_exact_unit),
        cmocka_unit_test(test_durations_in_every_unit),
        cmocka_unit_test(test_duration_needs_a_unit),
        cmocka_unit_test(test_only_true_and_false_are_booleans),
        cmocka_unit_test(test_moments_of_the_calendar),
        cmocka_unit_test(test_kinds_of_plain_scalars),
        cmocka_unit_test(test_quoted_scalars_are_text),
        cmocka_unit_test(test_expansion_has_an_end),
        cmocka_unit_test(test_dollars_without_braces_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
