/*
 * Config: the migration file, read by libyaml's document API against deploy/options.def. All errors
 * of a file are found in one go, each with file, line and column.
 */
#pragma once

#include "schema/migration.h"

#include <glib.h>

typedef struct Config {
    char *path;
    char *migration; /* name */
    Endpoint *source;
    Endpoint *target;
    BusOptions bus;
    const char *bus_kind; /* BusOps.kind */
    GPtrArray *lines;     /* MappingLine * of tables:, or what its absence means */
    guint64 memory_limit;
    guint copy_workers;
    char *resolved; /* the file as understood, without secrets: stored and compared */
} Config;

void config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/* USAGE with every problem, a line each "file:line:column: message"; environment: getenv-like
 * lookup for ${VAR} and password_env. */
Config *config_load(const char *path, const char *(*environment)(const char *name), GError **error);

/* For tests and the fuzzer: the same from memory. directory: what paths are relative to. */
Config *config_parse(const char *name, const char *directory, const char *text, gsize size,
                     const char *(*environment)(const char *name), GError **error);
