/*
 * Config values: the scalars of a migration file from text. Every error is USAGE and says what is
 * wrong with the value and what is accepted, without repeating the value: the caller knows how it
 * stands in the file, and it may have come from the environment.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* getenv-like: NULL where there is no such variable. */
typedef const char *(*ConfigEnvironment)(const char *name);

/* Replaces each ${NAME} by the variable's value; "$${" stands for "${". *expanded: there was one.
 * g_free the text; NULL where a variable is not set or no name stands between the braces. */
char *config_expand(const char *text, ConfigEnvironment environment, bool *expanded,
                    GError **error);

/* Bytes of "100GiB", "64 MB", "512B". */
bool config_parse_size(const char *text, guint64 *bytes, GError **error);
/* The same size in the largest unit that holds it exactly (g_free). */
char *config_format_size(guint64 bytes);

/* Microseconds of "100ms", "30s", "5min", "24h", "7d". */
bool config_parse_duration(const char *text, guint64 *microseconds, GError **error);

/* The names of the units, with separator between them (g_free). */
char *config_size_units(const char *separator);
char *config_duration_units(const char *separator);

bool config_parse_count(const char *text, guint64 *count, GError **error);
bool config_parse_boolean(const char *text, bool *value, GError **error);

/* A date, "1970-01-01", or a date and a time, "1970-01-01 00:00:00", with up to 6 digits behind the
 * seconds; one that the calendar has. */
bool config_check_moment(const char *text, GError **error);

/* A migration's name: [a-z][a-z0-9_]{0,39}. */
bool config_check_name(const char *text, GError **error);
/* schema.table with '*' anywhere in the table's part, or a lone '*' as the schema's; a part in
 * double quotes may hold dots. */
bool config_check_pattern(const char *text, GError **error);
/* The table's part of a checked pattern. */
const char *config_pattern_table(const char *text);

/* [A-Za-z_][A-Za-z0-9_]*, what a variable of the environment may be called. */
bool config_is_variable(const char *name, gsize length);

typedef enum { CONFIG_TEXT, CONFIG_NUMBER, CONFIG_BOOLEAN, CONFIG_EMPTY } ConfigKind;

/* What YAML takes a scalar for; plain: it stands there without quotes. */
ConfigKind config_scalar_kind(const char *text, bool plain);
/* "text", "a number": for messages. */
const char *config_kind_name(ConfigKind kind);
