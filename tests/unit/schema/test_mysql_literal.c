/* Canonical cells as MySQL's literals and as fields of LOAD DATA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "schema/mysql/interval.h"
#include "schema/mysql/literal.h"
#include "schema/type_oid.h"
#include "tests/support/must.h"

#include <string.h>

static char column_name[] = "c";

static GByteArray *bytes_of(const char *hex)
{
    GByteArray *bytes = g_byte_array_new();
    for (; hex[0] != 0 && hex[1] != 0; hex += 2) {
        guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(bytes, &byte, 1);
    }
    return bytes;
}

static Column column_of(guint32 oid, const char *type, const char *target_type)
{
    return (Column){.name = column_name,
                    .type = (char *)(gpointer)type,
                    .target_type = (char *)(gpointer)target_type,
                    .type_oid = oid};
}

typedef struct Case {
    guint32 oid;
    const char *type, *target_type, *hex, *literal, *field; /* field NULL: as the literal */
} Case;

static const Case cases[] = {
    {OID_BOOL, "boolean", "tinyint(1)", "01", "1", NULL},
    {OID_BOOL, "boolean", "tinyint(1)", "00", "0", NULL},
    {OID_INT2, "smallint", "smallint", "8000", "-32768", NULL},
    {OID_INT2, "year", "year", "0000", "0000", NULL},
    {OID_INT4, "integer", "int", "80000000", "-2147483648", NULL},
    {OID_OID, "oid", "int unsigned", "ffffffff", "4294967295", NULL},
    {OID_INT8, "bigint", "bigint", "8000000000000000", "-9223372036854775808", NULL},
    {OID_INT8, "bigint", "bigint", "7fffffffffffffff", "9223372036854775807", NULL},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "0000000000000002", "0.00", NULL},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "00010000400000010005", "-5.0", NULL},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "0001fffe000000080001", "0.00000001", NULL},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "0001ffff000000040001", "0.0001", NULL},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "00010002000000000001", "100000000", NULL},
    {OID_NUMERIC, "numeric(6,2)", "decimal(6,2)", "0002000000000002270f2648", "9999.98", NULL},
    {OID_FLOAT4, "real", "float", "80000000", "-0e0", NULL},
    {OID_FLOAT4, "real", "float", "3dcccccd", "0.10000000149011612e0", NULL},
    {OID_FLOAT8, "double precision", "double", "7fefffffffffffff", "1.7976931348623157e+308", NULL},
    {OID_BIT, "bit(10)", "bit(10)", "0000000aff40", "1021", NULL},
    {OID_BIT, "bit(64)", "bit(64)", "00000040ffffffffffffffff", "18446744073709551615", NULL},
    {OID_DATE, "date", "date", "00000000", "'2000-01-01'", "2000-01-01"},
    {OID_DATE, "date", "date", "fff4dbf9", "'0001-01-01'", "0001-01-01"},
    {OID_DATE, "date", "date", "002c95d3", "'9999-12-31'", "9999-12-31"},
    {OID_TIME, "time", "time(6)", "000000141dd76000", "'24:00:00'", "24:00:00"},
    {OID_TIMESTAMP, "timestamp", "datetime(6)", "ffffffffffffffff", "'1999-12-31 23:59:59.999999'",
     "1999-12-31 23:59:59.999999"},
    {OID_TIMESTAMPTZ, "timestamptz", "datetime(6)", "0000000000000001",
     "'2000-01-01 00:00:00.000001'", "2000-01-01 00:00:00.000001"},
    {OID_INTERVAL, "interval", "varchar(64)", "fffffffffff0bdc0fffffffe0000000e", "'P1Y2M-2DT-1S'",
     "P1Y2M-2DT-1S"},
    {OID_INTERVAL, "time", "interval", "fffffffffff0bdc00000000000000000", "'-00:00:01'",
     "-00:00:01"},
    {OID_UUID, "uuid", "char(36)", "00112233445566778899aabbccddeeff",
     "'00112233-4455-6677-8899-aabbccddeeff'", "00112233-4455-6677-8899-aabbccddeeff"},
    {OID_INET, "inet", "varchar(43)", "022000040a000001", "'10.0.0.1'", "10.0.0.1"},
    {OID_INET, "inet", "varchar(43)", "021800040a000001", "'10.0.0.1/24'", "10.0.0.1/24"},
    {OID_CIDR, "cidr", "varchar(43)",
     "032001102001db80000000000000000000000000"
     "00",
     NULL, NULL},
    {OID_CIDR, "cidr", "varchar(43)", "0320011020010db8000000000000000000000000", "'2001:db8::/32'",
     "2001:db8::/32"},
    {OID_MACADDR, "macaddr", "varchar(17)", "08002b010203", "'08:00:2b:01:02:03'",
     "08:00:2b:01:02:03"},
    {OID_CHAR, "\"char\"", "varchar(4)", "00", "''", ""},
    {OID_CHAR, "\"char\"", "varchar(4)", "27", "''''", "'"},
    {OID_CHAR, "\"char\"", "varchar(4)", "ff", "'\\\\377'", "\\\\377"},
    {OID_TEXT, "text", "longtext", "", "''", ""},
    {OID_TEXT, "text", "longtext", "6127275c095c", "'a''''\\\\\t\\\\'", "a''\\\\\\t\\\\"},
    {OID_JSONB, "jsonb", "json", "017b7d", "'{}'", "{}"},
    {OID_BYTEA, "bytea", "longblob", "00ff27", "x'00FF27'", "00FF27"},
    {OID_BYTEA, "bytea", "longblob", "", "x''", ""},
    {OID_FLOAT4_ARRAY, "vector(1)", "vector(1)",
     "0000000100000000000002bc0000000100000001000000043fc00000", "x'0000C03F'", "0000C03F"},
};

static void check(const Case *one)
{
    GError *error = NULL;
    Column column = column_of(one->oid, one->type, one->target_type);
    g_autoptr(GByteArray) bytes = bytes_of(one->hex);
    g_autoptr(GString) literal = g_string_new(NULL), field = g_string_new(NULL);
    Cell cell = {.data = bytes->data, .length = bytes->len, .kind = CELL_VALUE};
    if (one->literal == NULL) {
        MUST_FAIL(mysql_append_literal(literal, &column, &cell, &error), DROVER_ERROR_BUG);
        return;
    }
    MUST(mysql_append_literal(literal, &column, &cell, &error));
    assert_string_equal(literal->str, one->literal);
    MUST(mysql_append_field(field, &column, &cell, &error));
    assert_string_equal(field->str, one->field != NULL ? one->field : one->literal);
}

static void test_values_are_written_as_mysql_reads_them(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static const struct {
    guint32 oid;
    const char *type, *target_type, *hex, *needle;
} refused[] = {
    {OID_NUMERIC, "numeric", "decimal(65,30)", "00000000c0000000", "NaN"},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "00000000f0000020", "-infinity"},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "00010009000000000001",
     "1000000000000000000000000000000000000 has more digits than fit into decimal(65,30)"},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "0001fff8400000200001",
     "-0.00000000000000000000000000000001 has more digits than fit into decimal(65,30)"},
    {OID_NUMERIC, "numeric", "decimal(65,30)", "00020009000000010001270f",
     "1999900000000000000000000000000000000.0 has more digits"},
    {OID_NUMERIC, "numeric", "decimal(4,2)", "00010000000000000064", "100 has more digits"},
    {OID_FLOAT4, "real", "float", "7fc00000", "NaN"},
    {OID_FLOAT8, "double precision", "double", "fff0000000000000", "-Infinity"},
    {OID_DATE, "date", "date", "7fffffff", "infinity"},
    {OID_DATE, "date", "date", "fff4dbf8", "0001-12-31 BC is before the year 1"},
    {OID_DATE, "date", "date", "002c95d4", "10000-01-01 is after the year 9999"},
    {OID_DATE, "date", "date", "ffda97a7", "4714-11-24 BC is before"},
    {OID_DATE, "date", "date", "7fda970c", "5874897-12-31 is after"},
    {OID_TIMESTAMP, "timestamp", "datetime(6)", "0380ebae71dea000", "10000-02-29 is after"},
    {OID_TIMESTAMPTZ, "timestamptz", "datetime(6)", "8000000000000000", "-infinity"},
    {OID_INTERVAL, "interval", "varchar(64)", "7fffffffffffffff7fffffff7fffffff", "infinity"},
    {OID_INTERVAL, "interval", "time(6)", "00000000000000000000000100000000", "P1D"},
    {OID_BIT, "bit(65)", "bit(64)", "00000041000000000000000000", "bit(64)"},
};

static void test_values_that_mysql_lacks_are_refused_with_column_and_value(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        GError *error = NULL;
        Column column = column_of(refused[i].oid, refused[i].type, refused[i].target_type);
        g_autoptr(GByteArray) bytes = bytes_of(refused[i].hex);
        g_autoptr(GString) sql = g_string_new(NULL);
        Cell cell = {.data = bytes->data, .length = bytes->len, .kind = CELL_VALUE};
        assert_false(mysql_append_literal(sql, &column, &cell, &error));
        if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA) ||
            strstr(error->message, refused[i].needle) == NULL ||
            strstr(error->message, "column c") == NULL)
            fail_msg("%s %s: %s", refused[i].type, refused[i].hex, error->message);
        g_clear_error(&error);
    }
}

static void test_null_is_written_and_an_unchanged_cell_is_a_bug(void **state)
{
    (void)state;
    GError *error = NULL;
    Column column = column_of(OID_TEXT, "text", "longtext");
    g_autoptr(GString) out = g_string_new(NULL);
    Cell null = {.kind = CELL_NULL}, unchanged = {.kind = CELL_UNCHANGED};
    MUST(mysql_append_literal(out, &column, &null, &error));
    MUST(mysql_append_field(out, &column, &null, &error));
    assert_string_equal(out->str, "null\\N");
    MUST_FAIL(mysql_append_literal(out, &column, &unchanged, &error), DROVER_ERROR_BUG);
    MUST_FAIL(mysql_append_field(out, &column, &unchanged, &error), DROVER_ERROR_BUG);
}

static void test_bytes_and_bits_of_a_line_are_converted_by_the_statement(void **state)
{
    (void)state;
    g_autoptr(GString) sql = g_string_new(NULL);
    Column text = column_of(OID_TEXT, "text", NULL), bits = column_of(OID_BIT, "bit(1)", NULL),
           bytes = column_of(OID_BYTEA, "bytea", NULL);
    assert_false(mysql_field_needs_value(&text));
    assert_true(mysql_field_needs_value(&bits));
    assert_true(mysql_field_needs_value(&bytes));
    mysql_append_field_value(sql, &bits, "@v1");
    mysql_append_field_value(sql, &bytes, "@v2");
    assert_string_equal(sql->str, "cast(@v1 as unsigned)unhex(@v2)");
}

static void test_documents_that_mysql_would_change_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *needle; /* NULL: fits */
    } documents[] = {{"{\"b\": 1.50, \"a\": 2}", NULL},
                     {"[1e400]", "1e400"},
                     {"{\"k\": 1, \"k\": 1}", "two members named \"k\""},
                     {"[0.12345678901234567890]", "0.12345678901234567890"}};
    for (gsize i = 0; i < G_N_ELEMENTS(documents); i++) {
        GError *error = NULL;
        Column column = column_of(OID_JSON, "json", "json");
        g_autoptr(GString) sql = g_string_new(NULL);
        Cell cell = {.data = (const guint8 *)documents[i].text,
                     .length = (guint32)strlen(documents[i].text)};
        MUST(mysql_append_literal(sql, &column, &cell, &error));
        column.json_normal = true;
        if (mysql_append_literal(sql, &column, &cell, &error)) {
            assert_null(documents[i].needle);
            continue;
        }
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
        assert_non_null(strstr(error->message, documents[i].needle));
        assert_non_null(strstr(error->message, "column c"));
        g_clear_error(&error);
    }
}

static void test_intervals_come_back_from_their_text(void **state)
{
    (void)state;
    static const Interval intervals[] = {
        {0, 0, 0},         {-1, 0, 0},
        {1, -1, 1},        {G_MAXINT64, G_MAXINT32, G_MAXINT32 - 1},
        {60000000, 0, 12}, {G_MININT64, G_MININT32, G_MININT32 + 1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(intervals); i++) {
        Interval found;
        g_autoptr(GString) text = g_string_new(NULL);
        interval_append_text(&intervals[i], text);
        assert_true(text->len <= 64);
        assert_true(interval_of_text(text->str, text->len, &found));
        assert_memory_equal(&found, &intervals[i], sizeof found);
    }
    static const char *const wrong[] = {"",    "P",     "1Y",         "PT",  "P1H",
                                        "P1S", "PT1D",  "P1.5D",      "PT1", "PT1S ",
                                        "P-Y", "PTT1S", "P200000000Y"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        Interval found;
        if (interval_of_text(wrong[i], strlen(wrong[i]), &found))
            fail_msg("%s was taken for an interval", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_written_as_mysql_reads_them),
        cmocka_unit_test(test_values_that_mysql_lacks_are_refused_with_column_and_value),
        cmocka_unit_test(test_null_is_written_and_an_unchanged_cell_is_a_bug),
        cmocka_unit_test(test_bytes_and_bits_of_a_line_are_converted_by_the_statement),
        cmocka_unit_test(test_documents_that_mysql_would_change_are_refused),
        cmocka_unit_test(test_intervals_come_back_from_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
