/*
 * Kafka piece: what the header of one message of a Kafka topic says (PiecePb of
 * proto/change.proto). Used by the bus on Kafka only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define KAFKA_PIECE_HEADER "drover"
#define KAFKA_PIECE_PACKED 96 /* bytes that a packed one takes at most */

typedef struct KafkaPiece {
    guint8 bus_uuid[16];
    guint64 epoch;
    guint64 sequence; /* 0: the message that names the bus */
    guint32 piece, pieces;
    guint64 digest;
    guint64 bytes;
    guint64 size;
} KafkaPiece;

/* Writes at most KAFKA_PIECE_PACKED bytes to out; returns how many. */
gsize kafka_piece_pack(const KafkaPiece *piece, guint8 *out);

/* False where the bytes are no header of drover's. */
bool kafka_piece_unpack(const guint8 *data, gsize size, KafkaPiece *piece);
