/*
 * The PostgreSQL source against a real server: what it makes, streams and refuses. Each test has a
 * database and a slot of its own.
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

#include <string.h>

static const SourceOps *const ops = &pg_source_ops;

static const char tables_sql[] =
    "create table a (id int primary key, v text); alter table a alter v set storage external;"
    "create table b (k1 text, n int, k2 int, primary key (k2, k1));"
    "create table f (id int primary key, v text); alter table f replica identity full;"
    "alter table f alter v set storage external";

/* ---- the stream ---- */

static void test_inserts_updates_and_deletes_come_in_order(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "begin; insert into a values (1, 'one'), (2, null);"
                                "update a set v = 'uno' where id = 1; delete from a where id = 2;"
                                "commit");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (1, one)\ninsert a (2, null)\nupdate a (1, uno)\n"
                              "delete a old (2)\n");
    source_bench_free(bench);
}

static void test_a_key_update_has_the_old_key_in_key_order(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "insert into b values ('x', 7, 1); update b set k2 = 2");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert b (x, 7, 1)\nupdate b old (1, x) (x, 7, 2)\n");
    source_bench_free(bench);
}

static void test_unchanged_toast_is_unchanged(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, repeat('x', 9000));"
                                "update a set id = 2");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (1, xxxxxxxxxxxx)\nupdate a old (1) (2, unchanged)\n");
    source_bench_free(bench);
}

static void test_a_full_replica_identity_completes_toast_and_gives_no_old_key(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_streaming(
        "create table f (id int primary key, v text, n int); alter table f replica identity full;"
        "alter table f alter v set storage external");
    scratch_run(bench->scratch, "insert into f values (1, repeat('x', 9000), 1);"
                                "update f set n = 2; update f set id = 3; delete from f");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert f (1, xxxxxxxxxxxx, 1)\nupdate f (1, xxxxxxxxxxxx, 2)\n"
                              "update f old (1) (3, xxxxxxxxxxxx, 2)\ndelete f old (3)\n");
    source_bench_free(bench);
}

static void test_truncate_names_all_tables(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "truncate a, b");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "truncate a+b\n");
    source_bench_free(bench);
}

static void test_a_rolled_back_savepoint_is_not_there(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "begin; insert into a values (1, 'one'); savepoint s;"
                                "insert into a values (2, 'two'); rollback to s;"
                                "insert into a values (3, 'three'); commit");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (1, one)\ninsert a (3, three)\n");
    source_bench_free(bench);
}

static void test_a_generated_column_is_not_streamed(void **state)
{
    (void)state;
    SourceBench *bench =
        source_bench_streaming("create table g (id int primary key,"
                               "twice int generated always as (id * 2) stored, v text)");
    scratch_run(bench->scratch, "insert into g (id, v) values (1, 'one')");
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert g (1, one)\n");
    source_bench_free(bench);
}

static void test_the_xid_is_the_one_the_server_shows(void **state)
{
    (void)state;
    Transaction transaction;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "begin; insert into a values (1, 'one')");
    gint64 xid = scratch_number(bench->scratch, "select pg_current_xact_id()::text::bigint");
    scratch_run(bench->scratch, "commit");
    g_free(source_bench_commits(bench, 1, &transaction));
    assert_int_equal(transaction.xid, xid);
    source_bench_free(bench);
}

static void test_a_stream_goes_on_after_the_position_it_is_given(void **state)
{
    (void)state;
    Transaction first;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, 'one')");
    scratch_run(bench->scratch, "insert into a values (2, 'two')");
    g_free(source_bench_commits(bench, 1, &first));
    source_bench_stream(bench, first.position);
    g_autofree char *text = source_bench_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (2, two)\n");
    source_bench_free(bench);
}

static void test_a_heartbeat_comes_back_as_a_position(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    SourceStatus status;
    StreamEvent event;
    SourceBench *bench = source_bench_streaming(tables_sql);
    MUST(ops->status(bench->source, bench->migration, true, &status, &error));
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    do {
        StreamResult result = ops->stream_next(bench->stream, 100, &event, &error);
        assert_true(result == STREAM_TIMEOUT || result == STREAM_POSITION);
        assert_true(g_get_monotonic_time() < limit);
    } while (position_compare(event.position, status.head) < 0);
    g_free(status.identity);
    source_bench_free(bench);
}

static void test_what_was_acknowledged_shows_in_the_status(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Transaction transaction;
    SourceStatus status;
    StreamEvent event;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, 'one')");
    g_free(source_bench_commits(bench, 1, &transaction));
    MUST(ops->stream_acknowledge(bench->stream, transaction.position, &error));
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    do {
        assert_true(ops->stream_next(bench->stream, 10, &event, &error) != STREAM_FAILED);
        MUST(ops->status(bench->source, bench->migration, false, &status, &error));
        g_free(status.identity);
        assert_true(g_get_monotonic_time() < limit);
    } while (position_compare(status.acknowledged, transaction.position) < 0);
    assert_true(status.retained_bytes >= 0);
    assert_false(status.slot_lost);
    source_bench_free(bench);
}

/* ---- refusals ---- */

/* Runs DDL and one insert; the stream must stop with PERSON and a message with `needle`. */
static void expect_stop(const char *ddl, const char *needle)
{
    g_autoptr(GError) error = NULL;
    StreamEvent event;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "%s", ddl);
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    while (ops->stream_next(bench->stream, 100, &event, &error) != STREAM_FAILED)
        assert_true(g_get_monotonic_time() < limit);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    if (!strstr(error->message, needle))
        fail_msg("\"%s\" is not in: %s", needle, error->message);
    source_bench_free(bench);
}

static void test_an_added_column_stops_the_stream(void **state)
{
    (void)state;
    expect_stop("alter table a add extra int; insert into a values (1)",
                "table public.a changed on the source: column \"extra\" was added");
}

static void test_a_dropped_column_stops_the_stream(void **state)
{
    (void)state;
    expect_stop("alter table a drop v; insert into a values (1)", "column \"v\" was dropped");
}

static void test_a_renamed_column_stops_the_stream(void **state)
{
    (void)state;
    expect_stop("alter table a rename v to w; insert into a values (1)",
                "column \"v\" was renamed to \"w\"");
}

static void test_a_changed_type_stops_the_stream(void **state)
{
    (void)state;
    expect_stop("alter table a alter v type varchar(9); insert into a values (1)",
                "the type of column \"v\" changed from text to character varying(9)");
}

static void test_a_changed_key_stops_the_stream(void **state)
{
    (void)state;
    expect_stop("alter table b drop constraint b_pkey; alter table b add primary key (k1);"
                "insert into b values ('x', 1, 1)",
                "column \"k2\" is no longer of the key");
}

static void test_a_renamed_table_stops_the_stream(void **state)
{
    (void)state;
    expect_stop("alter table a rename to z; insert into z values (1)",
                "table public.a was renamed to public.z");
}

static void test_a_change_in_a_later_transaction_is_checked_again(void **state)
{
    (void)state;
    expect_stop("insert into a values (1); begin; alter table a add extra int; commit;"
                "insert into a values (2)",
                "column \"extra\" was added");
}

static void test_a_table_that_somebody_published_stops_the_stream(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    StreamEvent event;
    SourceBench *bench = source_bench_streaming(tables_sql);
    scratch_run(bench->scratch, "create table foreigner (id int primary key)");
    scratch_run(bench->scratch, "alter publication %s add table foreigner", bench->migration->slot);
    scratch_run(bench->scratch, "insert into foreigner values (1)");
    while (ops->stream_next(bench->stream, 100, &event, &error) != STREAM_FAILED)
        ;
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    assert_non_null(strstr(error->message, "public.foreigner is in the publication"));
    source_bench_free(bench);
}

static void test_a_missing_slot_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    SourceBench *bench = source_bench_new(tables_sql);
    MUST_FAIL(ops->stream_start(bench->stream, bench->migration, (Position){.major = 1}, NULL,
                                false, &error),
              DROVER_ERROR_PERSON);
    source_bench_free(bench);
}

static void test_another_server_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    SourceBench *bench = source_bench_new(tables_sql);
    source_bench_set_up(bench);
    g_free(bench->migration->source_identity);
    bench->migration->source_identity = g_strdup("12345/1");
    MUST_FAIL(ops->stream_start(bench->stream, bench->migration, bench->migration->start, NULL,
                                false, &error),
              DROVER_ERROR_PERSON);
    source_bench_free(bench);
}

static void test_a_slot_that_is_ahead_of_the_bus_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    SourceBench *bench = source_bench_new(tables_sql);
    source_bench_set_up(bench);
    Position earlier = {.major = bench->migration->start.major - 8};
    MUST_FAIL(ops->stream_start(bench->stream, bench->migration, earlier, NULL, false, &error),
              DROVER_ERROR_PERSON);
    source_bench_free(bench);
}

static void test_a_slot_in_use_is_waited_for_or_taken_over(void **state)
{
    (void)state;
    GError *error = NULL;
    SourceBench *bench = source_bench_streaming(tables_sql);
    Source *other;
    MUST(other = ops->connect(bench->migration->source, "drover test other", &error));
    Position start = bench->migration->start;
    MUST_FAIL(ops->stream_start(other, bench->migration, start, NULL, false, &error),
              DROVER_ERROR_RETRY);
    MUST(ops->stream_start(other, bench->migration, start, NULL, true, &error));
    StreamEvent event;
    StreamResult result;
    while ((result = ops->stream_next(bench->stream, 100, &event, &error)) != STREAM_FAILED)
        ;
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
    g_clear_error(&error);
    ops->close(other);
    source_bench_free(bench);
}

/* ---- setup ---- */

/* The stream of a process that hangs, or of a machine that is cut off: the server stands in the
 * middle of a message to it. */
static void test_a_stream_that_nobody_reads_is_taken_over(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    SourceBench *bench = source_bench_streaming("create table a (id int primary key, v text)");
    Source *other = NULL;
    MUST(other = ops->connect(bench->migration->source, "drover other", &error));
    scratch_run(bench->scratch, "alter table a alter v set storage external; "
                                "insert into a select i, repeat('x', 1000000) "
                                "from generate_series(1, 30) i");
    while (scratch_number(bench->scratch, "select count(*) from pg_stat_activity where "
                                          "wait_event = 'WalSenderWriteData' and "
                                          "datname = current_database()") == 0)
        g_usleep(1000);
    MUST(ops->stream_start(other, bench->migration, bench->migration->start, NULL, true, &error));
    ops->close(bench->stream);
    bench->stream = other;
    source_bench_free(bench);
}

static void test_setup_replaces_its_own_leftovers(void **state)
{
    (void)state;
    SourceBench *bench = source_bench_new(tables_sql);
    source_bench_set_up(bench);
    source_bench_set_up(bench);
    assert_int_equal(scratch_number(bench->scratch,
                                    "select count(*) from pg_replication_slots "
                                    "where slot_name = '%s'",
                                    bench->migration->slot),
                     1);
    source_bench_free(bench);
}

static void test_drop_leaves_nothing_and_may_be_repeated(void **state)
{
    (void)state;
    GError *error = NULL;
    SourceBench *bench = source_bench_streaming(tables_sql);
    MUST(ops->drop(bench->source, bench->migration, &error));
    MUST(ops->drop(bench->source, bench->migration, &error));
    assert_int_equal(scratch_number(bench->scratch,
                                    "select (select count(*) from pg_replication_slots where "
                                    "slot_name = '%1$s') + (select count(*) from pg_publication)",
                                    bench->migration->slot),
                     0);
    source_bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_updates_and_deletes_come_in_order),
        cmocka_unit_test(test_a_key_update_has_the_old_key_in_key_order),
        cmocka_unit_test(test_unchanged_toast_is_unchanged),
        cmocka_unit_test(test_a_full_replica_identity_completes_toast_and_gives_no_old_key),
        cmocka_unit_test(test_truncate_names_all_tables),
        cmocka_unit_test(test_a_rolled_back_savepoint_is_not_there),
        cmocka_unit_test(test_a_generated_column_is_not_streamed),
        cmocka_unit_test(test_the_xid_is_the_one_the_server_shows),
        cmocka_unit_test(test_a_stream_goes_on_after_the_position_it_is_given),
        cmocka_unit_test(test_a_heartbeat_comes_back_as_a_position),
        cmocka_unit_test(test_what_was_acknowledged_shows_in_the_status),
        cmocka_unit_test(test_an_added_column_stops_the_stream),
        cmocka_unit_test(test_a_dropped_column_stops_the_stream),
        cmocka_unit_test(test_a_renamed_column_stops_the_stream),
        cmocka_unit_test(test_a_changed_type_stops_the_stream),
        cmocka_unit_test(test_a_changed_key_stops_the_stream),
        cmocka_unit_test(test_a_renamed_table_stops_the_stream),
        cmocka_unit_test(test_a_change_in_a_later_transaction_is_checked_again),
        cmocka_unit_test(test_a_table_that_somebody_published_stops_the_stream),
        cmocka_unit_test(test_a_missing_slot_needs_a_person),
        cmocka_unit_test(test_another_server_needs_a_person),
        cmocka_unit_test(test_a_slot_that_is_ahead_of_the_bus_needs_a_person),
        cmocka_unit_test(test_a_slot_in_use_is_waited_for_or_taken_over),
        cmocka_unit_test(test_a_stream_that_nobody_reads_is_taken_over),
        cmocka_unit_test(test_setup_replaces_its_own_leftovers),
        cmocka_unit_test(test_drop_leaves_nothing_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
