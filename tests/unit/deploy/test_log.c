/* Log lines, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/log.h"

#include <string.h>

static char *entry(LogFormat format, const char *message, const char *key, const char *value)
{
    const GLogField fields[] = {{"PRIORITY", "6", -1},
                                {"CODE_FILE", "x.c", -1},
                                {"GLIB_DOMAIN", "drover", -1},
                                {key, value, -1},
                                {"MESSAGE", message, -1}};
    GString *line = g_string_new(NULL);
    log_format_entry(format, 1738324800123456, G_LOG_LEVEL_INFO, fields, G_N_ELEMENTS(fields),
                     line);
    return g_string_free(line, FALSE);
}

static void test_logfmt_has_time_level_message_and_fields(void **state)
{
    (void)state;
    g_autofree char *line = entry(LOG_FORMAT_LOGFMT, "copying rows", "TABLES", "4");
    assert_string_equal(line,
                        "time=2025-01-31T12:00:00.123Z level=info msg=\"copying rows\" tables=4");
}

static void test_logfmt_escapes_quotes_and_line_ends(void **state)
{
    (void)state;
    g_autofree char *line = entry(LOG_FORMAT_LOGFMT, "a \"b\"\nc", "X", "");
    assert_string_equal(line,
                        "time=2025-01-31T12:00:00.123Z level=info msg=\"a \\\"b\\\"\\nc\" x=\"\"");
}

static void test_json_is_one_object(void **state)
{
    (void)state;
    g_autofree char *line = entry(LOG_FORMAT_JSON, "a\tb\x01", "ROLE", "copy");
    assert_string_equal(line, "{\"time\":\"2025-01-31T12:00:00.123Z\",\"level\":\"info\","
                              "\"msg\":\"a\\tb\\u0001\",\"role\":\"copy\"}");
}

static void test_invalid_utf8_becomes_valid(void **state)
{
    (void)state;
    g_autofree char *line = entry(LOG_FORMAT_JSON, "a\xff", "X", "1");
    assert_true(g_utf8_validate(line, -1, NULL));
}

static void test_unknown_formats_and_levels_are_usage_errors(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    LogFormat format;
    GLogLevelFlags level;
    assert_false(log_parse_format("xml", &format, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
    g_clear_error(&error);
    assert_false(log_parse_level("loud", &level, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt_has_time_level_message_and_fields),
        cmocka_unit_test(test_logfmt_escapes_quotes_and_line_ends),
        cmocka_unit_test(test_json_is_one_object),
        cmocka_unit_test(test_invalid_utf8_becomes_valid),
        cmocka_unit_test(test_unknown_formats_and_levels_are_usage_errors),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
