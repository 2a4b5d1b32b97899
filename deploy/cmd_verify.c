#include "apply/verify.h"
#include "deploy/command.h"
#include "deploy/context.h"
#include "deploy/log.h"
#include "deploy/signals.h"
#include "deploy/stored.h"
#include "deploy/text.h"
#include "proto/error.h"
#include "schema/check.h"

#include <unistd.h>

enum { KEYS_SHOWN = 20 };

typedef struct VerifyOptions {
    char *table, *sample, *since;
    gint64 rows_per_chunk;
    double patience;
    gboolean repair;
} VerifyOptions;

/* "PASS", or how a table failed. */
static const char *table_state(const VerifyTable *table)
{
    if (table->missing + table->extra + table->different > 0)
        return "different";
    return table->unproven > 0 ? "unproven" : "equal";
}

static json_t *table_json(const VerifyTable *table)
{
    json_t *keys = json_array();

    for (guint i = 0; table->differences != NULL && i < table->differences->len; i++)
        json_array_append_new(keys, json_string(g_ptr_array_index(table->differences, i)));
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:s, s:o}", "table",
                     table->table->label, "rows_source", (json_int_t)table->rows_source,
                     "rows_target", (json_int_t)table->rows_target, "missing",
                     (json_int_t)table->missing, "extra", (json_int_t)table->extra, "different",
                     (json_int_t)table->different, "repaired", 0, "unproven",
                     (json_int_t)table->unproven, "reverified", (json_int_t)table->reverified,
                     "state", table_state(table), "differences", keys);
}

static json_t *report_json(const VerifyReport *report)
{
    json_t *tables = json_array();
    char position[POSITION_TEXT_SIZE];

    for (guint i = 0; i < report->tables->len; i++)
        json_array_append_new(tables, table_json(g_ptr_array_index(report->tables, i)));
    return json_pack("{s:s, s:s, s:o}", "result", report->pass ? "PASS" : "FAIL", "position",
                     position_format(report->position, position), "tables", tables);
}

static void print_keys(const VerifyTable *table, FILE *out)
{
    guint n = table->differences != NULL ? table->differences->len : 0;

    for (guint i = 0; i < MIN(n, KEYS_SHOWN); i++)
        fprintf(out, "  %s: %s\n", table->table->label,
                (const char *)g_ptr_array_index(table->differences, i));
    if (n > KEYS_SHOWN)
        fprintf(out, "  %s: and %u more, in drover.difference on the target\n", table->table->label,
                n - KEYS_SHOWN);
}

static void report_print(const VerifyReport *report, FILE *out)
{
    g_autoptr(TextTable) text = text_table_new(8);
    char position[POSITION_TEXT_SIZE];

    text_table_row(text, "TABLE", "SOURCE", "TARGET", "MISSING", "EXTRA", "DIFFERENT", "UNPROVEN",
                   "STATE");
    for (guint i = 0; i < report->tables->len; i++) {
        const VerifyTable *table = g_ptr_array_index(report->tables, i);
        const gint64 numbers[] = {table->rows_source, table->rows_target, table->missing,
                                  table->extra,       table->different,   table->unproven};
        char *cells[G_N_ELEMENTS(numbers)];
        for (guint n = 0; n < G_N_ELEMENTS(numbers); n++)
            cells[n] = text_count(numbers[n]);
        text_table_row(text, table->table->label, cells[0], cells[1], cells[2], cells[3], cells[4],
                       cells[5], table_state(table));
        for (guint n = 0; n < G_N_ELEMENTS(numbers); n++)
            g_free(cells[n]);
    }
    text_table_print(text, out);
    for (guint i = 0; i < report->tables->len; i++)
        print_keys(g_ptr_array_index(report->tables, i), out);
    fprintf(out, "result: %s at %s\n", report->pass ? "PASS" : "FAIL",
            position_format(report->position, position));
}

/* --- What is compared ------------------------------------------------------------------------- */

static bool load(Context *context, GError **error)
{
    if (!context_connect(context, "verify", error))
        return false;
    g_autoptr(Stored) stored = stored_find(&context->control, error);
    if (stored == NULL || !stored_fill(stored, context->migration, error))
        return false;
    if (stored->consistent_position == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "migration %s is in phase %s: there is nothing to compare before its copy is "
                    "done",
                    context->migration->name, stored->phase);
        return false;
    }
    g_autoptr(Preflight) found =
        check_preflight(context->migration, context->config->lines, true, error);
    return found != NULL && stored_match_tables(&context->control, context->migration, error);
}

static bool check_table(const Context *context, const char *name, GError **error)
{
    const GPtrArray *tables = context->migration->tables;

    for (guint i = 0; name != NULL && i < tables->len; i++)
        if (g_strcmp0(((const Table *)g_ptr_array_index(tables, i))->label, name) == 0)
            return true;
    if (name != NULL)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "--table: migration %s does not move a table %s (schema.table of the source)",
                    context->migration->name, name);
    return name == NULL;
}

static void on_table(void *user, const Table *table, guint done, guint total)
{
    const bool *terminal = user;
    g_autofree char *of = g_strdup_printf("%u of %u", done, total);
    g_autofree char *text = g_strdup_printf("verify  %s tables  %s", of, table->label);

    if (*terminal)
        log_show(text);
    else
        log_event(G_LOG_LEVEL_INFO, "verify", "table", table->label, "tables", of, NULL);
}

static VerifyReport *run_verify(Context *context, const VerifyOptions *options, bool terminal,
                                GError **error)
{
    Runtime runtime;
    const VerifySettings settings = {.migration = context->migration,
                                     .source = context->source,
                                     .target = context->target,
                                     .runtime = &runtime,
                                     .rows_per_chunk = options->rows_per_chunk,
                                     .patience = (gint64)(options->patience * G_USEC_PER_SEC),
                                     .only = options->table,
                                     .on_table = on_table,
                                     .user = &terminal};

    runtime_init(&runtime);
    signals_watch(&runtime);
    VerifyReport *report = verify_run(&settings, error);
    signals_forget();
    if (terminal)
        log_show(NULL);
    return report;
}

static bool check_options(const VerifyOptions *options, GError **error)
{
    const char *later = options->repair   ? "--repair"
                        : options->sample ? "--sample"
                        : options->since  ? "--since"
                                          : NULL;
    if (later != NULL)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "not supported yet: verify %s", later);
    else if (options->rows_per_chunk < 0 || options->patience < 0)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "--rows-per-chunk and --patience are not negative");
    else
        return true;
    return false;
}

static int verify(CommandLine *line, const VerifyOptions *options, GError **error)
{
    bool terminal = isatty(fileno(line->err)) == 1 && !line->json;

    if (!check_options(options, error))
        return 0;
    g_autoptr(Context) context = context_new(line->file, error);
    if (context == NULL || !load(context, error) || !check_table(context, options->table, error))
        return 0;
    g_autoptr(VerifyReport) report = run_verify(context, options, terminal, error);
    if (report == NULL)
        return 0;
    if (line->json)
        command_print_json(line, report_json(report));
    else
        report_print(report, line->out);
    return report->pass ? 0 : 1;
}

int cmd_verify(CommandLine *line, GError **error)
{
    VerifyOptions options = {.patience = 60};
    const GOptionEntry entries[] = {
        {"table", 0, 0, G_OPTION_ARG_STRING, &options.table, "only this table of the source",
         "SCHEMA.TABLE"},
        {"rows-per-chunk", 0, 0, G_OPTION_ARG_INT64, &options.rows_per_chunk,
         "rows that one digest covers (default 50000)", "N"},
        {"patience", 0, 0, G_OPTION_ARG_DOUBLE, &options.patience,
         "how long a key in motion, or apply, is waited for (default 60)", "SECONDS"},
        {"repair", 0, 0, G_OPTION_ARG_NONE, &options.repair, "not supported yet", NULL},
        {"sample", 0, 0, G_OPTION_ARG_STRING, &options.sample, "not supported yet", "SHARE"},
        {"since", 0, 0, G_OPTION_ARG_STRING, &options.since, "not supported yet", "TIME"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    int status = 0;

    CommandParsed parsed =
        command_parse(line, "Compares every row of both sides while they change.", entries, error);
    if (parsed == COMMAND_GO)
        status = verify(line, &options, error);
    g_free(options.table);
    g_free(options.sample);
    g_free(options.since);
    return status;
}
