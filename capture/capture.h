/*
 * Capture: from the source's log to the bus. A role: one step function, driven by the supervisor.
 *
 * Invariants: a position is acknowledged to the source only after every event up to it is durable
 * in the bus (R1); the epoch is claimed on the bus before anything is appended, and the stream
 * resumes from the last commit found there (R3); each transaction's last part carries how many
 * events of each table it had (R8). Memory is bounded: a record is appended as soon as it is large
 * enough, whether or not its transaction is complete (R9).
 */
#pragma once

#include "proto/bus.h"
#include "proto/runtime.h"
#include "proto/source.h"
#include "schema/migration.h"

typedef struct Capture Capture;

typedef struct CaptureSettings {
    const Migration *migration;
    const SourceOps *source;
    const BusOps *bus;
    guint64 epoch;
    bool take_over; /* end whoever holds the slot */
    Runtime *runtime;
    gint64 heartbeat_interval; /* microseconds */
    gsize record_target;       /* bytes from which a record is appended; 0: the default */
} CaptureSettings;

typedef struct CaptureStatus {
    Position position;    /* durable in the bus and acknowledged */
    gint64 commit_time;   /* source time of the last transaction or heartbeat; microseconds */
    guint64 events;       /* captured since this process started */
    guint64 bus_sequence; /* last record appended */
} CaptureStatus;

/* Connects, claims the epoch on the bus, reads the bus up to its end, starts the stream. */
Capture *capture_new(const CaptureSettings *settings, GError **error);
void capture_free(Capture *capture);

/* STEP_WORKED, STEP_IDLE (waited up to 100 ms for the source) or STEP_FAILED: then this capture is
 * of no more use; after a RETRY error a new one goes on where the bus ends. */
StepResult capture_step(Capture *capture, GError **error);

/* From any thread: records below this number are no longer needed by any reader. */
void capture_allow_trim(Capture *capture, guint64 below_sequence);
/* From any thread. */
void capture_status(Capture *capture, CaptureStatus *status);
