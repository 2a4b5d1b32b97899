/*
 * Stage: the temporary table that carries one table's netted rows into the target, where set-wise
 * statements (table_sql.h) take them from.
 *
 * A stage is created on first use in a session and emptied by each commit. The rows are sorted by
 * the bytes of their keys, which only brings neighbours together: no statement relies on the order.
 */
#pragma once

#include "apply/postgres/table_sql.h"
#include "apply/postgres/target.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Stage {
    char *name;
    TableSql sql;
    bool exists;
    bool pending; /* created by the open transaction: gone if that rolls back */
    bool used;    /* may hold rows */
} Stage;

/* A row of NetTable.rows as it is staged. */
typedef struct StagedRow {
    NetRow *row;
    guint64 prefix; /* the first bytes of the key's first cell */
    guint32 number; /* in NetTable.rows */
    char kind;      /* 'd', 'u', 'i': table_sql.h */
    bool partial;   /* has unchanged cells */
    bool own_base;  /* those stay what they are in the row itself; else they come from base_key */
} StagedRow;

/* What a stage holds. */
typedef struct StageCounts {
    gint64 deletes, updates, inserts; /* by kind */
    gint64 own_base, other_base;      /* partial rows */
} StageCounts;

void stage_free(gpointer stage);

/* The stage of a table; its statements are ready, the temporary table may not exist yet. */
Stage *stage_get(Target *target, const Table *table);

/* Fills rows (StagedRow, any capacity) and counts. BUG for rows that do not fit the table. */
bool stage_classify(const NetTable *net, bool consistent, GArray *rows, StageCounts *counts,
                    GError **error);

/* Sorts the rows and loads them into the empty stage. */
bool stage_load(Target *target, Stage *stage, const Table *table, GArray *rows, GError **error);

/* After a transaction's end, or a rollback to a savepoint. */
void stages_transaction_ended(Target *target, bool committed);
void stages_rolled_back_partly(Target *target);
