#include "proto/kafka_client.h"

#include "proto/error.h"

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#define REASON_SIZE 512
/* Of rd_kafka_destroy_flags, in every version, though not in its header: waits for nothing. */
#define DESTROY_AT_ONCE 0x4
/* SCRAM of an older librdkafka is refused by Kafka 4: its client sends another nonce than it must.
 */
#define SCRAM_WORKS_FROM 0x020601ff

/* ---- properties ---- */

/* What the bus stands on. */
static const char *const OWN_PROPERTIES[] = {"bootstrap.servers",
                                             "metadata.broker.list",
                                             "transactional.id",
                                             "enable.idempotence",
                                             "acks",
                                             "request.required.acks",
                                             "isolation.level",
                                             "group.id",
                                             "auto.offset.reset",
                                             "enable.partition.eof",
                                             "enable.auto.commit",
                                             "auto.commit.enable",
                                             "enable.auto.offset.store",
                                             "allow.auto.create.topics",
                                             "enable.gapless.guarantee"};
static const char *const SECRETS[] = {"sasl.password",
                                      "ssl.key.password",
                                      "ssl.key.pem",
                                      "ssl.keystore.password",
                                      "sasl.oauthbearer.client.secret",
                                      "sasl.oauthbearer.config"};

static bool is_one_of(const char *name, const char *const *list, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

bool kafka_property_is_secret(const char *name)
{
    return is_one_of(name, SECRETS, G_N_ELEMENTS(SECRETS));
}

bool kafka_property_check(const char *name, const char *value, bool secret, char **why)
{
    char reason[REASON_SIZE];
    if (is_one_of(name, OWN_PROPERTIES, G_N_ELEMENTS(OWN_PROPERTIES))) {
        *why = g_strdup("drover sets it itself");
        return false;
    }
    rd_kafka_conf_t *scratch = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(scratch, name, value, reason, sizeof reason);
    rd_kafka_conf_destroy(scratch);
    if (result != RD_KAFKA_CONF_OK)
        *why = secret ? g_strdup("librdkafka refuses its value")
                      : g_strdup_printf("librdkafka %s: %s", rd_kafka_version_str(), reason);
    return result == RD_KAFKA_CONF_OK;
}

static bool set_property(rd_kafka_conf_t *conf, const KafkaClient *client, const char *name,
                         const char *value, GError **error)
{
    char why[REASON_SIZE];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "bus %s: librdkafka %s refuses a property: %s", client->name,
                rd_kafka_version_str(), why);
    return false;
}

/* ---- callbacks ---- */

static void note_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= LOG_INFO)
        g_debug("librdkafka %s: %s", facility, text);
}

/* Of several, the refusal of a broker says more than that all of them are down. */
static void note_trouble(rd_kafka_t *rk, int code, const char *reason, void *user)
{
    KafkaClient *client = user;
    char fatal[REASON_SIZE];
    (void)rk;
    client->lost |= kafka_code_is_missing((rd_kafka_resp_err_t)code);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        code = (int)rd_kafka_fatal_error(client->rk, fatal, sizeof fatal);
        reason = fatal;
    }
    bool first = client->trouble == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!first && code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    client->trouble = (rd_kafka_resp_err_t)code;
    g_free(client->trouble_text);
    client->trouble_text = g_strdup(reason);
    if (first)
        g_message("bus %s: Kafka: %s; trying again", client->name, reason);
}

bool kafka_code_is_missing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

static void note_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *user)
{
    const KafkaClient *client = user;
    (void)rk;
    client->delivered(client->user, message);
}

void kafka_client_poll(KafkaClient *client)
{
    rd_kafka_poll(client->rk, 0);
}

gint64 kafka_deadline(void)
{
    return g_get_monotonic_time() + KAFKA_PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
}

bool kafka_client_may_wait(const KafkaClient *client, gint64 deadline)
{
    bool stopping = client->stop != NULL && g_atomic_int_get(client->stop) != 0;
    return !stopping && g_get_monotonic_time() < deadline;
}

void kafka_client_well(KafkaClient *client)
{
    if (client->trouble == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    client->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    g_clear_pointer(&client->trouble_text, g_free);
    g_message("bus %s: Kafka answers again", client->name);
}

/* ---- life ---- */

static bool configure(KafkaClient *client, rd_kafka_conf_t *conf, const BusOptions *options,
                      const char *const *settings, GError **error)
{
    for (char **p = options->properties; p != NULL && p[0] != NULL; p += 2) {
        if (!set_property(conf, client, p[0], p[1], error))
            return false;
        if (g_str_has_suffix(p[0], "sasl.mechanism") || g_str_has_suffix(p[0], "sasl.mechanisms"))
            client->scram = g_str_has_prefix(p[1], "SCRAM");
    }
    for (const char *const *p = settings; p[0] != NULL; p += 2)
        if (!set_property(conf, client, p[0], p[1], error))
            return false;
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, note_log);
    rd_kafka_conf_set_error_cb(conf, note_trouble);
    if (client->delivered != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, note_delivery);
    return set_property(conf, client, "bootstrap.servers", options->bootstrap_servers, error) &&
           set_property(conf, client, "client.id", "drover", error) &&
           set_property(conf, client, "allow.auto.create.topics", "false", error);
}

static bool create(KafkaClient *client, rd_kafka_type_t type, rd_kafka_conf_t *conf, GError **error)
{
    char why[REASON_SIZE];
    client->rk = rd_kafka_new(type, conf, why, sizeof why);
    if (client->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "bus %s: librdkafka %s: %s", client->name,
                    rd_kafka_version_str(), why);
        return false;
    }
    client->topic = rd_kafka_topic_new(client->rk, client->name, NULL);
    if (client->topic != NULL)
        return true;
    return kafka_client_fail(client, rd_kafka_last_error(), "use that name for a topic", NULL,
                             error);
}

KafkaClient *kafka_client_new(const BusOptions *options, rd_kafka_type_t type,
                              const char *const *settings, KafkaDelivered delivered, void *user,
                              GError **error)
{
    g_autoptr(KafkaClient) client = g_new0(KafkaClient, 1);
    client->name = g_strdup(options->topic);
    client->servers = g_strdup(options->bootstrap_servers);
    client->stop = options->stop;
    client->delivered = delivered;
    client->user = user;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!configure(client, conf, options, settings, error)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return create(client, type, conf, error) ? g_steal_pointer(&client) : NULL;
}

/* Older versions of librdkafka wait for ever for what they hold of a partition that was being read
 * when its topic was deleted. Little leaks then, and drover is about to stop. */
void kafka_client_free(KafkaClient *client)
{
    if (client == NULL)
        return;
    if (client->topic != NULL)
        rd_kafka_topic_destroy(client->topic);
    if (client->rk != NULL)
        rd_kafka_destroy_flags(client->rk, client->lost ? DESTROY_AT_ONCE : 0);
    g_free(client->trouble_text);
    g_free(client->name);
    g_free(client->servers);
    g_free(client);
}

/* ---- errors ---- */

static DroverErrorCode error_class(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
        return DROVER_ERROR_NO;
    default:
        return DROVER_ERROR_RETRY;
    }
}

static const char *remedy(const KafkaClient *client, rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION && client->scram &&
        rd_kafka_version() < SCRAM_WORKS_FROM)
        return "; librdkafka before 2.6.1 cannot authenticate with SCRAM against Kafka 4: use "
               "sasl.mechanism PLAIN over TLS, or a newer librdkafka";
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return "; let max.message.bytes of the topic be 1048588 (the default) or more";
    if (error_class(code) == DROVER_ERROR_NO &&
        g_str_has_suffix(rd_kafka_err2name(code), "AUTHORIZATION_FAILED"))
        return "; `drover plan` shows the ACLs that are needed";
    return "";
}

bool kafka_client_fail(KafkaClient *client, rd_kafka_resp_err_t code, const char *doing,
                       const char *text, GError **error)
{
    bool vague = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                 code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (client->rk != NULL)
        kafka_client_poll(client);
    if (vague && client->trouble != RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = client->trouble;
        text = client->trouble_text;
    }
    g_set_error(error, DROVER_ERROR, (int)error_class(code), "bus %s: cannot %s: Kafka at %s: %s%s",
                client->name, doing, client->servers, text != NULL ? text : rd_kafka_err2str(code),
                remedy(client, code));
    return false;
}

bool kafka_client_fail_with(KafkaClient *client, rd_kafka_error_t *problem, const char *doing,
                            GError **error)
{
    kafka_client_fail(client, rd_kafka_error_code(problem), doing, rd_kafka_error_string(problem),
                      error);
    rd_kafka_error_destroy(problem);
    return false;
}

bool kafka_client_person(const KafkaClient *client, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON, "bus %s: %s", client->name, text);
    return false;
}
