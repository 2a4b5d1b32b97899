/*
 * Status: what the control tables, and the source if it can be reached, tell of a migration; as
 * JSON and as text. Works whether or not a run is going on. Nothing here changes anything.
 */
#pragma once

#include "deploy/context.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct StatusTable {
    char *source, *target, *state;
    gint64 rows_copied, rows_total; /* total: an estimate until the copy is done */
    gint64 chunks_done, chunks_total;
    gint64 captured, applied, filtered, superseded, rejected, refetched;
    char *in_doubt;     /* NULL: nothing in doubt */
    char *verify_state; /* NULL: never verified */
    gint64 differences, backlog;
} StatusTable;

/* A process that has a role now. */
typedef struct StatusRole {
    char *role, *holder, *since;
    gint64 epoch;
} StatusRole;

/* Numbers are -1, lags negative and texts NULL where they are unknown. */
typedef struct Status {
    char *migration, *phase;
    bool paused;
    GPtrArray *tables; /* StatusTable * */
    GPtrArray *roles;  /* StatusRole * */

    char *capture_position;
    double capture_lag_seconds;

    char *apply_position;
    gint64 lag_bytes;
    double apply_lag_seconds;
    gint64 apply_epoch;

    char *source_head;
    bool has_slot; /* the source keeps its log for the migration */
    gint64 retained_bytes;
    bool slot_lost; /* or the log is gone where there is no slot */

    const char *bus_kind;
    gint64 bus_bytes;
} Status;

void status_free(Status *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Status, status_free)

/* NO where the target knows no such migration. */
Status *status_read(Context *context, GError **error);

/* Every event that was captured is accounted for (rule R8). */
bool status_table_adds_up(const StatusTable *table);

/* Open rejects; the state, differences and backlog of all verifies together. */
gint64 status_rejects(const Status *status);
const char *status_verify_state(const Status *status);

json_t *status_json(const Status *status);
void status_print(const Status *status, FILE *out);
