/*
 * Every column type at its edges: what the decoder makes of a row against what a SELECT of the same
 * server said of it (tests/support/record_binlog.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/binlog_row.h"
#include "capture/mysql/canonical.h"
#include "proto/error.h"
#include "tests/support/binlog_golden.h"

#include <string.h>

static bool is_number(const BinlogValue *value)
{
    return value->kind == BINLOG_VALUE_FLOAT || value->kind == BINLOG_VALUE_DOUBLE;
}

static bool is_string(const BinlogValue *value)
{
    return value->kind == BINLOG_VALUE_STRING || value->kind == BINLOG_VALUE_ENUM ||
           value->kind == BINLOG_VALUE_SET || value->kind == BINLOG_VALUE_JSON;
}

/* Strings by their canonical bytes, floats by their number, all others by their text. */
static void compare(const BinlogColumn *column, const BinlogValue *value, const GoldenCell *cell)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    gsize size;
    if (!cell->text) {
        assert_int_equal(value->kind, BINLOG_VALUE_NULL);
        return;
    }
    const char *wanted = g_bytes_get_data(cell->text, &size);
    g_autofree char *text = mysql_value_text(column, value);
    g_autofree char *expected = g_strndup(size > 0 ? wanted : "", size);
    if (!mysql_canonical_append(column, value, NULL, bytes, &error))
        fail_msg("column %s, %s: %s", column->name, text, error->message);
    if (is_number(value)) {
        double number = g_ascii_strtod(expected, NULL);
        if (value->kind == BINLOG_VALUE_FLOAT ? (float)number != (float)value->number
                                              : number != value->number)
            fail_msg("column %s is %s, expected %s", column->name, text, expected);
    } else if (is_string(value)) {
        if (bytes->len != size || (size > 0 && memcmp(bytes->data, wanted, size) != 0))
            fail_msg("column %s is \"%.*s\" (%u), expected \"%s\" (%" G_GSIZE_FORMAT ")",
                     column->name, (int)bytes->len, (const char *)bytes->data, bytes->len, expected,
                     size);
    } else if (strcmp(text, expected) != 0) {
        fail_msg("column %s is %s, expected %s", column->name, text, expected);
    }
}

static guint compare_rows(const Golden *golden, BinlogRowReader *rows, const BinlogEvent *event)
{
    g_autoptr(GError) error = NULL;
    BinlogRow row;
    guint n = 0;
    binlog_row_reader_start(rows, event);
    while (binlog_row_reader_next(rows, &row, &error) == BINLOG_ROW) {
        guint id = (guint)row.after[0].integer;
        for (guint i = 1; i < row.n_columns; i++)
            compare(&event->rows.table->columns[i], &row.after[i], golden_cell(golden, id, i));
        n++;
    }
    if (error)
        fail_msg("%s", error->message);
    return n;
}

static void compare_file(const char *name)
{
    Golden *golden = golden_load(name);
    g_autoptr(BinlogDecoder) decoder = binlog_decoder_new(BINLOG_EVENT_LIMIT);
    g_autoptr(BinlogRowReader) rows = binlog_row_reader_new();
    g_autoptr(GError) error = NULL;
    BinlogEvent event;
    guint n = 0;
    for (guint i = 0; i < golden->events->len; i++) {
        gsize size;
        const guint8 *data = g_bytes_get_data(golden->events->pdata[i], &size);
        binlog_decoder_put(decoder, data, size);
        if (binlog_decoder_next(decoder, &event, &error) != BINLOG_NEXT_EVENT)
            fail_msg("%s", error->message);
        if (event.kind == BINLOG_ROWS)
            n += compare_rows(golden, rows, &event);
    }
    assert_int_equal(n, 4);
    golden_free(golden);
}

static void test_mysql_values_are_what_a_select_says(void **state)
{
    (void)state;
    compare_file("mysql_types");
}

static void test_mariadb_values_are_what_a_select_says(void **state)
{
    (void)state;
    compare_file("mariadb_types");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mysql_values_are_what_a_select_says),
        cmocka_unit_test(test_mariadb_values_are_what_a_select_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
