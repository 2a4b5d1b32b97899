/*
 * The preflight of a source that is MySQL or MariaDB: what its server logs, and for how long.
 */
#include "schema/check_mysql.h"

#include <string.h>

#define SHORTEST_RETENTION ((gint64)24 * 3600) /* seconds */

static const MysqlSetting settings[] = {
    {OF_BOTH, "log_bin", "ON", FINDING_FAIL, "the source keeps no log of its changes", NEEDS_START},
    {OF_BOTH, "binlog_format", "ROW", FINDING_FAIL,
     "changes are not logged as rows; sessions that are open keep the old format until they "
     "reconnect",
     0},
    {OF_BOTH, "binlog_row_image", "FULL", FINDING_WARN,
     "columns that did not change may be missing from the log, and rows that need them are read "
     "again from the source",
     0},
    {OF_BOTH, "binlog_row_metadata", "FULL", FINDING_WARN,
     "the log does not name columns; drover takes them from the catalog and stops where that does "
     "not fit",
     0},
    {OF_MARIADB, "gtid_strict_mode", "ON", FINDING_WARN,
     "GTIDs may come out of order, and drover stops where they do", 0},
    {OF_MARIADB, "mysql56_temporal_format", "ON", FINDING_FAIL,
     "columns of dates and times get a form that drover does not read; those made so far keep it "
     "until `alter table ... force`",
     QUIET},
    {OF_MARIADB, "binlog_storage_engine", "", FINDING_FAIL,
     "drover reads logs in files, not those inside of a storage engine", NEEDS_START | QUIET},
    {OF_BOTH, "sync_binlog", "1", FINDING_WARN,
     "when the source's machine crashes, the source may lose transactions that the target has", 0},
    {OF_BOTH, "innodb_flush_log_at_trx_commit", "1", FINDING_WARN,
     "when the source's machine crashes, the source may lose transactions that the target has", 0},
    {OF_MARIADB, "wsrep_on", "OFF", FINDING_WARN,
     "each node of the cluster has a log of its own: drover has to stay on this node", QUIET},
};

static bool read_identity(const MysqlSide *side, GError **error)
{
    char **identity = &side->check->preflight->source_identity;
    MYSQL *mysql = side->server->mysql;
    if (!side->server->is_mariadb) {
        *identity = mysql_session_ask(mysql, "select @@global.server_uuid", error);
        return *identity != NULL;
    }
    g_autofree char *number = mysql_session_ask(mysql, "select @@global.server_id", error);
    if (number == NULL)
        return false;
    *identity = g_strdup_printf("mariadb server_id %s", number);
    return true;
}

static void check_server_id(const MysqlSide *side)
{
    g_autofree char *remedy = mysql_side_set(side, "server_id", "1");
    gint64 id = mysql_side_number(side, "server_id");
    if (id == 0)
        mysql_side_add(side, FINDING_FAIL, "server_id", remedy,
                       "server_id is 0: the source lets nobody read its log");
    else
        mysql_side_add(side, FINDING_PASS, "server_id", NULL, "server_id is %" G_GINT64_FORMAT, id);
}

/* The way from any mode to ON, while the server runs. */
static const struct {
    const char *before; /* gtid_mode is one of these, or further */
    const char *statement;
} gtid_steps[] = {
    {"OFF", "set persist gtid_mode = off_permissive;"},
    {"OFF OFF_PERMISSIVE", "set persist gtid_mode = on_permissive;"},
    {"OFF OFF_PERMISSIVE ON_PERMISSIVE",
     "show status like 'ongoing_anonymous_transaction_count'; -- until it is 0"},
    {"OFF OFF_PERMISSIVE ON_PERMISSIVE", "set persist gtid_mode = on;"},
};

static void check_gtid_mode(const MysqlSide *side)
{
    const char *mode = mysql_side_get(side, "gtid_mode");
    const char *consistency = mysql_side_get(side, "enforce_gtid_consistency");
    g_autoptr(GString) steps = g_string_new(NULL);
    if (mode == NULL)
        return;
    if (g_ascii_strcasecmp(mode, "ON") == 0) {
        mysql_side_add(side, FINDING_PASS, "gtid_mode", NULL, "gtid_mode is ON");
        return;
    }
    if (g_strcmp0(consistency, "ON") != 0)
        g_string_append(steps,
                        "set persist enforce_gtid_consistency = warn; -- and wait: the error log "
                        "must stay free of its warnings\n"
                        "set persist enforce_gtid_consistency = on;\n");
    for (gsize i = 0; i < G_N_ELEMENTS(gtid_steps); i++) {
        g_auto(GStrv) modes = g_strsplit(gtid_steps[i].before, " ", -1);
        if (g_strv_contains((const char *const *)modes, mode))
            g_string_append_printf(steps, "%s\n", gtid_steps[i].statement);
    }
    g_string_truncate(steps, steps->len - 1);
    mysql_side_add(side, FINDING_FAIL, "gtid_mode", steps->str,
                   "gtid_mode is %s: drover goes on in the log by the GTIDs of transactions", mode);
}

/* Differences are taken to what the log says was there before, which is only there in full images.
 */
static void check_partial_json(const MysqlSide *side)
{
    const char *options = mysql_side_get(side, "binlog_row_value_options");
    const char *image = mysql_side_get(side, "binlog_row_image");
    if (options == NULL || strstr(options, "PARTIAL_JSON") == NULL || g_strcmp0(image, "FULL") == 0)
        return;
    mysql_side_add(side, FINDING_WARN, "binlog_row_value_options",
                   "set persist binlog_row_value_options = '';",
                   "binlog_row_value_options is PARTIAL_JSON with binlog_row_image %s: rows with "
                   "changed JSON are read again from the source",
                   image);
}

static void check_retention(const MysqlSide *side)
{
    gint64 seconds = mysql_side_number(side, "binlog_expire_logs_seconds");
    g_autofree char *week = mysql_side_set(side, "binlog_expire_logs_seconds", "604800");
    if (seconds > 0 && seconds < SHORTEST_RETENTION)
        mysql_side_add(side, FINDING_WARN, "binlog_expire_logs_seconds", week,
                       "the source throws its log away after %" G_GINT64_FORMAT
                       " s: a drover that stands still for longer has to start again",
                       seconds);
    else if (seconds > 0)
        mysql_side_add(side, FINDING_PASS, "binlog_expire_logs_seconds", NULL,
                       "the source keeps its log for %" G_GINT64_FORMAT " h", seconds / 3600);
    else
        mysql_side_add(side, FINDING_PASS, "binlog_expire_logs_seconds", NULL,
                       "the source keeps its log until somebody purges it");
    if (mysql_side_number(side, "max_binlog_total_size") > 0)
        mysql_side_add(side, FINDING_WARN, "max_binlog_total_size",
                       "set global max_binlog_total_size = 0; -- and in the server's option file",
                       "the source throws its log away once it is larger than %s bytes: a drover "
                       "that stands still meanwhile has to start again",
                       mysql_side_get(side, "max_binlog_total_size"));
}

static void check_semi_sync(const MysqlSide *side)
{
    if (mysql_side_is_on(side, "rpl_semi_sync_source_enabled") ||
        mysql_side_is_on(side, "rpl_semi_sync_master_enabled"))
        mysql_side_add(side, FINDING_WARN, "semi_sync", NULL,
                       "commits wait for replicas, and drover is none of them: it may move a "
                       "transaction before a replica has it, and a replica that takes over then "
                       "lacks what the target has");
}

/* A replica logs what it repeats only where it is told to. */
static bool check_replica(const MysqlSide *side, GError **error)
{
    bool is_replica = false;
    if (side->server->is_mariadb) {
        g_autoptr(MYSQL_RES) rows = mysql_session_query(
            side->server->mysql, "show global status like 'slaves_running'", error);
        MYSQL_ROW row = rows != NULL ? mysql_fetch_row(rows) : NULL;
        if (rows == NULL)
            return false;
        is_replica = row != NULL && strcmp(row[1], "0") != 0;
    } else if (mysql_grants_has(side->grants, "REPLICATION CLIENT", NULL)) {
        const char *sql =
            side->server->version >= 80022 ? "show replica status" : "show slave status";
        g_autoptr(MYSQL_RES) rows = mysql_session_query(side->server->mysql, sql, error);
        if (rows == NULL)
            return false;
        is_replica = mysql_num_rows(rows) > 0;
    }
    if (!is_replica)
        return true;
    const char *variable = mysql_side_get(side, "log_replica_updates") != NULL
                               ? "log_replica_updates"
                               : "log_slave_updates";
    g_autofree char *remedy =
        g_strdup_printf("%s = on in the server's option file, then restart the source", variable);
    if (!mysql_side_is_on(side, variable))
        mysql_side_add(side, FINDING_FAIL, variable, remedy,
                       "the source is a replica and does not log what it gets from its own source");
    mysql_side_add(side, FINDING_WARN, "replica", NULL,
                   "the source is a replica: it may lack what its own source has");
    return true;
}

/* Their rows appear in no log before the commit, and an XA COMMIT brings none. */
static bool check_prepared(const MysqlSide *side, GError **error)
{
    g_autofree char *remedy =
        g_strdup_printf("grant xa_recover_admin on *.* to %s;", side->account);
    if (side->check->started)
        return true;
    if (!side->server->is_mariadb && !mysql_grants_has(side->grants, "XA_RECOVER_ADMIN", NULL)) {
        mysql_side_add(
            side, FINDING_WARN, "prepared_transactions", remedy,
            "whether XA transactions are prepared now cannot be seen by this account; one "
            "that is will stop the migration when it commits");
        return true;
    }
    g_autoptr(MYSQL_RES) rows = mysql_session_query(side->server->mysql, "xa recover", error);
    if (rows == NULL)
        return false;
    if (mysql_num_rows(rows) > 0)
        mysql_side_add(side, FINDING_WARN, "prepared_transactions",
                       "xa recover; xa commit '...'; or xa rollback '...';",
                       "%" G_GUINT64_FORMAT
                       " XA transactions are prepared: the migration cannot start "
                       "before they have ended",
                       (guint64)mysql_num_rows(rows));
    return true;
}

bool check_source_mysql(Check *check, bool *readable, GError **error)
{
    g_auto(MysqlSide) side = {0};
    if (!mysql_side_init(&side, check, check->source, error) || !read_identity(&side, error))
        return false;
    *readable = mysql_side_check_version(&side);
    check_server_id(&side);
    mysql_side_add_settings(&side, settings, G_N_ELEMENTS(settings));
    check_gtid_mode(&side);
    check_partial_json(&side);
    check_retention(&side);
    check_semi_sync(&side);
    return check_replica(&side, error) && check_prepared(&side, error);
}
