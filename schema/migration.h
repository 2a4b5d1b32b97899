/*
 * Migration: everything the roles share, read-only while they run: names, endpoints, tables,
 * limits. Made by the deploy folder from the migration file and drover.migration in the target.
 */
#pragma once

#include "proto/bus.h"
#include "proto/endpoint.h"
#include "proto/position.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Migration {
    char *name;
    char *uuid; /* 36 characters */
    Endpoint *source;
    Endpoint *target;
    BusOptions bus;
    char *slot; /* drover_<name>_<first 8 of the uuid>; the publication has the same name */
    char *source_identity; /* "system identifier/timeline" at the start */
    Position start;        /* P0 */
    char *start_resume;    /* its resume text; NULL where the position says it all */
    GPtrArray *tables;     /* Table *, tables[i]->id == i + 1 */
    guint64 memory_limit;  /* bytes a process */
    guint copy_workers;
    guint64 schema_version; /* XXH3-64 over the tables' versions: Record.schema_version */
} Migration;

void migration_free(Migration *migration);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Migration, migration_free)

/* Does the source keep log until the migration has read it, in a slot of its name? MySQL and
 * MariaDB keep it for as long as their own settings say, whoever reads. */
bool migration_has_slot(const Migration *migration);

/* NULL where there is no such number. */
const Table *migration_table(const Migration *migration, guint32 id);
