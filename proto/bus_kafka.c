/*
 * The bus on Kafka: one partition of one topic (proto/change.proto says what stands in it).
 *
 * Writing: the brokers let only one transactional producer write, the last one that was started
 * (kafka_writer.h). A claim starts a producer, commits a message that has no record, and reads the
 * topic up to that: what stands before it is all that any earlier writer has appended, or ever
 * will. A claim under an epoch that is lower than one found there gives up; it has then fenced off
 * the right writer, which claims again.
 *
 * Reading: records come in the order of their numbers; pieces are put together. Trimming deletes
 * whole records up to the first one of some flush; the last record always stays, since it is the
 * topic that says where the log ends.
 */
#include "proto/bus.h"
#include "proto/error.h"
#include "proto/kafka_check.h"
#include "proto/kafka_reader.h"
#include "proto/kafka_topic.h"
#include "proto/kafka_writer.h"

#include <string.h>
#include <sys/random.h>

#define SHOWN_POLL (20 * 1000)
#define TRIM_INTERVAL (5 * G_USEC_PER_SEC)
#define MOST_MARKS 8192
#define END_PATIENCE_MS 1000                 /* for a message, or word that there is none */
#define BEHIND_PATIENCE (5 * G_USEC_PER_SEC) /* for brokers to show what they have committed */
#define KEPT_BUFFER (4 << 20) /* the buffer of joined pieces is given back above this */

/* The end of the log. */
typedef struct End {
    guint64 sequence, digest, bytes; /* of the last record; bytes of all that were ever appended */
} End;

/* Where a record begins that was the first one of a flush. */
typedef struct Mark {
    guint64 sequence;
    gint64 offset;
} Mark;

struct Bus {
    BusOptions options; /* copies of what the driver uses */
    KafkaReader *reader;
    guint8 uuid[16];

    /* writer */
    KafkaWriter *writer; /* NULL before a claim */
    guint64 epoch;
    guint64 first_sequence, first_bytes; /* oldest record; all bytes before it */
    End appended, flushed;
    GArray *marks; /* Mark: rising */
    gint64 last_trim;

    /* reader */
    guint64 next;
    bool positioned;     /* the reader stands at `next` */
    GByteArray *joined;  /* pieces of a record */
    guint32 pieces_seen; /* of the record `next` */
};

/* ---- life ---- */

static void kafka_close(Bus *bus)
{
    if (bus == NULL)
        return;
    kafka_writer_free(bus->writer);
    kafka_reader_free(bus->reader);
    g_array_unref(bus->marks);
    g_byte_array_unref(bus->joined);
    bus_options_clear(&bus->options);
    g_free(bus);
}

static Bus *bus_new(const BusOptions *options)
{
    Bus *bus = g_new0(Bus, 1);
    bus->options = (BusOptions){.topic = g_strdup(options->topic),
                                .bootstrap_servers = g_strdup(options->bootstrap_servers),
                                .replication_factor = options->replication_factor,
                                .properties = g_strdupv(options->properties),
                                .stop = options->stop};
    bus->marks = g_array_new(FALSE, FALSE, sizeof(Mark));
    bus->joined = g_byte_array_new();
    bus->next = 1;
    return bus;
}

static bool fail(const Bus *bus, int class, GError **error, const char *what)
{
    g_set_error(error, DROVER_ERROR, class, "bus %s: %s", bus->options.topic, what);
    return false;
}

/* kafka_reader_ends, until something is there: a record of ours, at `upto`, may be shown a moment
 * after its transaction was committed. */
static bool look_at_ends(Bus *bus, gint64 upto, KafkaEnds *ends, GError **error)
{
    gint64 limit = g_get_monotonic_time() + BEHIND_PATIENCE;
    for (;;) {
        if (!kafka_reader_ends(bus->reader, upto, ends, error))
            return false;
        if (!ends->empty || upto < 0 || g_get_monotonic_time() > limit)
            return true;
        g_usleep(SHOWN_POLL);
    }
}

/* PERSON where the topic names no bus, or two. */
static bool read_ends(Bus *bus, gint64 upto, KafkaEnds *ends, GError **error)
{
    bus->positioned = false;
    if (!look_at_ends(bus, upto, ends, error))
        return false;
    if (ends->empty)
        return fail(bus, DROVER_ERROR_PERSON, error,
                    "the topic is empty, which no bus ever is; give the migration its bus back, or "
                    "drop the migration and start it again");
    return memcmp(ends->first.piece.bus_uuid, ends->last.piece.bus_uuid, sizeof bus->uuid) == 0 ||
           fail(bus, DROVER_ERROR_PERSON, error,
                "the topic holds the records of two buses; a topic of its own is needed");
}

static bool check_uuid(const Bus *bus, const KafkaPiece *piece, GError **error)
{
    return memcmp(piece->bus_uuid, bus->uuid, sizeof bus->uuid) == 0 ||
           fail(bus, DROVER_ERROR_PERSON, error,
                "the topic was made anew: it belongs to another bus now; drop the migration and "
                "start it again");
}

static void take_first(Bus *bus, const KafkaPiece *first)
{
    bus->first_sequence = MAX(first->sequence, 1);
    bus->first_bytes = first->bytes - first->size;
}

static void take_ends(Bus *bus, const KafkaEnds *ends)
{
    const KafkaPiece *last = &ends->last.piece;
    take_first(bus, &ends->first.piece);
    bus->flushed = bus->appended = (End){last->sequence, last->digest, last->bytes};
}

/* ---- creating ---- */

static bool make_uuid(const Bus *bus, guint8 *uuid, GError **error)
{
    if (getrandom(uuid, 16, 0) != 16)
        return fail(bus, DROVER_ERROR_RETRY, error, "the system has no random bytes for a UUID");
    uuid[6] = (guint8)((uuid[6] & 0x0f) | 0x40); /* RFC 4122: version 4, variant 1 */
    uuid[8] = (guint8)((uuid[8] & 0x3f) | 0x80);
    return true;
}

/* A message without a record: the first one names the bus, later ones are claims. Commits it. */
static bool write_mark(const Bus *bus, KafkaWriter *writer, guint64 epoch, GError **error)
{
    KafkaPiece head = {.epoch = epoch};
    memcpy(head.bus_uuid, bus->uuid, sizeof head.bus_uuid);
    return kafka_writer_append(writer, &head, (const guint8 *)"", 0, error) &&
           kafka_writer_commit(writer, error);
}

/* Whoever else creates it at the same time has been fenced off, or fences us off. */
static bool name_bus(Bus *bus, GError **error)
{
    KafkaEnds ends;
    g_autoptr(KafkaWriter) writer = kafka_writer_new(&bus->options, error);
    if (writer == NULL || !kafka_reader_ends(bus->reader, -1, &ends, error))
        return false;
    if (!ends.empty)
        return fail(bus, DROVER_ERROR_PERSON, error,
                    "cannot be created: the topic holds records; drop the migration that it "
                    "belongs to, or choose another topic");
    return make_uuid(bus, bus->uuid, error) && write_mark(bus, writer, 0, error) &&
           read_ends(bus, kafka_writer_first_offset(writer), &ends, error);
}

static bool make_topic(const BusOptions *options, GError **error)
{
    bool there = false;
    g_autoptr(KafkaClient) admin = kafka_admin_new(options, error);
    return admin != NULL && kafka_topic_find(admin, false, &there, error) &&
           (there || kafka_topic_create(admin, options->replication_factor, false, error));
}

static Bus *kafka_open(const BusOptions *options, BusMode mode, GError **error)
{
    KafkaEnds ends;
    Bus *bus = bus_new(options);
    bool ready = (mode != BUS_CREATE || make_topic(options, error)) &&
                 (bus->reader = kafka_reader_new(options, error)) != NULL &&
                 (mode == BUS_CREATE ? name_bus(bus, error) : read_ends(bus, -1, &ends, error));
    if (!ready) {
        kafka_close(bus);
        return NULL;
    }
    if (mode != BUS_CREATE)
        memcpy(bus->uuid, ends.first.piece.bus_uuid, sizeof bus->uuid);
    return bus;
}

/* ---- what there is ---- */

static bool kafka_info(Bus *bus, BusInfo *info, GError **error)
{
    KafkaEnds ends;
    guint64 epoch = bus->epoch;
    if (bus->writer == NULL) {
        if (!read_ends(bus, -1, &ends, error) || !check_uuid(bus, &ends.last.piece, error))
            return false;
        take_ends(bus, &ends);
        epoch = ends.epoch;
    }
    *info = (BusInfo){.epoch = epoch,
                      .first_sequence = bus->first_sequence,
                      .last_sequence = bus->appended.sequence,
                      .last_digest = bus->appended.digest,
                      .bytes = bus->appended.bytes - bus->first_bytes};
    memcpy(info->uuid, bus->uuid, sizeof info->uuid);
    return true;
}

static bool kafka_exists(const BusOptions *options, bool *exists, GError **error)
{
    g_autoptr(KafkaClient) admin = kafka_admin_new(options, error);
    return admin != NULL && kafka_topic_find(admin, false, exists, error);
}

static bool kafka_remove(const BusOptions *options, GError **error)
{
    g_autoptr(KafkaClient) admin = kafka_admin_new(options, error);
    return admin != NULL && kafka_topic_remove(admin, error);
}

/* ---- writing ---- */

static bool claim(Bus *bus, guint64 epoch, GError **error)
{
    KafkaEnds ends;
    if (!write_mark(bus, bus->writer, epoch, error) ||
        !read_ends(bus, kafka_writer_first_offset(bus->writer), &ends, error) ||
        !check_uuid(bus, &ends.last.piece, error))
        return false;
    if (ends.epoch > epoch) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "bus %s belongs to another capture: epoch %" G_GUINT64_FORMAT
                    " was claimed, ours is %" G_GUINT64_FORMAT,
                    bus->options.topic, ends.epoch, epoch);
        return false;
    }
    bus->epoch = epoch;
    bus->last_trim = g_get_monotonic_time();
    take_ends(bus, &ends);
    return true;
}

static bool kafka_claim(Bus *bus, guint64 epoch, bool take_over, GError **error)
{
    (void)take_over; /* the brokers end whatever an earlier writer was at */
    kafka_writer_free(bus->writer);
    g_array_set_size(bus->marks, 0);
    bus->writer = kafka_writer_new(&bus->options, error);
    if (bus->writer == NULL)
        return false;
    if (claim(bus, epoch, error))
        return true;
    g_clear_pointer(&bus->writer, kafka_writer_free);
    return false;
}

static bool append(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error)
{
    if (sequence != bus->appended.sequence + 1)
        return fail(bus, DROVER_ERROR_BUG, error, "a record is appended out of its order");
    KafkaPiece head = {.epoch = bus->epoch,
                       .sequence = sequence,
                       .digest = record_digest(data, size),
                       .bytes = bus->appended.bytes + size,
                       .size = size};
    memcpy(head.bus_uuid, bus->uuid, sizeof head.bus_uuid);
    if (!kafka_writer_append(bus->writer, &head, data, size, error))
        return false;
    bus->appended = (End){sequence, head.digest, head.bytes};
    return true;
}

static bool kafka_append(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error)
{
    if (bus->writer == NULL)
        return fail(bus, DROVER_ERROR_BUG, error, "it is written without an epoch");
    if (append(bus, sequence, data, size, error))
        return true;
    kafka_writer_abort(bus->writer);
    bus->appended = bus->flushed;
    return false;
}

static void add_mark(Bus *bus)
{
    const Mark mark = {bus->flushed.sequence + 1, kafka_writer_first_offset(bus->writer)};
    if (bus->marks->len >= MOST_MARKS) {
        guint kept = 0;
        for (guint i = 0; i < bus->marks->len; i += 2)
            g_array_index(bus->marks, Mark, kept++) = g_array_index(bus->marks, Mark, i);
        g_array_set_size(bus->marks, kept);
    }
    g_array_append_val(bus->marks, mark);
}

static bool kafka_flush(Bus *bus, GError **error)
{
    if (bus->writer == NULL || !kafka_writer_is_open(bus->writer))
        return true;
    if (!kafka_writer_commit(bus->writer, error))
        return false;
    add_mark(bus);
    bus->flushed = bus->appended;
    return true;
}

static void kafka_seek(Bus *bus, guint64 sequence)
{
    bus->next = sequence;
    bus->positioned = false;
}

/* ---- trimming ---- */

/* The last mark at or below the record; without one, the record itself is looked for. */
static bool find_cut(Bus *bus, guint64 below, Mark *cut, GError **error)
{
    guint passed = 0;
    while (passed < bus->marks->len && g_array_index(bus->marks, Mark, passed).sequence <= below)
        passed++;
    if (passed > 0) {
        *cut = g_array_index(bus->marks, Mark, passed - 1);
        g_array_remove_range(bus->marks, 0, passed - 1);
        return true;
    }
    cut->sequence = below;
    bus->positioned = false;
    return kafka_reader_find(bus->reader, below, &cut->offset, error);
}

static bool kafka_trim(Bus *bus, guint64 below, GError **error)
{
    gint64 now = g_get_monotonic_time();
    Mark cut;
    if (bus->writer == NULL)
        return fail(bus, DROVER_ERROR_BUG, error, "it is trimmed without an epoch");
    if (now - bus->last_trim < TRIM_INTERVAL || below <= bus->first_sequence)
        return true;
    bus->last_trim = now;
    if (!find_cut(bus, MIN(below, bus->flushed.sequence), &cut, error))
        return false;
    if (cut.sequence <= bus->first_sequence)
        return true;
    KafkaEnds ends;
    kafka_seek(bus, bus->next);
    kafka_reader_stop(bus->reader);
    if (!kafka_topic_trim(kafka_writer_client(bus->writer), cut.offset, error) ||
        !read_ends(bus, -1, &ends, error))
        return false;
    take_first(bus, &ends.first.piece);
    return true;
}

/* ---- reading ---- */

static bool fail_gap(const Bus *bus, const char *what, guint64 number, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "bus %s: record %" G_GUINT64_FORMAT " is not there; %s %" G_GUINT64_FORMAT
                "; give the migration its own bus back, or drop it and start it again",
                bus->options.topic, bus->next, what, number);
    return false;
}

/* The ends, once they reach to the record before `next`: what a broker shows that has just started
 * may be behind what it has committed. */
static bool await_ends(Bus *bus, KafkaEnds *ends, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + BEHIND_PATIENCE;
    do {
        if (!read_ends(bus, -1, ends, error) || !check_uuid(bus, &ends->last.piece, error))
            return false;
    } while (bus->next > ends->last.piece.sequence + 1 && g_get_monotonic_time() < deadline);
    return true;
}

/* Moves the reader to the record `next`, or to the end of the topic where it is the next to come.
 */
static bool position(Bus *bus, GError **error)
{
    KafkaEnds ends;
    if (bus->positioned)
        return true;
    if (!await_ends(bus, &ends, error))
        return false;
    guint64 last = ends.last.piece.sequence;
    if (bus->next > last + 1)
        return fail_gap(bus, "the last one that was written is", last, error);
    if (bus->next < ends.first.piece.sequence)
        return fail_gap(bus, "the oldest one after it is", ends.first.piece.sequence, error);
    gint64 offset = ends.last.offset + 1;
    if (bus->next <= last && !kafka_reader_find(bus->reader, bus->next, &offset, error))
        return false;
    bus->pieces_seen = 0;
    bus->positioned = kafka_reader_start(bus->reader, offset, error);
    return bus->positioned;
}

static bool check_piece(const Bus *bus, const KafkaPiece *piece, GError **error)
{
    if (!check_uuid(bus, piece, error))
        return false;
    if (piece->sequence != bus->next)
        return fail_gap(bus, "in its place is", piece->sequence, error);
    if (piece->piece != bus->pieces_seen || piece->size > G_MAXUINT)
        return fail(bus, DROVER_ERROR_PERSON, error,
                    "a record is broken: its pieces do not follow each other; drop the migration "
                    "and start it again");
    return true;
}

static void forget_joined(Bus *bus)
{
    if (bus->joined->len > KEPT_BUFFER) {
        g_byte_array_unref(bus->joined);
        bus->joined = g_byte_array_new();
    }
    g_byte_array_set_size(bus->joined, 0);
}

/* The first piece makes room for all of them at once. */
static void join(Bus *bus, const KafkaMessage *message)
{
    if (bus->pieces_seen == 0) {
        g_byte_array_set_size(bus->joined, (guint)message->piece.size);
        g_byte_array_set_size(bus->joined, 0);
    }
    g_byte_array_append(bus->joined, message->data, (guint)message->size);
}

/* One message. *whole: data and size are the record. */
static bool take_message(Bus *bus, const KafkaMessage *message, bool *whole, const guint8 **data,
                         gsize *size, GError **error)
{
    if (!check_piece(bus, &message->piece, error))
        return false;
    *data = message->data;
    *size = message->size;
    if (message->piece.pieces > 1) {
        join(bus, message);
        *data = bus->joined->data;
        *size = bus->joined->len;
    }
    bus->pieces_seen++;
    *whole = bus->pieces_seen == message->piece.pieces;
    if (*whole && *size != message->piece.size)
        return fail(bus, DROVER_ERROR_PERSON, error,
                    "a record has not the size that it was written with; drop the migration and "
                    "start it again");
    return true;
}

/* Until the reader knows that it is at the end, more may be on its way from the broker: then it is
 * waited for whatever the time given, so that a backlog is never taken for an end. */
static BusResult read_record(Bus *bus, int timeout_ms, const guint8 **data, gsize *size,
                             GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    for (bool whole = false; !whole;) {
        KafkaMessage message;
        int left = (int)(MAX(deadline - g_get_monotonic_time(), 0) + 999) / 1000;
        int wait = kafka_reader_is_at_end(bus->reader) ? left : MAX(left, END_PATIENCE_MS);
        KafkaResult result = kafka_reader_next(bus->reader, wait, &message, error);
        if (result == KAFKA_FAILED)
            return BUS_FAILED;
        if (result == KAFKA_MESSAGE && message.piece.sequence == 0)
            continue; /* a name or a claim */
        if (result == KAFKA_MESSAGE && !take_message(bus, &message, &whole, data, size, error))
            return BUS_FAILED;
        if (result != KAFKA_MESSAGE && g_get_monotonic_time() >= deadline)
            return BUS_EMPTY;
    }
    return BUS_RECORD;
}

static BusResult kafka_read(Bus *bus, int timeout_ms, guint64 *sequence, const guint8 **data,
                            gsize *size, GError **error)
{
    if (!bus->positioned && !position(bus, error))
        return BUS_FAILED;
    if (bus->pieces_seen == 0)
        forget_joined(bus);
    BusResult result = read_record(bus, timeout_ms, data, size, error);
    if (result == BUS_FAILED)
        bus->positioned = false;
    if (result != BUS_RECORD)
        return result;
    bus->pieces_seen = 0;
    *sequence = bus->next++;
    return BUS_RECORD;
}

const BusOps bus_kafka_ops = {
    .kind = "kafka",
    .check = kafka_check,
    .exists = kafka_exists,
    .remove = kafka_remove,
    .open = kafka_open,
    .close = kafka_close,
    .info = kafka_info,
    .claim = kafka_claim,
    .append = kafka_append,
    .flush = kafka_flush,
    .trim = kafka_trim,
    .seek = kafka_seek,
    .read = kafka_read,
};
