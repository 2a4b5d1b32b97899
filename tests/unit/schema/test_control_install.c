#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "schema/control.h"

#include <string.h>

/* A target that writes down what it is told, fails at one statement, and answers everything else.
 */
struct Target {
    GPtrArray *statements;
    guint fail_at; /* from 1; 0: never */
    bool schema_exists;
    gint64 affected;
};

static Answer *fake_execute(Target *target, const char *sql, guint n_values,
                            const char *const *values, GError **error)
{
    (void)n_values;
    (void)values;
    g_ptr_array_add(target->statements, g_strdup(sql));
    if (target->statements->len == target->fail_at) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "fails on cue");
        return NULL;
    }
    Answer *answer = g_new0(Answer, 1);
    answer->affected = target->affected;
    if (target->schema_exists && strstr(sql, "information_schema") != NULL) {
        answer->n_rows = answer->n_columns = 1;
        answer->values = g_new0(char *, 1);
        answer->values[0] = g_strdup("1");
    }
    return answer;
}

static const TargetOps fake_ops = {.engine = "fake", .execute = fake_execute};

static void fake_init(Target *target)
{
    *target = (Target){g_ptr_array_new_with_free_func(g_free), 0, false, 1};
}

static void fake_clear(Target *target)
{
    g_ptr_array_unref(target->statements);
}

static const char *statement(const Target *target, guint i)
{
    assert_true(i < target->statements->len);
    return g_ptr_array_index(target->statements, i);
}

static void test_install_sends_whole_statements_in_one_transaction(void **state)
{
    (void)state;
    Target target;
    fake_init(&target);
    assert_true(control_install(&fake_ops, &target, NULL));
    guint n = target.statements->len;
    assert_string_equal(statement(&target, 0), "begin");
    assert_string_equal(statement(&target, n - 1), "commit");
    assert_string_equal(statement(&target, 3), "create schema if not exists drover");
    for (guint i = 5; i < n - 1; i++) {
        assert_true(g_str_has_prefix(statement(&target, i), "create table if not exists drover."));
        assert_non_null(strchr(statement(&target, i), ')'));
    }
    fake_clear(&target);
}

static void test_install_leaves_an_existing_schema_alone(void **state)
{
    (void)state;
    Target target;
    fake_init(&target);
    target.schema_exists = true;
    assert_true(control_install(&fake_ops, &target, NULL));
    for (guint i = 0; i < target.statements->len; i++) {
        assert_null(strstr(statement(&target, i), "schema if not exists"));
    }
    fake_clear(&target);
}

static void test_install_rolls_back_wherever_it_fails(void **state)
{
    (void)state;
    Target target;
    fake_init(&target);
    assert_true(control_install(&fake_ops, &target, NULL));
    guint n = target.statements->len;
    fake_clear(&target);
    for (guint at = 1; at <= n; at++) {
        g_autoptr(GError) error = NULL;
        fake_init(&target);
        target.fail_at = at;
        assert_false(control_install(&fake_ops, &target, &error));
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
        assert_int_equal(target.statements->len, at + 1);
        assert_string_equal(statement(&target, at), "rollback");
        fake_clear(&target);
    }
}

static void test_write_begin_stops_where_another_holds_a_higher_epoch(void **state)
{
    (void)state;
    Target target;
    fake_init(&target);
    target.affected = 0;
    Migration migration = {.name = (char[]){"shop"}};
    Control control = {&fake_ops, &target, &migration};
    g_autoptr(GError) error = NULL;
    assert_false(control_write_begin(&control, "apply", 7, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, "epoch 7"));
    assert_int_equal(target.statements->len, 3);
    assert_string_equal(statement(&target, 2), "rollback");
    fake_clear(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_install_sends_whole_statements_in_one_transaction),
        cmocka_unit_test(test_install_leaves_an_existing_schema_alone),
        cmocka_unit_test(test_install_rolls_back_wherever_it_fails),
        cmocka_unit_test(test_write_begin_stops_where_another_holds_a_higher_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
