/* Reads of one table of MySQL and MariaDB: by range, by keys, what goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/chunk.h"
#include "proto/error.h"
#include "schema/mysql/read.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/mysql_tables.h"

#include <string.h>

#define ROWS 150
#define ROWS_PER_RANGE 7

static const char *const variables[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

/* Runs a check on both servers. */
static void on_both(void (*check)(MysqlScratch *scratch))
{
    for (guint i = 0; i < G_N_ELEMENTS(variables); i++) {
        MysqlScratch *scratch = mysql_scratch_new(variables[i]);
        check(scratch);
        mysql_scratch_free(scratch);
    }
}

static void run_read(MysqlScratch *scratch, ReadRequest *request, const ReadSink *sink)
{
    GError *error = NULL;
    MUST(mysql_read(scratch->mysql, scratch->name, request->table->source_name, request, sink,
                    &error));
}

/* ---- what is read ---- */

/* Keys with their hashes, in the order of arrival. */
typedef struct Found {
    GPtrArray *keys; /* Row *: its cells stand behind it */
    GArray *hashes;  /* guint64 */
    bool stop;
} Found;

static Row *copy_row(const Row *row)
{
    Row *copy = g_malloc(sizeof(Row) + sizeof(Cell) * row->n_cells + row_bytes(row) + 1);
    copy->cells = (Cell *)(copy + 1);
    row_copy_into(row, (guint8 *)(copy->cells + row->n_cells), copy);
    return copy;
}

static bool take_hash(void *user, const Row *key, guint64 hash, guint64 row_version, GError **error)
{
    Found *found = user;
    assert_true(hash == row_version);
    g_ptr_array_add(found->keys, copy_row(key));
    g_array_append_val(found->hashes, hash);
    if (found->stop)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "the sink has enough");
    return !found->stop;
}

static bool take_whole(void *user, const Row *row, guint64 row_version, GError **error)
{
    return take_hash(user, row, row_version, row_version, error);
}

static Found *found_new(void)
{
    Found *found = g_new0(Found, 1);
    found->keys = g_ptr_array_new_with_free_func(g_free);
    found->hashes = g_array_new(false, false, sizeof(guint64));
    return found;
}

static void found_free(Found *found)
{
    g_ptr_array_unref(found->keys);
    g_array_unref(found->hashes);
    g_free(found);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Found, found_free)

static int compare_packed(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All keys with their hashes, sorted, as one text. */
static char *listing(const Found *found)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < found->keys->len; i++) {
        g_autoptr(GByteArray) packed = g_byte_array_new();
        GString *line = g_string_new(NULL);
        row_pack(g_ptr_array_index(found->keys, i), packed);
        for (guint b = 0; b < packed->len; b++)
            g_string_append_printf(line, "%02x", packed->data[b]);
        g_string_append_printf(line, "=%" G_GUINT64_FORMAT,
                               g_array_index(found->hashes, guint64, i));
        g_ptr_array_add(lines, g_string_free(line, false));
    }
    g_ptr_array_sort(lines, compare_packed);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **)lines->pdata);
}

/* ---- ranges and keys of every kind ---- */

static const struct {
    const char *columns; /* of the table, all of the key */
    const char *values;  /* of row n, each another key */
    int mariadb;         /* 1: only there */
} keys[] = {
    {"a int key", "n - 70", 0},
    {"a int key", "n * n * 1000", 0},
    {"a bigint unsigned key", "18446744073709551615 - n", 0},
    {"a tinyint unsigned key", "n", 0},
    {"a decimal(20,4) key", "(n - 50) / 16", 0},
    {"a float key", "(n - 50) / 3", 0},
    {"a double key", "(n - 50) / 3", 0},
    {"a bit(10) key", "n * 3", 0},
    {"a year key", "1901 + n", 0},
    {"a date key", "date '1999-12-01' + interval n day", 0},
    {"a time(3) key", "sec_to_time((n - 50) / 8)", 0},
    {"a datetime(6) key", "timestamp '1969-12-31 23:59:00' + interval n * 1.5 second", 0},
    {"a timestamp(6) key", "timestamp '2001-12-31 23:59:00' + interval n * 1.5 second", 0},
    {"a varchar(20) key", "concat(char(65 + n % 26), '''\\\\', n)", 0},
    {"a varchar(20) collate utf8mb4_bin key", "concat(char(65 + n % 26 + 32 * (n % 2)), n)", 0},
    {"a varchar(20) character set latin1 key",
     "concat(convert(char(190 + n % 60) using latin1), n)", 0},
    {"a char(20) character set utf16 key", "concat('\u00e9', n)", 0},
    {"a binary(4) key", "unhex(lpad(hex(n * 977), 8, '0'))", 0},
    {"a varbinary(20) key", "unhex(concat('00', lpad(hex(n), 4, '0'), '27'))", 0},
    {"a enum('z','b','a','c') key; b int key", "1 + n % 4; n", 0},
    {"a int key; b enum('z','b','a','c') key", "n div 4; 1 + n % 4", 0},
    {"a set('z','b','a','c') key; b int key", "n % 16; n", 0},
    {"a int key; b varchar(10) key; c bigint key", "n % 5; char(97 + n % 3); n", 0},
    {"a varchar(10) key; b datetime key", "char(97 + n % 2); date '2024-01-01' + interval n day",
     0},
    {"a binary(16) key; b tinyint key", "unhex(left(sha2(n div 2, 256), 32)); n % 2", 0},
    {"a uuid key", "concat('00112233-4455-6677-8899-', lpad(hex(n * 77), 12, '0'))", 1},
    {"a inet6 key", "concat('2001:db8::', hex(n * 7 + 1))", 1},
};

static Table *make_table(MysqlScratch *scratch, const char *columns, const char *values)
{
    g_autofree char *all = g_strdup_printf("%s; note varchar(20)", columns);
    Table *table = mysql_test_table(scratch, "t", all);
    g_autoptr(GString) sql = g_string_new("create table t (");
    for (guint i = 0; i < table->n_columns; i++)
        g_string_append_printf(sql, "%s %s, ", table->columns[i].name, table->columns[i].type);
    g_string_append(sql, "primary key (");
    for (guint i = 0; i < table->n_key; i++)
        g_string_append_printf(sql, "%s%s", i > 0 ? ", " : "", table->columns[i].name);
    g_string_append(sql, "))");
    mysql_scratch_run(scratch, "%s", sql->str);
    g_auto(GStrv) parts = g_strsplit(values, "; ", -1);
    g_autofree char *row = g_strjoinv(", ", parts);
    mysql_scratch_run(scratch,
                      "insert into t with recursive s(n) as (select 0 union all select n + 1 "
                      "from s where n < %d) select %s, concat('row ', n) from s",
                      ROWS - 1, row);
    return table;
}

static Found *read_hashes(MysqlScratch *scratch, const Table *table, KeyRange range,
                          const Found *asked)
{
    Found *found = found_new();
    ReadSink sink = {.hash = take_hash, .user = found};
    g_autoptr(GArray) rows = g_array_new(false, false, sizeof(Row));
    for (guint i = 0; asked != NULL && i < asked->keys->len; i++)
        g_array_append_val(rows, *(Row *)g_ptr_array_index(asked->keys, i));
    ReadRequest request = {.kind = READ_HASHES,
                           .table = table,
                           .range = range,
                           .keys = asked != NULL ? (const Row *)(void *)rows->data : NULL,
                           .n_keys = rows->len};
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, found->keys->len);
    return found;
}

static void check_ranges(MysqlScratch *scratch, const Table *table, const Found *all)
{
    GError *error = NULL;
    g_autoptr(GArray) ranges = NULL;
    g_autoptr(Found) together = found_new();
    gint64 digest_rows = 0;
    guint64 sum = 0;
    MUST(mysql_key_ranges(scratch->mysql, table, ROWS_PER_RANGE, &ranges, &error));
    if (ranges->len < ROWS / ROWS_PER_RANGE)
        fail_msg("%s: %u ranges", table->columns[0].type, ranges->len);
    for (guint i = 0; i < ranges->len; i++) {
        KeyRange range = g_array_index(ranges, KeyRange, i);
        ReadRequest digest = {.kind = READ_DIGEST, .table = table, .range = range};
        g_autoptr(Found) part = read_hashes(scratch, table, range, NULL);
        assert_true(part->keys->len <= ROWS_PER_RANGE);
        for (guint k = 0; k < part->keys->len; k++) {
            g_ptr_array_add(together->keys, copy_row(g_ptr_array_index(part->keys, k)));
            g_array_append_val(together->hashes, g_array_index(part->hashes, guint64, k));
            sum += g_array_index(part->hashes, guint64, k);
        }
        run_read(scratch, &digest, NULL);
        digest_rows += digest.rows;
        sum -= g_ascii_strtoull(digest.digest_1, NULL, 10);
        g_free(digest.digest_1);
        g_free(digest.digest_2);
    }
    g_autofree char *wanted = listing(all), *found = listing(together);
    assert_string_equal(found, wanted);
    assert_int_equal(digest_rows, ROWS);
    assert_true(sum == 0);
}

static void check_key(MysqlScratch *scratch, guint number)
{
    g_autoptr(Table) table = make_table(scratch, keys[number].columns, keys[number].values);
    g_autoptr(Found) all = read_hashes(scratch, table, (KeyRange){0}, NULL);
    assert_int_equal(all->keys->len, ROWS);
    check_ranges(scratch, table, all);
    g_autoptr(Found) by_keys = read_hashes(scratch, table, (KeyRange){0}, all);
    g_autofree char *wanted = listing(all), *found = listing(by_keys);
    if (strcmp(found, wanted) != 0)
        fail_msg("%s: by keys are found %u of %u", keys[number].columns, by_keys->keys->len,
                 all->keys->len);
    mysql_scratch_run(scratch, "drop table t");
}

static void check_keys(MysqlScratch *scratch)
{
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        if (!keys[i].mariadb || scratch->mariadb)
            check_key(scratch, i);
}

static void test_ranges_hold_every_row_once_and_keys_find_it(void **state)
{
    (void)state;
    on_both(check_keys);
}

static void check_small(MysqlScratch *scratch)
{
    GError *error = NULL;
    g_autoptr(Table) table = make_table(scratch, "a varchar(10) key", "concat('k', n)");
    g_autoptr(GArray) ranges = NULL, none = NULL;
    MUST(mysql_key_ranges(scratch->mysql, table, ROWS + 1, &ranges, &error));
    assert_int_equal(ranges->len, 1);
    assert_null(g_array_index(ranges, KeyRange, 0).lower);
    assert_null(g_array_index(ranges, KeyRange, 0).upper);
    mysql_scratch_run(scratch, "delete from t");
    MUST(mysql_key_ranges(scratch->mysql, table, 1, &none, &error));
    assert_int_equal(none->len, 1);
}

static void test_a_table_that_is_no_larger_than_a_range_is_one(void **state)
{
    (void)state;
    on_both(check_small);
}

/* ---- keys ---- */

static Row text_key(Cell *cell, const char *text)
{
    *cell = (Cell){.data = (const guint8 *)text, .length = (guint32)strlen(text)};
    return (Row){.cells = cell, .n_cells = 1};
}

static void check_bytes_of_keys(MysqlScratch *scratch)
{
    Cell cells[3];
    g_autoptr(Found) found = found_new();
    mysql_scratch_run(scratch, "create table t (a varchar(10) primary key, note varchar(20))");
    mysql_scratch_run(scratch, "insert into t values ('Key', 'x'), ('b', 'y')");
    g_autoptr(Table) table = mysql_test_table(scratch, "t", "a varchar(10) key; note varchar(20)");
    Row rows[] = {text_key(&cells[0], "key"), text_key(&cells[1], "b"), text_key(&cells[2], "c")};
    ReadSink sink = {.row = take_whole, .user = found};
    ReadRequest request = {.kind = READ_ROWS, .table = table, .keys = rows, .n_keys = 3};
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, 1);
    const Row *row = g_ptr_array_index(found->keys, 0);
    assert_int_equal(row->n_cells, 2);
    assert_memory_equal(row->cells[1].data, "y", 1);
}

static void test_a_key_that_only_the_collation_takes_for_equal_is_absent(void **state)
{
    (void)state;
    on_both(check_bytes_of_keys);
}

static void check_foreign_keys(MysqlScratch *scratch)
{
    Cell cells[4];
    g_autoptr(Found) found = found_new();
    mysql_scratch_run(scratch, "create table t (a varchar(10) character set latin1 primary key, "
                               "note varchar(20))");
    mysql_scratch_run(scratch,
                      "insert into t values (_latin1 x'81e9', 'x'), ('b', 'y'), ('?', 'z')");
    g_autoptr(Table) table =
        mysql_test_table(scratch, "t", "a varchar(10) character set latin1 key; note varchar(20)");
    Row rows[] = {text_key(&cells[0], "\u65e5"), text_key(&cells[1], "\xc2\x81\u00e9"),
                  text_key(&cells[2], "\U0001f600"), text_key(&cells[3], "b")};
    ReadSink sink = {.hash = take_hash, .user = found};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .keys = rows, .n_keys = 4};
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, 2);
    request.n_keys = 1;
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, 0);
}

static void test_a_key_that_the_character_set_lacks_is_absent(void **state)
{
    (void)state;
    on_both(check_foreign_keys);
}

static void check_impossible_keys(MysqlScratch *scratch)
{
    static const guint8 infinity[4] = {0x7f, 0xff, 0xff, 0xff}, day[4] = {0};
    Cell cells[] = {{.data = infinity, .length = 4}, {.data = day, .length = 4}};
    Row rows[] = {{&cells[0], 1}, {&cells[1], 1}};
    g_autoptr(Found) found = found_new();
    mysql_scratch_run(scratch, "create table t (a date primary key)");
    mysql_scratch_run(scratch, "insert into t values ('2000-01-01')");
    g_autoptr(Table) table = mysql_test_table(scratch, "t", "a date key");
    ReadSink sink = {.hash = take_hash, .user = found};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .keys = rows, .n_keys = 2};
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, 1);
}

static void test_a_key_that_mysql_has_no_value_for_is_absent(void **state)
{
    (void)state;
    on_both(check_impossible_keys);
}

static void check_children(MysqlScratch *scratch)
{
    Cell cells[2];
    static const guint columns[] = {1};
    g_autoptr(Found) found = found_new();
    mysql_scratch_run(scratch, "create table t (a int primary key, parent varchar(10))");
    mysql_scratch_run(scratch, "insert into t values (1, 'A'), (2, 'b'), (3, null), (4, 'a')");
    g_autoptr(Table) table = mysql_test_table(scratch, "t", "a int key; parent varchar(10)");
    Row rows[] = {text_key(&cells[0], "a"), text_key(&cells[1], "c")};
    ReadSink sink = {.row = take_whole, .user = found};
    ReadRequest request = {.kind = READ_CHILDREN,
                           .table = table,
                           .keys = rows,
                           .n_keys = 2,
                           .columns = columns,
                           .n_columns = 1};
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, 2);
    for (guint i = 0; i < 2; i++) {
        const Row *row = g_ptr_array_index(found->keys, i);
        assert_int_equal(row->n_cells, 1);
        assert_true(row->cells[0].data[3] == 1 || row->cells[0].data[3] == 4);
    }
}

static void test_children_are_those_that_the_database_takes_for_such(void **state)
{
    (void)state;
    on_both(check_children);
}

static void check_many_keys(MysqlScratch *scratch)
{
    enum { N = 2500 };
    static guint32 numbers[N];
    static Cell cells[N];
    static Row rows[N];
    mysql_scratch_run(scratch, "create table t (a int primary key)");
    for (int i = 0; i < N / 500; i++)
        mysql_scratch_run(scratch,
                          "insert into t with recursive s(n) as (select 0 union all select n + 1 "
                          "from s where n < 499) select n + %d from s",
                          i * 500);
    g_autoptr(Table) table = mysql_test_table(scratch, "t", "a int key");
    for (guint32 i = 0; i < N; i++) {
        numbers[i] = GUINT32_TO_BE(i);
        cells[i] = (Cell){.data = (const guint8 *)&numbers[i], .length = 4};
        rows[i] = (Row){&cells[i], 1};
    }
    g_autoptr(Found) found = found_new();
    ReadSink sink = {.hash = take_hash, .user = found};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .keys = rows, .n_keys = N};
    run_read(scratch, &request, &sink);
    assert_int_equal(request.rows, N);
}

static void test_more_keys_than_one_query_takes_are_all_looked_up(void **state)
{
    (void)state;
    on_both(check_many_keys);
}

static void check_texts(MysqlScratch *scratch)
{
    g_autoptr(Found) found = found_new();
    mysql_scratch_run(scratch, "create table t (a varbinary(4), b timestamp(1), c bit(3), "
                               "primary key (a, b, c))");
    mysql_scratch_run(scratch, "insert into t values (0x00ff, '2024-01-01 10:00:00.5', b'101')");
    g_autoptr(Table) table =
        mysql_test_table(scratch, "t", "a varbinary(4) key; b timestamp(1) key; c bit(3) key");
    ReadSink sink = {.hash = take_hash, .user = found};
    ReadRequest request = {.kind = READ_HASHES, .table = table, .key_texts = true};
    run_read(scratch, &request, &sink);
    static const char *const wanted[] = {"\\x00ff", "2024-01-01 10:00:00.500000+00", "101"};
    const Row *key = g_ptr_array_index(found->keys, 0);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        assert_int_equal(key->cells[i].length, strlen(wanted[i]));
        assert_memory_equal(key->cells[i].data, wanted[i], strlen(wanted[i]));
    }
}

static void test_keys_are_shown_as_texts_that_postgresql_reads(void **state)
{
    (void)state;
    on_both(check_texts);
}

/* ---- what goes wrong ---- */

static void check_sink(MysqlScratch *scratch)
{
    GError *error = NULL;
    g_autoptr(Table) table = make_table(scratch, "a int key", "n");
    g_autoptr(Found) found = found_new();
    found->stop = true;
    ReadSink sink = {.hash = take_hash, .user = found};
    ReadRequest request = {.kind = READ_HASHES, .table = table};
    MUST_FAIL(mysql_read(scratch->mysql, scratch->name, "t", &request, &sink, &error),
              DROVER_ERROR_RETRY);
    assert_int_equal(found->keys->len, 1);
    g_autofree char *digest = mysql_test_digest(scratch, table);
    assert_true(g_str_has_prefix(digest, "150 "));
}

static void test_a_session_is_usable_after_a_sink_gave_up(void **state)
{
    (void)state;
    on_both(check_sink);
}

static void expect_error(MysqlScratch *scratch, const Table *table, const char *message)
{
    GError *error = NULL;
    ReadRequest request = {.kind = READ_DIGEST, .table = table};
    assert_false(mysql_read(scratch->mysql, scratch->name, "t", &request, NULL, &error));
    g_autofree char *wanted = g_strdup_printf("reading %s.t: %s", scratch->name, message);
    assert_int_equal(error->code, DROVER_ERROR_DATA);
    assert_string_equal(error->message, wanted);
    g_error_free(error);
}

static void check_errors(MysqlScratch *scratch)
{
    mysql_scratch_run(scratch, "set sql_mode = 'ALLOW_INVALID_DATES'");
    mysql_scratch_run(scratch, "create table t (a int, b varchar(5), d date, c varchar(5), "
                               "primary key (a, b))");
    g_autoptr(Table) table =
        mysql_test_table(scratch, "t", "a int key; b varchar(5) key; d date; c varchar(5)");
    mysql_scratch_run(scratch, "insert into t values (7, 'x', '2023-02-31', 'a')");
    expect_error(scratch, table,
                 "key (7, x): column d: value 2023-02-31 is no date of the calendar");
    mysql_scratch_run(scratch, "update t set d = '0000-00-00'");
    expect_error(scratch, table,
                 "key (7, x): column d: value 0000-00-00 is no date of the calendar; "
                 "zero_dates in the migration file says what becomes of it");
    mysql_scratch_run(scratch, "update t set d = null, c = concat('a', char(0))");
    expect_error(scratch, table,
                 "key (7, x): column c: value 0x6100 has a zero byte, which no text may have");
}

static void test_a_value_that_cannot_move_is_named_with_its_key_and_column(void **state)
{
    (void)state;
    on_both(check_errors);
}

static void expect_cell(MysqlScratch *scratch, Table *table, guint column, const char *hex)
{
    g_autoptr(GByteArray) stream = mysql_test_copy(scratch, table);
    g_autoptr(GPtrArray) rows = mysql_test_rows(stream, table->n_columns);
    const Cell *cell = &((const Cell *)g_ptr_array_index(rows, 0))[column];
    g_autoptr(GString) found = g_string_new(cell->kind == CELL_NULL ? "null" : "");
    for (guint32 i = 0; i < cell->length; i++)
        g_string_append_printf(found, "%02x", cell->data[i]);
    assert_string_equal(found->str, hex);
}

static void check_zero_dates(MysqlScratch *scratch)
{
    mysql_scratch_run(scratch, "create table t (a int primary key, d date, s datetime(3), "
                               "z timestamp null)");
    mysql_scratch_run(scratch,
                      "insert into t values (1, '2024-00-10', '0000-00-00', '0000-00-00')");
    g_autoptr(Table) table =
        mysql_test_table(scratch, "t", "a int key; d date; s datetime(3); z timestamp");
    table->zero_dates = ZERO_DATES_NULL;
    for (guint column = 1; column <= 3; column++)
        expect_cell(scratch, table, column, "null");
    table->zero_dates = ZERO_DATES_LITERAL;
    table->zero_date = g_strdup("2000-01-02");
    expect_cell(scratch, table, 1, "00000001");
    expect_cell(scratch, table, 2, "000000141dd76000");
    expect_cell(scratch, table, 3, "000000141dd76000");
}

static void test_zero_dates_become_what_the_table_says(void **state)
{
    (void)state;
    on_both(check_zero_dates);
}

static void check_without_key(MysqlScratch *scratch)
{
    GError *error = NULL;
    mysql_scratch_run(scratch, "create table t (a int)");
    mysql_scratch_run(scratch, "insert into t values (1), (1), (null)");
    g_autoptr(Table) table = mysql_test_table(scratch, "t", "a int");
    g_autoptr(GByteArray) stream = mysql_test_copy(scratch, table);
    g_autoptr(GPtrArray) rows = mysql_test_rows(stream, 1);
    assert_int_equal(rows->len, 3);
    ReadRequest request = {.kind = READ_HASHES, .table = table};
    MUST_FAIL(mysql_read(scratch->mysql, scratch->name, "t", &request, NULL, &error),
              DROVER_ERROR_BUG);
}

static void test_a_table_without_a_key_is_copied_whole(void **state)
{
    (void)state;
    on_both(check_without_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_hold_every_row_once_and_keys_find_it),
        cmocka_unit_test(test_a_table_that_is_no_larger_than_a_range_is_one),
        cmocka_unit_test(test_a_key_that_only_the_collation_takes_for_equal_is_absent),
        cmocka_unit_test(test_a_key_that_the_character_set_lacks_is_absent),
        cmocka_unit_test(test_a_key_that_mysql_has_no_value_for_is_absent),
        cmocka_unit_test(test_children_are_those_that_the_database_takes_for_such),
        cmocka_unit_test(test_more_keys_than_one_query_takes_are_all_looked_up),
        cmocka_unit_test(test_keys_are_shown_as_texts_that_postgresql_reads),
        cmocka_unit_test(test_a_session_is_usable_after_a_sink_gave_up),
        cmocka_unit_test(test_a_value_that_cannot_move_is_named_with_its_key_and_column),
        cmocka_unit_test(test_zero_dates_become_what_the_table_says),
        cmocka_unit_test(test_a_table_without_a_key_is_copied_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
