/* Columns of the log against the types that the catalog names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/column_special.h"
#include "proto/error.h"
#include "tests/support/must.h"

#include <string.h>

static char charset[] = "utf8mb4";

static bool fits_in(const char *type, BinlogColumn *found, ColumnMeaning *meaning, Arena *arena)
{
    g_autofree char *copy = g_strdup(type);
    Column column = {.type = copy, .charset = charset};
    g_autofree char *other = mysql_column_complete(&column, found, meaning, arena);
    return other == NULL;
}

static bool fits(const char *type, BinlogColumn *found, ColumnMeaning *meaning)
{
    g_autoptr(Arena) arena = arena_new(256);
    return fits_in(type, found, meaning, arena);
}

static void test_types_fit_their_columns_alone(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        BinlogColumn column;
        bool fits;
    } cases[] = {
        {"int", {.type = COLUMN_LONG, .sign_known = true}, true},
        {"int(10) unsigned", {.type = COLUMN_LONG, .sign_known = true, .is_unsigned = true}, true},
        {"int unsigned zerofill",
         {.type = COLUMN_LONG, .sign_known = true, .is_unsigned = true},
         true},
        {"int unsigned", {.type = COLUMN_LONG, .sign_known = true}, false},
        {"int", {.type = COLUMN_LONGLONG, .sign_known = true}, false},
        {"interval", {.type = COLUMN_LONG, .sign_known = true}, false},
        {"decimal(10,2)", {.type = COLUMN_NEWDECIMAL, .precision = 10, .scale = 2}, true},
        {"decimal(10,0)", {.type = COLUMN_NEWDECIMAL, .precision = 10, .scale = 2}, false},
        {"float(7,3)", {.type = COLUMN_FLOAT, .size = 4}, true},
        {"double", {.type = COLUMN_FLOAT, .size = 4}, false},
        {"bit(10)", {.type = COLUMN_BIT, .size = 10}, true},
        {"bit(9)", {.type = COLUMN_BIT, .size = 10}, false},
        {"datetime(3)", {.type = COLUMN_DATETIME2, .scale = 3}, true},
        {"datetime", {.type = COLUMN_DATETIME2, .scale = 3}, false},
        {"datetime", {.type = COLUMN_DATETIME}, true},
        {"timestamp", {.type = COLUMN_TIMESTAMP2}, true},
        {"varchar(20)", {.type = COLUMN_VARCHAR, .size = 80, .collation = 45}, true},
        {"varchar(20)", {.type = COLUMN_VARCHAR, .size = 20, .collation = 8}, false},
        {"varchar(20)", {.type = COLUMN_VARCHAR, .size = 81, .collation = 45}, false},
        {"varchar(20)", {.type = COLUMN_VARCHAR, .size = 100, .collation = 45}, false},
        {"varchar(20)", {.type = COLUMN_VARCHAR, .size = 20, .collation = 63}, false},
        {"varchar(0)", {.type = COLUMN_VARCHAR, .size = 0, .collation = 45}, true},
        {"varchar(20) /*M!100301 COMPRESSED*/",
         {.type = COLUMN_VARCHAR_COMPRESSED, .size = 81, .collation = 45},
         true},
        {"varbinary(20)", {.type = COLUMN_VARCHAR, .size = 20, .collation = 63}, true},
        {"binary(4)", {.type = COLUMN_STRING, .size = 5, .collation = 63}, false},
        {"char(3)", {.type = COLUMN_STRING, .size = 12, .collation = 45}, true},
        {"mediumtext", {.type = COLUMN_BLOB, .size = 3, .collation = 45}, true},
        {"text", {.type = COLUMN_BLOB, .size = 3, .collation = 45}, false},
        {"blob", {.type = COLUMN_BLOB, .size = 2, .collation = 45}, false},
        {"json", {.type = COLUMN_JSON, .size = 4}, true},
        {"json", {.type = COLUMN_BLOB, .size = 4, .collation = 46}, true},
        {"vector(3)", {.type = COLUMN_VECTOR, .size = 4, .dimension = 3}, true},
        {"vector(4)", {.type = COLUMN_VECTOR, .size = 4, .dimension = 3}, false},
        {"point", {.type = COLUMN_GEOMETRY, .size = 4}, true},
        {"uuid", {.type = COLUMN_STRING, .size = 16, .collation = 63}, true},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        BinlogColumn column = cases[i].column;
        ColumnMeaning meaning;
        if (fits(cases[i].type, &column, &meaning) != cases[i].fits)
            fail_msg("%s (case %u) %s", cases[i].type, i, cases[i].fits ? "does not fit" : "fits");
    }
}

static void test_what_the_log_leaves_open_is_completed(void **state)
{
    (void)state;
    ColumnMeaning meaning;
    BinlogColumn number = {.type = COLUMN_TINY}, bytes = {.type = COLUMN_BLOB, .size = 2};
    assert_true(fits("tinyint(3) unsigned", &number, &meaning));
    assert_true(number.sign_known && number.is_unsigned);
    assert_true(fits("blob", &bytes, &meaning));
    assert_int_equal(bytes.collation, MYSQL_COLLATION_BINARY);
    BinlogColumn text = {.type = COLUMN_BLOB, .size = 2}, array = {.type = COLUMN_SET, .size = 1};
    assert_true(fits("text", &text, &meaning));
    assert_int_equal(text.collation, 45);
    assert_true(fits("set('a','b')", &array, &meaning));
    assert_int_equal(array.n_labels, 2);
}

static void test_labels_come_from_the_catalog(void **state)
{
    (void)state;
    GError *error = NULL;
    ColumnMeaning meaning;
    g_autoptr(Arena) arena = arena_new(256);
    g_autoptr(GByteArray) out = g_byte_array_new();
    BinlogColumn column = {.type = COLUMN_ENUM, .size = 1, .collation = 8};
    const char *type = "enum('it''s','a\\\\b','n\\n','\u00e9','')";
    assert_true(fits_in(type, &column, &meaning, arena));
    assert_int_equal(column.n_labels, 5);
    for (gint64 i = 1; i <= 5; i++) {
        BinlogValue value = {.kind = BINLOG_VALUE_ENUM, .integer = i};
        MUST(mysql_special_append(meaning, &column, &value, NULL, out, &error));
        g_byte_array_append(out, (const guint8 *)"|", i < 5 ? 1 : 0);
    }
    g_byte_array_append(out, (const guint8 *)"", 1);
    assert_string_equal((const char *)out->data, "it's|a\\b|n\n|\u00e9|");
    BinlogColumn other = column;
    assert_false(fits("enum('a','b')", &other, &meaning));
    BinlogColumn none = {.type = COLUMN_ENUM, .size = 1};
    assert_false(fits("enum", &none, &meaning));
}

static void expect_bytes(const char *type, guint16 size, const char *stored, gsize stored_size,
                         const char *wanted)
{
    GError *error = NULL;
    ColumnMeaning meaning;
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GString) hex = g_string_new(NULL);
    BinlogColumn column = {.type = COLUMN_STRING, .size = size};
    BinlogValue value = {
        .kind = BINLOG_VALUE_STRING, .data = (const guint8 *)stored, .size = stored_size};
    assert_true(fits(type, &column, &meaning));
    MUST(mysql_special_append(meaning, &column, &value, NULL, out, &error));
    for (guint i = 0; i < out->len; i++)
        g_string_append_printf(hex, "%02x", out->data[i]);
    assert_string_equal(hex->str, wanted);
    value.size = (gsize)size + 1;
    MUST_FAIL(mysql_special_append(meaning, &column, &value, NULL, out, &error), DROVER_ERROR_DATA);
}

static void test_types_of_mariadb_are_filled_up(void **state)
{
    (void)state;
    expect_bytes("uuid", 16, "\1\2\3", 3, "01020300000000000000000000000000");
    expect_bytes("inet4", 4, "\1\2\0\0\0", 2, "0220000401020000");
    expect_bytes("inet6", 16, "", 0, "0380001000000000000000000000000000000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_fit_their_columns_alone),
        cmocka_unit_test(test_what_the_log_leaves_open_is_completed),
        cmocka_unit_test(test_labels_come_from_the_catalog),
        cmocka_unit_test(test_types_of_mariadb_are_filled_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
