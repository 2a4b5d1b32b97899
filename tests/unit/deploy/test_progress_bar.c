/* The line that a terminal shows, and the numbers in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/progress_bar.h"
#include "deploy/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const ProgressView copy_view = {.kind = PROGRESS_COPY,
                                       .phase = "copying",
                                       .rows = 250000,
                                       .rows_total = 1000000,
                                       .bytes = 30 << 20,
                                       .rows_per_second = 5000};

static char *format(const ProgressView *view, guint columns, bool color)
{
    GString *line = g_string_new(NULL);
    progress_bar_format(view, columns, color, line);
    return g_string_free(line, FALSE);
}

static void test_the_copy_shows_rows_speed_and_time_left(void **state)
{
    (void)state;
    g_autofree char *line = format(&copy_view, 200, false);
    assert_string_equal(line, "copying     [######------------------]  25%  250,000 of 1,000,000 "
                              "rows  30.0 MiB  5,000 rows/s  ETA 2m30s");
}

static void test_the_line_is_cut_at_the_terminal(void **state)
{
    (void)state;
    g_autofree char *line = format(&copy_view, 20, false);
    assert_int_equal(strlen(line), 20);
}

static void test_escape_sequences_count_as_nothing(void **state)
{
    (void)state;
    g_autofree char *plain = format(&copy_view, 200, false);
    /* The plain bar stands in brackets. */
    g_autofree char *colored = format(&copy_view, (guint)strlen(plain) - 2, true);
    assert_non_null(strstr(colored, "ETA 2m30s"));
    assert_null(strchr(plain, '\033'));
}

static void test_more_rows_than_estimated_stay_at_the_end(void **state)
{
    ProgressView view = copy_view;
    (void)state;
    view.rows = 2000000;
    assert_true(progress_fraction(&view) == 1);
    assert_true(progress_eta(&view) == 0);
}

static void test_nothing_known_is_no_division_by_zero(void **state)
{
    const ProgressView view = {.kind = PROGRESS_COPY, .phase = "copying"};
    (void)state;
    assert_true(progress_fraction(&view) == 0);
    assert_true(progress_eta(&view) < 0);
}

static void test_the_stream_shows_its_lag_and_the_pause(void **state)
{
    const ProgressView view = {.kind = PROGRESS_STREAM,
                               .phase = "streaming",
                               .paused = true,
                               .lag_bytes = 2048,
                               .lag_seconds = 0.25,
                               .events_per_second = 1234,
                               .retained_bytes = -1};
    (void)state;
    g_autofree char *line = format(&view, 200, false);
    assert_string_equal(line,
                        "streaming    lag 2.0 KiB, 0.2 s  1,234 events/s  source keeps ?  paused");
}

static void test_the_stream_says_whose_lag_it_is(void **state)
{
    const ProgressView view = {.kind = PROGRESS_STREAM,
                               .phase = "copying",
                               .role = "capture",
                               .lag_bytes = 1024,
                               .lag_seconds = 1,
                               .retained_bytes = -1};
    (void)state;
    g_autofree char *line = format(&view, 200, false);
    assert_string_equal(line,
                        "copying      capture lag 1.0 KiB, 1.0 s  0 events/s  source keeps ?");
}

static void test_counts_and_durations_are_readable(void **state)
{
    (void)state;
    g_autofree char *small = text_count(999);
    g_autofree char *large = text_count(1234567);
    g_autofree char *hours = text_duration(3723);
    g_autofree char *bytes = text_bytes(1023);
    assert_string_equal(small, "999");
    assert_string_equal(large, "1,234,567");
    assert_string_equal(hours, "1h02m");
    assert_string_equal(bytes, "1023 bytes");
}

static void test_tables_line_up_with_numbers_to_the_right(void **state)
{
    g_autoptr(TextTable) table = text_table_new(3);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    text_table_row(table, "TABLE", "ROWS", "STATE");
    text_table_row(table, "x", "5", "done");
    text_table_print(table, out);
    fclose(out);
    assert_string_equal(text, "  TABLE  ROWS  STATE\n  x         5  done\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_copy_shows_rows_speed_and_time_left),
        cmocka_unit_test(test_the_line_is_cut_at_the_terminal),
        cmocka_unit_test(test_escape_sequences_count_as_nothing),
        cmocka_unit_test(test_more_rows_than_estimated_stay_at_the_end),
        cmocka_unit_test(test_nothing_known_is_no_division_by_zero),
        cmocka_unit_test(test_the_stream_shows_its_lag_and_the_pause),
        cmocka_unit_test(test_the_stream_says_whose_lag_it_is),
        cmocka_unit_test(test_counts_and_durations_are_readable),
        cmocka_unit_test(test_tables_line_up_with_numbers_to_the_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
