/*
 * The copy's rows on real MySQL and MariaDB servers, with LOAD DATA and with INSERT: values arrive
 * as they are, however their bytes are cut; what a column cannot hold is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/mysql_writing.h"

#include <string.h>

#define V(...) NET_VALUES(__VA_ARGS__)

static bool copy(const Table *table, const GByteArray *data, gsize piece, gint64 *rows,
                 GError **error)
{
    Target *target = mysql_writing.target;
    if (!mysql_target_ops.copy_begin(target, table, error))
        return false;
    for (gsize at = 0; at < data->len; at += piece)
        if (!mysql_target_ops.copy_data(target, data->data + at, MIN(piece, data->len - at), error))
            return false;
    return mysql_target_ops.copy_end(target, rows, error);
}

static void copy_and_commit(const Table *table, const GByteArray *data, gsize piece, gint64 n)
{
    g_autoptr(GError) error = NULL;
    gint64 rows = -1;
    mysql_writing_run("begin");
    MUST(copy(table, data, piece, &rows, &error));
    mysql_writing_run("commit");
    assert_int_equal(rows, n);
}

static void expect_refused(const Table *table, Net *net, const char *const *parts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    gint64 rows;
    mysql_writing_run("begin");
    assert_false(copy(table, data, data->len, &rows, &error));
    if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA))
        fail_msg("class %d: %s", error->code, error->message);
    for (guint i = 0; parts[i]; i++)
        if (!strstr(error->message, parts[i]))
            fail_msg("%s: %s", parts[i], error->message);
    g_autoptr(Answer) answer =
        mysql_target_ops.execute(mysql_writing.target, "commit", 0, NULL, NULL);
    assert_null(answer);
    mysql_writing_expect_value("select count(*) from t", "0");
}

static const char typed_columns[] =
    "id integer key, b boolean, i2 smallint, i8 bigint, u8 numeric(20,0), f4 real, f8 double, n "
    "numeric(12,4), vc varchar(20), tx text, b1 bytea, d date, ti time, ts timestamp, tstz "
    "timestamptz, j json, jb jsonb, u uuid, bi bit(5)";

static const char typed_table[] =
    "id int primary key, b tinyint(1), i2 smallint, i8 bigint, u8 bigint unsigned, f4 float, f8 "
    "double, n decimal(12,4), vc varchar(20), tx longtext, b1 longblob, d date, ti time(6), ts "
    "datetime(6), tstz timestamp(6) null, j json, jb json, u char(36), bi bit(5))";

static const char *const typed_values[][19] = {
    {"1", "t", "-7", "9223372036854775807", "18446744073709551615", "1.17549435e-38",
     "-2.2250738585072014e-308", "12345678.9012",
     "stra\xc3\x9f"
     "e \xf0\x9f\x90\x84",
     "tab\tline\nreturn\rslash\\quote' \" \\N end ", "\\x00275c0a0d09ff2c", "2024-02-29",
     "23:59:59.999999", "9999-12-31 23:59:59.999999", "2024-07-01 12:00:00+02",
     "{\"a\": [1, \"x\\n\"]}", "{\"b\": null}", "0d9a4f2c-6c1d-4d7e-9a53-0a3f7c1e2b11", "10101"},
    {"2", "f", "0", "-9223372036854775808", "0", "-0", "1e300", "-0.0001", "", "", "\\x",
     "0001-01-01", "00:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:01+00", "[]", "\"\"",
     "00000000-0000-0000-0000-000000000000", "00000"},
    {"3", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL},
};

static void expect_typed_rows(void)
{
    mysql_writing_expect_value("select count(*) from t where b = 1 and i2 = -7 and i8 = "
                               "9223372036854775807 and u8 = 18446744073709551615 and f4 = "
                               "cast(1.17549435e-38 as float) and f8 = -2.2250738585072014e-308",
                               "1");
    mysql_writing_expect_value("select n from t where id = 1", "12345678.9012");
    mysql_writing_expect_value("select hex(vc) from t where id = 1", "73747261C39F6520F09F9084");
    mysql_writing_expect_value("select hex(tx) from t where id = 1",
                               "746162096C696E650A72657475726E0D736C6173685C71756F7465272022205C4E2"
                               "0656E6420");
    mysql_writing_expect_value("select hex(b1) from t where id = 1", "00275C0A0D09FF2C");
    mysql_writing_expect_value("select concat(d, '|', ti, '|', ts) from t where id = 1",
                               "2024-02-29|23:59:59.999999|9999-12-31 23:59:59.999999");
    mysql_writing_expect_value("select tstz from t where id = 1", "2024-07-01 10:00:00.000000");
    mysql_writing_expect_value("select json_unquote(json_extract(j, '$.a[1]')) from t where id = 1",
                               "x\n");
    mysql_writing_expect_value("select concat(u, bin(bi)) from t where id = 1",
                               "0d9a4f2c-6c1d-4d7e-9a53-0a3f7c1e2b1110101");
    mysql_writing_expect_value("select count(*) from t where id = 2 and vc = '' and tx = '' and b1 "
                               "= '' and f8 = 1e300 and i8 = -9223372036854775808 and bi = 0 and d "
                               "= '0001-01-01' and n = -0.0001",
                               "1");
    mysql_writing_expect_value(
        "select count(*) from t where id = 3 and coalesce(b, i2, i8, u8, f4, f8, n, vc, tx, b1, d, "
        "ti, ts, tstz, j, jb, u, bi) is null",
        "1");
}

static void test_values_of_many_types_arrive_as_they_are_in_pieces_of_any_size(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(typed_columns, typed_table);
    g_autoptr(Net) net = mysql_writing_net(table);
    for (gsize i = 0; i < G_N_ELEMENTS(typed_values); i++)
        net_add(net, NET_INSERT, typed_values[i], NULL);
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    const gsize pieces[] = {1, 2, 7, 19, 100, data->len};
    for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
        mysql_writing_run("delete from t");
        copy_and_commit(table, data, pieces[i], G_N_ELEMENTS(typed_values));
        expect_typed_rows();
    }
}

static void test_the_batch_writes_the_same_values_as_the_copy(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(typed_columns, typed_table);
    for (int kind = 0; kind < 2; kind++) {
        g_autoptr(Net) net = mysql_writing_net(table);
        for (gsize i = 0; i < G_N_ELEMENTS(typed_values); i++)
            net_add(net, kind == 0 ? NET_INSERT : NET_UPDATE, typed_values[i], NULL);
        mysql_writing_write_and_commit(net, true);
        expect_typed_rows();
        mysql_writing_run("update t set b = null, i2 = null, tx = 'other', b1 = null, j = null, bi "
                          "= 1, ts = null, f8 = 7");
    }
}

static void test_bytes_that_are_geometries(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, g bytea", "id int primary key, g geometry)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "\\xe61000000101000000000000000000004000000000000008c0"), NULL);
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    copy_and_commit(table, data, data->len, 1);
    mysql_writing_expect_value("select hex(g) from t",
                               "E61000000101000000000000000000004000000000000008C0");
    g_autoptr(Net) wrong = mysql_writing_net(table);
    net_add(wrong, NET_INSERT, V("2", "\\x00000000"), NULL);
    mysql_writing_run("delete from t");
    expect_refused(table, wrong, V(".t: ", "GEOMETRY", NULL));
}

static void test_vectors(void **state)
{
    (void)state;
    bool has_type = !mysql_writing.scratch->mariadb; /* else bytes stand in its place */
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v real[]",
        has_type ? "id int primary key, v vector(3))" : "id int primary key, v varbinary(12))");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "{1,-2.5,0}"), NULL);
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    copy_and_commit(table, data, data->len, 1);
    mysql_writing_expect_value("select hex(v) from t", "0000803F000020C000000000");
}

static void test_text_goes_into_columns_of_other_character_sets(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table(
        "id integer key, v text", "id int primary key, v varchar(20) character set latin1)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT,
            V("1", "stra\xc3\x9f"
                   "e"),
            NULL);
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    copy_and_commit(table, data, data->len, 1);
    mysql_writing_expect_value("select hex(v) from t", "73747261DF65");
    mysql_writing_run("delete from t");
    g_autoptr(Net) wrong = mysql_writing_net(table);
    net_add(wrong, NET_INSERT, V("2", "\xe2\x82\xac \xe4\xb8\xad"), NULL);
    expect_refused(table, wrong, V(".t: ", "the row with id=2: ", "\\xE4\\xB8\\xAD", NULL));
}

static void test_values_that_the_column_cannot_hold_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *column, *value, *named;
    } cases[] = {
        {"text", "varchar(3)", "long", "vv"},
        {"text", "varchar(3)", "abc  ", "vv"},
        {"integer", "tinyint", "128", "vv"},
        {"text", "int", "x1", "vv"},
        {"text", "int", "1x", "vv"},
        {"numeric", "decimal(5,2)", "1.005", "vv"},
        {"numeric", "decimal(5,2)", "12345", "vv"},
        {"double", "float", "1e300", "vv"},
        {"text", "date", "2024-02-30", "vv"},
        {"text", "json", "{", "t"}, /* MariaDB has a constraint for it */
        {"text", "enum('a','b')", "c", "vv"},
        {"bytea", "varbinary(2)", "\\x010203", "vv"},
        {"integer", "bit(3)", "8", "vv"},
        {"text", "varchar(3) not null", NULL, "vv"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *columns = g_strdup_printf("id integer key, vv %s", cases[i].type);
        g_autofree char *sql = g_strdup_printf("id int primary key, vv %s)", cases[i].column);
        g_autoptr(Table) table = mysql_writing_make_table(columns, sql);
        g_autoptr(Net) net = mysql_writing_net(table);
        net_add(net, NET_INSERT, V("5", cases[i].value), NULL);
        expect_refused(table, net, V(".t: ", cases[i].named, NULL));
    }
}

static void test_a_duplicate_key_is_refused(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "a"), NULL);
    net_add(net, NET_INSERT, V("2", "b"), NULL);
    net_add(net, NET_INSERT, V("1", "c"), NULL);
    expect_refused(table, net, V(".t: ", "Duplicate", "'1'", "PRIMARY", NULL));
}

static void test_a_value_that_is_none_of_mysql_is_refused_with_its_row(void **state)
{
    (void)state;
    g_autoptr(Table) table = mysql_writing_make_table("id integer key, f double, vv text",
                                                      "id int primary key, f double, vv text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "1", "a"), NULL);
    net_add(net, NET_INSERT, V("2", "NaN", "b"), NULL);
    expect_refused(table, net, V(".t: ", "the row with id=2: ", "column f: NaN", NULL));
}

static void test_more_rows_than_fit_into_a_block(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    g_autofree char *text = g_strnfill(10000, 'x');
    for (int i = 0; i < 1000; i++) {
        g_autofree char *id = g_strdup_printf("%d", i);
        net_add(net, NET_INSERT, V(id, text), NULL);
    }
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    copy_and_commit(table, data, 65536, 1000);
    mysql_writing_expect_value("select concat(count(*), ' ', sum(id), ' ', sum(length(v))) from t",
                               "1000 499500 10000000");
}

static char *large_hex(gsize bytes)
{
    char *text = g_malloc(2 + bytes * 2 + 1);
    memcpy(text, "\\x", 2);
    for (gsize i = 0; i < bytes * 2; i++)
        text[2 + i] = "0123456789abcdef"[(i * 7 + i / 16) % 16];
    text[2 + bytes * 2] = '\0';
    return text;
}

/* Larger than a block, and than what stands beside it may get. */
static void test_large_values_beside_small_ones(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v bytea", "id int primary key, v longblob)");
    g_autoptr(Net) net = mysql_writing_net(table);
    g_autofree char *large = large_hex(6000000);
    net_add(net, NET_INSERT, V("1", "\\x01"), NULL);
    net_add(net, NET_INSERT, V("2", large), NULL);
    net_add(net, NET_INSERT, V("3", "\\x03"), NULL);
    net_add(net, NET_INSERT, V("4", large), NULL);
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    g_autofree char *expected = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, ((const NetRow *)net->rows->pdata[1])->row.cells[1].data, 6000000);
    g_autofree char *row = g_strdup_printf("6000000 %s", expected);
    copy_and_commit(table, data, 10007, 4);
    mysql_writing_expect_value("select concat(length(v), ' ', sha2(v, 256)) from t where id = 2",
                               row);
    mysql_writing_expect_value("select concat(length(v), ' ', sha2(v, 256)) from t where id = 4",
                               row);
    mysql_writing_expect_value("select count(*) from t", "4");
}

static void test_rows_that_break_off_are_no_copy(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "abc"), NULL);
    g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
    guint whole = data->len;
    for (guint length = 0; length < whole; length++) {
        g_autoptr(GError) error = NULL;
        gint64 rows;
        data->len = length;
        mysql_writing_run("begin");
        bool done = copy(table, data, MAX(length, 1), &rows, &error);
        data->len = whole;
        assert_false(done);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_BUG));
        mysql_writing_run("rollback");
    }
    mysql_writing_expect_value("select count(*) from t", "0");
}

static void test_other_bytes_than_the_format_has_are_a_bug(void **state)
{
    (void)state;
    g_autoptr(Table) table =
        mysql_writing_make_table("id integer key, v text", "id int primary key, v text)");
    g_autoptr(Net) net = mysql_writing_net(table);
    net_add(net, NET_INSERT, V("1", "abc"), NULL);
    const guint places[] = {0, 10, 14, 20}; /* signature, flags, number of fields */
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) data = mysql_writing_copy_data(net);
        gint64 rows;
        data->data[places[i]] ^= 3;
        mysql_writing_run("begin");
        assert_false(copy(table, data, data->len, &rows, &error));
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_BUG));
        mysql_writing_run("rollback");
    }
}

static void test_data_without_a_copy_is_a_bug(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    gint64 rows;
    MUST_FAIL(mysql_target_ops.copy_data(mysql_writing.target, (const guint8 *)"", 0, &error),
              DROVER_ERROR_BUG);
    MUST_FAIL(mysql_target_ops.copy_end(mysql_writing.target, &rows, &error), DROVER_ERROR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_many_types_arrive_as_they_are_in_pieces_of_any_size),
        cmocka_unit_test(test_the_batch_writes_the_same_values_as_the_copy),
        cmocka_unit_test(test_bytes_that_are_geometries),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_text_goes_into_columns_of_other_character_sets),
        cmocka_unit_test(test_values_that_the_column_cannot_hold_are_refused),
        cmocka_unit_test(test_a_duplicate_key_is_refused),
        cmocka_unit_test(test_a_value_that_is_none_of_mysql_is_refused_with_its_row),
        cmocka_unit_test(test_more_rows_than_fit_into_a_block),
        cmocka_unit_test(test_large_values_beside_small_ones),
        cmocka_unit_test(test_rows_that_break_off_are_no_copy),
        cmocka_unit_test(test_other_bytes_than_the_format_has_are_a_bug),
        cmocka_unit_test(test_data_without_a_copy_is_a_bug),
    };
    return mysql_writing_run_groups(tests);
}
