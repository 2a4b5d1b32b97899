/*
 * The bodies of row events:
 *
 *   v1, v2       u48 table id, u16 flags, [v2: u16 size of what follows and itself, that many
 *                bytes], packed number of columns, bitmap of columns, [update: another bitmap],
 * rows compressed   the same with the rows compressed (MariaDB's log_bin_compress)
 *
 * Compressed by MariaDB: u8 0x80 | algorithm << 4 | size of the size, big-endian size of what it
 * was, zlib stream.
 */
#include "capture/mysql/binlog_decode.h"

#include <zlib.h>

bool binlog_uncompress_rest(BinlogParse *parse)
{
    ByteReader *reader = &parse->reader;
    guint8 head;
    const guint8 *bytes;
    if (!byte_reader_u8(reader, &head) || !byte_reader_bytes(reader, head & 7, &bytes))
        return binlog_fail_short(parse);
    if ((head & 0xf0) != 0x80 || (head & 7) < 1 || (head & 7) > 4)
        return binlog_fail(parse, "unknown compression 0x%02x; update drover", head);
    uLongf size = 0;
    for (guint i = 0; i < (head & 7u); i++)
        size = size << 8 | bytes[i];
    gsize left = byte_reader_left(reader);
    /* zlib makes at most 1032 bytes out of one: a size that cannot be takes no memory */
    if (size > parse->decoder->event_limit || size / 1032 > left)
        return binlog_fail(parse, "it would have %lu bytes uncompressed", size);
    guint8 *whole = arena_alloc(parse->decoder->arena, size + 1);
    uLongf made = size;
    if (uncompress(whole, &made, reader->data + reader->offset, (uLong)left) != Z_OK ||
        made != size)
        return binlog_fail(parse, "its compressed part is damaged");
    *reader = byte_reader(whole, size);
    return true;
}

static BinlogOperation operation_of(guint8 type)
{
    switch (type) {
    case 23:
    case 30:
    case 166:
    case 169:
        return BINLOG_WRITE;
    case 25:
    case 32:
    case 168:
    case 171:
        return BINLOG_DELETE;
    default:
        return BINLOG_UPDATE;
    }
}

static bool read_bitmaps(BinlogParse *parse, BinlogRows *rows, gsize n_columns)
{
    gsize size = (n_columns + 7) / 8;
    const guint8 *first, *second = NULL;
    if (!byte_reader_bytes(&parse->reader, size, &first) ||
        (rows->operation == BINLOG_UPDATE && !byte_reader_bytes(&parse->reader, size, &second)))
        return binlog_fail_short(parse);
    rows->before_columns = rows->operation == BINLOG_WRITE ? NULL : first;
    rows->after_columns = rows->operation == BINLOG_WRITE    ? first
                          : rows->operation == BINLOG_UPDATE ? second
                                                             : NULL;
    return true;
}

static bool find_table(BinlogParse *parse, guint64 id, guint64 n_columns)
{
    BinlogRows *rows = &parse->event->rows;
    rows->table = binlog_tables_find(parse->decoder->tables, id);
    if (!rows->table)
        return binlog_fail(parse, "no TABLE_MAP came before for table number %" G_GUINT64_FORMAT,
                           id);
    if (rows->table->n_columns != n_columns)
        return binlog_fail(parse, "%" G_GUINT64_FORMAT " columns, and table %s.%s has %u",
                           n_columns, rows->table->database, rows->table->table,
                           rows->table->n_columns);
    return true;
}

static bool parse_rows(BinlogParse *parse, bool v2, bool compressed)
{
    ByteReader *reader = &parse->reader;
    BinlogRows *rows = &parse->event->rows;
    guint64 id, n_columns;
    guint16 extra = 2;
    ByteReader skipped;
    *rows = (BinlogRows){.operation = operation_of(parse->event->type),
                         .partial_json = parse->event->type == 39};
    if (!byte_reader_le(reader, 6, &id) || !byte_reader_le16(reader, &rows->flags) ||
        (v2 && !byte_reader_le16(reader, &extra)) || extra < 2 ||
        !byte_reader_part(reader, extra - 2u, &skipped) || !byte_reader_packed(reader, &n_columns))
        return binlog_fail_short(parse);
    if (!find_table(parse, id, n_columns) || !read_bitmaps(parse, rows, (gsize)n_columns))
        return false;
    if (compressed && !binlog_uncompress_rest(parse))
        return false;
    BinlogText rest;
    binlog_read_rest(parse, &rest);
    rows->data = (const guint8 *)rest.text;
    rows->size = rest.size;
    return true;
}

bool binlog_parse_rows_v1(BinlogParse *parse)
{
    return parse_rows(parse, false, false);
}

bool binlog_parse_rows_v2(BinlogParse *parse)
{
    return parse_rows(parse, true, false);
}

bool binlog_parse_rows_compressed_v1(BinlogParse *parse)
{
    return parse_rows(parse, false, true);
}

bool binlog_parse_rows_compressed_v2(BinlogParse *parse)
{
    return parse_rows(parse, true, true);
}
