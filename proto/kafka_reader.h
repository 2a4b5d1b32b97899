/*
 * Kafka reader: the messages of a bus's topic in order, and where in the topic a record begins.
 * Only committed messages are seen. Used by the bus on Kafka only.
 *
 * Offsets of Kafka are where a message lies in the topic; they rise, with holes where a transaction
 * ended or was aborted. Sequence numbers of records rise with them.
 */
#pragma once

#include "proto/kafka_client.h"
#include "proto/kafka_piece.h"

typedef struct KafkaReader KafkaReader;

/* A message: valid until the reader is used again. */
typedef struct KafkaMessage {
    KafkaPiece piece;
    gint64 offset;
    const guint8 *data;
    gsize size;
} KafkaMessage;

typedef enum {
    KAFKA_MESSAGE,
    KAFKA_TIMEOUT, /* nothing came in the time given */
    KAFKA_END,     /* there is no more for now */
    KAFKA_FAILED
} KafkaResult;

/* Connects; RETRY where no broker answers, PERSON where there is no such topic. */
KafkaReader *kafka_reader_new(const BusOptions *options, GError **error);
void kafka_reader_free(KafkaReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KafkaReader, kafka_reader_free)

typedef struct KafkaEnds {
    bool empty;               /* the topic has no message at all: nothing else is set */
    KafkaMessage first, last; /* of the records; where there is none, of all messages */
    guint64 epoch;            /* highest one of the messages that were looked at */
} KafkaEnds;

/* Of messages only piece and offset are filled in. upto: -1, or the offset of a message that was
 * committed and must be seen, since what brokers show may be a moment behind. PERSON where a
 * message is none of a bus. */
bool kafka_reader_ends(KafkaReader *reader, gint64 upto, KafkaEnds *ends, GError **error);

/* The offset of the first message of this record or, where it is not there, of the next one; the
 * end of the topic where there is none. */
bool kafka_reader_find(KafkaReader *reader, guint64 sequence, gint64 *offset, GError **error);

/* Asks the brokers for nothing any more. What they are asked for while messages are trimmed is
 * answered with an error that librdkafka may hand on later. */
void kafka_reader_stop(KafkaReader *reader);
/* The next message is the first one at or after offset. */
bool kafka_reader_start(KafkaReader *reader, gint64 offset, GError **error);
KafkaResult kafka_reader_next(KafkaReader *reader, int timeout_ms, KafkaMessage *message,
                              GError **error);
/* Nothing more was there when the last message came, or the end was met since. False: nothing is
 * known. */
bool kafka_reader_is_at_end(const KafkaReader *reader);
