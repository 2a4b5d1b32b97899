/*
 * Resume: where capture goes on, found by reading the end of the bus (rule R3).
 *
 * Commits, claims and heartbeats all carry a position, so it is enough to read a short stretch at
 * the end; a stretch that is all inside one large transaction makes the next one longer.
 */
#pragma once

#include "proto/bus.h"
#include "schema/migration.h"

#include <stdbool.h>

typedef struct Resume {
    Position position;         /* the last one that is on the bus */
    char *resume;              /* its resume text, or NULL; owned */
    guint64 position_sequence; /* the record that has it; 0 where the bus is empty */
} Resume;

void resume_clear(Resume *resume);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Resume, resume_clear)

/* For an empty bus the migration's start. The caller has claimed its epoch, so nobody appends
 * meanwhile. PERSON where the end of the bus does not hold together. */
bool resume_find(const BusOps *ops, Bus *bus, const BusInfo *info, const Migration *migration,
                 Resume *resume, GError **error);
