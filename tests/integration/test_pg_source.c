/*
 * The PostgreSQL source against a real server: what it makes, streams, reads and refuses. Each test
 * has a database and a slot of its own. Changes are compared as text: "insert a (1, one)".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/postgres/source.h"
#include "proto/error.h"
#include "schema/mapping.h"
#include "schema/migration.h"
#include "tests/support/must.h"
#include "tests/support/scratch.h"

#include <string.h>

static const SourceOps *const ops = &pg_source_ops;

static const char tables_sql[] =
    "create table a (id int primary key, v text); alter table a alter v set storage external;"
    "create table b (k1 text, n int, k2 int, primary key (k2, k1));"
    "create table f (id int primary key, v text); alter table f replica identity full;"
    "alter table f alter v set storage external";

typedef struct Bench {
    Scratch *scratch;
    Migration *migration;
    Source *source; /* setup and reads */
    Source *stream;
    char *snapshot;
} Bench;

static GPtrArray *load_tables(Scratch *scratch)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func((GDestroyNotify)mapping_line_free);
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
    MappingLine *line = g_new0(MappingLine, 1);
    line->source = g_strdup("*.*");
    g_ptr_array_add(lines, line);
    GPtrArray *catalog;
    MUST(catalog = catalog_pg_tables(scratch->connection, &error));
    GPtrArray *tables = mapping_resolve(catalog, lines, findings);
    g_ptr_array_unref(catalog);
    assert_int_equal(findings->len, 0);
    return tables;
}

static Bench *bench_new(const char *sql)
{
    GError *error = NULL;
    Bench *bench = g_new0(Bench, 1);
    bench->scratch = scratch_new("DROVER_TEST_SOURCE");
    scratch_run(bench->scratch, "%s", sql);
    Migration *migration = bench->migration = g_new0(Migration, 1);
    migration->name = g_strdup("shop");
    migration->slot = g_strdup_printf("drover_%s", bench->scratch->name);
    migration->source = g_new0(Endpoint, 1);
    migration->source->side = g_strdup("source");
    migration->source->engine = g_strdup("postgresql");
    migration->source->url = g_strdup(bench->scratch->url);
    migration->source->label = g_strdup("source test");
    migration->tables = load_tables(bench->scratch);
    MUST(bench->source = ops->connect(migration->source, "drover test", &error));
    MUST(bench->stream = ops->connect(migration->source, "drover test stream", &error));
    return bench;
}

static void bench_set_up(Bench *bench)
{
    GError *error = NULL;
    SourceStatus status;
    g_clear_pointer(&bench->snapshot, g_free);
    MUST(ops->setup(bench->source, bench->migration, &bench->migration->start, &bench->snapshot,
                    &error));
    MUST(ops->status(bench->source, bench->migration, false, &status, &error));
    g_free(bench->migration->source_identity);
    bench->migration->source_identity = status.identity;
}

static void bench_stream(Bench *bench, Position from)
{
    GError *error = NULL;
    MUST(ops->stream_start(bench->stream, bench->migration, from, false, &error));
}

static void bench_free(Bench *bench)
{
    GError *error = NULL;
    ops->close(bench->stream);
    MUST(ops->drop(bench->source, bench->migration, &error));
    ops->close(bench->source);
    migration_free(bench->migration);
    scratch_free(bench->scratch);
    g_free(bench->snapshot);
    g_free(bench);
}

/* ---- changes as text ---- */

static void print_cell(GString *text, const Column *column, const Cell *cell)
{
    guint32 number;
    if (cell->kind == CELL_NULL)
        g_string_append(text, "null");
    else if (cell->kind == CELL_UNCHANGED)
        g_string_append(text, "unchanged");
    else if (cell->kind == CELL_ABSENT)
        g_string_append(text, "absent");
    else if (column->type_oid == 23) {
        memcpy(&number, cell->data, sizeof number);
        g_string_append_printf(text, "%d", (int)GUINT32_FROM_BE(number));
    } else
        g_string_append_printf(text, "%.*s", (int)MIN(cell->length, 12), cell->data);
}

static void print_row(GString *text, const Table *table, const Row *row, bool key)
{
    for (guint i = 0; i < row->n_cells; i++) {
        g_string_append(text, i == 0 ? " (" : ", ");
        print_cell(text, &table->columns[key ? table->key[i] : i], &row->cells[i]);
    }
    g_string_append(text, row->n_cells > 0 ? ")" : "");
}

static void print_change(GString *text, const Migration *migration, const StreamEvent *event)
{
    static const char *const names[] = {"", "insert", "update", "delete", "truncate"};
    const Change *change = &event->change;
    const Table *table = migration_table(migration, change->table);
    g_string_append_printf(text, "%s %s", names[change->operation], table->source_name);
    for (guint i = 1; i < event->n_truncated; i++)
        g_string_append_printf(text, "+%s",
                               migration_table(migration, event->truncated[i])->source_name);
    if (change->old_key.n_cells > 0) {
        g_string_append(text, " old");
        print_row(text, table, &change->old_key, true);
    }
    print_row(text, table, &change->row, false);
    g_string_append(text, "\n");
}

/* Reads the stream up to n commits; *last is the last one's transaction. */
static char *read_commits(Bench *bench, guint n, Transaction *last)
{
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    for (guint commits = 0; commits < n;) {
        StreamEvent event;
        StreamResult result = ops->stream_next(bench->stream, 100, &event, &error);
        if (result == STREAM_FAILED)
            fail_msg("%s", error->message);
        if (g_get_monotonic_time() > limit)
            fail_msg("the commit did not come; so far: %s", text->str);
        if (result == STREAM_CHANGE)
            print_change(text, bench->migration, &event);
        if (result == STREAM_COMMIT) {
            commits++;
            if (last)
                *last = event.transaction;
        }
    }
    return g_string_free(text, false);
}

static Bench *streaming(const char *sql)
{
    Bench *bench = bench_new(sql);
    bench_set_up(bench);
    bench_stream(bench, bench->migration->start);
    return bench;
}

/* ---- the stream ---- */

static void test_inserts_updates_and_deletes_come_in_order(void **state)
{
    (void)state;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "begin; insert into a values (1, 'one'), (2, null);"
                                "update a set v = 'uno' where id = 1; delete from a where id = 2;"
                                "commit");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (1, one)\ninsert a (2, null)\nupdate a (1, uno)\n"
                              "delete a old (2)\n");
    bench_free(bench);
}

static void test_a_key_update_has_the_old_key_in_key_order(void **state)
{
    (void)state;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "insert into b values ('x', 7, 1); update b set k2 = 2");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert b (x, 7, 1)\nupdate b old (1, x) (x, 7, 2)\n");
    bench_free(bench);
}

static void test_unchanged_toast_is_unchanged(void **state)
{
    (void)state;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, repeat('x', 9000));"
                                "update a set id = 2");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (1, xxxxxxxxxxxx)\nupdate a old (1) (2, unchanged)\n");
    bench_free(bench);
}

static void test_a_full_replica_identity_completes_toast_and_gives_no_old_key(void **state)
{
    (void)state;
    Bench *bench = streaming(
        "create table f (id int primary key, v text, n int); alter table f replica identity full;"
        "alter table f alter v set storage external");
    scratch_run(bench->scratch, "insert into f values (1, repeat('x', 9000), 1);"
                                "update f set n = 2; update f set id = 3; delete from f");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert f (1, xxxxxxxxxxxx, 1)\nupdate f (1, xxxxxxxxxxxx, 2)\n"
                              "update f old (1) (3, xxxxxxxxxxxx, 2)\ndelete f old (3)\n");
    bench_free(bench);
}

static void test_truncate_names_all_tables(void **state)
{
    (void)state;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "truncate a, b");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "truncate a+b\n");
    bench_free(bench);
}

static void test_a_rolled_back_savepoint_is_not_there(void **state)
{
    (void)state;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "begin; insert into a values (1, 'one'); savepoint s;"
                                "insert into a values (2, 'two'); rollback to s;"
                                "insert into a values (3, 'three'); commit");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (1, one)\ninsert a (3, three)\n");
    bench_free(bench);
}

static void test_a_generated_column_is_not_streamed(void **state)
{
    (void)state;
    Bench *bench = streaming("create table g (id int primary key,"
                             "twice int generated always as (id * 2) stored, v text)");
    scratch_run(bench->scratch, "insert into g (id, v) values (1, 'one')");
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert g (1, one)\n");
    bench_free(bench);
}

static void test_the_xid_is_the_one_the_server_shows(void **state)
{
    (void)state;
    Transaction transaction;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "begin; insert into a values (1, 'one')");
    gint64 xid = scratch_number(bench->scratch, "select pg_current_xact_id()::text::bigint");
    scratch_run(bench->scratch, "commit");
    g_autofree char *text = read_commits(bench, 1, &transaction);
    assert_int_equal(transaction.xid, xid);
    bench_free(bench);
}

static void test_a_stream_goes_on_after_the_position_it_is_given(void **state)
{
    (void)state;
    Transaction first;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, 'one')");
    scratch_run(bench->scratch, "insert into a values (2, 'two')");
    g_autofree char *before = read_commits(bench, 1, &first);
    bench_stream(bench, first.position);
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (2, two)\n");
    bench_free(bench);
}

static void test_a_heartbeat_comes_back_as_a_position(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    SourceStatus status;
    StreamEvent event;
    Bench *bench = streaming(tables_sql);
    MUST(ops->status(bench->source, bench->migration, true, &status, &error));
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    do {
        StreamResult result = ops->stream_next(bench->stream, 100, &event, &error);
        assert_true(result == STREAM_TIMEOUT || result == STREAM_POSITION);
        assert_true(g_get_monotonic_time() < limit);
    } while (position_compare(event.position, status.head) < 0);
    g_free(status.identity);
    bench_free(bench);
}

static void test_what_was_acknowledged_shows_in_the_status(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Transaction transaction;
    SourceStatus status;
    StreamEvent event;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, 'one')");
    g_autofree char *text = read_commits(bench, 1, &transaction);
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
    bench_free(bench);
}

/* ---- refusals ---- */

/* Runs DDL and one insert; the stream must stop with PERSON and a message with `needle`. */
static void expect_stop(const char *ddl, const char *needle)
{
    g_autoptr(GError) error = NULL;
    StreamEvent event;
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "%s", ddl);
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    while (ops->stream_next(bench->stream, 100, &event, &error) != STREAM_FAILED)
        assert_true(g_get_monotonic_time() < limit);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    if (!strstr(error->message, needle))
        fail_msg("\"%s\" is not in: %s", needle, error->message);
    bench_free(bench);
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
    Bench *bench = streaming(tables_sql);
    scratch_run(bench->scratch, "create table foreigner (id int primary key)");
    scratch_run(bench->scratch, "alter publication %s add table foreigner", bench->migration->slot);
    scratch_run(bench->scratch, "insert into foreigner values (1)");
    while (ops->stream_next(bench->stream, 100, &event, &error) != STREAM_FAILED)
        ;
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    assert_non_null(strstr(error->message, "public.foreigner is in the publication"));
    bench_free(bench);
}

static void test_a_missing_slot_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    Bench *bench = bench_new(tables_sql);
    MUST_FAIL(
        ops->stream_start(bench->stream, bench->migration, (Position){.major = 1}, false, &error),
        DROVER_ERROR_PERSON);
    bench_free(bench);
}

static void test_another_server_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    Bench *bench = bench_new(tables_sql);
    bench_set_up(bench);
    g_free(bench->migration->source_identity);
    bench->migration->source_identity = g_strdup("12345/1");
    MUST_FAIL(
        ops->stream_start(bench->stream, bench->migration, bench->migration->start, false, &error),
        DROVER_ERROR_PERSON);
    bench_free(bench);
}

static void test_a_slot_that_is_ahead_of_the_bus_needs_a_person(void **state)
{
    (void)state;
    GError *error = NULL;
    Bench *bench = bench_new(tables_sql);
    bench_set_up(bench);
    Position earlier = {.major = bench->migration->start.major - 8};
    MUST_FAIL(ops->stream_start(bench->stream, bench->migration, earlier, false, &error),
              DROVER_ERROR_PERSON);
    bench_free(bench);
}

static void test_a_slot_in_use_is_waited_for_or_taken_over(void **state)
{
    (void)state;
    GError *error = NULL;
    Bench *bench = streaming(tables_sql);
    Source *other;
    MUST(other = ops->connect(bench->migration->source, "drover test other", &error));
    Position start = bench->migration->start;
    MUST_FAIL(ops->stream_start(other, bench->migration, start, false, &error), DROVER_ERROR_RETRY);
    MUST(ops->stream_start(other, bench->migration, start, true, &error));
    StreamEvent event;
    StreamResult result;
    while ((result = ops->stream_next(bench->stream, 100, &event, &error)) != STREAM_FAILED)
        ;
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
    g_clear_error(&error);
    ops->close(other);
    bench_free(bench);
}

/* ---- setup ---- */

static void test_setup_replaces_its_own_leftovers(void **state)
{
    (void)state;
    Bench *bench = bench_new(tables_sql);
    bench_set_up(bench);
    bench_set_up(bench);
    assert_int_equal(scratch_number(bench->scratch,
                                    "select count(*) from pg_replication_slots "
                                    "where slot_name = '%s'",
                                    bench->migration->slot),
                     1);
    bench_free(bench);
}

static void test_drop_leaves_nothing_and_may_be_repeated(void **state)
{
    (void)state;
    GError *error = NULL;
    Bench *bench = streaming(tables_sql);
    MUST(ops->drop(bench->source, bench->migration, &error));
    MUST(ops->drop(bench->source, bench->migration, &error));
    assert_int_equal(scratch_number(bench->scratch,
                                    "select (select count(*) from pg_replication_slots where "
                                    "slot_name = '%1$s') + (select count(*) from pg_publication)",
                                    bench->migration->slot),
                     0);
    bench_free(bench);
}

/* ---- reads ---- */

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

static const Table *table_named(const Bench *bench, const char *name)
{
    for (guint i = 0; i < bench->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(bench->migration->tables, i);
        if (g_str_equal(table->source_name, name))
            return table;
    }
    fail_msg("no table %s", name);
    return NULL;
}

/* Rows of a table, or of a range of it, by COPY in the open read. */
static gint64 copy_rows(Bench *bench, const Table *table, const KeyRange *range)
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
    Bench *bench = bench_new(tables_sql);
    scratch_run(bench->scratch, "insert into a values (1, 'one')");
    bench_set_up(bench);
    scratch_run(bench->scratch, "insert into a values (2, 'two')");
    Source *holder = bench->source;
    MUST(reader = ops->connect(bench->migration->source, "drover test reader", &error));
    bench->source = reader;
    MUST(ops->read_begin(reader, bench->snapshot, &bounds, &error));
    assert_int_equal(copy_rows(bench, table_named(bench, "a"), NULL), 1);
    MUST(ops->read_end(reader, &bounds, &error));
    read_bounds_clear(&bounds);
    ops->close(holder);
    bench_stream(bench, bench->migration->start);
    g_autofree char *text = read_commits(bench, 1, NULL);
    assert_string_equal(text, "insert a (2, two)\n");
    bench_free(bench);
}

static void test_bounds_tell_what_a_read_saw(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    Bench *bench = bench_new(tables_sql);
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
    bench_free(bench);
}

static void test_high_is_flushed_when_the_read_ends(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    Bench *bench = bench_new(tables_sql);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    scratch_run(bench->scratch, "set synchronous_commit = off; insert into a values (1, 'one')");
    MUST(ops->read_end(bench->source, &bounds, &error));
    char high[POSITION_TEXT_SIZE];
    g_autofree char *flushed =
        scratch_ask(bench->scratch, "select pg_current_wal_flush_lsn() >= '%s'",
                    position_format(bounds.high, high));
    assert_string_equal(flushed, "t");
    read_bounds_clear(&bounds);
    bench_free(bench);
}

static void test_a_read_that_its_reader_refused_can_be_begun_again(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    Bench *bench = bench_new(tables_sql);
    scratch_run(bench->scratch, "insert into a select i, 'x' from generate_series(1, 100) as i");
    ReadSink sink = {.bytes = refuse_bytes};
    ReadRequest request = {.kind = READ_COPY, .table = table_named(bench, "a")};
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    MUST_FAIL(ops->read(bench->source, &request, &sink, &error), DROVER_ERROR_RETRY);
    MUST_FAIL(ops->read_end(bench->source, &bounds, &error), DROVER_ERROR_RETRY);
    read_bounds_clear(&bounds);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    assert_int_equal(copy_rows(bench, request.table, NULL), 100);
    MUST(ops->read_end(bench->source, &bounds, &error));
    read_bounds_clear(&bounds);
    bench_free(bench);
}

/* Every range holds rows, and together they hold each row once. */
static void check_ranges(Bench *bench, const char *name, gint64 rows_per_range, gint64 rows)
{
    GError *error = NULL;
    ReadBounds bounds;
    GArray *ranges;
    gint64 total = 0;
    const Table *table = table_named(bench, name);
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
    Bench *bench = bench_new(tables_sql);
    scratch_run(bench->scratch,
                "insert into b select 'K''\"' || i, 0, i %% 7 from generate_series(1, 20000) as i");
    check_ranges(bench, "b", 1000, 20000);
    scratch_run(bench->scratch, "analyze b");
    check_ranges(bench, "b", 1000, 20000);
    bench_free(bench);
}

static void test_key_ranges_of_a_large_table_come_from_a_sample(void **state)
{
    (void)state;
    Bench *bench = bench_new("create table l (id uuid primary key, filler text)");
    scratch_run(bench->scratch, "insert into l select md5(i::text)::uuid, repeat('x', 300) "
                                "from generate_series(1, 600000) as i; analyze l");
    check_ranges(bench, "l", 60000, 600000);
    bench_free(bench);
}

static void test_a_small_or_empty_table_is_one_range(void **state)
{
    (void)state;
    GError *error = NULL;
    ReadBounds bounds;
    GArray *ranges;
    Bench *bench = bench_new(tables_sql);
    MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
    MUST(ops->key_ranges(bench->source, table_named(bench, "a"), 1000, &ranges, &error));
    assert_int_equal(ranges->len, 1);
    g_array_unref(ranges);
    MUST(ops->read_end(bench->source, &bounds, &error));
    read_bounds_clear(&bounds);
    bench_free(bench);
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
        cmocka_unit_test(test_setup_replaces_its_own_leftovers),
        cmocka_unit_test(test_drop_leaves_nothing_and_may_be_repeated),
        cmocka_unit_test(test_the_exported_snapshot_is_the_start_of_the_stream),
        cmocka_unit_test(test_bounds_tell_what_a_read_saw),
        cmocka_unit_test(test_high_is_flushed_when_the_read_ends),
        cmocka_unit_test(test_a_read_that_its_reader_refused_can_be_begun_again),
        cmocka_unit_test(test_key_ranges_cover_a_table_with_a_key_of_two_columns),
        cmocka_unit_test(test_key_ranges_of_a_large_table_come_from_a_sample),
        cmocka_unit_test(test_a_small_or_empty_table_is_one_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
