/*
 * Process: a drover with one role, as a fiber: it takes its role in the target and drives the
 * production step functions. It stands still at each call of an interface; the scheduler decides
 * who goes on, who is killed there and who sleeps there while another takes over.
 */
#pragma once

#include "proto/runtime.h"
#include "schema/control.h"
#include "tests/simulation/fiber.h"

#include <glib.h>
#include <stdbool.h>

typedef enum { ROLE_CAPTURE, ROLE_COPY, ROLE_APPLY, N_ROLES } Role;

typedef struct Process {
    Role role;
    char name[16]; /* "apply#3" */
    Fiber *fiber;
    Runtime runtime;
    bool take_over;
    bool killed;       /* nothing that it calls has an effect any more, */
    bool last_call;    /* but for the one at which it stands */
    bool slept;        /* it once stood still for long */
    guint64 wake_step; /* it stands still until then */
    const char *call;  /* at which it stands */
    bool refused;      /* somebody else has its role */
    bool has_epoch;
    guint64 epoch;
    Control control;  /* the session that holds the role's lock; NULL where it has none */
    bool worker_done; /* copy: all is done, and the next phase is written */
} Process;

const char *role_name(Role role);

Process *process_new(Role role, guint number, bool take_over);
/* Whatever it is at, it unwinds without an effect. */
void process_free(Process *process);
bool process_is_done(const Process *process);
/* Up to its next call. */
void process_resume(Process *process);
/* NULL outside of all processes: calls of nobody's never stand still nor fail. */
Process *process_current(void);
/* Has another process of its role a higher epoch? */
bool process_is_superseded(const Process *process);

/* Around the effect of each call of an interface. call_begin lets others go first; where it is
 * false the call fails without an effect. call_end: false where the answer is lost. Errors are
 * RETRY. */
bool call_begin(const char *what, GError **error);
bool call_end(GError **error);
/* For a call that waits for somebody else: lets others go on. False where it is killed. */
bool call_wait(const char *why, GError **error);
