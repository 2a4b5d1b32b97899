/*
 * Errors: one GLib domain whose codes are the classes that the exit status tells apart.
 *
 * A function that can fail returns bool or a pointer and takes `GError **error` last. The message
 * names the object, the position and the next step. An error is set where it happens, prefixed on
 * the way up (g_prefix_error), and logged or returned, never both.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    DROVER_ERROR_NO = 1, /* the answer is no: rights, settings, types, not empty, already running */
    DROVER_ERROR_USAGE,  /* command line or migration file */
    DROVER_ERROR_RETRY,  /* a server or the system failed; trying again may help */
    DROVER_ERROR_PERSON, /* no restart helps: lost slot, gap, DDL, a foreign bus */
    DROVER_ERROR_DATA,   /* this row: a value that the target cannot hold; `on_error` decides */
    DROVER_ERROR_BUG,    /* our own invariant is broken */
    DROVER_ERROR_RESTART /* trying again may help a process that starts anew, and not this one */
} DroverErrorCode;

#define DROVER_ERROR (drover_error_quark())

/* Call once in main before any thread starts (the quark's static is not guarded). */
GQuark drover_error_quark(void);

/* The process's exit status for an error: 1 to 4 (data and bug are 4, restart is 3); 3 for a
 * foreign domain. */
int drover_error_exit_status(const GError *error);

/* True for an error after which the same action may succeed (a server went away, a deadlock). */
bool drover_error_is_retry(const GError *error);
