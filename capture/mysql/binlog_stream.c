/*
 * The replication protocol ("Replication Protocol" in MySQL's internals manual and in MariaDB's
 * knowledge base), over MariaDB Connector/C, whose own replication functions do not know all
 * events:
 *
 *   COM_BINLOG_DUMP       u32 position, u16 flags, u32 server id, file
 *   COM_BINLOG_DUMP_GTID  u16 flags, u32 server id, u32 size, file, u64 position, u32 size, set
 *
 * The answer is packets of a zero byte and an event, until an end packet (0xfe) or an error (0xff).
 * MariaDB takes its GTIDs from a variable of the session.
 */
#include "capture/mysql/binlog_stream.h"

#include "capture/byte_reader.h"
#include "capture/mysql/binlog_server_error.h"
#include "capture/mysql/gtid.h"
#include "schema/connection_mysql.h"

#include <errno.h>
#include <ma_pvio.h>
#include <poll.h>

#define COM_DUMP_GTID ((enum enum_server_command)0x1e)
#define FIRST_EVENT 4 /* behind the magic number of a file */
#define FLAG_TO_END 0x1
#define FLAG_MARIADB_ANNOTATE 0x2
#define FLAG_MYSQL_HEARTBEAT_V2 0x2
#define SILENT_HEARTBEATS 10 /* that many missing: the server is dead */
#define LEAST_READ_TIMEOUT 10

struct BinlogStream {
    MYSQL *mysql;
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

static void append_le(GByteArray *out, guint64 value, guint size)
{
    guint64 bytes = GUINT64_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&bytes, size);
}

static bool send_command(BinlogStream *stream, enum enum_server_command command,
                         const GByteArray *arguments, GError **error)
{
    if (stream->mysql->methods->db_command(stream->mysql, command, (const char *)arguments->data,
                                           arguments->len, 1, NULL) == 0)
        return true;
    return binlog_server_error(stream->label, mysql_errno(stream->mysql),
                               mysql_error(stream->mysql), error);
}

static bool dump_from_file(BinlogStream *stream, const BinlogStart *start, GError **error)
{
    g_autoptr(GByteArray) arguments = g_byte_array_new();
    const char *file = start->gtids ? "" : start->file;
    guint64 position = start->gtids ? FIRST_EVENT : start->position;
    guint flags = start->to_end ? FLAG_TO_END : 0;
    if (stream->mariadb)
        flags |= start->annotate ? FLAG_MARIADB_ANNOTATE : 0;
    else
        flags |= FLAG_MYSQL_HEARTBEAT_V2;
    if (position > G_MAXUINT32) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "%s: position %" G_GUINT64_FORMAT
                    " of %s cannot be asked for: it is behind the "
                    "4 GiB that the protocol can name; use GTIDs",
                    stream->label, position, file);
        return false;
    }
    append_le(arguments, position, 4);
    append_le(arguments, flags, 2);
    append_le(arguments, start->server_id, 4);
    g_byte_array_append(arguments, (const guint8 *)file, (guint)strlen(file));
    return send_command(stream, COM_BINLOG_DUMP, arguments, error);
}

static bool dump_from_gtids(BinlogStream *stream, const BinlogStart *start, GError **error)
{
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_parse(start->gtids, error);
    if (!set)
        return false;
    g_autoptr(GByteArray) encoded = g_byte_array_new(), arguments = g_byte_array_new();
    mysql_gtid_set_encode(set, encoded);
    append_le(arguments, FLAG_MYSQL_HEARTBEAT_V2 | (start->to_end ? FLAG_TO_END : 0), 2);
    append_le(arguments, start->server_id, 4);
    append_le(arguments, 0, 4);
    append_le(arguments, FIRST_EVENT, 8);
    append_le(arguments, encoded->len, 4);
    g_byte_array_append(arguments, encoded->data, encoded->len);
    return send_command(stream, COM_DUMP_GTID, arguments, error);
}

static bool start_dump(BinlogStream *stream, const BinlogStart *start, GError **error)
{
    if (!introduce(stream, start, error))
        return false;
    if (!start->gtids)
        return dump_from_file(stream, start, error);
    if (!stream->mariadb)
        return dump_from_gtids(stream, start, error);
    g_autoptr(MariadbGtids) checked = mariadb_gtids_parse(start->gtids, error);
    return checked && introduce_gtids(stream, start->gtids, error) &&
           dump_from_file(stream, start, error);
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
    return start_dump(stream, start, error) ? g_steal_pointer(&stream) : NULL;
}

/* A server in the middle of a dump reads no goodbye; the socket is closed under it. */
void binlog_stream_close(BinlogStream *stream)
{
    if (!stream)
        return;
    mysql_close(stream->mysql);
    g_free(stream->label);
    g_free(stream);
}

/* Did the library already take bytes of the next packet off the socket? */
static bool has_buffered(MYSQL *mysql)
{
    const MARIADB_PVIO *pvio = mysql->net.pvio;
    return pvio && pvio->cache && pvio->cache_pos < pvio->cache + pvio->cache_size;
}

/* True where a packet can be read, false with BINLOG_READ_TIMEOUT or BINLOG_READ_FAILED. */
static bool wait_for_packet(BinlogStream *stream, int timeout_ms, BinlogRead *otherwise,
                            GError **error)
{
    if (timeout_ms < 0 || has_buffered(stream->mysql))
        return true;
    struct pollfd socket = {.fd = (int)mysql_get_socket(stream->mysql), .events = POLLIN};
    int ready = poll(&socket, 1, timeout_ms);
    if (ready > 0)
        return true;
    *otherwise = BINLOG_READ_TIMEOUT;
    if (ready == 0 || errno == EINTR)
        return false;
    *otherwise = BINLOG_READ_FAILED;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "%s: poll: %s", stream->label,
                g_strerror(errno));
    return false;
}

/* 0xff, u16 number, ['#', 5 bytes SQL state], message */
static BinlogRead read_error(BinlogStream *stream, const guint8 *packet, gsize size, GError **error)
{
    ByteReader reader = byte_reader(packet + 1, size - 1);
    guint16 number = 0;
    const guint8 *state;
    if (!byte_reader_le16(&reader, &number))
        number = 0;
    if (byte_reader_left(&reader) >= 6 && reader.data[reader.offset] == '#' &&
        !byte_reader_bytes(&reader, 6, &state))
        return BINLOG_READ_FAILED;
    g_autofree char *message =
        g_strndup((const char *)reader.data + reader.offset, byte_reader_left(&reader));
    binlog_server_error(stream->label, number, message, error);
    return BINLOG_READ_FAILED;
}

BinlogRead binlog_stream_read(BinlogStream *stream, int timeout_ms, const guint8 **data,
                              gsize *size, GError **error)
{
    enum { EVENT = 0, END = 0xfe, ERROR = 0xff, LONGEST_END = 8 };
    BinlogRead otherwise;
    if (!wait_for_packet(stream, timeout_ms, &otherwise, error))
        return otherwise;
    unsigned long length = mysql_net_read_packet(stream->mysql);
    const guint8 *packet = stream->mysql->net.read_pos;
    if (length == packet_error || length == 0) {
        binlog_server_error(stream->label, mysql_errno(stream->mysql), mysql_error(stream->mysql),
                            error);
        return BINLOG_READ_FAILED;
    }
    if (packet[0] == ERROR)
        return read_error(stream, packet, length, error);
    if (packet[0] == END && length <= LONGEST_END)
        return BINLOG_READ_END;
    if (packet[0] != EVENT) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "%s: the server answers 0x%02x instead of an event; update drover",
                    stream->label, packet[0]);
        return BINLOG_READ_FAILED;
    }
    *data = packet + 1;
    *size = length - 1;
    return BINLOG_READ_EVENT;
}

bool binlog_stream_is_mariadb(const BinlogStream *stream)
{
    return stream->mariadb;
}
