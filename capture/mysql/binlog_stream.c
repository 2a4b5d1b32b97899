/*
 * What a replica says of itself, and then the dump (binlog_dump.h). MySQL takes the set of GTIDs
 * with the command, MariaDB from a variable of the session.
 */
#include "capture/mysql/binlog_stream.h"

#include "capture/mysql/binlog_dump.h"
#include "capture/mysql/binlog_server_error.h"
#include "capture/mysql/session.h"
#include "proto/gtid.h"
#include "schema/connection_mysql.h"

#define FLAG_TO_END 0x1
#define FLAG_MARIADB_ANNOTATE 0x2
#define FLAG_MYSQL_HEARTBEAT_V2 0x2
#define SILENT_HEARTBEATS 10 /* that many missing: the server is dead */
#define LEAST_READ_TIMEOUT 10

struct BinlogStream {
    MYSQL *mysql;
    BinlogDump *dump;
    bool mariadb;
    char *label;
};

static bool run(BinlogStream *stream, GString *sql, GError **error)
{
    if (mysql_session_run(stream->mysql, sql->str, error))
        return true;
    g_prefix_error(error, "%s: ", stream->label);
    return false;
}

/* What a replica says of itself before it asks for events. */
static bool introduce(BinlogStream *stream, const BinlogStart *start, GError **error)
{
    g_autofree char *uuid = g_uuid_string_random();
    guint64 period = (guint64)start->heartbeat_ms * 1000000;
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_printf(sql,
                    "SET @source_binlog_checksum='CRC32', @master_binlog_checksum='CRC32', "
                    "@source_heartbeat_period=%" G_GUINT64_FORMAT
                    ", @master_heartbeat_period=%" G_GUINT64_FORMAT
                    ", @replica_uuid='%s', @slave_uuid='%s'",
                    period, period, uuid, uuid);
    if (stream->mariadb)
        g_string_append(sql, ", @mariadb_slave_capability=4");
    return run(stream, sql, error);
}

static bool introduce_gtids(BinlogStream *stream, const char *gtids, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SET @slave_gtid_strict_mode=1, @slave_connect_state=");
    mysql_session_append_literal(sql, gtids);
    return run(stream, sql, error);
}

static guint16 flags_of(const BinlogStream *stream, const BinlogStart *start)
{
    guint16 flags = start->to_end ? FLAG_TO_END : 0;
    if (!stream->mariadb)
        flags |= FLAG_MYSQL_HEARTBEAT_V2;
    else if (start->annotate)
        flags |= FLAG_MARIADB_ANNOTATE;
    return flags;
}

static bool dump(BinlogStream *stream, const BinlogStart *start, GByteArray *gtid_set,
                 GError **error)
{
    BinlogDumpStart how = {.server_id = start->server_id,
                           .flags = flags_of(stream, start),
                           .file = start->gtids ? "" : start->file,
                           .position = start->gtids ? BINLOG_FIRST_EVENT : start->position,
                           .gtid_set = gtid_set};
    if (how.position > G_MAXUINT32) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "%s: position %" G_GUINT64_FORMAT
                    " of %s cannot be asked for: it is behind the "
                    "4 GiB that the protocol can name; use GTIDs",
                    stream->label, how.position, how.file);
        return false;
    }
    if (binlog_dump_start(stream->mysql, &how, &stream->dump))
        return true;
    return binlog_server_error(stream->label, mysql_errno(stream->mysql),
                               mysql_error(stream->mysql), error);
}

static bool dump_from_gtids(BinlogStream *stream, const BinlogStart *start, GError **error)
{
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_parse(start->gtids, error);
    g_autoptr(GByteArray) encoded = g_byte_array_new();
    if (!set)
        return false;
    mysql_gtid_set_encode(set, encoded);
    return dump(stream, start, encoded, error);
}

static bool start_dump(BinlogStream *stream, const BinlogStart *start, GError **error)
{
    if (!introduce(stream, start, error))
        return false;
    if (!start->gtids)
        return dump(stream, start, NULL, error);
    if (!stream->mariadb)
        return dump_from_gtids(stream, start, error);
    g_autoptr(MariadbGtids) checked = mariadb_gtids_parse(start->gtids, error);
    return checked && introduce_gtids(stream, start->gtids, error) &&
           dump(stream, start, NULL, error);
}

BinlogStream *binlog_stream_open(const Endpoint *endpoint, const char *label,
                                 const BinlogStart *start, GError **error)
{
    guint silence = MAX(LEAST_READ_TIMEOUT, start->heartbeat_ms / 1000 * SILENT_HEARTBEATS);
    MYSQL *mysql = mysql_session_open(endpoint, label, silence, error);
    if (!mysql)
        return NULL;
    g_autoptr(BinlogStream) stream = g_new0(BinlogStream, 1);
    stream->mysql = mysql;
    stream->label = g_strdup(endpoint->label);
    stream->mariadb = mysql_session_is_mariadb(mysql);
    return mysql_source_check_server(endpoint, mysql, error) && start_dump(stream, start, error)
               ? g_steal_pointer(&stream)
               : NULL;
}

void binlog_stream_close(BinlogStream *stream)
{
    if (!stream)
        return;
    binlog_dump_free(stream->dump);
    mysql_close(stream->mysql);
    g_free(stream->label);
    g_free(stream);
}

BinlogRead binlog_stream_read(BinlogStream *stream, int timeout_ms, const guint8 **data,
                              gsize *size, GError **error)
{
    unsigned int number = 0;
    const char *message = "";
    BinlogRead result = binlog_dump_read(stream->dump, timeout_ms, data, size, &number, &message);
    if (result == BINLOG_READ_FAILED)
        binlog_server_error(stream->label, number, message, error);
    return result;
}

bool binlog_stream_is_mariadb(const BinlogStream *stream)
{
    return stream->mariadb;
}
