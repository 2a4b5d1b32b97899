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
    char *type;       /* as SQL on the source, with its modifier: "numeric(10,2)", "text[]". The
                       * json of MariaDB, which is a checked longtext there, is "json" */
    guint32 type_oid; /* number of the canonical type, whose binary send form the cells have: on
                       * PostgreSQL pg_type.oid, on MySQL the natural type (mysql/types.def) */
    int number;       /* order in CREATE TABLE (attnum, ordinal_position) */
    bool not_null;
    char identity;     /* 0, 'a' always, 'd' by default (MySQL: auto_increment) */
    bool generated;    /* computed by the server: never copied, streamed or written */
    char *default_sql; /* default, or the generation expression; NULL where none */
    char *collation;   /* PostgreSQL: quoted name where it is not the type's default; NULL.
                        * MySQL: of every text column */
    char *charset;     /* MySQL: of a text column; NULL */
    char *target_type; /* as SQL on the target, on MySQL with character set and collation. Set by
                        * type_map_table; NULL where the target does not get the column, which only
                        * happens to generated ones */
    int key_place;     /* place in the key from 0, -1 where not of the key */
    bool json_normal;  /* a side is MySQL's json, which keeps a document but not its text: documents
                        * are compared in their normal form, and must be such as it can hold */
} Column;

/* What becomes of a source's date with a zero year, month or day. */
typedef enum {
    ZERO_DATES_ERROR, /* the row is an error */
    ZERO_DATES_NULL,
    ZERO_DATES_LITERAL
} ZeroDates;

/* A foreign key whose action changes rows of a moved child table without an event in the log
 * (InnoDB carries it out below the binlog). It refers to the parent's key. */
typedef struct Cascade {
    const struct Table *child;
    guint *columns; /* of the child, by place in the parent's key: indexes into its columns */
} Cascade;

typedef struct Table {
    guint32 id;          /* number in the migration, from 1; drover.tables.id */
    guint32 source_oid;  /* PostgreSQL: pg_class.oid; MySQL: place in the catalog, from 1 */
    char *source_schema; /* MySQL: the database */
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

    guint n_cascades; /* of which this table is the parent */
    Cascade *cascades;

    bool other_unique;    /* unique indexes or exclusion constraints besides the key */
    bool replace_updates; /* an update must be written as delete and insert (identity always) */
    guint64 version;      /* XXH3-64 over column names, types and key: Change.schema_version */
    guint64 storage;      /* PostgreSQL: relfilenode when the catalog was read; else 0 */
    ZeroDates zero_dates; /* MySQL sources */
    char *zero_date;      /* literal: "1970-01-01", with a time of day where one is wanted */
    gint64 estimated_rows;
    gint64 bytes;
} Table;

/* Frees what a column holds, not the column. */
void column_clear(Column *column);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Index into columns, -1 where there is none of that name. */
int table_find_column(const Table *table, const char *name);

/* Computes version from the columns and the key. */
guint64 table_compute_version(const Table *table);

/* columns: Table.n_key of them; copied. */
void table_add_cascade(Table *table, const Table *child, const guint *columns);

/* A key row whose cells point at those of row (cells: room for n_key cells). */
void table_key_of(const Table *table, const Row *row, Cell *cells, Row *key);
