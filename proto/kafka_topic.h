/*
 * Kafka topic: what is done to a bus's topic as a whole: finding, making, removing and shortening
 * it. Used by the bus on Kafka only.
 */
#pragma once

#include "proto/kafka_client.h"

/* A client for these functions alone. */
KafkaClient *kafka_admin_new(const BusOptions *options, GError **error);

/* Of the brokers and the topic; free it with rd_kafka_metadata_destroy. NULL with *error. */
const struct rd_kafka_metadata *kafka_metadata(KafkaClient *client, GError **error);

/* Is there such a topic? patient: a cluster that has just started, or made the topic, may not know
 * it at once: "no" is asked for again for a while. */
bool kafka_topic_find(KafkaClient *client, bool patient, bool *there, GError **error);

/* The lowest offset and the one after the highest. */
bool kafka_topic_offsets(KafkaClient *client, gint64 *low, gint64 *high, GError **error);

/* Makes the topic with one partition and the settings that a bus needs; succeeds where it is there
 * already. Waits for a topic of that name which is being deleted. validate_only: changes nothing,
 * tells whether it would succeed. */
bool kafka_topic_create(KafkaClient *admin, guint replication_factor, bool validate_only,
                        GError **error);
/* Succeeds where the topic is gone. */
bool kafka_topic_remove(KafkaClient *admin, GError **error);
/* Forgets all messages before offset. */
bool kafka_topic_trim(KafkaClient *client, gint64 offset, GError **error);

/* The copies that a new topic must have in step: one less than all of them, where it has three. */
guint kafka_topic_min_insync(guint replication_factor);
