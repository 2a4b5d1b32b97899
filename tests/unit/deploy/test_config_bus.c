#include "deploy/config.h"
#include "proto/error.h"
#include "tests/support/migration_file.h"
#include "tests/support/temporary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static char *folder;

static int set_up(void **state)
{
    (void)state;
    folder = temporary_directory_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temporary_directory_free(folder);
    return 0;
}

static const char *property(const Config *config, const char *name)
{
    for (char **p = config->bus.properties; *p != NULL; p += 2)
        if (strcmp(p[0], name) == 0)
            return p[1];
    return NULL;
}

static void test_a_topic_has_defaults(void **state)
{
    (void)state;
    g_autoptr(Config) config =
        migration_file_parse(BASE "bus: {kafka: {bootstrap_servers: \"k1:9092,k2:9092\"}}\n");
    assert_string_equal(config->bus_kind, "kafka");
    assert_string_equal(config->bus.topic, "drover.shop.changes");
    assert_string_equal(config->bus.bootstrap_servers, "k1:9092,k2:9092");
    assert_int_equal(config->bus.replication_factor, 3);
    assert_null(config->bus.path);
    assert_null(*config->bus.properties);
    assert_null(strstr(config->resolved, "bus.local"));
    assert_non_null(strstr(config->resolved, "bus.kafka.topic: drover.shop.changes\n"));
}

static void test_without_kafka_the_bus_is_a_file(void **state)
{
    (void)state;
    g_autoptr(Config) config = migration_file_parse(BASE);
    assert_string_equal(config->bus_kind, "local");
    assert_null(config->bus.topic);
    assert_null(strstr(config->resolved, "bus.kafka"));
}

static void test_properties_are_handed_on_and_secrets_only_from_a_file(void **state)
{
    (void)state;
    g_autofree char *path = migration_file_put(
        folder, "kafka.properties",
        "# of the cluster\n\n sasl.password = a=b c \nsasl.username=app\n", 0600);
    g_autofree char *text = g_strdup_printf(
        BASE "bus:\n"
             "  kafka:\n"
             "    bootstrap_servers: ${HOST}:9092\n"
             "    properties: {security.protocol: SASL_SSL, socket.timeout.ms: 5000, "
             "socket.keepalive.enable: true}\n"
             "    properties_file: %s\n",
        path);
    g_autoptr(Config) config = migration_file_parse(text);
    assert_string_equal(config->bus.bootstrap_servers, "db9:9092");
    assert_string_equal(property(config, "security.protocol"), "SASL_SSL");
    assert_string_equal(property(config, "socket.timeout.ms"), "5000");
    assert_string_equal(property(config, "socket.keepalive.enable"), "true");
    assert_string_equal(property(config, "sasl.password"), "a=b c");
    assert_string_equal(property(config, "sasl.username"), "app");
    assert_non_null(strstr(config->resolved, "bus.kafka.properties.security.protocol: SASL_SSL"));
    assert_null(strstr(config->resolved, "a=b c"));
}

static void test_what_the_bus_stands_on_cannot_be_set(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "bus:\n"
             "  kafka:\n"
             "    bootstrap_servers: k\n"
             "    topic: my topic\n"
             "    partitions: 4\n"
             "    properties:\n"
             "      acks: 1\n"
             "      sasl.password: hunter2\n"
             "      linger.ms: {a: b}\n",
        "m.yaml:9:12: bus.kafka.topic: a topic's name has up to 249 letters, digits, '.', '_' and "
        "'-'\n"
        "m.yaml:10:17: not supported yet: bus.kafka.partitions other than 1\n"
        "m.yaml:12:7: bus.kafka.properties: 'acks': drover sets it itself\n"
        "m.yaml:13:7: bus.kafka.properties: 'sasl.password': a secret does not belong here: use "
        "properties_file\n"
        "m.yaml:14:18: wrong type: text is needed for bus.kafka.properties.linger.ms, this is a "
        "mapping");
    static const char unknown[] =
        BASE "bus: {kafka: {bootstrap_servers: k, properties: {no.such.thing: 1}}}\n";
    g_autofree char *message = migration_file_refusal(unknown, strlen(unknown), "/etc/drover");
    assert_non_null(strstr(message, "'no.such.thing': librdkafka"));
}

static void test_faults_of_a_file_of_properties_are_named_without_its_secrets(void **state)
{
    (void)state;
    g_autofree char *bad =
        migration_file_put(folder, "bad", "transactional.id=x\nhunter2\nssl.key.password\n", 0600);
    g_autofree char *open = migration_file_put(folder, "open", "sasl.password=hunter2\n", 0644);
    const char *const paths[] = {bad, open};
    static const char *const expected[] = {"line 1 of the file: 'transactional.id': drover sets it",
                                           "others than its owner have rights"};
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *text = g_strdup_printf(
            BASE "bus: {kafka: {bootstrap_servers: k, properties_file: %s}}\n", paths[i]);
        g_autofree char *message = migration_file_refusal(text, strlen(text), "/etc/drover");
        assert_non_null(strstr(message, expected[i]));
        assert_null(strstr(message, "hunter2"));
    }
}

static void test_one_bus_not_two(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "bus:\n"
             "  local: {path: x.bus}\n"
             "  kafka: {bootstrap_servers: k}\n",
        "m.yaml:8:3: contradiction: bus.kafka and bus.local (line 7); name one of them");
    assert_migration_file_refused(BASE "bus: {kafka: {topic: t}}\n",
                                  "m.yaml:6:7: 'bus.kafka.bootstrap_servers' is missing");
}

int main(void)
{
    drover_error_quark();
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_a_topic_has_defaults),
        TEST(test_without_kafka_the_bus_is_a_file),
        TEST(test_properties_are_handed_on_and_secrets_only_from_a_file),
        TEST(test_what_the_bus_stands_on_cannot_be_set),
        TEST(test_faults_of_a_file_of_properties_are_named_without_its_secrets),
        TEST(test_one_bus_not_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
