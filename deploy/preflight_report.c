#include "deploy/preflight_report.h"

#include "deploy/text.h"

#define COPY_BYTES_PER_SECOND (50 * 1024 * 1024)

const char preflight_assumption[] =
    "50 MiB/s from source to target over all workers, as many bytes on the target as on the source";

static const char *const level_names[] = {"PASS", "WARN", "FAIL"};

guint preflight_count(const Preflight *preflight, FindingLevel level)
{
    guint n = 0;
    for (guint i = 0; i < preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(preflight->findings, i);
        n += finding->level == level;
    }
    return n;
}

PlanEstimate preflight_estimate(const Preflight *preflight)
{
    return (PlanEstimate){.copy_seconds = preflight->bytes / COPY_BYTES_PER_SECOND + 1,
                          .disk_bytes = preflight->bytes};
}

/* A statement or command a line. */
static void print_remedy(const char *remedy, FILE *out)
{
    g_auto(GStrv) lines = g_strsplit(remedy != NULL ? remedy : "", "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        fprintf(out, "      -> %s\n", lines[i]);
}

void preflight_print_findings(const Preflight *preflight, FindingLevel least, FILE *out)
{
    for (FindingLevel level = least; level <= FINDING_FAIL; level++) {
        for (guint i = 0; i < preflight->findings->len; i++) {
            const Finding *finding = g_ptr_array_index(preflight->findings, i);
            if (finding->level != level)
                continue;
            fprintf(out, "%s  %s: %s\n", level_names[level], finding->name, finding->text);
            print_remedy(finding->remedy, out);
        }
    }
}

static char *key_text(const Table *table)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < table->n_key; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", table->columns[table->key[i]].name);
    return g_string_free(text, FALSE);
}

static void print_mapping(const GPtrArray *tables, FILE *out)
{
    g_autoptr(TextTable) text = text_table_new(5);

    text_table_row(text, "SOURCE", "TARGET", "ROWS", "SIZE", "KEY");
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        g_autofree char *target =
            g_strdup_printf("%s.%s", table->target_schema, table->target_name);
        g_autofree char *rows = text_count(MAX(table->estimated_rows, 0));
        g_autofree char *bytes = text_bytes(MAX(table->bytes, 0));
        g_autofree char *key = key_text(table);
        text_table_row(text, table->label, target, rows, bytes, key);
    }
    text_table_print(text, out);
}

static void print_sides(const Migration *migration, const Preflight *preflight, FILE *out)
{
    fprintf(out, "migration %s\n  %s (%s)\n  %s (%s)\n", migration->name, migration->source->label,
            preflight->source_version != NULL ? preflight->source_version : "version unknown",
            migration->target->label,
            preflight->target_version != NULL ? preflight->target_version : "version unknown");
}

void preflight_print(const Migration *migration, const Preflight *preflight, FILE *out)
{
    PlanEstimate estimate = preflight_estimate(preflight);
    g_autofree char *rows = text_count(preflight->rows);
    g_autofree char *bytes = text_bytes(preflight->bytes);
    g_autofree char *disk = text_bytes(estimate.disk_bytes);
    g_autofree char *duration = text_duration((double)estimate.copy_seconds);
    guint failures = preflight_count(preflight, FINDING_FAIL);

    print_sides(migration, preflight, out);
    fputs("\n", out);
    preflight_print_findings(preflight, FINDING_PASS, out);
    if (migration->tables != NULL && migration->tables->len > 0) {
        fprintf(out, "\n%u tables, about %s rows, %s\n", migration->tables->len, rows, bytes);
        print_mapping(migration->tables, out);
    }
    if (preflight->not_moved->len > 0)
        fputs("\nnot moved:\n", out);
    for (guint i = 0; i < preflight->not_moved->len; i++)
        fprintf(out, "  %s\n", (const char *)g_ptr_array_index(preflight->not_moved, i));
    fprintf(out, "\ncopy: about %s, %s of disk on the target (assuming %s)\n", duration, disk,
            preflight_assumption);
    if (failures > 0)
        fprintf(out, "result: FAIL, %u to mend before `drover run`\n", failures);
    else
        fprintf(out, "result: PASS, %u warnings\n", preflight_count(preflight, FINDING_WARN));
}

static json_t *findings_json(const Preflight *preflight)
{
    json_t *list = json_array();
    for (guint i = 0; i < preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(preflight->findings, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?}", "level",
                                              level_names[finding->level], "name", finding->name,
                                              "text", finding->text, "remedy", finding->remedy));
    }
    return list;
}

static json_t *mapping_json(const GPtrArray *tables)
{
    json_t *list = json_array();
    for (guint i = 0; tables != NULL && i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        g_autofree char *target =
            g_strdup_printf("%s.%s", table->target_schema, table->target_name);
        json_t *key = json_array();
        for (guint k = 0; k < table->n_key; k++)
            json_array_append_new(key, json_string(table->columns[table->key[k]].name));
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:o}", "source", table->label,
                                              "target", target, "rows",
                                              (json_int_t)MAX(table->estimated_rows, 0), "bytes",
                                              (json_int_t)MAX(table->bytes, 0), "key", key));
    }
    return list;
}

json_t *preflight_json(const Migration *migration, const Preflight *preflight)
{
    PlanEstimate estimate = preflight_estimate(preflight);
    json_t *not_moved = json_array();

    for (guint i = 0; i < preflight->not_moved->len; i++)
        json_array_append_new(not_moved, json_string(g_ptr_array_index(preflight->not_moved, i)));
    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:I, s:I, s:{s:I, s:I, s:s}}", "migration",
        migration->name, "result", preflight_passes(preflight) ? "PASS" : "FAIL", "source_version",
        preflight->source_version, "target_version", preflight->target_version, "findings",
        findings_json(preflight), "mapping", mapping_json(migration->tables), "not_moved",
        not_moved, "rows", (json_int_t)preflight->rows, "bytes", (json_int_t)preflight->bytes,
        "estimate", "copy_seconds", (json_int_t)estimate.copy_seconds, "disk_bytes",
        (json_int_t)estimate.disk_bytes, "assumption", preflight_assumption);
}
