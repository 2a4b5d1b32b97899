/*
 * Relations: which table of the migration a relation of the log is, and whether it is still what it
 * was when the migration was planned.
 *
 * The server sends a Relation message before the first change of a table and after anything that
 * touched its definition. Every one is compared with the Table (columns, types, key); a difference
 * is an error of class PERSON that says what changed. Used by stream.c.
 */
#pragma once

#include "capture/postgres/pgoutput.h"
#include "schema/migration.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Relation {
    guint32 oid;
    const Table *table;
    guint n_columns;
    int *columns; /* of the log's columns the index into table->columns; -1: generated, not moved */
} Relation;

typedef struct RelationMap RelationMap;

/* The SQL name of a type with its modifier (g_free), as in Column.type. */
typedef char *(*RelationTypeName)(void *user, guint32 type_oid, gint32 modifier, GError **error);

/* type_name NULL: types are compared by their numbers only. */
RelationMap *relation_map_new(const Migration *migration, RelationTypeName type_name, void *user);
void relation_map_free(RelationMap *map);

/* Takes a Relation message. lsn: for errors. */
bool relation_map_put(RelationMap *map, const PgoutputMessage *message, guint64 lsn,
                      GError **error);

/* PERSON where the log never described it. */
const Relation *relation_map_get(RelationMap *map, guint32 oid, guint64 lsn, GError **error);

/* Turns a tuple into the order of table->columns: cells has room for n_columns cells; those that
 * the tuple does not have are CELL_ABSENT. PERSON for a tuple of another width, and for a value
 * that came as text. */
bool relation_cells(const Relation *relation, const PgoutputTuple *tuple, guint64 lsn, Cell *cells,
                    GError **error);
