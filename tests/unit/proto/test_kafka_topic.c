/* A topic's offsets when its leader is dead, on librdkafka's mock of a cluster. */
#include "proto/error.h"
#include "proto/kafka_topic.h"
#include "tests/support/must.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TOPIC "drover.test"

typedef struct Fixture {
    rd_kafka_t *host; /* the mock lives in it */
    rd_kafka_mock_cluster_t *cluster;
    BusOptions options;
    gint stop;
    KafkaClient *client;
} Fixture;

/* Two brokers; the second one leads. */
static int set_up(void **state)
{
    static const char *const settings[] = {"isolation.level", "read_committed", NULL};
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
    fixture->cluster = rd_kafka_mock_cluster_new(fixture->host, 2);
    rd_kafka_mock_topic_create(fixture->cluster, TOPIC, 1, 2);
    rd_kafka_mock_partition_set_leader(fixture->cluster, TOPIC, 0, 2);
    fixture->options = (BusOptions){
        .topic = g_strdup(TOPIC),
        .bootstrap_servers = g_strdup(rd_kafka_mock_cluster_bootstraps(fixture->cluster)),
        .stop = &fixture->stop};
    GError *error = NULL;
    MUST(fixture->client =
             kafka_client_new(&fixture->options, RD_KAFKA_CONSUMER, settings, NULL, NULL, &error));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    kafka_client_free(fixture->client);
    rd_kafka_mock_cluster_destroy(fixture->cluster);
    rd_kafka_destroy(fixture->host);
    bus_options_clear(&fixture->options);
    g_free(fixture);
    return 0;
}

static void test_offsets_of_an_empty_topic(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    gint64 low = -1, high = -1;
    MUST(kafka_topic_offsets(fixture->client, &low, &high, &error));
    assert_int_equal(low, 0);
    assert_int_equal(high, 0);
}

static void test_dead_leader_is_given_up_and_the_next_one_asked(void **state)
{
    Fixture *fixture = *state;
    GError *error = NULL;
    gint64 low, high;
    MUST(kafka_topic_offsets(fixture->client, &low, &high, &error));
    rd_kafka_mock_broker_set_down(fixture->cluster, 2);
    g_atomic_int_set(&fixture->stop, 1);
    MUST_FAIL(kafka_topic_offsets(fixture->client, &low, &high, &error), DROVER_ERROR_RETRY);
    rd_kafka_mock_partition_set_leader(fixture->cluster, TOPIC, 0, 1);
    g_atomic_int_set(&fixture->stop, 0);
    MUST(kafka_topic_offsets(fixture->client, &low, &high, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_offsets_of_an_empty_topic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_leader_is_given_up_and_the_next_one_asked, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
