/*
 * World: what everything in the simulation shares: chance, the clock, the trace of what happened,
 * and how a run fails. One world at a time, one run a seed: the same seed gives the same run.
 */
#pragma once

#include "schema/migration.h"

#include <glib.h>
#include <stdbool.h>

/* How rough a run is; drawn from its seed. "One in 0" never happens. */
typedef struct Weather {
    guint call_fails;   /* one in so many calls fails, before or after its effect */
    guint trouble;      /* of 1000 steps: kills, sleeps, take-overs, crashes */
    guint doubts;       /* one step in so many puts keys on the refetch list */
    guint activity;     /* one step in so many is the source's users' */
    guint reveals;      /* percent of those steps that make a commit visible */
    guint copies;       /* processes that share the copy */
    guint speed[3];     /* of the processes of each role, against each other */
    guint invisible;    /* percent of commits that are in the log before reads see them */
    guint unflushed;    /* percent of commits that reads see before the log is on the disk */
    guint sessions_end; /* percent of takings of a role that end its old sessions as well */
    bool kafka;         /* the bus: a fenced producer, instead of a lock on a file */
    gsize bus_capacity; /* bytes; 0: no limit */
    gsize record_target;
    guint steps; /* before the run is drained */
    bool gtids;  /* positions have resume texts, and new reads tell by them what they saw */
} Weather;

typedef struct World {
    guint64 seed;
    guint64 random;
    guint64 step;
    guint64 before; /* steps of the runs before */
    gint64 clock;   /* microseconds */
    bool calm;      /* the run is drained: nothing fails any more */
    bool ending;    /* processes are thrown away; nothing is checked any more */
    bool loud;      /* the trace is printed as it grows */
    GString *trace;
    Weather weather;
    Migration migration;
} World;

extern World world;

/* Draws the weather and makes the migration; the fakes are made by whoever drives the run. */
void world_begin(guint64 seed, bool loud);
void world_end(void);

/* 0 .. n-1 */
guint pick(guint n);
/* Of 100. */
bool chance(guint percent);
/* Never for 0. */
bool one_in(guint n);

/* A line of the trace, with the number of the step and the name of who acts. */
void trace(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Something is wrong with the code under test: prints the trace and what it is, and ends the
 * program with 1. So does, after world_catch_death, whatever else would end it: a failed assertion,
 * a signal, a finding of a sanitizer. */
void world_fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

void world_catch_death(void);

/* What must have happened at least once in a series of runs (coverage.def). */
typedef enum {
#define COVERAGE(name, text) COVER_##name,
#include "tests/simulation/coverage.def"
#undef COVERAGE
    N_COVERAGE
} Coverage;

extern guint64 coverage[N_COVERAGE];
#define COVER(name) (coverage[COVER_##name]++)

/* Prints all counters; false where one is zero. */
bool coverage_report(void);
