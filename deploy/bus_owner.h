/*
 * Bus owner: the bus as something that belongs to one migration, told by its UUID. The bus of
 * another migration is never used, replaced or removed.
 */
#pragma once

#include "proto/bus.h"
#include "schema/check.h"

#include <stdbool.h>

/* Adds what the driver finds to the preflight. going_on: the migration has this bus already and is
 * to go on, which it can, whatever the settings: what would refuse a start is a warning. */
bool bus_owner_preflight(const BusOps *ops, const BusOptions *options, bool going_on,
                         Preflight *preflight, GError **error);

/* Before the stream exists: makes the bus, or finds the one of this migration (stored_uuid, may be
 * NULL) still empty. A bus that nobody owns (a kill between making it and storing its UUID) is
 * replaced only while it is empty. *uuid (g_free). PERSON where it is somebody else's. */
bool bus_owner_prepare(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                       char **uuid, GError **error);

/* PERSON where the bus is missing or has another UUID. */
bool bus_owner_check(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                     GError **error);

/* Removes the bus where it has this UUID. *removed false where there is none, or another's. */
bool bus_owner_remove(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                      bool *removed, GError **error);

/* What `status` tells of a bus. */
typedef struct BusLook {
    guint64 bytes;
    gint64 source_time; /* of the last record, microseconds; 0 where unknown */
    Position position;  /* up to which it has the source's log, as the last record says; zero where
                         * that is the middle of a transaction */
} BusLook;

/* False where it cannot be read from this host, or is another's. */
bool bus_owner_look(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                    BusLook *look, GError **error);
