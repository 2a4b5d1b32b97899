/*
 * Apply: from the bus to the target. A role: one step reads a batch of whole source transactions,
 * nets it to the final image of every key, and writes it with its progress in one target
 * transaction (R2). A transaction too large for memory is written piece by piece inside one target
 * transaction.
 *
 * Invariants: R2, R3 (the epoch is checked by each transaction's first statement), R6, R7
 * (refetched rows enter netting at LOW of a batch that holds all of (LOW, HIGH]), R8 (accounts add
 * up to what capture counted, or apply stops).
 */
#pragma once

#include "proto/bus.h"
#include "proto/runtime.h"
#include "proto/source.h"
#include "proto/target.h"
#include "schema/migration.h"

typedef struct Apply Apply;

typedef struct ApplySettings {
    const Migration *migration;
    const SourceOps *source; /* for refetches; connected on first use */
    const BusOps *bus;
    const TargetOps *target;
    guint64 epoch;
    Runtime *runtime;
    bool consistent; /* progress is past the consistent point */
    Position until;  /* stop (STEP_DONE) once progress is at or past it; zero: never */
} ApplySettings;

typedef struct ApplyStatus {
    Position position;
    gint64 commit_time;   /* source time of the last applied transaction or heartbeat */
    guint64 events;       /* since this process started */
    guint64 transactions; /* source transactions, since this process started */
    guint64 batches;
    guint64 bus_sequence; /* the oldest record that is still needed by apply */
} ApplyStatus;

Apply *apply_new(const ApplySettings *settings, GError **error);
void apply_free(Apply *apply);
StepResult apply_step(Apply *apply, GError **error);
/* From any thread. */
void apply_status(Apply *apply, ApplyStatus *status);
