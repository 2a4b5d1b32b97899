/*
 * Resume texts of both kinds: a set of MySQL has a colon in it, a list of MariaDB has none.
 */
#include "proto/gtid.h"

#include <string.h>

/* What stands for everything up to the position, without where the stream has to start. */
static char *contained_of(const char *resume)
{
    const char *since = strstr(resume, RESUME_SINCE);
    return since ? g_strndup(resume, (gsize)(since - resume)) : g_strdup(resume);
}

static bool set_contains(const char *whole, const char *part)
{
    g_autoptr(MysqlGtidSet) large = mysql_gtid_set_parse(whole, NULL);
    g_autoptr(MysqlGtidSet) small = mysql_gtid_set_parse(part, NULL);
    return large && small && mysql_gtid_set_contains_set(large, small);
}

static bool list_contains(const char *whole, const char *part)
{
    g_autoptr(MariadbGtids) large = mariadb_gtids_parse(whole, NULL);
    g_autoptr(MariadbGtids) small = mariadb_gtids_parse(part, NULL);
    if (!large || !small)
        return false;
    MariadbGtidsOrder order = mariadb_gtids_compare(small, large);
    return order == MARIADB_GTIDS_EQUAL || order == MARIADB_GTIDS_BEFORE;
}

bool resume_contains(const char *whole, const char *part)
{
    if (!whole || !part)
        return false;
    g_autofree char *large = contained_of(whole), *small = contained_of(part);
    return strchr(large, ':') || strchr(small, ':') ? set_contains(large, small)
                                                    : list_contains(large, small);
}
