/*
 * Payload: the events inside of a TRANSACTION_PAYLOAD event, decompressed as a stream, so that
 * memory holds one event of the transaction and not the transaction.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct BinlogPayload BinlogPayload;

/* event_limit: most bytes of one event inside. */
BinlogPayload *binlog_payload_new(gsize event_limit);
void binlog_payload_free(BinlogPayload *payload);

typedef enum { BINLOG_PAYLOAD_ZSTD, BINLOG_PAYLOAD_PLAIN } BinlogCompression;

/* Starts over with these bytes, which must stay until the last event was taken. */
void binlog_payload_start(BinlogPayload *payload, BinlogCompression compression, const guint8 *data,
                          gsize size, guint64 uncompressed_size);

/* The next event, valid until the next call. False behind the last one, and with an error where
 * the bytes are damaged or do not end with an event. */
bool binlog_payload_next(BinlogPayload *payload, const guint8 **data, gsize *size, GError **error);
