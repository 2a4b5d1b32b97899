#include "capture/mysql/query_ddl.h"

#include <string.h>

/* What CREATE, ALTER and DROP are about. */
typedef enum { TABLE, INDEX, DATABASE, NOT_ROWS } ObjectKind;

static const struct {
    const char *keyword;
    ObjectKind kind;
} objects[] = {
    {"TABLE", TABLE},       {"TABLES", TABLE},        {"SEQUENCE", TABLE},
    {"INDEX", INDEX},       {"DATABASE", DATABASE},   {"SCHEMA", DATABASE},
    {"VIEW", NOT_ROWS},     {"TRIGGER", NOT_ROWS},    {"PROCEDURE", NOT_ROWS},
    {"FUNCTION", NOT_ROWS}, {"EVENT", NOT_ROWS},      {"USER", NOT_ROWS},
    {"ROLE", NOT_ROWS},     {"SERVER", NOT_ROWS},     {"PACKAGE", NOT_ROWS},
    {"LIBRARY", NOT_ROWS},  {"TABLESPACE", NOT_ROWS}, {"LOGFILE", NOT_ROWS},
    {"INSTANCE", NOT_ROWS}, {"RESOURCE", NOT_ROWS},   {"REFERENCE", NOT_ROWS},
};

/* Words that may stand before the object. */
static const char *const modifiers[] = {
    "OR",      "REPLACE",   "UNIQUE",    "FULLTEXT", "SPATIAL",  "VECTOR",    "ONLINE",
    "OFFLINE", "IGNORE",    "AGGREGATE", "UNDO",     "EXTERNAL", "JSON",      "RELATIONAL",
    "DUALITY", "SQL",       "SECURITY",  "DEFINER",  "INVOKER",  "ALGORITHM", "UNDEFINED",
    "MERGE",   "TEMPTABLE", "IF",        "NOT",      "EXISTS",   "BODY",
};

bool query_is(const QueryWalk *walk, const char *keyword)
{
    return walk->word->kind == WORD_NAME && g_ascii_strcasecmp(walk->word->text, keyword) == 0;
}

bool query_take(QueryWalk *walk, const char *keyword)
{
    if (!query_is(walk, keyword))
        return false;
    walk->word++;
    return true;
}

bool query_take_sign(QueryWalk *walk, char sign)
{
    if (walk->word->kind != WORD_SIGN || walk->word->text[0] != sign)
        return false;
    walk->word++;
    return true;
}

static bool is_any_name(const Word *word)
{
    return word->kind == WORD_NAME || word->kind == WORD_QUOTED;
}

static void add_table(QueryWalk *walk, char *database, char *table)
{
    QueryTable *named = g_new0(QueryTable, 1);
    named->database = database;
    named->table = table;
    g_ptr_array_add(walk->meaning->tables, named);
}

bool query_take_table(QueryWalk *walk)
{
    if (!is_any_name(walk->word))
        return false;
    const char *first = walk->word->text;
    walk->word++;
    if (query_take_sign(walk, '.')) {
        if (!is_any_name(walk->word))
            return false;
        add_table(walk, g_strdup(first), g_strdup(walk->word->text));
        walk->word++;
        return true;
    }
    const BinlogText *database = &walk->query->database;
    add_table(walk, database->size > 0 ? g_strndup(database->text, database->size) : NULL,
              g_strdup(first));
    return true;
}

static bool take_table_list(QueryWalk *walk)
{
    do
        if (!query_take_table(walk))
            return false;
    while (query_take_sign(walk, ','));
    return true;
}

/* True for IF NOT EXISTS. */
static bool take_if_exists(QueryWalk *walk)
{
    bool negated = false;
    if (query_take(walk, "IF")) {
        negated = query_take(walk, "NOT");
        query_take(walk, "EXISTS");
    }
    return negated;
}

/* DEFINER = user[@host] | CURRENT_USER[()], ALGORITHM = word */
static void skip_assigned(QueryWalk *walk)
{
    if (!query_take_sign(walk, '='))
        return;
    if (walk->word->kind != WORD_END)
        walk->word++;
    if (query_take_sign(walk, '@') && walk->word->kind != WORD_END)
        walk->word++;
    if (query_take_sign(walk, '('))
        query_take_sign(walk, ')');
}

static bool take_modifier(QueryWalk *walk)
{
    for (gsize i = 0; i < G_N_ELEMENTS(modifiers); i++)
        if (query_take(walk, modifiers[i])) {
            skip_assigned(walk);
            return true;
        }
    return false;
}

static bool take_object(QueryWalk *walk, ObjectKind *kind, const char **keyword, bool *unique)
{
    *unique = false;
    do {
        for (gsize i = 0; i < G_N_ELEMENTS(objects); i++)
            if (query_take(walk, objects[i].keyword)) {
                *kind = objects[i].kind;
                *keyword = objects[i].keyword;
                return true;
            }
        *unique |= query_is(walk, "UNIQUE");
    } while (take_modifier(walk));
    return false;
}

/* The words of ALTER TABLE behind the name, which may name other tables and move rows. */
static bool read_alter_table(QueryWalk *walk)
{
    static const char *const moving[] = {"DROP",   "TRUNCATE", "EXCHANGE",
                                         "IMPORT", "DISCARD",  "CONVERT"};
    for (; walk->word->kind != WORD_END; walk->word++) {
        for (gsize i = 0; i < G_N_ELEMENTS(moving); i++)
            if (query_is(walk, moving[i]) && walk->word[1].kind == WORD_NAME &&
                (g_ascii_strcasecmp(walk->word[1].text, "PARTITION") == 0 ||
                 g_ascii_strcasecmp(walk->word[1].text, "TABLESPACE") == 0 ||
                 g_ascii_strcasecmp(walk->word[1].text, "TABLE") == 0))
                walk->meaning->moves_rows = true;
        if (query_take(walk, "RENAME")) {
            if (query_is(walk, "COLUMN") || query_is(walk, "INDEX") || query_is(walk, "KEY"))
                continue;
            if (!query_take(walk, "TO") && !query_take(walk, "AS"))
                query_take_sign(walk, '=');
            if (!query_take_table(walk))
                return false;
            walk->word--;
        } else if (query_is(walk, "TABLE") && walk->meaning->moves_rows) {
            walk->word++;
            if (!query_take_table(walk))
                return false;
            walk->word--;
        }
    }
    return true;
}

/* A table that is there stays as it is where CREATE says IF NOT EXISTS. */
static bool read_table(QueryWalk *walk, const char *verb)
{
    bool if_absent = take_if_exists(walk);
    if (strcmp(verb, "DROP") == 0)
        return take_table_list(walk);
    if (!query_take_table(walk))
        return false;
    if (strcmp(verb, "CREATE") == 0)
        walk->meaning->keeps_form = if_absent;
    if (strcmp(verb, "ALTER") != 0)
        return true;
    walk->meaning->keeps_form = query_adds_indexes(walk->word);
    return read_alter_table(walk);
}

/* CREATE INDEX name [USING type] ON table, DROP INDEX name ON table */
static bool read_index(QueryWalk *walk, const char *verb, bool unique)
{
    take_if_exists(walk);
    walk->meaning->keeps_form = strcmp(verb, "CREATE") == 0 && !unique;
    walk->meaning->drops_index = strcmp(verb, "DROP") == 0;
    if (walk->meaning->drops_index && is_any_name(walk->word))
        walk->meaning->name = g_strdup(walk->word->text);
    for (guint i = 0; i < 4 && !query_is(walk, "ON"); i++)
        if (walk->word->kind == WORD_END || walk->word[1].kind == WORD_END)
            return false;
        else
            walk->word++;
    return query_take(walk, "ON") && query_take_table(walk);
}

/* A new database has no tables, an altered one changes none. */
static bool read_database(QueryWalk *walk, const char *verb)
{
    take_if_exists(walk);
    if (strcmp(verb, "DROP") != 0) {
        walk->meaning->kind = QUERY_HARMLESS;
        return true;
    }
    if (!is_any_name(walk->word))
        return false;
    add_table(walk, g_strdup(walk->word->text), NULL);
    return true;
}

bool query_ddl(QueryWalk *walk, const char *verb)
{
    ObjectKind kind;
    const char *keyword;
    bool unique;
    if (query_take(walk, "TEMPORARY")) {
        walk->meaning->kind = QUERY_HARMLESS;
        walk->meaning->what = g_strdup_printf("%s TEMPORARY TABLE", verb);
        return query_is(walk, "TABLE") || query_is(walk, "TABLES") || query_is(walk, "SEQUENCE");
    }
    if (!take_object(walk, &kind, &keyword, &unique))
        return false;
    walk->meaning->kind = QUERY_DDL;
    walk->meaning->what = g_strdup_printf("%s %s", verb, keyword);
    switch (kind) {
    case TABLE:
        return read_table(walk, verb);
    case INDEX:
        return read_index(walk, verb, unique);
    case DATABASE:
        return read_database(walk, verb);
    case NOT_ROWS:
        walk->meaning->kind = QUERY_HARMLESS;
        return true;
    }
    return false;
}

/* RENAME TABLE a TO b, c TO d; RENAME USER */
bool query_rename(QueryWalk *walk)
{
    walk->meaning->kind = QUERY_HARMLESS;
    walk->meaning->what = g_strdup("RENAME USER");
    if (query_take(walk, "USER"))
        return true;
    walk->meaning->kind = QUERY_DDL;
    g_free(walk->meaning->what);
    walk->meaning->what = g_strdup("RENAME TABLE");
    if (!query_take(walk, "TABLE") && !query_take(walk, "TABLES"))
        return false;
    take_if_exists(walk);
    do
        if (!query_take_table(walk) || !query_take(walk, "TO") || !query_take_table(walk))
            return false;
    while (query_take_sign(walk, ','));
    return walk->word->kind == WORD_END;
}
