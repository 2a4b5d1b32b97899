#include "deploy/config_bus.h"

#include "deploy/config_secret.h"
#include "proto/kafka_client.h"

#include <string.h>

enum { LARGEST_FILE = 64 * 1024, LONGEST_TOPIC = 249 };

static void check_topic(const Setting *topic, Problems *problems)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    gsize length = strlen(topic->text);
    if (length == 0 || length > LONGEST_TOPIC ||
        topic->text[strspn(topic->text, allowed)] != '\0' || strcmp(topic->text, ".") == 0 ||
        strcmp(topic->text, "..") == 0)
        problems_add(problems, topic->value_line, topic->value_column,
                     "%s: a topic's name has up to 249 letters, digits, '.', '_' and '-'",
                     topic->option->path);
}

/* Where a property stands: a key of the migration file, or a line of the file of properties. */
typedef struct Place {
    const Setting *setting;
    guint line; /* of the file of properties; 0: it is the setting itself */
} Place;

static void refuse(const Place *place, const char *name, const char *why, Problems *problems)
{
    if (place->line == 0)
        problems_add(problems, place->setting->line, place->setting->column, "%s: '%s': %s",
                     place->setting->option->path, name, why);
    else
        problems_add(problems, place->setting->value_line, place->setting->value_column,
                     "%s: line %u of the file: '%s': %s", place->setting->option->path, place->line,
                     name, why);
}

static bool has_property(const GPtrArray *properties, const char *name)
{
    for (guint i = 0; i < properties->len; i += 2)
        if (strcmp(g_ptr_array_index(properties, i), name) == 0)
            return true;
    return false;
}

static void add_property(GPtrArray *properties, const Place *place, const char *name,
                         const char *value, Problems *problems)
{
    g_autofree char *why = NULL;
    bool secret = kafka_property_is_secret(name);
    if (secret && place->line == 0)
        refuse(place, name, "a secret does not belong here: use properties_file", problems);
    else if (has_property(properties, name))
        refuse(place, name, "it is set twice", problems);
    else if (!kafka_property_check(name, value, secret, &why))
        refuse(place, name, why, problems);
    else {
        g_ptr_array_add(properties, g_strdup(name));
        g_ptr_array_add(properties, g_strdup(value));
    }
}

static void add_line(GPtrArray *properties, const Place *place, char *line, Problems *problems)
{
    g_strstrip(line);
    if (*line == '\0' || *line == '#' || *line == '!')
        return;
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        refuse(place, "...", "name=value is needed", problems);
        return;
    }
    *equals = '\0';
    add_property(properties, place, g_strstrip(line), g_strstrip(equals + 1), problems);
}

static void add_file(GPtrArray *properties, const Setting *file, Problems *problems)
{
    g_autofree char *bytes = g_malloc0(LARGEST_FILE + 2);
    gsize length = 0;
    if (!config_secret_read(file, bytes, LARGEST_FILE + 1, &length, problems))
        return;
    if (length > LARGEST_FILE || strlen(bytes) != length)
        problems_add(problems, file->value_line, file->value_column,
                     "%s: no file of properties: longer than 64 KiB, or binary",
                     file->option->path);
    else {
        g_auto(GStrv) lines = g_strsplit(bytes, "\n", -1);
        for (guint i = 0; lines[i] != NULL; i++) {
            const Place place = {file, i + 1};
            add_line(properties, &place, lines[i], problems);
            explicit_bzero(lines[i], strlen(lines[i]));
        }
    }
    explicit_bzero(bytes, LARGEST_FILE + 2);
}

static char **read_properties(const Setting *kafka, Problems *problems)
{
    GPtrArray *properties = g_ptr_array_new();
    const Setting *texts = setting_good(kafka, "properties");
    const Setting *file = setting_good(kafka, "properties_file");
    for (guint i = 0; texts != NULL && i < texts->children->len; i++) {
        const Setting *entry = g_ptr_array_index(texts->children, i);
        const Place place = {entry, 0};
        if (!entry->bad)
            add_property(properties, &place, entry->name, entry->text, problems);
    }
    if (file != NULL)
        add_file(properties, file, problems);
    g_ptr_array_add(properties, NULL);
    return (char **)g_ptr_array_free(properties, FALSE);
}

static void check_kafka(const Setting *kafka, BusOptions *options, Problems *problems)
{
    const Setting *topic = setting_good(kafka, "topic");
    const Setting *partitions = setting_good(kafka, "partitions");
    if (topic != NULL)
        check_topic(topic, problems);
    if (partitions != NULL && partitions->number != 1)
        problems_add(problems, partitions->value_line, partitions->value_column,
                     "not supported yet: %s other than 1", partitions->option->path);
    options->properties = read_properties(kafka, problems);
}

void config_bus_check(const Setting *bus, BusOptions *options, Problems *problems)
{
    const Setting *local = setting_good(bus, "local"), *kafka = setting_good(bus, "kafka");
    if (local != NULL && kafka != NULL) {
        bool local_first = local->line < kafka->line;
        const Setting *second = local_first ? kafka : local, *first = local_first ? local : kafka;
        problems_add(problems, second->line, second->column,
                     "contradiction: %s and %s (line %u); name one of them", second->option->path,
                     first->option->path, first->line);
    }
    if (kafka != NULL)
        check_kafka(kafka, options, problems);
}

const char *config_bus_read(Setting *bus, BusOptions *options)
{
    const Setting *kafka = setting_good(bus, "kafka"), *local = setting_good(bus, "local");
    if (kafka == NULL) {
        options->path = g_strdup(setting_text(local, "path"));
        options->max_size = setting_good(local, "max_size")->number;
        return "local";
    }
    options->topic = g_strdup(setting_text(kafka, "topic"));
    options->bootstrap_servers = g_strdup(setting_text(kafka, "bootstrap_servers"));
    options->replication_factor = (guint)setting_good(kafka, "replication_factor")->number;
    setting_remove(bus, "local");
    return "kafka";
}
