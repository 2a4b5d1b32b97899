/*
 * Stage: the temporary table that carries one table's netted rows into the target, where set-wise
 * statements (table_sql.h) take them from.
 *
 * A stage is created on first use in a session and emptied by each commit. The rows are sorted by
 * the bytes of their keys, which only brings neighbours together: no statement relies on the order.
 */
#pragma once

#include "apply/postgres/session.h"
#include "apply/postgres/table_sql.h"
#include "apply/staged.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Stage {
    char *name;
    TableSql sql;
    bool exists;
    bool pending; /* created by the open transaction: gone if that rolls back */
    bool used;    /* may hold rows */
} Stage;

void stage_free(gpointer stage);

/* The stage of a table; its statements are ready, the temporary table may not exist yet. */
Stage *stage_get(Target *target, const Table *table);

/* Sorts the rows and loads them into the empty stage. */
bool stage_load(Target *target, Stage *stage, const Table *table, GArray *rows, GError **error);

/* After a transaction's end, or a rollback to a savepoint. */
void stages_transaction_ended(Target *target, bool committed);
void stages_rolled_back_partly(Target *target);
