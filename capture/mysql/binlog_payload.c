/*
 * The body of TRANSACTION_PAYLOAD: fields of packed kind, packed size and a packed number, until
 * kind 0; then the payload. Kinds: 1 size of the payload, 2 compression (0 zstd, 255 none), 3 size
 * uncompressed. The payload is one zstd frame of events without checksums.
 */
#include "capture/mysql/binlog_payload.h"

#include "capture/mysql/binlog_decode.h"
#include "proto/byte_reader.h"
#include "proto/error.h"

#include <zstd.h>

#define HEADER_SIZE 19
#define SIZE_OFFSET 9
#define STEP 65536 /* bytes that the buffer grows by at least */
#define KEEP ((gsize)1 << 20)
#define WINDOW_LOG_MAX 27 /* zstd's own limit: 128 MiB for what the decompression looks back at */

struct BinlogPayload {
    gsize event_limit;
    ZSTD_DCtx *context;
    BinlogCompression compression;
    ZSTD_inBuffer input;
    bool frame_done;
    guint64 expected; /* bytes uncompressed */
    guint64 produced;
    guint8 *buffer;
    gsize capacity;
    gsize start; /* of the next event in buffer */
    gsize end;
};

BinlogPayload *binlog_payload_new(gsize event_limit)
{
    BinlogPayload *payload = g_new0(BinlogPayload, 1);
    payload->event_limit = event_limit;
    payload->context = ZSTD_createDCtx();
    g_assert(payload->context);
    ZSTD_DCtx_setParameter(payload->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return payload;
}

void binlog_payload_free(BinlogPayload *payload)
{
    if (!payload)
        return;
    ZSTD_freeDCtx(payload->context);
    g_free(payload->buffer);
    g_free(payload);
}

void binlog_payload_start(BinlogPayload *payload, BinlogCompression compression, const guint8 *data,
                          gsize size, guint64 uncompressed_size)
{
    ZSTD_DCtx_reset(payload->context, ZSTD_reset_session_only);
    payload->compression = compression;
    payload->input = (ZSTD_inBuffer){.src = data, .size = size};
    payload->frame_done = false;
    payload->expected = uncompressed_size;
    payload->produced = 0;
    payload->start = payload->end = 0;
    if (payload->capacity > KEEP) { /* one large event does not hold its memory for good */
        g_clear_pointer(&payload->buffer, g_free);
        payload->capacity = 0;
    }
}

static bool fail(GError **error, const char *what)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "the compressed transaction is damaged: %s", what);
    return false;
}

static void make_room(BinlogPayload *payload)
{
    if (payload->start > 0) {
        memmove(payload->buffer, payload->buffer + payload->start, payload->end - payload->start);
        payload->end -= payload->start;
        payload->start = 0;
    }
    if (payload->capacity - payload->end >= STEP)
        return;
    payload->capacity = MAX(payload->capacity + payload->capacity / 2, payload->end + STEP);
    payload->buffer = g_realloc(payload->buffer, payload->capacity);
}

static void copy_plain(BinlogPayload *payload, ZSTD_outBuffer *output)
{
    ZSTD_inBuffer *input = &payload->input;
    gsize size = MIN(input->size - input->pos, output->size - output->pos);
    if (size > 0)
        memcpy((guint8 *)output->dst + output->pos, (const guint8 *)input->src + input->pos, size);
    input->pos += size;
    output->pos += size;
    payload->frame_done = input->pos == input->size;
}

/* Appends what comes next to the buffer: at least a byte, unless the frame is done. */
static bool produce(BinlogPayload *payload, GError **error)
{
    make_room(payload);
    ZSTD_outBuffer output = {payload->buffer, payload->capacity, payload->end};
    gsize before = output.pos;
    if (payload->compression == BINLOG_PAYLOAD_PLAIN) {
        copy_plain(payload, &output);
    } else {
        gsize hint = ZSTD_decompressStream(payload->context, &output, &payload->input);
        if (ZSTD_isError(hint))
            return fail(error, ZSTD_getErrorName(hint));
        payload->frame_done = hint == 0;
    }
    payload->end = output.pos;
    payload->produced += output.pos - before;
    if (payload->frame_done && payload->input.pos < payload->input.size)
        return fail(error, "surplus bytes");
    if (!payload->frame_done && output.pos == before && payload->input.pos == payload->input.size)
        return fail(error, "it ends too early");
    return payload->produced <= payload->expected || fail(error, "it has more bytes than it says");
}

/* Makes `size` bytes of the next event available; *there false where the payload ends before. */
static bool want(BinlogPayload *payload, gsize size, bool *there, GError **error)
{
    while (payload->end - payload->start < size && !payload->frame_done)
        if (!produce(payload, error))
            return false;
    *there = payload->end - payload->start >= size;
    return true;
}

bool binlog_payload_next(BinlogPayload *payload, const guint8 **data, gsize *size, GError **error)
{
    bool there;
    guint32 event_size;
    if (!want(payload, HEADER_SIZE, &there, error))
        return false;
    if (!there && payload->end == payload->start)
        return payload->produced == payload->expected
                   ? false
                   : fail(error, "it has fewer bytes than it says");
    if (!there)
        return fail(error, "half an event at its end");
    ByteReader reader =
        byte_reader(payload->buffer + payload->start + SIZE_OFFSET, sizeof event_size);
    if (!byte_reader_le32(&reader, &event_size) || event_size < HEADER_SIZE ||
        event_size > payload->event_limit)
        return fail(error, "an event of an impossible size");
    if (!want(payload, event_size, &there, error))
        return false;
    if (!there)
        return fail(error, "half an event at its end");
    *data = payload->buffer + payload->start;
    *size = event_size;
    payload->start += event_size;
    return true;
}

static bool read_fields(BinlogParse *parse, guint64 fields[4])
{
    for (;;) {
        guint64 kind, size;
        ByteReader value;
        if (!byte_reader_packed(&parse->reader, &kind))
            return binlog_fail_short(parse);
        if (kind == 0)
            return true;
        if (kind > 3)
            return binlog_fail(parse, "unknown field %" G_GUINT64_FORMAT "; update drover", kind);
        if (!byte_reader_packed(&parse->reader, &size) ||
            !byte_reader_part(&parse->reader, size, &value) ||
            !byte_reader_packed(&value, &fields[kind]))
            return binlog_fail_short(parse);
    }
}

bool binlog_parse_payload(BinlogParse *parse)
{
    enum { SIZE = 1, COMPRESSION = 2, UNCOMPRESSED = 3, NONE = 255 };
    guint64 fields[4] = {[COMPRESSION] = NONE, [UNCOMPRESSED] = G_MAXUINT64};
    BinlogText rest;
    if (parse->event->inner)
        return binlog_fail(parse, "it stands inside of another one");
    if (!read_fields(parse, fields))
        return false;
    binlog_read_rest(parse, &rest);
    if (fields[COMPRESSION] == NONE && fields[UNCOMPRESSED] == G_MAXUINT64)
        fields[UNCOMPRESSED] = fields[SIZE];
    if (fields[SIZE] != rest.size || fields[UNCOMPRESSED] == G_MAXUINT64)
        return binlog_fail(parse, "its size does not fit");
    if (fields[COMPRESSION] != 0 && fields[COMPRESSION] != NONE)
        return binlog_fail(parse, "unknown compression %" G_GUINT64_FORMAT "; update drover",
                           fields[COMPRESSION]);
    binlog_payload_start(parse->decoder->payload,
                         fields[COMPRESSION] == 0 ? BINLOG_PAYLOAD_ZSTD : BINLOG_PAYLOAD_PLAIN,
                         (const guint8 *)rest.text, rest.size, fields[UNCOMPRESSED]);
    parse->decoder->in_payload = true;
    parse->event->payload.uncompressed_size = fields[UNCOMPRESSED];
    return true;
}
