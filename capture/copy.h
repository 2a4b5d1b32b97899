/*
 * Copy: the rows that were there, chunk by chunk, from a snapshot of the source straight into the
 * target. A role: one step copies one chunk.
 *
 * Invariants: a chunk's ledger row commits with its rows; every read has bounds (R5), HIGH is in
 * the ledger before it is used; the primary key of a table is built after its last chunk. A worker
 * that starts without the exported snapshot (after a crash) takes new ones, and R4 makes it right.
 */
#pragma once

#include "proto/runtime.h"
#include "proto/source.h"
#include "proto/target.h"
#include "schema/migration.h"

typedef struct Copy Copy;
typedef struct CopyBoard CopyBoard;

/* What the copy workers of one process share: which chunks are taken, and counters. */
CopyBoard *copy_board_new(void);
void copy_board_free(CopyBoard *board);
/* From any thread: rows and bytes written since this process started, chunks in flight included. */
void copy_board_counts(CopyBoard *board, guint64 *rows, guint64 *bytes);
/* Rows of one table that chunks in flight have written so far (not yet in the ledger). */
guint64 copy_board_rows_in_flight(CopyBoard *board, guint32 table);

typedef struct CopySettings {
    const Migration *migration;
    const SourceOps *source;
    const TargetOps *target;
    guint worker; /* from 1: drover.progress worker "copy-<n>" */
    guint64 epoch;
    const char *snapshot; /* exported and still held, or NULL */
    CopyBoard *board;
    Runtime *runtime;
} CopySettings;

/* Plans the chunks of every table that has none in the ledger (once, before the workers start;
 * reads with `snapshot` where given). RETRY where the runtime stops before the plan is whole. */
bool copy_plan(const CopySettings *settings, GError **error);

Copy *copy_new(const CopySettings *settings, GError **error);
void copy_free(Copy *copy);
/* STEP_WORKED: one chunk copied; STEP_IDLE: all that is left is in other workers' hands, or paused;
 * STEP_DONE: every chunk of every table is done and every table has its key. */
StepResult copy_step(Copy *copy, GError **error);
