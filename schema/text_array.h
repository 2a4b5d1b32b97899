/*
 * Text array: lists of strings as array literals ({"a","b"}), the form in which the control tables
 * keep key bounds. The strings may hold any character.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Appends the literal of a NULL-terminated list; every element is quoted. */
void text_array_append(GString *literal, const char *const *elements);

/* Appends one element, quoted. */
void text_array_append_element(GString *literal, const char *element);

/* Reads a literal of one dimension as PostgreSQL prints it: a NULL-terminated list (g_strfreev).
 * NULL where the text is not of that form or holds a null. */
char **text_array_parse(const char *literal);
