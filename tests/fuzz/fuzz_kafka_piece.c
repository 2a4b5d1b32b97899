/*
 * Any bytes are no header of drover's, or one whose packed form reads back to the same.
 */
#include "proto/kafka_piece.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KafkaPiece piece, back;
    guint8 packed[KAFKA_PIECE_PACKED], again[KAFKA_PIECE_PACKED];
    if (!kafka_piece_unpack(data, size, &piece))
        return 0;
    gsize length = kafka_piece_pack(&piece, packed);
    g_assert(kafka_piece_unpack(packed, length, &back));
    g_assert(kafka_piece_pack(&back, again) == length && memcmp(packed, again, length) == 0);
    return 0;
}
