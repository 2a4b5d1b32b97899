/*
 * The bodies of the events that say where the log goes and where transactions end:
 *
 *   FORMAT_DESCRIPTION  u16 version (4), 50 bytes server version, u32 created, u8 header size (19),
 *                       a byte an event type: size of its fixed part; u8 checksum algorithm, u32
 *   ROTATE              u64 position, name of the file
 *   HEARTBEAT           name of the file; the position is the header's end position
 *   HEARTBEAT_V2        (u8 kind, packed size, bytes)*, kind 0 ends; 1: file, 2: packed position
 *   INCIDENT            u16 number, u8 size, message
 *   XID                 u64
 *   XA_PREPARE          u8 one phase, u32 format, u32 gtrid size, u32 bqual size, both
 *   ROWS_QUERY          u8 unused, statement
 *   ANNOTATE_ROWS       statement
 *   QUERY               u32 thread, u32 seconds, u8 size of database, u16 error, u16 size of
 *                       variables, variables, database, 0, statement
 */
#include "capture/mysql/binlog_decode.h"

#define VERSION_SIZE 50
#define FORMAT_TAIL 5 /* checksum algorithm and checksum */
#define HEADER_SIZE 19
#define NEVER_WRITTEN 0 /* as the size of a fixed part */

/* Sizes of fixed parts that this decoder is written for. */
static const struct {
    guint8 type;
    guint8 size;
    const char *name;
} fixed_parts[] = {
    {2, 13, "QUERY"}, {19, 8, "TABLE_MAP"}, {23, 8, "WRITE_ROWS_V1"}, {30, 10, "WRITE_ROWS"}};

static bool check_fixed_parts(BinlogParse *parse, const guint8 *sizes, gsize n)
{
    if (n < fixed_parts[G_N_ELEMENTS(fixed_parts) - 1].type)
        return binlog_fail_short(parse);
    for (guint i = 0; i < G_N_ELEMENTS(fixed_parts); i++)
        if (sizes[fixed_parts[i].type - 1] != fixed_parts[i].size &&
            sizes[fixed_parts[i].type - 1] != NEVER_WRITTEN)
            return binlog_fail(parse, "%s events have another layout on this server: update drover",
                               fixed_parts[i].name);
    return true;
}

bool binlog_parse_format_description(BinlogParse *parse)
{
    BinlogDecoder *decoder = parse->decoder;
    ByteReader *reader = &parse->reader;
    guint16 version;
    const guint8 *server, *sizes, *tail;
    guint32 created;
    guint8 header;
    if (!byte_reader_le16(reader, &version) || !byte_reader_bytes(reader, VERSION_SIZE, &server) ||
        !byte_reader_le32(reader, &created) || !byte_reader_u8(reader, &header) ||
        byte_reader_left(reader) < FORMAT_TAIL)
        return binlog_fail_short(parse);
    gsize n = byte_reader_left(reader) - FORMAT_TAIL;
    if (!byte_reader_bytes(reader, n, &sizes) || !byte_reader_bytes(reader, FORMAT_TAIL, &tail))
        return binlog_fail_short(parse);
    if (version != 4 || header != HEADER_SIZE)
        return binlog_fail(parse,
                           "binlog version %u with headers of %u bytes; drover reads version "
                           "4: MySQL 8.0 or MariaDB 10.6 and later",
                           version, header);
    if (tail[0] > BINLOG_CHECKSUM_CRC32)
        return binlog_fail(parse, "unknown checksum algorithm %u; update drover", tail[0]);
    if (!check_fixed_parts(parse, sizes, n))
        return false;
    gsize size = strnlen((const char *)server, VERSION_SIZE);
    parse->event->format.server_version = (BinlogText){(const char *)server, size};
    parse->event->format.checksum = tail[0];
    parse->event->format.mariadb = g_strstr_len((const char *)server, (gssize)size, "MariaDB");
    decoder->mariadb = parse->event->format.mariadb;
    decoder->checksum = tail[0];
    decoder->format_known = true;
    binlog_tables_clear(decoder->tables);
    return true;
}

/* A name with the bytes of a checksum behind it would name no file. */
static bool check_file_name(BinlogParse *parse, BinlogText name)
{
    for (gsize i = 0; i < name.size; i++)
        if (g_ascii_iscntrl(name.text[i]) || (guint8)name.text[i] >= 0x7f)
            return binlog_fail(parse, "the name of the binlog file is damaged");
    return name.size > 0 || binlog_fail(parse, "no name of a binlog file");
}

bool binlog_parse_rotate(BinlogParse *parse)
{
    BinlogEvent *event = parse->event;
    if (!byte_reader_le64(&parse->reader, &event->rotate.position))
        return binlog_fail_short(parse);
    binlog_read_rest(parse, &event->rotate.file);
    if (!check_file_name(parse, event->rotate.file))
        return false;
    if (!(event->flags & BINLOG_EVENT_ARTIFICIAL))
        return true; /* the artificial one of the new file follows */
    BinlogDecoder *decoder = parse->decoder;
    g_string_truncate(decoder->file, 0);
    g_string_append_len(decoder->file, event->rotate.file.text, (gssize)event->rotate.file.size);
    decoder->position = decoder->event_position = event->rotate.position;
    event->file = decoder->file->str;
    event->position = event->next_position = event->rotate.position;
    return true;
}

bool binlog_parse_heartbeat(BinlogParse *parse)
{
    BinlogEvent *event = parse->event;
    binlog_read_rest(parse, &event->heartbeat.file);
    event->heartbeat.position = parse->end;
    return check_file_name(parse, event->heartbeat.file);
}

bool binlog_parse_heartbeat_v2(BinlogParse *parse)
{
    BinlogEvent *event = parse->event;
    event->heartbeat.file = (BinlogText){0};
    event->heartbeat.position = 0;
    for (;;) {
        guint8 kind;
        guint64 size;
        ByteReader field;
        if (!byte_reader_u8(&parse->reader, &kind))
            return binlog_fail_short(parse);
        if (kind == 0)
            break;
        if (!byte_reader_packed(&parse->reader, &size) ||
            !byte_reader_part(&parse->reader, size, &field))
            return binlog_fail_short(parse);
        if (kind == 1)
            event->heartbeat.file = (BinlogText){(const char *)field.data, field.size};
        else if (kind == 2 && !byte_reader_packed(&field, &event->heartbeat.position))
            return binlog_fail_short(parse);
        else if (kind > 2)
            return binlog_fail(parse, "unknown field %u; update drover", kind);
    }
    return check_file_name(parse, event->heartbeat.file);
}

bool binlog_parse_incident(BinlogParse *parse)
{
    guint8 size;
    ByteReader message;
    if (!byte_reader_le16(&parse->reader, &parse->event->incident.number) ||
        !byte_reader_u8(&parse->reader, &size) || !byte_reader_part(&parse->reader, size, &message))
        return binlog_fail_short(parse);
    parse->event->incident.message = (BinlogText){(const char *)message.data, message.size};
    return true;
}

bool binlog_parse_xid(BinlogParse *parse)
{
    return byte_reader_le64(&parse->reader, &parse->event->xid) || binlog_fail_short(parse);
}

bool binlog_parse_xa_prepare(BinlogParse *parse)
{
    BinlogXid *xid = &parse->event->xa_prepare.xid;
    ByteReader *reader = &parse->reader;
    guint8 one_phase;
    if (!byte_reader_u8(reader, &one_phase) || !byte_reader_le32(reader, &xid->format) ||
        !byte_reader_le32(reader, &xid->gtrid_size) || !byte_reader_le32(reader, &xid->bqual_size))
        return binlog_fail_short(parse);
    if (xid->gtrid_size > 64 || xid->bqual_size > 64)
        return binlog_fail(parse, "an XA transaction with a name of %u and %u bytes",
                           xid->gtrid_size, xid->bqual_size);
    parse->event->xa_prepare.one_phase = one_phase != 0;
    return byte_reader_bytes(reader, xid->gtrid_size + xid->bqual_size, &xid->data) ||
           binlog_fail_short(parse);
}

bool binlog_parse_annotate(BinlogParse *parse)
{
    binlog_read_rest(parse, &parse->event->annotate);
    return true;
}

/* The first byte is the size of a short statement, and nothing of a long one. */
bool binlog_parse_rows_query(BinlogParse *parse)
{
    guint8 unused;
    if (!byte_reader_u8(&parse->reader, &unused))
        return binlog_fail_short(parse);
    return binlog_parse_annotate(parse);
}

/* Variables stand in the order of their numbers. Those wanted are among the first, so that reading
 * ends at one that is not known. */
static bool read_variables(BinlogParse *parse, ByteReader variables)
{
    enum { FLAGS2 = 0, SQL_MODE = 1, AUTO_INCREMENT = 3, CHARSET = 4, CATALOG = 6 };
    BinlogQuery *query = &parse->event->query;
    while (byte_reader_left(&variables) > 0) {
        guint8 kind, size;
        ByteReader skipped;
        if (!byte_reader_u8(&variables, &kind))
            return binlog_fail_short(parse);
        bool fits = true;
        if (kind == FLAGS2 || kind == AUTO_INCREMENT)
            fits = byte_reader_part(&variables, 4, &skipped);
        else if (kind == SQL_MODE)
            fits = byte_reader_le64(&variables, &query->sql_mode);
        else if (kind == CHARSET)
            return (byte_reader_le16(&variables, &query->client_charset) &&
                    byte_reader_part(&variables, 4, &skipped)) ||
                   binlog_fail_short(parse);
        else if (kind == CATALOG)
            fits =
                byte_reader_u8(&variables, &size) && byte_reader_part(&variables, size, &skipped);
        else
            return true;
        if (!fits)
            return binlog_fail_short(parse);
    }
    return true;
}

static bool parse_query(BinlogParse *parse, bool compressed)
{
    BinlogQuery *query = &parse->event->query;
    ByteReader *reader = &parse->reader;
    guint32 seconds;
    guint8 database_size;
    guint16 variables_size;
    ByteReader variables, database;
    *query = (BinlogQuery){0};
    if (!byte_reader_le32(reader, &query->thread) || !byte_reader_le32(reader, &seconds) ||
        !byte_reader_u8(reader, &database_size) || !byte_reader_le16(reader, &query->error_code) ||
        !byte_reader_le16(reader, &variables_size) ||
        !byte_reader_part(reader, variables_size, &variables) ||
        !byte_reader_part(reader, (guint64)database_size + 1, &database))
        return binlog_fail_short(parse);
    query->database = (BinlogText){(const char *)database.data, database_size};
    if (!read_variables(parse, variables) || (compressed && !binlog_uncompress_rest(parse)))
        return false;
    binlog_read_rest(parse, &query->statement);
    return true;
}

bool binlog_parse_query(BinlogParse *parse)
{
    return parse_query(parse, false);
}

bool binlog_parse_query_compressed(BinlogParse *parse)
{
    return parse_query(parse, true);
}
