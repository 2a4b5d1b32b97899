#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/mapping.h"

#include <string.h>

typedef struct Fixture {
    GPtrArray *catalog;
    GPtrArray *lines;
    GPtrArray *findings;
    GPtrArray *tables;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->catalog = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_table_free);
    fixture->lines = g_ptr_array_new_with_free_func((GDestroyNotify)mapping_line_free);
    fixture->findings = g_ptr_array_new_with_free_func(g_free);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    g_ptr_array_unref(fixture->catalog);
    g_ptr_array_unref(fixture->lines);
    g_ptr_array_unref(fixture->findings);
    g_clear_pointer(&fixture->tables, g_ptr_array_unref);
    g_free(fixture);
    return 0;
}

static void has_table(Fixture *fixture, const char *schema, const char *name, const char *problem)
{
    CatalogTable *entry = g_new0(CatalogTable, 1);
    entry->table = g_new0(Table, 1);
    entry->table->source_schema = g_strdup(schema);
    entry->table->source_name = g_strdup(name);
    entry->table->label = g_strdup_printf("%s.%s", schema, name);
    entry->problems = g_ptr_array_new_with_free_func(g_free);
    if (problem != NULL)
        g_ptr_array_add(entry->problems, g_strdup(problem));
    g_ptr_array_add(fixture->catalog, entry);
}

static void has_line(Fixture *fixture, const char *source, const char *target, const char *exclude)
{
    MappingLine *line = g_new0(MappingLine, 1);
    line->source = g_strdup(source);
    line->target = g_strdup(target);
    line->line = fixture->lines->len + 1;
    if (exclude != NULL) {
        line->exclude = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(line->exclude, g_strdup(exclude));
    }
    g_ptr_array_add(fixture->lines, line);
}

/* "1 app.users>shop.users, 2 ..." */
static void expect_tables(Fixture *fixture, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    fixture->tables = mapping_resolve(fixture->catalog, fixture->lines, fixture->findings);
    for (guint i = 0; i < fixture->tables->len; i++) {
        const Table *table = g_ptr_array_index(fixture->tables, i);
        g_string_append_printf(text, "%s%u %s>%s.%s", i > 0 ? ", " : "", table->id, table->label,
                               table->target_schema, table->target_name);
    }
    assert_string_equal(text->str, expected);
}

static void expect_findings(Fixture *fixture, guint n, const char *part)
{
    assert_int_equal(fixture->findings->len, n);
    if (n > 0 && strstr(g_ptr_array_index(fixture->findings, 0), part) == NULL)
        fail_msg("%s", (const char *)g_ptr_array_index(fixture->findings, 0));
}

static void test_everything_keeps_its_name_without_a_target(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "b", "y", NULL);
    has_table(fixture, "a", "z", NULL);
    has_table(fixture, "a", "x", NULL);
    has_line(fixture, "*.*", NULL, NULL);
    expect_tables(fixture, "1 a.x>a.x, 2 a.z>a.z, 3 b.y>b.y");
    expect_findings(fixture, 0, NULL);
}

static void test_a_full_name_wins_over_patterns_in_any_order(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "app", "users", NULL);
    has_table(fixture, "app", "user_log", NULL);
    has_table(fixture, "app", "orders", NULL);
    has_table(fixture, "other", "t", NULL);
    has_line(fixture, "*.*", "rest.*", NULL);
    has_line(fixture, "app.users", "shop.people", NULL);
    has_line(fixture, "app.user*", "logs.*", NULL);
    has_line(fixture, "app.*", "shop.*", NULL);
    expect_tables(fixture, "1 app.orders>shop.orders, 2 app.user_log>logs.user_log, "
                           "3 app.users>shop.people, 4 other.t>rest.t");
    expect_findings(fixture, 0, NULL);
}

static void test_a_star_in_the_target_stands_for_the_source_name(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "app", "users", NULL);
    has_line(fixture, "app.*", "old_*.x_*_y", NULL);
    expect_tables(fixture, "1 app.users>old_app.x_users_y");
}

static void test_excluded_tables_are_not_moved(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "app", "tmp_1", NULL);
    has_table(fixture, "app", "users", NULL);
    has_table(fixture, "b", "tmp_2", NULL);
    has_line(fixture, "app.*", NULL, "tmp_*");
    has_line(fixture, "*.*", NULL, "b.tmp_2");
    expect_tables(fixture, "1 app.users>app.users");
    expect_findings(fixture, 0, NULL);
}

static void test_problems_of_chosen_tables_are_findings(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "app", "users", "has no key");
    has_table(fixture, "b", "t", "has no key either");
    has_line(fixture, "app.*", NULL, NULL);
    expect_tables(fixture, "1 app.users>app.users");
    expect_findings(fixture, 1, "app.users: has no key");
}

static void test_a_line_that_matches_nothing_is_a_finding(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "app", "users", NULL);
    has_line(fixture, "app.users", NULL, NULL);
    has_line(fixture, "app.usres", NULL, NULL);
    expect_tables(fixture, "1 app.users>app.users");
    expect_findings(fixture, 1, "line 2: \"app.usres\" matches no table");
}

static void test_two_sources_for_one_target_are_a_finding(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "a", "t", NULL);
    has_table(fixture, "b", "t", NULL);
    has_line(fixture, "*.*", "x.*", NULL);
    expect_tables(fixture, "1 a.t>x.t, 2 b.t>x.t");
    expect_findings(fixture, 1, "b.t: both it and a.t would become x.t");
}

static void test_two_lines_of_equal_rank_are_a_finding(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "a", "t", NULL);
    has_line(fixture, "a.*", "x.*", NULL);
    has_line(fixture, "a.*", "y.*", NULL);
    expect_tables(fixture, "1 a.t>x.t");
    expect_findings(fixture, 1, "lines 1 and 2");
}

static void test_quoted_parts_may_hold_dots_and_quotes(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "my.app", "a\"b", NULL);
    has_line(fixture, "\"my.app\".\"a\"\"b\"", "x.y", NULL);
    expect_tables(fixture, "1 my.app.a\"b>x.y");
}

static void test_names_of_a_wrong_form_are_findings(void **state)
{
    static const char *const wrong[] = {"users", "a.b.c", ".t", "a.", "*.users", "\"a.b", ""};
    Fixture *fixture = *state;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
        has_line(fixture, wrong[i], NULL, NULL);
    has_line(fixture, "a.t", "t", NULL);
    expect_tables(fixture, "");
    expect_findings(fixture, G_N_ELEMENTS(wrong) + 1, "line 1: \"users\" is not of the form");
}

static void test_reserved_and_too_long_target_names_are_findings(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "a", "t", NULL);
    has_table(fixture, "a", "u", NULL);
    has_line(fixture, "a.t", "pg_catalog.t", NULL);
    has_line(fixture, "a.u", "a.a123456789012345678901234567890123456789012345678901234567890123*",
             NULL);
    fixture->tables = mapping_resolve(fixture->catalog, fixture->lines, fixture->findings);
    mapping_check_names(fixture->tables, false, fixture->findings);
    expect_findings(fixture, 2, "a.t: the target's schema pg_catalog is reserved");
}

static void test_names_of_databases_that_mysql_keeps_are_findings(void **state)
{
    Fixture *fixture = *state;
    has_table(fixture, "a", "t", NULL);
    has_table(fixture, "a", "u", NULL);
    has_line(fixture, "a.t", "pg_catalog.t", NULL);
    has_line(fixture, "a.u", "Mysql.u", NULL);
    fixture->tables = mapping_resolve(fixture->catalog, fixture->lines, fixture->findings);
    mapping_check_names(fixture->tables, true, fixture->findings);
    expect_findings(fixture, 1, "a.u: the target's database Mysql is reserved");
}

static void test_names_that_mysql_does_not_take_are_findings(void **state)
{
    static const char *const wrong[] = {
        "12345678901234567890123456789012345678901234567890123456789012345", "ends_in_space ",
        "\xF0\x9F\x98\x80"};
    Fixture *fixture = *state;
    /* 64 characters, more bytes than that */
    has_table(fixture, "a",
              "\xC3\xA4"
              "123456789012345678901234567890123456789012345678901234567890123",
              NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
        has_table(fixture, "a", wrong[i], NULL);
    has_line(fixture, "*.*", NULL, NULL);
    fixture->tables = mapping_resolve(fixture->catalog, fixture->lines, fixture->findings);
    mapping_check_names(fixture->tables, true, fixture->findings);
    expect_findings(fixture, G_N_ELEMENTS(wrong), "is none that MySQL takes");
}

static void test_the_policy_for_zero_dates_is_that_of_the_line(void **state)
{
    Fixture *fixture = *state;
    static const char *const policies[] = {NULL, "null", "1970-01-01"};
    static const char *const names[] = {"a.t", "a.u", "a.v"};
    static const ZeroDates expected[] = {ZERO_DATES_ERROR, ZERO_DATES_NULL, ZERO_DATES_LITERAL};
    for (guint i = 0; i < G_N_ELEMENTS(policies); i++) {
        has_table(fixture, "a", names[i] + 2, NULL);
        has_line(fixture, names[i], NULL, NULL);
        MappingLine *line = g_ptr_array_index(fixture->lines, i);
        line->zero_dates = g_strdup(policies[i]);
    }
    fixture->tables = mapping_resolve(fixture->catalog, fixture->lines, fixture->findings);
    for (guint i = 0; i < G_N_ELEMENTS(policies); i++) {
        const Table *table = g_ptr_array_index(fixture->tables, i);
        assert_int_equal(table->zero_dates, expected[i]);
    }
    const Table *last = g_ptr_array_index(fixture->tables, 2);
    assert_string_equal(last->zero_date, "1970-01-01");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_everything_keeps_its_name_without_a_target),
        TEST(test_a_full_name_wins_over_patterns_in_any_order),
        TEST(test_a_star_in_the_target_stands_for_the_source_name),
        TEST(test_excluded_tables_are_not_moved),
        TEST(test_problems_of_chosen_tables_are_findings),
        TEST(test_a_line_that_matches_nothing_is_a_finding),
        TEST(test_two_sources_for_one_target_are_a_finding),
        TEST(test_two_lines_of_equal_rank_are_a_finding),
        TEST(test_quoted_parts_may_hold_dots_and_quotes),
        TEST(test_names_of_a_wrong_form_are_findings),
        TEST(test_reserved_and_too_long_target_names_are_findings),
        TEST(test_names_of_databases_that_mysql_keeps_are_findings),
        TEST(test_names_that_mysql_does_not_take_are_findings),
        TEST(test_the_policy_for_zero_dates_is_that_of_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
