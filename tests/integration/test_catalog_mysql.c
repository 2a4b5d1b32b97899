#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/catalog_mysql.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"

#include <string.h>

typedef struct Fixture {
    MysqlScratch *database;
    GPtrArray *tables;
} Fixture;

static int set_up(void **state, const char *variable)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->database = mysql_scratch_new(variable);
    *state = fixture;
    return 0;
}

static int set_up_mysql(void **state)
{
    return set_up(state, "DROVER_TEST_MYSQL");
}

static int set_up_mariadb(void **state)
{
    return set_up(state, "DROVER_TEST_MARIADB");
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_free(fixture->database);
    g_clear_pointer(&fixture->tables, g_ptr_array_unref);
    g_free(fixture);
    return 0;
}

static void load(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    fixture->tables = catalog_mysql_tables(fixture->database->mysql, &error);
    MUST(fixture->tables != NULL);
}

static const CatalogTable *find(Fixture *fixture, const char *name)
{
    for (guint i = 0; i < fixture->tables->len; i++) {
        const CatalogTable *entry = g_ptr_array_index(fixture->tables, i);
        if (strcmp(entry->table->source_schema, fixture->database->name) == 0 &&
            strcmp(entry->table->source_name, name) == 0)
            return entry;
    }
    fail_msg("no table %s", name);
    return NULL;
}

static const Table *find_fine(Fixture *fixture, const char *name)
{
    const CatalogTable *entry = find(fixture, name);
    if (entry->problems->len > 0)
        fail_msg("%s: %s", name, (char *)g_ptr_array_index(entry->problems, 0));
    return entry->table;
}

/* "name type oid" of each column, with " not null", " auto" and the charset. */
static char *describe(const Column *columns, guint n)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < n; i++)
        g_string_append_printf(
            text, "%s%s %s %u%s%s%s%s", i > 0 ? "\n" : "", columns[i].name, columns[i].type,
            columns[i].type_oid, columns[i].not_null ? " not null" : "",
            columns[i].identity == 'd' ? " auto" : "", columns[i].charset ? " " : "",
            columns[i].charset ? columns[i].charset : "");
    return g_string_free(text, FALSE);
}

static void expect_columns(const Table *table, guint from, const char *expected)
{
    g_autofree char *columns = describe(table->columns + from, table->n_columns - from);
    assert_string_equal(columns, expected);
}

/* The table t, made by sql, has the one problem with this beginning. */
static void expect_problem(Fixture *fixture, const char *sql, const char *problem)
{
    mysql_scratch_run(fixture->database, "%s", sql);
    load(fixture);
    const CatalogTable *entry = find(fixture, "t");
    assert_int_equal(entry->problems->len, 1);
    if (!g_str_has_prefix(g_ptr_array_index(entry->problems, 0), problem))
        fail_msg("%s", (char *)g_ptr_array_index(entry->problems, 0));
}

#define NUMBERS                                                                                    \
    "id bigint unsigned auto_increment primary key, a tinyint, b tinyint unsigned, c smallint, "   \
    "d smallint unsigned, e mediumint, f mediumint unsigned, g int, h int unsigned not null, "     \
    "i bigint, j decimal(10,3), k float, l double, m bit(10), n year"
#define TEXTS                                                                                      \
    "a char(5) charset latin1, b varchar(20) charset utf8mb4 collate utf8mb4_bin, c tinytext, "    \
    "d text, e mediumtext, f longtext, g enum('unsigned', 'b''c'), h set('x', 'y'), "              \
    "i binary(4), j varbinary(10), k tinyblob, l blob, m mediumblob, n longblob, o json"

static void test_numbers_have_their_natural_types(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "create table t (" NUMBERS ")");
    load(fixture);
    const Table *table = find_fine(fixture, "t");
    static const guint32 natural[] = {1700, 21, 21,   21,  23,  23,   23, 23,
                                      20,   20, 1700, 700, 701, 1560, 21};
    assert_int_equal(table->n_columns, G_N_ELEMENTS(natural));
    for (guint i = 0; i < table->n_columns; i++)
        assert_int_equal(table->columns[i].type_oid, natural[i]);
    assert_int_equal(table->columns[0].identity, 'd');
    assert_true(table->columns[0].not_null && table->columns[8].not_null);
    assert_false(table->columns[1].not_null);
    assert_string_equal(table->columns[10].type, "decimal(10,3)");
}

static void test_texts_have_charsets_and_bytes_have_none(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "alter database default character set latin1");
    mysql_scratch_run(fixture->database, "create table t (id int primary key, " TEXTS ")");
    load(fixture);
    const Table *table = find_fine(fixture, "t");
    assert_string_equal(table->columns[2].collation, "utf8mb4_bin");
    expect_columns(table, 1,
                   "a char(5) 25 latin1\nb varchar(20) 25 utf8mb4\nc tinytext 25 latin1\n"
                   "d text 25 latin1\ne mediumtext 25 latin1\nf longtext 25 latin1\n"
                   "g enum('unsigned','b''c') 25 latin1\nh set('x','y') 25 latin1\n"
                   "i binary(4) 17\nj varbinary(10) 17\nk tinyblob 17\nl blob 17\n"
                   "m mediumblob 17\nn longblob 17\no json 114");
}

static void test_times_and_shapes_have_their_natural_types(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database,
                      "create table t (id int primary key, a date, b time, c time(6), d datetime, "
                      "e datetime(3), f timestamp(6) null, g geometry, h point, i polygon, "
                      "j geometrycollection)");
    load(fixture);
    static const guint32 natural[] = {23, 1082, 1186, 1186, 1114, 1114, 1184, 17, 17, 17, 17};
    const Table *table = find_fine(fixture, "t");
    for (guint i = 0; i < table->n_columns; i++)
        assert_int_equal(table->columns[i].type_oid, natural[i]);
    assert_string_equal(table->columns[5].type, "datetime(3)");
}

static void test_mysql_has_vectors(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "create table t (id int primary key, v vector(3))");
    load(fixture);
    expect_columns(find_fine(fixture, "t"), 0, "id int 23 not null\nv vector(3) 1021");
}

static void test_mariadb_has_uuids_and_addresses(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(
        fixture->database,
        "create table t (id uuid primary key, a inet4, b inet6, "
        "c varchar(100) compressed charset utf8mb4, "
        "d longtext character set utf8mb4 collate utf8mb4_bin check (length(d) > 1))");
    load(fixture);
    expect_columns(find_fine(fixture, "t"), 0,
                   "id uuid 2950 not null\na inet4 869\nb inet6 869\nc varchar(100) 25 utf8mb4\n"
                   "d longtext 25 utf8mb4");
}

static void test_generated_columns_stand_apart(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(
        fixture->database,
        "create table t (id date primary key, a int generated always as (year(id) + 1) "
        "stored, b int generated always as (year(id) + 2) virtual, c date invisible)");
    load(fixture);
    const Table *table = find_fine(fixture, "t");
    expect_columns(table, 0, "id date 1082 not null\nc date 1082");
    assert_int_equal(table->columns[1].number, 4);
    assert_int_equal(table->n_generated, 2);
    assert_string_equal(table->generated[0].name, "a");
    assert_string_equal(table->generated[1].name, "b");
    assert_true(table->generated[1].generated);
    assert_non_null(strstr(table->generated[1].default_sql, "2"));
}

static void expect_key(Fixture *fixture, const char *name, const char *key, const char *columns,
                       bool other_unique)
{
    const Table *table = find_fine(fixture, name);
    g_autoptr(GString) text = g_string_new(NULL);
    assert_string_equal(table->key_name, key);
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", table->columns[table->key[i]].name);
        assert_int_equal(table->columns[table->key[i]].key_place, (int)i);
    }
    assert_string_equal(text->str, columns);
    assert_int_equal(table->key_is_primary, strcmp(key, "PRIMARY") == 0);
    assert_int_equal(table->other_unique, other_unique);
}

static void test_the_key_is_primary_or_a_unique_index_without_nulls(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database,
                      "create table both_keys (b int not null, a int, c int not null, "
                      "unique key c (c), primary key (b, a))");
    mysql_scratch_run(fixture->database,
                      "create table only_unique (a int not null, b varchar(10) not null, c int, "
                      "d int not null, g int generated always as (a) stored, "
                      "unique key k1 (c), unique key k2 (b(3)), unique key k3 (g), "
                      "unique key k4 (a, b), unique key k5 (d))");
    mysql_scratch_run(fixture->database,
                      "create table odd_primary (a int not null, b varchar(10) not null, "
                      "primary key (b(3)), unique key whole (b, a))");
    mysql_scratch_run(fixture->database, "create table alone (a int primary key, b int, key (b))");
    mysql_scratch_run(fixture->database, "create table parts (a int primary key) "
                                         "partition by hash (a) partitions 3");
    load(fixture);
    expect_key(fixture, "both_keys", "PRIMARY", "b a", true);
    expect_key(fixture, "only_unique", "k5", "d", true);
    expect_key(fixture, "odd_primary", "whole", "b a", true);
    expect_key(fixture, "alone", "PRIMARY", "a", false);
    expect_key(fixture, "parts", "PRIMARY", "a", false);
}

static void test_a_hidden_primary_key_is_the_key(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "set sql_generate_invisible_primary_key = on");
    mysql_scratch_run(fixture->database,
                      "set show_gipk_in_create_table_and_information_schema = off");
    mysql_scratch_run(fixture->database, "create table t (a int)");
    load(fixture);
    expect_key(fixture, "t", "PRIMARY", "my_row_id", false);
}

static void test_a_table_without_a_key_is_a_problem(void **state)
{
    expect_problem(*state,
                   "create table t (a int, b varchar(10) not null, unique (a), unique (b(3)))",
                   "has no primary key and no unique index of columns that are not null");
}

static void test_a_key_of_a_beginning_is_a_problem(void **state)
{
    expect_problem(*state, "create table t (b varchar(10), primary key (b(3)))",
                   "its primary key has a generated column or only the beginning of one");
}

static void test_another_engine_is_a_problem_with_its_remedy(void **state)
{
    Fixture *fixture = *state;
    expect_problem(fixture, "create table t (a int primary key) engine = MyISAM",
                   "has the engine MyISAM; ");
    g_autofree char *remedy =
        g_strdup_printf("\nalter table `%s`.`t` engine = InnoDB;", fixture->database->name);
    if (!g_str_has_suffix(g_ptr_array_index(find(fixture, "t")->problems, 0), remedy))
        fail_msg("%s", (char *)g_ptr_array_index(find(fixture, "t")->problems, 0));
}

static void test_a_charset_that_cannot_be_converted_is_a_problem(void **state)
{
    expect_problem(*state, "create table t (a int primary key, b varchar(10) charset big5)",
                   "column b has the character set big5, whose texts drover cannot convert");
}

static void test_history_of_rows_is_a_problem(void **state)
{
    expect_problem(*state, "create table t (a int primary key) with system versioning",
                   "is system-versioned, which is not supported yet");
}

static void test_odd_names_are_kept(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database,
                      "create table `odd ``name``.` (`a b` date primary key, `j``s` json)");
    load(fixture);
    expect_columns(find_fine(fixture, "odd `name`."), 0, "a b date 1082 not null\nj`s json 114");
}

/* A server reads its own expressions by the rules of the session that opens the table. */
static void test_a_table_whose_expressions_have_quotes_is_opened(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    mysql_scratch_run(fixture->database,
                      "create table t (id int primary key, a varchar(20) default ('it''s \\\\'), "
                      "g varchar(50) generated always as (concat(a, 'it''s')) stored, "
                      "check (a <> '\\\\'''))");
    mysql_scratch_run(fixture->database, "flush tables");
    MYSQL *mysql = mysql_session_open(&fixture->database->endpoint, "drover test", 60, &error);
    MUST(mysql != NULL);
    g_autofree char *rows = mysql_session_ask(mysql, "select count(*) from t", &error);
    mysql_close(mysql);
    MUST(rows != NULL);
    load(fixture);
    expect_columns(find_fine(fixture, "t"), 1, "a varchar(20) 25 utf8mb4");
}

static void test_views_and_drovers_own_are_no_tables(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "create table t (a int primary key)");
    mysql_scratch_run(fixture->database, "create view v as select * from t");
    load(fixture);
    for (guint i = 0; i < fixture->tables->len; i++) {
        const CatalogTable *entry = g_ptr_array_index(fixture->tables, i);
        assert_string_not_equal(entry->table->source_schema, "mysql");
        assert_string_not_equal(entry->table->source_name, "v");
        assert_int_equal(entry->table->source_oid, i + 1);
    }
}

static void test_sizes_are_estimated(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "create table t (a int primary key, b varchar(100))");
    mysql_scratch_run(fixture->database,
                      "insert into t with recursive n (i) as (select 1 union all select i + 1 "
                      "from n where i < 900) select i, repeat('x', 90) from n");
    g_free(mysql_scratch_ask(fixture->database, 0, "analyze table t"));
    load(fixture);
    const Table *table = find_fine(fixture, "t");
    assert_in_range(table->estimated_rows, 450, 1800);
    assert_in_range(table->bytes, 81000, 1000000);
}

static void test_the_version_follows_the_columns(void **state)
{
    Fixture *fixture = *state;
    mysql_scratch_run(fixture->database, "create table t (a int primary key, b int)");
    load(fixture);
    guint64 version = find_fine(fixture, "t")->version;
    g_clear_pointer(&fixture->tables, g_ptr_array_unref);
    mysql_scratch_run(fixture->database, "alter table t modify b int unsigned");
    load(fixture);
    assert_true(find_fine(fixture, "t")->version != version);
}

static bool is_told(const GPtrArray *sentences, const char *part)
{
    for (guint i = 0; i < sentences->len; i++)
        if (strstr(g_ptr_array_index(sentences, i), part) != NULL)
            return true;
    return false;
}

static void test_what_is_not_moved_is_told(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    static const char *const made[] = {
        "create table t (a int primary key)", "create view v as select * from t",
        "create procedure p() select 1",
        "create trigger g before insert on t for each row set @a = 1",
        "create event e on schedule every 1 day disable do select 1"};
    for (gsize i = 0; i < G_N_ELEMENTS(made); i++)
        mysql_scratch_run(fixture->database, "%s", made[i]);
    g_autoptr(GPtrArray) sentences = catalog_mysql_not_moved(fixture->database->mysql, &error);
    MUST(sentences != NULL);
    assert_true(is_told(sentences, "views are not moved: "));
    assert_true(is_told(sentences, "functions and procedures are not moved: "));
    assert_true(is_told(sentences, "triggers are not moved: "));
    assert_true(is_told(sentences, "events are not moved: "));
}

int main(void)
{
#define MYSQL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_mysql, tear_down)
#define MARIADB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_mariadb, tear_down)
#define TEST(name) MYSQL_TEST(name), MARIADB_TEST(name)
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_have_their_natural_types),
        TEST(test_texts_have_charsets_and_bytes_have_none),
        TEST(test_times_and_shapes_have_their_natural_types),
        MYSQL_TEST(test_mysql_has_vectors),
        MARIADB_TEST(test_mariadb_has_uuids_and_addresses),
        TEST(test_generated_columns_stand_apart),
        TEST(test_the_key_is_primary_or_a_unique_index_without_nulls),
        MYSQL_TEST(test_a_hidden_primary_key_is_the_key),
        TEST(test_a_table_without_a_key_is_a_problem),
        TEST(test_a_key_of_a_beginning_is_a_problem),
        TEST(test_another_engine_is_a_problem_with_its_remedy),
        TEST(test_a_charset_that_cannot_be_converted_is_a_problem),
        MARIADB_TEST(test_history_of_rows_is_a_problem),
        TEST(test_odd_names_are_kept),
        TEST(test_a_table_whose_expressions_have_quotes_is_opened),
        TEST(test_views_and_drovers_own_are_no_tables),
        TEST(test_sizes_are_estimated),
        TEST(test_the_version_follows_the_columns),
        TEST(test_what_is_not_moved_is_told),
    };
    return cmocka_run_group_tests_name("catalog_mysql", tests, NULL, NULL);
}
