#include "proto/kafka_topic.h"

#include "proto/error.h"

#define PARTITION 0
#define LOOK_INTERVAL (200 * G_TIME_SPAN_MILLISECOND)
#define UNKNOWN_PATIENCE (5 * G_USEC_PER_SEC)
#define DELETION_PATIENCE (30 * G_USEC_PER_SEC)
#define REASON_SIZE 512

KafkaClient *kafka_admin_new(const BusOptions *options, GError **error)
{
    static const char *const settings[] = {NULL};
    return kafka_client_new(options, RD_KAFKA_PRODUCER, settings, NULL, NULL, error);
}

/* ---- finding ---- */

/* A broker that has just started, or lost its leader, answers so for a while. */
static bool is_passing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
}

const struct rd_kafka_metadata *kafka_metadata(KafkaClient *client, GError **error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    gint64 deadline = kafka_deadline();
    rd_kafka_resp_err_t code;
    do
        code = rd_kafka_metadata(client->rk, 0, client->topic, &metadata, KAFKA_SLICE_MS);
    while (code != RD_KAFKA_RESP_ERR_NO_ERROR && kafka_client_may_wait(client, deadline));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_well(client);
        return metadata;
    }
    kafka_client_fail(client, code, "find it", NULL, error);
    return NULL;
}

static bool ask_whether_there(KafkaClient *client, bool *there, GError **error)
{
    const struct rd_kafka_metadata *metadata = kafka_metadata(client, error);
    if (metadata == NULL)
        return false;
    rd_kafka_resp_err_t code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                                        : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    *there = code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    if (*there || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return true;
    return kafka_client_fail(client, code, "find it", NULL, error);
}

bool kafka_topic_find(KafkaClient *client, bool patient, bool *there, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (patient ? UNKNOWN_PATIENCE : 0);
    for (;;) {
        if (!ask_whether_there(client, there, error))
            return false;
        if (*there || g_get_monotonic_time() >= deadline)
            return true;
        g_usleep(LOOK_INTERVAL);
    }
}

/* which: RD_KAFKA_OFFSET_BEGINNING or _END. rd_kafka_query_watermark_offsets would do, but before
 * librdkafka 2.3 it asks a leader that has died for ever, whatever its time limit. */
static bool ask_offset(KafkaClient *client, gint64 which, gint64 *offset, GError **error)
{
    gint64 deadline = kafka_deadline();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked =
        rd_kafka_topic_partition_list_add(list, client->name, PARTITION);
    rd_kafka_resp_err_t code;
    do {
        asked->offset = which;
        code = rd_kafka_offsets_for_times(client->rk, list, KAFKA_SLICE_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = asked->err;
    } while (is_passing(code) && kafka_client_may_wait(client, deadline));
    *offset = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
           kafka_client_fail(client, code, "ask for its offsets", NULL, error);
}

bool kafka_topic_offsets(KafkaClient *client, gint64 *low, gint64 *high, GError **error)
{
    return ask_offset(client, RD_KAFKA_OFFSET_BEGINNING, low, error) &&
           ask_offset(client, RD_KAFKA_OFFSET_END, high, error);
}

/* ---- changing ---- */

/* Waits for the answer to what `ask` has sent. NULL with *error. */
static rd_kafka_event_t *await(KafkaClient *client, rd_kafka_queue_t *queue, const char *doing,
                               GError **error)
{
    gint64 deadline = kafka_deadline();
    rd_kafka_event_t *event;
    do
        event = rd_kafka_queue_poll(queue, KAFKA_SLICE_MS);
    while (event == NULL && kafka_client_may_wait(client, deadline));
    rd_kafka_resp_err_t code =
        event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return event;
    kafka_client_fail(client, code, doing,
                      event != NULL ? rd_kafka_event_error_string(event) : NULL, error);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return NULL;
}

static rd_kafka_AdminOptions_t *options_new(KafkaClient *client, rd_kafka_admin_op_t operation)
{
    char why[REASON_SIZE];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, operation);
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_PATIENCE_MS, why, sizeof why);
    rd_kafka_AdminOptions_set_operation_timeout(options, KAFKA_PATIENCE_MS, why, sizeof why);
    return options;
}

/* The one topic's part of an answer. */
static bool check_topic(KafkaClient *client, const rd_kafka_topic_result_t **topics, size_t n,
                        rd_kafka_resp_err_t allowed, const char *doing, bool *met, GError **error)
{
    rd_kafka_resp_err_t code =
        n == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
    *met = code == allowed;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || *met)
        return true;
    return kafka_client_fail(client, code, doing,
                             n == 1 ? rd_kafka_topic_result_error_string(topics[0]) : NULL, error);
}

guint kafka_topic_min_insync(guint replication_factor)
{
    return replication_factor >= 3 ? replication_factor - 1 : 1;
}

static rd_kafka_NewTopic_t *describe_topic(KafkaClient *admin, guint replication_factor,
                                           GError **error)
{
    char why[REASON_SIZE];
    g_autofree char *in_sync = g_strdup_printf("%u", kafka_topic_min_insync(replication_factor));
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(admin->name, 1, (int)replication_factor, why, sizeof why);
    if (topic == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "bus %s: cannot create it: %s",
                    admin->name, why);
        return NULL;
    }
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
    rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1");
    rd_kafka_NewTopic_set_config(topic, "unclean.leader.election.enable", "false");
    rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", in_sync);
    return topic;
}

/* *exists: there is one of that name already. */
static bool try_create(KafkaClient *admin, rd_kafka_NewTopic_t *topic, bool validate_only,
                       bool *exists, GError **error)
{
    static const char doing[] = "create it";
    char why[REASON_SIZE];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->rk);
    rd_kafka_AdminOptions_t *options = options_new(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_validate_only(options, validate_only, why, sizeof why);
    rd_kafka_CreateTopics(admin->rk, &topic, 1, options, queue);
    rd_kafka_event_t *event = await(admin, queue, doing, error);
    bool done = event != NULL;
    if (done) {
        size_t n = 0;
        const rd_kafka_topic_result_t **topics =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
        done = check_topic(admin, topics, n, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, doing, exists,
                           error);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return done;
}

/* A topic of that name that shows up was made by an earlier try, or by somebody else: whoever opens
 * it finds out whether it is empty. One that does not is still being deleted. */
static bool create_patiently(KafkaClient *admin, rd_kafka_NewTopic_t *topic, bool validate_only,
                             GError **error)
{
    gint64 deadline = g_get_monotonic_time() + DELETION_PATIENCE;
    for (;;) {
        bool exists = false, there = false;
        if (!try_create(admin, topic, validate_only, &exists, error) ||
            (exists && !kafka_topic_find(admin, false, &there, error)))
            return false;
        if (!exists || there)
            return true;
        if (!kafka_client_may_wait(admin, deadline))
            return kafka_client_fail(admin, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "create it",
                                     "the topic is still being deleted", error);
        g_usleep(LOOK_INTERVAL);
    }
}

bool kafka_topic_create(KafkaClient *admin, guint replication_factor, bool validate_only,
                        GError **error)
{
    rd_kafka_NewTopic_t *topic = describe_topic(admin, replication_factor, error);
    if (topic == NULL)
        return false;
    bool done = create_patiently(admin, topic, validate_only, error);
    rd_kafka_NewTopic_destroy(topic);
    return done;
}

/* Until the brokers no longer show it. */
static bool await_removal(KafkaClient *admin, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + DELETION_PATIENCE;
    bool there = true;
    for (;;) {
        if (!kafka_topic_find(admin, false, &there, error) || !there)
            return !there;
        if (!kafka_client_may_wait(admin, deadline))
            return kafka_client_fail(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, "delete it",
                                     "the brokers go on showing the topic", error);
        g_usleep(LOOK_INTERVAL);
    }
}

bool kafka_topic_remove(KafkaClient *admin, GError **error)
{
    static const char doing[] = "delete it";
    bool gone = false;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->rk);
    rd_kafka_AdminOptions_t *options = options_new(admin, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(admin->name);
    rd_kafka_DeleteTopics(admin->rk, &topic, 1, options, queue);
    rd_kafka_event_t *event = await(admin, queue, doing, error);
    bool done = event != NULL;
    if (done) {
        size_t n = 0;
        const rd_kafka_topic_result_t **topics =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
        done = check_topic(admin, topics, n, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, doing, &gone,
                           error);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return done && await_removal(admin, error);
}

static bool check_trimmed(KafkaClient *client, const rd_kafka_event_t *event, const char *doing,
                          GError **error)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_DeleteRecords_result_offsets(
        rd_kafka_event_DeleteRecords_result((rd_kafka_event_t *)event));
    rd_kafka_resp_err_t code =
        list != NULL && list->cnt == 1 ? list->elems[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
           kafka_client_fail(client, code, doing, NULL, error);
}

bool kafka_topic_trim(KafkaClient *client, gint64 offset, GError **error)
{
    static const char doing[] = "forget what was applied";
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    rd_kafka_AdminOptions_t *options = options_new(client, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, client->name, PARTITION)->offset = offset;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_DeleteRecords(client->rk, &records, 1, options, queue);
    rd_kafka_event_t *event = await(client, queue, doing, error);
    bool done = event != NULL && check_trimmed(client, event, doing, error);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return done;
}
