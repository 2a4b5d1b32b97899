#include "proto/kafka_writer.h"

#include "proto/error.h"

#define PARTITION 0
#define PIECE_SIZE (900 * 1000) /* under the default limits of broker and client */
#define POLL_MS 100
#define PATIENCE (30 * G_USEC_PER_SEC) /* for what the brokers must answer before it goes on */
#define ABORT_PATIENCE_MS 1500

struct KafkaWriter {
    KafkaClient *client;
    bool open; /* a transaction */

    /* Written by the delivery reports, which come while this thread polls. */
    gint64 last_offset;
    gint64 first_offset; /* of the transaction; -1: none so far */
    bool went_back;
};

static const char APPEND[] = "append to it";

static const char *const SETTINGS[] = {"enable.idempotence",
                                       "true",
                                       "transaction.timeout.ms",
                                       "30000",
                                       "linger.ms",
                                       "0",
                                       "queue.buffering.max.kbytes",
                                       "8192",
                                       NULL};

static void note_offset(void *user, const rd_kafka_message_t *message)
{
    KafkaWriter *writer = user;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return; /* the commit fails */
    writer->went_back |= message->offset <= writer->last_offset;
    writer->last_offset = MAX(writer->last_offset, message->offset);
    if (writer->first_offset < 0)
        writer->first_offset = message->offset;
}

static bool start(KafkaWriter *writer, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    for (;;) {
        rd_kafka_error_t *problem = rd_kafka_init_transactions(writer->client->rk, KAFKA_SLICE_MS);
        if (problem == NULL)
            return true;
        if (!rd_kafka_error_is_retriable(problem) ||
            !kafka_client_may_wait(writer->client, deadline))
            return kafka_client_fail_with(writer->client, problem, "become its writer", error);
        rd_kafka_error_destroy(problem);
    }
}

KafkaWriter *kafka_writer_new(const BusOptions *options, GError **error)
{
    g_autoptr(GPtrArray) settings = g_ptr_array_new();
    g_autoptr(KafkaWriter) writer = g_new0(KafkaWriter, 1);
    for (gsize i = 0; SETTINGS[i] != NULL; i++)
        g_ptr_array_add(settings, (gpointer)SETTINGS[i]);
    g_ptr_array_add(settings, (gpointer) "transactional.id");
    g_ptr_array_add(settings, options->topic);
    g_ptr_array_add(settings, NULL);
    writer->last_offset = writer->first_offset = -1;
    writer->client =
        kafka_client_new(options, RD_KAFKA_PRODUCER, (const char *const *)settings->pdata,
                         note_offset, writer, error);
    if (writer->client == NULL || !start(writer, error))
        return NULL;
    return g_steal_pointer(&writer);
}

/* Where that fails, the next writer or the brokers' timeout undo what is open. */
void kafka_writer_abort(KafkaWriter *writer)
{
    if (!writer->open)
        return;
    rd_kafka_error_t *problem = rd_kafka_abort_transaction(writer->client->rk, ABORT_PATIENCE_MS);
    writer->open = problem != NULL;
    if (problem != NULL)
        rd_kafka_error_destroy(problem);
}

void kafka_writer_free(KafkaWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->client != NULL)
        rd_kafka_purge(writer->client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    kafka_writer_abort(writer);
    kafka_client_free(writer->client);
    g_free(writer);
}

static bool begin(KafkaWriter *writer, GError **error)
{
    if (writer->open)
        return true;
    rd_kafka_error_t *problem = rd_kafka_begin_transaction(writer->client->rk);
    if (problem != NULL)
        return kafka_client_fail_with(writer->client, problem, APPEND, error);
    writer->open = true;
    writer->first_offset = -1;
    return true;
}

static rd_kafka_resp_err_t produce(KafkaWriter *writer, const guint8 *header, gsize header_size,
                                   const guint8 *data, gsize size)
{
    return rd_kafka_producev(
        writer->client->rk, RD_KAFKA_V_RKT(writer->client->topic), RD_KAFKA_V_PARTITION(PARTITION),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE((void *)data, size),
        RD_KAFKA_V_HEADER(KAFKA_PIECE_HEADER, header, (ssize_t)header_size), RD_KAFKA_V_END);
}

/* Where the queue is full, waits until the brokers have taken some of it. */
static bool send_piece(KafkaWriter *writer, const KafkaPiece *piece, const guint8 *data, gsize size,
                       GError **error)
{
    guint8 header[KAFKA_PIECE_PACKED];
    gsize header_size = kafka_piece_pack(piece, header);
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    for (;;) {
        rd_kafka_resp_err_t code = produce(writer, header, header_size, data, size);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return true;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL ||
            !kafka_client_may_wait(writer->client, deadline))
            return kafka_client_fail(writer->client, code, APPEND, NULL, error);
        rd_kafka_poll(writer->client->rk, POLL_MS);
    }
}

bool kafka_writer_append(KafkaWriter *writer, const KafkaPiece *head, const guint8 *data,
                         gsize size, GError **error)
{
    KafkaPiece piece = *head;
    piece.pieces = (guint32)MAX((size + PIECE_SIZE - 1) / PIECE_SIZE, 1);
    if (!begin(writer, error))
        return false;
    for (piece.piece = 0; piece.piece < piece.pieces; piece.piece++) {
        gsize from = (gsize)piece.piece * PIECE_SIZE;
        if (!send_piece(writer, &piece, data + from, MIN(size - from, PIECE_SIZE), error))
            return false;
    }
    return true;
}

/* In slices: librdkafka goes on with a commit whose wait was cut short. NULL: it is done. */
static rd_kafka_error_t *commit_patiently(KafkaWriter *writer)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    for (;;) {
        rd_kafka_error_t *problem = rd_kafka_commit_transaction(writer->client->rk, KAFKA_SLICE_MS);
        if (problem == NULL || !rd_kafka_error_is_retriable(problem) ||
            !kafka_client_may_wait(writer->client, deadline))
            return problem;
        rd_kafka_error_destroy(problem);
    }
}

bool kafka_writer_commit(KafkaWriter *writer, GError **error)
{
    if (!writer->open)
        return true;
    rd_kafka_error_t *problem = commit_patiently(writer);
    if (problem != NULL)
        return kafka_client_fail_with(writer->client, problem, "flush its records", error);
    writer->open = false;
    kafka_client_well(writer->client);
    if (!writer->went_back)
        return true;
    return kafka_client_person(writer->client, error,
                               "the topic was emptied or made anew while it was written: records "
                               "are missing; drop the migration and start it again");
}

bool kafka_writer_is_open(const KafkaWriter *writer)
{
    return writer->open;
}

gint64 kafka_writer_first_offset(const KafkaWriter *writer)
{
    return writer->first_offset;
}

KafkaClient *kafka_writer_client(KafkaWriter *writer)
{
    return writer->client;
}
