/*
 * Supervisor: the only module with threads. It runs the stages of deploy/phase.h that belong to the
 * roles of this process one after the other, each role in a thread of its own with connections of
 * its own, with capture beside them where that is one of them; while the migration is in a stage of
 * others it waits.
 *
 * A thread that fails with RETRY is freed and made anew after a while; any other failure stops
 * everything. The control session holds the locks of the roles, so when it is lost, for whatever
 * reason (the target stopped, somebody took over, `drop`), all threads are stopped and joined
 * before the roles are taken again with higher epochs. That is the one way in which a process
 * learns that it is over.
 */
#pragma once

#include "deploy/phase.h"

typedef struct SupervisorSettings {
    Run *run;         /* context connected, leases taken, start position known */
    Runtime *process; /* its stop flag ends the run */
    bool terminal;    /* stderr shows a bar */
    bool color;
} SupervisorSettings;

/* Runs until the process shall stop, or nothing is left to do for its roles (both true), or
 * something other than a server's absence stops it. */
bool supervisor_run(const SupervisorSettings *settings, GError **error);
