/*
 * Stored: what the target remembers of a migration (drover.migration, drover.tables), and whether
 * the migration file and the source still are what they were when it started.
 */
#pragma once

#include "schema/control.h"

#include <glib.h>
#include <stdbool.h>

/* The row of drover.migration; NULL for SQL's null. */
typedef struct Stored {
    char *uuid, *file, *phase, *source_identity, *slot;
    char *start_position, *start_resume, *consistent_position, *bus_uuid;
    char *source_server;
    guint32 source_era;
    bool paused;
} Stored;

void stored_free(Stored *stored);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stored, stored_free)

/* *stored NULL without an error where the target knows no such migration. */
bool stored_read(Control *control, Stored **stored, GError **error);

/* The same, and NO where there is none: for commands that need one. */
Stored *stored_find(Control *control, GError **error);

/* Adds the row, phase planned; does nothing where there is one already. */
bool stored_insert(Control *control, const char *uuid, const char *file, GError **error);

/* Copies uuid, slot (made from the uuid where none is stored), identity and start position; the
 * source's endpoint learns whose positions are meant. */
bool stored_fill(const Stored *stored, Migration *migration, GError **error);

/* Writes migration->tables to drover.tables, in place of what is there (in the open transaction).
 */
bool stored_save_tables(Control *control, GError **error);

/* Gives migration->tables the numbers that they had at the start. PERSON where a table is missing,
 * changed or new. */
bool stored_match_tables(Control *control, Migration *migration, GError **error);

/* The server that the stored positions are of; NULL: not known yet. */
const char *stored_server(const Stored *stored);

/* USAGE, naming what differs, where the file changed in a way that cannot be followed while the
 * migration runs. Limits, secrets and lines of `tables:` may change (the tables themselves are
 * compared by stored_match_tables), and of MySQL's and MariaDB's source its url: another server may
 * take over. */
bool stored_match_file(const Stored *stored, const char *resolved, const Endpoint *source,
                       GError **error);

/* XXH3-64 over the versions of the tables, in the order of their numbers. */
guint64 stored_schema_version(const Migration *migration);
