/*
 * What the files of the verify module share; nobody else includes it.
 *
 * verify.c drives tables and writes results, verify_chunk.c finds suspects (keys whose rows may
 * differ), verify_keys.c proves each suspect equal or different.
 */
#pragma once

#include "apply/verify.h"
#include "schema/control.h"

#include <glib.h>
#include <stdbool.h>

typedef struct SuspectSet SuspectSet;

typedef struct Verify {
    const VerifySettings *settings;
    Source *source;
    Target *target; /* reads, progress and results: one session */
    Control control;
    gint64 rows_per_chunk;
    bool codec; /* digests of canonical bytes: the databases have no common text of a row */
    VerifyReport *report;

    /* The table at hand. */
    const Table *table;
    VerifyTable *result;
    SuspectSet *suspects;
} Verify;

/* RETRY once the runtime is stopping. */
bool verify_go_on(const Verify *verify, GError **error);

/* Waits until apply's progress is at or past `needed`, with heartbeats on the source. RETRY where
 * it does not move for the time of the patience, or is not there after a multiple of it. */
bool verify_wait_progress(Verify *verify, Position needed, GError **error);

/* One read-only transaction on the target that sees apply's progress and the rows at once. BUG
 * where progress is before `needed`. */
bool verify_target_begin(Verify *verify, Position needed, GError **error);
bool verify_target_end(Verify *verify, GError **error);

/* A difference that was proven: counted, listed and stored. */
typedef enum { DIFFERENCE_MISSING, DIFFERENCE_EXTRA, DIFFERENCE_DIFFERENT } DifferenceKind;
bool verify_add_difference(Verify *verify, DifferenceKind kind, const Row *key, GError **error);

/* Compares the table chunk by chunk and proves what it suspects. */
bool verify_chunks(Verify *verify, GError **error);

/* Keys whose rows were seen to differ: `source` and `target` tell whether each side had the row. */
SuspectSet *suspect_set_new(const Table *table);
void suspect_set_free(SuspectSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SuspectSet, suspect_set_free)
void suspect_set_add(Verify *verify, const guint8 *packed, guint32 size, bool source, bool target);
guint suspect_set_size(const SuspectSet *set);

/* Looks the suspects up on both sides, round by round, until each is proven equal, proven
 * different, or (after the patience) counted as unproven. The set is empty afterwards. */
bool suspect_set_prove(Verify *verify, GError **error);

/* A packed key as a hash table's key: a length and the bytes. */
typedef struct PackedKey {
    guint32 size;
    const guint8 *bytes;
} PackedKey;
guint packed_key_hash(gconstpointer key);
gboolean packed_key_equal(gconstpointer a, gconstpointer b);
