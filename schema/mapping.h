/*
 * Mapping: which source tables are moved, and what they are called on the target. Lines of the
 * migration file's `tables:`; the most specific line wins (a full name over "schema.*" over
 * "*.*"), `exclude` patterns take tables out of their line.
 */
#pragma once

#include "schema/catalog.h"

#include <glib.h>
#include <stdbool.h>

typedef struct MappingLine {
    char *source;       /* "schema.table", "schema.*", "*.*"; '*' anywhere in the table's part */
    char *target;       /* same form; NULL: as the source. '*' stands for the source's name */
    GPtrArray *exclude; /* char * patterns */
    char *zero_dates;   /* "null", or a date that stands for them; NULL: they are errors */
    guint line; /* in the migration file, for messages; 0: not from there, and need not match */
} MappingLine;

void mapping_line_free(MappingLine *line);

/* Chooses and names the tables: array of Table * (owned; taken out of `catalog`), ids from 1 in
 * the order of source schema and name. Every problem of a chosen table, a line that matches nothing
 * and two sources for one target are appended to `findings` (char *). */
GPtrArray *mapping_resolve(GPtrArray *catalog, GPtrArray *lines, GPtrArray *findings);

/* Target names that its engine does not take, or keeps for itself, are appended to `findings`. */
void mapping_check_names(const GPtrArray *tables, bool target_is_mysql, GPtrArray *findings);
