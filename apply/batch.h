/*
 * Batch: nets a stretch of events to the final image of every key.
 *
 * Events are added in the order of the log. What stands for a key afterwards is one of: deleted; a
 * full image; a partial image whose unchanged cells come from the row of a base key that was in the
 * target before the batch. The rules (R6):
 *   - a delete ends a key's image: a later partial image of that key takes no cell from the target,
 *     it is a delete, and the key is wanted (to be refetched);
 *   - a key change takes unchanged cells from the old key only where that row is known to stand at
 *     the stream's position: past the consistent point, and past HIGH where it was refetched;
 *   - a truncation forgets the table's images; afterwards a key without an image is absent.
 * A refetched row enters by batch_inject, at LOW of its read (R7).
 *
 * Every event is accounted for exactly once: superseded here, or the last one of its key (R8).
 * Keys are only hashed and compared for identical bytes (R10). Used by apply.c alone.
 */
#pragma once

#include "proto/event.h"
#include "proto/target.h"
#include "schema/control.h"
#include "schema/migration.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Batch Batch;

Batch *batch_new(const Migration *migration);
void batch_free(Batch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Batch, batch_free)

/* consistent: the target, before this batch, is past its consistent point. Forgets everything. */
void batch_start(Batch *batch, bool consistent);

/* One event of a transaction that ends at `at` (zero where that is not known yet). Copies what it
 * keeps. DROVER_ERROR_PERSON for an unknown table, another schema version, or an image that does
 * not fit the table. */
bool batch_add(Batch *batch, const Change *change, Position at, GError **error);

/* A refetched row (NULL: the key is absent on the source), newer than the stream until `high`. */
void batch_inject(Batch *batch, guint32 table, const Row *key, const Row *row, Position high);

bool batch_is_empty(const Batch *batch);
gsize batch_memory(const Batch *batch); /* bytes held */
guint64 batch_events(const Batch *batch);

/* The netted rows by table; valid until batch_start. *n is set. After TargetOps.write took them,
 * batch_account and batch_wanted look at NetRow.missing. */
NetTable *batch_tables(Batch *batch, guint *n);

/* The keys of a table, by number, that some event or refetched row of the batch took away, whatever
 * came after: array of Row, valid until batch_start. */
GArray *batch_gone(const Batch *batch, guint32 table);

/* Adds this batch's events to the accounts (Account, indexed by table id - 1): applied,
 * superseded, refetched. */
void batch_account(const Batch *batch, Account *accounts);

/* Calls each for every key whose row must be refetched. Stops at the first failure. */
bool batch_wanted(const Batch *batch,
                  bool (*each)(void *user, guint32 table, const Row *key, GError **error),
                  void *user, GError **error);
