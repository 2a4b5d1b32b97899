/*
 * MysqlStage: the temporary table in which rows with unchanged cells become complete, where those
 * cells are not in the row itself, or the row itself must be deleted and inserted.
 *
 *   s_number  int      the row's index in NetTable.rows
 *   s_own     int      1: the unchanged cells are those of the row itself
 *   s_mask    text     a '1' for each cell that is unchanged, else '0'
 *   s_done    int      1: complete
 *   c1..cn             the cells, of the types of the target's columns
 *   b1..bk             the base key
 *
 * It lives in database drover for one table of a batch.
 */
#pragma once

#include "apply/mysql/session.h"
#include "apply/staged.h"

#include <glib.h>
#include <stdbool.h>

typedef struct MysqlStage {
    Target *target;
    const Table *table;
    GHashTable *masks; /* a set of the masks that rows have */
} MysqlStage;

void mysql_stage_init(MysqlStage *stage, Target *target, const Table *table);
void mysql_stage_clear(MysqlStage *stage);

/* Creates it with the partial rows of `rows` (StagedRow): all, or those of another base alone. */
bool mysql_stage_load(MysqlStage *stage, const GArray *rows, bool own_too, GError **error);
/* Completes those rows that have their own base, or another. *missing: numbers (guint32) of the
 * rows whose base is not there (g_array_unref). */
bool mysql_stage_complete(MysqlStage *stage, bool own, GArray **missing, GError **error);
/* Inserts the rows that are complete. */
bool mysql_stage_insert(MysqlStage *stage, GError **error);
bool mysql_stage_drop(MysqlStage *stage, GError **error);
