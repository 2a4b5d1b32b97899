/*
 * The preflight of a source that is MySQL or MariaDB: what the chosen tables need of it.
 */
#include "schema/cascade_mysql.h"
#include "schema/check_mysql.h"
#include "schema/sql/embedded.h"

#include <string.h>

#define FIRST_BINARY_LOG_STATUS 80200

/* --- Privileges ------------------------------------------------------------------------------- */

/* Asked by trying: a privilege may be on the database, the table, or each of its columns. */
static bool may_read(const MysqlSide *side, const Table *table, bool *allowed, GError **error)
{
    g_autoptr(GString) sql = g_string_new("select ");
    g_autoptr(GError) problem = NULL;
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        mysql_session_append_identifier(sql, table->columns[i].name);
    }
    g_string_append(sql, table->n_columns == 0 ? "1 from " : " from ");
    mysql_session_append_qualified(sql, table->source_schema, table->source_name);
    g_string_append(sql, " limit 0");
    g_autoptr(MYSQL_RES) rows = mysql_session_query(side->server->mysql, sql->str, &problem);
    *allowed = rows != NULL;
    if (rows != NULL || problem->code == DROVER_ERROR_NO)
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool add_unreadable(const MysqlSide *side, GPtrArray *statements, GError **error)
{
    for (guint i = 0; i < side->check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(side->check->migration->tables, i);
        bool allowed = false;
        if (!may_read(side, table, &allowed, error))
            return false;
        if (allowed)
            continue;
        g_autofree char *name = mysql_side_qualified(table->source_schema, table->source_name);
        g_ptr_array_add(statements,
                        g_strdup_printf("grant select on %s to %s;", name, side->account));
    }
    return true;
}

/* The least that shows foreign keys. */
static bool add_hidden_keys(const MysqlSide *side, GPtrArray *statements, GError **error)
{
    g_autoptr(MYSQL_RES) rows =
        mysql_session_query(side->server->mysql, embedded_check_mysql_hidden_keys, error);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    MYSQL_ROW row;
    if (rows == NULL)
        return false;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        if (check_find_moved(side->check, row[0], row[1]) == NULL ||
            !g_hash_table_add(seen, row[0]))
            continue;
        g_autofree char *database = mysql_side_grantable(side, row[0]);
        g_ptr_array_add(statements,
                        g_strdup_printf("grant show view on %s.* to %s;", database, side->account));
    }
    return true;
}

static bool check_privileges(const MysqlSide *side, GError **error)
{
    static const char *const of_mysql[] = {"REPLICATION SLAVE", "REPLICATION CLIENT", NULL};
    static const char *const of_mariadb[] = {"REPLICATION SLAVE", "BINLOG MONITOR", NULL};
    g_autoptr(GPtrArray) statements = g_ptr_array_new_with_free_func(g_free);
    char *global = mysql_side_missing(side, side->server->is_mariadb ? of_mariadb : of_mysql, NULL);
    if (global != NULL)
        g_ptr_array_add(statements, global);
    if (!add_unreadable(side, statements, error) || !add_hidden_keys(side, statements, error))
        return false;
    g_autofree char *account = g_strdup_printf("account %s", side->account);
    check_add_missing(side->check, "source.privileges", account, statements);
    return true;
}

/* --- Databases that are not logged ------------------------------------------------------------ */

static bool is_listed(const char *list, const char *database)
{
    g_auto(GStrv) names = g_strsplit(list, ",", -1);
    return g_strv_contains((const char *const *)names, database);
}

static void check_filter(const MysqlSide *side, const char *only, const char *never)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < side->check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(side->check->migration->tables, i);
        const char *database = table->source_schema;
        bool left_out = *only != '\0' ? !is_listed(only, database) : is_listed(never, database);
        if (!left_out || !g_hash_table_add(seen, table->source_schema))
            continue;
        const char *option = *only != '\0' ? "binlog_do_db" : "binlog_ignore_db";
        g_autofree char *remedy = g_strdup_printf(
            "take %s out of the server's option file, then restart the source", option);
        mysql_side_add(side, FINDING_FAIL, option, remedy,
                       "changes of database %s are not logged, because of %s", database, option);
    }
}

/* The filters are no variables. */
static bool check_filters(const MysqlSide *side, GError **error)
{
    const Server *server = side->server;
    const char *privilege = server->is_mariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT";
    const char *sql = !server->is_mariadb && server->version >= FIRST_BINARY_LOG_STATUS
                          ? "show binary log status"
                          : "show master status";
    if (!mysql_grants_has(side->grants, privilege, NULL))
        return true;
    g_autoptr(MYSQL_RES) rows = mysql_session_query(server->mysql, sql, error);
    if (rows == NULL)
        return false;
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row != NULL)
        check_filter(side, row[2] != NULL ? row[2] : "", row[3] != NULL ? row[3] : "");
    return true;
}

/* --- Cascades --------------------------------------------------------------------------------- */

static bool check_cascades(const MysqlSide *side, GError **error)
{
    bool hidden;
    g_autoptr(GPtrArray) problems =
        g_ptr_array_new_with_free_func((GDestroyNotify)cascade_problem_free);
    if (!cascade_mysql_hidden(side->server, &hidden, error))
        return false;
    if (!hidden)
        return true;
    if (!cascade_mysql_find(side->server, side->check->migration->tables, problems, error))
        return false;
    for (guint i = 0; i < problems->len; i++) {
        const CascadeProblem *problem = g_ptr_array_index(problems, i);
        g_autofree char *name = g_strdup_printf("table.%s", problem->child->label);
        check_add(side->check, FINDING_FAIL, name, problem->remedy, "%s", problem->text);
    }
    return true;
}

bool check_source_mysql_tables(Check *check, GError **error)
{
    g_auto(MysqlSide) side = {0};
    if (!mysql_side_init(&side, check, check->source, error) || !check_privileges(&side, error) ||
        !check_filters(&side, error) || !check_cascades(&side, error))
        return false;
    g_ptr_array_add(
        check->preflight->not_moved,
        g_strdup("what sessions change while sql_log_bin is 0 for them is in no log and "
                 "is not moved"));
    return true;
}
