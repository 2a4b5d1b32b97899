#include "tests/support/mysql_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "schema/connection_mysql.h"

static char side[] = "source";
static char engine[] = "mysql";

static MYSQL *reach(const Endpoint *endpoint)
{
    GError *error = NULL;
    MYSQL *mysql = mysql_session_open(endpoint, "drover test", 60, &error);
    if (!mysql)
        fail_msg("%s", error->message);
    return mysql;
}

static void run(MYSQL *mysql, const char *sql)
{
    GError *error = NULL;
    if (!mysql_session_run(mysql, sql, &error))
        fail_msg("%.200s: %s", sql, error->message);
}

MysqlScratch *mysql_scratch_new(const char *variable)
{
    static gint number;
    const char *server = g_getenv(variable);
    if (!server)
        fail_msg("%s is not set: it must be the URL of a server", variable);
    MysqlScratch *scratch = g_new0(MysqlScratch, 1);
    scratch->name = g_strdup_printf("scratch_%d_%d", (int)getpid(), g_atomic_int_add(&number, 1));
    scratch->endpoint = (Endpoint){.side = side, .engine = engine};
    scratch->endpoint.url = g_strdup(server);
    scratch->endpoint.label = g_strdup("source test");
    scratch->mysql = reach(&scratch->endpoint);
    scratch->mariadb = mysql_session_is_mariadb(scratch->mysql);
    mysql_scratch_run(scratch, "create database %s", scratch->name);
    g_free(scratch->endpoint.url);
    const char *slash = strrchr(server, '/');
    scratch->endpoint.url =
        g_strdup_printf("%.*s/%s", (int)(slash - server), server, scratch->name);
    mysql_scratch_again(scratch);
    return scratch;
}

/* Is the session still in the server's list? A server that is busy may be unable to tell. */
static bool is_gone(MysqlScratch *scratch, unsigned long session)
{
    g_autofree char *sql =
        g_strdup_printf("select 1 from information_schema.processlist where id = %lu", session);
    MYSQL_RES *answer =
        mysql_query(scratch->mysql, sql) == 0 ? mysql_store_result(scratch->mysql) : NULL;
    bool gone = answer && mysql_num_rows(answer) == 0;
    if (answer)
        mysql_free_result(answer);
    return gone;
}

/* Until the server is through with a session, others cannot end its XA transaction. */
static void wait_until_gone(MysqlScratch *scratch, unsigned long session)
{
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    while (!is_gone(scratch, session)) {
        if (g_get_monotonic_time() > limit)
            fail_msg("session %lu does not end: %s", session, mysql_error(scratch->mysql));
        g_usleep(2000);
    }
}

void mysql_scratch_again(MysqlScratch *scratch)
{
    unsigned long session = mysql_thread_id(scratch->mysql);
    mysql_close(scratch->mysql);
    scratch->mysql = reach(&scratch->endpoint);
    run(scratch->mysql, "set sql_mode = ''");
    wait_until_gone(scratch, session);
}

void mysql_scratch_free(MysqlScratch *scratch)
{
    mysql_scratch_run(scratch, "drop database %s", scratch->name);
    mysql_close(scratch->mysql);
    g_free(scratch->endpoint.url);
    g_free(scratch->endpoint.label);
    g_free(scratch->name);
    g_free(scratch);
}

void mysql_scratch_run(MysqlScratch *scratch, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    run(scratch->mysql, sql);
}

char *mysql_scratch_ask(MysqlScratch *scratch, guint column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (mysql_query(scratch->mysql, sql) != 0)
        fail_msg("%.200s: %s", sql, mysql_error(scratch->mysql));
    MYSQL_RES *answer = mysql_store_result(scratch->mysql);
    if (!answer)
        fail_msg("%.200s: %s", sql, mysql_error(scratch->mysql));
    MYSQL_ROW row = mysql_fetch_row(answer);
    char *value = row ? g_strdup(row[column]) : NULL;
    mysql_free_result(answer);
    return value;
}

char *mysql_scratch_gtids(MysqlScratch *scratch)
{
    return mysql_scratch_ask(scratch, 0, "select @@global.%s",
                             scratch->mariadb ? "gtid_binlog_pos" : "gtid_executed");
}

void mysql_scratch_position(MysqlScratch *scratch, char **file, guint64 *position)
{
    const char *sql = scratch->mariadb ? "show master status" : "show binary log status";
    g_autofree char *text = mysql_scratch_ask(scratch, 1, "%s", sql);
    *file = mysql_scratch_ask(scratch, 0, "%s", sql);
    *position = g_ascii_strtoull(text, NULL, 10);
}

void mysql_log_start(MysqlLog *log, MysqlScratch *scratch, BinlogStart start)
{
    GError *error = NULL;
    start.server_id = (guint32)getpid() + 100000;
    start.heartbeat_ms = 50;
    *log = (MysqlLog){.scratch = scratch};
    log->stream = binlog_stream_open(&scratch->endpoint, "drover test", &start, &error);
    if (!log->stream)
        fail_msg("%s", error->message);
    log->decoder = binlog_decoder_new(BINLOG_EVENT_LIMIT);
    log->rows = binlog_row_reader_new();
}

void mysql_log_clear(MysqlLog *log)
{
    binlog_stream_close(log->stream);
    binlog_decoder_free(log->decoder);
    binlog_row_reader_free(log->rows);
}

static bool read_more(MysqlLog *log)
{
    GError *error = NULL;
    const guint8 *data;
    gsize size;
    switch (binlog_stream_read(log->stream, 30000, &data, &size, &error)) {
    case BINLOG_READ_EVENT:
        binlog_decoder_put(log->decoder, data, size);
        return true;
    case BINLOG_READ_END:
        log->ended = true;
        return false;
    case BINLOG_READ_TIMEOUT:
        fail_msg("the server is silent");
        return false;
    case BINLOG_READ_FAILED:
        fail_msg("%s", error->message);
    }
    return false;
}

bool mysql_log_next(MysqlLog *log)
{
    GError *error = NULL;
    for (;;)
        switch (binlog_decoder_next(log->decoder, &log->event, &error)) {
        case BINLOG_NEXT_EVENT:
            return true;
        case BINLOG_NEXT_NEED:
            if (!read_more(log))
                return false;
            break;
        case BINLOG_NEXT_FAILED:
            fail_msg("%s", error->message);
        }
}

bool mysql_log_next_rows(MysqlLog *log, const char *table)
{
    while (mysql_log_next(log))
        if (log->event.kind == BINLOG_ROWS &&
            strcmp(log->event.rows.table->database, log->scratch->name) == 0 &&
            strcmp(log->event.rows.table->table, table) == 0) {
            binlog_row_reader_start(log->rows, &log->event);
            return true;
        }
    return false;
}
