/*
 * MariaDB Connector/C: the raw commands ("Replication Protocol" in MySQL's internals manual and in
 * MariaDB's knowledge base), since its own replication functions do not know all events:
 *
 *   COM_BINLOG_DUMP       u32 position, u16 flags, u32 server id, file
 *   COM_BINLOG_DUMP_GTID  u16 flags, u32 server id, u32 size, file, u64 position, u32 size, set
 *
 * The answer is packets of a zero byte and an event, until an end packet (0xfe) or an error (0xff).
 */
#include "capture/mysql/binlog_dump.h"
#include "proto/byte_reader.h"

#include <errno.h>
#include <ma_pvio.h>
#include <poll.h>

#define COM_DUMP_GTID ((enum enum_server_command)0x1e)
#define NOT_UNDERSTOOD 2027 /* CR_MALFORMED_PACKET */

struct BinlogDump {
    MYSQL *mysql;
    char *message; /* of an error */
};

static void append_le(GByteArray *out, guint64 value, guint size)
{
    guint64 bytes = GUINT64_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&bytes, size);
}

static void append_gtid_command(GByteArray *arguments, const BinlogDumpStart *start)
{
    append_le(arguments, start->flags, 2);
    append_le(arguments, start->server_id, 4);
    append_le(arguments, 0, 4);
    append_le(arguments, start->position, 8);
    append_le(arguments, start->gtid_set->len, 4);
    g_byte_array_append(arguments, start->gtid_set->data, start->gtid_set->len);
}

static void append_file_command(GByteArray *arguments, const BinlogDumpStart *start)
{
    append_le(arguments, start->position, 4);
    append_le(arguments, start->flags, 2);
    append_le(arguments, start->server_id, 4);
    g_byte_array_append(arguments, (const guint8 *)start->file, (guint)strlen(start->file));
}

bool binlog_dump_start(MYSQL *mysql, const BinlogDumpStart *start, BinlogDump **dump)
{
    g_autoptr(GByteArray) arguments = g_byte_array_new();
    if (start->gtid_set)
        append_gtid_command(arguments, start);
    else
        append_file_command(arguments, start);
    if (mysql->methods->db_command(mysql, start->gtid_set ? COM_DUMP_GTID : COM_BINLOG_DUMP,
                                   (const char *)arguments->data, arguments->len, 1, NULL) != 0)
        return false;
    *dump = g_new0(BinlogDump, 1);
    (*dump)->mysql = mysql;
    return true;
}

void binlog_dump_free(BinlogDump *dump)
{
    if (!dump)
        return;
    g_free(dump->message);
    g_free(dump);
}

/* Did the library already take bytes of the next packet off the socket? */
static bool has_buffered(MYSQL *mysql)
{
    const MARIADB_PVIO *pvio = mysql->net.pvio;
    return pvio && pvio->cache && pvio->cache_pos < pvio->cache + pvio->cache_size;
}

/* A broken socket is left to the read that follows. */
static bool is_silent(MYSQL *mysql, int timeout_ms)
{
    if (timeout_ms < 0 || has_buffered(mysql))
        return false;
    struct pollfd socket = {.fd = (int)mysql_get_socket(mysql), .events = POLLIN};
    int ready = poll(&socket, 1, timeout_ms);
    return ready == 0 || (ready < 0 && errno == EINTR);
}

/* 0xff, u16 number, ['#', 5 bytes SQL state], message */
static void take_error(BinlogDump *dump, const guint8 *packet, gsize size, unsigned int *number,
                       const char **message)
{
    ByteReader reader = byte_reader(packet + 1, size - 1), state;
    guint16 code = NOT_UNDERSTOOD;
    if (byte_reader_le16(&reader, &code) && byte_reader_left(&reader) >= 6 &&
        reader.data[reader.offset] == '#' && !byte_reader_part(&reader, 6, &state))
        code = NOT_UNDERSTOOD;
    g_free(dump->message);
    dump->message = g_strndup((const char *)reader.data + reader.offset, byte_reader_left(&reader));
    *number = code;
    *message = dump->message;
}

BinlogRead binlog_dump_read(BinlogDump *dump, int timeout_ms, const guint8 **data, gsize *size,
                            unsigned int *number, const char **message)
{
    enum { EVENT = 0, END = 0xfe, ERROR = 0xff, LONGEST_END = 8 };
    if (is_silent(dump->mysql, timeout_ms))
        return BINLOG_READ_TIMEOUT;
    unsigned long length = mysql_net_read_packet(dump->mysql);
    const guint8 *packet = dump->mysql->net.read_pos;
    if (length == packet_error || length == 0) {
        *number = mysql_errno(dump->mysql);
        *message = mysql_error(dump->mysql);
        return BINLOG_READ_FAILED;
    }
    if (packet[0] == END && length <= LONGEST_END)
        return BINLOG_READ_END;
    if (packet[0] == EVENT) {
        *data = packet + 1;
        *size = length - 1;
        return BINLOG_READ_EVENT;
    }
    *number = NOT_UNDERSTOOD;
    *message = "the server answers with something else than an event";
    if (packet[0] == ERROR)
        take_error(dump, packet, length, number, message);
    return BINLOG_READ_FAILED;
}
