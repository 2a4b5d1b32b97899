/* The ordinary connection, what the server says of itself, and the table of operations. */
#include "capture/mysql/source.h"

#include "capture/mysql/session.h"
#include "proto/error.h"

#include <string.h>

#define READ_TIMEOUT_S 3600 /* of a statement that looks at all of a large table */
#define FIRST_WITH_LOG_STATUS 80200
#define FIRST_OF_CLIENT 2000 /* numbers of errors that the client library gives */

/* ---- connections ---- */

void mysql_source_forget_session(Source *source)
{
    g_clear_pointer(&source->ordinary, mysql_close);
    source->reading = source->broken = false;
}

MYSQL *mysql_source_session(Source *source, GError **error)
{
    if (source->broken)
        mysql_source_forget_session(source);
    if (!source->ordinary) {
        source->ordinary =
            mysql_session_open(source->endpoint, source->label, READ_TIMEOUT_S, error);
        source->mariadb = source->ordinary && mysql_session_is_mariadb(source->ordinary);
        if (source->ordinary &&
            !mysql_source_check_server(source->endpoint, source->ordinary, error))
            mysql_source_forget_session(source);
    }
    return source->ordinary;
}

static void mysql_source_close(Source *source)
{
    if (!source)
        return;
    mysql_stream_free(source->stream);
    mysql_source_forget_session(source);
    g_free(source->label);
    g_free(source);
}

static Source *mysql_source_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    Source *source = g_new0(Source, 1);
    source->endpoint = endpoint;
    source->label = g_strdup(label);
    if (mysql_source_session(source, error))
        return source;
    mysql_source_close(source);
    return NULL;
}

/* ---- small questions ---- */

bool mysql_source_fail(Source *source, const char *what, GError **error)
{
    unsigned int number = mysql_errno(source->ordinary);
    mysql_session_fail(source->ordinary, error);
    g_prefix_error(error, "%s: %s: ", source->endpoint->label, what);
    source->broken = number >= FIRST_OF_CLIENT;
    return false;
}

char *mysql_source_ask(Source *source, const char *sql, GError **error)
{
    MYSQL *mysql = mysql_source_session(source, error);
    if (!mysql)
        return NULL;
    MYSQL_RES *answer = mysql_query(mysql, sql) == 0 ? mysql_store_result(mysql) : NULL;
    if (!answer) {
        mysql_source_fail(source, sql, error);
        return NULL;
    }
    MYSQL_ROW row = mysql_fetch_row(answer);
    char *value = row ? g_strdup(row[0]) : NULL;
    mysql_free_result(answer);
    if (!value)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON, "%s: the server has no answer to: %s",
                    source->endpoint->label, sql);
    return value;
}

/* ---- the log ---- */

void mysql_log_end_clear(MysqlLogEnd *end)
{
    g_free(end->file);
    g_free(end->filters);
}

bool mysql_log_file_major(guint32 era, const char *file, guint64 *major, GError **error)
{
    const char *point = strrchr(file, '.');
    guint64 number;
    if (point && g_ascii_string_to_unsigned(point + 1, 10, 1, G_MAXUINT32, &number, NULL)) {
        *major = position_major(era, (guint32)number);
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: the name of the binlog file \"%s\" has no number at its end", file);
    return false;
}

static bool fail_no_log(Source *source, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "%s: the server writes no binlog; start it with log_bin", source->endpoint->label);
    return false;
}

static void read_filters(MYSQL_ROW row, guint n, MysqlLogEnd *end)
{
    bool only = n > 2 && row[2] && row[2][0], all_but = n > 3 && row[3] && row[3][0];
    if (only || all_but)
        end->filters = g_strdup_printf("%s %s", only ? "binlog_do_db" : "binlog_ignore_db",
                                       only ? row[2] : row[3]);
}

bool mysql_source_log_end(Source *source, MysqlLogEnd *end, GError **error)
{
    *end = (MysqlLogEnd){0};
    MYSQL *mysql = mysql_source_session(source, error);
    if (!mysql)
        return false;
    bool old = source->mariadb || mysql_get_server_version(mysql) < FIRST_WITH_LOG_STATUS;
    MYSQL_RES *answer =
        mysql_query(mysql, old ? "show master status" : "show binary log status") == 0
            ? mysql_store_result(mysql)
            : NULL;
    if (!answer)
        return mysql_source_fail(source, "the end of its log", error);
    MYSQL_ROW row = mysql_fetch_row(answer);
    if (row) {
        end->file = g_strdup(row[0]);
        end->position.minor = g_ascii_strtoull(row[1], NULL, 10);
        read_filters(row, mysql_num_fields(answer), end);
    }
    mysql_free_result(answer);
    return row ? mysql_log_file_major(source->endpoint->era, end->file, &end->position.major, error)
               : fail_no_log(source, error);
}

static bool check_gtids(Source *source, GError **error)
{
    if (source->mariadb)
        return true;
    g_autofree char *mode = mysql_source_ask(source, "select @@global.gtid_mode", error);
    if (!mode || strcmp(mode, "ON") == 0)
        return mode != NULL;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "%s: gtid_mode is %s, and drover needs GTIDs; on the running server: set global "
                "enforce_gtid_consistency = ON; then set global gtid_mode = OFF_PERMISSIVE, "
                "ON_PERMISSIVE, and, once Ongoing_anonymous_transaction_count is 0, ON",
                source->endpoint->label, mode);
    return false;
}

static bool check_filters(Source *source, const MysqlLogEnd *end, DroverErrorCode code,
                          GError **error)
{
    if (!end->filters)
        return true;
    g_set_error(error, DROVER_ERROR, (int)code,
                "%s: its log does not have all databases (%s); start the server without that%s",
                source->endpoint->label, end->filters,
                code == DROVER_ERROR_PERSON
                    ? ", then start the migration over (drover drop, then run)"
                    : "");
    return false;
}

bool mysql_source_check_log(Source *source, GError **error)
{
    g_auto(MysqlLogEnd) end = {0};
    return mysql_source_log_end(source, &end, error) && check_gtids(source, error) &&
           check_filters(source, &end, DROVER_ERROR_NO, error);
}

/* ---- status ---- */

static bool read_clock(Source *source, gint64 *time, GError **error)
{
    g_autofree char *text =
        mysql_source_ask(source, "select cast(unix_timestamp(now(6)) * 1000000 as signed)", error);
    *time = text ? g_ascii_strtoll(text, NULL, 10) : 0;
    return text != NULL;
}

/* No marker is written: the stream is told by heartbeats how far the log is. */
static bool mysql_source_status(Source *source, const Migration *migration, bool heartbeat,
                                SourceStatus *status, GError **error)
{
    g_auto(MysqlLogEnd) end = {0};
    *status = (SourceStatus){.retained_bytes = -1};
    if (!mysql_source_log_end(source, &end, error) || !read_clock(source, &status->time, error))
        return false;
    if (heartbeat && migration && !check_filters(source, &end, DROVER_ERROR_PERSON, error))
        return false;
    status->head = end.position;
    status->identity = mysql_source_identity(source->ordinary, error);
    return status->identity != NULL;
}

const SourceOps mysql_source_ops = {
    .engine = "mysql",
    .connect = mysql_source_connect,
    .close = mysql_source_close,
    .status = mysql_source_status,
    .setup = mysql_source_setup,
    .drop = mysql_source_drop,
    .check_history = mysql_source_check_history,
    .stream_start = mysql_source_stream_start,
    .stream_next = mysql_source_stream_next,
    .stream_acknowledge = mysql_source_stream_acknowledge,
    .read_begin = mysql_source_read_begin,
    .read = mysql_source_read,
    .read_end = mysql_source_read_end,
    .key_ranges = mysql_source_key_ranges,
};
