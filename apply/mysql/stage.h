/*
 * MysqlStage: the temporary table that carries rows of a batch into the target, where set-wise
 * statements take them from: those of a large batch, those whose unchanged cells are in the row of
 * another key, and those that are deleted and inserted again.
 *
 *   s_number  int      the row's index in NetTable.rows
 *   s_kind    text     'd' delete, 'u' update, 'i' insert
 *   s_base    int      0: no cell is unchanged, 1: such cells are those of the row itself, 2: they
 *                      are in the row of the base key
 *   s_mask    text     a '1' for each cell that is unchanged, else '0'; empty where none is
 *   s_done    int      1: had unchanged cells, which were filled in
 *   c1..cn             the cells, of the types of the target's columns
 *   b1..bk             the base key
 *
 * It lives in database drover for one table of a batch. A statement that treats rows with unchanged
 * cells is sent once for each mask that there is, so that cells are only ever copied.
 */
#pragma once

#include "apply/mysql/session.h"
#include "apply/staged.h"

#include <glib.h>
#include <stdbool.h>

typedef struct MysqlStage {
    Target *target;
    const Table *table;
    GHashTable *masks[3]; /* sets of the masks that staged rows have, by s_base */
    gint64 updates;       /* staged rows that are updated in place */
} MysqlStage;

void mysql_stage_init(MysqlStage *stage, Target *target, const Table *table);
void mysql_stage_clear(MysqlStage *stage);

/* Creates it with the rows (StagedRow) that are wanted. many: as bulk_init has it. */
bool mysql_stage_load(MysqlStage *stage, const GArray *rows, bool (*wanted)(const StagedRow *row),
                      bool many, GError **error);
bool mysql_stage_drop(MysqlStage *stage, GError **error);

/* Fills in unchanged cells, of the row itself or of the base key's. Rows whose base is not there
 * become deletes. *missing: their s_number, as guint32 (g_array_unref). */
bool mysql_stage_complete(MysqlStage *stage, bool own, GArray **missing, GError **error);

typedef enum {
    STAGE_DELETES,  /* the keys of deletes */
    STAGE_COMPLETE, /* of updates that were filled in */
    STAGE_UPDATES   /* of all updates */
} MysqlStageKeys;

/* Deletes keys from the target. */
bool mysql_stage_delete(MysqlStage *stage, MysqlStageKeys keys, GError **error);
/* Updates in place. *absent: as *missing, those that are not there. */
bool mysql_stage_update(MysqlStage *stage, GArray **absent, GError **error);
/* Inserts the rows that were filled in. */
bool mysql_stage_insert(MysqlStage *stage, GError **error);
