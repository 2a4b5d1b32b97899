/*
 * Text cell: PostgreSQL's types that MySQL keeps as texts, back in their binary form: uuid, inet,
 * cidr, macaddr, macaddr8 and "char" (the reverse of cell_text.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* False where the text is none of that type; what was appended by then is taken back. */
bool mysql_text_append_cell(guint32 type_oid, const char *text, gsize size, GByteArray *out);
