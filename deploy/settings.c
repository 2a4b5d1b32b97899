#include "deploy/settings.h"

#include <string.h>

Setting *setting_new(const Option *option, guint line, guint column)
{
    Setting *setting = g_new0(Setting, 1);
    *setting = (Setting){.option = option,
                         .line = line,
                         .column = column,
                         .value_line = line,
                         .value_column = column};
    if (option->type == OPTION_MAPPING || option->type == OPTION_LIST ||
        option->type == OPTION_TEXTS)
        setting->children = g_ptr_array_new_with_free_func((GDestroyNotify)setting_free);
    return setting;
}

void setting_free(Setting *setting)
{
    if (setting == NULL)
        return;
    g_free(setting->name);
    g_free(setting->text);
    g_clear_pointer(&setting->children, g_ptr_array_unref);
    g_free(setting);
}

Setting *setting_child(const Setting *mapping, const char *name)
{
    for (guint i = 0; i < mapping->children->len; i++) {
        Setting *child = g_ptr_array_index(mapping->children, i);
        if (strcmp(option_name(child->option), name) == 0)
            return child;
    }
    return NULL;
}

void setting_remove(Setting *mapping, const char *name)
{
    g_ptr_array_remove(mapping->children, setting_child(mapping, name));
}

const Setting *setting_good(const Setting *mapping, const char *name)
{
    const Setting *child = mapping != NULL && !mapping->bad ? setting_child(mapping, name) : NULL;
    return child != NULL && !child->bad ? child : NULL;
}

const char *setting_text(const Setting *mapping, const char *name)
{
    const Setting *child = setting_good(mapping, name);
    return child != NULL ? child->text : NULL;
}

static void describe_text(GString *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:@*?=&%";
    bool is_plain = text[strspn(text, plain)] == '\0';
    g_string_append(out, is_plain ? "" : "\"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *at);
    }
    g_string_append(out, is_plain ? "" : "\"");
}

static void describe(GString *out, const char *prefix, const Setting *setting)
{
    if (setting->option->type == OPTION_LIST) {
        for (guint i = 0; i < setting->children->len; i++) {
            g_autofree char *path = g_strdup_printf("%s[%u]", prefix, i + 1);
            describe(out, path, g_ptr_array_index(setting->children, i));
        }
        return;
    }
    if (setting->option->type == OPTION_TEXTS && setting->name == NULL) {
        for (guint i = 0; i < setting->children->len; i++) {
            const Setting *entry = g_ptr_array_index(setting->children, i);
            g_autofree char *path = g_strdup_printf("%s.%s", prefix, entry->name);
            describe(out, path, entry);
        }
        return;
    }
    if (setting->option->type != OPTION_MAPPING) {
        g_string_append_printf(out, "%s: ", prefix);
        describe_text(out, setting->text);
        g_string_append_c(out, '\n');
        return;
    }
    for (const Option *option = NULL;
         (option = option_next_child(setting->option, option)) != NULL;) {
        const Setting *child = setting_child(setting, option_name(option));
        if (child == NULL)
            continue;
        g_autofree char *path = *prefix != '\0'
                                    ? g_strdup_printf("%s.%s", prefix, option_name(option))
                                    : g_strdup(option_name(option));
        describe(out, path, child);
    }
}

char *settings_describe(const Setting *root)
{
    GString *out = g_string_new(NULL);
    describe(out, "", root);
    return g_string_free(out, FALSE);
}
