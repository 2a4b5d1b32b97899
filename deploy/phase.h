/*
 * Phase: what a migration does one after the other, as a table of stages. A stage is a role that
 * runs in one thread or in limits.copy_workers threads until each of them is done; then `finish`
 * writes the outcome, and the next phase, to the target. Every stage can begin anew at any time: a
 * restart goes to the first stage of the phase that the target remembers.
 *
 *     copying       tables on the target, plan of the chunks; then the chunks and the keys
 *     catching_up   apply up to the consistent point
 *     indexing      indexes and constraints, foreign keys, the rest (apply stands still)
 *     streaming     apply, for good
 *
 * Capture, and the watch over the source, run beside all of them.
 */
#pragma once

#include "capture/capture.h"
#include "capture/copy.h"
#include "deploy/context.h"
#include "deploy/progress_bar.h"
#include "proto/runtime.h"

#include <pthread.h>
#include <stdbool.h>

/* What the watch saw of the source last. */
typedef struct Sample {
    Position head;
    gint64 source_time;    /* microseconds since 1970, the source's clock; 0: nothing seen yet */
    gint64 retained_bytes; /* -1 where unknown */
} Sample;

/* One run of the process. The roles read it; the main thread writes it while none of them runs. */
typedef struct Run {
    Context *context;
    Runtime roles; /* of every role; the main thread stops them all through it */
    Leases leases;
    bool take_over; /* end a session that still holds the slot */
    Source *holder; /* keeps the exported snapshot; main thread only */
    char *snapshot; /* NULL: the copy takes snapshots of its own */
    CopyBoard *board;
    Position consistent; /* highest HIGH of all chunks; from phase catching_up on */

    pthread_mutex_t lock;
    Sample sample;      /* under lock */
    guint64 trim_below; /* under lock: records of the bus below it are no longer needed */
} Run;

void run_init(Run *run, Context *context);
void run_clear(Run *run);
Sample run_sample(Run *run);

/* The thread's side of a role: all three run in the role's own thread. */
typedef struct RoleKind {
    const char *name;
    bool optional; /* its failures are no failures of the run */
    void *(*start)(Run *run, guint worker, GError **error);
    StepResult (*step)(void *role, GError **error);
    void (*free)(void *role);
} RoleKind;

extern const RoleKind capture_kind, watch_kind, copy_kind, catch_up_kind, stream_kind;

/* Is it the role whose object is an Apply? */
bool role_kind_applies(const RoleKind *kind);

typedef struct Stage {
    const char *phase;
    const char *title;
    const RoleKind *kind;
    bool parallel; /* limits.copy_workers threads */
    ProgressKind progress;
    /* On the control session, once all threads are done; NULL: nothing to write. */
    bool (*finish)(Run *run, GError **error);
} Stage;

/* The first stage of a phase. NULL where the phase is none that runs. */
const Stage *stage_first(const char *phase);
/* NULL after the last one. */
const Stage *stage_next(const Stage *stage);
