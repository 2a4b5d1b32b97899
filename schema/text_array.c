/*
 * The form: '{' elements separated by ',' '}'. An element is bare, or between double quotes with a
 * backslash before a quote or a backslash. Bare NULL is a null, quoted "NULL" is a word.
 * (PostgreSQL documentation, section "Array Input and Output Syntax".)
 */
#include "schema/text_array.h"

#include <string.h>

void text_array_append_element(GString *literal, const char *element)
{
    g_string_append_c(literal, '"');
    for (const char *p = element; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            g_string_append_c(literal, '\\');
        }
        g_string_append_c(literal, *p);
    }
    g_string_append_c(literal, '"');
}

void text_array_append(GString *literal, const char *const *elements)
{
    g_string_append_c(literal, '{');
    for (guint i = 0; elements[i] != NULL; i++) {
        if (i > 0) {
            g_string_append_c(literal, ',');
        }
        text_array_append_element(literal, elements[i]);
    }
    g_string_append_c(literal, '}');
}

/* Both return where the element ends, NULL where it is broken. */
static const char *parse_quoted(const char *p, GString *element)
{
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\') {
            p++;
            if (*p == '\0') {
                return NULL;
            }
        }
        g_string_append_c(element, *p);
    }
    return *p == '"' ? p + 1 : NULL;
}

static const char *parse_bare(const char *p, GString *element)
{
    for (; *p != '\0' && strchr(",{}\"", *p) == NULL; p++) {
        if (*p == '\\') {
            p++;
            if (*p == '\0') {
                return NULL;
            }
        }
        g_string_append_c(element, *p);
    }
    bool null = g_ascii_strcasecmp(element->str, "NULL") == 0;
    return element->len == 0 || null ? NULL : p;
}

char **text_array_parse(const char *literal)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    g_autoptr(GString) element = g_string_new(NULL);
    const char *p = literal;
    if (strcmp(literal, "{}") == 0) {
        return g_strv_builder_end(list);
    }
    if (*p != '{') {
        return NULL;
    }
    do {
        p++;
        g_string_truncate(element, 0);
        p = *p == '"' ? parse_quoted(p, element) : parse_bare(p, element);
        if (p == NULL) {
            return NULL;
        }
        g_strv_builder_add(list, element->str);
    } while (*p == ',');
    return strcmp(p, "}") == 0 ? g_strv_builder_end(list) : NULL;
}
