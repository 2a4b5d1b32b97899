/*
 * The target of the simulation: TargetOps over store.h and statements.h.
 */
#pragma once

#include "proto/target.h"

#include <glib.h>
#include <stdbool.h>

extern const TargetOps sim_target_ops;

/* Does the client know that this session's connection is lost? */
bool sim_target_is_lost(const Target *target);

/* Committed: has the role's lease this epoch? Apply's progress, the migration's phase. */
bool sim_target_has_lease(const char *role, guint64 epoch);
guint64 sim_target_position(void);
const char *sim_target_phase(void);
