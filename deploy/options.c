#include "deploy/options.h"

#include <string.h>

#define OPTION(path, type, status, fallback, values, later, sentence)                              \
    {path, OPTION_##type, STATUS_##status, fallback, values, later, sentence},
static const Option options[] = {
#include "deploy/options.def"
};
#undef OPTION

const Option option_root = {"", OPTION_MAPPING, STATUS_REQUIRED, "", "", "", "The migration file."};

static const char *const type_names[OPTION_TYPES] = {
    [OPTION_MAPPING] = "a mapping",
    [OPTION_LIST] = "a list",
    [OPTION_TEXT] = "text",
    [OPTION_NAME] = "a name",
    [OPTION_WORD] = "a word",
    [OPTION_URL] = "a URL",
    [OPTION_PATH] = "a path",
    [OPTION_PATTERN] = "a table name",
    [OPTION_SIZE] = "a size",
    [OPTION_DURATION] = "a duration",
    [OPTION_COUNT] = "a whole number",
    [OPTION_NUMBER] = "a number",
    [OPTION_BOOLEAN] = "true or false",
    [OPTION_TEXTS] = "a mapping of texts",
    [OPTION_POLICY] = "error, null or a value",
    [OPTION_OTHER] = "of several forms",
};

const char *option_type_name(OptionType type)
{
    return type_names[type];
}

const char *option_name(const Option *option)
{
    const char *dot = strrchr(option->path, '.');
    return dot != NULL ? dot + 1 : option->path;
}

/* What follows the mapping's own path and its dot; NULL where option is not inside the mapping. */
static const char *path_below(const Option *mapping, const Option *option)
{
    gsize length = strlen(mapping->path);
    if (length == 0)
        return option->path;
    if (strncmp(option->path, mapping->path, length) != 0 || option->path[length] != '.')
        return NULL;
    return option->path + length + 1;
}

const Option *option_next(const Option *previous)
{
    const Option *next = previous != NULL ? previous + 1 : options;
    return next < options + G_N_ELEMENTS(options) ? next : NULL;
}

const Option *option_next_child(const Option *mapping, const Option *previous)
{
    const Option *option = previous;
    while ((option = option_next(option)) != NULL) {
        const char *below = path_below(mapping, option);
        if (below != NULL && strpbrk(below, ".[") == NULL)
            return option;
    }
    return NULL;
}

const Option *option_child(const Option *mapping, const char *name)
{
    for (const Option *child = NULL; (child = option_next_child(mapping, child)) != NULL;)
        if (strcmp(option_name(child), name) == 0)
            return child;
    return NULL;
}

const Option *option_element(const Option *list)
{
    gsize length = strlen(list->path);
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
        if (strncmp(options[i].path, list->path, length) == 0 &&
            strcmp(options[i].path + length, "[]") == 0)
            return &options[i];
    return NULL;
}

/* Levenshtein's distance, with one row of the table in memory; b is at most 63 bytes. */
static guint distance(const char *a, const char *b)
{
    guint row[64];
    guint n = (guint)strlen(b);
    for (guint j = 0; j <= n; j++)
        row[j] = j;
    for (guint i = 1; a[i - 1] != '\0'; i++) {
        guint diagonal = row[0];
        row[0] = i;
        for (guint j = 1; j <= n; j++) {
            guint replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

const Option *option_nearest(const Option *mapping, const char *name)
{
    const Option *nearest = NULL;
    gsize length = strlen(name);
    if (length == 0 || length > 63)
        return NULL;
    guint limit = 1 + (guint)length / 4;
    for (const Option *child = NULL; (child = option_next_child(mapping, child)) != NULL;) {
        guint far = distance(option_name(child), name);
        if (far <= limit && far < length) {
            nearest = child;
            limit = far - 1;
        }
        if (far <= 1)
            break;
    }
    if (nearest != NULL)
        return nearest;
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
        if (strcmp(option_name(&options[i]), name) == 0)
            return &options[i];
    return NULL;
}

bool option_has_word(const char *words, const char *word)
{
    gsize length = strlen(word);
    for (const char *at = words; length > 0 && (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return strchr(word, ' ') == NULL;
    return false;
}

void option_bounds(const Option *option, char **lowest, char **highest)
{
    *lowest = NULL;
    *highest = NULL;
    const char *dots = strstr(option->values, "..");
    if (dots == NULL)
        return;
    if (dots > option->values)
        *lowest = g_strndup(option->values, (gsize)(dots - option->values));
    if (dots[2] != '\0')
        *highest = g_strdup(dots + 2);
}
