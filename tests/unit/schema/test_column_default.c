#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/column_default.h"
#include "schema/type_oid.h"

typedef struct Example {
    const char *text;
    guint32 type_oid;
    DefaultKind kind;
    const char *value;
} Example;

static void expect(const Example *example, ColumnDefault found)
{
    if (found.kind != example->kind || g_strcmp0(found.text, example->value) != 0)
        fail_msg("%s is %u %s, not %u %s", example->text, found.kind, found.text, example->kind,
                 example->value);
    column_default_clear(&found);
}

static void test_defaults_of_postgresql(void **state)
{
    static const Example examples[] = {
        {NULL, OID_TEXT, DEFAULT_NONE, NULL},
        {"NULL::character varying", OID_VARCHAR, DEFAULT_NONE, NULL},
        {"1.50", OID_NUMERIC, DEFAULT_LITERAL, "1.50"},
        {"(-1)", OID_INT4, DEFAULT_LITERAL, "-1"},
        {"'-1'::integer", OID_INT4, DEFAULT_LITERAL, "-1"},
        {"'10000000000'::double precision", OID_FLOAT8, DEFAULT_LITERAL, "10000000000"},
        {"true", OID_BOOL, DEFAULT_LITERAL, "1"},
        {"false", OID_BOOL, DEFAULT_LITERAL, "0"},
        {"'it''s \\'::character varying(20)", OID_VARCHAR, DEFAULT_LITERAL, "it's \\"},
        {"''::text", OID_TEXT, DEFAULT_LITERAL, ""},
        {"'\\x00ff'::bytea", OID_BYTEA, DEFAULT_LITERAL, "00ff"},
        {"'101'::\"bit\"", OID_BIT, DEFAULT_LITERAL, "101"},
        {"'2020-01-02 03:04:05+00'::timestamp with time zone", OID_TIMESTAMPTZ, DEFAULT_LITERAL,
         "2020-01-02 03:04:05+00"},
        {"now()", OID_TIMESTAMPTZ, DEFAULT_NOW, NULL},
        {"CURRENT_TIMESTAMP(3)", OID_TIMESTAMPTZ, DEFAULT_NOW, NULL},
        {"LOCALTIMESTAMP", OID_TIMESTAMP, DEFAULT_NOW, NULL},
        {"timezone('utc'::text, now())", OID_TIMESTAMP, DEFAULT_NOW_UTC, NULL},
        {"(now() AT TIME ZONE 'utc'::text)", OID_TIMESTAMP, DEFAULT_NOW_UTC, NULL},
        {"(now() + '1 day'::interval)", OID_TIMESTAMPTZ, DEFAULT_EXPRESSION,
         "(now() + '1 day'::interval)"},
        {"nextval('s'::regclass)", OID_INT4, DEFAULT_EXPRESSION, "nextval('s'::regclass)"},
        {"('a'::text || 'b'::text)", OID_TEXT, DEFAULT_EXPRESSION, "('a'::text || 'b'::text)"},
        {"'a'::text || 'b'::text", OID_TEXT, DEFAULT_EXPRESSION, "'a'::text || 'b'::text"},
        {"'open", OID_TEXT, DEFAULT_EXPRESSION, "'open"},
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(examples); i++)
        expect(&examples[i], column_default_of_pg(examples[i].text, examples[i].type_oid));
}

/* As MySQL shows what is no expression: without quotes. */
static void test_plain_defaults_of_mysql(void **state)
{
    static const Example examples[] = {
        {NULL, OID_TEXT, DEFAULT_NONE, NULL},
        {"a'b", OID_TEXT, DEFAULT_LITERAL, "a'b"},
        {"NULL", OID_TEXT, DEFAULT_LITERAL, "NULL"},
        {"CURRENT_TIMESTAMP", OID_TEXT, DEFAULT_LITERAL, "CURRENT_TIMESTAMP"},
        {"b'101'", OID_BIT, DEFAULT_LITERAL, "101"},
        {"b'101'", OID_TEXT, DEFAULT_LITERAL, "b'101'"},
        {"0x61", OID_BYTEA, DEFAULT_UNKNOWN, "0x61"},
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(examples); i++)
        expect(&examples[i], column_default_of_mysql(examples[i].text, "", examples[i].type_oid));
}

static void test_generated_defaults_of_mysql(void **state)
{
    static const Example examples[] = {
        {"CURRENT_TIMESTAMP(3)", OID_TIMESTAMP, DEFAULT_NOW, NULL},
        {"utc_timestamp(6)", OID_TIMESTAMP, DEFAULT_NOW_UTC, NULL},
        {"_utf8mb4\\'it\\\\\\'s\\'", OID_TEXT, DEFAULT_LITERAL, "it's"},
        {"_utf8mb4\\'{\"a\": 1}\\'", OID_JSON, DEFAULT_LITERAL, "{\"a\": 1}"},
        {"json_object()", OID_JSON, DEFAULT_LITERAL, "{}"},
        {"json_array()", OID_JSON, DEFAULT_LITERAL, "[]"},
        {"-(5)", OID_INT4, DEFAULT_EXPRESSION, "-(5)"},
        {"concat(_utf8mb4\\'a\\',_utf8mb4\\'b\\')", OID_TEXT, DEFAULT_EXPRESSION,
         "concat(_utf8mb4'a',_utf8mb4'b')"},
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(examples); i++)
        expect(&examples[i], column_default_of_mysql(examples[i].text, "DEFAULT_GENERATED",
                                                     examples[i].type_oid));
}

static void test_defaults_of_mariadb(void **state)
{
    static const Example examples[] = {
        {NULL, OID_TEXT, DEFAULT_NONE, NULL},
        {"NULL", OID_TEXT, DEFAULT_NONE, NULL},
        {"'NULL'", OID_TEXT, DEFAULT_LITERAL, "NULL"},
        {"-1.5", OID_NUMERIC, DEFAULT_LITERAL, "-1.5"},
        {"'x\\\\y''\"z'", OID_TEXT, DEFAULT_LITERAL, "x\\y'\"z"},
        {"'ab\\0\\0'", OID_BYTEA, DEFAULT_LITERAL, "61620000"},
        {"X'00ff27'", OID_BYTEA, DEFAULT_LITERAL, "00ff27"},
        {"b'101'", OID_BIT, DEFAULT_LITERAL, "101"},
        {"current_timestamp()", OID_TIMESTAMP, DEFAULT_NOW, NULL},
        {"uuid()", OID_UUID, DEFAULT_EXPRESSION, "uuid()"},
        {"concat('a','b')", OID_TEXT, DEFAULT_EXPRESSION, "concat('a','b')"},
    };
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(examples); i++)
        expect(&examples[i], column_default_of_mariadb(examples[i].text, examples[i].type_oid));
}

static void test_numbers_are_known_from_their_signs_points_and_exponents(void **state)
{
    static const char *const numbers[] = {"0", "-1", "+2.5", ".5", "1e10", "1.5E-3"};
    static const char *const others[] = {"", "-", ".", "1e", "1x", "0x10", "1 ", "NaN", "Infinity"};
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        assert_true(column_default_is_number(numbers[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        assert_false(column_default_is_number(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_postgresql),
        cmocka_unit_test(test_plain_defaults_of_mysql),
        cmocka_unit_test(test_generated_defaults_of_mysql),
        cmocka_unit_test(test_defaults_of_mariadb),
        cmocka_unit_test(test_numbers_are_known_from_their_signs_points_and_exponents),
    };
    return cmocka_run_group_tests_name("column_default", tests, NULL, NULL);
}
