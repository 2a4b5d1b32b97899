/*
 * TableSql: the statements that write one table, as texts, built once a session.
 *
 * Names in them: t is the target's table, s its stage. A stage has
 *   s_number     int     the row's index in NetTable.rows
 *   s_kind       "char"  'd' delete, 'u' update (insert where there is none), 'i' insert
 *   s_unchanged  bytea   bit i (as get_bit counts) set: cell i is unchanged; null: none is
 *   c1..cn               the cells, of the types of the target's columns
 *   b1..bk               the base key, null where the row's own key is its base
 * Parameters of the direct statements: $1..$n are the cells (a delete: the cells of the key), and
 * $n+1 is what s_unchanged is above.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>

typedef enum {
    SQL_STAGE_CREATE,
    SQL_STAGE_EMPTY,
    SQL_STAGE_COPY,
    SQL_COMPLETE_FROM_BASE, /* unchanged cells, from the row of the base key */
    SQL_COMPLETE_FROM_OWN,  /* the same, from the row of the own key */
    SQL_MISSING,            /* rows without a base row become deletes; returns their s_number */
    SQL_DELETE,
    SQL_UPDATE,
    SQL_UPDATE_PARTIAL, /* unchanged cells keep the row's own value */
    SQL_INSERT,
    SQL_INSERT_ABSENT,  /* of kind 'u', where the target has no such key */
    SQL_REPLACE_DELETE, /* all keys of the stage */
    SQL_REPLACE_INSERT, /* all final images of the stage */
    SQL_DIRECT_DELETE,
    SQL_DIRECT_UPDATE,
    SQL_DIRECT_UPDATE_PARTIAL,
    SQL_DIRECT_INSERT,
    SQL_DIRECT_INSERT_ABSENT,
    SQL_KINDS
} SqlKind;

typedef struct TableSql {
    char *text[SQL_KINDS];
} TableSql;

/* stage: an identifier that needs no quoting. */
void table_sql_init(TableSql *sql, const Table *table, const char *stage);
void table_sql_clear(TableSql *sql);
