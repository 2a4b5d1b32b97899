/*
 * Outbox: the record that capture is filling, and the bus's writer behind it.
 *
 * Changes are copied in (but for huge rows); outbox_write packs them into one record and appends
 * it, outbox_flush makes what was appended durable. A transaction may be spread over records as
 * fragments. After an error nothing is known of the records that were not flushed: the outbox must
 * be thrown away.
 */
#pragma once

#include "capture/resume.h"
#include "proto/bus.h"
#include "schema/migration.h"

#include <stdbool.h>

typedef struct Outbox Outbox;

/* record_target: bytes that fill a record; 0: the default, which stays below what a bus takes. */
Outbox *outbox_new(const Migration *migration, const BusOps *ops, Bus *bus, const BusInfo *info,
                   guint64 epoch, gsize record_target, const Resume *resume);
void outbox_free(Outbox *outbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Outbox, outbox_free)

/* One transaction after the other. */
void outbox_begin(Outbox *outbox, const Transaction *header);
/* Once the record is full, outbox_write must come before the change's memory is used again. */
void outbox_change(Outbox *outbox, const Change *change);
/* False where the transaction had no change: then nothing of it goes to the bus. */
bool outbox_commit(Outbox *outbox, const Transaction *header);
bool outbox_in_transaction(const Outbox *outbox);

/* Is the record large enough to be appended? Does it hold a commit? */
bool outbox_is_full(const Outbox *outbox);
bool outbox_has_commit(const Outbox *outbox);

/* Appends the record that was filled, if it holds anything. */
bool outbox_write(Outbox *outbox, GError **error);
/* Appends a record of another kind: `mark` has kind, position, resume, source_time, oldest_xid.
 * Only outside a transaction, with nothing left to write. */
bool outbox_mark(Outbox *outbox, const Record *mark, GError **error);
bool outbox_flush(Outbox *outbox, GError **error);

guint outbox_unflushed(const Outbox *outbox);           /* records */
Position outbox_position(const Outbox *outbox);         /* last one appended */
Position outbox_durable(const Outbox *outbox);          /* last one flushed */
guint64 outbox_position_sequence(const Outbox *outbox); /* the last record with a position */
guint64 outbox_last_sequence(const Outbox *outbox);
