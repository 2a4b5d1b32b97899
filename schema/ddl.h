/*
 * DDL: the statements that give the target the source's tables, in the stages of the copy.
 */
#pragma once

#include "proto/runtime.h"
#include "schema/control.h"
#include "schema/server.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

typedef struct DdlStep {
    guint32 table_id; /* 0: of no table */
    char *kind; /* schema sequence table | key | index constraint | foreign_key | sequence_owner
                   analyze */
    char *name;
    char *statement;
} DdlStep;

void ddl_step_free(DdlStep *step);

/* Everything the tables need, in order, with target names; type_map_table has given every column
 * its target's type. The source is asked, of the target only what it is counts. Between two
 * PostgreSQL servers the statements are made of the source's own definitions, else of what both
 * sides know (ddl_across.c). Array of DdlStep *. */
GPtrArray *ddl_plan(const Server *source, const Server *target, GPtrArray *tables, GError **error);

/* The same. What a table has on the source and will not have on the target (an invalid index, a
 * foreign key to a table that is not moved) is appended to left_out (char *, "schema.table: ..."),
 * the qualified name of every relation that will be created to relations (char *); both may be
 * NULL. */
GPtrArray *ddl_plan_full(const Server *source, const Server *target, GPtrArray *tables,
                         GPtrArray *left_out, GPtrArray *relations, GError **error);

/* Stores the steps in drover.ddl. */
bool ddl_store(Control *control, GPtrArray *steps, GError **error);

/* Who runs steps: a row of drover.progress. */
typedef struct DdlWorker {
    const char *name;
    guint64 epoch;
} DdlWorker;

typedef enum {
    DDL_IN_ORDER, /* the first pending step; none while another session is at it */
    DDL_ANY       /* one that no other session is at, for building in parallel */
} DdlPick;

/* Runs one pending step of some kinds (NULL-terminated) in a data transaction of its own with its
 * `done`, and records what it creates in drover.object. *ran false where there is none to take. */
bool ddl_run_one(Control *control, const DdlWorker *worker, const char *const *kinds, DdlPick pick,
                 bool *ran, GError **error);
/* All pending steps of some kinds of one table, in the worker's open data transaction, which has
 * claimed the table (control_key_claim). Where DDL commits by itself they are several transactions,
 * and the one that is open at the end has the claim again and the last step's `done`. */
bool ddl_run_table(Control *control, const DdlWorker *worker, const char *const *kinds,
                   guint32 table_id, GError **error);
/* Is any step of some kinds not done, whoever is at it? */
bool ddl_left(Control *control, const char *const *kinds, bool *left, GError **error);
