/*
 * Reads with bounds (rule R5). MariaDB says of a consistent snapshot up to where in the log it
 * sees, exactly. MySQL's set of executed GTIDs is behind what a snapshot sees, so that the set from
 * before the snapshot has only what is visible in it.
 */
#include "capture/mysql/chunk.h"
#include "capture/mysql/session.h"
#include "proto/error.h"
#include "schema/mysql/read.h"

#include <string.h>

static bool begin(MYSQL *mysql, GError **error)
{
    return mysql_session_run(mysql, "set transaction isolation level repeatable read", error) &&
           mysql_session_run(mysql, "start transaction with consistent snapshot, read only", error);
}

/* binlog_snapshot_file and binlog_snapshot_position of the open transaction. */
static bool read_snapshot_position(MYSQL *mysql, guint32 era, Position *position, GError **error)
{
    MYSQL_RES *answer = mysql_query(mysql, "show status like 'binlog_snapshot_%'") == 0
                            ? mysql_store_result(mysql)
                            : NULL;
    if (!answer)
        return mysql_session_fail(mysql, error);
    g_autofree char *file = NULL;
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(answer))) {
        if (g_ascii_strcasecmp(row[0], "binlog_snapshot_file") == 0)
            file = g_strdup(row[1]);
        else if (g_ascii_strcasecmp(row[0], "binlog_snapshot_position") == 0)
            position->minor = g_ascii_strtoull(row[1], NULL, 10);
    }
    mysql_free_result(answer);
    return mysql_log_file_major(era, file ? file : "", &position->major, error);
}

static bool take_snapshot(Source *source, MYSQL *mysql, ReadBounds *bounds, GError **error)
{
    if (source->mariadb) {
        bounds->kind = BOUNDS_POSITION;
        return begin(mysql, error) &&
               read_snapshot_position(mysql, source->endpoint->era, &bounds->low, error);
    }
    bounds->kind = BOUNDS_GTIDS;
    bounds->gtids = mysql_source_ask(source, "select @@global.gtid_executed", error);
    return bounds->gtids && begin(mysql, error);
}

bool mysql_source_read_begin(Source *source, const char *snapshot, ReadBounds *bounds,
                             GError **error)
{
    g_auto(MysqlLogEnd) end = {0};
    (void)snapshot; /* none is ever made */
    *bounds = (ReadBounds){0};
    if (source->reading)
        mysql_source_forget_session(source);
    MYSQL *mysql = mysql_source_session(source, error);
    if (!mysql || !mysql_source_log_end(source, &end, error))
        return false;
    bounds->before = end.position;
    source->reading = true;
    if (take_snapshot(source, mysql, bounds, error))
        return true;
    read_bounds_clear(bounds);
    mysql_source_forget_session(source);
    return false;
}

/* The connection of a read that goes on; NULL and an error where there is none. */
static MYSQL *open_read(Source *source, GError **error)
{
    if (source->reading && source->ordinary)
        return source->ordinary;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "source: the read was broken off; it must be begun again");
    return NULL;
}

bool mysql_source_read_end(Source *source, ReadBounds *bounds, GError **error)
{
    g_auto(MysqlLogEnd) end = {0};
    MYSQL *mysql = open_read(source, error);
    if (!mysql)
        return false;
    if (mysql_session_run(mysql, "commit", error) && mysql_source_log_end(source, &end, error) &&
        (bounds->high_resume = mysql_source_executed(source, error))) {
        bounds->high = end.position;
        source->reading = false;
        return true;
    }
    mysql_source_forget_session(source);
    return false;
}

bool mysql_source_read(Source *source, ReadRequest *request, const ReadSink *sink, GError **error)
{
    const Table *table = request->table;
    MYSQL *mysql = open_read(source, error);
    if (!mysql)
        return false;
    if (mysql_read(mysql, table->source_schema, table->source_name, request, sink, error))
        return true;
    g_prefix_error(error, "source: reading table %s: ", table->label);
    mysql_source_forget_session(source);
    return false;
}

bool mysql_source_key_ranges(Source *source, const Table *table, gint64 rows_per_range,
                             GArray **ranges, GError **error)
{
    MYSQL *mysql = open_read(source, error);
    if (!mysql)
        return false;
    if (mysql_key_ranges(mysql, table, rows_per_range, ranges, error))
        return true;
    g_prefix_error(error, "source: cutting table %s: ", table->label);
    mysql_source_forget_session(source);
    return false;
}
