/*
 * An event, all numbers little-endian:
 *
 *   u32 timestamp, u8 type, u32 server id, u32 size of everything, u32 end position, u16 flags,
 *   body, [u32 CRC32 of all before it]
 *
 * Whether there is a checksum says the FORMAT_DESCRIPTION event, the first of every file, which has
 * one always. Artificial ROTATE and HEARTBEAT events follow the connection's setting instead, so
 * that it is looked whether theirs fits.
 */
#include "capture/mysql/binlog_decode.h"
#include "proto/error.h"

#include <zlib.h>

#define HEADER_SIZE 19
#define CHECKSUM_SIZE 4
#define FLAGS_OFFSET 17
#define FLAG_IN_USE 0x1 /* of FORMAT_DESCRIPTION; not part of the checksum */
#define IGNORED NULL    /* the body does not matter */

static const struct {
    guint8 type;
    BinlogKind kind;
    const char *name;
    BinlogParser parse;
} event_types[] = {
    {2, BINLOG_QUERY, "QUERY", binlog_parse_query},
    {3, BINLOG_STOP, "STOP", IGNORED},
    {4, BINLOG_ROTATE, "ROTATE", binlog_parse_rotate},
    {15, BINLOG_FORMAT_DESCRIPTION, "FORMAT_DESCRIPTION", binlog_parse_format_description},
    {16, BINLOG_XID, "XID", binlog_parse_xid},
    {19, BINLOG_TABLE_MAP, "TABLE_MAP", binlog_parse_table_map},
    {23, BINLOG_ROWS, "WRITE_ROWS_V1", binlog_parse_rows_v1},
    {24, BINLOG_ROWS, "UPDATE_ROWS_V1", binlog_parse_rows_v1},
    {25, BINLOG_ROWS, "DELETE_ROWS_V1", binlog_parse_rows_v1},
    {26, BINLOG_INCIDENT, "INCIDENT", binlog_parse_incident},
    {27, BINLOG_HEARTBEAT, "HEARTBEAT", binlog_parse_heartbeat},
    {29, BINLOG_ANNOTATE, "ROWS_QUERY", binlog_parse_rows_query},
    {30, BINLOG_ROWS, "WRITE_ROWS", binlog_parse_rows_v2},
    {31, BINLOG_ROWS, "UPDATE_ROWS", binlog_parse_rows_v2},
    {32, BINLOG_ROWS, "DELETE_ROWS", binlog_parse_rows_v2},
    {33, BINLOG_GTID, "GTID", binlog_parse_gtid},
    {34, BINLOG_ANONYMOUS_GTID, "ANONYMOUS_GTID", binlog_parse_gtid},
    {35, BINLOG_PREVIOUS_GTIDS, "PREVIOUS_GTIDS", binlog_parse_previous_gtids},
    {36, BINLOG_OTHER, "TRANSACTION_CONTEXT", IGNORED},
    {37, BINLOG_OTHER, "VIEW_CHANGE", IGNORED},
    {38, BINLOG_XA_PREPARE, "XA_PREPARE", binlog_parse_xa_prepare},
    {39, BINLOG_ROWS, "PARTIAL_UPDATE_ROWS", binlog_parse_rows_v2},
    {40, BINLOG_PAYLOAD, "TRANSACTION_PAYLOAD", binlog_parse_payload},
    {41, BINLOG_HEARTBEAT, "HEARTBEAT_V2", binlog_parse_heartbeat_v2},
    {42, BINLOG_GTID, "GTID_TAGGED", binlog_parse_gtid_tagged},
    {160, BINLOG_ANNOTATE, "ANNOTATE_ROWS", binlog_parse_annotate},
    {161, BINLOG_OTHER, "BINLOG_CHECKPOINT", IGNORED},
    {162, BINLOG_MARIADB_GTID, "MARIADB_GTID", binlog_parse_mariadb_gtid},
    {163, BINLOG_MARIADB_GTID_LIST, "GTID_LIST", binlog_parse_mariadb_gtid_list},
    {164, BINLOG_OTHER, "START_ENCRYPTION", IGNORED},
    {165, BINLOG_QUERY, "QUERY_COMPRESSED", binlog_parse_query_compressed},
    {166, BINLOG_ROWS, "WRITE_ROWS_COMPRESSED_V1", binlog_parse_rows_compressed_v1},
    {167, BINLOG_ROWS, "UPDATE_ROWS_COMPRESSED_V1", binlog_parse_rows_compressed_v1},
    {168, BINLOG_ROWS, "DELETE_ROWS_COMPRESSED_V1", binlog_parse_rows_compressed_v1},
    {169, BINLOG_ROWS, "WRITE_ROWS_COMPRESSED", binlog_parse_rows_compressed_v2},
    {170, BINLOG_ROWS, "UPDATE_ROWS_COMPRESSED", binlog_parse_rows_compressed_v2},
    {171, BINLOG_ROWS, "DELETE_ROWS_COMPRESSED", binlog_parse_rows_compressed_v2},
};

/* Types that belong to the logging of statements; the remedy is a setting and not an update. */
static const struct {
    guint8 type;
    const char *name;
} statement_types[] = {{5, "INTVAR"},
                       {13, "RAND"},
                       {14, "USER_VAR"},
                       {9, "APPEND_BLOCK"},
                       {17, "BEGIN_LOAD_QUERY"},
                       {18, "EXECUTE_LOAD_QUERY"}};

BinlogDecoder *binlog_decoder_new(gsize event_limit)
{
    BinlogDecoder *decoder = g_new0(BinlogDecoder, 1);
    decoder->event_limit = event_limit;
    decoder->arena = arena_new(8192);
    decoder->tables = binlog_tables_new();
    decoder->payload = binlog_payload_new(event_limit);
    decoder->file = g_string_new(NULL);
    decoder->where = g_string_new(NULL);
    return decoder;
}

void binlog_decoder_free(BinlogDecoder *decoder)
{
    if (!decoder)
        return;
    arena_free(decoder->arena);
    binlog_tables_free(decoder->tables);
    binlog_payload_free(decoder->payload);
    g_string_free(decoder->file, true);
    g_string_free(decoder->where, true);
    g_free(decoder);
}

void binlog_decoder_put(BinlogDecoder *decoder, const guint8 *data, gsize size)
{
    decoder->data = data;
    decoder->size = size;
}

const char *binlog_decoder_where(BinlogDecoder *decoder)
{
    g_string_printf(decoder->where, "%s:%" G_GUINT64_FORMAT,
                    decoder->file->len > 0 ? decoder->file->str : "binlog",
                    decoder->event_position);
    return decoder->where->str;
}

bool binlog_fail(BinlogParse *parse, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(parse->error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source log at %s: event %s (type %u): %s", binlog_decoder_where(parse->decoder),
                parse->event->name, parse->event->type, what);
    return false;
}

bool binlog_fail_short(BinlogParse *parse)
{
    return binlog_fail(parse,
                       "it ends too early, at byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                       "; the log is damaged, or this version of drover does not understand this "
                       "server",
                       parse->reader.offset, parse->reader.size);
}

void binlog_read_rest(BinlogParse *parse, BinlogText *text)
{
    ByteReader *reader = &parse->reader;
    text->size = byte_reader_left(reader);
    text->text = (const char *)reader->data + reader->offset;
    reader->offset = reader->size;
}

static guint32 checksum_of(const guint8 *data, gsize size, bool is_format)
{
    uLong sum = crc32(0, NULL, 0);
    if (!is_format || !(data[FLAGS_OFFSET] & FLAG_IN_USE))
        return (guint32)crc32_z(sum, data, size);
    guint8 flags = (guint8)(data[FLAGS_OFFSET] & ~FLAG_IN_USE);
    sum = crc32_z(sum, data, FLAGS_OFFSET);
    sum = crc32_z(sum, &flags, 1);
    return (guint32)crc32_z(sum, data + FLAGS_OFFSET + 1, size - FLAGS_OFFSET - 1);
}

/* Does the event end with its own checksum? */
static bool checksum_fits(const guint8 *data, gsize size, bool is_format)
{
    if (size < HEADER_SIZE + CHECKSUM_SIZE)
        return false;
    ByteReader tail = byte_reader(data + size - CHECKSUM_SIZE, CHECKSUM_SIZE);
    guint32 stored;
    return byte_reader_le32(&tail, &stored) &&
           stored == checksum_of(data, size - CHECKSUM_SIZE, is_format);
}

/* Verifies and cuts off the checksum where there must be one. */
static bool take_checksum(BinlogParse *parse, const guint8 *data, gsize size)
{
    const BinlogEvent *event = parse->event;
    gsize body = size - HEADER_SIZE;
    if (event->kind == BINLOG_FORMAT_DESCRIPTION) {
        /* its parser reads the algorithm, which says whether the four bytes mean anything */
    } else if (event->kind == BINLOG_HEARTBEAT ||
               (event->kind == BINLOG_ROTATE && (event->flags & BINLOG_EVENT_ARTIFICIAL))) {
        if (checksum_fits(data, size, false))
            body -= CHECKSUM_SIZE;
    } else if (!event->inner && parse->decoder->checksum == BINLOG_CHECKSUM_CRC32) {
        if (!checksum_fits(data, size, false))
            return binlog_fail(parse, "its checksum does not fit: the binlog file or its way here "
                                      "is damaged; compare with mysqlbinlog "
                                      "--verify-binlog-checksum");
        body -= CHECKSUM_SIZE;
    }
    parse->reader = byte_reader(data + HEADER_SIZE, body);
    return true;
}

static bool check_format_checksum(BinlogParse *parse, const guint8 *data, gsize size)
{
    if (parse->event->format.checksum == BINLOG_CHECKSUM_CRC32 && !checksum_fits(data, size, true))
        return binlog_fail(parse, "its checksum does not fit: the binlog file is damaged");
    return true;
}

/* Where the event stands. Positions of the header are of 32 bits, files can be larger. */
static void locate(BinlogDecoder *decoder, BinlogEvent *event, guint32 end)
{
    if (!event->inner && end != 0 && !(event->flags & BINLOG_EVENT_ARTIFICIAL) &&
        event->kind != BINLOG_HEARTBEAT) {
        guint64 expected = decoder->position + event->size;
        guint64 next = (expected & ~(guint64)G_MAXUINT32) | end;
        if (next + G_MAXINT32 < expected)
            next += (guint64)G_MAXUINT32 + 1;
        decoder->event_position = next >= event->size ? next - event->size : 0;
        decoder->position = next;
    } else if (!event->inner) {
        decoder->event_position = decoder->position;
    }
    event->file = decoder->file->str;
    event->position = decoder->event_position;
    event->next_position = decoder->position;
}

static bool find_type(BinlogParse *parse, BinlogParser *parser)
{
    BinlogEvent *event = parse->event;
    for (guint i = 0; i < G_N_ELEMENTS(event_types); i++) {
        if (event_types[i].type != event->type)
            continue;
        event->kind = event_types[i].kind;
        event->name = event_types[i].name;
        *parser = event_types[i].parse;
        return true;
    }
    for (guint i = 0; i < G_N_ELEMENTS(statement_types); i++) {
        if (statement_types[i].type != event->type)
            continue;
        event->name = statement_types[i].name;
        return binlog_fail(parse, "the server logs statements instead of rows; set "
                                  "binlog_format=ROW for every session and start the copy again");
    }
    return binlog_fail(parse, "drover does not know this type: update drover");
}

static bool read_header(BinlogParse *parse, const guint8 *data, gsize size)
{
    BinlogEvent *event = parse->event;
    ByteReader reader = byte_reader(data, size);
    parse->reader = reader;
    if (!byte_reader_le32(&reader, &event->timestamp) || !byte_reader_u8(&reader, &event->type) ||
        !byte_reader_le32(&reader, &event->server_id) || !byte_reader_le32(&reader, &event->size) ||
        !byte_reader_le32(&reader, &parse->end) || !byte_reader_le16(&reader, &event->flags))
        return binlog_fail_short(parse);
    if (event->size != size)
        return binlog_fail(parse, "it says that it has %u bytes and has %" G_GSIZE_FORMAT,
                           event->size, size);
    return true;
}

static bool decode(BinlogDecoder *decoder, const guint8 *data, gsize size, bool inner,
                   BinlogEvent *event, GError **error)
{
    BinlogParse parse = {.decoder = decoder, .event = event, .error = error};
    BinlogParser parser = IGNORED;
    *event = (BinlogEvent){.kind = BINLOG_OTHER, .name = "unknown", .inner = inner};
    if (!inner)
        decoder->event_position = decoder->position;
    if (!read_header(&parse, data, size) || !find_type(&parse, &parser))
        return false;
    locate(decoder, event, parse.end);
    if (!decoder->format_known && event->kind != BINLOG_FORMAT_DESCRIPTION &&
        event->kind != BINLOG_ROTATE && event->kind != BINLOG_HEARTBEAT)
        return binlog_fail(&parse, "it comes before any FORMAT_DESCRIPTION");
    if (!take_checksum(&parse, data, size))
        return false;
    if (parser == IGNORED)
        return true;
    if (!parser(&parse))
        return false;
    if (byte_reader_left(&parse.reader) > 0)
        return binlog_fail(&parse,
                           "%" G_GSIZE_FORMAT " surplus bytes after byte %" G_GSIZE_FORMAT
                           "; this version of drover does not understand this server",
                           byte_reader_left(&parse.reader), parse.reader.offset);
    return event->kind != BINLOG_FORMAT_DESCRIPTION || check_format_checksum(&parse, data, size);
}

/* The next event inside of a compressed transaction; false without an error at its end. */
static bool decode_inner(BinlogDecoder *decoder, BinlogEvent *event, GError **error)
{
    const guint8 *data;
    gsize size;
    GError *broken = NULL;
    if (!binlog_payload_next(decoder->payload, &data, &size, &broken)) {
        decoder->in_payload = false;
        if (broken)
            g_propagate_prefixed_error(
                error, broken,
                "source log at %s: event TRANSACTION_PAYLOAD: ", binlog_decoder_where(decoder));
        return false;
    }
    if (!decode(decoder, data, size, true, event, error))
        return false;
    if (event->kind != BINLOG_PAYLOAD && event->kind != BINLOG_FORMAT_DESCRIPTION &&
        event->kind != BINLOG_ROTATE)
        return true;
    BinlogParse parse = {.decoder = decoder, .event = event, .error = error};
    return binlog_fail(&parse, "it has no place inside of a transaction");
}

BinlogNext binlog_decoder_next(BinlogDecoder *decoder, BinlogEvent *event, GError **error)
{
    GError *broken = NULL;
    arena_reset(decoder->arena);
    if (decoder->in_payload) {
        if (decode_inner(decoder, event, &broken))
            return BINLOG_NEXT_EVENT;
        if (broken) {
            g_propagate_error(error, broken);
            return BINLOG_NEXT_FAILED;
        }
    }
    if (!decoder->data)
        return BINLOG_NEXT_NEED;
    const guint8 *data = decoder->data;
    decoder->data = NULL;
    return decode(decoder, data, decoder->size, false, event, error) ? BINLOG_NEXT_EVENT
                                                                     : BINLOG_NEXT_FAILED;
}
