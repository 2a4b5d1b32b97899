#include "schema/mapping.h"

#include <string.h>

/* How precisely a line names a table; a higher rank wins. */
typedef enum { RANK_ALL, RANK_SCHEMA, RANK_PATTERN, RANK_NAME } Rank;

typedef struct Name {
    char *schema;
    char *table;
} Name;

static void name_clear(Name *name)
{
    g_clear_pointer(&name->schema, g_free);
    g_clear_pointer(&name->table, g_free);
}

void mapping_line_free(MappingLine *line)
{
    if (line == NULL)
        return;
    g_free(line->source);
    g_free(line->target);
    g_free(line->zero_dates);
    g_clear_pointer(&line->exclude, g_ptr_array_unref);
    g_free(line);
}

/* Reads one part of a name up to a dot or the end; a quoted part may hold dots, and "" for a quote.
 * NULL where it is empty or a quote stays open. */
static char *read_part(const char **text)
{
    g_autoptr(GString) part = g_string_new(NULL);
    const char *c = *text;
    if (*c == '"') {
        for (c++; *c != '\0' && (*c != '"' || c[1] == '"'); c++) {
            if (*c == '"')
                c++;
            g_string_append_c(part, *c);
        }
        if (*c++ != '"')
            return NULL;
    } else {
        for (; *c != '\0' && *c != '.'; c++)
            g_string_append_c(part, *c);
    }
    *text = c;
    return part->len == 0 ? NULL : g_string_free(g_steal_pointer(&part), FALSE);
}

static bool name_parse(const char *text, Name *name)
{
    name->schema = read_part(&text);
    name->table = NULL;
    if (name->schema != NULL && *text == '.') {
        text++;
        name->table = read_part(&text);
    }
    if (name->table != NULL && *text == '\0')
        return true;
    name_clear(name);
    return false;
}

/* '*' stands for any run of characters; nothing else is special. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

typedef struct Rule {
    const MappingLine *line;
    Name source;
    Name target;
    Rank rank;
    bool used;
} Rule;

static void rule_free(Rule *rule)
{
    name_clear(&rule->source);
    name_clear(&rule->target);
    g_free(rule);
}

static Rank rank_of(const Name *source)
{
    if (strchr(source->table, '*') == NULL)
        return RANK_NAME;
    if (strcmp(source->table, "*") != 0)
        return RANK_PATTERN;
    return strcmp(source->schema, "*") == 0 ? RANK_ALL : RANK_SCHEMA;
}

/* Only a lone '*' may stand in the schema's place, and only before a table of '*'. */
static bool source_is_valid(const Name *source)
{
    if (strchr(source->schema, '*') == NULL)
        return true;
    return strcmp(source->schema, "*") == 0 && strcmp(source->table, "*") == 0;
}

static Rule *rule_new(const MappingLine *line, GPtrArray *findings)
{
    Rule *rule = g_new0(Rule, 1);
    rule->line = line;
    if (!name_parse(line->source, &rule->source) || !source_is_valid(&rule->source)) {
        g_ptr_array_add(findings,
                        g_strdup_printf("line %u: \"%s\" is not of the form schema.table, schema.* "
                                        "or *.*",
                                        line->line, line->source));
        rule_free(rule);
        return NULL;
    }
    if (line->target != NULL && !name_parse(line->target, &rule->target)) {
        g_ptr_array_add(findings, g_strdup_printf("line %u: \"%s\" is not of the form schema.table",
                                                  line->line, line->target));
        rule_free(rule);
        return NULL;
    }
    rule->rank = rank_of(&rule->source);
    return rule;
}

static bool rule_matches(const Rule *rule, const Table *table)
{
    return matches(rule->source.schema, table->source_schema) &&
           matches(rule->source.table, table->source_name);
}

/* A pattern without a dot is one of table names. */
static bool rule_excludes(const Rule *rule, const Table *table)
{
    for (guint i = 0; rule->line->exclude != NULL && i < rule->line->exclude->len; i++) {
        const char *pattern = g_ptr_array_index(rule->line->exclude, i);
        Name name = {NULL, NULL};
        if (!name_parse(pattern, &name)) {
            if (matches(pattern, table->source_name))
                return true;
            continue;
        }
        bool hit =
            matches(name.schema, table->source_schema) && matches(name.table, table->source_name);
        name_clear(&name);
        if (hit)
            return true;
    }
    return false;
}

static bool is_closer(const Rule *a, const Rule *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    return strlen(a->source.table) > strlen(b->source.table);
}

/* The line that decides about a table: the first of the most specific ones. Another that is just as
 * specific is a finding. */
static Rule *choose_rule(GPtrArray *rules, const Table *table, GPtrArray *findings)
{
    Rule *best = NULL, *rival = NULL;
    for (guint i = 0; i < rules->len; i++) {
        Rule *rule = g_ptr_array_index(rules, i);
        if (!rule_matches(rule, table))
            continue;
        rule->used = true;
        if (best == NULL || is_closer(rule, best)) {
            best = rule;
            rival = NULL;
        } else if (!is_closer(best, rule)) {
            rival = rule;
        }
    }
    if (rival != NULL)
        g_ptr_array_add(findings,
                        g_strdup_printf("%s: lines %u and %u name it equally precisely; "
                                        "remove one of them",
                                        table->label, best->line->line, rival->line->line));
    return best;
}

/* Each '*' of the target's pattern stands for the source's whole name. */
static char *expand(const char *pattern, const char *name)
{
    if (pattern == NULL)
        return g_strdup(name);
    g_auto(GStrv) parts = g_strsplit(pattern, "*", -1);
    return g_strjoinv(name, parts);
}

static void add_problems(const CatalogTable *entry, GPtrArray *findings)
{
    for (guint i = 0; entry->problems != NULL && i < entry->problems->len; i++)
        g_ptr_array_add(findings,
                        g_strdup_printf("%s: %s", entry->table->label,
                                        (const char *)g_ptr_array_index(entry->problems, i)));
}

static int compare_tables(gconstpointer a, gconstpointer b)
{
    const Table *left = *(Table *const *)a, *right = *(Table *const *)b;
    int order = strcmp(left->source_schema, right->source_schema);
    return order != 0 ? order : strcmp(left->source_name, right->source_name);
}

/* Numbers the tables and finds two that would become one. */
static void number_tables(GPtrArray *tables, GPtrArray *findings)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_ptr_array_sort(tables, compare_tables);
    for (guint i = 0; i < tables->len; i++) {
        Table *table = g_ptr_array_index(tables, i);
        table->id = i + 1;
        g_autofree char *target =
            g_strdup_printf("%s\n%s", table->target_schema, table->target_name);
        const Table *other = g_hash_table_lookup(seen, target);
        if (other != NULL)
            g_ptr_array_add(findings,
                            g_strdup_printf("%s: both it and %s would become %s.%s on the target; "
                                            "name another target for one of them",
                                            table->label, other->label, table->target_schema,
                                            table->target_name));
        else
            g_hash_table_insert(seen, g_steal_pointer(&target), table);
    }
}

static void report_unused(GPtrArray *rules, GPtrArray *findings)
{
    for (guint i = 0; i < rules->len; i++) {
        const Rule *rule = g_ptr_array_index(rules, i);
        if (!rule->used && rule->line->line > 0)
            g_ptr_array_add(findings, g_strdup_printf("line %u: \"%s\" matches no table of the "
                                                      "source",
                                                      rule->line->line, rule->line->source));
    }
}

static void set_zero_dates(Table *table, const char *policy)
{
    if (policy == NULL)
        return;
    bool is_null = strcmp(policy, "null") == 0;
    table->zero_dates = is_null ? ZERO_DATES_NULL : ZERO_DATES_LITERAL;
    table->zero_date = is_null ? NULL : g_strdup(policy);
}

GPtrArray *mapping_resolve(GPtrArray *catalog, GPtrArray *lines, GPtrArray *findings)
{
    g_autoptr(GPtrArray) rules = g_ptr_array_new_with_free_func((GDestroyNotify)rule_free);
    g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    for (guint i = 0; i < lines->len; i++) {
        Rule *rule = rule_new(g_ptr_array_index(lines, i), findings);
        if (rule != NULL)
            g_ptr_array_add(rules, rule);
    }
    for (guint i = 0; i < catalog->len; i++) {
        CatalogTable *entry = g_ptr_array_index(catalog, i);
        Rule *rule = entry->table == NULL ? NULL : choose_rule(rules, entry->table, findings);
        if (rule == NULL || rule_excludes(rule, entry->table))
            continue;
        add_problems(entry, findings);
        Table *table = g_steal_pointer(&entry->table);
        table->target_schema = expand(rule->target.schema, table->source_schema);
        table->target_name = expand(rule->target.table, table->source_name);
        set_zero_dates(table, rule->line->zero_dates);
        g_ptr_array_add(tables, table);
    }
    number_tables(tables, findings);
    report_unused(rules, findings);
    return g_steal_pointer(&tables);
}

/* --- Names on the target ---------------------------------------------------------------------- */

#define PG_MAX_NAME 63    /* bytes */
#define MYSQL_MAX_NAME 64 /* characters */

static const char *const pg_reserved[] = {"information_schema", "drover", NULL};
static const char *const mysql_reserved[] = {
    "information_schema", "performance_schema", "mysql", "sys", "ndbinfo", "drover", NULL};

static bool is_reserved(const char *schema, bool target_is_mysql)
{
    if (!target_is_mysql)
        return g_str_has_prefix(schema, "pg_") || g_strv_contains(pg_reserved, schema);
    for (const char *const *name = mysql_reserved; *name != NULL; name++)
        if (g_ascii_strcasecmp(*name, schema) == 0)
            return true;
    return false;
}

/* MySQL's names are of the characters that have 16 bits. */
static bool mysql_takes(const char *name)
{
    for (const char *c = name; *c != '\0'; c = g_utf8_next_char(c))
        if (g_utf8_get_char(c) > 0xFFFF)
            return false;
    return g_utf8_strlen(name, -1) <= MYSQL_MAX_NAME && !g_str_has_suffix(name, " ");
}

static void check_target_name(const Table *table, bool target_is_mysql, GPtrArray *findings)
{
    const char *schema = table->target_schema, *name = table->target_name;
    if (!target_is_mysql && (strlen(schema) > PG_MAX_NAME || strlen(name) > PG_MAX_NAME))
        g_ptr_array_add(findings, g_strdup_printf("%s: the target's name %s.%s is longer than the "
                                                  "63 bytes that a name may have",
                                                  table->label, schema, name));
    if (target_is_mysql && (!mysql_takes(schema) || !mysql_takes(name)))
        g_ptr_array_add(findings,
                        g_strdup_printf("%s: the target's name %s.%s is none that MySQL takes: up "
                                        "to 64 characters, none beyond U+FFFF, no space at the end",
                                        table->label, schema, name));
    if (is_reserved(schema, target_is_mysql))
        g_ptr_array_add(findings, g_strdup_printf("%s: the target's %s %s is reserved; name "
                                                  "another one",
                                                  table->label,
                                                  target_is_mysql ? "database" : "schema", schema));
}

void mapping_check_names(const GPtrArray *tables, bool target_is_mysql, GPtrArray *findings)
{
    for (guint i = 0; i < tables->len; i++)
        check_target_name(g_ptr_array_index(tables, i), target_is_mysql, findings);
}
