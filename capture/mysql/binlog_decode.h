/*
 * The inside of the decoder: what binlog_event.c and the parsers of single events share.
 */
#pragma once

#include "capture/mysql/binlog_event.h"
#include "capture/mysql/binlog_payload.h"
#include "capture/mysql/binlog_tables.h"
#include "proto/arena.h"
#include "proto/byte_reader.h"

struct BinlogDecoder {
    gsize event_limit;
    Arena *arena; /* of what the current event points at */
    BinlogTables *tables;
    BinlogPayload *payload; /* the transaction being decompressed */
    bool in_payload;
    bool format_known;
    bool mariadb;
    BinlogChecksum checksum;
    GString *file;
    GString *where;
    guint64 position; /* where the next event starts */
    guint64 event_position;
    const guint8 *data; /* put, not decoded yet */
    gsize size;
};

/* One event being read. */
typedef struct BinlogParse {
    BinlogDecoder *decoder;
    ByteReader reader; /* the body, without header and checksum */
    guint32 end;       /* position of the header */
    BinlogEvent *event;
    GError **error;
} BinlogParse;

/* Both return false. */
G_GNUC_PRINTF(2, 3) bool binlog_fail(BinlogParse *parse, const char *format, ...);
bool binlog_fail_short(BinlogParse *parse);

/* The rest of the body, which is a text. */
void binlog_read_rest(BinlogParse *parse, BinlogText *text);

/* MariaDB's compression of a part of an event: the rest of the body is replaced by what it was. */
bool binlog_uncompress_rest(BinlogParse *parse);

typedef bool (*BinlogParser)(BinlogParse *parse);

bool binlog_parse_format_description(BinlogParse *parse);
bool binlog_parse_rotate(BinlogParse *parse);
bool binlog_parse_heartbeat(BinlogParse *parse);
bool binlog_parse_heartbeat_v2(BinlogParse *parse);
bool binlog_parse_incident(BinlogParse *parse);
bool binlog_parse_xid(BinlogParse *parse);
bool binlog_parse_xa_prepare(BinlogParse *parse);
bool binlog_parse_rows_query(BinlogParse *parse);
bool binlog_parse_annotate(BinlogParse *parse);
bool binlog_parse_query(BinlogParse *parse);
bool binlog_parse_query_compressed(BinlogParse *parse);
bool binlog_parse_gtid(BinlogParse *parse);
bool binlog_parse_gtid_tagged(BinlogParse *parse);
bool binlog_parse_previous_gtids(BinlogParse *parse);
bool binlog_parse_mariadb_gtid(BinlogParse *parse);
bool binlog_parse_mariadb_gtid_list(BinlogParse *parse);
bool binlog_parse_table_map(BinlogParse *parse);
bool binlog_parse_rows_v1(BinlogParse *parse);
bool binlog_parse_rows_v2(BinlogParse *parse);
bool binlog_parse_rows_compressed_v1(BinlogParse *parse);
bool binlog_parse_rows_compressed_v2(BinlogParse *parse);
bool binlog_parse_payload(BinlogParse *parse);
