/*
 * Roles: how each role is driven, as deploy/phase.c does it; all in the process's own fiber.
 */
#pragma once

#include "tests/simulation/process.h"

typedef struct RoleKind {
    const char *name;
    void *(*start)(Process *process, GError **error); /* NULL without an error: not yet */
    StepResult (*step)(void *role, GError **error);
    void (*free)(void *role);
    bool (*look)(Process *process, void *role, GError **error); /* on the control session */
    bool (*finish)(Process *process, GError **error);           /* after STEP_DONE */
} RoleKind;

extern const RoleKind role_kinds[N_ROLES];
