/*
 * Kafka writer: appends records to a bus's topic as a transactional producer. Used by the bus on
 * Kafka only.
 *
 * The transactional id is the topic's name. Whoever starts a writer fences every earlier one off:
 * the brokers refuse what it sends from then on, and undo what it had not committed. A flush is one
 * transaction, so readers see all of its records or none.
 */
#pragma once

#include "proto/kafka_client.h"
#include "proto/kafka_piece.h"

typedef struct KafkaWriter KafkaWriter;

/* Connects, fences earlier writers off, and waits until what they left open is undone. */
KafkaWriter *kafka_writer_new(const BusOptions *options, GError **error);
/* Undoes what was not committed. */
void kafka_writer_free(KafkaWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KafkaWriter, kafka_writer_free)

/* One record, cut into pieces; `head` has everything but piece and pieces. */
bool kafka_writer_append(KafkaWriter *writer, const KafkaPiece *head, const guint8 *data,
                         gsize size, GError **error);
/* RETRY: it is not known whether the records were committed, or another writer has taken over; a
 * new writer finds out by reading. PERSON: the topic is not the one that was there before. */
bool kafka_writer_commit(KafkaWriter *writer, GError **error);
/* Undoes what was appended since the last commit. */
void kafka_writer_abort(KafkaWriter *writer);
bool kafka_writer_is_open(const KafkaWriter *writer);

/* The offset of the first message of the last commit. */
gint64 kafka_writer_first_offset(const KafkaWriter *writer);

KafkaClient *kafka_writer_client(KafkaWriter *writer);
