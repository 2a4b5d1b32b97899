/*
 * Runtime: what a role takes from outside so that a test or a simulation can drive it: the clock,
 * waiting, the stop flag. Shared by all roles of a process.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Runtime Runtime;

struct Runtime {
    gint stop;                       /* atomic; not 0: leave as soon as the data allows */
    gint64 (*now)(Runtime *runtime); /* monotonic, microseconds */
    void (*wait)(Runtime *runtime, gint64 duration); /* microseconds; returns early on stop */
    void *user;
};

/* What a step function did. */
typedef enum {
    STEP_WORKED, /* call again at once */
    STEP_IDLE,   /* nothing to do now; the step has already waited a little */
    STEP_DONE,   /* this role has nothing left to do */
    STEP_FAILED  /* *error is set */
} StepResult;

/* The real clock. */
void runtime_init(Runtime *runtime);
bool runtime_stopping(const Runtime *runtime);
