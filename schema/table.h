/*
 * Table: what a moved table is, on both sides. Loaded from the source's catalog, mapped to its
 * target name; read-only for the roles once loaded.
 */
#pragma once

#include "proto/value.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Column {
    char *name;
    char *type;       /* as SQL on the source, with its modifier: "numeric(10,2)", "text[]" */
    guint32 type_oid; /* PostgreSQL: pg_type.oid (equal on both sides for built-in types) */
    int number;       /* order in CREATE TABLE (pg_attribute.attnum) */
    bool not_null;
    char identity;     /* 0, 'a' always, 'd' by default */
    bool generated;    /* stored generated: created, never copied, streamed or written */
    char *default_sql; /* default, or the generation expression; NULL where none */
    char *collation;   /* quoted name where it is not the type's default; NULL */
    int key_place;     /* place in the key from 0, -1 where not of the key */
} Column;

typedef struct Table {
    guint32 id; /* number in the migration, from 1; drover.tables.id */
    guint32 source_oid;
    char *source_schema;
    char *source_name;
    char *target_schema;
    char *target_name;
    char *label; /* "schema.name" of the source, for messages */

    /* The columns whose values move: the cells of a Row. Generated ones stand apart. */
    guint n_columns;
    Column *columns;
    guint n_generated;
    Column *generated;

    /* The key: what identifies a row in the log and in the target. */
    guint n_key;
    guint *key;     /* indexes into columns, in the order of the key's index */
    char *key_name; /* constraint or index on the source */
    bool key_is_primary;

    bool other_unique;    /* unique indexes or exclusion constraints besides the key */
    bool replace_updates; /* an update must be written as delete and insert (identity always) */
    guint64 version;      /* XXH3-64 over column names, types and key: Change.schema_version */
    guint64 storage;      /* PostgreSQL: relfilenode when the catalog was read */
    gint64 estimated_rows;
    gint64 bytes;
} Table;

void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Index into columns, -1 where there is none of that name. */
int table_find_column(const Table *table, const char *name);

/* Computes version from the columns and the key. */
guint64 table_compute_version(const Table *table);

/* A key row whose cells point at those of row (cells: room for n_key cells). */
void table_key_of(const Table *table, const Row *row, Cell *cells, Row *key);
