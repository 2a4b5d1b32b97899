/*
 * Description: what tables are, beyond the columns whose values move, in words of no engine. Read
 * from a source by description_mysql.c or description_pg.c, written in a target's words by
 * ddl_across.c and the dialects.
 */
#pragma once

#include "schema/column_default.h"
#include "schema/server.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

typedef struct ColumnDescription {
    const Column *column; /* of the table; generated ones too */
    ColumnDefault initial;
    char *on_update;  /* MySQL: "CURRENT_TIMESTAMP(3)"; NULL */
    char *comment;    /* NULL: none */
    char *expression; /* of a generated column, as the source says it */
    char *srid;       /* MySQL: of a geometry; NULL */
    bool stored;      /* a generated column that is stored */
    bool counts;      /* auto_increment, identity, or a sequence of its own */
    bool invisible;
} ColumnDescription;

typedef struct IndexPart {
    char *column;     /* NULL: an expression */
    char *expression; /* as the source says it, without parentheses around it; NULL */
    guint prefix;     /* characters or bytes; 0: the whole column */
    bool descending;
} IndexPart;

typedef struct IndexDescription {
    char *name;
    char *method;  /* "btree", "hash", "fulltext", "spatial", "gin", ... */
    char *comment; /* NULL: none */
    GArray *parts; /* IndexPart */
    bool unique;
    bool primary;
    bool is_key;    /* the table's key */
    bool invisible; /* not used by queries */
    bool partial;   /* of some rows only */
    bool nulls_are_equal;
    bool has_included; /* columns beside its own */
    bool made;         /* the plan has it: for foreign keys that refer to it */
} IndexDescription;

typedef struct ForeignKeyDescription {
    char *name;
    char *referenced;              /* "schema.table" on the source */
    const Table *referenced_table; /* NULL: is not moved */
    GPtrArray *columns;            /* char * */
    GPtrArray *referenced_columns; /* char *, in the same order */
    char *on_delete; /* "no action", "restrict", "cascade", "set null", "set default" */
    char *on_update;
    char *peculiar; /* what only the source can do: "is deferrable"; NULL */
} ForeignKeyDescription;

typedef struct CheckDescription {
    char *name;
    char *expression; /* as the source says it, with parentheses or without */
    const char *kind; /* "check constraint", "exclusion constraint" */
} CheckDescription;

typedef struct TableDescription {
    const Table *table;
    char *comment;       /* NULL: none */
    guint64 next_number; /* the auto_increment that would come next; 0: not known */
    bool partitioned;
    GArray *columns;         /* ColumnDescription, in the order of CREATE TABLE */
    GPtrArray *indexes;      /* IndexDescription *, the key's first */
    GPtrArray *foreign_keys; /* ForeignKeyDescription * */
    GPtrArray *checks;       /* CheckDescription * */
} TableDescription;

/* Array of TableDescription *, in the order of tables. */
GPtrArray *description_load_mysql(MYSQL *mysql, const GPtrArray *tables, GError **error);
GPtrArray *description_load_pg(PGconn *connection, const GPtrArray *tables, GError **error);

/* For those who load: an empty description with its columns. */
TableDescription *description_new(const Table *table);
void description_free(TableDescription *description);
/* NULL where there is none. */
ColumnDescription *description_column(TableDescription *description, const char *name);
IndexDescription *description_add_index(TableDescription *description, const char *name);
ForeignKeyDescription *description_add_foreign_key(TableDescription *description, const char *name);
CheckDescription *description_add_check(TableDescription *description, const char *name,
                                        const char *expression, const char *kind);
/* The index that a reference to these columns leans on: unique, of just them, in any order. */
const IndexDescription *description_unique_index(const TableDescription *description,
                                                 const GPtrArray *columns);
