/* Reads of one table: by range, by keys, and what a digest tells apart. */
#include "proto/source.h"
#include "schema/connection_pg.h"
#include "tests/support/scratch.h"
#include "tests/support/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct Fixture {
    Scratch *scratch;
    PGconn *connection;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->scratch = scratch_new("DROVER_TEST_SOURCE");
    Endpoint endpoint = {.side = "source", .url = fixture->scratch->url, .label = "source"};
    GError *error = NULL;
    fixture->connection = pg_connect(&endpoint, "test", PG_ORDINARY, &error);
    assert_null(error);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;
    PQfinish(fixture->connection);
    scratch_free(fixture->scratch);
    g_free(fixture);
    return 0;
}

static void read_all(Fixture *fixture, ReadRequest *request, const ReadSink *sink)
{
    GError *error = NULL;
    bool good =
        pg_read(fixture->connection, "public", request->table->source_name, request, sink, &error);
    if (!good) {
        print_error("%s\n", error->message);
    }
    assert_true(good);
}

/* Collects "cells|version known" a line, in the order of arrival. */
typedef struct Lines {
    GPtrArray *lines;
    bool stop;
} Lines;

static bool take_line(void *user, const Row *row, guint64 row_version, GError **error)
{
    Lines *lines = user;
    GString *line = g_string_new(NULL);
    for (guint i = 0; i < row->n_cells; i++) {
        const Cell *cell = &row->cells[i];
        g_string_append(line, i > 0 ? "|" : "");
        if (cell->kind == CELL_NULL) {
            g_string_append(line, "null");
        }
        for (guint b = 0; b < cell->length; b++) {
            g_string_append_printf(line, g_ascii_isprint((char)cell->data[b]) ? "%c" : "<%02x>",
                                   cell->data[b]);
        }
    }
    assert_true(row_version > 0);
    g_ptr_array_add(lines->lines, g_string_free(line, FALSE));
    if (lines->stop) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "the sink has enough");
    }
    return !lines->stop;
}

static bool take_hash(void *user, const Row *key, guint64 hash, guint64 row_version, GError **error)
{
    (void)hash;
    return take_line(user, key, row_version, error);
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void assert_lines(Lines *lines, const char *expected)
{
    g_ptr_array_sort(lines->lines, by_text);
    g_ptr_array_add(lines->lines, NULL);
    g_autofree char *text = g_strjoinv(" ", (char **)lines->lines->pdata);
    assert_string_equal(text, expected);
    g_ptr_array_unref(lines->lines);
}

static void test_ranges_include_the_lower_and_exclude_the_upper_key(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table pairs (a text, b integer, primary key (a, b));"
                                  "insert into pairs values ('a', 1), ('a', 2), ('it''s', 1),"
                                  "('it''s', 2), ('z', 0)");
    g_autoptr(Table) table = test_table_new(1, "pairs", "a text key, b integer key");
    char *lower[] = {"a", "2", NULL}, *upper[] = {"it's", "2", NULL};
    Lines lines = {g_ptr_array_new_with_free_func(g_free), false};
    ReadSink sink = {.hash = take_hash, .user = &lines};
    ReadRequest request = {
        .kind = READ_HASHES, .table = table, .range = {lower, upper}, .key_texts = true};
    read_all(fixture, &request, &sink);
    assert_int_equal(request.rows, 2);
    assert_lines(&lines, "a|2 it's|1");
}

static void test_a_range_of_one_column_follows_the_columns_collation(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table words (w text collate \"C\" primary key);"
                                  "insert into words values ('A'), ('Z'), ('a'), ('z')");
    g_autoptr(Table) table = test_table_new(1, "words", "w text key");
    char *upper[] = {"a", NULL};
    Lines lines = {g_ptr_array_new_with_free_func(g_free), false};
    ReadSink sink = {.hash = take_hash, .user = &lines};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .range = {NULL, upper}};
    read_all(fixture, &request, &sink);
    assert_lines(&lines, "A Z");
}

static void test_rows_by_keys_come_in_binary_and_absent_keys_give_none(void **state)
{
    Fixture *fixture = *state;
    scratch_run(
        fixture->scratch,
        "create table wide (note text, id integer primary key, twice integer generated "
        "always as (id * 2) stored); insert into wide values ('one', 1), (null, 2), ('', 3)");
    g_autoptr(Table) table =
        test_table_new(1, "wide", "note text, id integer key, twice integer generated");
    guint8 numbers[3][4] = {{0, 0, 0, 1}, {0, 0, 0, 2}, {0, 0, 0, 9}};
    Cell cells[3];
    Row keys[3];
    for (int i = 0; i < 3; i++) {
        cells[i] = (Cell){numbers[i], 4, CELL_VALUE};
        keys[i] = (Row){&cells[i], 1};
    }
    Lines lines = {g_ptr_array_new_with_free_func(g_free), false};
    ReadSink sink = {.row = take_line, .user = &lines};
    ReadRequest request = {.kind = READ_ROWS, .table = table, .keys = keys, .n_keys = 3};
    read_all(fixture, &request, &sink);
    assert_int_equal(request.rows, 2);
    assert_true(request.storage > 0);
    assert_lines(&lines, "null|<00><00><00><02> one|<00><00><00><01>");
}

static void test_children_are_found_by_the_columns_that_refer(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch,
                "create table child (id integer primary key, note text, parent integer);"
                "insert into child values (1, 'a', 7), (2, 'b', 8), (3, 'c', 7), (4, 'd', null)");
    g_autoptr(Table) table =
        test_table_new(1, "child", "id integer key, note text, parent integer");
    guint8 numbers[2][4] = {{0, 0, 0, 7}, {0, 0, 0, 9}};
    const guint columns[] = {2};
    Cell cells[2];
    Row keys[2];
    for (int i = 0; i < 2; i++) {
        cells[i] = (Cell){numbers[i], 4, CELL_VALUE};
        keys[i] = (Row){&cells[i], 1};
    }
    Lines lines = {g_ptr_array_new_with_free_func(g_free), false};
    ReadSink sink = {.row = take_line, .user = &lines};
    ReadRequest request = {.kind = READ_CHILDREN,
                           .table = table,
                           .keys = keys,
                           .n_keys = 2,
                           .columns = columns,
                           .n_columns = 1};
    read_all(fixture, &request, &sink);
    assert_lines(&lines, "<00><00><00><01> <00><00><00><03>");
}

static void test_more_keys_than_one_query_takes_are_all_looked_up(void **state)
{
    enum { N = 2500 };
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table many (id integer primary key);"
                                  "insert into many select generate_series(0, 2499)");
    g_autoptr(Table) table = test_table_new(1, "many", "id integer key");
    static guint32 numbers[N];
    static Cell cells[N];
    static Row keys[N];
    for (guint32 i = 0; i < N; i++) {
        numbers[i] = GUINT32_TO_BE(i);
        cells[i] = (Cell){(guint8 *)&numbers[i], 4, CELL_VALUE};
        keys[i] = (Row){&cells[i], 1};
    }
    Lines lines = {g_ptr_array_new_with_free_func(g_free), false};
    ReadSink sink = {.hash = take_hash, .user = &lines};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .keys = keys, .n_keys = N};
    read_all(fixture, &request, &sink);
    assert_int_equal(request.rows, N);
    g_ptr_array_unref(lines.lines);
}

static void test_a_session_is_usable_after_a_sink_gave_up(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table long (id integer primary key);"
                                  "insert into long select generate_series(1, 100000)");
    g_autoptr(Table) table = test_table_new(1, "long", "id integer key");
    Lines lines = {g_ptr_array_new_with_free_func(g_free), true};
    ReadSink sink = {.hash = take_hash, .user = &lines};
    ReadRequest request = {.kind = READ_HASHES, .table = table};
    g_autoptr(GError) error = NULL;
    assert_false(pg_read(fixture->connection, "public", "long", &request, &sink, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA));
    g_ptr_array_unref(lines.lines);
    request.kind = READ_DIGEST;
    read_all(fixture, &request, NULL);
    assert_int_equal(request.rows, 100000);
    g_free(request.digest_1);
    g_free(request.digest_2);
}

/* The digests of a one-row table whose column is written in two ways. */
static bool digests_equal(Fixture *fixture, const char *type, const char *one, const char *other)
{
    g_autofree char *columns = g_strdup_printf("id integer key, v %s", type);
    g_autoptr(Table) table = test_table_new(1, "cell", columns);
    const char *values[] = {one, other};
    ReadRequest requests[2];
    for (int i = 0; i < 2; i++) {
        scratch_run(fixture->scratch,
                    "drop table if exists cell; create table cell (id integer primary key, v %s);"
                    "insert into cell values (1, %s)",
                    table->columns[1].type, values[i]);
        requests[i] = (ReadRequest){.kind = READ_DIGEST, .table = table};
        read_all(fixture, &requests[i], NULL);
        assert_int_equal(requests[i].rows, 1);
    }
    bool first = strcmp(requests[0].digest_1, requests[1].digest_1) == 0;
    bool second = strcmp(requests[0].digest_2, requests[1].digest_2) == 0;
    assert_string_not_equal(requests[0].digest_1, requests[0].digest_2);
    assert_int_equal(first, second);
    for (int i = 0; i < 2; i++) {
        g_free(requests[i].digest_1);
        g_free(requests[i].digest_2);
    }
    return first;
}

static void test_digests_tell_apart_what_sql_calls_equal(void **state)
{
    Fixture *fixture = *state;
    assert_true(digests_equal(fixture, "text", "'same'", "'same'"));
    assert_false(digests_equal(fixture, "text", "null", "''"));
    assert_false(digests_equal(fixture, "double", "'-0'", "0"));
    assert_false(digests_equal(fixture, "double", "1", "1.0000000000000002"));
    assert_false(digests_equal(fixture, "numeric", "1.0", "1.00"));
    assert_false(digests_equal(fixture, "varchar", "'a'", "'a '"));
    assert_false(digests_equal(fixture, "jsonb", "'{\"a\": 1}'", "'{\"a\": 1.0}'"));
    assert_false(digests_equal(fixture, "json", "'{}'", "'{ }'"));
    assert_false(digests_equal(fixture, "xml", "'<a/>'", "'<a></a>'"));
    assert_false(digests_equal(fixture, "point", "'(0,0)'", "'(0,-0)'"));
    assert_false(digests_equal(fixture, "bytea", "'\\x00'", "'\\x'"));
}

static void test_the_digest_of_an_empty_table_is_zero(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table bare (id integer primary key)");
    g_autoptr(Table) table = test_table_new(1, "bare", "id integer key");
    ReadRequest request = {.kind = READ_DIGEST, .table = table};
    read_all(fixture, &request, NULL);
    assert_int_equal(request.rows, 0);
    assert_string_equal(request.digest_1, "0");
    assert_string_equal(request.digest_2, "0");
    g_free(request.digest_1);
    g_free(request.digest_2);
}

static void test_digests_do_not_depend_on_the_servers_encoding(void **state)
{
    Fixture *fixture = *state;
    Scratch *scratch = fixture->scratch;
    g_autofree char *name = g_strdup_printf("%s_latin1", scratch->name);
    g_autofree char *url = g_strconcat(scratch->url, "_latin1", NULL);
    const char *sql = "create table umlaut (id integer primary key, v text);"
                      "insert into umlaut values (1, chr(252) || 'plain')";
    scratch_run(scratch, "create database %s template template0 encoding 'LATIN1' locale 'C'",
                name);
    Scratch latin = {.name = name, .url = url, .connection = PQconnectdb(url)};
    scratch_run(scratch, "%s", sql);
    scratch_run(&latin, "%s", sql);
    PQfinish(latin.connection);

    g_autoptr(Table) table = test_table_new(1, "umlaut", "id integer key, v text");
    ReadRequest utf8 = {.kind = READ_DIGEST, .table = table}, latin1 = utf8;
    read_all(fixture, &utf8, NULL);
    Endpoint endpoint = {.side = "source", .url = url, .label = "source"};
    Fixture other = {scratch, pg_connect(&endpoint, "test", PG_ORDINARY, NULL)};
    read_all(&other, &latin1, NULL);
    PQfinish(other.connection);
    scratch_run(scratch, "drop database %s with (force)", name);
    assert_string_equal(utf8.digest_1, latin1.digest_1);
    g_free(utf8.digest_1);
    g_free(utf8.digest_2);
    g_free(latin1.digest_1);
    g_free(latin1.digest_2);
}

/* ---- canonical bytes ---- */

static guint64 digest_of(Fixture *fixture, const Table *table, gint64 *rows)
{
    ReadRequest request = {.kind = READ_DIGEST, .table = table, .codec = true};
    read_all(fixture, &request, NULL);
    guint64 sum = g_ascii_strtoull(request.digest_1, NULL, 10);
    *rows = request.rows;
    g_free(request.digest_1);
    g_free(request.digest_2);
    return sum;
}

typedef struct Hashes {
    GArray *keys; /* guint32, big-endian */
    guint64 sum;
} Hashes;

static bool add_hash(void *user, const Row *key, guint64 hash, guint64 row_version, GError **error)
{
    Hashes *hashes = user;
    (void)error;
    assert_true(row_version > 0);
    assert_int_equal(key->cells[0].length, 4);
    g_array_append_vals(hashes->keys, key->cells[0].data, 1);
    hashes->sum += hash;
    return true;
}

static void test_hashes_of_canonical_bytes_add_up_to_the_digest(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch,
                "create table coded (id integer primary key, v text, n numeric, j jsonb);"
                "insert into coded select i, repeat('x', i), i / 7.0, to_jsonb(i) "
                "from generate_series(1, 300) i; insert into coded values (0)");
    g_autoptr(Table) table =
        test_table_new(1, "coded", "id integer key, v text, n numeric, j jsonb");
    gint64 rows;
    for (int normal = 0; normal < 2; normal++) {
        table->columns[3].json_normal = normal == 1;
        guint64 wanted = digest_of(fixture, table, &rows);
        assert_int_equal(rows, 301);
        Hashes hashes = {g_array_new(false, false, 4), 0},
               by_keys = {g_array_new(false, false, 4), 0};
        ReadSink sink = {.hash = add_hash, .user = &hashes};
        ReadRequest request = {.kind = READ_HASHES, .table = table, .codec = true};
        read_all(fixture, &request, &sink);
        assert_int_equal(request.rows, 301);
        assert_true(hashes.sum == wanted);
        g_autofree Cell *cells = g_new(Cell, hashes.keys->len);
        g_autofree Row *keys = g_new(Row, hashes.keys->len);
        for (guint i = 0; i < hashes.keys->len; i++) {
            cells[i] = (Cell){.data = (const guint8 *)hashes.keys->data + i * 4, .length = 4};
            keys[i] = (Row){&cells[i], 1};
        }
        request.keys = keys;
        request.n_keys = hashes.keys->len;
        sink.user = &by_keys;
        read_all(fixture, &request, &sink);
        assert_int_equal(request.rows, 301);
        assert_true(by_keys.sum == wanted);
        g_array_unref(hashes.keys);
        g_array_unref(by_keys.keys);
    }
}

/* In normal form, so that MySQL's decimal(65,30) has the same key. */
static void test_keys_of_canonical_hashes_have_the_fewest_digits(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table priced (n numeric primary key);"
                                  "insert into priced values (1.50)");
    g_autoptr(Table) table = test_table_new(1, "priced", "n numeric key");
    Lines lines = {g_ptr_array_new_with_free_func(g_free), false};
    ReadSink sink = {.hash = take_hash, .user = &lines};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .codec = true};
    read_all(fixture, &request, &sink);
    assert_lines(&lines, "<00><02><00><00><00><00><00><01><00><01><13><88>");
    Lines texts = {g_ptr_array_new_with_free_func(g_free), false};
    sink.user = &texts;
    request.key_texts = true;
    read_all(fixture, &request, &sink);
    assert_lines(&texts, "1.50");
}

static void test_the_canonical_digest_of_an_empty_range_is_zero(void **state)
{
    Fixture *fixture = *state;
    scratch_run(fixture->scratch, "create table plain (id integer primary key);"
                                  "insert into plain select generate_series(1, 10)");
    g_autoptr(Table) table = test_table_new(1, "plain", "id integer key");
    char *bound[] = {"5", NULL}, *far[] = {"20", NULL};
    ReadRequest request = {
        .kind = READ_DIGEST, .table = table, .codec = true, .range = {.lower = far}};
    read_all(fixture, &request, NULL);
    assert_int_equal(request.rows, 0);
    assert_string_equal(request.digest_1, "0");
    assert_string_equal(request.digest_2, "0");
    request.range = (KeyRange){.upper = bound};
    read_all(fixture, &request, NULL);
    assert_int_equal(request.rows, 4);
    g_free(request.digest_1);
    g_free(request.digest_2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_include_the_lower_and_exclude_the_upper_key),
        cmocka_unit_test(test_a_range_of_one_column_follows_the_columns_collation),
        cmocka_unit_test(test_rows_by_keys_come_in_binary_and_absent_keys_give_none),
        cmocka_unit_test(test_children_are_found_by_the_columns_that_refer),
        cmocka_unit_test(test_more_keys_than_one_query_takes_are_all_looked_up),
        cmocka_unit_test(test_a_session_is_usable_after_a_sink_gave_up),
        cmocka_unit_test(test_digests_tell_apart_what_sql_calls_equal),
        cmocka_unit_test(test_the_digest_of_an_empty_table_is_zero),
        cmocka_unit_test(test_digests_do_not_depend_on_the_servers_encoding),
        cmocka_unit_test(test_hashes_of_canonical_bytes_add_up_to_the_digest),
        cmocka_unit_test(test_keys_of_canonical_hashes_have_the_fewest_digits),
        cmocka_unit_test(test_the_canonical_digest_of_an_empty_range_is_zero),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
