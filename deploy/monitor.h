/*
 * Monitor: what the main thread looks at once a second while the roles run: the control session (a
 * statement on it proves that its locks are still held), phase, progress, lag; what it tells
 * capture (which records of the bus are no longer needed, wherever apply runs); and the display
 * made of it.
 */
#pragma once

#include "deploy/phase.h"

#include <stdbool.h>

typedef struct Monitor Monitor;

Monitor *monitor_new(Run *run, bool terminal, bool color);
void monitor_free(Monitor *monitor);

/* At the start of a phase of the migration. */
bool monitor_start(Monitor *monitor, const char *phase, GError **error);
/* Announces a stage of this process. now: microseconds, monotonic. */
void monitor_begin(Monitor *monitor, const Stage *stage, gint64 now);
/* A stage of others begins; what is shown is capture, where that is here. */
void monitor_wait(Monitor *monitor, const Stage *stage, gint64 now);

/* Asks the control session. RETRY: it is lost. */
bool monitor_read(Monitor *monitor, GError **error);
/* Was the migration in this phase when the session was asked last? */
bool monitor_is_in(const Monitor *monitor, const char *phase);

/* With the role's object, from the main thread, while it exists. */
typedef void (*MonitorLook)(Monitor *monitor, void *role);
void monitor_look_capture(Monitor *monitor, void *capture);
void monitor_look_apply(Monitor *monitor, void *apply);

/* Shows the bar, or logs every few seconds; in any case where it is the last time in a stage. */
void monitor_show(Monitor *monitor, gint64 now, bool last);
/* Leaves the bar as it is. */
void monitor_end(Monitor *monitor);
