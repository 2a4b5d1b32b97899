/*
 * Kafka client: a handle of librdkafka as drover sets it up, and what its errors mean. Used by the
 * bus on Kafka only.
 *
 * librdkafka reconnects and asks again by itself for as long as it lives. What it reports meanwhile
 * is kept as the handle's trouble, and logged once until the brokers answer again.
 */
#pragma once

#include "proto/bus.h"

#include <glib.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#define KAFKA_PATIENCE_MS 15000 /* for the answer of a broker */
#define KAFKA_SLICE_MS 250      /* between looks whether the process is to stop */

typedef void (*KafkaDelivered)(void *user, const rd_kafka_message_t *message);

typedef struct KafkaClient {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic; /* NULL for a client that only administers */
    char *name;              /* of the topic */
    char *servers;           /* as in the migration file */
    bool scram;              /* the user chose a SCRAM mechanism */
    const gint *stop;        /* BusOptions.stop */

    bool lost; /* the topic went away under the handle */

    /* What the brokers were last unable to do; only the thread that polls writes it. */
    rd_kafka_resp_err_t trouble;
    char *trouble_text;

    KafkaDelivered delivered; /* called while the client is polled; NULL: by nobody */
    void *user;
} KafkaClient;

/* settings: name, value, ..., NULL: drover's own, which win. delivered: for a producer, else NULL.
 * Connects to nobody yet. NO where a property of the user's is wrong. */
KafkaClient *kafka_client_new(const BusOptions *options, rd_kafka_type_t type,
                              const char *const *settings, KafkaDelivered delivered, void *user,
                              GError **error);
void kafka_client_free(KafkaClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KafkaClient, kafka_client_free)

/* Serves callbacks; call it from time to time while the handle is in use. */
void kafka_client_poll(KafkaClient *client);
/* When waiting for a broker's answer ends. */
gint64 kafka_deadline(void);
/* A slice of that time has passed without an answer: is it worth waiting on? */
bool kafka_client_may_wait(const KafkaClient *client, gint64 deadline);
/* Is this what is reported of a topic that is not there? */
bool kafka_code_is_missing(rd_kafka_resp_err_t code);
/* The brokers have answered: what trouble there was is over. */
void kafka_client_well(KafkaClient *client);

/* Sets *error: `doing` ends the sentence "cannot ..."; text: what is known beyond the code, or
 * NULL. The class is NO for rights and settings, RETRY for everything that may pass. Returns false.
 */
bool kafka_client_fail(KafkaClient *client, rd_kafka_resp_err_t code, const char *doing,
                       const char *text, GError **error);
/* The same, and gives up `problem`. */
bool kafka_client_fail_with(KafkaClient *client, rd_kafka_error_t *problem, const char *doing,
                            GError **error);
/* Sets *error with PERSON: "bus NAME: ...". Returns false. */
bool kafka_client_person(const KafkaClient *client, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Properties that may be read by nobody but the client. */
bool kafka_property_is_secret(const char *name);
/* Would librdkafka take this property from the user? False and *why (g_free): there is none of that
 * name, the value is wrong, or drover sets it itself. The value of a secret is not repeated. */
bool kafka_property_check(const char *name, const char *value, bool secret, char **why);
