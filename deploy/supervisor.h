/*
 * Supervisor: the only module with threads. It runs the stages of deploy/phase.h one after the
 * other, with capture beside them, each role in a thread of its own with connections of its own.
 *
 * A role that fails with RETRY is freed and made anew after a while; any other failure stops
 * everything. The control session holds the locks of the roles, so when it is lost all role threads
 * are stopped and joined before the roles are taken again with higher epochs.
 */
#pragma once

#include "deploy/phase.h"

typedef struct SupervisorSettings {
    Run *run;         /* context connected, leases taken, start position known */
    Runtime *process; /* its stop flag ends the run */
    bool terminal;    /* stderr shows a bar */
    bool color;
} SupervisorSettings;

/* Runs until the process shall stop (true) or something other than a server's absence stops it. */
bool supervisor_run(const SupervisorSettings *settings, GError **error);
