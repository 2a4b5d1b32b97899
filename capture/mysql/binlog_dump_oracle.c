/*
 * Oracle's libmysqlclient: mysql_binlog_open, mysql_binlog_fetch and mysql_binlog_close, which give
 * raw events with a zero byte before them. What the library has buffered cannot be seen, so that a
 * read waits for the next event, at most for a heartbeat.
 */
#include "capture/mysql/binlog_dump.h"

#include <string.h>

struct BinlogDump {
    MYSQL *mysql;
    MYSQL_RPL log;
    char *file;
};

/* The library asks for the encoded set while it builds its command. */
static void copy_set(MYSQL_RPL *log, unsigned char *packet)
{
    const GByteArray *set = log->gtid_set_arg;
    memcpy(packet, set->data, set->len);
}

bool binlog_dump_start(MYSQL *mysql, const BinlogDumpStart *start, BinlogDump **dump)
{
    BinlogDump *made = g_new0(BinlogDump, 1);
    made->mysql = mysql;
    made->file = g_strdup(start->file);
    made->log = (MYSQL_RPL){.file_name = made->file,
                            .file_name_length = strlen(made->file),
                            .start_position = start->position,
                            .server_id = start->server_id,
                            .flags = start->flags};
    if (start->gtid_set) {
        made->log.flags |= MYSQL_RPL_GTID;
        made->log.gtid_set_encoded_size = start->gtid_set->len;
        made->log.fix_gtid_set = copy_set;
        made->log.gtid_set_arg = start->gtid_set;
    }
    if (mysql_binlog_open(mysql, &made->log) == 0) {
        made->log.gtid_set_arg = NULL;
        *dump = made;
        return true;
    }
    binlog_dump_free(made);
    return false;
}

void binlog_dump_free(BinlogDump *dump)
{
    if (!dump)
        return;
    mysql_binlog_close(dump->mysql, &dump->log);
    g_free(dump->file);
    g_free(dump);
}

BinlogRead binlog_dump_read(BinlogDump *dump, int timeout_ms, const guint8 **data, gsize *size,
                            unsigned int *number, const char **message)
{
    (void)timeout_ms;
    if (mysql_binlog_fetch(dump->mysql, &dump->log) != 0) {
        *number = mysql_errno(dump->mysql);
        *message = mysql_error(dump->mysql);
        return BINLOG_READ_FAILED;
    }
    if (dump->log.size == 0)
        return BINLOG_READ_END;
    *data = dump->log.buffer + 1;
    *size = dump->log.size - 1;
    return BINLOG_READ_EVENT;
}
