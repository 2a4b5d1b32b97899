#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/mysql/type.h"
#include "schema/type_map.h"

#include <string.h>

static const Product postgresql = {PRODUCT_POSTGRESQL, 150004, NULL};
static const Product mysql = {PRODUCT_MYSQL, 80036, NULL};
static const Product new_mysql = {PRODUCT_MYSQL, 90001, NULL};
static const Product mariadb = {PRODUCT_MARIADB, 101106, NULL};
static const Product old_mariadb = {PRODUCT_MARIADB, 100612, NULL};

#define BIN " character set utf8mb4 collate utf8mb4_0900_bin"
#define NOPAD " character set utf8mb4 collate utf8mb4_nopad_bin"
#define ASCII " character set ascii collate ascii_bin"

typedef struct Fixture {
    Table *table;
    GPtrArray *problems, *warnings;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->table = g_new0(Table, 1);
    fixture->table->label = g_strdup("app.t");
    fixture->table->target_schema = g_strdup("app");
    fixture->table->target_name = g_strdup("t");
    fixture->problems = g_ptr_array_new_with_free_func(g_free);
    fixture->warnings = g_ptr_array_new_with_free_func(g_free);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    table_free(fixture->table);
    g_ptr_array_unref(fixture->problems);
    g_ptr_array_unref(fixture->warnings);
    g_free(fixture);
    return 0;
}

static Column *add_column(Fixture *fixture, const char *name, const char *type, guint32 oid)
{
    Table *table = fixture->table;
    table->columns = g_renew(Column, table->columns, table->n_columns + 1);
    Column *column = &table->columns[table->n_columns++];
    memset(column, 0, sizeof *column);
    column->name = g_strdup(name);
    column->type = g_strdup(type);
    column->type_oid = oid;
    column->key_place = -1;
    return column;
}

static void add_key(Fixture *fixture, const char *name, const char *type, guint32 oid)
{
    Table *table = fixture->table;
    add_column(fixture, name, type, oid)->key_place = (int)table->n_key;
    table->key = g_renew(guint, table->key, table->n_key + 1);
    table->key[table->n_key++] = table->n_columns - 1;
}

static void add_text(Fixture *fixture, const char *name, const char *type, const char *charset,
                     const char *collation)
{
    Column *column = add_column(fixture, name, type, 25);
    column->charset = g_strdup(charset);
    column->collation = g_strdup(collation);
}

static void map(Fixture *fixture, const Product *source, const Product *target)
{
    type_map_table(fixture->table, source, target, fixture->problems, fixture->warnings);
}

static const char *mapped(const Fixture *fixture, guint i)
{
    return fixture->table->columns[i].target_type;
}

static void expect_one(const GPtrArray *sentences, const char *beginning)
{
    if (sentences->len != 1)
        fail_msg("%u sentences instead of: %s", sentences->len, beginning);
    if (!g_str_has_prefix(g_ptr_array_index(sentences, 0), beginning))
        fail_msg("%s", (char *)g_ptr_array_index(sentences, 0));
}

static void expect_none(const Fixture *fixture)
{
    if (fixture->problems->len + fixture->warnings->len > 0)
        fail_msg("%s",
                 (char *)(fixture->problems->len > 0 ? g_ptr_array_index(fixture->problems, 0)
                                                     : g_ptr_array_index(fixture->warnings, 0)));
}

typedef struct Example {
    const char *source;
    guint32 oid;
    const char *target;
} Example;

static void test_types_of_postgresql_on_mysql(void **state)
{
    static const Example examples[] = {
        {"boolean", 16, "tinyint(1)"},
        {"smallint", 21, "smallint"},
        {"integer", 23, "int"},
        {"bigint", 20, "bigint"},
        {"oid", 26, "int unsigned"},
        {"numeric(10,2)", 1700, "decimal(10,2)"},
        {"numeric(65,30)", 1700, "decimal(65,30)"},
        {"numeric(2,4)", 1700, "decimal(4,4)"},
        {"real", 700, "float"},
        {"double precision", 701, "double"},
        {"text", 25, "longtext" BIN},
        {"xml", 142, "longtext" BIN},
        {"character varying", 1043, "longtext" BIN},
        {"character varying(20)", 1043, "varchar(20)" BIN},
        {"character varying(16384)", 1043, "longtext" BIN},
        {"character(5)", 1042, "varchar(5)" BIN},
        {"bpchar", 1042, "longtext" BIN},
        {"\"char\"", 18, "varchar(4)" BIN},
        {"name", 19, "varchar(63)" BIN},
        {"bytea", 17, "longblob"},
        {"date", 1082, "date"},
        {"time without time zone", 1083, "time(6)"},
        {"time(0) without time zone", 1083, "time(0)"},
        {"timestamp without time zone", 1114, "datetime(6)"},
        {"timestamp(3) with time zone", 1184, "datetime(3)"},
        {"interval", 1186, "varchar(64)" ASCII},
        {"interval second(3)", 1186, "varchar(64)" ASCII},
        {"uuid", 2950, "char(36)" ASCII},
        {"json", 114, "json"},
        {"jsonb", 3802, "json"},
        {"bit(64)", 1560, "bit(64)"},
        {"bit", 1560, "bit(1)"},
        {"inet", 869, "varchar(43)" ASCII},
        {"cidr", 650, "varchar(43)" ASCII},
        {"macaddr", 829, "varchar(17)" ASCII},
        {"macaddr8", 774, "varchar(23)" ASCII},
    };
    Fixture *fixture = *state;
    for (gsize i = 0; i < G_N_ELEMENTS(examples); i++) {
        g_autofree char *name = g_strdup_printf("c%d", (int)i);
        add_column(fixture, name, examples[i].source, examples[i].oid);
    }
    map(fixture, &postgresql, &mysql);
    expect_none(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(examples); i++)
        assert_string_equal(mapped(fixture, i), examples[i].target);
}

static void test_mariadb_has_its_own_uuid_and_binary_collation(void **state)
{
    Fixture *fixture = *state;
    add_column(fixture, "a", "uuid", 2950);
    add_column(fixture, "b", "text", 25);
    map(fixture, &postgresql, &mariadb);
    assert_string_equal(mapped(fixture, 0), "uuid");
    assert_string_equal(mapped(fixture, 1), "longtext" NOPAD);
    map(fixture, &postgresql, &old_mariadb);
    assert_string_equal(mapped(fixture, 0), "char(36)" ASCII);
    expect_none(fixture);
}

static void test_what_mysql_has_no_type_for_is_refused_by_name(void **state)
{
    static const Example examples[] = {{"text[]", 1009, NULL},
                                       {"numeric(66,2)", 1700, NULL},
                                       {"numeric(60,31)", 1700, NULL},
                                       {"numeric(3,-2)", 1700, NULL},
                                       {"bit(65)", 1560, NULL},
                                       {"bit varying(5)", 1562, NULL},
                                       {"money", 790, NULL},
                                       {"point", 600, NULL},
                                       {"int4range", 3904, NULL},
                                       {"tsvector", 3614, NULL},
                                       {"time with time zone", 1266, NULL}};
    static const char names[] = "abcdefghijklmn"; /* each from a letter on */
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(examples); i++)
        add_column(fixture, g_intern_string(&names[i]), examples[i].source, examples[i].oid);
    map(fixture, &postgresql, &mysql);
    assert_int_equal(fixture->problems->len, G_N_ELEMENTS(examples));
    for (guint i = 0; i < G_N_ELEMENTS(examples); i++) {
        g_autofree char *expected = g_strdup_printf(
            "app.t: column %s has the type %s, for which MySQL has none: ", &names[i],
            examples[i].source);
        assert_null(mapped(fixture, i));
        if (!g_str_has_prefix(g_ptr_array_index(fixture->problems, i), expected))
            fail_msg("%s", (char *)g_ptr_array_index(fixture->problems, i));
    }
}

static void test_numeric_without_precision_is_warned_about(void **state)
{
    Fixture *fixture = *state;
    add_column(fixture, "n", "numeric", 1700);
    map(fixture, &postgresql, &mysql);
    assert_string_equal(mapped(fixture, 0), "decimal(65,30)");
    assert_int_equal(fixture->problems->len, 0);
    expect_one(fixture->warnings, "app.t: column n has the type numeric without a precision");
}

static void test_a_text_without_length_is_no_key_on_mysql(void **state)
{
    Fixture *fixture = *state;
    add_key(fixture, "k", "text", 25);
    add_key(fixture, "l", "character varying(20)", 1043);
    map(fixture, &postgresql, &mysql);
    expect_one(fixture->problems,
               "app.t: column k of its key has the type text, which becomes longtext");
}

static void test_a_key_has_room_for_3072_bytes(void **state)
{
    Fixture *fixture = *state;
    add_key(fixture, "k", "character varying(768)", 1043);
    map(fixture, &postgresql, &mysql);
    expect_none(fixture);
    add_key(fixture, "i", "integer", 23);
    map(fixture, &postgresql, &mysql);
    expect_one(fixture->problems, "app.t: the columns of its key take up to 3076 bytes");
}

static void test_texts_that_overflow_the_row_lie_apart(void **state)
{
    Fixture *fixture = *state;
    add_key(fixture, "id", "bigint", 20);
    add_column(fixture, "a", "character varying(8000)", 1043);
    add_column(fixture, "b", "character varying(10000)", 1043);
    add_column(fixture, "c", "character varying(700)", 1043);
    map(fixture, &postgresql, &mysql);
    expect_none(fixture);
    assert_string_equal(mapped(fixture, 1), "varchar(8000)" BIN);
    assert_string_equal(mapped(fixture, 2), "longtext" BIN);
    assert_string_equal(mapped(fixture, 3), "varchar(700)" BIN);
}

static void test_a_row_that_cannot_be_made_short_enough_is_refused(void **state)
{
    Fixture *fixture = *state;
    for (int i = 0; i < 30; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        add_column(fixture, name, "character varying(700)", 1043);
    }
    map(fixture, &postgresql, &mysql);
    expect_one(fixture->problems, "app.t: its columns together are longer than the 64 KiB");
}

static void test_names_that_mysql_does_not_take_are_refused(void **state)
{
    static const char *const expected[] = {
        "app.t: the name of column blank  ends with a blank",
        "app.t: the name of column \xf0\x9f\x90\xa2 has a character beyond",
        "app.t: column ID has the name of another one in other letters"};
    Fixture *fixture = *state;
    add_column(fixture, "id", "integer", 23);
    add_column(fixture, "blank ", "integer", 23);
    add_column(fixture, "\xf0\x9f\x90\xa2", "integer", 23);
    add_column(fixture, "ID", "integer", 23);
    map(fixture, &postgresql, &mysql);
    assert_int_equal(fixture->problems->len, 3);
    for (guint i = 0; i < 3; i++)
        if (!g_str_has_prefix(g_ptr_array_index(fixture->problems, i), expected[i]))
            fail_msg("%s", (char *)g_ptr_array_index(fixture->problems, i));
}

static void test_mysql_needs_no_delete_and_insert_for_identities(void **state)
{
    Fixture *fixture = *state;
    fixture->table->replace_updates = true;
    map(fixture, &postgresql, &postgresql);
    assert_true(fixture->table->replace_updates);
    map(fixture, &postgresql, &mysql);
    assert_false(fixture->table->replace_updates);
}

static void test_types_of_mysql_on_postgresql(void **state)
{
    static const Example examples[] = {
        {"tinyint(1)", 0, "smallint"},
        {"tinyint unsigned", 0, "smallint"},
        {"smallint", 0, "smallint"},
        {"smallint(5) unsigned zerofill", 0, "integer"},
        {"mediumint", 0, "integer"},
        {"mediumint unsigned", 0, "integer"},
        {"int(11)", 0, "integer"},
        {"int unsigned", 0, "bigint"},
        {"bigint", 0, "bigint"},
        {"bigint(20) unsigned", 0, "numeric(20,0)"},
        {"decimal(10,2) unsigned", 0, "numeric(10,2)"},
        {"decimal(65,30)", 0, "numeric(65,30)"},
        {"float(7,3)", 0, "real"},
        {"double unsigned", 0, "double precision"},
        {"bit(10)", 0, "bit(10)"},
        {"year(4)", 0, "smallint"},
        {"date", 0, "date"},
        {"time(3)", 0, "interval"},
        {"datetime", 0, "timestamp(0)"},
        {"datetime(6)", 0, "timestamp(6)"},
        {"timestamp(3)", 0, "timestamptz(3)"},
        {"char(5)", 0, "varchar(5)"},
        {"varchar(255)", 0, "varchar(255)"},
        {"varchar(0)", 0, "text"},
        {"tinytext", 0, "text"},
        {"longtext", 0, "text"},
        {"enum('a(5)','unsigned')", 0, "text"},
        {"set('x','y')", 0, "text"},
        {"json", 0, "json"},
        {"binary(4)", 0, "bytea"},
        {"varbinary(10)", 0, "bytea"},
        {"mediumblob", 0, "bytea"},
        {"multipolygon", 0, "bytea"},
        {"vector(3)", 0, "real[]"},
        {"uuid", 0, "uuid"},
        {"inet4", 0, "inet"},
        {"inet6", 0, "inet"},
    };
    Fixture *fixture = *state;
    for (gsize i = 0; i < G_N_ELEMENTS(examples); i++)
        add_column(fixture, "c", examples[i].source, 0);
    map(fixture, &mysql, &postgresql);
    expect_none(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(examples); i++)
        assert_string_equal(mapped(fixture, i), examples[i].target);
}

static void test_mysql_keeps_its_types_and_collations_on_mysql(void **state)
{
    Fixture *fixture = *state;
    add_column(fixture, "a", "int unsigned", 20);
    add_text(fixture, "b", "varchar(20)", "latin1", "latin1_swedish_ci");
    add_text(fixture, "c", "enum('x','y')", "utf8mb4", "utf8mb4_0900_ai_ci");
    add_column(fixture, "d", "json", 114);
    add_column(fixture, "e", "geomcollection", 17);
    map(fixture, &mysql, &mysql);
    expect_none(fixture);
    assert_string_equal(mapped(fixture, 0), "int unsigned");
    assert_string_equal(mapped(fixture, 1),
                        "varchar(20) character set latin1 collate latin1_swedish_ci");
    assert_string_equal(mapped(fixture, 2),
                        "enum('x','y') character set utf8mb4 collate utf8mb4_0900_ai_ci");
    assert_string_equal(mapped(fixture, 3), "json");
    assert_string_equal(mapped(fixture, 4), "geometrycollection");
}

static void test_json_is_compared_in_normal_form_where_a_side_is_mysqls(void **state)
{
    Fixture *fixture = *state;
    const struct {
        const Product *source, *target;
        bool normal;
    } pairs[] = {{&mysql, &postgresql, true},    {&postgresql, &mysql, true},
                 {&mariadb, &mysql, true},       {&mysql, &mariadb, true},
                 {&mariadb, &mariadb, false},    {&mariadb, &postgresql, false},
                 {&postgresql, &mariadb, false}, {&postgresql, &postgresql, false}};
    add_column(fixture, "a", "json", 114);
    add_column(fixture, "b", "bigint", 20);
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        map(fixture, pairs[i].source, pairs[i].target);
        assert_int_equal(fixture->table->columns[0].json_normal, pairs[i].normal);
        assert_false(fixture->table->columns[1].json_normal);
    }
}

static void test_an_unknown_collation_becomes_the_binary_one_with_a_warning(void **state)
{
    Fixture *fixture = *state;
    add_text(fixture, "a", "varchar(20)", "utf8mb4", "utf8mb4_0900_ai_ci");
    add_text(fixture, "b", "varchar(20)", "utf8mb4", "utf8mb4_bin");
    add_text(fixture, "c", "text", "utf8mb4", "utf8mb4_0900_ai_ci");
    map(fixture, &mysql, &mariadb);
    assert_int_equal(fixture->problems->len, 0);
    expect_one(fixture->warnings, "app.t: the collation utf8mb4_0900_ai_ci of a, c is unknown to "
                                  "the target, where utf8mb4_nopad_bin takes its place");
    assert_string_equal(mapped(fixture, 0), "varchar(20)" NOPAD);
    assert_string_equal(mapped(fixture, 1),
                        "varchar(20) character set utf8mb4 collate utf8mb4_bin");
    assert_string_equal(mapped(fixture, 2), "text" NOPAD);
}

static void test_a_server_that_was_asked_knows_what_it_said(void **state)
{
    Fixture *fixture = *state;
    Product asked = mariadb;
    asked.collations = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_add(asked.collations, (gpointer)(guintptr) "utf8mb4_0900_ai_ci");
    add_text(fixture, "a", "varchar(20)", "utf8mb4", "utf8mb4_0900_ai_ci");
    map(fixture, &mysql, &asked);
    g_hash_table_unref(asked.collations);
    expect_none(fixture);
    assert_string_equal(mapped(fixture, 0),
                        "varchar(20) character set utf8mb4 collate utf8mb4_0900_ai_ci");
}

static void test_types_that_only_one_of_both_has_get_a_text(void **state)
{
    Fixture *fixture = *state;
    add_column(fixture, "a", "uuid", 2950);
    add_column(fixture, "b", "inet4", 869);
    add_column(fixture, "c", "inet6", 869);
    map(fixture, &mariadb, &mysql);
    expect_none(fixture);
    assert_string_equal(mapped(fixture, 0), "char(36)" ASCII);
    assert_string_equal(mapped(fixture, 1), "varchar(43)" ASCII);
    assert_string_equal(mapped(fixture, 2), "varchar(43)" ASCII);
    map(fixture, &mariadb, &mariadb);
    assert_string_equal(mapped(fixture, 0), "uuid");
}

static void test_a_vector_needs_a_server_that_has_it(void **state)
{
    Fixture *fixture = *state;
    add_column(fixture, "v", "vector(3)", 1021);
    map(fixture, &new_mysql, &new_mysql);
    expect_none(fixture);
    assert_string_equal(mapped(fixture, 0), "vector(3)");
    map(fixture, &new_mysql, &mariadb);
    expect_one(fixture->problems, "app.t: column v has the type vector(3), which this version of "
                                  "MariaDB does not have");
}

static void test_generated_columns_stay_within_one_product(void **state)
{
    Fixture *fixture = *state;
    fixture->table->n_generated = 1;
    fixture->table->generated = g_new0(Column, 1);
    fixture->table->generated[0].type = g_strdup("int");
    map(fixture, &mysql, &mysql);
    assert_string_equal(fixture->table->generated[0].target_type, "int");
    map(fixture, &mysql, &mariadb);
    assert_null(fixture->table->generated[0].target_type);
    map(fixture, &mysql, &postgresql);
    assert_null(fixture->table->generated[0].target_type);
    map(fixture, &postgresql, &mysql);
    assert_null(fixture->table->generated[0].target_type);
    map(fixture, &postgresql, &postgresql);
    assert_string_equal(fixture->table->generated[0].target_type, "int");
}

static void test_a_name_that_is_too_long_for_postgresql_is_refused(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *name = g_strnfill(64, 'x');
    add_column(fixture, name, "int", 23);
    map(fixture, &mysql, &postgresql);
    assert_int_equal(fixture->problems->len, 1);
    assert_non_null(strstr(g_ptr_array_index(fixture->problems, 0), "longer than the 63 bytes"));
}

static void test_an_index_counts_the_longest_value(void **state)
{
    (void)state;
    assert_int_equal(mysql_type_index_bytes("bigint unsigned"), 8);
    assert_int_equal(mysql_type_index_bytes("varchar(20)" BIN), 80);
    assert_int_equal(mysql_type_index_bytes("char(36)" ASCII), 36);
    assert_int_equal(mysql_type_index_bytes("varbinary(20)"), 20);
    assert_int_equal(mysql_type_index_bytes("longtext" BIN), 0);
    assert_int_equal(mysql_type_index_bytes("json"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_types_of_postgresql_on_mysql),
        TEST(test_mariadb_has_its_own_uuid_and_binary_collation),
        TEST(test_what_mysql_has_no_type_for_is_refused_by_name),
        TEST(test_numeric_without_precision_is_warned_about),
        TEST(test_a_text_without_length_is_no_key_on_mysql),
        TEST(test_a_key_has_room_for_3072_bytes),
        TEST(test_texts_that_overflow_the_row_lie_apart),
        TEST(test_a_row_that_cannot_be_made_short_enough_is_refused),
        TEST(test_names_that_mysql_does_not_take_are_refused),
        TEST(test_mysql_needs_no_delete_and_insert_for_identities),
        TEST(test_types_of_mysql_on_postgresql),
        TEST(test_mysql_keeps_its_types_and_collations_on_mysql),
        TEST(test_json_is_compared_in_normal_form_where_a_side_is_mysqls),
        TEST(test_an_unknown_collation_becomes_the_binary_one_with_a_warning),
        TEST(test_a_server_that_was_asked_knows_what_it_said),
        TEST(test_types_that_only_one_of_both_has_get_a_text),
        TEST(test_a_vector_needs_a_server_that_has_it),
        TEST(test_generated_columns_stay_within_one_product),
        TEST(test_a_name_that_is_too_long_for_postgresql_is_refused),
        cmocka_unit_test(test_an_index_counts_the_longest_value),
    };
    return cmocka_run_group_tests_name("type_map", tests, NULL, NULL);
}
