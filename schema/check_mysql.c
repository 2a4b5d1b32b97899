#include "schema/check_mysql.h"

#include <string.h>

static bool read_variables(MysqlSide *side, GError **error)
{
    g_autoptr(MYSQL_RES) rows =
        mysql_session_query(side->server->mysql, "show global variables", error);
    MYSQL_ROW row;
    if (rows == NULL)
        return false;
    side->variables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    while ((row = mysql_fetch_row(rows)) != NULL)
        g_hash_table_insert(side->variables, g_strdup(row[0]), g_strdup(row[1]));
    return true;
}

static bool read_grants(MysqlSide *side, GError **error)
{
    g_autoptr(MYSQL_RES) rows = mysql_session_query(side->server->mysql, "show grants", error);
    MYSQL_ROW row;
    if (rows == NULL)
        return false;
    side->grants = mysql_grants_new(!mysql_side_is_on(side, "partial_revokes"));
    while ((row = mysql_fetch_row(rows)) != NULL)
        mysql_grants_add(side->grants, row[0]);
    return true;
}

/* The host's part holds no '@'. */
static bool read_account(MysqlSide *side, GError **error)
{
    g_autofree char *account =
        mysql_session_ask(side->server->mysql, "select current_user()", error);
    if (account == NULL)
        return false;
    char *at = strrchr(account, '@');
    g_autoptr(GString) quoted = g_string_new(NULL);
    if (at != NULL)
        *at = '\0';
    mysql_session_append_literal(quoted, account);
    g_string_append_c(quoted, '@');
    mysql_session_append_literal(quoted, at != NULL ? at + 1 : "%");
    side->account = g_string_free(g_steal_pointer(&quoted), FALSE);
    return true;
}

bool mysql_side_init(MysqlSide *side, Check *check, const Server *server, GError **error)
{
    *side = (MysqlSide){.check = check, .server = server, .side = server->endpoint->side};
    if (read_variables(side, error) && read_grants(side, error) && read_account(side, error))
        return true;
    g_prefix_error(error, "%s: ", server->endpoint->label);
    return false;
}

void mysql_side_clear(MysqlSide *side)
{
    g_clear_pointer(&side->variables, g_hash_table_unref);
    g_clear_pointer(&side->grants, mysql_grants_free);
    g_clear_pointer(&side->account, g_free);
}

const char *mysql_side_get(const MysqlSide *side, const char *variable)
{
    return g_hash_table_lookup(side->variables, variable);
}

gint64 mysql_side_number(const MysqlSide *side, const char *variable)
{
    const char *value = mysql_side_get(side, variable);
    return value != NULL ? g_ascii_strtoll(value, NULL, 10) : 0;
}

bool mysql_side_is_on(const MysqlSide *side, const char *variable)
{
    const char *value = mysql_side_get(side, variable);
    return value != NULL && *value != '\0' && strcmp(value, "0") != 0 &&
           g_ascii_strcasecmp(value, "OFF") != 0;
}

void mysql_side_add(const MysqlSide *side, FindingLevel level, const char *name, const char *remedy,
                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *full = g_strdup_printf("%s.%s", side->side, name);
    check_add(side->check, level, full, remedy, "%s", text);
}

char *mysql_side_set(const MysqlSide *side, const char *variable, const char *value)
{
    if (side->server->is_mariadb)
        return g_strdup_printf("set global %s = %s; -- and %s = %s in the server's option file",
                               variable, value, variable, value);
    return g_strdup_printf("set persist %s = %s;", variable, value);
}

static bool is_good(const MysqlSetting *setting, const char *value)
{
    g_auto(GStrv) words = g_strsplit(setting->good, " ", -1);
    if (*setting->good == '\0')
        return *value == '\0';
    for (char **word = words; *word != NULL; word++)
        if (g_ascii_strcasecmp(*word, value) == 0)
            return true;
    return false;
}

static char *remedy_of(const MysqlSide *side, const MysqlSetting *setting)
{
    g_autofree char *value = g_ascii_strdown(setting->good, (gssize)strcspn(setting->good, " "));
    if ((setting->flags & NEEDS_START) != 0 && *value == '\0')
        return g_strdup_printf("take %s out of the server's option file, then restart the %s",
                               setting->variable, side->side);
    if ((setting->flags & NEEDS_START) != 0)
        return g_strdup_printf("%s = %s in the server's option file, then restart the %s",
                               setting->variable, value, side->side);
    return mysql_side_set(side, setting->variable, value);
}

static void add_setting(const MysqlSide *side, const MysqlSetting *setting)
{
    const char *value = mysql_side_get(side, setting->variable);
    if (value == NULL)
        return;
    const char *shown = *value != '\0' ? value : "empty";
    if (is_good(setting, value)) {
        if ((setting->flags & QUIET) == 0)
            mysql_side_add(side, FINDING_PASS, setting->variable, NULL, "%s is %s",
                           setting->variable, shown);
        return;
    }
    g_autofree char *remedy = remedy_of(side, setting);
    mysql_side_add(side, setting->level, setting->variable, remedy, "%s is %s: %s",
                   setting->variable, shown, setting->why);
}

void mysql_side_add_settings(const MysqlSide *side, const MysqlSetting *settings, gsize n)
{
    MysqlMaker other = side->server->is_mariadb ? OF_MYSQL : OF_MARIADB;
    for (gsize i = 0; i < n; i++)
        if (settings[i].maker != other)
            add_setting(side, &settings[i]);
}

bool mysql_side_check_version(const MysqlSide *side)
{
    const Server *server = side->server;
    const char *product = server_product(server);
    bool fine = server->version >= (server->is_mariadb ? MARIADB_OLDEST : MYSQL_OLDEST);
    if (fine)
        mysql_side_add(side, FINDING_PASS, "version", NULL, "%s %s", product, server->version_text);
    else
        mysql_side_add(side, FINDING_FAIL, "version",
                       server->is_mariadb ? "upgrade the server to MariaDB 10.6 or later"
                                          : "upgrade the server to MySQL 8.0 or later",
                       "%s %s is older than %s, the first version that drover moves", product,
                       server->version_text, server->is_mariadb ? "10.6" : "8.0");
    return fine;
}

static void append_lower(GString *sql, const char *privilege)
{
    g_autofree char *lower = g_ascii_strdown(privilege, -1);
    g_string_append(sql, lower);
}

char *mysql_side_missing(const MysqlSide *side, const char *const *privileges, const char *database)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    for (; *privileges != NULL; privileges++) {
        if (mysql_grants_has(side->grants, *privileges, database))
            continue;
        g_string_append(sql, sql->len > 0 ? ", " : "grant ");
        append_lower(sql, *privileges);
    }
    if (sql->len == 0)
        return NULL;
    g_autofree char *object =
        database != NULL ? mysql_side_grantable(side, database) : g_strdup("*");
    g_string_append_printf(sql, " on %s.* to %s;", object, side->account);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

char *mysql_side_grantable(const MysqlSide *side, const char *database)
{
    GString *name = g_string_new(NULL);
    mysql_session_append_identifier(name, database);
    if (!mysql_side_is_on(side, "partial_revokes")) {
        g_string_replace(name, "\\", "\\\\", 0);
        g_string_replace(name, "_", "\\_", 0);
        g_string_replace(name, "%", "\\%", 0);
    }
    return g_string_free(name, FALSE);
}

char *mysql_side_qualified(const char *database, const char *name)
{
    GString *text = g_string_new(NULL);
    mysql_session_append_qualified(text, database, name);
    return g_string_free(text, FALSE);
}
