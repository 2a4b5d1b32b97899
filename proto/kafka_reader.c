/*
 * librdkafka's simple consumer: one partition, read from an offset that drover knows, without a
 * consumer group. The end of the partition is where the last committed transaction ends.
 */
#include "proto/kafka_reader.h"

#include "proto/error.h"
#include "proto/kafka_topic.h"

#define PARTITION 0
#define LONGEST_EMPTYING (G_USEC_PER_SEC / 5)
#define FIRST_SPAN 8 /* offsets before the end where the last message is looked for first */
#define SPAN_GROWTH 16
/* librdkafka's queue of messages is small, since it counts as this process's memory: a reader that
 * catches up finds it full, then empty, again and again. */
#define QUEUE_KIB "8192"
#define MAYBE_FULL (4 * 1024 * 1024)  /* bytes in a row: the queue less one answer of a broker */
#define QUEUE_BACKOFF_FROM 0x020200ff /* the version that has fetch.queue.backoff.ms */

struct KafkaReader {
    KafkaClient *client;
    rd_kafka_message_t *message; /* the one that was returned last */
    gsize taken;                 /* bytes since the queue was last seen empty */
    bool started;
    bool at_end;
};

static const char READ_IT[] = "read it";

static const char *const SETTINGS[] = {"fetch.queue.backoff.ms", /* first: older versions lack it */
                                       "5",
                                       "isolation.level",
                                       "read_committed",
                                       "enable.partition.eof",
                                       "true",
                                       "auto.offset.reset",
                                       "error",
                                       "enable.auto.commit",
                                       "false",
                                       "enable.auto.offset.store",
                                       "false",
                                       "fetch.wait.max.ms",
                                       "100",
                                       "fetch.error.backoff.ms",
                                       "50",
                                       "fetch.message.max.bytes",
                                       "4194304",
                                       "queued.max.messages.kbytes",
                                       QUEUE_KIB,
                                       NULL};

/* ---- life ---- */

static const char *const *settings(void)
{
    return rd_kafka_version() >= QUEUE_BACKOFF_FROM ? SETTINGS : SETTINGS + 2;
}

KafkaReader *kafka_reader_new(const BusOptions *options, GError **error)
{
    g_autoptr(KafkaReader) reader = g_new0(KafkaReader, 1);
    bool there = false;
    reader->client = kafka_client_new(options, RD_KAFKA_CONSUMER, settings(), NULL, NULL, error);
    if (reader->client == NULL || !kafka_topic_find(reader->client, true, &there, error))
        return NULL;
    if (there)
        return g_steal_pointer(&reader);
    kafka_client_person(reader->client, error,
                        "there is no such topic; give the migration its bus back, or drop the "
                        "migration and start it again");
    return NULL;
}

static void drop_message(KafkaReader *reader)
{
    if (reader->message != NULL)
        rd_kafka_message_destroy(reader->message);
    reader->message = NULL;
}

/* Serves what was reported of a topic that is gone, so that the client knows. More than that is
 * only waited for as long as there is something. */
static void empty_queue(KafkaReader *reader)
{
    gint64 deadline = g_get_monotonic_time() + LONGEST_EMPTYING;
    do {
        drop_message(reader);
        reader->message = rd_kafka_consume(reader->client->topic, PARTITION, 0);
    } while (reader->message != NULL && g_get_monotonic_time() < deadline);
    drop_message(reader);
}

void kafka_reader_stop(KafkaReader *reader)
{
    if (reader->started) {
        empty_queue(reader);
        rd_kafka_consume_stop(reader->client->topic, PARTITION);
    }
    drop_message(reader);
    reader->started = false;
}

void kafka_reader_free(KafkaReader *reader)
{
    if (reader == NULL)
        return;
    if (reader->client != NULL)
        kafka_reader_stop(reader);
    kafka_client_free(reader->client);
    g_free(reader);
}

/* ---- messages ---- */

bool kafka_reader_start(KafkaReader *reader, gint64 offset, GError **error)
{
    kafka_reader_stop(reader);
    reader->at_end = false;
    reader->started = rd_kafka_consume_start(reader->client->topic, PARTITION, offset) == 0;
    return reader->started ||
           kafka_client_fail(reader->client, rd_kafka_last_error(), READ_IT, NULL, error);
}

static bool read_header(const KafkaReader *reader, KafkaPiece *piece, GError **error)
{
    rd_kafka_headers_t *headers = NULL;
    const void *data = NULL;
    size_t size = 0;
    bool found =
        rd_kafka_message_headers(reader->message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, KAFKA_PIECE_HEADER, &data, &size) ==
            RD_KAFKA_RESP_ERR_NO_ERROR;
    if (found && kafka_piece_unpack(data, size, piece))
        return true;
    return kafka_client_person(reader->client, error,
                               "the message at offset %" G_GINT64_FORMAT " was not written by "
                               "drover, or by another version; a topic of its own is needed",
                               reader->message->offset);
}

/* Whether it is missing is asked once more: a broker that has just started may not know it. */
static KafkaResult take_missing_topic(KafkaReader *reader, rd_kafka_resp_err_t code, GError **error)
{
    bool there = false;
    if (kafka_topic_find(reader->client, true, &there, error) && !there)
        kafka_client_person(reader->client, error,
                            "the topic is gone; drop the migration and start it again");
    else if (there)
        kafka_client_fail(reader->client, code, READ_IT, NULL, error);
    return KAFKA_FAILED;
}

/* That a topic which is being read has gone is reported to the handle only. */
static KafkaResult take_silence(KafkaReader *reader, GError **error)
{
    rd_kafka_resp_err_t trouble = reader->client->trouble;
    return kafka_code_is_missing(trouble) ? take_missing_topic(reader, trouble, error)
                                          : KAFKA_TIMEOUT;
}

/* What librdkafka reports in place of a message. */
static KafkaResult take_report(KafkaReader *reader, GError **error)
{
    rd_kafka_resp_err_t code = reader->message->err;
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return KAFKA_END;
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        kafka_client_person(reader->client, error,
                            "the topic has lost records that are still needed: it was emptied, cut "
                            "or made anew (%s); drop the migration and start it again",
                            rd_kafka_message_errstr(reader->message));
        return KAFKA_FAILED;
    }
    if (kafka_code_is_missing(code))
        return take_missing_topic(reader, code, error);
    kafka_client_fail(reader->client, code, READ_IT, rd_kafka_message_errstr(reader->message),
                      error);
    return KAFKA_FAILED;
}

/* Behind the last message of a commit comes the mark of the commit itself. An end that is not seen
 * here, as where aborted messages follow, is reported by librdkafka a little later. */
static bool is_last(const KafkaReader *reader)
{
    gint64 low, high;
    const KafkaClient *client = reader->client;
    return rd_kafka_get_watermark_offsets(client->rk, client->name, PARTITION, &low, &high) ==
               RD_KAFKA_RESP_ERR_NO_ERROR &&
           high >= 0 && reader->message->offset + 2 >= high;
}

bool kafka_reader_is_at_end(const KafkaReader *reader)
{
    return reader->at_end;
}

/* The queue is empty. An older librdkafka that had filled it fetches again when its thread for the
 * broker has something else to do, or after a second: so it is given something to do. */
static void wake_fetching(KafkaReader *reader, int timeout_ms)
{
    gint64 low, high;
    if (reader->taken >= MAYBE_FULL && rd_kafka_version() < QUEUE_BACKOFF_FROM)
        rd_kafka_query_watermark_offsets(reader->client->rk, reader->client->name, PARTITION, &low,
                                         &high, timeout_ms);
    reader->taken = 0;
}

static rd_kafka_message_t *consume(KafkaReader *reader, int timeout_ms)
{
    rd_kafka_message_t *message = rd_kafka_consume(reader->client->topic, PARTITION, 0);
    if (message == NULL && timeout_ms > 0) {
        wake_fetching(reader, timeout_ms);
        message = rd_kafka_consume(reader->client->topic, PARTITION, timeout_ms);
    }
    if (message != NULL)
        reader->taken += message->len;
    return message;
}

KafkaResult kafka_reader_next(KafkaReader *reader, int timeout_ms, KafkaMessage *message,
                              GError **error)
{
    drop_message(reader);
    kafka_client_poll(reader->client);
    reader->message = consume(reader, timeout_ms);
    if (reader->message == NULL)
        return take_silence(reader, error);
    if (reader->message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        KafkaResult result = take_report(reader, error);
        reader->at_end = result == KAFKA_END;
        if (result == KAFKA_END)
            kafka_client_well(reader->client);
        return result;
    }
    kafka_client_well(reader->client);
    reader->at_end = is_last(reader);
    *message = (KafkaMessage){.offset = reader->message->offset,
                              .data = reader->message->payload,
                              .size = reader->message->len};
    return read_header(reader, &message->piece, error) ? KAFKA_MESSAGE : KAFKA_FAILED;
}

/* ---- looking for messages ---- */

/* A message or the end, one of which must come. */
static bool await(KafkaReader *reader, KafkaMessage *message, bool *end, GError **error)
{
    gint64 deadline = kafka_deadline();
    KafkaResult result;
    do
        result = kafka_reader_next(reader, KAFKA_SLICE_MS, message, error);
    while (result == KAFKA_TIMEOUT && kafka_client_may_wait(reader->client, deadline));
    *end = result == KAFKA_END;
    if (result == KAFKA_TIMEOUT)
        return kafka_client_fail(reader->client, RD_KAFKA_RESP_ERR__TIMED_OUT, READ_IT, NULL,
                                 error);
    return result != KAFKA_FAILED;
}

/* The first message at or after offset; *end where there is none. */
static bool peek(KafkaReader *reader, gint64 offset, KafkaMessage *message, bool *end,
                 GError **error)
{
    return kafka_reader_start(reader, offset, error) && await(reader, message, end, error);
}

/* Goes through the messages from `from` on: up to the end, and in any case to `upto`. *found: there
 * is a record among them. */
static bool walk(KafkaReader *reader, gint64 from, gint64 upto, KafkaEnds *ends, bool *found,
                 GError **error)
{
    gint64 reached = -1;
    bool end = false;
    if (!kafka_reader_start(reader, from, error))
        return false;
    while (!end || reached < upto) {
        KafkaMessage message;
        if (!await(reader, &message, &end, error))
            return false;
        if (end)
            continue;
        end = reader->at_end;
        reached = message.offset;
        ends->epoch = MAX(ends->epoch, message.piece.epoch);
        if (message.piece.sequence > 0 || !*found)
            ends->last = message;
        *found |= message.piece.sequence > 0;
    }
    return true;
}

/* From ever further back, until there is a record. */
static bool find_last(KafkaReader *reader, gint64 low, gint64 high, gint64 upto, KafkaEnds *ends,
                      GError **error)
{
    bool found = false;
    for (gint64 span = FIRST_SPAN;; span *= SPAN_GROWTH) {
        gint64 from = high - span > low ? high - span : low;
        if (!walk(reader, from, upto, ends, &found, error))
            return false;
        if (found || from == low)
            return true;
    }
}

/* The first message of a record at or after offset. */
static bool peek_record(KafkaReader *reader, gint64 offset, KafkaMessage *message, bool *end,
                        GError **error)
{
    if (!peek(reader, offset, message, end, error))
        return false;
    while (!*end && message->piece.sequence == 0)
        if (!await(reader, message, end, error))
            return false;
    return true;
}

/* The first record, or where there is none the first message. */
static bool find_first(KafkaReader *reader, gint64 low, KafkaEnds *ends, GError **error)
{
    KafkaMessage record;
    bool none;
    if (!peek(reader, low, &ends->first, &ends->empty, error))
        return false;
    if (ends->empty || ends->first.piece.sequence > 0)
        return true;
    if (!peek_record(reader, low, &record, &none, error))
        return false;
    if (!none)
        ends->first = record;
    return true;
}

/* ---- looking for messages, while another process may trim ---- */

typedef bool (*Look)(KafkaReader *reader, gint64 low, gint64 high, void *wanted, GError **error);

/* A look at messages from `low` on has failed. Was that because the writer, in whatever process,
 * has trimmed them since? Then the look is worth another one, and *problem is cleared. */
static bool was_trimmed(KafkaReader *reader, gint64 low, GError **problem)
{
    gint64 now, high;
    if (!g_error_matches(*problem, DROVER_ERROR, DROVER_ERROR_PERSON) ||
        !kafka_topic_offsets(reader->client, &now, &high, NULL) || now <= low)
        return false;
    g_clear_error(problem);
    return true;
}

static bool look_patiently(KafkaReader *reader, Look look, void *wanted, GError **error)
{
    for (;;) {
        GError *problem = NULL;
        gint64 low, high;
        if (!kafka_topic_offsets(reader->client, &low, &high, error))
            return false;
        bool done = look(reader, low, high, wanted, &problem);
        kafka_reader_stop(reader);
        if (done)
            return true;
        if (!was_trimmed(reader, low, &problem)) {
            g_propagate_error(error, problem);
            return false;
        }
    }
}

typedef struct WantedEnds {
    gint64 upto;
    KafkaEnds *ends;
} WantedEnds;

static bool look_at_ends(KafkaReader *reader, gint64 low, gint64 high, void *wanted, GError **error)
{
    const WantedEnds *of = wanted;
    KafkaEnds *ends = of->ends;
    *ends = (KafkaEnds){.empty = true};
    if (low == high && of->upto < 0)
        return true;
    if (!find_first(reader, low, ends, error) ||
        (!ends->empty && !find_last(reader, low, high, of->upto, ends, error)))
        return false;
    ends->first.data = ends->last.data = NULL;
    return true;
}

bool kafka_reader_ends(KafkaReader *reader, gint64 upto, KafkaEnds *ends, GError **error)
{
    WantedEnds wanted = {upto, ends};
    return look_patiently(reader, look_at_ends, &wanted, error);
}

typedef struct WantedRecord {
    guint64 sequence;
    gint64 *offset;
} WantedRecord;

/* Every record before `low` has a lower number, the first one from `high` on has not. */
static bool look_for_record(KafkaReader *reader, gint64 low, gint64 high, void *wanted,
                            GError **error)
{
    const WantedRecord *of = wanted;
    for (gint64 probe = low; low < high; probe = low + (high - low) / 2) {
        KafkaMessage message;
        bool end;
        if (!peek_record(reader, probe, &message, &end, error))
            return false;
        if (end || message.piece.sequence >= of->sequence)
            high = probe;
        else
            low = message.offset + 1;
    }
    *of->offset = low;
    return true;
}

bool kafka_reader_find(KafkaReader *reader, guint64 sequence, gint64 *offset, GError **error)
{
    WantedRecord wanted = {sequence, offset};
    return look_patiently(reader, look_for_record, &wanted, error);
}
