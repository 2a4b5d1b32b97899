/*
 * The texts that TargetOps.execute is given, as a MySQL server takes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/mysql/statement.h"
#include "proto/error.h"
#include "tests/support/must.h"

static void expect_bound(const char *sql, const char *expected)
{
    static const char *const values[] = {"1", NULL, "it's \\"};
    g_autoptr(GError) error = NULL;
    GString *bound = NULL;
    MUST(bound = statement_bind(sql, G_N_ELEMENTS(values), values, &error));
    assert_string_equal(bound->str, expected);
    g_string_free(bound, TRUE);
}

static void test_parameters_become_literals(void **state)
{
    (void)state;
    expect_bound("select $1, $2, $3", "select '1', null, 'it''s \\\\'");
    expect_bound("$3$1", "'it''s \\\\''1'");
    expect_bound("a=$1)", "a='1')");
    expect_bound("a-$1", "a-'1'");
}

static void test_quotes_names_and_comments_hold_no_parameters(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "'$1'",       "'it''s $1'",    "'\\$1'",         "\"$1\"",        "`a``$1`",
        "-- $1\n",    "# $1",          "/* $1 */",       "/* $1",         "price$1",
        "\xc3\xa9$1", "'not ended $1", "select 1 -- $1", "select $ from", "",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(plain); i++)
        expect_bound(plain[i], plain[i]);
    expect_bound("'\\' $1", "'\\' $1");
    expect_bound("'\\\\' $1", "'\\\\' '1'");
    expect_bound("`\\` $1", "`\\` '1'");
    expect_bound("-- it's\n$1", "-- it's\n'1'");
    expect_bound("/* it's */$1", "/* it's */'1'");
    expect_bound("1--$1", "1--'1'");
    expect_bound("'a'$1'b'", "'a''1''b'");
}

static void test_parameter_without_a_value_is_a_bug(void **state)
{
    (void)state;
    static const char *const values[] = {"1"};
    static const char *const wrong[] = {"select $2", "select $0", "select $99999999999999999999"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(statement_bind(wrong[i], 1, values, &error));
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_BUG));
    }
}

static void test_kinds_of_statements(void **state)
{
    (void)state;
    assert_int_equal(statement_kind("begin"), STATEMENT_BEGIN);
    assert_int_equal(statement_kind("BEGIN isolation level serializable"), STATEMENT_BEGIN);
    assert_int_equal(statement_kind("start transaction read only"), STATEMENT_BEGIN);
    assert_int_equal(statement_kind("commit"), STATEMENT_COMMIT);
    assert_int_equal(statement_kind("rollback"), STATEMENT_ROLLBACK);
    assert_int_equal(statement_kind("rollback to savepoint a"), STATEMENT_ROLLBACK_TO);
    assert_int_equal(statement_kind("beginning"), STATEMENT_OTHER);
    assert_int_equal(statement_kind("select 1"), STATEMENT_OTHER);
}

static void test_beginnings_of_transactions(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"begin", "start transaction"},
        {"begin read only", "start transaction read only"},
        {"begin isolation level read committed",
         "set transaction isolation level read committed; start transaction"},
        {"begin isolation level repeatable read read only",
         "set transaction isolation level repeatable read; start transaction with consistent "
         "snapshot, read only"},
        {"begin isolation level repeatable read",
         "set transaction isolation level repeatable read; start transaction with consistent "
         "snapshot"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autofree char *begin = statement_begin(pairs[i][0]);
        assert_string_equal(begin, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_become_literals),
        cmocka_unit_test(test_quotes_names_and_comments_hold_no_parameters),
        cmocka_unit_test(test_parameter_without_a_value_is_a_bug),
        cmocka_unit_test(test_kinds_of_statements),
        cmocka_unit_test(test_beginnings_of_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
