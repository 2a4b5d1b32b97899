/*
 * Staged: the netted rows of one table, sorted out for the drivers' ways of writing them.
 */
#pragma once

#include "proto/target.h"

#include <glib.h>
#include <stdbool.h>

/* A row of NetTable.rows. */
typedef struct StagedRow {
    NetRow *row;
    guint64 prefix; /* the first bytes of the key's first cell */
    guint32 number; /* in NetTable.rows */
    char kind;      /* 'd' delete, 'u' update (insert where there is none), 'i' insert */
    bool partial;   /* has unchanged cells */
    bool own_base;  /* those stay what they are in the row itself; else they come from base_key */
} StagedRow;

/* How many there are. */
typedef struct StageCounts {
    gint64 deletes, updates, inserts; /* by kind */
    gint64 own_base, other_base;      /* partial rows */
} StageCounts;

/* Fills rows (StagedRow, any capacity) and counts. BUG for rows that do not fit the table. */
bool staged_classify(const NetTable *net, bool consistent, GArray *rows, StageCounts *counts,
                     GError **error);

/* By the bytes of their keys, which only brings neighbours together: nothing relies on the order.
 */
void staged_sort(GArray *rows);
