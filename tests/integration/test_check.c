#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/check.h"
#include "schema/connection_pg.h"
#include "schema/mapping.h"
#include "tests/support/must.h"
#include "tests/support/scratch.h"

#include <string.h>

static char source_side[] = "source";
static char target_side[] = "target";
static char engine[] = "postgresql";
static char shop_name[] = "shop";

typedef struct Fixture {
    Scratch *source, *target;
    Endpoint source_endpoint, target_endpoint;
    Migration migration;
    GPtrArray *lines;
    Preflight *preflight;
    char *role; /* a role without rights, made on both sides on demand */
} Fixture;

static void use_line(Fixture *fixture, const char *source, const char *target)
{
    MappingLine *line = g_new0(MappingLine, 1);
    line->source = g_strdup(source);
    line->target = g_strdup(target);
    line->line = 1;
    g_ptr_array_set_size(fixture->lines, 0);
    g_ptr_array_add(fixture->lines, line);
}

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->source = scratch_new("DROVER_TEST_SOURCE");
    fixture->target = scratch_new("DROVER_TEST_TARGET");
    fixture->source_endpoint = (Endpoint){.side = source_side,
                                          .engine = engine,
                                          .url = g_strdup(fixture->source->url),
                                          .label = source_side};
    fixture->target_endpoint = (Endpoint){.side = target_side,
                                          .engine = engine,
                                          .url = g_strdup(fixture->target->url),
                                          .label = target_side};
    fixture->migration.name = shop_name;
    fixture->migration.slot = fixture->source->name;
    fixture->migration.source = &fixture->source_endpoint;
    fixture->migration.target = &fixture->target_endpoint;
    fixture->lines = g_ptr_array_new_with_free_func((GDestroyNotify)mapping_line_free);
    use_line(fixture, "*.*", NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    if (fixture->role != NULL) {
        scratch_run(fixture->source, "drop owned by %s; drop role %s", fixture->role,
                    fixture->role);
        scratch_run(fixture->target, "drop owned by %s; drop role %s", fixture->role,
                    fixture->role);
    }
    scratch_free(fixture->source);
    scratch_free(fixture->target);
    g_clear_pointer(&fixture->migration.tables, g_ptr_array_unref);
    g_ptr_array_unref(fixture->lines);
    preflight_free(fixture->preflight);
    g_free(fixture->source_endpoint.url);
    g_free(fixture->target_endpoint.url);
    g_free(fixture->role);
    g_free(fixture);
    return 0;
}

static void check(Fixture *fixture, bool started)
{
    g_autoptr(GError) error = NULL;
    g_clear_pointer(&fixture->preflight, preflight_free);
    fixture->preflight = check_preflight(&fixture->migration, fixture->lines, started, &error);
    MUST(fixture->preflight != NULL);
}

/* Connects as a role that may only log in. */
static void use_poor_role(Fixture *fixture)
{
    fixture->role = g_strdup_printf("%s_poor", fixture->source->name);
    scratch_run(fixture->source, "create role %s login", fixture->role);
    scratch_run(fixture->target, "create role %s login", fixture->role);
    g_free(fixture->source_endpoint.url);
    g_free(fixture->target_endpoint.url);
    fixture->source_endpoint.url =
        g_strdup_printf("%s?user=%s", fixture->source->url, fixture->role);
    fixture->target_endpoint.url =
        g_strdup_printf("%s?user=%s", fixture->target->url, fixture->role);
}

static const Finding *find(Fixture *fixture, FindingLevel level, const char *name)
{
    for (guint i = 0; i < fixture->preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(fixture->preflight->findings, i);
        if (finding->level == level && strcmp(finding->name, name) == 0)
            return finding;
    }
    return NULL;
}

static void expect_finding(Fixture *fixture, FindingLevel level, const char *name, const char *text,
                           const char *remedy)
{
    const Finding *finding = find(fixture, level, name);
    if (finding == NULL) {
        for (guint i = 0; i < fixture->preflight->findings->len; i++) {
            const Finding *other = g_ptr_array_index(fixture->preflight->findings, i);
            print_error("%d %s: %s\n", (int)other->level, other->name, other->text);
        }
        fail_msg("no finding %s", name);
        return;
    }
    if (text != NULL && strstr(finding->text, text) == NULL)
        fail_msg("%s: %s", name, finding->text);
    if (remedy != NULL && strstr(finding->remedy, remedy) == NULL)
        fail_msg("%s: %s", name, finding->remedy);
}

static void test_a_movable_database_passes(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create table t (id int primary key, a text); "
                                 "insert into t select generate_series(1, 1000)");
    check(fixture, false);
    for (guint i = 0; i < fixture->preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(fixture->preflight->findings, i);
        if (finding->level == FINDING_FAIL)
            fail_msg("%s: %s", finding->name, finding->text);
    }
    assert_true(preflight_passes(fixture->preflight));
    assert_int_equal(fixture->migration.tables->len, 1);
    assert_true(fixture->preflight->rows > 0);
    assert_true(fixture->preflight->bytes > 0);
    assert_int_equal(fixture->preflight->not_moved->len, 0);
    expect_finding(fixture, FINDING_PASS, "source.wal_level", "logical", NULL);
    expect_finding(fixture, FINDING_PASS, "target.empty", NULL, NULL);
}

static void test_identity_is_that_of_the_replication_protocol(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    scratch_run(fixture->source, "create table t (id int primary key)");
    check(fixture, false);
    g_autoptr(PGconn) connection =
        pg_connect(&fixture->source_endpoint, "drover test", PG_REPLICATION, &error);
    MUST(connection != NULL);
    g_autoptr(PGresult) result = pg_query(connection, "IDENTIFY_SYSTEM", &error);
    MUST(result != NULL);
    g_autofree char *identity =
        g_strdup_printf("%s/%s", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    assert_string_equal(fixture->preflight->source_identity, identity);
}

static void test_problems_of_tables_are_all_told_with_their_statements(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create table a (x int); create table b (x int); "
                                 "create type mood as enum ('ok'); "
                                 "create table c (id int primary key, m mood)");
    check(fixture, false);
    assert_false(preflight_passes(fixture->preflight));
    expect_finding(fixture, FINDING_FAIL, "table.public.a", "no primary key",
                   "alter table \"public\".\"a\" add primary key (...);");
    expect_finding(fixture, FINDING_FAIL, "table.public.b", "no primary key", NULL);
    expect_finding(fixture, FINDING_FAIL, "table.public.c", "unmapped", NULL);
}

static void test_a_line_without_a_table_fails(void **state)
{
    Fixture *fixture = *state;
    use_line(fixture, "app.users", NULL);
    check(fixture, false);
    expect_finding(fixture, FINDING_FAIL, "mapping", "app.users", NULL);
}

static void test_missing_rights_are_all_told_with_their_statements(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create schema app; create table app.t (id int primary key)");
    scratch_run(fixture->target, "create schema app");
    use_poor_role(fixture);
    check(fixture, false);
    expect_finding(fixture, FINDING_FAIL, "source.role_replication", "may not use replication",
                   "replication;");
    expect_finding(fixture, FINDING_FAIL, "source.privileges", "lacks 4 privileges",
                   "grant usage on schema app to ");
    expect_finding(fixture, FINDING_FAIL, "source.privileges", NULL, "grant select on app.t to ");
    expect_finding(fixture, FINDING_FAIL, "source.privileges", NULL, "grant create on database ");
    expect_finding(fixture, FINDING_FAIL, "source.privileges", NULL, "grant postgres to ");
    expect_finding(fixture, FINDING_FAIL, "target.privileges", "lacks 2 privileges",
                   "grant create on database ");
    expect_finding(fixture, FINDING_FAIL, "target.privileges", NULL,
                   "grant usage, create on schema app to ");
    expect_finding(fixture, FINDING_FAIL, "target.session_replication_role", "may not set",
                   "session_replication_role to ");
}

static void test_the_statements_of_the_findings_mend_them(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create schema app; create table app.t (id int primary key)");
    scratch_run(fixture->target, "create schema app");
    use_poor_role(fixture);
    check(fixture, false);
    for (guint i = 0; i < fixture->preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(fixture->preflight->findings, i);
        if (finding->level == FINDING_FAIL)
            scratch_run(g_str_has_prefix(finding->name, "target.") ? fixture->target
                                                                   : fixture->source,
                        "%s", finding->remedy);
    }
    check(fixture, false);
    assert_true(preflight_passes(fixture->preflight));
}

static void test_a_target_with_a_table_of_that_name_is_not_empty(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create table t (id int primary key)");
    scratch_run(fixture->target, "create table t (id int)");
    check(fixture, false);
    expect_finding(fixture, FINDING_FAIL, "target.empty", "target not empty: public.t exists",
                   "drop table public.t;");
    check(fixture, true);
    assert_null(find(fixture, FINDING_FAIL, "target.empty"));
}

static void test_names_of_indexes_and_sequences_must_be_free_too(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create table t (id serial primary key)");
    scratch_run(fixture->target, "create table other (id int); create index t_pkey on other (id); "
                                 "create sequence t_id_seq");
    check(fixture, false);
    expect_finding(fixture, FINDING_FAIL, "target.empty", "public.t_id_seq exists",
                   "drop sequence public.t_id_seq;");
    assert_false(preflight_passes(fixture->preflight));
}

static void test_objects_that_definitions_use_must_exist_on_the_target(void **state)
{
    Fixture *fixture = *state;
    static const char function[] =
        "create function public.f(int) returns int immutable language sql as 'select 1'";
    scratch_run(fixture->source, "%s", function);
    scratch_run(fixture->source,
                "create collation public.plain (provider = libc, locale = 'C'); "
                "create table t (id int primary key default f(1), c text collate plain, "
                "check (f(id) > 0))");
    check(fixture, false);
    expect_finding(fixture, FINDING_FAIL, "target.objects", "public.plain", NULL);
    scratch_run(fixture->target, "create collation public.plain (provider = libc, locale = 'C')");
    check(fixture, false);
    expect_finding(fixture, FINDING_FAIL, "target.objects",
                   "function public.f(integer), which public.t uses, does not exist", NULL);
    scratch_run(fixture->target, "%s", function);
    check(fixture, false);
    expect_finding(fixture, FINDING_PASS, "target.objects", NULL, NULL);
    assert_true(preflight_passes(fixture->preflight));
}

static void test_a_foreign_key_to_a_table_that_stays_is_a_warning(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create schema a; create table t (id int primary key); "
                                 "create table a.u (id int primary key references t)");
    use_line(fixture, "a.*", NULL);
    check(fixture, false);
    expect_finding(fixture, FINDING_WARN, "table.a.u", "foreign key u_id_fkey will not be created",
                   NULL);
    assert_true(preflight_passes(fixture->preflight));
}

static void test_what_stays_behind_is_listed(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->source, "create table t (id int primary key); "
                                 "create view v as select 1 as x");
    check(fixture, false);
    assert_int_equal(fixture->preflight->not_moved->len, 1);
}

static void test_a_server_that_does_not_answer_is_an_error(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_free(fixture->target_endpoint.url);
    fixture->target_endpoint.url = g_strdup("postgresql://127.0.0.1:1/x");
    assert_null(check_preflight(&fixture->migration, fixture->lines, false, &error));
    assert_true(drover_error_is_retry(error));
}

static void test_both_sides_are_named_where_both_refuse(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_free(fixture->source_endpoint.url);
    g_free(fixture->target_endpoint.url);
    fixture->source_endpoint.url = g_strconcat(fixture->source->url, "_none", NULL);
    fixture->target_endpoint.url = g_strconcat(fixture->target->url, "_none", NULL);
    assert_null(check_preflight(&fixture->migration, fixture->lines, false, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, fixture->source->name));
    assert_non_null(strstr(error->message, fixture->target->name));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_movable_database_passes),
        TEST(test_identity_is_that_of_the_replication_protocol),
        TEST(test_problems_of_tables_are_all_told_with_their_statements),
        TEST(test_a_line_without_a_table_fails),
        TEST(test_missing_rights_are_all_told_with_their_statements),
        TEST(test_the_statements_of_the_findings_mend_them),
        TEST(test_a_target_with_a_table_of_that_name_is_not_empty),
        TEST(test_names_of_indexes_and_sequences_must_be_free_too),
        TEST(test_objects_that_definitions_use_must_exist_on_the_target),
        TEST(test_a_foreign_key_to_a_table_that_stays_is_a_warning),
        TEST(test_what_stays_behind_is_listed),
        TEST(test_a_server_that_does_not_answer_is_an_error),
        TEST(test_both_sides_are_named_where_both_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
