/*
 * The preflight of a target that is MySQL or MariaDB: may drover write there, and is there room for
 * the names.
 */
#include "schema/check_mysql.h"

#include <string.h>

#define DROVER_DATABASE "drover"
#define LARGE_PACKET ((gint64)64 * 1024 * 1024) /* where the source does not tell its own limit */
#define LAST_HARMLESS_RECOVERY 3 /* innodb_force_recovery: above it InnoDB only reads */

static const MysqlSetting settings[] = {
    {OF_MYSQL, "super_read_only", "OFF", FINDING_FAIL, "nobody may write", QUIET},
    {OF_BOTH, "innodb_read_only", "OFF", FINDING_FAIL, "nobody may write", NEEDS_START | QUIET},
    {OF_MYSQL, "sql_require_primary_key", "OFF", FINDING_FAIL,
     "drover's temporary tables have none", QUIET},
    {OF_MARIADB, "innodb_force_primary_key", "OFF", FINDING_FAIL,
     "drover's temporary tables have none", QUIET},
    {OF_BOTH, "local_infile", "ON", FINDING_WARN,
     "rows are copied by insert statements, which takes longer", 0},
    {OF_MARIADB, "wsrep_on", "OFF", FINDING_WARN,
     "the cluster has to take each of drover's transactions, of up to the memory limit in size, "
     "and the locks of drover's roles hold on this node alone: every process must name this node",
     QUIET},
};

/* Who may write all the same. */
static void check_read_only(const MysqlSide *side)
{
    bool privileged = mysql_grants_has(side->grants, "SUPER", NULL) ||
                      mysql_grants_has(side->grants, "CONNECTION_ADMIN", NULL);
    if (side->server->is_mariadb)
        privileged = mysql_grants_has(side->grants, "READ_ONLY ADMIN", NULL);
    g_autofree char *remedy = mysql_side_set(side, "read_only", "off");
    if (mysql_side_is_on(side, "read_only"))
        mysql_side_add(side, privileged ? FINDING_WARN : FINDING_FAIL, "read_only", remedy,
                       "read_only is %s: %s", mysql_side_get(side, "read_only"),
                       privileged ? "the target may be a replica, which another server writes to"
                                  : "this account may not write");
}

static void check_engine(const MysqlSide *side)
{
    const char *disabled = mysql_side_get(side, "disabled_storage_engines");
    const char *enforced = mysql_side_get(side, "enforce_storage_engine");
    g_auto(GStrv) engines = g_strsplit(disabled != NULL ? disabled : "", ",", -1);
    for (char **engine = engines; *engine != NULL; engine++)
        if (g_ascii_strcasecmp(g_strstrip(*engine), "InnoDB") == 0)
            mysql_side_add(side, FINDING_FAIL, "disabled_storage_engines",
                           "take InnoDB out of disabled_storage_engines in the server's option "
                           "file, then restart the target",
                           "disabled_storage_engines is %s: tables cannot be made with InnoDB",
                           disabled);
    if (enforced != NULL && *enforced != '\0' && g_ascii_strcasecmp(enforced, "InnoDB") != 0)
        mysql_side_add(side, FINDING_FAIL, "enforce_storage_engine",
                       "set global enforce_storage_engine = null;",
                       "enforce_storage_engine is %s: tables cannot be made with InnoDB", enforced);
    if (mysql_side_number(side, "innodb_force_recovery") > LAST_HARMLESS_RECOVERY)
        mysql_side_add(side, FINDING_FAIL, "innodb_force_recovery",
                       "take innodb_force_recovery out of the server's option file, then restart "
                       "the target",
                       "innodb_force_recovery is %s: nobody may write",
                       mysql_side_get(side, "innodb_force_recovery"));
}

/* What is written at read committed can only be logged as rows. */
static void check_log_format(const MysqlSide *side)
{
    const char *format = mysql_side_get(side, "binlog_format");
    g_autofree char *remedy = mysql_side_set(side, "binlog_format", "row");
    if (mysql_side_is_on(side, "log_bin") && g_strcmp0(format, "STATEMENT") == 0)
        mysql_side_add(side, FINDING_FAIL, "binlog_format", remedy,
                       "binlog_format is STATEMENT: the target cannot log what drover writes");
}

/* A row that the source could take must be one that the target can. */
static bool check_packets(const MysqlSide *side, GError **error)
{
    const Server *source = side->check->source;
    gint64 here = mysql_side_number(side, "max_allowed_packet"), there = LARGE_PACKET;
    if (source->mysql != NULL) {
        g_autofree char *value =
            mysql_session_ask(source->mysql, "select @@global.max_allowed_packet", error);
        if (value == NULL)
            return false;
        there = g_ascii_strtoll(value, NULL, 10);
    }
    g_autofree char *remedy = mysql_side_set(side, "max_allowed_packet", "1073741824");
    if (here < there)
        mysql_side_add(side, FINDING_WARN, "max_allowed_packet", remedy,
                       "max_allowed_packet is %" G_GINT64_FORMAT
                       " bytes: larger rows, which the source may have, cannot be written",
                       here);
    return true;
}

static GPtrArray *target_databases(const Check *check)
{
    GPtrArray *databases = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < check->migration->tables->len; i++) {
        Table *table = g_ptr_array_index(check->migration->tables, i);
        if (g_hash_table_add(seen, table->target_schema))
            g_ptr_array_add(databases, table->target_schema);
    }
    return databases;
}

static void check_privileges(const MysqlSide *side)
{
    static const char *const of_tables[] = {"SELECT", "INSERT", "UPDATE",     "DELETE", "CREATE",
                                            "DROP",   "ALTER",  "REFERENCES", "INDEX",  NULL};
    static const char *const of_drover[] = {
        "SELECT", "INSERT", "UPDATE",     "DELETE", "CREATE",
        "DROP",   "ALTER",  "REFERENCES", "INDEX",  "CREATE TEMPORARY TABLES",
        NULL};
    g_autoptr(GPtrArray) databases = target_databases(side->check);
    g_autoptr(GPtrArray) statements = g_ptr_array_new_with_free_func(g_free);
    char *own = mysql_side_missing(side, of_drover, DROVER_DATABASE);
    if (own != NULL)
        g_ptr_array_add(statements, own);
    for (guint i = 0; i < databases->len; i++) {
        char *sql = mysql_side_missing(side, of_tables, g_ptr_array_index(databases, i));
        if (sql != NULL)
            g_ptr_array_add(statements, sql);
    }
    g_autofree char *account = g_strdup_printf("account %s", side->account);
    check_add_missing(side->check, "target.privileges", account, statements);
}

/* --- Names ------------------------------------------------------------------------------------ */

/* As this server tells names apart (g_free). */
static char *name_key(const MysqlSide *side, const char *database, const char *name)
{
    g_autofree char *key = g_strdup_printf("%s\n%s", database, name);
    return mysql_side_number(side, "lower_case_table_names") != 0 ? g_utf8_strdown(key, -1)
                                                                  : g_steal_pointer(&key);
}

/* Two names of the source that differ in their letters' case alone may be one here. */
static GHashTable *wanted_names(const MysqlSide *side)
{
    GHashTable *wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < side->check->migration->tables->len; i++) {
        Table *table = g_ptr_array_index(side->check->migration->tables, i);
        g_autofree char *key = name_key(side, table->target_schema, table->target_name);
        const Table *other = g_hash_table_lookup(wanted, key);
        if (other != NULL)
            mysql_side_add(side, FINDING_FAIL, "lower_case_table_names",
                           "name another target for one of them",
                           "the target does not tell upper case from lower case in the names of "
                           "tables: %s and %s would be one",
                           other->label, table->label);
        else
            g_hash_table_insert(wanted, g_steal_pointer(&key), table);
    }
    return wanted;
}

static bool check_empty(const MysqlSide *side, GError **error)
{
    g_autoptr(GHashTable) wanted = wanted_names(side);
    guint taken = 0;
    if (side->check->started)
        return true;
    g_autoptr(MYSQL_RES) rows = mysql_session_query(
        side->server->mysql,
        "select table_schema, table_name, table_type from information_schema.tables "
        "order by table_schema, table_name",
        error);
    MYSQL_ROW row;
    if (rows == NULL)
        return false;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        g_autofree char *key = name_key(side, row[0], row[1]);
        if (!g_hash_table_contains(wanted, key))
            continue;
        taken++;
        g_autofree char *name = mysql_side_qualified(row[0], row[1]);
        g_autofree char *remedy =
            g_strdup_printf("drop %s %s;", strcmp(row[2], "VIEW") == 0 ? "view" : "table", name);
        mysql_side_add(side, FINDING_FAIL, "empty", remedy, "target not empty: %s exists", name);
    }
    if (taken == 0)
        mysql_side_add(side, FINDING_PASS, "empty", NULL,
                       "nothing on the target has the name of a moved table");
    return true;
}

bool check_target_mysql(Check *check, GError **error)
{
    g_auto(MysqlSide) side = {0};
    if (!mysql_side_init(&side, check, check->target, error))
        return false;
    mysql_side_check_version(&side);
    mysql_side_add_settings(&side, settings, G_N_ELEMENTS(settings));
    check_read_only(&side);
    check_engine(&side);
    check_log_format(&side);
    check_privileges(&side);
    return check_packets(&side, error) && check_empty(&side, error);
}
