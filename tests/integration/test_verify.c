/*
 * Verify between two real databases. No apply runs: the test stands in for it by writing
 * drover.progress (and, where the test says so, rows) each time verify has ended a read of the
 * source.
 */
#include "apply/postgres/target.h"
#include "apply/verify.h"
#include "capture/postgres/source.h"
#include "proto/error.h"
#include "schema/control.h"
#include "tests/support/scratch.h"
#include "tests/support/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct Fixture {
    Scratch *source, *target;
    Endpoint source_endpoint, target_endpoint;
    Migration migration;
    SourceOps source_ops;
    Runtime runtime;
    guint reads; /* of the source, ended so far */
    void (*after_read)(struct Fixture *fixture);
    bool apply_stands_still;
} Fixture;

static Fixture fixture; /* read_end has no argument for it */

static bool read_end_and_apply(Source *source, ReadBounds *bounds, GError **error)
{
    if (!pg_source_ops.read_end(source, bounds, error)) {
        return false;
    }
    fixture.reads++;
    if (fixture.after_read != NULL) {
        fixture.after_read(&fixture);
    }
    if (!fixture.apply_stands_still) {
        char position[POSITION_TEXT_SIZE];
        scratch_run(fixture.target, "update drover.progress set position = '%s'",
                    position_format(bounds->high, position));
    }
    return true;
}

/* An apply that only a marker in the source's log moves on, as it is with an idle source. */
static bool status_and_apply(Source *source, const Migration *migration, bool emit_heartbeat,
                             SourceStatus *status, GError **error)
{
    if (!pg_source_ops.status(source, migration, emit_heartbeat, status, error)) {
        return false;
    }
    if (emit_heartbeat) {
        char position[POSITION_TEXT_SIZE];
        scratch_run(fixture.target, "update drover.progress set position = '%s'",
                    position_format(status->head, position));
    }
    return true;
}

static int setup(void **state)
{
    (void)state;
    GError *error = NULL;
    fixture = (Fixture){.source = scratch_new("DROVER_TEST_SOURCE"),
                        .target = scratch_new("DROVER_TEST_TARGET"),
                        .source_ops = pg_source_ops};
    fixture.source_endpoint = (Endpoint){
        .side = "source", .engine = "postgresql", .url = fixture.source->url, .label = "source"};
    fixture.target_endpoint =
        (Endpoint){.side = "target", .url = fixture.target->url, .label = "target"};
    fixture.migration = (Migration){
        .name = "shop",
        .uuid = "00000000-0000-0000-0000-000000000001",
        .source = &fixture.source_endpoint,
        .target = &fixture.target_endpoint,
        .slot = "no_such_slot",
        .tables = g_ptr_array_new_with_free_func((GDestroyNotify)(void (*)(void))table_free)};
    fixture.source_ops.read_end = read_end_and_apply;
    runtime_init(&fixture.runtime);
    Target *target = pg_target_ops.connect(&fixture.target_endpoint, "test", &error);
    assert_non_null(target);
    assert_true(control_install(&pg_target_ops, target, &error));
    pg_target_ops.close(target);
    scratch_run(fixture.target,
                "insert into drover.migration (name, uuid, file, phase) values ('shop', "
                "'00000000-0000-0000-0000-000000000001', '', 'streaming');"
                "insert into drover.progress (migration, worker, epoch, position) "
                "values ('shop', 'apply', 1, '0/1')");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    g_ptr_array_unref(fixture.migration.tables);
    scratch_free(fixture.source);
    scratch_free(fixture.target);
    return 0;
}

/* The same statements on both sides. */
static void on_both(const char *sql)
{
    scratch_run(fixture.source, "%s", sql);
    scratch_run(fixture.target, "%s", sql);
}

/* Tells the migration of a table that exists on both sides. */
static void add_table(const char *name, const char *columns)
{
    guint32 id = fixture.migration.tables->len + 1;
    Table *table = test_table_new(id, name, columns);
    table->source_oid =
        (guint32)scratch_number(fixture.source, "select 'public.%s'::regclass::oid::bigint", name);
    g_ptr_array_add(fixture.migration.tables, table);
    scratch_run(fixture.target,
                "insert into drover.tables (migration, id, source_schema, source_name, "
                "target_schema, target_name, version, storage, state) "
                "values ('shop', %u, 'public', '%s', 'public', '%s', '0', '0', 'ready')",
                id, name, name);
}

static VerifySettings settings_of(gint64 rows_per_chunk)
{
    return (VerifySettings){.migration = &fixture.migration,
                            .source = &fixture.source_ops,
                            .target = &pg_target_ops,
                            .runtime = &fixture.runtime,
                            .rows_per_chunk = rows_per_chunk,
                            .patience = 60 * G_USEC_PER_SEC};
}

static VerifyReport *verify_in_chunks_of(gint64 rows_per_chunk)
{
    GError *error = NULL;
    VerifySettings settings = settings_of(rows_per_chunk);
    VerifyReport *report = verify_run(&settings, &error);
    if (report == NULL) {
        print_error("%s\n", error->message);
    }
    assert_non_null(report);
    return report;
}

static const VerifyTable *result_of(const VerifyReport *report, guint i)
{
    return g_ptr_array_index(report->tables, i);
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The report's and drover.difference's list, in alphabetical order, one a line. */
static void assert_differences(const VerifyTable *result, const char *expected)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new();
    g_ptr_array_extend(lines, result->differences, NULL, NULL);
    g_ptr_array_sort(lines, by_text);
    g_ptr_array_add(lines, NULL);
    g_autofree char *text = g_strjoinv("\n", (char **)lines->pdata);
    assert_string_equal(text, expected);
    g_autofree char *stored = scratch_ask(
        fixture.target,
        "select coalesce(string_agg(kind || ' ' || key, E'\\n' order by (kind || ' ' || key) "
        "collate \"C\"), '') from drover.difference where table_id = %u",
        result->table->id);
    assert_string_equal(stored, expected);
}

static void assert_state(const char *expected)
{
    g_autofree char *state =
        scratch_ask(fixture.target, "select string_agg(state, ' ' order by table_id) "
                                    "from drover.verify where ended_at is not null");
    assert_string_equal(state, expected);
}

static void test_equal_tables_pass(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key, name text);"
            "insert into item select i, 'item ' || i from generate_series(1, 1000) as i;"
            "create table bare (id integer primary key)");
    add_table("item", "id integer key, name text");
    add_table("bare", "id integer key");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(100);
    assert_true(report->pass);
    assert_int_equal(report->tables->len, 2);
    assert_int_equal(result_of(report, 0)->rows_source, 1000);
    assert_int_equal(result_of(report, 0)->rows_target, 1000);
    assert_int_equal(result_of(report, 0)->reverified, 0);
    assert_int_equal(result_of(report, 1)->rows_source, 0);
    assert_false(position_is_zero(report->position));
    assert_state("equal equal");
}

static void test_each_kind_of_difference_is_found_and_listed(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key, name text);"
            "insert into item select i, 'item ' || i from generate_series(1, 1000) as i");
    scratch_run(fixture.target, "delete from item where id = 17;"
                                "update item set name = 'other' where id = 500;"
                                "insert into item values (-5, 'low'), (5000, 'high')");
    add_table("item", "id integer key, name text");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(100);
    assert_false(report->pass);
    const VerifyTable *result = result_of(report, 0);
    assert_int_equal(result->missing, 1);
    assert_int_equal(result->extra, 2);
    assert_int_equal(result->different, 1);
    assert_int_equal(result->unproven, 0);
    assert_int_equal(result->reverified, 4);
    assert_int_equal(result->rows_source, 1000);
    assert_int_equal(result->rows_target, 1001);
    assert_differences(result, "different (id)=(500)\nextra (id)=(-5)\nextra (id)=(5000)\n"
                               "missing (id)=(17)");
    assert_state("different");
}

static void test_values_that_sql_calls_equal_are_different(void **state)
{
    (void)state;
    on_both("create table cell (id integer primary key, t text, d double precision, n numeric, "
            "c character(5), v varchar, j jsonb, x xml, p point);"
            "insert into cell select i, '', 0, 1.0, 'a', 'a', '{\"a\": 1}', '<a/>', '(0,0)' "
            "from generate_series(1, 9) as i");
    scratch_run(fixture.target, "update cell set t = null where id = 1;"
                                "update cell set d = '-0' where id = 2;"
                                "update cell set n = 1.00 where id = 3;"
                                "update cell set c = 'a  ' where id = 4;"
                                "update cell set v = 'a ' where id = 5;"
                                "update cell set j = '{\"a\": 1.0}' where id = 6;"
                                "update cell set x = '<a></a>' where id = 7;"
                                "update cell set p = '(0,-0)' where id = 8");
    add_table("cell", "id integer key, t text, d double, n numeric, c character(5), v varchar, "
                      "j jsonb, x xml, p point");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    /* 4: character(5) pads, so both sides hold the same value. */
    assert_differences(result_of(report, 0),
                       "different (id)=(1)\ndifferent (id)=(2)\ndifferent (id)=(3)\n"
                       "different (id)=(5)\ndifferent (id)=(6)\ndifferent (id)=(7)\n"
                       "different (id)=(8)");
}

static void test_a_generated_column_that_differs_is_found(void **state)
{
    (void)state;
    scratch_run(fixture.source, "create table sum (id integer primary key, twice integer generated "
                                "always as (id * 2) stored); insert into sum values (1), (2)");
    scratch_run(fixture.target,
                "create table sum (id integer primary key, twice integer generated always as "
                "(case id when 2 then 5 else id * 2 end) stored); insert into sum values (1), (2)");
    add_table("sum", "id integer key, twice integer generated");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    assert_differences(result_of(report, 0), "different (id)=(2)");
}

static void test_composite_text_keys_are_listed_by_name_and_value(void **state)
{
    (void)state;
    on_both(
        "create table line (region text, number bigint, note text, primary key (number, region));"
        "insert into line select r, n, r || n from unnest(array['eu', 'it''s', 'us']) as r, "
        "generate_series(1, 100) as n");
    scratch_run(fixture.target, "delete from line where region = 'it''s' and number = 42;"
                                "update line set note = '' where region = 'us' and number = 100");
    add_table("line", "region text key2, number bigint key1, note text");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(50);
    assert_differences(result_of(report, 0), "different (number, region)=(100, us)\n"
                                             "missing (number, region)=(42, it's)");
}

static void test_another_order_of_keys_on_the_target_is_no_difference(void **state)
{
    (void)state;
    scratch_run(fixture.source, "create table word (w text collate \"C\" primary key)");
    scratch_run(fixture.target, "create table word (w text collate \"und-x-icu\" primary key)");
    on_both("insert into word select case i % 2 when 0 then upper(w) else w end from (select i, "
            "md5(i::text) as w from generate_series(1, 2000) as i) as words");
    add_table("word", "w text key");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(100);
    assert_true(report->pass);
    assert_true(result_of(report, 0)->reverified > 0);
    assert_int_equal(result_of(report, 0)->rows_source, 2000);
    assert_int_equal(result_of(report, 0)->rows_target, 2000);
}

/* The source's row changes after each of the first reads, and apply has written it at once. */
static void change_and_apply(Fixture *f)
{
    if (f->reads >= 2 && f->reads <= 4) {
        g_autofree char *sql = g_strdup_printf(
            "update item set name = 'change %u' where id = 7; delete from item where id = %u;"
            "insert into item values (%u, 'new')",
            f->reads, f->reads, 100 + f->reads);
        on_both(sql);
    }
}

static void test_a_row_that_changes_and_is_applied_is_no_difference(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key, name text);"
            "insert into item select i, 'item ' || i from generate_series(1, 100) as i");
    add_table("item", "id integer key, name text");
    fixture.after_read = change_and_apply;
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    assert_true(report->pass);
    assert_true(result_of(report, 0)->reverified >= 3);
    assert_int_equal(result_of(report, 0)->rows_source, result_of(report, 0)->rows_target);
    assert_differences(result_of(report, 0), "");
}

/* Between any two reads of the source a row comes and goes, and the target is seen with it; only in
 * the second round (reads 4 to 6 are the first) is it gone there, too. */
static void come_and_go(Fixture *f)
{
    if (f->reads == 2) {
        scratch_run(f->target, "insert into item values (200, 'guest')");
    }
    if (f->reads == 7) {
        scratch_run(f->target, "delete from item where id = 200");
    }
}

static void test_a_row_that_comes_and_goes_between_reads_is_no_difference(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key, name text);"
            "insert into item select i, 'item ' || i from generate_series(1, 100) as i");
    add_table("item", "id integer key, name text");
    fixture.after_read = come_and_go;
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    assert_true(report->pass);
    assert_int_equal(result_of(report, 0)->reverified, 1);
    assert_int_equal(result_of(report, 0)->rows_target, 100);
}

static void change_for_ever(Fixture *f)
{
    scratch_run(f->source, "update item set name = 'change %u' where id = 7", f->reads);
}

static void test_a_key_in_eternal_motion_is_unproven(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key, name text);"
            "insert into item select i, 'item ' || i from generate_series(1, 100) as i");
    scratch_run(fixture.target, "delete from item where id = 50");
    add_table("item", "id integer key, name text");
    fixture.after_read = change_for_ever;
    scratch_run(fixture.source, "update item set name = 'first' where id = 7");
    VerifySettings settings = settings_of(0);
    settings.patience = G_USEC_PER_SEC;
    GError *error = NULL;
    g_autoptr(VerifyReport) report = verify_run(&settings, &error);
    assert_non_null(report);
    assert_false(report->pass);
    assert_int_equal(result_of(report, 0)->unproven, 1);
    assert_differences(result_of(report, 0), "missing (id)=(50)");
    assert_int_equal(scratch_number(fixture.target, "select backlog from drover.verify"), 1);
}

/* Key 5 is on the refetch list until the eighth read; then apply has mended it. */
static void refetch_in_the_end(Fixture *f)
{
    if (f->reads == 8) {
        scratch_run(f->target, "delete from drover.refetch; insert into item values (5, 'item 5')");
    }
}

static void test_a_key_that_waits_to_be_refetched_is_no_difference(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key, name text);"
            "insert into item select i, 'item ' || i from generate_series(1, 100) as i");
    scratch_run(fixture.target,
                "delete from item where id = 5; insert into drover.refetch (migration, "
                "table_id, key, reason) select 'shop', 1, '\\x000000000400000005', 'partial'");
    add_table("item", "id integer key, name text");
    fixture.after_read = refetch_in_the_end;
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    assert_true(report->pass);
    assert_int_equal(result_of(report, 0)->rows_target, 100);
}

static void test_a_source_transaction_that_stays_open_leaves_keys_unproven(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key);"
            "insert into item select generate_series(1, 100); create table other (id integer)");
    scratch_run(fixture.target, "delete from item where id = 5");
    add_table("item", "id integer key");
    scratch_run(fixture.source, "begin; insert into other values (1)");
    VerifySettings settings = settings_of(0);
    settings.patience = G_USEC_PER_SEC / 10;
    GError *error = NULL;
    g_autoptr(VerifyReport) report = verify_run(&settings, &error);
    scratch_run(fixture.source, "rollback");
    assert_non_null(report);
    assert_false(report->pass);
    assert_int_equal(result_of(report, 0)->unproven, 1);
    assert_differences(result_of(report, 0), "");
    assert_state("unproven");
}

static void test_an_apply_that_stands_still_is_an_error_with_both_positions(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key)");
    add_table("item", "id integer key");
    fixture.apply_stands_still = true;
    VerifySettings settings = settings_of(0);
    settings.patience = G_USEC_PER_SEC / 10;
    g_autoptr(GError) error = NULL;
    assert_null(verify_run(&settings, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
    assert_non_null(strstr(error->message, "progress 0/1, needed "));
}

static void test_heartbeats_move_the_position_of_an_idle_source(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key); insert into item values (1)");
    add_table("item", "id integer key");
    fixture.apply_stands_still = true;
    fixture.source_ops.status = status_and_apply;
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    assert_true(report->pass);
    assert_int_equal(result_of(report, 0)->rows_target, 1);
}

static void test_a_stopping_runtime_ends_the_verify(void **state)
{
    (void)state;
    on_both("create table item (id integer primary key)");
    add_table("item", "id integer key");
    g_atomic_int_set(&fixture.runtime.stop, 1);
    VerifySettings settings = settings_of(0);
    g_autoptr(GError) error = NULL;
    assert_null(verify_run(&settings, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
}

static void test_only_the_named_table_is_verified(void **state)
{
    (void)state;
    on_both("create table one (id integer primary key); create table two (id integer primary key)");
    add_table("one", "id integer key");
    add_table("two", "id integer key");
    VerifySettings settings = settings_of(0);
    settings.only = "public.two";
    g_autoptr(GError) error = NULL;
    g_autoptr(VerifyReport) report = verify_run(&settings, &error);
    assert_non_null(report);
    assert_int_equal(report->tables->len, 1);
    assert_string_equal(result_of(report, 0)->table->label, "public.two");
    settings.only = "public.three";
    assert_null(verify_run(&settings, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
}

static void test_one_corrupt_row_of_300000_is_found(void **state)
{
    (void)state;
    on_both("create table account (id integer primary key, balance integer, filler text);"
            "insert into account select i, 0, repeat('x', 80) "
            "from generate_series(1, 300000) as i");
    scratch_run(fixture.target, "update account set balance = 1 where id = 234567");
    add_table("account", "id integer key, balance integer, filler text");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(0);
    assert_int_equal(result_of(report, 0)->rows_source, 300000);
    assert_int_equal(result_of(report, 0)->reverified, 1);
    assert_differences(result_of(report, 0), "different (id)=(234567)");
}

static void test_a_chunk_too_large_for_memory_is_compared_in_passes(void **state)
{
    (void)state;
    on_both("create table account (id integer primary key, balance integer);"
            "insert into account select i, 0 from generate_series(1, 10) as i");
    scratch_run(fixture.target, "insert into account select i, 0 "
                                "from generate_series(11, 850000) as i");
    add_table("account", "id integer key, balance integer");
    scratch_run(fixture.source, "insert into account select i, 0 "
                                "from generate_series(11, 849000) as i where i <> 12345");
    g_autoptr(VerifyReport) report = verify_in_chunks_of(10000000);
    const VerifyTable *result = result_of(report, 0);
    assert_int_equal(result->extra, 1001);
    assert_int_equal(result->missing + result->different + result->unproven, 0);
    assert_int_equal(result->rows_source, 848999);
    assert_int_equal(result->rows_target, 850000);
    assert_int_equal(result->differences->len, 1000);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_equal_tables_pass),
        EACH(test_each_kind_of_difference_is_found_and_listed),
        EACH(test_values_that_sql_calls_equal_are_different),
        EACH(test_a_generated_column_that_differs_is_found),
        EACH(test_composite_text_keys_are_listed_by_name_and_value),
        EACH(test_another_order_of_keys_on_the_target_is_no_difference),
        EACH(test_a_row_that_changes_and_is_applied_is_no_difference),
        EACH(test_a_row_that_comes_and_goes_between_reads_is_no_difference),
        EACH(test_a_key_in_eternal_motion_is_unproven),
        EACH(test_a_key_that_waits_to_be_refetched_is_no_difference),
        EACH(test_a_source_transaction_that_stays_open_leaves_keys_unproven),
        EACH(test_an_apply_that_stands_still_is_an_error_with_both_positions),
        EACH(test_heartbeats_move_the_position_of_an_idle_source),
        EACH(test_a_stopping_runtime_ends_the_verify),
        EACH(test_only_the_named_table_is_verified),
        EACH(test_one_corrupt_row_of_300000_is_found),
        EACH(test_a_chunk_too_large_for_memory_is_compared_in_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
