#include "deploy/config.h"

#include "deploy/config_bus.h"
#include "deploy/config_endpoint.h"
#include "deploy/document.h"
#include "deploy/settings.h"
#include "proto/error.h"
#include "schema/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void config_free(Config *config)
{
    if (config == NULL)
        return;
    g_free(config->path);
    g_free(config->migration);
    endpoint_free(config->source);
    endpoint_free(config->target);
    bus_options_clear(&config->bus);
    g_clear_pointer(&config->lines, g_ptr_array_unref);
    g_free(config->resolved);
    g_free(config);
}

typedef struct Addresses {
    EndpointAddress source, target;
} Addresses;

static void addresses_clear(Addresses *addresses)
{
    endpoint_address_clear(&addresses->source);
    endpoint_address_clear(&addresses->target);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Addresses, addresses_clear)

static void read_endpoints(Config *config, const Setting *root, ConfigEnvironment environment,
                           Problems *problems, Addresses *addresses)
{
    const Setting *source_setting = setting_good(root, "source");
    const Setting *target_setting = setting_good(root, "target");
    if (source_setting != NULL)
        config->source =
            config_endpoint_read(source_setting, environment, problems, &addresses->source);
    if (target_setting != NULL)
        config->target =
            config_endpoint_read(target_setting, environment, problems, &addresses->target);
    if (config->source != NULL && config->target != NULL &&
        endpoint_address_equal(&addresses->source, &addresses->target)) {
        const Setting *url = setting_good(target_setting, "url");
        problems_add(problems, url->value_line, url->value_column,
                     "contradiction: %s is the source, too (line %u)", config->target->label,
                     setting_good(source_setting, "url")->value_line);
    }
}

static MappingLine *mapping_line_new(const char *source, guint line)
{
    MappingLine *mapping = g_new0(MappingLine, 1);
    mapping->source = g_strdup(source);
    mapping->exclude = g_ptr_array_new_with_free_func(g_free);
    mapping->line = line;
    return mapping;
}

/* What `tables:` asks of a pattern beyond its form. */
static void check_names(const Setting *source, const Setting *target, Problems *problems)
{
    const char *table = config_pattern_table(source->text);
    if (source->text[0] == '*' && strcmp(table, "*") != 0)
        problems_add(problems, source->value_line, source->value_column,
                     "%s: name the schema, or write *.* for every table", source->option->path);
    if (target != NULL && strchr(table, '*') != NULL &&
        strchr(config_pattern_table(target->text), '*') == NULL)
        problems_add(problems, target->value_line, target->value_column,
                     "contradiction: %s names one table, source may name many; write schema.*",
                     target->option->path);
}

/* NULL: an error. */
static char *read_zero_dates(const Config *config, const Setting *element, Problems *problems)
{
    const Setting *setting = setting_good(element, "zero_dates");
    g_autoptr(GError) wrong = NULL;
    if (setting == NULL)
        return NULL;
    if (config->source != NULL && !endpoint_is_mysql(config->source))
        problems_add(
            problems, setting->line, setting->column,
            "%s is for sources that are MySQL or MariaDB: no other database has such dates",
            setting->option->path);
    if (strcmp(setting->text, "error") == 0)
        return NULL;
    if (strcmp(setting->text, "null") != 0 && !config_check_moment(setting->text, &wrong)) {
        g_autofree char *quoted = problems_quote(setting->text);
        problems_add(problems, setting->value_line, setting->value_column, "%s: '%s': %s",
                     setting->option->path, quoted, wrong->message);
    }
    return g_strdup(setting->text);
}

static void read_line(Config *config, const Setting *element, GHashTable *seen, Problems *problems)
{
    const Setting *source = setting_good(element, "source");
    const Setting *target = setting_good(element, "target");
    const Setting *exclude = setting_good(element, "exclude");
    if (source == NULL)
        return;
    void *first = g_hash_table_lookup(seen, source->text);
    if (first != NULL) {
        g_autofree char *quoted = problems_quote(source->text);
        problems_add(problems, source->value_line, source->value_column,
                     "the table '%s' is named twice; first in line %u", quoted,
                     GPOINTER_TO_UINT(first));
        return;
    }
    g_hash_table_insert(seen, source->text, GUINT_TO_POINTER(source->value_line));
    MappingLine *line = mapping_line_new(source->text, element->line);
    g_ptr_array_add(config->lines, line);
    line->target = target != NULL ? g_strdup(target->text) : NULL;
    line->zero_dates = read_zero_dates(config, element, problems);
    check_names(source, target, problems);
    for (guint i = 0; exclude != NULL && i < exclude->children->len; i++) {
        const Setting *pattern = g_ptr_array_index(exclude->children, i);
        g_ptr_array_add(line->exclude, g_strdup(pattern->text));
    }
}

/* Every table of a database, as a pattern (g_free). */
static char *all_tables_of(const char *database)
{
    g_auto(GStrv) parts = g_strsplit(database, "\"", -1);
    g_autofree char *name = g_strjoinv("\"\"", parts);
    return g_strdup_printf("\"%s\".*", name);
}

/* A URL of MySQL names one of a server's databases, which are what PostgreSQL calls schemas. */
static void add_default_lines(Config *config, const Addresses *addresses)
{
    bool from_mysql = config->source != NULL && endpoint_is_mysql(config->source);
    bool to_mysql = config->target != NULL && endpoint_is_mysql(config->target);
    g_autofree char *source =
        from_mysql ? all_tables_of(addresses->source.database) : g_strdup("public.*");
    if (!from_mysql)
        g_ptr_array_add(config->lines, mapping_line_new("*.*", 0));
    if (!from_mysql && !to_mysql)
        return;
    MappingLine *line = mapping_line_new(source, 0);
    line->target = to_mysql ? all_tables_of(addresses->target.database) : NULL;
    g_ptr_array_add(config->lines, line);
}

static void read_tables(Config *config, const Setting *root, const Addresses *addresses,
                        Problems *problems)
{
    const Setting *tables = setting_good(root, "tables");
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    config->lines = g_ptr_array_new_with_free_func((GDestroyNotify)mapping_line_free);
    if (tables == NULL)
        add_default_lines(config, addresses);
    for (guint i = 0; tables != NULL && i < tables->children->len; i++)
        read_line(config, g_ptr_array_index(tables->children, i), seen, problems);
}

/* Only for settings without a problem. */
static void read_limits(Config *config, Setting *root)
{
    const Setting *limits = setting_good(root, "limits");
    config->migration = g_strdup(setting_text(root, "migration"));
    config->bus_kind = config_bus_read(setting_child(root, "bus"), &config->bus);
    config->memory_limit = setting_good(limits, "memory")->number;
    config->copy_workers = (guint)setting_good(limits, "copy_workers")->number;
}

static Config *build(const char *name, const char *directory, Setting *root,
                     ConfigEnvironment environment, Problems *problems, GError **error)
{
    g_autoptr(Config) config = g_new0(Config, 1);
    g_auto(Addresses) addresses = {0};
    config->path = g_strdup(name);
    if (!root->bad) {
        read_endpoints(config, root, environment, problems, &addresses);
        read_tables(config, root, &addresses, problems);
        config_bus_check(setting_good(root, "bus"), &config->bus, problems);
    }
    if (!problems_none(problems, name, error))
        return NULL;
    settings_fill_defaults(root, directory, setting_text(root, "migration"));
    read_limits(config, root);
    config->resolved = settings_describe(root);
    return g_steal_pointer(&config);
}

Config *config_parse(const char *name, const char *directory, const char *text, gsize size,
                     ConfigEnvironment environment, GError **error)
{
    g_autoptr(Problems) problems = problems_new();
    yaml_document_t document;
    if (!document_load(text, size, problems, &document)) {
        problems_none(problems, name, error);
        return NULL;
    }
    g_autoptr(Setting) root = settings_read(&document, directory, environment, problems);
    yaml_document_delete(&document);
    return build(name, directory, root, environment, problems, error);
}

/* Reads at most one byte more than is allowed, so that a device or a wrong file cannot fill memory.
 */
static char *read_file(const char *path, gsize *size, GError **error)
{
    FILE *file = fopen(path, "rbe");
    g_autofree char *text = g_malloc(DOCUMENT_MAX_SIZE + 1);
    *size = file != NULL ? fread(text, 1, DOCUMENT_MAX_SIZE + 1, file) : 0;
    int saved = errno;
    bool failed = file == NULL || ferror(file);
    if (file != NULL)
        fclose(file);
    if (!failed)
        return g_steal_pointer(&text);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "cannot read the migration file '%s': %s",
                path, g_strerror(saved));
    return NULL;
}

Config *config_load(const char *path, ConfigEnvironment environment, GError **error)
{
    gsize size = 0;
    g_autofree char *text = read_file(path, &size, error);
    if (text == NULL)
        return NULL;
    g_autofree char *full = g_canonicalize_filename(path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);
    return config_parse(path, directory, text, size, environment, error);
}
