/*
 * The bus on a real Kafka: the contract, and what only a topic can do to it. DROVER_TEST_KAFKA
 * names the broker.
 */
#include "proto/bus.h"
#include "proto/error.h"
#include "proto/kafka_topic.h"
#include "proto/kafka_writer.h"
#include "tests/support/bus_contract.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

static const BusOps *const ops = &bus_kafka_ops;

static BusOptions fresh_options(void)
{
    const char *servers = g_getenv("DROVER_TEST_KAFKA");
    g_autofree char *uuid = g_uuid_string_random();
    assert_non_null(servers);
    return (BusOptions){.topic = g_strdup_printf("drover.test.%s", uuid),
                        .bootstrap_servers = g_strdup(servers),
                        .replication_factor = 1};
}

static int set_up(void **state)
{
    contract_set_up(ops, fresh_options, state);
    return 0;
}

static int tear_down(void **state)
{
    contract_tear_down(state);
    return 0;
}

static void test_a_writer_that_was_fenced_off_by_a_lower_epoch_claims_again(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    MUST(ops->claim(fixture->writer, 5, false, &error));
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    Bus *stale = contract_open(&fixture->options, BUS_WRITE);
    MUST_FAIL(ops->claim(stale, 4, false, &error), DROVER_ERROR_NO);
    ops->close(stale);
    bool written = ops->append(fixture->writer, 2, (const guint8 *)"two", 3, &error) &&
                   ops->flush(fixture->writer, &error);
    assert_false(written);
    assert_true(drover_error_is_retry(error));
    g_clear_error(&error);
    MUST(ops->claim(fixture->writer, 5, false, &error));
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 1);
    contract_append(fixture->writer, 2, "two");
    contract_flush(fixture->writer);
}

/* The brokers hold what a dead writer has sent; the next claim makes it void. */
static void test_what_a_dead_writer_had_not_flushed_is_never_seen(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    const KafkaPiece head = {.epoch = 1, .sequence = 1, .size = 4, .bytes = 4};
    KafkaPiece named = head;
    BusInfo info = contract_info_of(fixture->writer);
    memcpy(named.bus_uuid, info.uuid, sizeof named.bus_uuid);
    KafkaWriter *dead = NULL;
    MUST(dead = kafka_writer_new(&fixture->options, &error));
    MUST(kafka_writer_append(dead, &named, (const guint8 *)"lost", 4, &error));
    rd_kafka_flush(kafka_writer_client(dead)->rk, KAFKA_PATIENCE_MS);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    assert_int_equal(contract_read_now(reader, NULL), BUS_EMPTY);
    MUST(ops->claim(fixture->writer, 2, false, &error));
    contract_append(fixture->writer, 1, "kept");
    contract_flush(fixture->writer);
    contract_assert_reads(reader, 1, "kept");
    ops->close(reader);
    kafka_writer_free(dead);
}

/* Claims leave messages without a record behind. */
static void test_the_end_is_found_behind_many_claims(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    for (guint64 epoch = 2; epoch < 12; epoch++)
        MUST(ops->claim(fixture->writer, epoch, false, &error));
    assert_int_equal(contract_info_of(fixture->writer).last_sequence, 1);
    contract_append(fixture->writer, 2, "two");
    contract_flush(fixture->writer);
    for (guint64 epoch = 12; epoch < 22; epoch++)
        MUST(ops->claim(fixture->writer, epoch, false, &error));
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    BusInfo info = contract_info_of(reader);
    assert_int_equal(info.epoch, 21);
    assert_int_equal(info.first_sequence, 1);
    assert_int_equal(info.last_sequence, 2);
    assert_int_equal(info.bytes, 6);
    contract_assert_reads(reader, 1, "one");
    contract_assert_reads(reader, 2, "two");
    assert_int_equal(contract_read_now(reader, NULL), BUS_EMPTY);
    ops->seek(reader, 2);
    contract_assert_reads(reader, 2, "two");
    ops->close(reader);
}

static void test_a_record_is_found_among_many_flushes(void **state)
{
    BusFixture *fixture = *state;
    const guint64 n = 300;
    for (guint64 i = 1; i <= n; i++) {
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, i);
        contract_append(fixture->writer, i, text);
        if (i % 3 != 0)
            contract_flush(fixture->writer);
    }
    contract_flush(fixture->writer);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    for (guint64 i = n; i >= 1; i -= MIN(i, 29)) {
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, i);
        ops->seek(reader, i);
        contract_assert_reads(reader, i, text);
    }
    ops->close(reader);
}

/* Another process trims: here piece by piece, as fast as it can. */
static void *trim_piece_by_piece(void *user)
{
    GError *error = NULL;
    g_autoptr(KafkaClient) admin = kafka_admin_new(user, &error);
    gint64 low = 0, high = 0;
    bool ok = admin != NULL && kafka_topic_offsets(admin, &low, &high, &error);
    for (gint64 offset = low + 1; ok && offset < high - 2; offset++)
        ok = kafka_topic_trim(admin, offset, &error);
    return error;
}

static void test_readers_come_while_another_process_trims(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    void *failure = NULL;
    pthread_t trimmer;
    contract_append_blocks(fixture->writer, 1, 400, 10);
    assert_int_equal(pthread_create(&trimmer, NULL, trim_piece_by_piece, &fixture->options), 0);
    for (guint64 first = 0; first < 399;) {
        Bus *reader = contract_open(&fixture->options, BUS_READ);
        BusInfo info = contract_info_of(reader);
        assert_true(info.first_sequence >= first);
        first = info.first_sequence;
        ops->seek(reader, 400);
        MUST(contract_read_now(reader, &error) == BUS_RECORD);
        ops->close(reader);
    }
    pthread_join(trimmer, &failure);
    error = failure;
    MUST(error == NULL);
}

/* A backlog is never taken for its end, whatever the time given. */
static void test_a_backlog_is_read_whole_without_waiting(void **state)
{
    BusFixture *fixture = *state;
    contract_append_blocks(fixture->writer, 1, 40, 700000);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    for (guint64 i = 1; i <= 40; i++)
        assert_int_equal(contract_read_now(reader, NULL), BUS_RECORD);
    assert_int_equal(contract_read_now(reader, NULL), BUS_EMPTY);
    ops->close(reader);
}

static void test_a_new_writer_trims_what_an_earlier_one_wrote(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append_blocks(fixture->writer, 1, 20, 1000);
    ops->close(fixture->writer);
    fixture->writer = contract_open(&fixture->options, BUS_WRITE);
    MUST(ops->claim(fixture->writer, 2, false, &error));
    contract_trim(fixture->writer, 15);
    BusInfo info = contract_info_of(fixture->writer);
    assert_int_equal(info.first_sequence, 15);
    assert_int_equal(info.bytes, 6 * 1000);
}

/* As a capture does, whose reader stands where it began. */
static void test_a_writer_trims_past_what_it_has_read(void **state)
{
    BusFixture *fixture = *state;
    contract_append(fixture->writer, 1, "one");
    contract_flush(fixture->writer);
    contract_assert_reads(fixture->writer, 1, "one");
    contract_append_blocks(fixture->writer, 2, 60, 20000);
    contract_trim(fixture->writer, 50);
    contract_append_blocks(fixture->writer, 61, 80, 20000);
    contract_trim(fixture->writer, 75);
    GError *error = NULL;
    ops->seek(fixture->writer, 75);
    for (guint64 i = 75; i <= 80; i++)
        MUST(contract_read_now(fixture->writer, &error) == BUS_RECORD);
}

static void make_topic_anew(const BusOptions *options, bool named)
{
    GError *error = NULL;
    MUST(ops->remove(options, &error));
    KafkaClient *admin = NULL;
    MUST(admin = kafka_admin_new(options, &error));
    MUST(kafka_topic_create(admin, 1, false, &error));
    kafka_client_free(admin);
    if (named)
        ops->close(contract_open(options, BUS_CREATE));
}

static BusResult read_until_it_fails(Bus *reader, GError **error)
{
    BusResult result = BUS_EMPTY;
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    while (result != BUS_FAILED && g_get_monotonic_time() < deadline) {
        guint64 sequence;
        const guint8 *data;
        gsize size;
        result = ops->read(reader, 100, &sequence, &data, &size, error);
        if (result == BUS_FAILED && drover_error_is_retry(*error)) {
            g_clear_error(error);
            result = BUS_EMPTY;
        }
    }
    return result;
}

static void test_a_topic_made_anew_under_a_reader_needs_a_person(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append_blocks(fixture->writer, 1, 5, 100);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    for (guint64 i = 1; i <= 5; i++)
        assert_int_equal(contract_read_now(reader, NULL), BUS_RECORD);
    make_topic_anew(&fixture->options, true);
    MUST_FAIL(read_until_it_fails(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->close(reader);
}

/* The writer's end of the bus, which reads it too, is closed by the fixture. */
static void test_a_topic_deleted_under_a_reader_needs_a_person(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append_blocks(fixture->writer, 1, 5, 100);
    Bus *reader = contract_open(&fixture->options, BUS_READ);
    for (guint64 i = 1; i <= 5; i++)
        assert_int_equal(contract_read_now(reader, NULL), BUS_RECORD);
    MUST(ops->remove(&fixture->options, &error));
    MUST_FAIL(read_until_it_fails(reader, &error) != BUS_FAILED, DROVER_ERROR_PERSON);
    ops->close(reader);
}

static void test_a_topic_made_anew_under_a_writer_is_not_written_on(void **state)
{
    BusFixture *fixture = *state;
    GError *error = NULL;
    contract_append_blocks(fixture->writer, 1, 5, 100);
    make_topic_anew(&fixture->options, false);
    bool written = ops->append(fixture->writer, 6, (const guint8 *)"x", 1, &error) &&
                   ops->flush(fixture->writer, &error);
    assert_false(written);
    g_clear_error(&error);
    /* Whether the topic got that record or not: whoever reads from the start finds that it broke.
     */
    Bus *reader = ops->open(&fixture->options, BUS_READ, &error);
    bool reads = reader != NULL && contract_read_now(reader, &error) != BUS_FAILED;
    MUST_FAIL(reads, DROVER_ERROR_PERSON);
    ops->close(reader);
}

static void test_an_empty_topic_that_was_there_becomes_the_bus(void **state)
{
    GError *error = NULL;
    (void)state;
    BusOptions options = fresh_options();
    make_topic_anew(&options, false);
    MUST_FAIL(ops->open(&options, BUS_WRITE, &error), DROVER_ERROR_PERSON);
    Bus *bus = contract_open(&options, BUS_CREATE);
    MUST(ops->claim(bus, 1, false, &error));
    contract_append(bus, 1, "one");
    contract_flush(bus);
    ops->close(bus);
    MUST(ops->remove(&options, &error));
    bus_options_clear(&options);
}

static void test_messages_of_others_are_refused(void **state)
{
    GError *error = NULL;
    (void)state;
    static const char *const settings[] = {NULL};
    BusOptions options = fresh_options();
    make_topic_anew(&options, false);
    KafkaClient *other = NULL;
    MUST(other = kafka_client_new(&options, RD_KAFKA_PRODUCER, settings, NULL, NULL, &error));
    assert_int_equal(
        rd_kafka_produce(other->topic, 0, RD_KAFKA_MSG_F_COPY, (void *)"hello", 5, NULL, 0, NULL),
        0);
    assert_int_equal(rd_kafka_flush(other->rk, KAFKA_PATIENCE_MS), 0);
    kafka_client_free(other);
    for (BusMode mode = BUS_CREATE; mode <= BUS_READ; mode++)
        MUST_FAIL(ops->open(&options, mode, &error), DROVER_ERROR_PERSON);
    MUST(ops->remove(&options, &error));
    bus_options_clear(&options);
}

static void test_a_broker_that_is_not_there_asks_for_patience(void **state)
{
    GError *error = NULL;
    (void)state;
    BusOptions options = {.topic = g_strdup("x"), .bootstrap_servers = g_strdup("127.0.0.1:1")};
    MUST_FAIL(ops->open(&options, BUS_READ, &error), DROVER_ERROR_RETRY);
    bus_options_clear(&options);
}

int main(void)
{
    drover_error_quark();
    const struct CMUnitTest tests[] = {
        BUS_CONTRACT_TESTS(set_up, tear_down),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_a_writer_that_was_fenced_off_by_a_lower_epoch_claims_again),
        TEST(test_what_a_dead_writer_had_not_flushed_is_never_seen),
        TEST(test_the_end_is_found_behind_many_claims),
        TEST(test_a_record_is_found_among_many_flushes),
        TEST(test_a_backlog_is_read_whole_without_waiting),
        TEST(test_a_new_writer_trims_what_an_earlier_one_wrote),
        TEST(test_readers_come_while_another_process_trims),
        TEST(test_a_writer_trims_past_what_it_has_read),
        TEST(test_a_topic_made_anew_under_a_reader_needs_a_person),
        TEST(test_a_topic_deleted_under_a_reader_needs_a_person),
        TEST(test_a_topic_made_anew_under_a_writer_is_not_written_on),
        cmocka_unit_test(test_an_empty_topic_that_was_there_becomes_the_bus),
        cmocka_unit_test(test_messages_of_others_are_refused),
        cmocka_unit_test(test_a_broker_that_is_not_there_asks_for_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
