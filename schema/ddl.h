/*
 * DDL: the statements that give the target the source's tables, in the stages of the copy.
 */
#pragma once

#include "proto/runtime.h"
#include "schema/connection_pg.h"
#include "schema/control.h"
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

/* Everything the tables need, in order, with target names. Array of DdlStep *. */
GPtrArray *ddl_plan(PGconn *source, GPtrArray *tables, GError **error);

/* The same. What a table has on the source and will not have on the target (an invalid index, a
 * foreign key to a table that is not moved) is appended to left_out (char *, "schema.table: ..."),
 * the qualified name of every relation that will be created to relations (char *); both may be
 * NULL. */
GPtrArray *ddl_plan_full(PGconn *source, GPtrArray *tables, GPtrArray *left_out,
                         GPtrArray *relations, GError **error);

/* Stores the steps in drover.ddl; runs the pending steps of some kinds (NULL-terminated), each in a
 * transaction of its own with its `done`, and records what it creates in drover.object. table_id 0:
 * of any table. Stops between steps when the runtime is stopping. */
bool ddl_store(Control *control, GPtrArray *steps, GError **error);
bool ddl_run(Control *control, const char *const *kinds, guint32 table_id, Runtime *runtime,
             GError **error);
/* One pending step of these kinds that no other session is working on (SKIP LOCKED), for building
 * in parallel: *ran false where none is left. */
bool ddl_run_one(Control *control, const char *const *kinds, bool *ran, GError **error);
