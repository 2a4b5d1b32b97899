#include "schema/check.h"
#include "schema/catalog_mysql.h"
#include "schema/catalog_pg.h"
#include "schema/check_internal.h"
#include "schema/ddl.h"
#include "schema/mapping.h"
#include "schema/type_map.h"

#include <string.h>

static void finding_free(Finding *finding)
{
    g_free(finding->name);
    g_free(finding->text);
    g_free(finding->remedy);
    g_free(finding);
}

void preflight_free(Preflight *preflight)
{
    if (preflight == NULL)
        return;
    g_clear_pointer(&preflight->findings, g_ptr_array_unref);
    g_clear_pointer(&preflight->not_moved, g_ptr_array_unref);
    g_free(preflight->source_version);
    g_free(preflight->target_version);
    g_free(preflight->source_identity);
    g_free(preflight);
}

bool preflight_passes(const Preflight *preflight)
{
    for (guint i = 0; i < preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(preflight->findings, i);
        if (finding->level == FINDING_FAIL)
            return false;
    }
    return true;
}

void preflight_add(Preflight *preflight, FindingLevel level, const char *name, const char *text,
                   const char *remedy)
{
    Finding *finding = g_new0(Finding, 1);
    *finding = (Finding){level, g_strdup(name), g_strdup(text), g_strdup(remedy)};
    g_ptr_array_add(preflight->findings, finding);
}

void check_add(Check *check, FindingLevel level, const char *name, const char *remedy,
               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    preflight_add(check->preflight, level, name, text, remedy);
}

void check_add_missing(Check *check, const char *name, const char *account, GPtrArray *statements)
{
    guint missing = statements->len;
    if (missing == 0) {
        check_add(check, FINDING_PASS, name, NULL, "%s has the privileges that drover needs",
                  account);
        return;
    }
    g_autoptr(GString) remedy = g_string_new(NULL);
    for (guint i = 0; i < missing; i++)
        g_string_append_printf(remedy, "%s%s", i > 0 ? " " : "",
                               (const char *)g_ptr_array_index(statements, i));
    check_add(check, FINDING_FAIL, name, remedy->str, "%s lacks %u privilege%s", account, missing,
              missing == 1 ? "" : "s");
}

/* Names a sentence about a table after the table, and cuts the statement off that stands on a line
 * of its own. */
static void add_sentence(Check *check, FindingLevel level, const char *sentence)
{
    g_autofree char *name = g_strdup("mapping");
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        gsize length = strlen(table->label);
        if (strncmp(sentence, table->label, length) == 0 && sentence[length] == ':') {
            g_free(name);
            name = g_strdup_printf("table.%s", table->label);
            break;
        }
    }
    g_auto(GStrv) lines = g_strsplit(sentence, "\n", 2);
    check_add(check, level, name, lines[1], "%s", lines[0]);
}

static void add_sizes(Check *check)
{
    Preflight *preflight = check->preflight;
    const GPtrArray *tables = check->migration->tables;
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        preflight->rows += table->estimated_rows;
        preflight->bytes += table->bytes;
    }
    g_autofree char *size = g_format_size_full((guint64)preflight->bytes, G_FORMAT_SIZE_IEC_UNITS);
    check_add(check, FINDING_PASS, "source.tables", NULL,
              "%u tables with about %" G_GINT64_FORMAT " rows and %s", tables->len, preflight->rows,
              size);
}

static void add_sentences(Check *check, FindingLevel level, const GPtrArray *sentences)
{
    for (guint i = 0; i < sentences->len; i++)
        add_sentence(check, level, g_ptr_array_index(sentences, i));
}

/* What the tables' columns become on the target. */
static void map_types(Check *check, GPtrArray *problems, GPtrArray *warnings)
{
    const GPtrArray *tables = check->migration->tables;
    for (guint i = 0; i < tables->len; i++)
        type_map_table(g_ptr_array_index(tables, i), check->source_product, check->target_product,
                       problems, warnings);
}

static bool check_tables(Check *check, GPtrArray *lines, GError **error)
{
    const Server *source = check->source;
    g_autoptr(GPtrArray) catalog = source->pg != NULL ? catalog_pg_tables(source->pg, error)
                                                      : catalog_mysql_tables(source->mysql, error);
    if (catalog == NULL)
        return false;
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    Migration *migration = check->migration;
    g_clear_pointer(&migration->tables, g_ptr_array_unref);
    migration->tables = mapping_resolve(catalog, lines, problems);
    mapping_check_names(migration->tables, product_speaks_mysql(check->target_product), problems);
    map_types(check, problems, warnings);
    add_sentences(check, FINDING_FAIL, problems);
    add_sentences(check, FINDING_WARN, warnings);
    if (migration->tables->len == 0 && problems->len == 0)
        check_add(check, FINDING_FAIL, "mapping", NULL, "the source has no table to move");
    else
        add_sizes(check);
    check->preflight->not_moved = source->pg != NULL
                                      ? catalog_pg_not_moved(source->pg, error)
                                      : catalog_mysql_not_moved(source->mysql, error);
    return check->preflight->not_moved != NULL;
}

static void add_target_names(Check *check)
{
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        GString *name = g_string_new(NULL);
        pg_append_qualified(name, table->target_schema, table->target_name);
        g_ptr_array_add(check->relations, g_string_free(name, FALSE));
    }
}

const Table *check_find_moved(const Check *check, const char *schema, const char *name)
{
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        if (strcmp(table->source_schema, schema) == 0 && strcmp(table->source_name, name) == 0)
            return table;
    }
    return NULL;
}

static bool has_table_problem(const Check *check)
{
    for (guint i = 0; i < check->preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(check->preflight->findings, i);
        if (finding->level == FINDING_FAIL &&
            (g_str_has_prefix(finding->name, "table.") || strcmp(finding->name, "mapping") == 0))
            return true;
    }
    return false;
}

/* What the target will get, and what not. Only tables without a problem can be planned; of the
 * others the names are known. */
static bool check_plan(Check *check, GError **error)
{
    if (has_table_problem(check)) {
        add_target_names(check);
        return true;
    }
    g_autoptr(GPtrArray) left_out = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) steps = ddl_plan_full(
        check->source, check->target, check->migration->tables, left_out, check->relations, error);
    if (steps == NULL)
        return false;
    add_sentences(check, FINDING_WARN, left_out);
    return true;
}

static bool check_source(Check *check, bool *readable, GError **error)
{
    return check->source->pg != NULL ? check_source_pg(check, readable, error)
                                     : check_source_mysql(check, readable, error);
}

static bool check_source_tables(Check *check, GError **error)
{
    return check->source->pg != NULL ? check_source_pg_tables(check, error)
                                     : check_source_mysql_tables(check, error);
}

static bool check_target(Check *check, GError **error)
{
    if (check->target->pg == NULL)
        return check_target_mysql(check, error);
    return check_target_pg(check, error) &&
           (check->source->pg != NULL ? check_collations_pg(check, error)
                                      : check_collations_mysql(check, error));
}

static bool check_all(Check *check, GPtrArray *lines, GError **error)
{
    bool readable = false;
    if (!check_source(check, &readable, error))
        return false;
    return !readable || (check_tables(check, lines, error) && check_source_tables(check, error) &&
                         check_plan(check, error) && check_target(check, error));
}

static char *version_of(const Server *server)
{
    return g_strdup_printf("%s %s", server_product(server), server->version_text);
}

/* Both sides are tried, so that one run tells about both. */
static bool connect_both(Check *check, GError **error)
{
    GError *source_error = NULL, *target_error = NULL;
    g_autofree char *label = g_strdup_printf("drover %s plan", check->migration->name);
    check->source = server_open(check->migration->source, label, &source_error);
    check->target = server_open(check->migration->target, label, &target_error);
    if (source_error != NULL && target_error != NULL) {
        g_autofree char *both = g_strdup_printf("; %s", target_error->message);
        char *message = g_strconcat(source_error->message, both, NULL);
        g_free(source_error->message);
        source_error->message = message;
        g_clear_error(&target_error);
    }
    if (source_error == NULL && target_error == NULL) {
        check->preflight->source_version = version_of(check->source);
        check->preflight->target_version = version_of(check->target);
        check->source_product = product_of(check->source, error);
        check->target_product =
            check->source_product != NULL ? product_of(check->target, error) : NULL;
        return check->target_product != NULL;
    }
    g_propagate_error(error, source_error != NULL ? source_error : target_error);
    return false;
}

Preflight *check_preflight(Migration *migration, GPtrArray *lines, bool started, GError **error)
{
    Check check = {.migration = migration, .started = started};
    check.relations = g_ptr_array_new_with_free_func(g_free);
    check.preflight = g_new0(Preflight, 1);
    check.preflight->findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
    bool done = connect_both(&check, error);
    if (done && !check_all(&check, lines, error)) {
        g_prefix_error(error, "preflight: ");
        done = false;
    }
    product_free(check.source_product);
    product_free(check.target_product);
    g_clear_pointer(&check.source, server_close);
    g_clear_pointer(&check.target, server_close);
    g_ptr_array_unref(check.relations);
    g_free(check.source_encoding);
    if (!done) {
        preflight_free(check.preflight);
        return NULL;
    }
    if (check.preflight->not_moved == NULL)
        check.preflight->not_moved = g_ptr_array_new_with_free_func(g_free);
    if (migration->tables == NULL)
        migration->tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    return check.preflight;
}
