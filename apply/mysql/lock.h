/*
 * Role locks as named locks of the server (GET_LOCK), which end with the session.
 *
 * Named locks are exclusive, so a role has several: a gate, and slots. Who has the role alone holds
 * the gate; who shares it holds a slot, which is taken while the gate is held, and whoever holds
 * the gate looks whether the slots are free before he takes himself for alone. Names belong to the
 * whole server, as drover's database does.
 *
 * The lock is not all that a dead process leaves behind: its other sessions of the role may still
 * hold row locks, or be about to commit. Who gets the role alone ends them first. A server does not
 * tell everybody how a session calls itself, so each takes one of the locks of its kind as a badge:
 * label "drover shop copy-3-1" one of those of "drover shop copy".
 */
#pragma once

#include "apply/mysql/session.h"

/* Takes the session's badge; right after the connection was made. */
bool mysql_target_take_badge(Target *target, const char *label, GError **error);

/* TargetOps.lock_role and TargetOps.role_holders. */
bool mysql_target_lock_role(Target *target, const Migration *migration, const char *role,
                            RoleHold hold, bool take_over, GError **error);
Answer *mysql_target_role_holders(Target *target, const Migration *migration,
                                  const char *const *roles, GError **error);
