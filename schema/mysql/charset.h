/*
 * Character sets: texts as a MySQL server stores them, in UTF-8.
 *
 * A set that glibc converts otherwise than the servers do, or does not know, is refused by name:
 * the copier reads what the server converts, and both must agree. Which bytes of a known set differ
 * is refused too, as a byte sequence that is not valid.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* "latin1"; NULL for an unknown collation. "binary" for 63. */
const char *mysql_charset_name(guint32 collation);

/* The number of some collation of the set, by the names of information_schema; 0 for an unknown
 * one.
 */
guint32 mysql_charset_collation(const char *name);

/* Can texts of this set be moved? By the names of information_schema. */
bool mysql_charset_is_known(const char *name);

/* Is a text of this set UTF-8 as it stands: each that is valid, or where all its bytes are below
 * 0x80? */
bool mysql_charset_is_utf8(guint32 collation);
bool mysql_charset_has_ascii(guint32 collation);

/* Has the set every character of a text in UTF-8? */
bool mysql_charset_can_hold(guint32 collation, const guint8 *text, gsize size);

/* Appends the text in UTF-8. DATA where the bytes are no text of that set, PERSON where the set or
 * collation is unknown. Not for binary. */
bool mysql_charset_to_utf8(guint32 collation, const guint8 *text, gsize size, GByteArray *out,
                           GError **error);
