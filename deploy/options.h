/*
 * Options: the table of the migration file's keys (deploy/options.def), and what is made from it:
 * the lookups of the parser, the reference page and the JSON Schema for editors.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    OPTION_MAPPING,
    OPTION_LIST,
    OPTION_TEXT,
    OPTION_NAME, /* of the migration */
    OPTION_WORD,
    OPTION_URL,
    OPTION_PATH,    /* relative to the file's directory */
    OPTION_PATTERN, /* schema.table with '*' */
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_COUNT,
    OPTION_NUMBER,
    OPTION_BOOLEAN,
    OPTION_TEXTS,  /* any names, each with a text */
    OPTION_POLICY, /* for a value that cannot be moved: error, null, or what stands for it */
    OPTION_OTHER,  /* one of several forms */
    OPTION_TYPES
} OptionType;

typedef enum { STATUS_REQUIRED, STATUS_OPTIONAL, STATUS_LATER } OptionStatus;

typedef struct Option {
    const char *path;
    OptionType type;
    OptionStatus status;
    const char *default_text;
    const char *values;
    const char *later;
    const char *sentence;
} Option;

/* The whole file: a mapping with the path "". */
extern const Option option_root;

/* "a list", "text": for messages. */
const char *option_type_name(OptionType type);

/* The last part of the path: "url" of "source.url". */
const char *option_name(const Option *option);

/* The key `name` of a mapping; NULL where there is none. */
const Option *option_child(const Option *mapping, const char *name);
/* What the elements of a list are. */
const Option *option_element(const Option *list);
/* The keys of a mapping one by one in the order of options.def: NULL begins, NULL ends. */
const Option *option_next_child(const Option *mapping, const Option *previous);

/* Every row of options.def, one by one: NULL begins, NULL ends. */
const Option *option_next(const Option *previous);

/* The known key that an unknown one may have meant: first in this mapping, then by the same name
 * elsewhere. NULL where nothing is near. */
const Option *option_nearest(const Option *mapping, const char *name);

/* True where word is one of the words of a list separated by spaces. */
bool option_has_word(const char *words, const char *word);

/* The bounds of a COUNT or SIZE as they stand in `values`; NULL where there is none (g_free). */
void option_bounds(const Option *option, char **lowest, char **highest);

/* deploy/docs/options.md (g_free). */
char *drover_options_reference(void);
/* deploy/docs/migration.schema.json (g_free). */
char *drover_options_json_schema(void);
