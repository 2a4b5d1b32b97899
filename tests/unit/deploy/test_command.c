/* The command line: which words are commands, what options and variables mean, how errors look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/command.h"
#include "proto/error.h"

#include <stdlib.h>
#include <string.h>

typedef struct Outcome {
    int status;
    char *out, *err;
} Outcome;

static Outcome run(const char *words)
{
    g_auto(GStrv) argv = g_strsplit(words, " ", -1);
    Outcome outcome = {0};
    size_t out_size, err_size;
    FILE *out = open_memstream(&outcome.out, &out_size);
    FILE *err = open_memstream(&outcome.err, &err_size);

    outcome.status = command_main((int)g_strv_length(argv), argv, out, err);
    fclose(out);
    fclose(err);
    return outcome;
}

static void clear(Outcome *outcome)
{
    free(outcome->out);
    free(outcome->err);
}

static void assert_outcome(const char *words, int status, const char *in_out, const char *in_err)
{
    Outcome outcome = run(words);

    if (outcome.status != status || strstr(outcome.out, in_out) == NULL ||
        strstr(outcome.err, in_err) == NULL)
        fail_msg("%s: status %d\nstdout: %s\nstderr: %s", words, outcome.status, outcome.out,
                 outcome.err);
    clear(&outcome);
}

static void test_version_is_told(void **state)
{
    (void)state;
    assert_outcome("drover --version", 0, "drover " DROVER_VERSION, "");
}

static void test_help_lists_the_commands(void **state)
{
    (void)state;
    assert_outcome("drover help", 0, "  verify   ", "");
}

static void test_no_command_is_a_usage_error(void **state)
{
    (void)state;
    assert_outcome("drover", 2, "", "usage: drover COMMAND");
}

static void test_an_unknown_command_is_refused_with_the_list(void **state)
{
    (void)state;
    assert_outcome("drover moove", 2, "", "there is no command 'moove'\nusage: drover COMMAND");
}

static void test_a_command_to_come_is_refused_by_name(void **state)
{
    (void)state;
    assert_outcome("drover cutover m.yaml", 2, "", "drover: not supported yet: cutover\n");
}

static void test_every_command_has_help(void **state)
{
    static const char *const names[] = {"plan",   "run",    "capture", "copy",   "apply",
                                        "status", "verify", "pause",   "resume", "drop"};
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *words = g_strdup_printf("drover %s --help", names[i]);
        assert_outcome(words, 0, "--log-level", "");
    }
}

static void test_a_missing_file_name_is_a_usage_error(void **state)
{
    (void)state;
    assert_outcome("drover status", 2, "", "drover: drover status: name the migration file\n");
}

static void test_two_file_names_are_a_usage_error(void **state)
{
    (void)state;
    assert_outcome("drover status a.yaml b.yaml", 2, "", "one migration file, not several");
}

static void test_an_unknown_option_is_a_usage_error(void **state)
{
    (void)state;
    assert_outcome("drover status --fast m.yaml", 2, "", "--fast");
}

static void test_a_file_that_is_not_there_is_a_usage_error(void **state)
{
    (void)state;
    assert_outcome("drover status /nonexistent/m.yaml", 2, "", "/nonexistent/m.yaml");
}

static void test_json_shows_the_error_and_its_class(void **state)
{
    (void)state;
    assert_outcome("drover status --json /nonexistent/m.yaml", 2, "\"class\":\"usage\"",
                   "drover: ");
}

static void test_a_variable_sets_an_option(void **state)
{
    (void)state;
    g_setenv("DROVER_JSON", "1", TRUE);
    assert_outcome("drover status /nonexistent/m.yaml", 2, "\"error\":", "drover: ");
    g_unsetenv("DROVER_JSON");
}

static void test_a_bad_flag_variable_is_a_usage_error(void **state)
{
    (void)state;
    g_setenv("DROVER_TAKE_OVER", "maybe", TRUE);
    assert_outcome("drover run /nonexistent/m.yaml", 2, "", "DROVER_TAKE_OVER is 1 or 0");
    g_unsetenv("DROVER_TAKE_OVER");
}

static void test_the_command_line_wins_over_a_variable(void **state)
{
    (void)state;
    g_setenv("DROVER_LOG_LEVEL", "loud", TRUE);
    assert_outcome("drover status m.yaml", 2, "", "not 'loud'");
    assert_outcome("drover status --log-level=debug /nonexistent/m.yaml", 2, "", "nonexistent");
    g_unsetenv("DROVER_LOG_LEVEL");
}

static void test_options_to_come_are_refused_by_name(void **state)
{
    (void)state;
    assert_outcome("drover plan --parity m.yaml", 2, "", "not supported yet: plan --parity");
    assert_outcome("drover verify --repair m.yaml", 2, "", "not supported yet: verify --repair");
    assert_outcome("drover verify --since=1h m.yaml", 2, "", "not supported yet: verify --since");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_is_told),
        cmocka_unit_test(test_help_lists_the_commands),
        cmocka_unit_test(test_no_command_is_a_usage_error),
        cmocka_unit_test(test_an_unknown_command_is_refused_with_the_list),
        cmocka_unit_test(test_a_command_to_come_is_refused_by_name),
        cmocka_unit_test(test_every_command_has_help),
        cmocka_unit_test(test_a_missing_file_name_is_a_usage_error),
        cmocka_unit_test(test_two_file_names_are_a_usage_error),
        cmocka_unit_test(test_an_unknown_option_is_a_usage_error),
        cmocka_unit_test(test_a_file_that_is_not_there_is_a_usage_error),
        cmocka_unit_test(test_json_shows_the_error_and_its_class),
        cmocka_unit_test(test_a_variable_sets_an_option),
        cmocka_unit_test(test_a_bad_flag_variable_is_a_usage_error),
        cmocka_unit_test(test_the_command_line_wins_over_a_variable),
        cmocka_unit_test(test_options_to_come_are_refused_by_name),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
