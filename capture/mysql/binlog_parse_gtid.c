/*
 * The events that begin transactions, and those that say what came before a file:
 *
 *   GTID, ANONYMOUS_GTID  u8 flags, uuid, u64 number, u8 2, u64 last committed, u64 sequence,
 *                         u56 commit time (with its top bit: u56 original commit time), packed
 *                         size, u32 server version (with its top bit: u32 original version),
 *                         [u64 commit group]; older servers end earlier
 *   GTID_TAGGED           a message of mysql::serialization (below)
 *   MariaDB GTID          u64 sequence, u32 domain, u8 flags, [u64 commit id | 6 zeros], [xid],
 *                         [u8 more flags and what they announce]
 *   GTID_LIST             u32 number and flags, n x (u32 domain, u32 server, u64 sequence)
 *
 * mysql::serialization writes numbers in 1 to 9 bytes: as many trailing 1 bits in the first byte as
 * bytes follow, the rest is the number; signed ones carry their sign in the lowest bit. A message
 * is u version, u size, u number of the last field that must not be ignored, and fields of
 * u number and value.
 */
#include "capture/mysql/binlog_decode.h"

#define TIME_MORE (G_GUINT64_CONSTANT(1) << 55)
#define VERSION_MORE 0x80000000u
#define FLAG_MAY_HAVE_STATEMENTS 1
#define TAG_LIMIT 32

static bool read_times(ByteReader *reader, BinlogGtid *gtid)
{
    if (!byte_reader_le(reader, 7, &gtid->commit_time))
        return false;
    bool more = gtid->commit_time & TIME_MORE;
    gtid->commit_time &= ~TIME_MORE;
    gtid->original_commit_time = gtid->commit_time;
    return !more || byte_reader_le(reader, 7, &gtid->original_commit_time);
}

static bool read_versions(ByteReader *reader)
{
    guint32 version, original;
    if (!byte_reader_le32(reader, &version))
        return false;
    return !(version & VERSION_MORE) || byte_reader_le32(reader, &original);
}

bool binlog_parse_gtid(BinlogParse *parse)
{
    ByteReader *reader = &parse->reader;
    BinlogGtid *gtid = &parse->event->gtid;
    guint8 flags, clock;
    const guint8 *uuid;
    guint64 number, group;
    binlog_tables_trim(parse->decoder->tables);
    *gtid = (BinlogGtid){.tag = ""};
    if (!byte_reader_u8(reader, &flags) || !byte_reader_bytes(reader, sizeof gtid->uuid, &uuid) ||
        !byte_reader_le64(reader, &number) || !byte_reader_u8(reader, &clock) ||
        !byte_reader_le64(reader, &gtid->last_committed) ||
        !byte_reader_le64(reader, &gtid->sequence) || !read_times(reader, gtid) ||
        !byte_reader_packed(reader, &gtid->transaction_size) || !read_versions(reader))
        return binlog_fail_short(parse);
    if (clock != 2)
        return binlog_fail(parse, "unknown kind of logical time %u; update drover", clock);
    if (byte_reader_left(reader) > 0 && !byte_reader_le64(reader, &group))
        return binlog_fail_short(parse);
    memcpy(gtid->uuid, uuid, sizeof gtid->uuid);
    gtid->number = (gint64)number;
    gtid->may_have_statements = flags & FLAG_MAY_HAVE_STATEMENTS;
    return true;
}

static bool read_number(ByteReader *reader, guint64 *value)
{
    ByteReader at = *reader;
    guint8 first;
    guint64 rest = 0;
    if (!byte_reader_u8(&at, &first))
        return false;
    guint more = 0;
    while (more < 8 && (first >> more & 1))
        more++;
    if (!byte_reader_le(&at, more, &rest))
        return false;
    *value =
        more == 8 ? rest : (guint64)first >> (more + 1) | (more == 7 ? rest : rest << (7 - more));
    *reader = at;
    return true;
}

static bool read_signed(ByteReader *reader, gint64 *value)
{
    guint64 coded;
    if (!read_number(reader, &coded))
        return false;
    *value = coded & 1 ? -(gint64)(coded >> 1) - 1 : (gint64)(coded >> 1);
    return true;
}

static bool read_uuid(ByteReader *reader, guint8 *uuid)
{
    for (guint i = 0; i < 16; i++) {
        guint64 byte;
        if (!read_number(reader, &byte) || byte > G_MAXUINT8)
            return false;
        uuid[i] = (guint8)byte;
    }
    return true;
}

static bool read_tag(BinlogParse *parse, BinlogGtid *gtid)
{
    guint64 size;
    ByteReader text;
    if (!read_number(&parse->reader, &size) || size > TAG_LIMIT ||
        !byte_reader_part(&parse->reader, size, &text))
        return false;
    char *tag = arena_alloc(parse->decoder->arena, text.size + 1);
    memcpy(tag, text.data, text.size);
    tag[text.size] = 0;
    if (g_ascii_isdigit(tag[0]))
        return false;
    for (char *c = tag; c < tag + text.size; c++)
        if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c) && *c != '_')
            return false;
    gtid->tag = tag;
    return true;
}

static bool read_unsigned_of(ByteReader *reader, gint64 *wide, guint64 *value)
{
    if (!read_signed(reader, wide))
        return false;
    *value = (guint64)*wide;
    return true;
}

static bool read_field(BinlogParse *parse, guint64 number, BinlogGtid *gtid)
{
    ByteReader *reader = &parse->reader;
    guint64 ignored;
    gint64 wide;
    switch (number) {
    case 0:
        if (!read_number(reader, &ignored))
            return false;
        gtid->may_have_statements = ignored & FLAG_MAY_HAVE_STATEMENTS;
        return true;
    case 1:
        return read_uuid(reader, gtid->uuid);
    case 2:
        return read_signed(reader, &gtid->number);
    case 3:
        return read_tag(parse, gtid);
    case 4:
        return read_unsigned_of(reader, &wide, &gtid->last_committed);
    case 5:
        return read_unsigned_of(reader, &wide, &gtid->sequence);
    case 6:
        if (!read_number(reader, &gtid->commit_time))
            return false;
        gtid->original_commit_time = gtid->commit_time;
        return true;
    case 7:
        return read_number(reader, &gtid->original_commit_time);
    case 8:
        return read_number(reader, &gtid->transaction_size);
    case 9:  /* version of the server */
    case 10: /* of the original server */
    case 11: /* commit group */
        return read_number(reader, &ignored);
    default:
        return false;
    }
}

bool binlog_parse_gtid_tagged(BinlogParse *parse)
{
    ByteReader *reader = &parse->reader;
    BinlogGtid *gtid = &parse->event->gtid;
    guint64 version, size, last, number;
    binlog_tables_trim(parse->decoder->tables);
    *gtid = (BinlogGtid){.tag = ""};
    if (!read_number(reader, &version) || !read_number(reader, &size) ||
        !read_number(reader, &last))
        return binlog_fail_short(parse);
    guint64 seen = 0;
    while (byte_reader_left(reader) > 0) {
        if (!read_number(reader, &number) || number > 63 || !read_field(parse, number, gtid))
            return binlog_fail(
                parse, "impossible or unknown field near byte %" G_GSIZE_FORMAT "; update drover",
                reader->offset);
        seen |= G_GUINT64_CONSTANT(1) << number;
    }
    if (version != 1 || (seen & 0xf) != 0xf)
        return binlog_fail(parse,
                           "version %" G_GUINT64_FORMAT " of its format, or a field is "
                           "missing; update drover",
                           version);
    return true;
}

bool binlog_parse_previous_gtids(BinlogParse *parse)
{
    BinlogText rest;
    binlog_read_rest(parse, &rest);
    parse->event->previous_gtids.set = (const guint8 *)rest.text;
    parse->event->previous_gtids.size = rest.size;
    return true;
}

static bool read_mariadb_xid(BinlogParse *parse, BinlogXid *xid)
{
    guint8 gtrid, bqual;
    if (!byte_reader_le32(&parse->reader, &xid->format) ||
        !byte_reader_u8(&parse->reader, &gtrid) || !byte_reader_u8(&parse->reader, &bqual) ||
        !byte_reader_bytes(&parse->reader, (gsize)gtrid + bqual, &xid->data))
        return binlog_fail_short(parse);
    xid->gtrid_size = gtrid;
    xid->bqual_size = bqual;
    return true;
}

/* flags_extra: what newer servers add; nothing of it matters here. */
static bool skip_mariadb_extra(BinlogParse *parse)
{
    BinlogText rest;
    binlog_read_rest(parse, &rest);
    return true;
}

bool binlog_parse_mariadb_gtid(BinlogParse *parse)
{
    enum {
        STANDALONE = 1,
        GROUP_COMMIT = 2,
        TRANSACTIONAL = 4,
        DDL = 32,
        PREPARED = 64,
        COMPLETED = 128
    };
    ByteReader *reader = &parse->reader;
    BinlogMariadbGtid *gtid = &parse->event->mariadb_gtid;
    ByteReader padding;
    binlog_tables_trim(parse->decoder->tables);
    *gtid = (BinlogMariadbGtid){.server = parse->event->server_id};
    if (!byte_reader_le64(reader, &gtid->sequence) || !byte_reader_le32(reader, &gtid->domain) ||
        !byte_reader_u8(reader, &gtid->flags))
        return binlog_fail_short(parse);
    gtid->standalone = gtid->flags & STANDALONE;
    gtid->transactional = gtid->flags & TRANSACTIONAL;
    gtid->ddl = gtid->flags & DDL;
    gtid->prepared_xa = gtid->flags & PREPARED;
    gtid->completed_xa = gtid->flags & COMPLETED;
    if ((gtid->flags & GROUP_COMMIT) && !byte_reader_le64(reader, &gtid->commit_id))
        return binlog_fail_short(parse);
    if ((gtid->prepared_xa || gtid->completed_xa) && !read_mariadb_xid(parse, &gtid->xid))
        return false;
    /* the fixed part has 19 bytes where nothing longer took their place */
    if (reader->offset < 19 &&
        !byte_reader_part(reader, MIN(19 - reader->offset, byte_reader_left(reader)), &padding))
        return binlog_fail_short(parse);
    return skip_mariadb_extra(parse);
}

bool binlog_parse_mariadb_gtid_list(BinlogParse *parse)
{
    enum { ENTRY_SIZE = 16, NUMBER_BITS = 28 };
    ByteReader padding; /* of two bytes behind an empty list */
    guint32 n;
    if (!byte_reader_le32(&parse->reader, &n))
        return binlog_fail_short(parse);
    n &= ((guint32)1 << NUMBER_BITS) - 1;
    if (n == 0 &&
        !byte_reader_part(&parse->reader, MIN(2, byte_reader_left(&parse->reader)), &padding))
        return binlog_fail_short(parse);
    parse->event->gtid_list.n = n;
    if (!byte_reader_bytes(&parse->reader, (gsize)n * ENTRY_SIZE, &parse->event->gtid_list.list))
        return binlog_fail_short(parse);
    return true;
}
