/*
 * Settings: a migration file checked against deploy/options.def. A tree in the shape of the file,
 * its scalars expanded and parsed, with the places that later messages need.
 *
 * Everything one key's row can tell is checked here (unknown, not supported yet, twice, missing,
 * type, words, bounds); what two keys say together is checked by config.c.
 */
#pragma once

#include "deploy/config_value.h"
#include "deploy/options.h"
#include "deploy/problems.h"

#include <glib.h>
#include <stdbool.h>
#include <yaml.h>

typedef struct Setting {
    const Option *option;
    guint line, column;             /* of the key; of the element in a list */
    guint value_line, value_column; /* of the value */
    bool bad;                       /* has problems of its own: text and number mean nothing */
    char *name;          /* of an entry of TEXTS, whose option is that of the whole; else NULL */
    char *text;          /* scalars: ${} replaced, paths absolute, sizes in canonical form */
    guint64 number;      /* COUNT, SIZE (bytes), DURATION (microseconds), BOOLEAN */
    GPtrArray *children; /* Setting * of a mapping, a list or TEXTS */
} Setting;

Setting *setting_new(const Option *option, guint line, guint column);
void setting_free(Setting *setting);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Setting, setting_free)

/* directory: what paths are relative to. Never NULL; problems tell whether it is fit for use. */
Setting *settings_read(yaml_document_t *document, const char *directory,
                       ConfigEnvironment environment, Problems *problems);

/* Adds what absent keys mean. A mapping with a required key stays absent. `migration` replaces
 * <migration> in defaults. */
void settings_fill_defaults(Setting *root, const char *directory, const char *migration);

/* The key of a mapping; NULL where it is absent. */
Setting *setting_child(const Setting *mapping, const char *name);
/* The same, NULL also where it is bad or setting is NULL. */
const Setting *setting_good(const Setting *mapping, const char *name);
/* Takes a key out of a mapping, as if it had never been there. */
void setting_remove(Setting *mapping, const char *name);
/* Its text; NULL. */
const char *setting_text(const Setting *mapping, const char *name);

/* Everything as understood, a line a key: "bus.local.max_size: 100GiB", "tables[1].source: shop.*"
 * (g_free). Holds no secrets, because no setting does. */
char *settings_describe(const Setting *root);
