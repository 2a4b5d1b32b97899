/*
 * Normal form of a JSON document, and whether MySQL's json type can hold it.
 *
 * MySQL's json keeps a document's values, not its text: spaces, the order of an object's members,
 * escapes and the writing of numbers are lost, of members with one name only the last stays. Two
 * texts that differ only so have the same normal form: no spaces, members sorted by name, numbers
 * as their digits and a power of ten, only necessary escapes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Appends the normal form. False, and nothing is appended, where the text is no JSON or is nested
 * beyond reason. `lost` (may be NULL; g_free) is set to the first thing that MySQL's json would not
 * keep: "the number 1e400", "two members named ..."; NULL where there is none. */
bool json_normal_append(const char *text, gsize size, GByteArray *out, char **lost);
