/*
 * Phase: what a migration does one after the other, as a table of stages. A stage is a role that
 * runs in one thread or in limits.copy_workers threads until each of them is done; then `finish`
 * writes the outcome, and the next phase, to the target. Every stage can begin anew at any time: a
 * restart goes to the first stage of the phase that the target remembers.
 *
 *     copying       copy    tables on the target, plan of the chunks; then the chunks and the keys
 *     catching_up   apply   up to the consistent point
 *     indexing      apply   indexes and constraints, foreign keys, the rest; the stream waits
 *     streaming     apply   for good
 *
 * A stage is the work of one role; a process without that role waits for those that have it. Many
 * processes may work on the stages of copy at once. Capture, and the watch over the source, run
 * beside all stages.
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

/* One run of the process. The threads read it; the main thread writes it while none of them runs.
 */
typedef struct Run {
    Context *context;
    guint roles;     /* what this process does: Role, or-ed */
    Runtime runtime; /* of every thread; the main thread stops them all through it */
    Leases leases;
    bool take_over; /* end a session that still holds the slot */
    CopyBoard *board;

    /* As the target says. */
    char *snapshot;      /* copy_snapshot_text; NULL: the copy takes snapshots of its own */
    Position consistent; /* highest HIGH of all chunks; from phase catching_up on */

    /* Main thread only. */
    Source *holder; /* keeps the exported snapshot for all copies; NULL: not this process */
    char *exported; /* copy_snapshot_text of that */
    bool snapshot_forgotten; /* the target was told that the snapshot is gone */

    pthread_mutex_t lock;
    Sample sample;      /* under lock */
    guint64 trim_below; /* under lock: records of the bus below it are no longer needed */
} Run;

void run_init(Run *run, Context *context, guint roles);
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
    Role owner;
    const RoleKind *kind;
    bool parallel; /* limits.copy_workers threads */
    ProgressKind progress;
    /* On the control session, once all threads are done; NULL: nothing to write. */
    bool (*finish)(Run *run, GError **error);
} Stage;

/* What the target says: the first stage of its phase, the consistent position, the snapshot. While
 * no thread of a stage runs. PERSON where it is in a phase that none of the stages has. */
bool run_read(Run *run, const Stage **stage, GError **error);
/* On the control session: tells the target that a snapshot that a copy has found gone is gone. */
bool run_forget_snapshot(Run *run, GError **error);
/* Ends the session that keeps the exported snapshot, and tells the target, as far as it can be
 * told.
 */
void run_release_snapshot(Run *run);

/* Has this role a stage from this one on? */
bool stage_is_left(const Stage *stage, guint roles);
/* The next stage of the same phase; NULL after the last one. */
const Stage *stage_next(const Stage *stage);
