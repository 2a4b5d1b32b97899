/* Which server a session is on. */
#include "capture/mysql/session.h"
#include "proto/error.h"

#include <string.h>

char *mysql_source_identity(MYSQL *mysql, GError **error)
{
    return mysql_session_ask(mysql,
                             mysql_session_is_mariadb(mysql)
                                 ? "select concat('mariadb server_id ', @@global.server_id)"
                                 : "select @@global.server_uuid",
                             error);
}

bool mysql_source_check_server(const Endpoint *endpoint, MYSQL *mysql, GError **error)
{
    if (!endpoint->server)
        return true;
    g_autofree char *found = mysql_source_identity(mysql, error);
    if (!found || strcmp(found, endpoint->server) == 0)
        return found != NULL;
    g_set_error(
        error, DROVER_ERROR, DROVER_ERROR_RESTART,
        "%s: this is now another server (%s) than the one whose log is followed (%s): start "
        "drover again, so that it can check the history of the new one and go on there",
        endpoint->label, found, endpoint->server);
    return false;
}
