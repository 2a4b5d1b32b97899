/*
 * Values from the binlog of real servers in drover's canonical form: PostgreSQL itself takes them
 * as binary parameters and compares them with what a SELECT on the source says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/canonical.h"
#include "proto/error.h"
#include "schema/mysql/charset.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/scratch.h"

#include <string.h>

#define MYSQL_ONLY 1
#define MARIADB_ONLY 2
#define HEX "concat('\\\\x', hex(c))"
#define BITS(n) "lpad(bin(c), " #n ", '0')"

static const struct {
    const char *type;   /* of the column */
    const char *shown;  /* SELECT expression over c, a text that PostgreSQL reads; NULL: c */
    const char *target; /* PostgreSQL's type */
    const char *values; /* separated by " | " */
    int only;
} types[] = {
    {"tinyint", NULL, "int2", "-128 | 127 | 0 | null", 0},
    {"tinyint unsigned", NULL, "int2", "0 | 255 | 128", 0},
    {"boolean", NULL, "int2", "true | false", 0},
    {"smallint", NULL, "int2", "-32768 | 32767", 0},
    {"smallint unsigned", NULL, "int4", "0 | 65535", 0},
    {"mediumint", NULL, "int4", "-8388608 | 8388607 | -1", 0},
    {"mediumint unsigned", NULL, "int4", "0 | 16777215", 0},
    {"int", NULL, "int4", "-2147483648 | 2147483647", 0},
    {"int unsigned", NULL, "int8", "0 | 4294967295", 0},
    {"bigint", NULL, "int8", "-9223372036854775808 | 9223372036854775807", 0},
    {"bigint unsigned", NULL, "numeric",
     "0 | 1 | 10000 | 100000000 | 9999999999999999 | 18446744073709551615", 0},
    {"decimal(10,3)", NULL, "numeric", "-9999999.999 | 0.001 | 0 | 10000 | 1.5", 0},
    {"decimal(65,30)", NULL, "numeric",
     "99999999999999999999999999999999999.999999999999999999999999999999 | "
     "-0.000000000000000000000000000001 | 100000000",
     0},
    {"decimal(5,0)", NULL, "numeric", "-99999 | 10000 | 0", 0},
    {"decimal(4,4)", NULL, "numeric", "-0.9999 | 0.0001", 0},
    {"float", "c * 1e0", "float4", "-3.402823466e38 | 1.17549435e-38 | 0.1 | -0.0", 0},
    {"double", NULL, "float8", "-1.7976931348623157e308 | 2.2250738585072014e-308 | 0.1", 0},
    {"bit(1)", BITS(1), "bit(1)", "b'0' | b'1'", 0},
    {"bit(10)", BITS(10), "bit(10)", "b'1111111111' | b'1' | b'1000000001'", 0},
    {"bit(64)", BITS(64), "bit(64)", "0xffffffffffffffff | 1 | 0x8000000000000001", 0},
    {"year", "c + 0", "int2", "1901 | 2155 | 0", 0},
    {"date", NULL, "date", "'0001-01-01' | '1582-10-10' | '2000-02-29' | '9999-12-31'", 0},
    {"time", NULL, "interval", "'-838:59:59' | '838:59:59' | '-00:00:01' | '00:00:00'", 0},
    {"time(3)", NULL, "interval", "'-00:00:00.001' | '-12:34:56.789' | '23:59:59.999'", 0},
    {"time(6)", NULL, "interval", "'-838:59:58.999999' | '-00:00:00.000001'", 0},
    {"datetime", NULL, "timestamp", "'0001-01-01 00:00:00' | '9999-12-31 23:59:59'", 0},
    {"datetime(2)", NULL, "timestamp", "'1999-12-31 23:59:59.99' | '1969-12-31 23:59:59.01'", 0},
    {"datetime(6)", NULL, "timestamp", "'1000-01-01 00:00:00.000001' | '2024-02-29 12:00:00'", 0},
    {"timestamp(6) null", "concat(c, '+00')", "timestamptz",
     "'1970-01-01 00:00:01.000001' | '2038-01-19 03:14:07' | '2024-02-29 12:00:00.5'", 0},
    {"char(10)", NULL, "text", "'' | 'abc' | '\U0001f600\u00e9'", 0},
    {"varchar(300)", NULL, "text", "'' | 'a '  | repeat('\U0001f600', 300)", 0},
    {"text", NULL, "text", "'' | 'tab\\tquote\\'' | repeat('x', 65535)", 0},
    {"varchar(10) character set latin1", NULL, "text", "'\u00e9\u20ac' | 'a'", 0},
    {"varchar(10) character set utf16", NULL, "text", "'\U0001f600' | 'a'", 0},
    {"varchar(10) character set utf32", NULL, "text", "'\U0001f600' | 'a'", 0},
    {"varchar(10) character set ucs2", NULL, "text", "'\u20ac' | 'a'", 0},
    {"varchar(10) character set gbk", NULL, "text", "'\u4e2d\u6587' | 'a'", 0},
    {"varchar(10) character set cp932", NULL, "text", "'\u65e5\u672c' | 'a'", 0},
    {"binary(4)", HEX, "bytea", "'' | 0x01020000 | 0x00000001", 0},
    {"varbinary(300)", HEX, "bytea", "'' | 0x000102ff00 | repeat(0x00, 300)", 0},
    {"mediumblob", HEX, "bytea", "'' | repeat(0x00ff, 70000)", 0},
    {"enum('a','\u00e9','x y')", NULL, "text", "'a' | '\u00e9' | 'x y' | null | 'not one'", 0},
    {"enum('a','\u00e9') character set latin1", NULL, "text", "'\u00e9'", 0},
    {"set('x','y','\u00e9')", NULL, "text", "'' | 'x,\u00e9' | 'x,y,\u00e9'", 0},
    {"geometry", HEX, "bytea", "point(1, 2) | null", 0},
    {"json", NULL, "json",
     "'null' | '{\"b\": [1, 2.5, \"\\\\u00e9\"], \"a\": {}}' | '[]' | '1e100'", MYSQL_ONLY},
    {"vector(2)", "translate(vector_to_string(c), '[]', '{}')", "float4[]",
     "string_to_vector('[1.5,-2]') | string_to_vector('[0]')", MYSQL_ONLY},
    {"varchar(2000) compressed", NULL, "text", "'' | repeat('ab', 900) | 'short'", MARIADB_ONLY},
    {"blob compressed", HEX, "bytea", "'' | repeat(0x00, 5000)", MARIADB_ONLY},
};

/* translate() is missing in MySQL. */
static const char *shown(guint number)
{
    if (!types[number].shown)
        return "c";
    if (strstr(types[number].shown, "translate"))
        return "replace(replace(vector_to_string(c), '[', '{'), ']', '}')";
    return types[number].shown;
}

static void compare(Scratch *pg, guint number, const GByteArray *bytes, guint32 type,
                    const char *wanted)
{
    const char *values[2] = {(const char *)(bytes->data ? bytes->data : (const guint8 *)""),
                             wanted};
    int lengths[2] = {(int)bytes->len, 0}, formats[2] = {1, 0};
    Oid oids[2] = {type, 25};
    g_autofree char *sql =
        g_strdup_printf("select $1%s = $2::%s, $1::text", type == 114 ? "::text" : "",
                        type == 114 ? "text" : types[number].target);
    PGresult *answer = PQexecParams(pg->connection, sql, 2, oids, values, lengths, formats, 0);
    if (PQresultStatus(answer) != PGRES_TUPLES_OK)
        fail_msg("%s, %s: %s", types[number].type, wanted, PQresultErrorMessage(answer));
    if (strcmp(PQgetvalue(answer, 0, 0), "t") != 0)
        fail_msg("%s: found %.200s, expected %.200s", types[number].type, PQgetvalue(answer, 0, 1),
                 wanted);
    PQclear(answer);
}

static void compare_row(MysqlScratch *scratch, Scratch *pg, guint number, const BinlogTableMap *map,
                        const BinlogRow *row)
{
    GError *error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *wanted =
        mysql_scratch_ask(scratch, 0, "select convert(%s using utf8mb4) from t where id = %d",
                          shown(number), (int)row->after[0].integer);
    if (!wanted) {
        assert_int_equal(row->after[1].kind, BINLOG_VALUE_NULL);
        return;
    }
    MUST(mysql_canonical_append(&map->columns[1], &row->after[1], NULL, bytes, &error));
    compare(pg, number, bytes, mysql_canonical_type(&map->columns[1]), wanted);
}

static void check_type(MysqlScratch *scratch, Scratch *pg, guint number)
{
    GError *error = NULL;
    BinlogRow row;
    MysqlLog log;
    guint n = 0;
    g_auto(GStrv) values = g_strsplit(types[number].values, " | ", -1);
    mysql_scratch_run(scratch, "create table t (id int primary key, c %s)", types[number].type);
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    for (guint i = 0; values[i]; i++)
        mysql_scratch_run(scratch, "insert into t values (%u, %s)", i, values[i]);
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    while (mysql_log_next_rows(&log, "t"))
        while (binlog_row_reader_next(log.rows, &row, &error) == BINLOG_ROW) {
            compare_row(scratch, pg, number, log.event.rows.table, &row);
            n++;
        }
    assert_int_equal(n, g_strv_length(values));
    mysql_log_clear(&log);
    mysql_scratch_run(scratch, "drop table t");
}

static void check_types(const char *variable, int other)
{
    MysqlScratch *scratch = mysql_scratch_new(variable);
    Scratch *pg = scratch_new("DROVER_TEST_TARGET");
    mysql_scratch_run(scratch, "set time_zone = '+00:00'");
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].only != other)
            check_type(scratch, pg, i);
    scratch_free(pg);
    mysql_scratch_free(scratch);
}

static void test_mysql_types_become_postgresql_values(void **state)
{
    (void)state;
    check_types("DROVER_TEST_MYSQL", MARIADB_ONLY);
}

static void test_mariadb_types_become_postgresql_values(void **state)
{
    (void)state;
    check_types("DROVER_TEST_MARIADB", MYSQL_ONLY);
}

/* ---- what does not fit ---- */

static void expect_data(MysqlScratch *scratch, const char *type, const char *value,
                        const char *needle)
{
    GError *error = NULL;
    BinlogRow row;
    MysqlLog log;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_scratch_run(scratch, "create table t (id int primary key, c %s)", type);
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    mysql_scratch_run(scratch, "insert into t values (1, %s)", value);
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    assert_true(mysql_log_next_rows(&log, "t"));
    assert_int_equal(binlog_row_reader_next(log.rows, &row, &error), BINLOG_ROW);
    const BinlogColumn *column = &log.event.rows.table->columns[1];
    assert_false(mysql_canonical_append(column, &row.after[1], NULL, bytes, &error));
    if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA) || !strstr(error->message, needle))
        fail_msg("%s %s: \"%s\" was expected: %s", type, value, needle, error->message);
    g_clear_error(&error);
    mysql_log_clear(&log);
    mysql_scratch_run(scratch, "drop table t");
}

static void test_values_that_postgresql_lacks_are_named(void **state)
{
    (void)state;
    static const char *const variables[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};
    for (guint i = 0; i < G_N_ELEMENTS(variables); i++) {
        MysqlScratch *scratch = mysql_scratch_new(variables[i]);
        mysql_scratch_run(scratch, "set sql_mode = 'ALLOW_INVALID_DATES'");
        expect_data(scratch, "date", "'0000-00-00'", "0000-00-00");
        expect_data(scratch, "date", "'2024-00-10'", "2024-00-10");
        expect_data(scratch, "date", "'2023-02-31'", "2023-02-31");
        expect_data(scratch, "datetime(3)", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00.000");
        expect_data(scratch, "timestamp null", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00");
        expect_data(scratch, "varchar(10)", "concat('a', char(0), 'b')", "zero byte");
        mysql_scratch_free(scratch);
    }
}

/* ---- texts of JSON and of character sets ---- */

static void test_numbers_in_json_are_written_as_the_server_does(void **state)
{
    (void)state;
    enum { N = 2000 };
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    g_autoptr(GString) sql = g_string_new("insert into t values ");
    mysql_scratch_run(scratch, "create table t (id int primary key, c json)");
    for (guint i = 0; i < N; i++) {
        char number[G_ASCII_DTOSTR_BUF_SIZE], format[] = "%.0e";
        format[2] = (char)('0' + g_rand_int_range(random, 0, 10));
        double value = g_rand_double_range(random, -10, 10);
        for (gint32 power = g_rand_int_range(random, -40, 41); power != 0;
             power += power < 0 ? 1 : -1)
            value = power < 0 ? value / 10 : value * 10;
        if (i % 3 == 0)
            g_ascii_dtostr(number, sizeof number, value);
        else
            g_ascii_formatd(number, sizeof number, format, value);
        g_string_append_printf(sql, "%s(%u, cast(%s as json))", i > 0 ? ", " : "", i,
                               strchr(number, 'e') ? number : "1e0");
    }
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    mysql_scratch_run(scratch, "%s", sql->str);
    MysqlLog log;
    BinlogRow row;
    GError *error = NULL;
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    guint n = 0;
    while (mysql_log_next_rows(&log, "t"))
        while (binlog_row_reader_next(log.rows, &row, &error) == BINLOG_ROW) {
            g_autofree char *found =
                mysql_value_text(&log.event.rows.table->columns[1], &row.after[1]);
            g_autofree char *wanted = mysql_scratch_ask(scratch, 0, "select c from t where id = %d",
                                                        (int)row.after[0].integer);
            assert_string_equal(found, wanted);
            n++;
        }
    assert_int_equal(n, N);
    mysql_log_clear(&log);
    mysql_scratch_free(scratch);
}

/* Every single byte of every character set: drover's text is the server's, or it refuses. */
static void check_charset(MysqlScratch *scratch, const char *name, guint32 collation)
{
    for (guint byte = 1; byte < 256; byte++) {
        g_autoptr(GByteArray) found = g_byte_array_new();
        guint8 text = (guint8)byte;
        if (!mysql_charset_to_utf8(collation, &text, 1, found, NULL))
            continue;
        g_autofree char *wanted = mysql_scratch_ask(
            scratch, 0, "select hex(convert(convert(0x%02x using %s) using utf8mb4))", byte, name);
        GString *hex = g_string_new(NULL);
        for (guint i = 0; i < found->len; i++)
            g_string_append_printf(hex, "%02X", found->data[i]);
        if (!wanted || strcmp(hex->str, wanted) != 0)
            print_error("%s 0x%02x: found %s, the server says %s\n", name, byte, hex->str, wanted);
        assert_non_null(wanted);
        assert_string_equal(hex->str, wanted);
        g_string_free(hex, true);
    }
}

static void test_character_sets_convert_as_the_server_does(void **state)
{
    (void)state;
    static const char *const variables[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};
    for (guint i = 0; i < G_N_ELEMENTS(variables); i++) {
        MysqlScratch *scratch = mysql_scratch_new(variables[i]);
        guint n = 0;
        for (guint32 collation = 1; collation < 64; collation++) {
            const char *name = mysql_charset_name(collation);
            if (!name || strcmp(name, "binary") == 0)
                continue;
            g_autofree char *is_default = mysql_scratch_ask(
                scratch, 0,
                "select 1 from information_schema.collations where id = %u and is_default = 'Yes' "
                "and character_set_name in (select character_set_name from "
                "information_schema.character_sets where maxlen = 1)",
                collation);
            if (!is_default)
                continue;
            check_charset(scratch, name, collation);
            n++;
        }
        assert_true(n > 15);
        mysql_scratch_free(scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mysql_types_become_postgresql_values),
        cmocka_unit_test(test_mariadb_types_become_postgresql_values),
        cmocka_unit_test(test_values_that_postgresql_lacks_are_named),
        cmocka_unit_test(test_numbers_in_json_are_written_as_the_server_does),
        cmocka_unit_test(test_character_sets_convert_as_the_server_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
