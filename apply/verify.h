/*
 * Verify: proves that both sides hold the same rows while they change.
 *
 * Chunk by chunk a digest of the source (read with bounds) is compared with a digest of the target
 * at an applied position past them. Where they differ, the rows' hashes are compared by key, and
 * the keys that differ go to the re-verify set: they are compared one by one until they are proven
 * equal or proven different. Results go to drover.verify and drover.difference.
 *
 * A difference is proven when the source row (same version) and the target row (same version)
 * stayed what they are over two rounds, with every transaction that the target had applied in
 * between visible to the source read, and they are not equal.
 */
#pragma once

#include "proto/runtime.h"
#include "proto/source.h"
#include "proto/target.h"
#include "schema/migration.h"

typedef struct VerifySettings {
    const Migration *migration;
    const SourceOps *source;
    const TargetOps *target;
    Runtime *runtime;
    gint64 rows_per_chunk; /* 0: 50,000 */
    gint64 patience;       /* microseconds that a key in motion, or apply, is waited for */
    const char *only;      /* "schema.table" of the source; NULL: all */
    void (*on_table)(void *user, const Table *table, guint done,
                     guint total); /* progress; or NULL */
    void *user;
} VerifySettings;

typedef struct VerifyTable {
    const Table *table;
    gint64 rows_source, rows_target;
    gint64 missing, extra, different; /* proven: in the source only, in the target only, unequal */
    gint64 unproven;                  /* keys that never stood still, or apply did not reach */
    gint64 reverified;                /* keys that were looked at one by one */
    GPtrArray *differences;           /* char *: "missing (id)=(5)", at most 1,000 a table */
} VerifyTable;

typedef struct VerifyReport {
    bool pass;         /* no proven difference and nothing unproven */
    Position position; /* every table was compared at or past it */
    GPtrArray *tables; /* VerifyTable * */
} VerifyReport;

void verify_report_free(VerifyReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VerifyReport, verify_report_free)

/* NULL and an error only where the comparison could not be made. */
VerifyReport *verify_run(const VerifySettings *settings, GError **error);
