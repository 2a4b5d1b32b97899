#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/catalog_pg.h"
#include "tests/support/must.h"
#include "tests/support/scratch.h"

#include <string.h>

typedef struct Fixture {
    Scratch *database;
    Endpoint endpoint;
    PGconn *connection;
    GPtrArray *tables;
} Fixture;

static char side[] = "source";
static char engine[] = "postgresql";
static char label[] = "source test";

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(GError) error = NULL;
    fixture->database = scratch_new("DROVER_TEST_SOURCE");
    fixture->endpoint =
        (Endpoint){.side = side, .engine = engine, .url = fixture->database->url, .label = label};
    fixture->connection = pg_connect(&fixture->endpoint, "drover test", PG_ORDINARY, &error);
    MUST(fixture->connection != NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    PQfinish(fixture->connection);
    scratch_free(fixture->database);
    g_clear_pointer(&fixture->tables, g_ptr_array_unref);
    g_free(fixture);
    return 0;
}

static void load(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    fixture->tables = catalog_pg_tables(fixture->connection, &error);
    MUST(fixture->tables != NULL);
}

static const CatalogTable *find(Fixture *fixture, const char *name)
{
    for (guint i = 0; i < fixture->tables->len; i++) {
        const CatalogTable *entry = g_ptr_array_index(fixture->tables, i);
        if (strcmp(entry->table->label, name) == 0)
            return entry;
    }
    fail_msg("no table %s", name);
    return NULL;
}

/* The only table, made by sql, has the one problem that contains each part. */
static void expect_problem(Fixture *fixture, const char *sql, const char *name,
                           const char *sentence, const char *remedy)
{
    scratch_run(fixture->database, "%s", sql);
    load(fixture);
    const CatalogTable *entry = find(fixture, name);
    if (entry->problems->len != 1)
        fail_msg("%s has %u problems", name, entry->problems->len);
    const char *problem = g_ptr_array_index(entry->problems, 0);
    if (strstr(problem, sentence) == NULL || (remedy != NULL && strstr(problem, remedy) == NULL))
        fail_msg("%s", problem);
}

static void test_columns_are_read_as_they_were_declared(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database,
                "create table t (gone int, a int generated always as identity, "
                "b numeric(10,2) default 1.5 not null, c varchar(20) collate \"C\", "
                "d text[], e int generated always as (a * 2) stored, "
                "f timestamptz(3) default now(), g \"char\", h bpchar, primary key (c, a)); "
                "alter table t drop column gone");
    load(fixture);
    const CatalogTable *entry = find(fixture, "public.t");
    const Table *table = entry->table;
    assert_int_equal(entry->problems->len, 0);
    assert_int_equal(table->n_columns, 7);
    assert_int_equal(table->n_generated, 1);
    assert_string_equal(table->generated[0].name, "e");
    assert_string_equal(table->generated[0].default_sql, "(a * 2)");
    assert_int_equal(table->columns[0].identity, 'a');
    assert_string_equal(table->columns[1].type, "numeric(10,2)");
    assert_string_equal(table->columns[1].default_sql, "1.5");
    assert_true(table->columns[1].not_null);
    assert_string_equal(table->columns[2].type, "character varying(20)");
    assert_string_equal(table->columns[2].collation, "pg_catalog.\"C\"");
    assert_null(table->columns[3].collation);
    assert_int_equal(table->columns[3].type_oid, 1009);
    assert_string_equal(table->columns[4].type, "timestamp(3) with time zone");
    assert_string_equal(table->columns[5].type, "\"char\"");
    assert_string_equal(table->columns[6].type, "bpchar");
    assert_int_equal(table->columns[6].number, 9);
    assert_int_equal(table->n_key, 2);
    assert_int_equal(table->key[0], 2);
    assert_int_equal(table->key[1], 0);
    assert_int_equal(table->columns[0].key_place, 1);
    assert_int_equal(table->columns[1].key_place, -1);
    assert_string_equal(table->key_name, "t_pkey");
    assert_true(table->key_is_primary);
    assert_false(table->replace_updates);
    assert_false(table->other_unique);
    assert_true(table->storage != 0);
}

static void test_an_index_as_replica_identity_is_the_key(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database,
                "create table t (id int primary key generated always as identity, "
                "a int not null, b text not null); "
                "create unique index t_ab on t (b, a) include (id); "
                "alter table t replica identity using index t_ab");
    load(fixture);
    const CatalogTable *entry = find(fixture, "public.t");
    assert_int_equal(entry->problems->len, 0);
    assert_string_equal(entry->table->key_name, "t_ab");
    assert_false(entry->table->key_is_primary);
    assert_int_equal(entry->table->n_key, 2);
    assert_int_equal(entry->table->key[0], 2);
    assert_true(entry->table->other_unique);
    assert_true(entry->table->replace_updates);
}

static void test_replica_identity_full_uses_the_primary_key(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database,
                "create table t (id int primary key, a int); "
                "alter table t replica identity full; create unique index on t (a)");
    load(fixture);
    const CatalogTable *entry = find(fixture, "public.t");
    assert_int_equal(entry->problems->len, 0);
    assert_string_equal(entry->table->key_name, "t_pkey");
    assert_true(entry->table->other_unique);
}

static void test_an_exclusion_constraint_counts_as_unique(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database, "create table t (id int primary key, r int4range, "
                                   "exclude using gist (r with &&))");
    load(fixture);
    assert_true(find(fixture, "public.t")->table->other_unique);
}

static void test_rows_are_estimated_before_and_after_analyze(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database,
                "create table t (id int primary key) with (autovacuum_enabled = off); "
                "insert into t select generate_series(1, 10000)");
    load(fixture);
    assert_true(find(fixture, "public.t")->table->estimated_rows > 1000);
    g_clear_pointer(&fixture->tables, g_ptr_array_unref);
    scratch_run(fixture->database, "analyze t");
    load(fixture);
    assert_int_equal(find(fixture, "public.t")->table->estimated_rows, 10000);
    assert_true(find(fixture, "public.t")->table->bytes >= 10000 * 28);
}

static void test_tables_come_sorted_without_those_of_others(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->database,
                "create schema \"B\"; create schema a; create schema drover; "
                "create table a.z (id int primary key); create table a.\"Y\" (id int primary key); "
                "create table \"B\".t (id int primary key); create table drover.t (id int); "
                "create temp table tt (id int); create view a.v as select 1 as x");
    load(fixture);
    static const char *const expected[] = {"B.t", "a.Y", "a.z"};
    assert_int_equal(fixture->tables->len, 3);
    for (guint i = 0; i < 3; i++) {
        const CatalogTable *entry = g_ptr_array_index(fixture->tables, i);
        assert_string_equal(entry->table->label, expected[i]);
    }
}

static void test_a_table_without_key_is_told_to_add_one(void **state)
{
    expect_problem(*state, "create table t (a int)", "public.t", "no primary key",
                   "alter table \"public\".\"t\" add primary key (...);");
}

static void test_a_table_with_a_usable_index_is_told_to_use_it(void **state)
{
    expect_problem(*state,
                   "create table t (a int not null, b int); create unique index t_b on t (b); "
                   "create unique index t_part on t (a) where a > 0; "
                   "create unique index t_a on t (a) include (b)",
                   "public.t", "no primary key",
                   "alter table \"public\".\"t\" replica identity using index \"t_a\";");
}

static void test_replica_identity_nothing_is_told_to_change(void **state)
{
    expect_problem(*state,
                   "create table t (a int primary key); alter table t replica identity nothing",
                   "public.t", "replica identity is nothing",
                   "alter table \"public\".\"t\" replica identity default;");
}

static void test_a_dropped_replica_identity_index_is_a_problem(void **state)
{
    expect_problem(*state,
                   "create table t (a int primary key, b int not null); "
                   "create unique index i on t (b); alter table t replica identity using index i; "
                   "drop index i",
                   "public.t", "does not exist any more", "replica identity default;");
}

static void test_a_deferrable_primary_key_is_a_problem(void **state)
{
    expect_problem(*state, "create table t (a int primary key deferrable)", "public.t",
                   "deferrable",
                   "drop constraint \"t_pkey\", add constraint \"t_pkey\" primary key (a);");
}

static void test_an_enum_is_unmapped_by_name(void **state)
{
    expect_problem(
        *state, "create type mood as enum ('ok'); create table t (a int primary key, m mood)",
        "public.t", "column m has the type public.mood, an enum, which is unmapped", NULL);
}

static void test_an_array_of_a_domain_is_unmapped(void **state)
{
    expect_problem(*state, "create domain d as int; create table t (a int primary key, m d[])",
                   "public.t", "public.d[]", NULL);
}

static void test_an_object_identifier_type_is_unmapped(void **state)
{
    expect_problem(*state, "create table t (a int primary key, m regclass)", "public.t",
                   "column m has the type regclass", NULL);
}

static void test_a_partitioned_table_is_not_supported(void **state)
{
    expect_problem(*state,
                   "create table t (a int primary key) partition by range (a); "
                   "create table t1 partition of t default",
                   "public.t", "is partitioned", NULL);
}

static void test_a_partition_is_not_supported(void **state)
{
    expect_problem(*state,
                   "create table t (a int primary key) partition by range (a); "
                   "create table t1 partition of t default",
                   "public.t1", "is a partition", NULL);
}

static void test_inheritance_is_not_supported(void **state)
{
    expect_problem(*state,
                   "create table t (a int primary key); "
                   "create table t1 (primary key (a)) inherits (t)",
                   "public.t", "inheritance", NULL);
}

static void test_an_unlogged_table_is_told_to_be_logged(void **state)
{
    expect_problem(*state, "create unlogged table t (a int primary key)", "public.t", "unlogged",
                   "alter table \"public\".\"t\" set logged;");
}

static void test_a_generated_key_column_is_a_problem(void **state)
{
    expect_problem(*state,
                   "create table t (a int, b int generated always as (a + 1) stored primary key)",
                   "public.t", "generated column", NULL);
}

static void test_row_security_that_hides_rows_is_a_problem(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    scratch_run(fixture->database,
                "create role %s; create table t (a int primary key); "
                "alter table t enable row level security; grant select on t to %s",
                fixture->database->name, fixture->database->name);
    g_autofree char *sql = g_strdup_printf("set role %s", fixture->database->name);
    MUST(pg_run(fixture->connection, sql, &error));
    load(fixture);
    const CatalogTable *entry = find(fixture, "public.t");
    MUST(pg_run(fixture->connection, "reset role", &error));
    scratch_run(fixture->database, "drop table t; drop role %s", fixture->database->name);
    assert_int_equal(entry->problems->len, 1);
    assert_non_null(strstr(g_ptr_array_index(entry->problems, 0), "bypassrls;"));
}

static void test_what_is_not_moved_is_counted(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    scratch_run(fixture->database, "create view v as select 1; create view w as select 1; "
                                   "create function f() returns int language sql as 'select 1'; "
                                   "create type mood as enum ('ok'); select lo_create(0)");
    g_autoptr(GPtrArray) sentences = catalog_pg_not_moved(fixture->connection, &error);
    MUST(sentences != NULL);
    assert_int_equal(sentences->len, 4);
    assert_true(g_str_has_prefix(g_ptr_array_index(sentences, 0), "2 views are not moved"));
    assert_true(g_str_has_prefix(g_ptr_array_index(sentences, 1), "1 functions"));
    assert_true(g_str_has_prefix(g_ptr_array_index(sentences, 2), "1 user-defined types"));
    assert_true(g_str_has_prefix(g_ptr_array_index(sentences, 3), "1 large objects"));
}

static void test_an_empty_database_has_nothing_that_is_not_moved(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) sentences = catalog_pg_not_moved(fixture->connection, &error);
    MUST(sentences != NULL);
    assert_int_equal(sentences->len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_columns_are_read_as_they_were_declared),
        TEST(test_an_index_as_replica_identity_is_the_key),
        TEST(test_replica_identity_full_uses_the_primary_key),
        TEST(test_an_exclusion_constraint_counts_as_unique),
        TEST(test_rows_are_estimated_before_and_after_analyze),
        TEST(test_tables_come_sorted_without_those_of_others),
        TEST(test_a_table_without_key_is_told_to_add_one),
        TEST(test_a_table_with_a_usable_index_is_told_to_use_it),
        TEST(test_replica_identity_nothing_is_told_to_change),
        TEST(test_a_dropped_replica_identity_index_is_a_problem),
        TEST(test_a_deferrable_primary_key_is_a_problem),
        TEST(test_an_enum_is_unmapped_by_name),
        TEST(test_an_array_of_a_domain_is_unmapped),
        TEST(test_an_object_identifier_type_is_unmapped),
        TEST(test_a_partitioned_table_is_not_supported),
        TEST(test_a_partition_is_not_supported),
        TEST(test_inheritance_is_not_supported),
        TEST(test_an_unlogged_table_is_told_to_be_logged),
        TEST(test_a_generated_key_column_is_a_problem),
        TEST(test_row_security_that_hides_rows_is_a_problem),
        TEST(test_what_is_not_moved_is_counted),
        TEST(test_an_empty_database_has_nothing_that_is_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
