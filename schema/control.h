/*
 * Control: drover's durable state in the target (schema/sql/control.sql), as functions.
 *
 * Everything goes through TargetOps.execute. A statement in a C file is every engine's. One that
 * differs, or is longer than a line, is schema/sql/X.sql; where MySQL and MariaDB need words of
 * their own, those are schema/sql/X.mysql.sql, and X.sql is PostgreSQL's. Both take the same
 * parameters unless the first says otherwise. An X.mysql.sql may be several statements: the answer
 * is the last one's.
 *
 * A Control borrows one target session; it belongs to one thread. Used by every role and by the
 * commands.
 */
#pragma once

#include "proto/source.h"
#include "proto/target.h"
#include "schema/migration.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Control {
    const TargetOps *ops;
    Target *target;
    const Migration *migration;
} Control;

/* Chooses the statement for an engine: mysql for MySQL and MariaDB, sql for every other. */
const char *control_sql(const TargetOps *ops, const char *sql, const char *mysql);
/* A boolean of an answer; false where it is NULL. */
bool control_bool(const char *text);

/* Creates schema drover and its tables where they are missing. */
bool control_install(const TargetOps *ops, Target *target, GError **error);
/* *installed: has this target drover's tables? */
bool control_installed(const TargetOps *ops, Target *target, bool *installed, GError **error);
/* Drops the tables and the schema. NO where somebody else put something there: then all stays. */
bool control_uninstall(const TargetOps *ops, Target *target, GError **error);

/* What leases call this process: "<host> pid <n>" (g_free). */
char *control_holder(void);
/* Takes the role's session lock on this session, alone, then a higher epoch in drover.lease: every
 * worker row of that role ("copy" owns copy-%) gets the new epoch, and the leases of those who
 * shared the role are gone. NO where somebody else has it; take_over ends their sessions. */
bool control_take_role(Control *control, const char *role, bool take_over, guint64 *epoch,
                       GError **error);
/* Takes the role's lock beside others that share it, and an epoch of its own: workers of it are
 * called <role>-<epoch>-<n>. NO where somebody has the role alone. take_over: takes it alone first,
 * which ends all others; those that are well join again. */
bool control_join_role(Control *control, const char *role, bool take_over, guint64 *epoch,
                       GError **error);

/* drover.migration, one column by name (a C constant, never user input). */
bool control_get(Control *control, const char *column, char **value, GError **error);
bool control_set(Control *control, const char *column, const char *value, GError **error);

/* Opens a data transaction: "begin", then the worker's row in drover.progress is changed first
 * (rule R11), its epoch checked by the same statement (rule R3). NO where a higher epoch exists. */
bool control_write_begin(Control *control, const char *worker, guint64 epoch, GError **error);
/* Creates the worker's row with this epoch, or gives it this epoch. NO where the role was taken
 * with a higher one, or the migration is not the one that was started (it was dropped). */
bool control_worker_register(Control *control, const char *worker, guint64 epoch, GError **error);
bool control_commit(Control *control, GError **error);
/* Ends the transaction and keeps nothing of it. */
bool control_abandon(Control *control, GError **error);
/* For error paths: rolls back, ignores failures (the connection may be gone). */
void control_rollback(Control *control);

/* Apply's progress. In control_progress_set the transaction is open. */
typedef struct Progress {
    Position position;
    guint64 bus_sequence;
    guint64 bus_digest;
    gint64 commit_time; /* microseconds since 1970; 0 where none */
    guint64 bus_epoch;  /* highest epoch claimed up to that record */
} Progress;
bool control_progress_get(Control *control, const char *worker, Progress *progress, GError **error);
bool control_progress_set(Control *control, const char *worker, const Progress *progress,
                          const char *resume, GError **error);
/* Position and resume text (NULL where there is none; g_free) of one moment. */
bool control_progress_reached(Control *control, const char *worker, Position *position,
                              char **resume, GError **error);

/* Event accounts of one table in one batch; added to drover.tables (rule R8). */
typedef struct Account {
    guint32 table;
    guint64 captured, applied, filtered, superseded, rejected, refetched;
} Account;
bool control_accounts_add(Control *control, const Account *accounts, guint n, GError **error);

/* The copy's ledger. */
typedef struct Chunk {
    guint32 table;
    guint32 number;
    KeyRange range;
} Chunk;
bool control_chunks_add(Control *control, guint32 table, const GArray *ranges, GError **error);
/* Claims, in the open transaction and until it ends, however it ends: a table whose chunks are to
 * be planned, a chunk that is to be copied, a table whose key is to be built. 0 or NULL where there
 * is none that is in nobody's hands. Big tables come first. */
bool control_plan_claim(Control *control, guint32 *table, GError **error);
bool control_chunk_claim(Control *control, Chunk **chunk, GError **error);
bool control_key_claim(Control *control, guint32 *table, GError **error);
/* What the copy has to do still, whoever works on it. */
typedef struct CopyLeft {
    gint64 plans;  /* tables without chunks */
    gint64 tables; /* those, and tables with chunks or the key to do */
} CopyLeft;
bool control_copy_left(Control *control, CopyLeft *left, GError **error);
/* Who has claimed what of it, but for the workers of this epoch: "chunk 3 of table a.b by host1 pid
 * 7 (copy-5-1, session 4711), for 35 s". Array of char *. */
bool control_copy_held(Control *control, guint64 epoch, GPtrArray **held, GError **error);
void chunk_free(Chunk *chunk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Chunk, chunk_free)
/* In the open transaction: marks the chunk done. Sets *last where no chunk of its table is left. */
bool control_chunk_done(Control *control, const Chunk *chunk, const char *worker, gint64 rows,
                        gint64 bytes, Position high, bool *last, GError **error);
/* In the same transaction: a resume text with all that the chunk's read saw. */
bool control_chunk_saw(Control *control, const Chunk *chunk, const char *resume, GError **error);
/* The highest HIGH of all chunks, and how many are to do. */
bool control_copy_state(Control *control, gint64 *todo, Position *high, GError **error);
/* The end of the copy, in a transaction of its own: the consistent position and the next phase.
 * Does nothing where it has been done. BUG where the copy is not at its end. */
bool control_copy_finish(Control *control, GError **error);
/* MySQL and MariaDB: another server of the same history takes the source's place. */

/* Resume texts (array of char *) of what chunks have read, but for those whose HIGH is passed. */
bool control_reads_beyond(Control *control, Position passed, GPtrArray **resumes, GError **error);
/* Stores the new server, and the era of head, which is the end of its log; everything up to there
 * is in head_resume. Whatever apply has not passed of the copy is behind head then. */
bool control_change_server(Control *control, const char *server, Position head,
                           const char *head_resume, GError **error);
/* RESTART where that happened after this process had read whose positions there are. In an open
 * transaction of a copy that has changed its progress: it will not happen before the end. */
bool control_check_era(Control *control, GError **error);
/* Sets that error; returns false. */
bool control_fail_era(const Endpoint *source, GError **error);

/* The snapshot that copies may use, where it still is this one, has gone. */
bool control_snapshot_forget(Control *control, const char *snapshot, GError **error);
bool control_table_state(Control *control, guint32 table, const char *state, GError **error);
bool control_table_in_doubt(Control *control, guint32 table, const char *why, GError **error);

/* The refetch list: keys as row_pack. */
bool control_refetch_add(Control *control, guint32 table, const Row *key, const char *reason,
                         GError **error);
bool control_refetch_remove(Control *control, guint32 table, const Row *key, GError **error);
typedef struct RefetchKey {
    guint32 table;
    GByteArray *packed; /* row_pack of the key */
} RefetchKey;
/* Up to limit keys: array of RefetchKey (with a clear function). */
bool control_refetch_list(Control *control, guint limit, GArray **keys, GError **error);

/* Records an object that drover is about to create (before it does), or has removed. */
bool control_object_add(Control *control, const char *side, const char *kind, const char *name,
                        GError **error);
/* Was it recorded? */
bool control_object_find(Control *control, const char *side, const char *kind, const char *name,
                         bool *found, GError **error);
bool control_object_remove(Control *control, const char *side, const char *kind, const char *name,
                           GError **error);

/* A key that verify has proven to differ, as text. */
bool control_difference_add(Control *control, guint32 table, const char *kind, const char *key,
                            GError **error);
