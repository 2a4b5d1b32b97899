/*
 * Check: the preflight of `plan` and of the first `run`. Every finding at once, each with the exact
 * statement that mends it; changes nothing on either side.
 */
#pragma once

#include "schema/migration.h"

#include <glib.h>

typedef enum { FINDING_PASS, FINDING_WARN, FINDING_FAIL } FindingLevel;

typedef struct Finding {
    FindingLevel level;
    char *name;   /* short, stable: "source.wal_level" */
    char *text;   /* what is, in one sentence */
    char *remedy; /* SQL or command; NULL */
} Finding;

typedef struct Preflight {
    GPtrArray *findings;  /* Finding * */
    GPtrArray *not_moved; /* char * */
    gint64 rows, bytes;   /* estimates over all moved tables */
    char *source_version, *target_version;
    char *source_identity;
} Preflight;

void preflight_free(Preflight *preflight);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Preflight, preflight_free)
void preflight_add(Preflight *preflight, FindingLevel level, const char *name, const char *text,
                   const char *remedy);
bool preflight_passes(const Preflight *preflight);

/* Connects to both sides, loads the catalog and resolves `lines` (MappingLine *) into
 * migration->tables. started: this migration has its tables already (the target may hold rows, the
 * slot exists). Errors only where a server cannot be asked (RETRY, or NO when it refuses us);
 * everything else is a finding. */
Preflight *check_preflight(Migration *migration, GPtrArray *lines, bool started, GError **error);
