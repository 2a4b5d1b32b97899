/*
 * Session: the handle behind pg_target_ops, shared by the files of this folder.
 *
 * It remembers which statements are prepared, and which stages (temporary tables, stage.h) exist;
 * stages that were created in a transaction that is rolled back are gone with it.
 */
#pragma once

#include "apply/postgres/copy_in.h"
#include "proto/target.h"
#include "schema/migration.h"

#include <glib.h>
#include <libpq-fe.h>
#include <stdbool.h>

struct Target {
    PGconn *connection;
    char *label;            /* of the endpoint, for messages */
    GHashTable *statements; /* SQL text -> name of the prepared statement */
    GHashTable *stages;     /* Stage.name -> Stage * */
    CopyIn copy;            /* one at a time: the copy's rows, or those of a stage */
    char *copying;          /* the table of copy_begin, for messages; NULL: none is open */
};

/* For the statements that write rows, inside their transaction: rows are looked up by the index of
 * the key, one by one, in the order of the stage, whatever the planner thinks of the sizes. The
 * cost then follows the batch, never the table; a stage has no statistics, and a prepared statement
 * may have been planned when its table was still empty. */
#define TARGET_PLANS_BY_INDEX                                                                      \
    "select pg_catalog.set_config(name, 'off', true) from (values ('enable_seqscan'), "            \
    "('enable_hashjoin'), ('enable_mergejoin')) as settings (name)"

/* The name of the prepared statement for this text; prepared on first use (a round trip), and kept
 * as long as the session: for texts of which there is a limited number. types NULL: by the server.
 */
const char *target_prepare(Target *target, const char *sql, int n, const Oid *types,
                           GError **error);

/* Runs one statement or several; *rows: what the last one says it changed. rows may be NULL. */
bool target_run(Target *target, const char *sql, gint64 *rows, GError **error);

/* lock.c: TargetOps.lock_role and TargetOps.role_holders. */
bool target_lock_role(Target *target, const Migration *migration, const char *role, RoleHold hold,
                      bool take_over, GError **error);
Answer *target_role_holders(Target *target, const Migration *migration, const char *const *roles,
                            GError **error);

/* write.c: TargetOps.write. */
bool target_write(Target *target, NetTable *tables, guint n_tables, bool consistent,
                  GError **error);
