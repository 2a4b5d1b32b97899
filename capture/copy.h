/*
 * Copy: the rows that were there, chunk by chunk, from a snapshot of the source straight into the
 * target. A role that many processes may have at once: one step copies one chunk.
 *
 * Invariants: a chunk is claimed in the ledger by the transaction that writes its rows, and done
 * with it; every read has bounds (R5), HIGH is in the ledger before it is used; the primary key of
 * a table is built after its last chunk. A worker that starts without the exported snapshot (it
 * ends with the session of capture that holds it) takes new ones, and R4 makes it right.
 */
#pragma once

#include "proto/runtime.h"
#include "proto/source.h"
#include "proto/target.h"
#include "schema/control.h"
#include "schema/migration.h"

typedef struct Copy Copy;
typedef struct CopyBoard CopyBoard;

/* What the copy workers of one process share. */
CopyBoard *copy_board_new(void);
void copy_board_free(CopyBoard *board);
/* From any thread: rows and bytes written since this process started, chunks in flight included. */
void copy_board_counts(CopyBoard *board, guint64 *rows, guint64 *bytes);
/* Those of them that chunks in flight have written so far (not yet in the ledger). */
void copy_board_in_flight(CopyBoard *board, guint64 *rows, guint64 *bytes);
/* Has a worker found the exported snapshot gone? */
bool copy_board_snapshot_lost(CopyBoard *board);

/* For whoever waits for what other processes have claimed of the copy: says now and then who has,
 * for they may be processes that stand still. Workers of `epoch` are this process's own. */
bool copy_wait(CopyBoard *board, Control *control, guint64 epoch, Runtime *runtime, GError **error);

/* An exported snapshot as other processes need it: its name, and what must be seen through it, for
 * a source that was started again gives the same names to other snapshots. reader: a session that
 * is used for nothing else. NULL on failure (g_free). */
char *copy_snapshot_text(const SourceOps *ops, Source *reader, const char *name, GError **error);

typedef struct CopySettings {
    const Migration *migration;
    const SourceOps *source;
    const TargetOps *target;
    guint worker; /* from 1: drover.progress worker "copy-<epoch>-<n>" */
    guint64 epoch;
    const char *snapshot; /* copy_snapshot_text, or NULL */
    CopyBoard *board;
    Runtime *runtime;
} CopySettings;

Copy *copy_new(const CopySettings *settings, GError **error);
void copy_free(Copy *copy);

/* Before the first chunk: plans the chunks of one table. STEP_IDLE: all that is left is in other
 * workers' hands; STEP_DONE: every table has its chunks in the ledger. */
StepResult copy_plan_step(Copy *copy, GError **error);

/* STEP_WORKED: one chunk copied; STEP_IDLE: all that is left is in other workers' hands, or paused;
 * STEP_DONE: every chunk of every table is done and every table has its key. */
StepResult copy_step(Copy *copy, GError **error);
