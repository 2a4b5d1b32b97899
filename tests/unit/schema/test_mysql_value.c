/* Values as a MySQL server shows them: what is read, what is refused, and how keys are asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "schema/mysql/charset.h"
#include "schema/mysql/key_sql.h"
#include "schema/mysql/value.h"
#include "schema/type_oid.h"
#include "tests/support/must.h"

#include <string.h>

#define UTF8MB4 255
#define LATIN1 8
#define UTF8MB3 33

static char name[] = "c";

static Column column_of(guint32 oid, const char *type)
{
    return (Column){.name = name, .type = (char *)(gpointer)type, .type_oid = oid, .key_place = -1};
}

static bool read_value(guint32 oid, guint bits, const char *text, gsize size, GByteArray *out,
                       GError **error)
{
    Table table = {0};
    Column column = column_of(oid, "numeric");
    MYSQL_FIELD field = {.charsetnr = UTF8MB4, .length = bits, .type = MYSQL_TYPE_STRING};
    MysqlValue value;
    bool null;
    return mysql_value_init(&value, &table, &column, &field, error) &&
           mysql_value_append(&value, text, size, out, &null, error);
}

static const struct {
    guint32 oid;
    const char *text;
    const char *hex;
} values[] = {
    {OID_BOOL, "1", "01"},
    {OID_INT2, "-32768", "8000"},
    {OID_INT2, "0000", "0000"},
    {OID_INT4, "0000000042", "0000002a"},
    {OID_INT8, "-9223372036854775808", "8000000000000000"},
    {OID_NUMERIC, "-0012.3400", "0002000040000002000c0d48"},
    {OID_NUMERIC, "0.000", "0000000000000000"},
    {OID_DATE, "2000-01-01", "00000000"},
    {OID_TIMESTAMP, "1999-12-31 23:59:59.5", "fffffffffff85ee0"},
    {OID_TIME, "24:00:00", "000000141dd76000"},
    {OID_INTERVAL, "P1MT-0.000001S", "ffffffffffffffff0000000000000001"},
    {OID_UUID, "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff"},
    {OID_INET, "10.0.0.1/8", "020800040a000001"},
    {OID_CIDR, "::/0", "0300011000000000000000000000000000000000"},
    {OID_CHAR, "\\377", "ff"},
    {OID_CHAR, "", "00"},
    {OID_TEXT, "\u00e9", "c3a9"},
    {OID_JSONB, "{}", "017b7d"},
};

static void test_texts_become_canonical_values(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        GError *error = NULL;
        g_autoptr(GByteArray) out = g_byte_array_new();
        g_autoptr(GString) hex = g_string_new(NULL);
        MUST(read_value(values[i].oid, 0, values[i].text, strlen(values[i].text), out, &error));
        for (guint b = 0; b < out->len; b++)
            g_string_append_printf(hex, "%02x", out->data[b]);
        assert_string_equal(hex->str, values[i].hex);
    }
}

static const struct {
    guint32 oid;
    const char *text;
    const char *needle;
} refused[] = {
    {OID_BOOL, "2", "out of the type's range"},
    {OID_INT2, "32768", "value 32768 is out"},
    {OID_INT4, "-2147483649", "out of the type's range"},
    {OID_INT8, "9223372036854775808", "cannot be read"},
    {OID_INT4, "", "cannot be read"},
    {OID_INT4, "-", "cannot be read"},
    {OID_INT4, "1 ", "cannot be read"},
    {OID_OID, "-1", "out of the type's range"},
    {OID_NUMERIC, "1.2.3", "cannot be read"},
    {OID_NUMERIC, "1e5", "cannot be read"},
    {OID_NUMERIC, "", "cannot be read"},
    {OID_FLOAT8, "1.5x", "cannot be read"},
    {OID_FLOAT8, "", "cannot be read"},
    {OID_DATE, "2024-1-1", "cannot be read"},
    {OID_DATE, "2024-01-01 ", "cannot be read"},
    {OID_DATE, "2023-02-30", "is no date"},
    {OID_DATE, "2024-00-10", "zero_dates"},
    {OID_TIMESTAMP, "2024-01-01 24:00:00", "is no date"},
    {OID_TIMESTAMP, "2024-01-01 10:60:00", "cannot be read"},
    {OID_TIME, "24:00:01", "is no time of day"},
    {OID_TIME, "-00:00:01", "is no time of day"},
    {OID_INTERVAL, "1 year", "cannot be read"},
    {OID_UUID, "00112233-4455-6677-8899-aabbccddee", "cannot be read"},
    {OID_UUID, "00112233-4455-6677-8899-aabbccddeefg", "cannot be read"},
    {OID_INET, "10.0.0.1/33", "cannot be read"},
    {OID_INET, "10.0.0", "cannot be read"},
    {OID_MACADDR, "08:00:2b:01:02", "cannot be read"},
    {OID_CHAR, "ab", "cannot be read"},
    {OID_FLOAT4_ARRAY, "abc", "cannot be read"},
    {OID_BIT, "123456789", "cannot be read"},
    {OID_TEXT, "a\xff", "no text of character set utf8mb4"},
};

static void test_other_texts_are_refused_with_column_and_value(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        GError *error = NULL;
        g_autoptr(GByteArray) out = g_byte_array_new();
        const char *text = refused[i].text;
        if (read_value(refused[i].oid, 8, text, strlen(text), out, &error))
            fail_msg("%s was read as type %u", text, refused[i].oid);
        if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA) ||
            strstr(error->message, refused[i].needle) == NULL ||
            !g_str_has_prefix(error->message, "column c: "))
            fail_msg("%s: %s", text, error->message);
        g_clear_error(&error);
    }
}

static void test_a_field_that_cannot_be_read_is_refused_at_once(void **state)
{
    (void)state;
    GError *error = NULL;
    Table table = {0};
    MysqlValue value;
    MYSQL_FIELD field = {.charsetnr = 1, .type = MYSQL_TYPE_STRING}; /* big5 */
    Column text = column_of(OID_TEXT, "text"), point = column_of(600, "point");
    MUST_FAIL(mysql_value_init(&value, &table, &text, &field, &error), DROVER_ERROR_PERSON);
    MUST_FAIL(mysql_value_init(&value, &table, &point, &field, &error), DROVER_ERROR_BUG);
}

static void test_a_set_holds_what_it_has_characters_for(void **state)
{
    (void)state;
    static const struct {
        guint32 collation;
        const char *text;
        bool holds;
    } cases[] = {
        {UTF8MB4, "\U0001f600", true},
        {UTF8MB3, "\U0001f600", false},
        {UTF8MB3, "\u65e5", true},
        {LATIN1, "\u65e5", false},
        {LATIN1, "a\u00e9\u20ac", true},
        {LATIN1, "\xc2\x81", true},
        {11, "\u00e9", false},
        {11, "a", true},
        {35, "\U0001f600", false},
        {54, "\U0001f600", true},
        {LATIN1, "", true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        if (mysql_charset_can_hold(cases[i].collation, (const guint8 *)cases[i].text,
                                   strlen(cases[i].text)) != cases[i].holds)
            fail_msg("%s in %s", cases[i].text, mysql_charset_name(cases[i].collation));
}

/* ---- conditions on a key ---- */

static void expect_range(Column *columns, guint n, char **lower, char **upper, const char *wanted)
{
    GError *error = NULL;
    guint key[] = {0, 1, 2};
    Table table = {.columns = columns, .n_columns = n, .key = key, .n_key = n, .label = name};
    KeyRange range = {.lower = lower, .upper = upper};
    g_autoptr(GString) sql = g_string_new(NULL);
    MUST(mysql_append_range(sql, &table, &range, &error));
    assert_string_equal(sql->str, wanted);
}

static void test_bounds_are_written_so_that_the_column_decides(void **state)
{
    (void)state;
    static char a[] = "a", b[] = "b`", it[] = "it's", five[] = "5", bytes[] = "\\x00ff",
                stamp[] = "2024-01-01 00:00:00.5+00", bits[] = "0101", tenth[] = "0.1",
                yes[] = "true";
    Column columns[] = {column_of(OID_INT4, "int"), column_of(OID_TEXT, "varchar(5)")};
    columns[0].name = a;
    columns[1].name = b;
    char *lower[] = {five, it, NULL}, *upper[] = {five, bytes, NULL};
    expect_range(columns, 2, lower, NULL,
                 " where (t.`a` > 5 or (t.`a` = 5 and t.`b``` >= 'it''s'))");
    expect_range(columns, 2, lower, upper,
                 " where (t.`a` > 5 or (t.`a` = 5 and t.`b``` >= 'it''s')) and "
                 "(t.`a` < 5 or (t.`a` = 5 and t.`b``` < '\\\\x00ff'))");
    expect_range(columns, 2, NULL, NULL, "");
    static const struct {
        guint32 oid;
        const char *type;
        char *bound;
        const char *wanted;
    } ones[] = {
        {OID_BYTEA, "binary(2)", bytes, " where t.`a` < x'00ff'"},
        {OID_TIMESTAMPTZ, "timestamp(1)", stamp, " where t.`a` < '2024-01-01 00:00:00.5'"},
        {OID_BIT, "bit(4)", bits, " where t.`a` < cast(b'0101' as unsigned)"},
        {OID_FLOAT8, "double", tenth, " where t.`a` < 0.1e0"},
        {OID_BOOL, "boolean", yes, " where t.`a` < 1"},
        {OID_TEXT, "enum('x')", it, " where concat(t.`a`) < 'it''s'"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ones); i++) {
        columns[0].type_oid = ones[i].oid;
        columns[0].type = (char *)(gpointer)ones[i].type;
        char *bound[] = {ones[i].bound, NULL};
        expect_range(columns, 1, NULL, bound, ones[i].wanted);
    }
}

static void test_a_bound_that_is_no_value_of_the_key_is_a_bug(void **state)
{
    (void)state;
    static char injected[] = "1 or 1=1", short_hex[] = "0x00";
    static const guint32 oids[] = {OID_INT4, OID_BYTEA, OID_JSON};
    char *texts[] = {injected, short_hex, injected};
    guint key[] = {0, 0};
    for (gsize i = 0; i < G_N_ELEMENTS(oids); i++) {
        GError *error = NULL;
        Column column = column_of(oids[i], "int");
        Table table = {.columns = &column, .n_columns = 1, .key = key, .n_key = 1, .label = name};
        char *bound[] = {texts[i], NULL};
        KeyRange range = {.lower = bound};
        g_autoptr(GString) sql = g_string_new(NULL);
        MUST_FAIL(mysql_append_range(sql, &table, &range, &error), DROVER_ERROR_BUG);
        table.n_key = 2;
        char *short_bound[] = {NULL};
        range.lower = short_bound;
        MUST_FAIL(mysql_append_range(sql, &table, &range, &error), DROVER_ERROR_BUG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_become_canonical_values),
        cmocka_unit_test(test_other_texts_are_refused_with_column_and_value),
        cmocka_unit_test(test_a_field_that_cannot_be_read_is_refused_at_once),
        cmocka_unit_test(test_a_set_holds_what_it_has_characters_for),
        cmocka_unit_test(test_bounds_are_written_so_that_the_column_decides),
        cmocka_unit_test(test_a_bound_that_is_no_value_of_the_key_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
