#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/copy_test.h"

#include "apply/postgres/target.h"
#include "capture/postgres/source.h"
#include "proto/error.h"
#include "schema/control.h"
#include "tests/support/must.h"

#include <pthread.h>
#include <string.h>

#define EPOCH 1
/* Whatever a row looks like, chunks have the least number of rows. */
#define PRETENDED_ROW_BYTES 100000
#define WORKERS 4

static char shop_name[] = "shop";
static char shop_uuid[] = "7f000000-0000-4000-8000-000000000002";
static char engine[] = "postgresql";
static char source_side[] = "source";
static char target_side[] = "target";

/* --- What the wrapped drivers do ---------------------------------------------------------------
 */

CopyTestCues copy_test_cues;

static bool cued_copy_data(Target *target, const guint8 *data, gsize size, GError **error)
{
    gint block = g_atomic_int_add(&copy_test_cues.blocks, 1) + 1;
    if (block == g_atomic_int_get(&copy_test_cues.fail_at_block)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "fails on cue");
        return false;
    }
    if (block == g_atomic_int_get(&copy_test_cues.stop_at_block)) {
        g_atomic_int_set(&copy_test_cues.runtime.stop, 1);
    }
    return pg_target_ops.copy_data(target, data, size, error);
}

static bool cued_copy_end(Target *target, gint64 *rows, GError **error)
{
    bool ended = pg_target_ops.copy_end(target, rows, error);
    *rows -= g_atomic_int_get(&copy_test_cues.lose_rows);
    return ended;
}

static Answer *cued_execute(Target *target, const char *sql, guint n, const char *const *values,
                            GError **error)
{
    if (g_atomic_int_add(&copy_test_cues.statements, 1) + 1 !=
        g_atomic_int_get(&copy_test_cues.fail_at_statement)) {
        return pg_target_ops.execute(target, sql, n, values, error);
    }
    if (copy_test_cues.answer_lost) {
        answer_free(pg_target_ops.execute(target, sql, n, values, NULL));
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "fails on cue");
    return NULL;
}

static bool cued_read_end(Source *source, ReadBounds *bounds, GError **error)
{
    if (g_atomic_int_get(&copy_test_cues.fail_read_end)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "fails on cue");
        return false;
    }
    return pg_source_ops.read_end(source, bounds, error);
}

static Source *cued_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    g_atomic_int_inc(&copy_test_cues.source_opened);
    return pg_source_ops.connect(endpoint, label, error);
}

static gint64 no_time(Runtime *runtime)
{
    (void)runtime;
    return 0;
}

static void cued_wait(Runtime *runtime, gint64 duration)
{
    (void)runtime;
    g_atomic_int_inc(&copy_test_cues.waits);
    g_usleep((gulong)duration / 20);
}

/* --- CopyTest -----------------------------------------------------------------------------------
 */

static Endpoint endpoint_of(char *side, const Scratch *scratch)
{
    return (Endpoint){.side = side, .engine = engine, .url = scratch->url, .label = scratch->name};
}

static void install_control(CopyTest *fixture)
{
    g_autoptr(GError) error = NULL;
    Target *target = pg_target_ops.connect(&fixture->target_endpoint, "drover test", &error);
    MUST(target != NULL);
    MUST(control_install(&pg_target_ops, target, &error));
    pg_target_ops.close(target);
    scratch_run(fixture->target,
                "insert into drover.migration (name, uuid, file, phase) "
                "values ('shop', '%s', '', 'copying'); "
                "insert into drover.lease (migration, role, epoch, holder, backend_pid) "
                "values ('shop', 'copy-%d', %d, 'a test', 0)",
                shop_uuid, EPOCH, EPOCH);
}

int copy_test_set_up(void **state)
{
    CopyTest *fixture = g_new0(CopyTest, 1);
    memset(&copy_test_cues, 0, sizeof copy_test_cues);
    copy_test_cues.runtime = (Runtime){.now = no_time, .wait = cued_wait};
    fixture->source = scratch_new("DROVER_TEST_SOURCE");
    fixture->target = scratch_new("DROVER_TEST_TARGET");
    fixture->source_endpoint = endpoint_of(source_side, fixture->source);
    fixture->target_endpoint = endpoint_of(target_side, fixture->target);
    fixture->migration =
        (Migration){.name = shop_name,
                    .uuid = shop_uuid,
                    .source = &fixture->source_endpoint,
                    .target = &fixture->target_endpoint,
                    .start = COPY_TEST_START,
                    .tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free),
                    .copy_workers = 4};
    fixture->source_ops = pg_source_ops;
    fixture->source_ops.connect = cued_connect;
    fixture->source_ops.read_end = cued_read_end;
    fixture->target_ops = pg_target_ops;
    fixture->target_ops.execute = cued_execute;
    fixture->target_ops.copy_data = cued_copy_data;
    fixture->target_ops.copy_end = cued_copy_end;
    fixture->board = copy_board_new();
    install_control(fixture);
    *state = fixture;
    return 0;
}

int copy_test_tear_down(void **state)
{
    CopyTest *fixture = *state;
    copy_board_free(fixture->board);
    g_ptr_array_unref(fixture->migration.tables);
    scratch_free(fixture->source);
    scratch_free(fixture->target);
    g_free(fixture);
    return 0;
}

/* --- Tables ------------------------------------------------------------------------------------
 */

typedef struct ColumnText {
    const char *name, *type;
    int key_place;
} ColumnText;

static void add_columns(Table *table, const ColumnText *columns, guint n)
{
    table->n_columns = n;
    table->columns = g_new0(Column, n);
    table->key = g_new0(guint, n);
    for (guint i = 0; i < n; i++) {
        Column *column = &table->columns[i];
        column->name = g_strdup(columns[i].name);
        column->type = g_strdup(columns[i].type);
        column->number = (int)i + 1;
        column->key_place = columns[i].key_place;
        if (column->key_place >= 0) {
            table->key[column->key_place] = i;
            table->n_key++;
        }
    }
}

/* Creates the table on both sides (the key on the source only, and as a step to do). */
static Table *add_table(CopyTest *fixture, const char *name, const ColumnText *columns, guint n,
                        const char *key)
{
    g_autoptr(GString) definition = g_string_new(NULL);
    for (guint i = 0; i < n; i++) {
        g_string_append_printf(definition, "%s%s %s", i > 0 ? ", " : "", columns[i].name,
                               columns[i].type);
    }
    scratch_run(fixture->source, "create table public.%s (%s, primary key (%s))", name,
                definition->str, key);
    scratch_run(fixture->target, "create table public.%s (%s)", name, definition->str);
    Table *table = g_new0(Table, 1);
    add_columns(table, columns, n);
    table->id = fixture->migration.tables->len + 1;
    table->source_schema = g_strdup("public");
    table->target_schema = g_strdup("public");
    table->source_name = g_strdup(name);
    table->target_name = g_strdup(name);
    table->label = g_strdup_printf("public.%s", name);
    table->key_is_primary = true;
    g_ptr_array_add(fixture->migration.tables, table);
    scratch_run(fixture->target,
                "insert into drover.tables (migration, id, source_schema, source_name, "
                "target_schema, target_name, version, storage, state) "
                "values ('shop', %u, 'public', '%s', 'public', '%s', '0', '0', 'planned'); "
                "insert into drover.ddl (migration, step, table_id, kind, name, statement) "
                "values ('shop', %u, %u, 'key', '%s_pkey', "
                "'alter table public.%s add primary key (%s)')",
                table->id, name, name, table->id, table->id, name, name, key);
    return table;
}

void copy_test_measure(CopyTest *fixture, Table *table)
{
    table->source_oid = (guint32)scratch_number(
        fixture->source, "select 'public.%s'::regclass::oid::bigint", table->source_name);
    table->storage = (guint64)scratch_number(fixture->source, "select pg_relation_filenode(%u)",
                                             table->source_oid);
    table->estimated_rows =
        scratch_number(fixture->source, "select count(*) from public.%s", table->source_name);
    table->bytes = table->estimated_rows * PRETENDED_ROW_BYTES;
    scratch_run(fixture->target,
                "update drover.tables set bytes_total = %" G_GINT64_FORMAT " where id = %u",
                table->bytes, table->id);
}

static const ColumnText plain_columns[] = {{"id", "integer", 0}, {"note", "text", -1}};

Table *copy_test_add_plain(CopyTest *fixture, const char *name, guint rows)
{
    Table *table = add_table(fixture, name, plain_columns, 2, "id");
    scratch_run(fixture->source,
                "insert into public.%s select i, 'note ' || i from generate_series(1, %u) i", name,
                rows);
    copy_test_measure(fixture, table);
    return table;
}

Table *copy_test_add_odd(CopyTest *fixture, guint rows)
{
    static const ColumnText columns[] = {
        {"city", "text", 1}, {"area", "smallint", 0}, {"price", "numeric(12,3)", -1}};
    Table *table = add_table(fixture, "odd", columns, 3, "area, city");
    scratch_run(fixture->source,
                "insert into public.odd select (array['\"', '\\', '{', '}', ',', '''', 'NULL', "
                "'é', '😀', ' ', E'\\t', 'ß', '$$'])[1 + i %% 13] || i || '\"\\{},''', "
                "i %% 3, case when i %% 5 = 0 then null else i / 7.0 end "
                "from generate_series(1, %u) i",
                rows);
    copy_test_measure(fixture, table);
    return table;
}

void copy_test_assert_equal_rows(CopyTest *fixture, const char *name)
{
    static const char digest[] =
        "select concat_ws(' ', count(*), sum(hashtextextended(t::text, 1)::numeric), "
        "sum(hashtextextended(t::text, 2)::numeric)) from public.%s t";
    g_autofree char *sql = g_strdup_printf(digest, name);
    g_autofree char *on_source = scratch_ask(fixture->source, "%s", sql);
    g_autofree char *on_target = scratch_ask(fixture->target, "%s", sql);
    assert_string_equal(on_source, on_target);
}

gint64 copy_test_chunks(CopyTest *fixture, const char *state)
{
    return scratch_number(fixture->target, "select count(*) from drover.chunk where state = '%s'",
                          state);
}

void copy_test_assert_all_keyed(CopyTest *fixture)
{
    assert_int_equal(scratch_number(fixture->target,
                                    "select count(*) from drover.tables where state <> 'keyed'"),
                     0);
    assert_int_equal(scratch_number(fixture->target,
                                    "select count(*) from pg_index i join pg_class c on "
                                    "c.oid = indrelid where indisprimary and "
                                    "relnamespace = 'public'::regnamespace"),
                     fixture->migration.tables->len);
}

/* --- Running ------------------------------------------------------------------------------------
 */

CopySettings copy_test_settings_of(CopyTest *fixture, guint worker, const char *snapshot)
{
    return (CopySettings){.migration = &fixture->migration,
                          .source = &fixture->source_ops,
                          .target = &fixture->target_ops,
                          .worker = worker,
                          .epoch = EPOCH,
                          .snapshot = snapshot,
                          .board = fixture->board,
                          .runtime = &copy_test_cues.runtime};
}

bool copy_test_try_plan(CopyTest *fixture, const char *snapshot, GError **error)
{
    CopySettings settings = copy_test_settings_of(fixture, 1, snapshot);
    Copy *copy = copy_new(&settings, error);
    StepResult result = copy != NULL ? STEP_WORKED : STEP_FAILED;
    while (result == STEP_WORKED) {
        result = copy_plan_step(copy, error);
    }
    copy_free(copy);
    return result == STEP_DONE;
}

void copy_test_plan(CopyTest *fixture, const char *snapshot)
{
    g_autoptr(GError) error = NULL;
    MUST(copy_test_try_plan(fixture, snapshot, &error));
}

Copy *copy_test_start(CopyTest *fixture, guint worker, const char *snapshot)
{
    g_autoptr(GError) error = NULL;
    CopySettings settings = copy_test_settings_of(fixture, worker, snapshot);
    Copy *copy = copy_new(&settings, &error);
    MUST(copy != NULL);
    return copy;
}

StepResult copy_test_run_steps(Copy *copy, GError **error)
{
    StepResult result;
    do {
        result = copy_step(copy, error);
    } while (result == STEP_WORKED ||
             (result == STEP_IDLE && !runtime_stopping(&copy_test_cues.runtime)));
    return result;
}

void copy_test_run_to_the_end(CopyTest *fixture, const char *snapshot)
{
    g_autoptr(GError) error = NULL;
    Copy *copy = copy_test_start(fixture, 1, snapshot);
    StepResult result = copy_test_run_steps(copy, &error);
    MUST(error == NULL);
    assert_int_equal(result, STEP_DONE);
    copy_free(copy);
}

static void *run_thread(void *user)
{
    GError *error = NULL;
    StepResult result = copy_test_run_steps(user, &error);
    if (error == NULL && result != STEP_DONE) {
        g_set_error(&error, DROVER_ERROR, DROVER_ERROR_BUG, "ended with %d", (int)result);
    }
    return error;
}

void copy_test_run_workers(CopyTest *fixture, const char *snapshot)
{
    Copy *copies[WORKERS];
    pthread_t threads[WORKERS];
    for (guint i = 0; i < WORKERS; i++) {
        copies[i] = copy_test_start(fixture, i + 1, snapshot);
    }
    for (guint i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, copies[i]), 0);
    }
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < WORKERS; i++) {
        void *failure = NULL;
        pthread_join(threads[i], &failure);
        copy_free(copies[i]);
        if (failure != NULL) {
            g_clear_error(&error);
            error = failure;
        }
    }
    MUST(error == NULL);
}

PGconn *copy_test_export_snapshot(CopyTest *fixture, char **snapshot)
{
    g_autoptr(GError) error = NULL;
    PGconn *connection = PQconnectdb(fixture->source->url);
    PQclear(PQexec(connection, "begin isolation level repeatable read"));
    PGresult *result = PQexec(connection, "select pg_export_snapshot()");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    Source *reader = pg_source_ops.connect(&fixture->source_endpoint, "drover test", &error);
    MUST(reader != NULL);
    MUST(*snapshot = copy_snapshot_text(&pg_source_ops, reader, PQgetvalue(result, 0, 0), &error));
    pg_source_ops.close(reader);
    PQclear(result);
    return connection;
}
