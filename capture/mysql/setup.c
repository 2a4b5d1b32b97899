/*
 * P0, where the stream begins. Nothing is created on the source.
 *
 * MariaDB: the place of a consistent snapshot in the log, exactly. MySQL: the executed GTIDs, all
 * of which are visible to every later read, and the start of the log file that is being written:
 * what is in the files before must be among them, which is waited for.
 *
 * An XA transaction that is prepared but not committed at P0 would come into the stream without its
 * changes: P0 is taken between two looks that find none, which is waited for.
 */
#include "capture/mysql/binlog_dump.h"
#include "capture/mysql/executed.h"
#include "capture/mysql/session.h"
#include "proto/error.h"
#include "proto/gtid.h"

#include <string.h>

#define WAIT_LIMIT (30 * G_USEC_PER_SEC)
#define XA_LIMIT (5 * G_USEC_PER_SEC)
#define WAIT_POLL (20 * 1000)

static bool check_no_xa(Source *source, GError **error)
{
    MYSQL *mysql = mysql_source_session(source, error);
    if (!mysql)
        return false;
    MYSQL_RES *answer =
        mysql_query(mysql, "xa recover convert xid") == 0 || mysql_query(mysql, "xa recover") == 0
            ? mysql_store_result(mysql)
            : NULL;
    if (!answer) {
        g_info("source: whether XA transactions are prepared cannot be told (%s); one that is "
               "would stop the stream at its commit",
               mysql_error(mysql));
        return true;
    }
    guint64 n = mysql_num_rows(answer);
    MYSQL_ROW row = mysql_fetch_row(answer);
    if (n > 0)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "source: %" G_GUINT64_FORMAT " XA transactions are prepared and not committed "
                    "(one is %s); commit them or roll them back, then run drover again",
                    n, row ? row[3] : "unknown");
    mysql_free_result(answer);
    return n == 0;
}

/* ---- MySQL ---- */

/* The GTIDs of all files before this one. */
static char *previous_gtids(Source *source, const char *file, GError **error)
{
    MYSQL *mysql = mysql_source_session(source, error);
    if (!mysql)
        return NULL;
    g_autoptr(GString) sql = g_string_new("show binlog events in ");
    mysql_session_append_literal(sql, file);
    g_string_append(sql, " limit 2");
    MYSQL_RES *answer = mysql_query(mysql, sql->str) == 0 ? mysql_store_result(mysql) : NULL;
    if (!answer) {
        mysql_source_fail(source, sql->str, error);
        return NULL;
    }
    char *gtids = NULL;
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(answer)))
        if (g_ascii_strcasecmp(row[2], "Previous_gtids") == 0)
            gtids = g_strdup(row[5]);
    mysql_free_result(answer);
    if (!gtids)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "source: binlog file %s does not say which GTIDs came before it", file);
    return gtids;
}

static char *executed_gtids(Source *source, GError **error)
{
    g_autofree char *text = mysql_source_ask(source, "select @@global.gtid_executed", error);
    g_autoptr(MysqlGtidSet) set = text ? mysql_gtid_set_parse(text, error) : NULL;
    return set ? mysql_gtid_set_format(set) : NULL;
}

static bool wait_for_previous(Source *source, const char *file, char **resume, GError **error)
{
    gint64 limit = g_get_monotonic_time() + WAIT_LIMIT;
    g_autofree char *previous = previous_gtids(source, file, error);
    if (!previous)
        return false;
    for (;;) {
        g_free(*resume);
        *resume = executed_gtids(source, error);
        if (!*resume || previous[0] == 0 || resume_contains(*resume, previous))
            return *resume != NULL;
        if (g_get_monotonic_time() > limit)
            break;
        g_usleep(WAIT_POLL);
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "source: transactions of the log files before %s are still not executed", file);
    return false;
}

static bool start_of_mysql(Source *source, Position *start, char **resume, GError **error)
{
    g_auto(MysqlLogEnd) end = {0};
    if (!mysql_source_log_end(source, &end, error))
        return false;
    *start = (Position){.major = end.position.major, .minor = BINLOG_FIRST_EVENT};
    return wait_for_previous(source, end.file, resume, error);
}

/* ---- MariaDB ---- */

static bool start_of_mariadb(Source *source, Position *start, char **resume, GError **error)
{
    ReadBounds bounds;
    if (!mysql_source_read_begin(source, NULL, &bounds, error))
        return false;
    *start = bounds.low;
    g_autofree char *gtids = mysql_source_ask(
        source,
        "select binlog_gtid_pos(f.variable_value, p.variable_value) from "
        "information_schema.session_status f join information_schema.session_status p "
        "where f.variable_name = 'binlog_snapshot_file' and "
        "p.variable_name = 'binlog_snapshot_position'",
        error);
    bool done = gtids && mysql_source_read_end(source, &bounds, error);
    read_bounds_clear(&bounds);
    if (done)
        *resume = g_steal_pointer(&gtids);
    else
        mysql_source_forget_session(source);
    return done;
}

static bool find_start(Source *source, Position *start, char **resume, GError **error)
{
    return source->mariadb ? start_of_mariadb(source, start, resume, error)
                           : start_of_mysql(source, start, resume, error);
}

/* The stream starts a look earlier than P0: MariaDB writes that a transaction is prepared into the
 * log before it lists it, so that one may lie before P0 which no look has seen. */
static char *join_since(Source *source, const char *resume, const char *since)
{
    return source->mariadb && strcmp(resume, since) != 0
               ? g_strconcat(resume, RESUME_SINCE, since, NULL)
               : g_strdup(resume);
}

static bool start_without_xa(Source *source, Position *start, char **resume, GError **error)
{
    g_autofree char *since = NULL, *reached = NULL;
    Position before;
    if (!find_start(source, &before, &since, error) || !check_no_xa(source, error) ||
        !find_start(source, start, &reached, error) || !check_no_xa(source, error))
        return false;
    *resume = join_since(source, reached, since);
    return true;
}

bool mysql_source_setup(Source *source, const Migration *migration, Position *start, char **resume,
                        char **snapshot, GError **error)
{
    gint64 limit = g_get_monotonic_time() + XA_LIMIT;
    GError *problem = NULL;
    (void)migration; /* nothing is made for it */
    *snapshot = *resume = NULL;
    if (!mysql_source_check_log(source, error))
        return false;
    while (!start_without_xa(source, start, resume, &problem)) {
        if (!g_error_matches(problem, DROVER_ERROR, DROVER_ERROR_NO) ||
            g_get_monotonic_time() > limit) {
            g_propagate_error(error, problem);
            return false;
        }
        g_clear_error(&problem);
        g_usleep(WAIT_POLL);
    }
    return true;
}

bool mysql_source_drop(Source *source, const Migration *migration, GError **error)
{
    (void)source, (void)migration, (void)error;
    return true;
}
