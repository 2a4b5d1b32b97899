/*
 * What cannot be asked without writing, whether the topic may be written, is not asked: the ACLs
 * are listed, and those that can be tried are. The transactional id is tried only while the topic
 * names no bus, since trying it fences off whoever writes.
 */
#include "proto/kafka_check.h"

#include "proto/error.h"
#include "proto/kafka_reader.h"
#include "proto/kafka_topic.h"
#include "proto/kafka_writer.h"

#include <string.h>

#define LEAST_MESSAGE 1000000 /* bytes of a message with one piece and its header */
#define REASON_SIZE 512

typedef struct Check {
    const BusOptions *options;
    KafkaClient *admin;
    BusNote note;
    void *user;
    guint brokers, partitions, replicas;
    bool denied; /* an ACL is missing */
} Check;

/* ---- findings ---- */

static void add(Check *check, BusNoteLevel level, const char *name, const char *remedy,
                const char *format, ...) G_GNUC_PRINTF(5, 6);

static void add(Check *check, BusNoteLevel level, const char *name, const char *remedy,
                const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    check->note(check->user, level, name, text, remedy);
}

/* A refusal is a finding; that nothing could be found out is an error. */
static bool take_problem(Check *check, const char *name, GError *problem, GError **error)
{
    if (problem->code != DROVER_ERROR_NO) {
        g_propagate_error(error, problem);
        return false;
    }
    bool of_acl = strstr(problem->message, "uthorization") != NULL;
    check->denied |= of_acl;
    add(check, BUS_NOTE_FAIL, name, NULL, "%s", problem->message);
    g_error_free(problem);
    return true;
}

static const char *user_of(const BusOptions *options)
{
    for (char **p = options->properties; p != NULL && p[0] != NULL; p += 2)
        if (strcmp(p[0], "sasl.username") == 0)
            return p[1];
    return "NAME";
}

static void add_acls(Check *check)
{
    const char *servers = check->options->bootstrap_servers, *user = user_of(check->options);
    g_autofree char *remedy = g_strdup_printf(
        "kafka-acls.sh --bootstrap-server %s --add --allow-principal 'User:%s' --operation Create "
        "--operation Describe --operation DescribeConfigs --operation Read --operation Write "
        "--operation Delete --topic '%s'\n"
        "kafka-acls.sh --bootstrap-server %s --add --allow-principal 'User:%s' --operation "
        "Describe --operation Write --transactional-id '%s'",
        servers, user, check->options->topic, servers, user, check->options->topic);
    if (check->denied)
        add(check, BUS_NOTE_FAIL, "bus.acls", remedy, "ACLs are missing; these are needed");
    else
        add(check, BUS_NOTE_PASS, "bus.acls", remedy,
            "where the cluster has an authorizer, these ACLs are needed");
}

/* ---- the topic that is there ---- */

typedef struct Want {
    const char *setting;
    const char *name; /* of the finding */
    BusNoteLevel level;
    const char *why;
} Want;

static const Want WANTED[] = {
    {"cleanup.policy", "bus.cleanup_policy", BUS_NOTE_FAIL, "compaction forgets events"},
    {"retention.ms", "bus.retention", BUS_NOTE_FAIL,
     "the brokers would forget events that were not applied yet; drover itself deletes what was "
     "applied"},
    {"retention.bytes", "bus.retention", BUS_NOTE_FAIL,
     "the brokers would forget events that were not applied yet; drover itself deletes what was "
     "applied"},
    {"unclean.leader.election.enable", "bus.unclean_election", BUS_NOTE_FAIL,
     "a broker that lags could become leader, and events that were acknowledged would be gone"},
    {"min.insync.replicas", "bus.min_insync", BUS_NOTE_FAIL,
     "one broker's loss would lose events that were acknowledged"},
    {"max.message.bytes", "bus.max_message", BUS_NOTE_FAIL, "a record's pieces would not fit"},
};

static char *wanted_value(const Check *check, const char *setting)
{
    if (strcmp(setting, "cleanup.policy") == 0)
        return g_strdup("delete");
    if (strcmp(setting, "unclean.leader.election.enable") == 0)
        return g_strdup("false");
    if (strcmp(setting, "min.insync.replicas") == 0)
        return g_strdup_printf("%u", kafka_topic_min_insync(check->replicas));
    if (strcmp(setting, "max.message.bytes") == 0)
        return g_strdup("1048588");
    return g_strdup("-1");
}

/* More copies in step than there are copies would refuse every record. */
static bool is_fine(const Check *check, const Want *want, const char *value, const char *wanted)
{
    gint64 number = g_ascii_strtoll(value, NULL, 10);
    if (strcmp(want->setting, "max.message.bytes") == 0)
        return number >= LEAST_MESSAGE;
    if (strcmp(want->setting, "min.insync.replicas") == 0)
        return number >= g_ascii_strtoll(wanted, NULL, 10) && number <= check->replicas;
    return strcmp(value, wanted) == 0;
}

static void check_setting(Check *check, const Want *want, const char *value)
{
    g_autofree char *wanted = wanted_value(check, want->setting);
    if (is_fine(check, want, value, wanted)) {
        add(check, BUS_NOTE_PASS, want->name, NULL, "topic %s has %s=%s", check->options->topic,
            want->setting, value);
        return;
    }
    g_autofree char *remedy = g_strdup_printf(
        "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name '%s' "
        "--add-config %s=%s",
        check->options->bootstrap_servers, check->options->topic, want->setting, wanted);
    add(check, want->level, want->name, remedy, "topic %s has %s=%s: %s", check->options->topic,
        want->setting, value, want->why);
}

static void check_settings(Check *check, const rd_kafka_ConfigResource_t *resource)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    for (gsize w = 0; w < G_N_ELEMENTS(WANTED); w++)
        for (size_t i = 0; i < n; i++)
            if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), WANTED[w].setting) == 0 &&
                rd_kafka_ConfigEntry_value(entries[i]) != NULL)
                check_setting(check, &WANTED[w], rd_kafka_ConfigEntry_value(entries[i]));
}

static bool describe(Check *check, rd_kafka_queue_t *queue, GError **error)
{
    static const char doing[] = "ask for its settings";
    size_t n = 0;
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_PATIENCE_MS);
    rd_kafka_resp_err_t code =
        event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *text = NULL;
    const rd_kafka_ConfigResource_t **resources = NULL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n);
        code = n == 1 ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
        text = n == 1 ? rd_kafka_ConfigResource_error_string(resources[0]) : NULL;
    }
    bool done = code == RD_KAFKA_RESP_ERR_NO_ERROR ||
                kafka_client_fail(check->admin, code, doing, text, error);
    if (done)
        check_settings(check, resources[0]);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return done;
}

static bool check_configuration(Check *check, GError **error)
{
    GError *problem = NULL;
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, check->options->topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(check->admin->rk);
    rd_kafka_DescribeConfigs(check->admin->rk, &resource, 1, NULL, queue);
    bool done = describe(check, queue, &problem);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
    return done || take_problem(check, "bus.settings", problem, error);
}

/* *named: the topic is a bus already. */
static bool check_reading(Check *check, bool *named, GError **error)
{
    GError *problem = NULL;
    KafkaEnds ends;
    *named = true;
    g_autoptr(KafkaReader) reader = kafka_reader_new(check->options, &problem);
    if (reader == NULL || !kafka_reader_ends(reader, -1, &ends, &problem)) {
        if (problem->code != DROVER_ERROR_PERSON)
            return take_problem(check, "bus.read", problem, error);
        add(check, BUS_NOTE_FAIL, "bus.topic", NULL, "%s", problem->message);
        g_error_free(problem);
        return true;
    }
    *named = !ends.empty;
    return true;
}

static bool check_trimming(Check *check, GError **error)
{
    GError *problem = NULL;
    gint64 low, high;
    if (kafka_topic_offsets(check->admin, &low, &high, &problem) &&
        kafka_topic_trim(check->admin, low, &problem))
        return true;
    return take_problem(check, "bus.delete", problem, error);
}

static void check_copies(Check *check)
{
    guint wanted = check->options->replication_factor;
    if (check->partitions != 1)
        add(check, BUS_NOTE_FAIL, "bus.partitions", NULL,
            "topic %s has %u partitions, and drover needs one, since it keeps the order of "
            "transactions; name another topic",
            check->options->topic, check->partitions);
    if (check->replicas < wanted)
        add(check, BUS_NOTE_FAIL, "bus.replication", NULL,
            "topic %s has %u copies, and replication_factor asks for %u; name another topic, or "
            "ask for fewer",
            check->options->topic, check->replicas, wanted);
    else
        add(check, BUS_NOTE_PASS, "bus.replication", NULL, "topic %s is there, with %u copies",
            check->options->topic, check->replicas);
}

static bool check_topic(Check *check, bool *named, GError **error)
{
    check_copies(check);
    return check_configuration(check, error) && check_reading(check, named, error) &&
           check_trimming(check, error);
}

/* ---- the topic that is to be made ---- */

static bool check_creation(Check *check, GError **error)
{
    GError *problem = NULL;
    guint copies = check->options->replication_factor;
    if (!kafka_topic_create(check->admin, copies, true, &problem))
        return take_problem(check, "bus.create", problem, error);
    add(check, BUS_NOTE_PASS, "bus.create", NULL,
        "topic %s will be created, with %u copies on %u brokers", check->options->topic, copies,
        check->brokers);
    if (copies < 2)
        add(check, BUS_NOTE_WARN, "bus.replication", NULL,
            "the bus has one copy: if that broker's disk is lost, the migration must start over");
    return true;
}

/* ---- both ---- */

static bool check_writing(Check *check, GError **error)
{
    GError *problem = NULL;
    KafkaWriter *writer = kafka_writer_new(check->options, &problem);
    kafka_writer_free(writer);
    return writer != NULL || take_problem(check, "bus.write", problem, error);
}

static bool ask_cluster(Check *check, bool *there, GError **error)
{
    if (!kafka_topic_find(check->admin, false, there, error))
        return false;
    const struct rd_kafka_metadata *metadata = kafka_metadata(check->admin, error);
    if (metadata == NULL)
        return false;
    check->brokers = (guint)metadata->broker_cnt;
    if (metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt > 0) {
        check->partitions = (guint)metadata->topics[0].partition_cnt;
        check->replicas = (guint)metadata->topics[0].partitions[0].replica_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

static bool run(Check *check, GError **error)
{
    GError *problem = NULL;
    bool there = false, named = false;
    if (!ask_cluster(check, &there, &problem))
        return take_problem(check, "bus.topic", problem, error);
    if (!(there ? check_topic(check, &named, error) : check_creation(check, error)))
        return false;
    return named || check_writing(check, error);
}

bool kafka_check(const BusOptions *options, BusNote note, void *user, GError **error)
{
    g_autoptr(KafkaClient) admin = kafka_admin_new(options, error);
    Check check = {.options = options, .admin = admin, .note = note, .user = user};
    if (admin == NULL || !run(&check, error))
        return false;
    add_acls(&check);
    return true;
}
