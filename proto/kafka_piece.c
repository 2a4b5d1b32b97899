#include "proto/kafka_piece.h"

#include "proto/change.pb-c.h"

#include <string.h>

gsize kafka_piece_pack(const KafkaPiece *piece, guint8 *out)
{
    Drover__PiecePb pb = DROVER__PIECE_PB__INIT;
    pb.bus_uuid = (ProtobufCBinaryData){sizeof piece->bus_uuid, (guint8 *)piece->bus_uuid};
    pb.epoch = piece->epoch;
    pb.sequence = piece->sequence;
    pb.piece = piece->piece;
    pb.pieces = piece->pieces;
    pb.digest = piece->digest;
    pb.bytes = piece->bytes;
    pb.size = piece->size;
    g_assert(drover__piece_pb__get_packed_size(&pb) <= KAFKA_PIECE_PACKED);
    return drover__piece_pb__pack(&pb, out);
}

/* The numbers of a piece go together. */
static bool is_sound(const Drover__PiecePb *pb)
{
    if (pb->bus_uuid.len != sizeof((KafkaPiece *)NULL)->bus_uuid || pb->base.n_unknown_fields > 0)
        return false;
    return pb->pieces >= 1 && pb->piece < pb->pieces && pb->bytes >= pb->size;
}

bool kafka_piece_unpack(const guint8 *data, gsize size, KafkaPiece *piece)
{
    Drover__PiecePb *pb = drover__piece_pb__unpack(NULL, size, data);
    bool sound = pb != NULL && is_sound(pb);
    if (sound) {
        *piece = (KafkaPiece){.epoch = pb->epoch,
                              .sequence = pb->sequence,
                              .piece = pb->piece,
                              .pieces = pb->pieces,
                              .digest = pb->digest,
                              .bytes = pb->bytes,
                              .size = pb->size};
        memcpy(piece->bus_uuid, pb->bus_uuid.data, sizeof piece->bus_uuid);
    }
    if (pb != NULL)
        drover__piece_pb__free_unpacked(pb, NULL);
    return sound;
}
