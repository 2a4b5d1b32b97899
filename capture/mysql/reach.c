/*
 * Whether a statement that changes rows of one table may change others: by a trigger, through a
 * view, or by a stored function.
 *
 * A name before a parenthesis is no stored function where it is a keyword, or where it is that of a
 * function of the server's own and stands right before the parenthesis ("Function Name Parsing and
 * Resolution" in MySQL's manual). Triggers and views are those that the catalog has now.
 */
#include "capture/mysql/session.h"
#include "schema/mysql/mysql_grants.h"

#include <string.h>

static const char *const keywords[] = {
    "all",    "and",   "any",   "as",     "between", "by",    "case", "distinct", "else",
    "exists", "from",  "group", "in",     "into",    "is",    "key",  "like",     "not",
    "on",     "or",    "over",  "row",    "select",  "set",   "some", "then",     "union",
    "update", "using", "value", "values", "when",    "where", "xor",
};

static const char *const functions[] = {
    "abs",
    "adddate",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "coalesce",
    "concat",
    "concat_ws",
    "connection_id",
    "conv",
    "convert",
    "count",
    "crc32",
    "curdate",
    "current_timestamp",
    "current_user",
    "curtime",
    "database",
    "date",
    "date_add",
    "date_format",
    "date_sub",
    "datetime",
    "day",
    "decimal",
    "extract",
    "floor",
    "format",
    "from_unixtime",
    "greatest",
    "group_concat",
    "hex",
    "hour",
    "if",
    "ifnull",
    "instr",
    "isnull",
    "json_array",
    "json_extract",
    "json_object",
    "json_set",
    "json_unquote",
    "least",
    "left",
    "length",
    "locate",
    "lower",
    "lpad",
    "ltrim",
    "max",
    "md5",
    "microsecond",
    "min",
    "minute",
    "mod",
    "month",
    "now",
    "nullif",
    "power",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "second",
    "sha1",
    "sha2",
    "sign",
    "str_to_date",
    "subdate",
    "substr",
    "substring",
    "substring_index",
    "sum",
    "sysdate",
    "time",
    "timediff",
    "timestamp",
    "timestampadd",
    "timestampdiff",
    "to_days",
    "trim",
    "truncate",
    "unhex",
    "unix_timestamp",
    "upper",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "version",
    "year",
};

static bool is_one_of(const char *const *names, gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++)
        if (g_ascii_strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_own(const char *call)
{
    g_autofree char *name = g_strchomp(g_strdup(call));
    return is_one_of(keywords, G_N_ELEMENTS(keywords), name) ||
           is_one_of(functions, G_N_ELEMENTS(functions), call);
}

/* Triggers are only shown to those who may make them. */
static bool sees_triggers(Source *source, const char *database, bool *sees, GError **error)
{
    MYSQL *mysql = mysql_source_session(source, error);
    if (!mysql)
        return false;
    MYSQL_RES *answer = mysql_query(mysql, "show grants") == 0 ? mysql_store_result(mysql) : NULL;
    if (!answer)
        return mysql_source_fail(source, "show grants", error);
    g_autoptr(MysqlGrants) grants = mysql_grants_new(true);
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(answer)))
        mysql_grants_add(grants, row[0]);
    mysql_free_result(answer);
    *sees = mysql_grants_has(grants, "TRIGGER", database);
    return true;
}

static bool has_triggers(Source *source, const QueryTable *table, bool *has, GError **error)
{
    g_autoptr(GString) sql = g_string_new("select (select count(*) from information_schema.tables "
                                          "where table_type = 'BASE TABLE' and "
                                          "table_schema = ");
    mysql_session_append_literal(sql, table->database);
    g_string_append(sql, " and table_name = ");
    mysql_session_append_literal(sql, table->table);
    g_string_append(sql, ") = 0 or exists (select 1 from information_schema.triggers where "
                         "event_object_schema = ");
    mysql_session_append_literal(sql, table->database);
    g_string_append(sql, " and event_object_table = ");
    mysql_session_append_literal(sql, table->table);
    g_string_append_c(sql, ')');
    g_autofree char *answer = mysql_source_ask(source, sql->str, error);
    *has = g_strcmp0(answer, "0") != 0;
    return answer != NULL;
}

bool mysql_source_reaches(void *user, const QueryMeaning *meaning, const char **why, GError **error)
{
    const QueryTable *table = meaning->tables->pdata[0];
    bool sees = false, has = false;
    *why = "which may call a stored function";
    for (guint i = 0; i < meaning->calls->len; i++)
        if (!is_own(meaning->calls->pdata[i]))
            return true;
    if (!sees_triggers(user, table->database, &sees, error) ||
        !has_triggers(user, table, &has, error))
        return false;
    *why = !sees ? "and whether triggers of its table change tables that are moved can only be "
                   "told with the right TRIGGER on its database"
           : has ? "of a view, a table with triggers or one that is gone"
                 : NULL;
    return true;
}
