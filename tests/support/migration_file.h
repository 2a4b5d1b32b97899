/*
 * Migration files as texts, for the tests of their reader. The file is called "m.yaml" and its
 * paths are relative to /etc/drover.
 */
#pragma once

#include "deploy/config.h"

#include <sys/types.h>

/* The smallest one, five lines; `target:` is still open at its end. */
#define BASE                                                                                       \
    "migration: shop\n"                                                                            \
    "source:\n"                                                                                    \
    "  url: postgresql://drover@db1/shop\n"                                                        \
    "target:\n"                                                                                    \
    "  url: postgresql://drover@db2/shop\n"

/* A file whose source is a whole mapping of its own, from line 2. */
#define WITH_SOURCE(source)                                                                        \
    "migration: shop\n" source "target: {url: \"postgresql://drover@db2/shop\"}\n"

/* Has HOST=db9, WORKERS=7, EMPTY= and PASSWORD=s3cret. */
const char *migration_file_environment(const char *name);

/* Fails the test where the file is refused. */
Config *migration_file_parse(const char *text);

/* The message of the refusal (g_free); fails the test where the file is understood. */
char *migration_file_refusal(const char *text, gsize size, const char *directory);

/* The same, compared with the whole message. */
void assert_migration_file_refused(const char *text, const char *message);

/* Writes a file of a test's own folder; its path (g_free). */
char *migration_file_put(const char *folder, const char *name, const char *text, mode_t mode);
