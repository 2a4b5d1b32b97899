/*
 * Start: from a migration file, and what the target remembers, to a migration whose roles can run.
 *
 * The first time: preflight, control tables, roles taken, tables and steps of the schema stored,
 * bus made, slot created, P0 stored. Each intent is in the target before its action, so that a
 * start that was killed anywhere is made again from there; nothing is copied before P0 is stored.
 * Every later time: everything that was stored is compared with the file, the source, and the bus.
 *
 * The first time belongs to the process that captures. Others wait for it, wherever it runs, and
 * then go through the checks of a later time.
 */
#pragma once

#include "deploy/phase.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct StartSettings {
    bool take_over;
    Runtime *process; /* its stop flag ends the start with *stopped */
    FILE *out;        /* findings */
    bool json;
} StartSettings;

/* Fills run's leases, holder and exported snapshot, and the context's session and migration.
 * *stopped: the process was asked to stop before the migration had begun to run. */
bool start_migration(Run *run, const StartSettings *settings, bool *stopped, GError **error);
