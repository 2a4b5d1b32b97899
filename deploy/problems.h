/*
 * Problems: what is wrong with a file, collected until all of it has been read, so that a user sees
 * everything at once. Used by the readers of the migration file.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum { PROBLEMS_SHOWN = 50 };

typedef struct Problems Problems;

Problems *problems_new(void);
void problems_free(Problems *problems);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Problems, problems_free)

/* line and column count from 1. Past PROBLEMS_SHOWN they are only counted. */
void problems_add(Problems *problems, guint line, guint column, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

guint problems_count(const Problems *problems);
/* True when the text of one more would be thrown away. */
bool problems_full(const Problems *problems);

/* True without an error where there is none. Otherwise USAGE: a line each, "name:line:column:
 * message", in the order of the file, and "... and N more". */
bool problems_none(Problems *problems, const char *name, GError **error);

/* Text from a file as it can stand in a message: on one line, cut after 60 characters (g_free). */
char *problems_quote(const char *text);
