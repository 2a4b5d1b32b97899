#include "tests/support/mysql_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture/mysql/source.h"
#include "schema/catalog_mysql.h"
#include "schema/mapping.h"
#include "tests/support/must.h"

#define LIMIT (30 * G_USEC_PER_SEC)

static const SourceOps *const ops = &mysql_source_ops;

static GPtrArray *read_tables(MysqlScratch *scratch)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func((GDestroyNotify)mapping_line_free);
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
    MappingLine *line = g_new0(MappingLine, 1);
    line->source = g_strdup_printf("%s.*", scratch->name);
    line->exclude = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(line->exclude, g_strdup_printf("%s.other*", scratch->name));
    g_ptr_array_add(lines, line);
    GPtrArray *catalog;
    MUST(catalog = catalog_mysql_tables(scratch->mysql, &error));
    GPtrArray *tables = mapping_resolve(catalog, lines, findings);
    g_ptr_array_unref(catalog);
    if (findings->len > 0)
        fail_msg("%s", (const char *)findings->pdata[0]);
    return tables;
}

/* ---- life ---- */

void mysql_bench_run(MysqlBench *bench, const char *sql)
{
    g_auto(GStrv) statements = g_strsplit(sql, ";\n", -1);
    for (guint i = 0; statements[i]; i++)
        if (statements[i][0])
            mysql_scratch_run(bench->scratch, "%s", statements[i]);
}

MysqlBench *mysql_bench_new(const char *variable, const char *sql)
{
    GError *error = NULL;
    MysqlBench *bench = g_new0(MysqlBench, 1);
    bench->scratch = mysql_scratch_new(variable);
    mysql_bench_run(bench, sql);
    Migration *migration = bench->migration = g_new0(Migration, 1);
    migration->name = g_strdup("shop");
    migration->uuid = g_uuid_string_random();
    migration->slot = g_strdup_printf("drover_%s", bench->scratch->name);
    migration->source = g_new0(Endpoint, 1);
    migration->source->side = g_strdup("source");
    migration->source->engine = g_strdup("mysql");
    migration->source->url = g_strdup(bench->scratch->endpoint.url);
    migration->source->label = g_strdup("source test");
    migration->tables = read_tables(bench->scratch);
    MUST(bench->source = ops->connect(migration->source, "drover test", &error));
    MUST(bench->stream = ops->connect(migration->source, "drover test stream", &error));
    return bench;
}

void mysql_bench_set_up(MysqlBench *bench)
{
    GError *error = NULL;
    SourceStatus status;
    char *snapshot = NULL;
    Migration *migration = bench->migration;
    g_clear_pointer(&migration->start_resume, g_free);
    MUST(ops->setup(bench->source, migration, &migration->start, &migration->start_resume,
                    &snapshot, &error));
    assert_null(snapshot);
    MUST(ops->status(bench->source, migration, false, &status, &error));
    g_free(migration->source_identity);
    migration->source_identity = status.identity;
}

void mysql_bench_stream(MysqlBench *bench, Position from, const char *resume)
{
    GError *error = NULL;
    bench->seen = from;
    MUST(ops->stream_start(bench->stream, bench->migration, from, resume, false, &error));
}

MysqlBench *mysql_bench_streaming(const char *variable, const char *sql)
{
    MysqlBench *bench = mysql_bench_new(variable, sql);
    mysql_bench_set_up(bench);
    mysql_bench_stream(bench, bench->migration->start, bench->migration->start_resume);
    return bench;
}

void mysql_bench_free(MysqlBench *bench)
{
    GError *error = NULL;
    ops->close(bench->stream);
    MUST(ops->drop(bench->source, bench->migration, &error));
    ops->close(bench->source);
    migration_free(bench->migration);
    mysql_scratch_free(bench->scratch);
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
    } else if (column->type_oid == 25 || column->type_oid == 1043 || column->type_oid == 114)
        g_string_append_printf(text, "%.*s", (int)MIN(cell->length, 24), cell->data);
    else
        for (guint i = 0; i < MIN(cell->length, 24); i++)
            g_string_append_printf(text, "%02x", cell->data[i]);
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
    if (change->operation == OPERATION_TRUNCATE) {
        assert_int_equal(event->n_truncated, 1);
        assert_int_equal(event->truncated[0], change->table);
    }
    if (change->old_key.n_cells > 0) {
        g_string_append(text, " old");
        print_row(text, table, &change->old_key, true);
    }
    print_row(text, table, &change->row, false);
    g_string_append(text, "\n");
}

/* What a caller may rely on, whatever comes. */
static void check_order(bool *open, StreamResult result)
{
    if (result == STREAM_BEGIN)
        assert_false(*open);
    if (result == STREAM_CHANGE || result == STREAM_COMMIT)
        assert_true(*open);
    if (result == STREAM_POSITION)
        assert_false(*open);
    if (result == STREAM_BEGIN || result == STREAM_COMMIT)
        *open = result == STREAM_BEGIN;
}

typedef struct Reading {
    MysqlBench *bench;
    GString *text;
    bool open;
    gint64 limit;
    StreamEvent event;
} Reading;

static StreamResult read_one(Reading *reading, GError **error)
{
    StreamResult result = ops->stream_next(reading->bench->stream, 100, &reading->event, error);
    if (g_get_monotonic_time() > reading->limit)
        fail_msg("what is waited for did not come; so far: %s", reading->text->str);
    check_order(&reading->open, result);
    if (result == STREAM_CHANGE)
        print_change(reading->text, reading->bench->migration, &reading->event);
    if (result == STREAM_COMMIT || result == STREAM_POSITION) {
        assert_true(position_compare(reading->event.position, reading->bench->seen) >= 0);
        assert_non_null(reading->event.resume);
        reading->bench->seen = reading->event.position;
    }
    return result;
}

static Reading start_reading(MysqlBench *bench)
{
    return (Reading){
        .bench = bench, .text = g_string_new(NULL), .limit = g_get_monotonic_time() + LIMIT};
}

char *mysql_bench_commits(MysqlBench *bench, guint n, Transaction *last, char **resume)
{
    GError *error = NULL;
    Reading reading = start_reading(bench);
    for (guint commits = 0; commits < n;) {
        StreamResult result = read_one(&reading, &error);
        if (result == STREAM_FAILED)
            fail_msg("%s", error->message);
        if (result != STREAM_COMMIT || ++commits < n)
            continue;
        if (last)
            *last = reading.event.transaction;
        if (resume)
            *resume = g_strdup(reading.event.transaction.resume);
    }
    return g_string_free(reading.text, false);
}

char *mysql_bench_rest(MysqlBench *bench)
{
    GError *error = NULL;
    SourceStatus status;
    Reading reading = start_reading(bench);
    MUST(ops->status(bench->source, bench->migration, true, &status, &error));
    g_free(status.identity);
    while (position_compare(bench->seen, status.head) < 0) {
        StreamResult result = read_one(&reading, &error);
        if (result == STREAM_FAILED)
            fail_msg("%s; so far: %s", error->message, reading.text->str);
        if (result == STREAM_COMMIT)
            g_string_append(reading.text, "commit\n");
    }
    return g_string_free(reading.text, false);
}

GError *mysql_bench_failure(MysqlBench *bench)
{
    GError *error = NULL;
    Reading reading = start_reading(bench);
    while (read_one(&reading, &error) != STREAM_FAILED)
        ;
    g_string_free(reading.text, true);
    return error;
}

const Table *mysql_bench_table(const MysqlBench *bench, const char *name)
{
    for (guint i = 0; i < bench->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(bench->migration->tables, i);
        if (g_str_equal(table->source_name, name))
            return table;
    }
    fail_msg("no table %s", name);
    return NULL;
}
