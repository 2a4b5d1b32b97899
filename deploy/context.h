/*
 * Context: what a command works on: the migration file, the drivers for its two sides and its bus,
 * the Migration made from it, and one control session on the target. Belongs to the main thread.
 */
#pragma once

#include "deploy/config.h"
#include "deploy/engine.h"
#include "proto/runtime.h"
#include "schema/control.h"
#include "schema/migration.h"

#include <stdbool.h>

typedef struct Context {
    Config *config;
    const SourceOps *source;
    const TargetOps *target;
    const BusOps *bus;
    Migration *migration; /* owns the endpoints */
    Target *session;      /* NULL before context_connect */
    Control control;      /* borrows session */
} Context;

/* What a process does for a migration; several of them or-ed together. */
typedef enum { ROLE_CAPTURE = 1, ROLE_COPY = 2, ROLE_APPLY = 4, ROLE_ALL = 7 } Role;

/* Of one role: "capture", which is also its command. */
const char *role_name(Role role);

/* The epochs of the roles that a process has, all on the control session. */
typedef struct Leases {
    guint64 capture, copy, apply;
} Leases;

/* Reads the file and finds the drivers; connects nowhere. USAGE for any fault of the file. */
Context *context_new(const char *file, GError **error);
void context_free(Context *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Context, context_free)

/* Opens the control session on the target, closing an old one. */
bool context_connect(Context *context, const char *role, GError **error);

void context_disconnect(Context *context);

/* "drover <migration> <role>": how a session is shown by its server (g_free). */
char *context_label(const Context *context, const char *role);

/* Takes these roles, copy beside other processes that copy. NO where another session has one of
 * them alone. */
bool context_take_roles(Context *context, guint roles, bool take_over, Leases *leases,
                        GError **error);
/* Takes all of them alone: nobody works for the migration then. */
bool context_take_alone(Context *context, bool take_over, GError **error);

/* Who has this role now: "host1 pid 7, host2 pid 9"; *names NULL without an error where nobody has
 * (g_free). */
bool context_role_holders(Context *context, Role role, char **names, GError **error);
/* Has another process one of these roles, of those that one process has alone? */
bool context_is_replaced(Context *context, guint roles, bool *replaced, GError **error);
