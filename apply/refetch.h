/*
 * Refetch: reads rows from the source again and brings them into the stream at the right place.
 *
 * A window is one read of up to 1,000 keys of the refetch list, with its bounds. Its rows enter
 * netting just below the first transaction of the bus that the read did not see (LOW), in a batch
 * that reaches HIGH; the list's keys are taken off in that batch's transaction. A window is thrown
 * away, and read again later, where a transaction that was applied already is not in the read.
 */
#pragma once

#include "apply/batch.h"
#include "proto/runtime.h"
#include "proto/source.h"

typedef struct Refetch Refetch;

/* The source is connected on first use. */
Refetch *refetch_new(const Migration *migration, const SourceOps *source, Runtime *runtime);
void refetch_free(Refetch *refetch);

/* Tells that the list in the target may have keys (at start, and after any was added). */
void refetch_wake(Refetch *refetch);

/* Apply has committed this transaction: a later read must have seen it. */
void refetch_note_applied(Refetch *refetch, guint64 xid);
/* Apply has committed everything up to here. */
void refetch_note_reached(Refetch *refetch, Position position, const char *resume);
/* Every transaction below it is visible to new reads: what was noted of them is forgotten. */
void refetch_forget_below(Refetch *refetch, guint64 oldest_xid);

/* Opens a window where the list has keys and a try is due. No window may be open. */
bool refetch_open(Refetch *refetch, Control *control, GError **error);
bool refetch_is_open(const Refetch *refetch);
/* Where the window must end: no batch with its rows may stop before. */
Position refetch_high(const Refetch *refetch);

/* Before a transaction of the stream is netted: puts the window's rows into the batch where that
 * transaction is the first that the read did not see. */
void refetch_before(Refetch *refetch, const Transaction *transaction, Batch *batch);
/* The batch ends: puts the rows in where no transaction came that the read did not see. */
void refetch_at_end(Refetch *refetch, Batch *batch);
bool refetch_is_injected(const Refetch *refetch);

/* In the batch's transaction: takes the window's keys off the list. */
bool refetch_settle(Refetch *refetch, Control *control, GError **error);
/* After the commit, or when the batch is forgotten: the keys stay on the list unless settled. */
void refetch_close(Refetch *refetch);
/* The same, and the next window is not opened at once. */
void refetch_give_up(Refetch *refetch);

/* Makes the source's log move past HIGH on an idle source. */
bool refetch_nudge(Refetch *refetch, GError **error);
