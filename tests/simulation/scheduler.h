/*
 * Scheduler: decides, by chance, what happens next: which process goes on to its next call, what
 * the source's users do, what dies, sleeps, crashes or is taken over.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* One run, from the seed to the last check. Returns the steps it took. */
guint64 scheduler_run(guint64 seed, bool loud);
