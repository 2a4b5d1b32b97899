/*
 * Verify, driven table by table:
 *
 *   chunk digests, source then target (verify_chunk.c)
 *     -> unequal: hashes of the chunk's rows by key -> suspects
 *     -> suspects one by one, until proven (verify_keys.c)
 *     -> drover.difference, drover.verify, the report
 *
 * A source read is always made first; the target is read once apply's progress has passed its HIGH.
 */
#include "apply/verify_internal.h"

#include "proto/error.h"

#include <string.h>

#define DEFAULT_ROWS_PER_CHUNK 50000
#define LISTED_DIFFERENCES 1000u
#define POLL_INTERVAL (20 * 1000)        /* microseconds */
#define HEARTBEAT_INTERVAL (1000 * 1000) /* microseconds */
#define SLOW_PATIENCES 10                /* while apply advances, it is waited for longer */

static const char *const difference_names[] = {
    [DIFFERENCE_MISSING] = "missing",
    [DIFFERENCE_EXTRA] = "extra",
    [DIFFERENCE_DIFFERENT] = "different",
};

static void verify_table_free(gpointer data)
{
    VerifyTable *table = data;
    g_ptr_array_unref(table->differences);
    g_free(table);
}

void verify_report_free(VerifyReport *report)
{
    if (report != NULL) {
        g_ptr_array_unref(report->tables);
        g_free(report);
    }
}

bool verify_go_on(const Verify *verify, GError **error)
{
    if (!runtime_stopping(verify->settings->runtime)) {
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "verify was stopped before it had compared everything");
    return false;
}

/* --- Waiting for apply ------------------------------------------------------------------------ */

static bool emit_heartbeat(Verify *verify, GError **error)
{
    SourceStatus status = {0};
    bool good = verify->settings->source->status(verify->source, NULL, true, &status, error);
    g_free(status.identity);
    return good;
}

static bool apply_is_late(const Verify *verify, Position progress, Position needed, bool advanced,
                          GError **error)
{
    char is[POSITION_TEXT_SIZE], due[POSITION_TEXT_SIZE];
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "%s: %s: progress %s, needed %s; see `drover status`, then verify again",
                verify->table->label,
                advanced ? "apply is too far behind" : "apply is not running or is stuck",
                position_format(progress, is), position_format(needed, due));
    return false;
}

/* Positions of another server than the one that was read say nothing of what was seen there. */
static bool check_era(const Verify *verify, Position progress, GError **error)
{
    const Endpoint *source = verify->settings->migration->source;
    return !endpoint_is_mysql(source) || position_era(progress) <= source->era ||
           control_fail_era(source, error);
}

bool verify_wait_progress(Verify *verify, Position needed, GError **error)
{
    Runtime *runtime = verify->settings->runtime;
    gint64 patience = verify->settings->patience;
    gint64 start = runtime->now(runtime), moved = start, beat = start - HEARTBEAT_INTERVAL;
    Position last = {0, 0};
    for (;;) {
        Progress progress;
        if (!verify_go_on(verify, error) ||
            !control_progress_get(&verify->control, "apply", &progress, error)) {
            return false;
        }
        if (!check_era(verify, progress.position, error)) {
            return false;
        }
        if (position_compare(progress.position, needed) >= 0) {
            return true;
        }
        gint64 now = runtime->now(runtime);
        if (position_compare(progress.position, last) > 0) {
            last = progress.position;
            moved = now;
        }
        bool stuck = now - moved > patience;
        if (stuck || now - start > SLOW_PATIENCES * patience) {
            return apply_is_late(verify, progress.position, needed, !stuck, error);
        }
        if (now - beat >= HEARTBEAT_INTERVAL) {
            if (!emit_heartbeat(verify, error)) {
                return false;
            }
            beat = now;
        }
        runtime->wait(runtime, POLL_INTERVAL);
    }
}

static bool run_statement(Verify *verify, const char *sql, guint n, const char *const *values,
                          GError **error)
{
    g_autoptr(Answer) answer =
        verify->settings->target->execute(verify->target, sql, n, values, error);
    return answer != NULL;
}

bool verify_target_begin(Verify *verify, Position needed, GError **error)
{
    Progress progress;
    if (!run_statement(verify, "begin isolation level repeatable read read only", 0, NULL, error) ||
        !control_progress_get(&verify->control, "apply", &progress, error)) {
        return false;
    }
    if (position_compare(progress.position, needed) < 0) {
        char is[POSITION_TEXT_SIZE];
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "apply's progress went back to %s",
                    position_format(progress.position, is));
        return false;
    }
    if (position_is_zero(verify->report->position)) {
        verify->report->position = progress.position;
    }
    return true;
}

bool verify_target_end(Verify *verify, GError **error)
{
    return run_statement(verify, "commit", 0, NULL, error);
}

/* --- Results ---------------------------------------------------------------------------------- */

typedef struct KeyTexts {
    const Table *table;
    char *text;
} KeyTexts;

static bool take_key_text(void *user, const Row *key, guint64 hash, guint64 row_version,
                          GError **error)
{
    KeyTexts *texts = user;
    g_autoptr(GString) text = g_string_new("(");
    (void)hash;
    (void)row_version;
    (void)error;
    for (guint i = 0; i < key->n_cells; i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "",
                               texts->table->columns[texts->table->key[i]].name);
    }
    g_string_append(text, ")=(");
    for (guint i = 0; i < key->n_cells; i++) {
        g_string_append(text, i > 0 ? ", " : "");
        g_string_append_len(text, (const char *)key->cells[i].data, key->cells[i].length);
    }
    g_string_append(text, ")");
    g_free(texts->text);
    texts->text = g_string_free(g_steal_pointer(&text), FALSE);
    return true;
}

/* A key that is gone again can only be shown as its bytes. */
static char *packed_text(const Row *key)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    row_pack(key, packed);
    GString *text = g_string_new("key \\x");
    for (guint i = 0; i < packed->len; i++) {
        g_string_append_printf(text, "%02x", packed->data[i]);
    }
    return g_string_free(text, FALSE);
}

/* The database that has the row writes its key. */
static char *key_text(Verify *verify, DifferenceKind kind, const Row *key, GError **error)
{
    const VerifySettings *settings = verify->settings;
    KeyTexts texts = {.table = verify->table};
    ReadSink sink = {.hash = take_key_text, .user = &texts};
    ReadRequest request = {.kind = READ_HASHES,
                           .table = verify->table,
                           .keys = key,
                           .n_keys = 1,
                           .codec = verify->codec,
                           .key_texts = true};
    ReadBounds bounds = {0};
    bool good;
    if (kind == DIFFERENCE_EXTRA) {
        good = run_statement(verify, "begin read only", 0, NULL, error) &&
               settings->target->read(verify->target, &request, &sink, error) &&
               verify_target_end(verify, error);
    } else {
        good = settings->source->read_begin(verify->source, NULL, &bounds, error) &&
               settings->source->read(verify->source, &request, &sink, error) &&
               settings->source->read_end(verify->source, &bounds, error);
        read_bounds_clear(&bounds);
    }
    if (!good) {
        g_free(texts.text);
        return NULL;
    }
    return texts.text != NULL ? texts.text : packed_text(key);
}

bool verify_add_difference(Verify *verify, DifferenceKind kind, const Row *key, GError **error)
{
    VerifyTable *result = verify->result;
    gint64 *counts[] = {&result->missing, &result->extra, &result->different};
    ++*counts[kind];
    if (result->differences->len >= LISTED_DIFFERENCES) {
        return true;
    }
    g_autofree char *text = key_text(verify, kind, key, error);
    if (text == NULL) {
        return false;
    }
    g_ptr_array_add(result->differences, g_strdup_printf("%s %s", difference_names[kind], text));
    return control_difference_add(&verify->control, verify->table->id, difference_names[kind], text,
                                  error);
}

static bool store_start(Verify *verify, GError **error)
{
    g_autofree char *id = g_strdup_printf("%u", verify->table->id);
    const char *values[] = {verify->settings->migration->name, id};
    return run_statement(verify,
                         "delete from drover.difference where migration = $1 and table_id = $2", 2,
                         values, error) &&
           run_statement(verify, "delete from drover.verify where migration = $1 and table_id = $2",
                         2, values, error) &&
           run_statement(verify,
                         "insert into drover.verify (migration, table_id, state) "
                         "values ($1, $2, 'running')",
                         2, values, error);
}

static gint64 proven_differences(const VerifyTable *result)
{
    return result->missing + result->extra + result->different;
}

static bool store_end(Verify *verify, GError **error)
{
    const VerifyTable *result = verify->result;
    const gint64 numbers[] = {verify->table->id, result->rows_source, result->rows_target,
                              result->missing,   result->extra,       result->different,
                              result->unproven};
    const char *values[3 + G_N_ELEMENTS(numbers)];
    char position[POSITION_TEXT_SIZE], texts[G_N_ELEMENTS(numbers)][24];
    values[0] = verify->settings->migration->name;
    values[1] = proven_differences(result) > 0 ? "different"
                : result->unproven > 0         ? "unproven"
                                               : "equal";
    values[2] = position_format(verify->report->position, position);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_snprintf(texts[i], sizeof texts[i], "%" G_GINT64_FORMAT, numbers[i]);
        values[3 + i] = texts[i];
    }
    return run_statement(verify,
                         "update drover.verify set state = $2, position = $3, rows_source = $5, "
                         "rows_target = $6, missing = $7, extra = $8, different = $9, "
                         "backlog = $10, ended_at = now() where migration = $1 and table_id = $4",
                         G_N_ELEMENTS(values), values, error);
}

/* --- Tables ----------------------------------------------------------------------------------- */

static bool verify_table(Verify *verify, const Table *table, GError **error)
{
    VerifyTable *result = g_new0(VerifyTable, 1);
    result->table = table;
    result->differences = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(verify->report->tables, result);
    verify->table = table;
    verify->result = result;
    verify->suspects = suspect_set_new(table);
    bool good =
        store_start(verify, error) && verify_chunks(verify, error) && store_end(verify, error);
    g_clear_pointer(&verify->suspects, suspect_set_free);
    if (!good) {
        g_prefix_error(error, "verifying %s: ", table->label);
        return false;
    }
    if (proven_differences(result) > 0 || result->unproven > 0) {
        verify->report->pass = false;
    }
    return true;
}

/* Table * of the migration, not owned. */
static GPtrArray *choose_tables(const VerifySettings *settings, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    for (guint i = 0; i < settings->migration->tables->len; i++) {
        Table *table = g_ptr_array_index(settings->migration->tables, i);
        if (settings->only == NULL || strcmp(settings->only, table->label) == 0) {
            g_ptr_array_add(chosen, table);
        }
    }
    if (settings->only != NULL && chosen->len == 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "migration \"%s\" has no table %s; write it as \"schema.table\" of the source",
                    settings->migration->name, settings->only);
        return NULL;
    }
    return g_steal_pointer(&chosen);
}

static bool connect_sides(Verify *verify, GError **error)
{
    const VerifySettings *settings = verify->settings;
    g_autofree char *label = g_strdup_printf("drover %s verify", settings->migration->name);
    verify->source = settings->source->connect(settings->migration->source, label, error);
    if (verify->source == NULL) {
        return false;
    }
    verify->target = settings->target->connect(settings->migration->target, label, error);
    verify->control = (Control){settings->target, verify->target, settings->migration};
    return verify->target != NULL;
}

static bool verify_tables(Verify *verify, GPtrArray *tables, GError **error)
{
    const VerifySettings *settings = verify->settings;
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        if (!verify_go_on(verify, error) || !verify_table(verify, table, error)) {
            return false;
        }
        if (settings->on_table != NULL) {
            settings->on_table(settings->user, table, i + 1, tables->len);
        }
    }
    return true;
}

/* Do both databases write a row as the same text, so that each can digest its own? */
static bool has_common_text(const VerifySettings *settings)
{
    return strcmp(settings->source->engine, "postgresql") == 0 &&
           strcmp(settings->target->engine, "postgresql") == 0;
}

VerifyReport *verify_run(const VerifySettings *settings, GError **error)
{
    g_autoptr(GPtrArray) tables = choose_tables(settings, error);
    if (tables == NULL) {
        return NULL;
    }
    g_autoptr(VerifyReport) report = g_new0(VerifyReport, 1);
    report->pass = true;
    report->tables = g_ptr_array_new_with_free_func(verify_table_free);
    Verify verify = {
        .settings = settings,
        .rows_per_chunk =
            settings->rows_per_chunk > 0 ? settings->rows_per_chunk : DEFAULT_ROWS_PER_CHUNK,
        .codec = !has_common_text(settings),
        .report = report,
    };
    bool good = connect_sides(&verify, error) && verify_tables(&verify, tables, error);
    if (verify.target != NULL) {
        settings->target->close(verify.target);
    }
    if (verify.source != NULL) {
        settings->source->close(verify.source);
    }
    return good ? g_steal_pointer(&report) : NULL;
}
