/*
 * The PostgreSQL source's reads against a real server: snapshots, bounds, COPY and key ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/postgres/source.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/source_bench.h"

#include <pthread.h>
#include <string.h>

static const SourceOps *const ops = &pg_source_ops;

static const char tables_sql[] = "create table a (id int primary key, v text);"
                                 "create table b (k1 text, n int, k2 int, primary key (k2, k1));";

static bool take_bytes(void *user, const guint8 *data, gsize size, GError **error)
{
    (void)error;
    g_byte_array_append(user, data, (guint)size);
    return true;
}

static bool refuse_bytes(void *user, const guint8 *data, gsize size, GError **error)
{
    (void)user, (void)data, (void)size;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "the target went away");
    return false;
}

/* Rows of a table, or of a range of it, by COPY in the open read. */
static gint64 copy_rows(SourceBench *bench, const Table *table, const KeyRange *range)
{
    GError *error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    ReadSink sink = {.bytes = take_bytes, .user = bytes};
    ReadRequest request = {.kind = READ_COPY, .table = table};
    if (range)
        request.range = *range;
    MUST(ops->read(bench->source, &request, &sink, &error));
    assert_memory_equal(bytes->data, "PGCOPY\n\377\r\n", 11);
    assert_int_equal(request.storage, table->storage);
    return request.rows;
}

static void test_the_exported_snapshot_is_the_start_of_the_stream(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    Source *reader;
    SourceBench *bench = source_bench_new(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, 'one')");
    source_bench_set_up(bench);
    scratch_run(bench->scratch, "insert into a values (2, 'two')");
    Source *holder = bench->source;
    MUST(reader = ops->connect(bench->migration->source, "drover test reader", &error));
    bench->source = reader;
    MUST(ops->read_begin(reader, bench->snapshot, &bounds, &error));
    assert_int_equal(copy_rows(bench, source_bench_table(bench, "a"), NULL), 1);
    MUST(ops->read_end(reader, &bounds, &error));
    read_bounds_clear(&bounds);
    ops->close(holder);
    source_bench_stream(bench, bench->migration->start);
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (2, two)\n");
    source_bench_free(bench);
}

/* ---- a transaction that the slot does not wait for ---- */

typedef struct SetUp {
    SourceBench *bench;
    gint done; /* atomic */
} SetUp;

static void *set_up_slot(void *user)
{
    SetUp *self = user;
    source_bench_set_up(self->bench);
    g_atomic_int_set(&self->done, 1);
    return NULL;
}

/* A session with an open transaction that has a number. */
static PGconn *open_transaction(SourceBench *bench, char **xid)
{
    PGconn *connection = PQconnectdb(bench->scratch->url);
    PQclear(PQexec(connection, "begin"));
    PGresult *result = PQexec(connection, "select pg_current_xact_id()");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    *xid = g_strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return connection;
}

static void end_transaction(PGconn *connection)
{
    PQclear(PQexec(connection, "commit"));
    PQfinish(connection);
}

/* Until the answer is not 0, or the slot's setup has returned. */
static void wait_for(SetUp *set_up, const char *question)
{
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    while (g_atomic_int_get(&set_up->done) == 0) {
        if (scratch_number(set_up->bench->scratch, "%s", question) > 0)
            return;
        if (g_get_monotonic_time() > limit)
            fail_msg("waited in vain: %s", question);
    }
}

/* Until the slot's creation waits for this transaction. */
static void wait_for_slot(SetUp *set_up, const char *xid)
{
    g_autofree char *question =
        g_strdup_printf("select count(*) from pg_locks where locktype = 'transactionid' "
                        "and not granted and transactionid = '%s'::xid8::xid",
                        xid);
    wait_for(set_up, question);
}

/* The slot waits for the first and the second transaction, and its start is behind the commit of
 * any that began while it waited for the second. One that is still not visible stays unseen by
 * reads, and is not in the stream. */
static void test_every_commit_below_the_start_is_visible_to_later_reads(void **state)
{
    (void)state;
    pthread_t thread;
    g_autofree char *first = NULL, *second = NULL, *third = NULL;
    SourceBench *bench = source_bench_new(tables_sql);
    SetUp set_up = {.bench = bench};
    PGconn *one = open_transaction(bench, &first);
    assert_int_equal(pthread_create(&thread, NULL, set_up_slot, &set_up), 0);
    wait_for_slot(&set_up, first);
    PGconn *two = open_transaction(bench, &second);
    end_transaction(one);
    wait_for_slot(&set_up, second);
    PGconn *three = open_transaction(bench, &third);
    end_transaction(two);
    wait_for(&set_up, "select count(*) from pg_stat_activity where datname = current_database() "
                      "and pid <> pg_backend_pid() and query like 'select pg_snapshot_xmin%'");
    assert_int_equal(g_atomic_int_get(&set_up.done), 0);
    end_transaction(three);
    assert_int_equal(pthread_join(thread, NULL), 0);
    source_bench_free(bench);
}

static void test_bounds_tell_what_a_read_saw(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    SourceBench *bench = source_bench_new(tables_sql);
    Scratch *open = bench->scratch;
    gint64 before = scratch_number(open, "select pg_current_xact_id()::text::bigint");
    scratch_run(open, "begin");
    gint64 running = scratch_number(open, "select pg_current_xact_id()::text::bigint");
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    scratch_run(open, "commit");
    gint64 after = scratch_number(open, "select pg_current_xact_id()::text::bigint");
    MUST(ops->read_end(bench->source, &bounds, &error));
    assert_true(read_bounds_include(&bounds, (guint64)before));
    assert_false(read_bounds_include(&bounds, (guint64)running));
    assert_false(read_bounds_include(&bounds, (guint64)after));
    assert_true(position_compare(bounds.before, bounds.high) <= 0);
    read_bounds_clear(&bounds);
    source_bench_free(bench);
}

/* It may be in the log long before it is visible: it must not look as if it had not begun. */
static void test_the_newest_open_transaction_is_below_xmax(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    SourceBench *bench = source_bench_new(tables_sql);
    scratch_run(bench->scratch, "begin");
    g_autofree char *text = scratch_ask(bench->scratch, "select pg_current_xact_id()");
    guint64 xid = g_ascii_strtoull(text, NULL, 10);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    assert_true(xid < bounds.xmax);
    assert_false(read_bounds_include(&bounds, xid));
    MUST(ops->read_end(bench->source, &bounds, &error));
    read_bounds_clear(&bounds);
    scratch_run(bench->scratch, "commit");
    source_bench_free(bench);
}

static void test_high_is_flushed_when_the_read_ends(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    SourceBench *bench = source_bench_new(tables_sql);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    scratch_run(bench->scratch, "set synchronous_commit = off; insert into a values (1, 'one')");
    MUST(ops->read_end(bench->source, &bounds, &error));
    char high[POSITION_TEXT_SIZE];
    g_autofree char *flushed =
        scratch_ask(bench->scratch, "select pg_current_wal_flush_lsn() >= '%s'",
                    position_format(bounds.high, high));
    assert_string_equal(flushed, "t");
    read_bounds_clear(&bounds);
    source_bench_free(bench);
}

static void test_a_read_that_its_reader_refused_can_be_begun_again(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    SourceBench *bench = source_bench_new(tables_sql);
    scratch_run(bench->scratch, "insert into a select i, 'x' from generate_series(1, 100) as i");
    ReadSink sink = {.bytes = refuse_bytes};
    ReadRequest request = {.kind = READ_COPY, .table = source_bench_table(bench, "a")};
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    MUST_FAIL(ops->read(bench->source, &request, &sink, &error), DROVER_ERROR_RETRY);
    MUST_FAIL(ops->read_end(bench->source, &bounds, &error), DROVER_ERROR_RETRY);
    read_bounds_clear(&bounds);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    assert_int_equal(copy_rows(bench, request.table, NULL), 100);
    MUST(ops->read_end(bench->source, &bounds, &error));
    read_bounds_clear(&bounds);
    source_bench_free(bench);
}

/* Every range holds rows, and together they hold each row once. */
static void check_ranges(SourceBench *bench, const char *name, gint64 rows_per_range, gint64 rows)
{
    GError *error = NULL;
    ReadBounds bounds;
    GArray *ranges;
    gint64 total = 0;
    const Table *table = source_bench_table(bench, name);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    MUST(ops->key_ranges(bench->source, table, rows_per_range, &ranges, &error));
    assert_null(g_array_index(ranges, KeyRange, 0).lower);
    assert_null(g_array_index(ranges, KeyRange, ranges->len - 1).upper);
    for (guint i = 0; i < ranges->len; i++) {
        gint64 found = copy_rows(bench, table, &g_array_index(ranges, KeyRange, i));
        assert_true(found > 0 && found <= 6 * rows_per_range);
        total += found;
    }
    assert_int_equal(total, rows);
    assert_true(ranges->len >= rows / rows_per_range / 4);
    g_array_unref(ranges);
    MUST(ops->read_end(bench->source, &bounds, &error));
    read_bounds_clear(&bounds);
}

static void test_key_ranges_cover_a_table_with_a_key_of_two_columns(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_new(tables_sql);
    scratch_run(bench->scratch,
                "insert into b select 'K''\"' || i, 0, i %% 7 from generate_series(1, 20000) as i");
    check_ranges(bench, "b", 1000, 20000);
    scratch_run(bench->scratch, "analyze b");
    check_ranges(bench, "b", 1000, 20000);
    source_bench_free(bench);
}

static void test_key_ranges_of_a_large_table_come_from_a_sample(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_new("create table l (id uuid primary key, filler text)");
    scratch_run(bench->scratch, "insert into l select md5(i::text)::uuid, repeat('x', 300) "
                                "from generate_series(1, 600000) as i; analyze l");
    check_ranges(bench, "l", 60000, 600000);
    source_bench_free(bench);
}

static void test_a_small_or_empty_table_is_one_range(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    GArray *ranges;
    SourceBench *bench = source_bench_new(tables_sql);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    MUST(ops->key_ranges(bench->source, source_bench_table(bench, "a"), 1000, &ranges, &error));
    assert_int_equal(ranges->len, 1);
    g_array_unref(ranges);
    MUST(ops->read_end(bench->source, &bounds, &error));
    read_bounds_clear(&bounds);
    source_bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_exported_snapshot_is_the_start_of_the_stream),
        cmocka_unit_test(test_every_commit_below_the_start_is_visible_to_later_reads),
        cmocka_unit_test(test_bounds_tell_what_a_read_saw),
        cmocka_unit_test(test_the_newest_open_transaction_is_below_xmax),
        cmocka_unit_test(test_high_is_flushed_when_the_read_ends),
        cmocka_unit_test(test_a_read_that_its_reader_refused_can_be_begun_again),
        cmocka_unit_test(test_key_ranges_cover_a_table_with_a_key_of_two_columns),
        cmocka_unit_test(test_key_ranges_of_a_large_table_come_from_a_sample),
        cmocka_unit_test(test_a_small_or_empty_table_is_one_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
