#include "schema/check.h"
#include "schema/catalog_pg.h"
#include "schema/check_internal.h"
#include "schema/ddl.h"
#include "schema/mapping.h"
#include "schema/sql/embedded.h"

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

static FindingLevel level_of(const char *word)
{
    if (strcmp(word, "pass") == 0)
        return FINDING_PASS;
    return strcmp(word, "warn") == 0 ? FINDING_WARN : FINDING_FAIL;
}

bool check_add_rows(Check *check, PGconn *connection, const char *sql, int n,
                    const char *const *values, GError **error)
{
    g_autoptr(PGresult) result = pg_query_params(connection, sql, n, values, error);
    if (result == NULL)
        return false;
    for (int row = 0; row < PQntuples(result); row++)
        check_add(check, level_of(PQgetvalue(result, row, 0)), PQgetvalue(result, row, 1),
                  PQgetisnull(result, row, 3) ? NULL : PQgetvalue(result, row, 3), "%s",
                  PQgetvalue(result, row, 2));
    return true;
}

bool check_add_missing(Check *check, PGconn *connection, const char *name, const char *sql, int n,
                       const char *const *values, GError **error)
{
    g_autoptr(PGresult) result = pg_query_params(connection, sql, n, values, error);
    if (result == NULL)
        return false;
    int missing = PQntuples(result);
    if (missing == 0) {
        check_add(check, FINDING_PASS, name, NULL, "role %s has the privileges that drover needs",
                  PQuser(connection));
        return true;
    }
    g_autoptr(GString) remedy = g_string_new(NULL);
    for (int row = 0; row < missing; row++)
        g_string_append_printf(remedy, "%s%s", row > 0 ? " " : "", PQgetvalue(result, row, 0));
    check_add(check, FINDING_FAIL, name, remedy->str, "role %s lacks %d privilege%s",
              PQuser(connection), missing, missing == 1 ? "" : "s");
    return true;
}

/* "15.20 (Debian ...)" is 15.20. */
static char *short_version(const char *version)
{
    return g_strndup(version, strcspn(version, " "));
}

static bool read_identity(Check *check, GError **error)
{
    g_autoptr(PGresult) result = pg_query(check->source, embedded_check_identity, error);
    if (result == NULL)
        return false;
    Preflight *preflight = check->preflight;
    preflight->source_identity = g_strdup(PQgetvalue(result, 0, 0));
    preflight->source_version = short_version(PQgetvalue(result, 0, 1));
    check->source_encoding = g_strdup(PQgetvalue(result, 0, 2));
    preflight->target_version = short_version(PQparameterStatus(check->target, "server_version"));
    return true;
}

static bool check_source(Check *check, GError **error)
{
    const char *started = check->started ? "true" : "false";
    const char *values[] = {check->migration->slot, started};
    return check_add_rows(check, check->source, embedded_check_source, 2, values, error);
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

static bool check_tables(Check *check, GPtrArray *lines, GError **error)
{
    g_autoptr(GPtrArray) catalog = catalog_pg_tables(check->source, error);
    if (catalog == NULL)
        return false;
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
    Migration *migration = check->migration;
    g_clear_pointer(&migration->tables, g_ptr_array_unref);
    migration->tables = mapping_resolve(catalog, lines, findings);
    for (guint i = 0; i < findings->len; i++)
        add_sentence(check, FINDING_FAIL, g_ptr_array_index(findings, i));
    if (migration->tables->len == 0 && findings->len == 0)
        check_add(check, FINDING_FAIL, "mapping", NULL, "the source has no table to move");
    else
        add_sizes(check);
    check->preflight->not_moved = catalog_pg_not_moved(check->source, error);
    return check->preflight->not_moved != NULL;
}

static bool check_source_privileges(Check *check, GError **error)
{
    g_autofree char *oids = catalog_pg_oids(check->migration->tables);
    const char *values[] = {oids, check->started ? "true" : "false"};
    return check_add_missing(check, check->source, "source.privileges",
                             embedded_check_source_privileges, 2, values, error);
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
    g_autoptr(GPtrArray) steps =
        ddl_plan_full(check->source, check->migration->tables, left_out, check->relations, error);
    if (steps == NULL)
        return false;
    for (guint i = 0; i < left_out->len; i++)
        add_sentence(check, FINDING_WARN, g_ptr_array_index(left_out, i));
    return true;
}

static bool check_all(Check *check, GPtrArray *lines, GError **error)
{
    if (!read_identity(check, error) || !check_source(check, error))
        return false;
    /* An older server's catalog cannot be read. */
    if (PQserverVersion(check->source) < 140000)
        return true;
    return check_tables(check, lines, error) && check_source_privileges(check, error) &&
           check_plan(check, error) && check_target(check, error);
}

/* Both sides are tried, so that one run tells about both. */
static bool connect_both(Check *check, GError **error)
{
    GError *source_error = NULL, *target_error = NULL;
    g_autofree char *label = g_strdup_printf("drover %s plan", check->migration->name);
    check->source = pg_connect(check->migration->source, label, PG_ORDINARY, &source_error);
    check->target = pg_connect(check->migration->target, label, PG_ORDINARY, &target_error);
    if (source_error != NULL && target_error != NULL) {
        g_autofree char *both = g_strdup_printf("; %s", target_error->message);
        char *message = g_strconcat(source_error->message, both, NULL);
        g_free(source_error->message);
        source_error->message = message;
        g_clear_error(&target_error);
    }
    if (source_error == NULL && target_error == NULL)
        return true;
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
    g_clear_pointer(&check.source, PQfinish);
    g_clear_pointer(&check.target, PQfinish);
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
