#include "tests/support/source_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/postgres/source.h"
#include "proto/error.h"
#include "schema/catalog_pg.h"
#include "schema/mapping.h"
#include "tests/support/must.h"

#include <string.h>

static const SourceOps *const ops = &pg_source_ops;

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

SourceBench *source_bench_new(const char *sql)
{
    GError *error = NULL;
    SourceBench *bench = g_new0(SourceBench, 1);
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

void source_bench_set_up(SourceBench *bench)
{
    GError *error = NULL;
    SourceStatus status;
    g_clear_pointer(&bench->snapshot, g_free);
    MUST(ops->setup(bench->source, bench->migration, &bench->migration->start,
                    &bench->migration->start_resume, &bench->snapshot, &error));
    MUST(ops->status(bench->source, bench->migration, false, &status, &error));
    g_free(bench->migration->source_identity);
    bench->migration->source_identity = status.identity;
}

void source_bench_stream(SourceBench *bench, Position from)
{
    g_autoptr(GError) error = NULL;
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    /* The server keeps the slot for a moment for a stream that was closed. */
    while (!ops->stream_start(bench->stream, bench->migration, from, NULL, false, &error)) {
        if (!drover_error_is_retry(error) || g_get_monotonic_time() > limit)
            fail_msg("%s", error->message);
        g_clear_error(&error);
    }
}

void source_bench_free(SourceBench *bench)
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

char *source_bench_commits(SourceBench *bench, guint n, Transaction *last)
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

SourceBench *source_bench_streaming(const char *sql)
{
    SourceBench *bench = source_bench_new(sql);
    source_bench_set_up(bench);
    source_bench_stream(bench, bench->migration->start);
    return bench;
}

const Table *source_bench_table(const SourceBench *bench, const char *name)
{
    for (guint i = 0; i < bench->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(bench->migration->tables, i);
        if (g_str_equal(table->source_name, name))
            return table;
    }
    fail_msg("no table %s", name);
    return NULL;
}
