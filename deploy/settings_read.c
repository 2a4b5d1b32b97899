/*
 * Reads a document's nodes against the table of options. A value with a problem is kept and marked
 * as bad, so that the rest of the file is checked as if it were there.
 */
#include "deploy/settings.h"

#include <string.h>

typedef struct Reader {
    yaml_document_t *document;
    const char *directory;
    ConfigEnvironment environment;
    Problems *problems;
} Reader;

static void read_value(Reader *reader, Setting *setting, const yaml_node_t *node);

static guint node_line(const yaml_node_t *node)
{
    return (guint)node->start_mark.line + 1;
}

static guint node_column(const yaml_node_t *node)
{
    return (guint)node->start_mark.column + 1;
}

static void add_wrong_type(Reader *reader, Setting *setting, const char *found)
{
    const char *path = setting->option->path;
    setting->bad = true;
    problems_add(reader->problems, setting->value_line, setting->value_column,
                 "wrong type: %s is needed%s%s, this is %s",
                 option_type_name(setting->option->type), *path != '\0' ? " for " : "", path,
                 found);
}

/* What is wrong with a scalar, quoted as it stands in the file: what the environment put into it
 * may be a secret. */
static void add_bad_value(Reader *reader, Setting *setting, const char *raw, const char *message)
{
    g_autofree char *quoted = problems_quote(raw);
    setting->bad = true;
    if (setting->option->type == OPTION_URL)
        problems_add(reader->problems, setting->value_line, setting->value_column, "%s: %s",
                     setting->option->path, message);
    else
        problems_add(reader->problems, setting->value_line, setting->value_column, "%s: '%s': %s",
                     setting->option->path, quoted, message);
}

static bool check_word(Reader *reader, Setting *setting, const char *raw)
{
    const Option *option = setting->option;
    g_autofree char *quoted = problems_quote(raw);
    g_auto(GStrv) split = g_strsplit(option->values, " ", -1);
    g_autofree char *words = g_strjoinv(", ", split);
    if (option_has_word(option->values, setting->text))
        return true;
    setting->bad = true;
    if (option_has_word(option->later, setting->text))
        problems_add(reader->problems, setting->value_line, setting->value_column,
                     "not supported yet: '%s' for %s; supported: %s", quoted, option->path, words);
    else
        problems_add(reader->problems, setting->value_line, setting->value_column,
                     "%s: '%s' is not one of: %s", option->path, quoted, words);
    return false;
}

static bool parse_number(OptionType type, const char *text, guint64 *number, GError **error)
{
    if (type == OPTION_SIZE)
        return config_parse_size(text, number, error);
    if (type == OPTION_DURATION)
        return config_parse_duration(text, number, error);
    return config_parse_count(text, number, error);
}

/* The bounds come from options.def, so they do parse. */
static bool check_bounds(Reader *reader, Setting *setting, const char *raw)
{
    g_autofree char *lowest = NULL, *highest = NULL;
    g_autofree char *quoted = problems_quote(raw);
    guint64 low = 0, high = G_MAXUINT64;
    option_bounds(setting->option, &lowest, &highest);
    if (lowest != NULL)
        parse_number(setting->option->type, lowest, &low, NULL);
    if (highest != NULL)
        parse_number(setting->option->type, highest, &high, NULL);
    if (setting->number >= low && setting->number <= high)
        return true;
    setting->bad = true;
    problems_add(reader->problems, setting->value_line, setting->value_column,
                 "%s: '%s' is out of bounds: %s to %s", setting->option->path, quoted,
                 lowest != NULL ? lowest : "0", highest != NULL ? highest : "any");
    return false;
}

static bool is_null(const char *text)
{
    return config_scalar_kind(text, true) == CONFIG_EMPTY;
}

static void make_canonical(Setting *setting, const char *directory)
{
    char *canonical = NULL;
    if (setting->option->type == OPTION_PATH)
        canonical = g_canonicalize_filename(setting->text, directory);
    else if (setting->option->type == OPTION_SIZE)
        canonical = config_format_size(setting->number);
    else if (setting->option->type == OPTION_COUNT)
        canonical = g_strdup_printf("%" G_GUINT64_FORMAT, setting->number);
    else if (setting->option->type == OPTION_POLICY && is_null(setting->text))
        canonical = g_strdup("null");
    if (canonical == NULL)
        return;
    g_free(setting->text);
    setting->text = canonical;
}

static void parse_scalar(Reader *reader, Setting *setting, const char *raw)
{
    g_autoptr(GError) error = NULL;
    bool flag = false, good = true;
    switch (setting->option->type) {
    case OPTION_WORD:
        good = check_word(reader, setting, raw);
        break;
    case OPTION_NAME:
        good = config_check_name(setting->text, &error);
        break;
    case OPTION_PATTERN:
        good = config_check_pattern(setting->text, &error);
        break;
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_COUNT:
        good = parse_number(setting->option->type, setting->text, &setting->number, &error) &&
               check_bounds(reader, setting, raw);
        break;
    case OPTION_POLICY: /* null is a word here, nothing is none */
        if (*setting->text == '\0')
            add_wrong_type(reader, setting, config_kind_name(CONFIG_EMPTY));
        good = *setting->text != '\0';
        break;
    case OPTION_BOOLEAN:
        good = config_parse_boolean(setting->text, &flag, &error);
        setting->number = flag;
        break;
    default:
        break;
    }
    if (error != NULL)
        add_bad_value(reader, setting, raw, error->message);
    else if (good)
        make_canonical(setting, reader->directory);
}

static bool accepts(OptionType type, ConfigKind kind)
{
    switch (type) {
    case OPTION_POLICY:
        return kind == CONFIG_TEXT || kind == CONFIG_EMPTY;
    case OPTION_TEXTS: /* an entry: whatever stands there is taken as text */
        return true;
    case OPTION_COUNT:
    case OPTION_NUMBER:
        return kind == CONFIG_NUMBER;
    case OPTION_BOOLEAN:
        return kind == CONFIG_BOOLEAN;
    case OPTION_SIZE:
    case OPTION_DURATION:
        return kind == CONFIG_TEXT || kind == CONFIG_NUMBER; /* whose message asks for a unit */
    default:
        return kind == CONFIG_TEXT;
    }
}

static ConfigKind scalar_kind(const yaml_node_t *node)
{
    return config_scalar_kind((const char *)node->data.scalar.value,
                              node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
}

static bool has_control_character(const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if ((guchar)text[i] < 0x20 || text[i] == 0x7F)
            return true;
    return false;
}

static bool expand_scalar(Reader *reader, Setting *setting, const char *raw, bool *expanded)
{
    g_autoptr(GError) error = NULL;
    setting->text = config_expand(raw, reader->environment, expanded, &error);
    if (setting->text == NULL) {
        add_bad_value(reader, setting, raw, error->message);
        return false;
    }
    if (*expanded &&
        (*setting->text == '\0' || has_control_character(setting->text, strlen(setting->text)))) {
        add_bad_value(reader, setting, raw,
                      "empty, or with control characters, once the environment's values are in");
        return false;
    }
    return true;
}

static void read_scalar(Reader *reader, Setting *setting, const yaml_node_t *node)
{
    const char *raw = (const char *)node->data.scalar.value;
    bool expanded = false;
    if (has_control_character(raw, node->data.scalar.length)) {
        add_bad_value(reader, setting, raw, "line breaks and control characters are not allowed");
        return;
    }
    if (!expand_scalar(reader, setting, raw, &expanded))
        return;
    ConfigKind kind = scalar_kind(node);
    if (expanded || accepts(setting->option->type, kind))
        parse_scalar(reader, setting, raw);
    else
        add_wrong_type(reader, setting, config_kind_name(kind));
}

static void add_unknown_key(Reader *reader, const Option *mapping, const yaml_node_t *key)
{
    const char *name = (const char *)key->data.scalar.value;
    if (problems_full(reader->problems)) {
        problems_add(reader->problems, node_line(key), node_column(key), "unknown key");
        return;
    }
    g_autofree char *quoted = problems_quote(name);
    const Option *nearest = option_nearest(mapping, name);
    if (nearest != NULL) {
        problems_add(reader->problems, node_line(key), node_column(key),
                     "unknown key '%s'; did you mean '%s'?", quoted, nearest->path);
        return;
    }
    g_autoptr(GString) known = g_string_new(NULL);
    for (const Option *child = NULL; (child = option_next_child(mapping, child)) != NULL;)
        if (child->status != STATUS_LATER)
            g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", option_name(child));
    problems_add(reader->problems, node_line(key), node_column(key),
                 "unknown key '%s'; known here: %s", quoted, known->str);
}

/* The option of a key, or NULL and a problem where it may not stand here. */
static const Option *find_option(Reader *reader, const Setting *mapping, const yaml_node_t *key)
{
    const Option *option = option_child(mapping->option, (const char *)key->data.scalar.value);
    if (option == NULL) {
        add_unknown_key(reader, mapping->option, key);
        return NULL;
    }
    if (option->status != STATUS_LATER)
        return option;
    problems_add(reader->problems, node_line(key), node_column(key), "not supported yet: '%s'",
                 option_name(option));
    return NULL;
}

/* False and a problem where the key is no text or stands a second time. */
static bool check_key(Reader *reader, GHashTable *seen, const yaml_node_t *key)
{
    if (key->type != YAML_SCALAR_NODE ||
        has_control_character((const char *)key->data.scalar.value, key->data.scalar.length)) {
        problems_add(reader->problems, node_line(key), node_column(key), "a key must be a word");
        return false;
    }
    void *first = g_hash_table_lookup(seen, key->data.scalar.value);
    if (first == NULL) {
        g_hash_table_insert(seen, key->data.scalar.value, GUINT_TO_POINTER(node_line(key)));
        return true;
    }
    g_autofree char *quoted = problems_quote((const char *)key->data.scalar.value);
    problems_add(reader->problems, node_line(key), node_column(key),
                 "the key '%s' stands twice; first in line %u", quoted, GPOINTER_TO_UINT(first));
    return false;
}

static void check_required(Reader *reader, const Setting *mapping)
{
    for (const Option *option = NULL;
         (option = option_next_child(mapping->option, option)) != NULL;) {
        if (option->status != STATUS_REQUIRED)
            continue;
        if (setting_child(mapping, option_name(option)) == NULL)
            problems_add(reader->problems, mapping->line, mapping->column, "'%s' is missing",
                         option->path);
    }
}

static void read_mapping(Reader *reader, Setting *mapping, const yaml_node_t *node)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        if (!check_key(reader, seen, key))
            continue;
        const Option *option = find_option(reader, mapping, key);
        if (option == NULL)
            continue;
        Setting *child = setting_new(option, node_line(key), node_column(key));
        g_ptr_array_add(mapping->children, child);
        read_value(reader, child, yaml_document_get_node(reader->document, pair->value));
    }
    check_required(reader, mapping);
}

static const char *node_kind(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    return config_kind_name(scalar_kind(node));
}

static void read_texts(Reader *reader, Setting *texts, const yaml_node_t *node)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
        if (!check_key(reader, seen, key))
            continue;
        Setting *entry = setting_new(texts->option, node_line(key), node_column(key));
        entry->name = g_strdup((const char *)key->data.scalar.value);
        entry->value_line = node_line(value);
        entry->value_column = node_column(value);
        g_ptr_array_add(texts->children, entry);
        if (value->type == YAML_SCALAR_NODE) {
            read_scalar(reader, entry, value);
            continue;
        }
        entry->bad = true;
        problems_add(reader->problems, entry->value_line, entry->value_column,
                     "wrong type: text is needed for %s.%s, this is %s", texts->option->path,
                     entry->name, node_kind(value));
    }
}

static void read_list(Reader *reader, Setting *list, const yaml_node_t *node)
{
    const Option *option = option_element(list->option);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *element = yaml_document_get_node(reader->document, *item);
        Setting *child = setting_new(option, node_line(element), node_column(element));
        g_ptr_array_add(list->children, child);
        read_value(reader, child, element);
    }
    if (list->children->len > 0)
        return;
    list->bad = true;
    problems_add(reader->problems, list->value_line, list->value_column,
                 "%s: the list is empty; leave the key out", list->option->path);
}

static void read_value(Reader *reader, Setting *setting, const yaml_node_t *node)
{
    setting->value_line = node_line(node);
    setting->value_column = node_column(node);
    yaml_node_type_t needed = YAML_SCALAR_NODE;
    if (setting->option->type == OPTION_MAPPING || setting->option->type == OPTION_TEXTS)
        needed = YAML_MAPPING_NODE;
    else if (setting->option->type == OPTION_LIST)
        needed = YAML_SEQUENCE_NODE;
    if (node->type != needed)
        add_wrong_type(reader, setting, node_kind(node));
    else if (setting->option->type == OPTION_TEXTS)
        read_texts(reader, setting, node);
    else if (needed == YAML_MAPPING_NODE)
        read_mapping(reader, setting, node);
    else if (needed == YAML_SEQUENCE_NODE)
        read_list(reader, setting, node);
    else
        read_scalar(reader, setting, node);
}

Setting *settings_read(yaml_document_t *document, const char *directory,
                       ConfigEnvironment environment, Problems *problems)
{
    Reader reader = {document, directory, environment, problems};
    Setting *root = setting_new(&option_root, 1, 1);
    read_value(&reader, root, yaml_document_get_root_node(document));
    return root;
}

static void add_default(Setting *mapping, const Option *option, const char *directory,
                        const char *migration)
{
    Setting *setting = setting_new(option, mapping->line, mapping->column);
    g_autoptr(GString) text = g_string_new(option->default_text);
    g_string_replace(text, "<migration>", migration, 0);
    setting->text = g_strdup(text->str);
    if (option->type == OPTION_SIZE || option->type == OPTION_COUNT)
        parse_number(option->type, setting->text, &setting->number, NULL);
    make_canonical(setting, directory);
    g_ptr_array_add(mapping->children, setting);
}

static bool has_required(const Option *mapping)
{
    if (mapping->type != OPTION_MAPPING)
        return false;
    for (const Option *option = NULL; (option = option_next_child(mapping, option)) != NULL;)
        if (option->status == STATUS_REQUIRED)
            return true;
    return false;
}

void settings_fill_defaults(Setting *setting, const char *directory, const char *migration)
{
    if (setting->option->type == OPTION_LIST) {
        for (guint i = 0; i < setting->children->len; i++)
            settings_fill_defaults(g_ptr_array_index(setting->children, i), directory, migration);
        return;
    }
    if (setting->option->type != OPTION_MAPPING)
        return;
    for (const Option *option = NULL;
         (option = option_next_child(setting->option, option)) != NULL;) {
        if (option->status == STATUS_LATER)
            continue;
        Setting *child = setting_child(setting, option_name(option));
        if (child == NULL && has_required(option))
            continue;
        if (child == NULL && option->type == OPTION_MAPPING) {
            child = setting_new(option, setting->line, setting->column);
            g_ptr_array_add(setting->children, child);
        }
        if (child != NULL)
            settings_fill_defaults(child, directory, migration);
        else if (*option->default_text != '\0')
            add_default(setting, option, directory, migration);
    }
}
