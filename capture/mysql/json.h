/*
 * JSON: MySQL's binary documents as text, and the changes that PARTIAL_UPDATE_ROWS carries.
 *
 * The text is the server's own (JSON as a SELECT gives it): the same spaces, order of members,
 * numbers and escapes. Format: json_binary.h in MySQL's source. Errors are of class PERSON.
 */
#pragma once

#include "proto/arena.h"

#include <glib.h>
#include <stdbool.h>

/* Appends the document as text (UTF-8). */
bool mysql_json_append_text(const guint8 *data, gsize size, GByteArray *out, GError **error);

/* The same after the changes of `diff` were made to it. */
bool mysql_json_append_changed(const guint8 *data, gsize size, const guint8 *diff, gsize diff_size,
                               GByteArray *out, GError **error);
