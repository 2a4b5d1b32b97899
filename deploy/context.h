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

/* The epochs of the roles that `run` holds, all on the control session. */
typedef struct Leases {
    guint64 capture, copy, apply;
} Leases;

/* Reads the file and finds the drivers; connects nowhere. USAGE for any fault of the file. */
Context *context_new(const char *file, GError **error);
void context_free(Context *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Context, context_free)

/* Opens the control session on the target, closing an old one. */
bool context_connect(Context *context, const char *role, GError **error);

/* "drover <migration> <role>": how a session is shown by its server (g_free). */
char *context_label(const Context *context, const char *role);

/* Takes capture, copy and apply. NO where another session has one of them. */
bool context_take_roles(Context *context, bool take_over, Leases *leases, GError **error);
