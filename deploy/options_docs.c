/*
 * What people and editors read about the migration file, made from the same table as the parser.
 * tests/unit/deploy/test_options.c compares both texts with the files in deploy/docs and writes
 * them.
 */
#include "deploy/config_value.h"
#include "deploy/options.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char introduction[] =
    "# The keys of a migration file\n"
    "\n"
    "Made from `deploy/options.def`; do not edit. Editors that know JSON Schema check a file as it "
    "is\n"
    "typed when its first line is\n"
    "`# yaml-language-server: $schema=migration.schema.json` with the path of that file beside "
    "this "
    "page.\n"
    "\n"
    "```yaml\n"
    "migration: shop\n"
    "source:\n"
    "  url: postgresql://drover@db1/shop\n"
    "  password_file: /run/secrets/source\n"
    "target:\n"
    "  url: postgresql://drover@db2/shop\n"
    "  password_env: TARGET_PASSWORD\n"
    "tables:\n"
    "  - {source: \"shop.*\", target: \"app.*\", exclude: [\"shop.tmp_*\"]}\n"
    "```\n"
    "\n"
    "- `${NAME}` in a value is taken from the environment; an unset variable is an error. `$${` "
    "stands\n"
    "  for `${`.\n"
    "- Sizes and durations carry a unit: `64MB`, `100GiB`, `30s`, `24h`.\n"
    "- Paths are relative to the migration file.\n"
    "- Text that begins with `*` or could be read as a number needs quotes. Names with dots or "
    "quotes in\n"
    "  them stand in double quotes of their own: `'\"my.schema\".orders'`.\n"
    "- Anchors, aliases, tags, a second document, more than 12 levels and more than 1 MiB are "
    "refused.\n"
    "- All problems of a file are reported at once, each as `file:line:column: message`.\n";

/* Words in code marks with commas between them; "" where there are none (g_free). */
static char *code_words(const char *words)
{
    if (*words == '\0')
        return g_strdup("");
    g_auto(GStrv) split = g_strsplit(words, " ", -1);
    g_autofree char *joined = g_strjoinv("`, `", split);
    return g_strdup_printf("`%s`", joined);
}

static char *describe_type(const Option *option)
{
    if (option->type == OPTION_WORD)
        return code_words(*option->values != '\0' ? option->values : option->later);
    g_autofree char *lowest = NULL, *highest = NULL;
    option_bounds(option, &lowest, &highest);
    if (lowest != NULL && highest != NULL)
        return g_strdup_printf("%s from %s to %s", option_type_name(option->type), lowest, highest);
    if (lowest != NULL)
        return g_strdup_printf("%s, at least %s", option_type_name(option->type), lowest);
    return g_strdup(option_type_name(option->type));
}

static void append_row(GString *page, const Option *option)
{
    g_autofree char *type = describe_type(option);
    g_string_append_printf(page, "| `%s` | %s | ", option->path, type);
    if (option->status == STATUS_REQUIRED)
        g_string_append(page, "required");
    else if (*option->default_text != '\0')
        g_string_append_printf(page, "`%s`", option->default_text);
    g_auto(GStrv) stars = g_strsplit(option->sentence, "*", -1);
    g_autofree char *sentence = g_strjoinv("\\*", stars); /* a bare one begins emphasis */
    g_string_append_printf(page, " | %s", sentence);
    if (option->status != STATUS_LATER && *option->later != '\0') {
        g_autofree char *later = code_words(option->later);
        g_string_append_printf(page, " Not supported yet: %s.", later);
    }
    g_string_append(page, " |\n");
}

static void append_table(GString *page, const char *title, bool later)
{
    g_string_append_printf(
        page, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title);
    for (const Option *option = NULL; (option = option_next(option)) != NULL;)
        if ((option->status == STATUS_LATER) == later)
            append_row(page, option);
}

char *drover_options_reference(void)
{
    GString *page = g_string_new(introduction);
    append_table(page, "Supported", false);
    append_table(page, "Not supported yet", true);
    return g_string_free(page, FALSE);
}

static json_t *schema_of(const Option *option);

static json_t *mapping_schema(const Option *mapping)
{
    json_t *properties = json_object(), *required = json_array();
    for (const Option *child = NULL; (child = option_next_child(mapping, child)) != NULL;) {
        json_object_set_new(properties, option_name(child), schema_of(child));
        if (child->status == STATUS_REQUIRED)
            json_array_append_new(required, json_string(option_name(child)));
    }
    return json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
                     "required", required, "properties", properties);
}

static json_t *word_schema(const Option *option)
{
    json_t *words = json_array();
    g_auto(GStrv) split = g_strsplit(option->values, " ", -1);
    for (char **word = split; *word != NULL; word++)
        json_array_append_new(words, json_string(*word));
    return json_pack("{s:o}", "enum", words);
}

static json_t *count_schema(const Option *option)
{
    g_autofree char *lowest = NULL, *highest = NULL;
    option_bounds(option, &lowest, &highest);
    json_t *schema = json_pack("{s:s}", "type", "integer");
    if (lowest != NULL)
        json_object_set_new(schema, "minimum", json_integer(g_ascii_strtoll(lowest, NULL, 10)));
    if (highest != NULL)
        json_object_set_new(schema, "maximum", json_integer(g_ascii_strtoll(highest, NULL, 10)));
    return schema;
}

static json_t *pattern_schema(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *quantity_schema(OptionType type)
{
    g_autofree char *units =
        type == OPTION_SIZE ? config_size_units("|") : config_duration_units("|");
    g_autofree char *pattern = g_strdup_printf("^[0-9]+ *(%s)$", units);
    return pattern_schema(pattern);
}

static json_t *scalar_schema(const Option *option)
{
    switch (option->type) {
    case OPTION_NAME:
        return pattern_schema("^[a-z][a-z0-9_]{0,39}$");
    case OPTION_URL:
        return pattern_schema("^(postgres(ql)?|mysql|mariadb)://");
    case OPTION_PATTERN:
        return pattern_schema("^.+[.].+$");
    case OPTION_WORD:
        return word_schema(option);
    case OPTION_SIZE:
    case OPTION_DURATION:
        return quantity_schema(option->type);
    case OPTION_COUNT:
        return count_schema(option);
    case OPTION_NUMBER:
        return json_pack("{s:s}", "type", "number");
    case OPTION_BOOLEAN:
        return json_pack("{s:s}", "type", "boolean");
    case OPTION_POLICY:
        return json_pack("{s:[s, s]}", "type", "string", "null");
    default:
        return pattern_schema(".");
    }
}

static json_t *schema_of(const Option *option)
{
    if (option->status == STATUS_LATER) {
        g_autofree char *text = g_strdup_printf("Not supported yet. %s", option->sentence);
        return json_pack("{s:s, s:{}}", "description", text, "not");
    }
    json_t *schema = json_pack("{s:s}", "description", option->sentence);
    if (*option->default_text != '\0' && option->type != OPTION_COUNT)
        json_object_set_new(schema, "default", json_string(option->default_text));
    else if (*option->default_text != '\0')
        json_object_set_new(schema, "default",
                            json_integer(g_ascii_strtoll(option->default_text, NULL, 10)));
    json_t *rules = NULL;
    if (option->type == OPTION_MAPPING)
        rules = mapping_schema(option);
    else if (option->type == OPTION_LIST)
        rules = json_pack("{s:s, s:i, s:o}", "type", "array", "minItems", 1, "items",
                          schema_of(option_element(option)));
    else if (option->type == OPTION_TEXTS)
        rules = json_pack("{s:s, s:{s:[s, s, s]}}", "type", "object", "additionalProperties",
                          "type", "string", "number", "boolean");
    else
        rules = json_pack("{s:[o, {s:s}]}", "anyOf", scalar_schema(option), "$ref",
                          "#/definitions/variable");
    json_object_update(schema, rules);
    json_decref(rules);
    return schema;
}

char *drover_options_json_schema(void)
{
    json_t *variable =
        json_pack("{s:s, s:s, s:s}", "description", "Text with ${NAME}, from the environment.",
                  "type", "string", "pattern", "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}");
    json_t *schema =
        json_pack("{s:s, s:s, s:{s:o}}", "$schema", "http://json-schema.org/draft-07/schema#",
                  "title", "A migration file of drover", "definitions", "variable", variable);
    json_t *root = schema_of(&option_root);
    json_object_update(schema, root);
    json_decref(root);
    char *printed = json_dumps(schema, JSON_INDENT(2));
    json_decref(schema);
    char *text = g_strconcat(printed, "\n", NULL);
    free(printed);
    return text;
}
