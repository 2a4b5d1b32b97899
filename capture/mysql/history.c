/*
 * Has this server the history that positions of another one are in? GTIDs tell.
 *
 * MySQL: the set of what was executed has to contain the resume text, and what was purged from the
 * log has to be in it. MariaDB: a number of a domain says nothing of a server that has gone on by
 * itself after it lost the last transactions, so that each entry has to be in the log under its own
 * server's id, or be the last that was replicated. That its log goes back far enough is said by
 * MariaDB when the log is asked for.
 */
#include "capture/mysql/session.h"
#include "proto/error.h"
#include "proto/gtid.h"

#include <string.h>

char *mysql_source_executed(Source *source, GError **error)
{
    return mysql_source_ask(source,
                            source->mariadb ? "select @@global.gtid_binlog_pos"
                                            : "select @@global.gtid_executed",
                            error);
}

static bool fail_missing(const Source *source, const char *missing, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "%s: this server lacks transactions that the migration has had from the server "
                "before: %s; connect to a server that has them, or start the migration over "
                "(drover drop, then run)",
                source->endpoint->label, missing);
    return false;
}

/* ---- MySQL ---- */

/* What is in one set and not in the other; each is an expression. */
static char *subtract(Source *source, const char *from, const char *what, GError **error)
{
    g_autofree char *sql = g_strdup_printf("select gtid_subtract(%s, %s)", from, what);
    return mysql_source_ask(source, sql, error);
}

static char *literal(const char *text)
{
    GString *sql = g_string_new(NULL);
    mysql_session_append_literal(sql, text);
    return g_string_free(sql, FALSE);
}

/* had: all that was handed on. start: what the log is read after. */
static bool check_mysql(Source *source, const char *had, const char *start, GError **error)
{
    g_autofree char *had_sql = literal(had), *start_sql = literal(start);
    g_autofree char *missing = subtract(source, had_sql, "@@global.gtid_executed", error);
    if (!missing)
        return false;
    if (missing[0])
        return fail_missing(source, missing, error);
    g_autofree char *purged = subtract(source, "@@global.gtid_purged", start_sql, error);
    if (!purged || !purged[0])
        return purged != NULL;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "%s: this server has purged transactions from its log that the migration has not "
                "had yet: %s; connect to a server that still has them, or start the migration over "
                "(drover drop, then run)",
                source->endpoint->label, purged);
    return false;
}

/* ---- MariaDB ---- */

/* Is the transaction one of the entries, or (not exactly) before one of its domain and server? */
static bool is_among(const char *entries, const MariadbGtid *gtid, bool exactly)
{
    g_auto(GStrv) list = g_strsplit(entries, ",", -1);
    for (guint i = 0; list[i]; i++) {
        g_autoptr(MariadbGtids) one = mariadb_gtids_parse(g_strstrip(list[i]), NULL);
        if (!one || mariadb_gtids_count(one) != 1)
            continue;
        MariadbGtid entry = mariadb_gtids_get(one, 0);
        if (entry.domain == gtid->domain && entry.server == gtid->server &&
            (exactly ? entry.sequence == gtid->sequence : entry.sequence >= gtid->sequence))
            return true;
    }
    return false;
}

static bool check_mariadb(Source *source, const char *had, GError **error)
{
    g_autoptr(MariadbGtids) entries = mariadb_gtids_parse(had, error);
    g_autofree char *logged =
        entries ? mysql_source_ask(source, "select @@global.gtid_binlog_state", error) : NULL;
    g_autofree char *replicated =
        logged ? mysql_source_ask(source, "select @@global.gtid_slave_pos", error) : NULL;
    g_autoptr(GString) missing = g_string_new(NULL);
    if (!replicated)
        return false;
    for (guint i = 0; i < mariadb_gtids_count(entries); i++) {
        MariadbGtid gtid = mariadb_gtids_get(entries, i);
        if (!is_among(logged, &gtid, false) && !is_among(replicated, &gtid, true))
            g_string_append_printf(missing, "%s%u-%u-%" G_GUINT64_FORMAT,
                                   missing->len > 0 ? "," : "", gtid.domain, gtid.server,
                                   gtid.sequence);
    }
    return missing->len == 0 || fail_missing(source, missing->str, error);
}

bool mysql_source_check_history(Source *source, const char *resume, GError **error)
{
    const char *since = strstr(resume, RESUME_SINCE);
    g_autofree char *had = since ? g_strndup(resume, (gsize)(since - resume)) : g_strdup(resume);
    if (!mysql_source_session(source, error))
        return false;
    return source->mariadb
               ? check_mariadb(source, had, error)
               : check_mysql(source, had, since ? since + strlen(RESUME_SINCE) : had, error);
}
