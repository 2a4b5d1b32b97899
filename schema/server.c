#include "schema/server.h"

#include "proto/endpoint.h"

#include <stdlib.h>
#include <string.h>

/* How long a server may think about one question of the catalog or the preflight. */
#define READ_TIMEOUT 600

/* "15.20 (Debian ...)" is 15.20, "10.11.14-MariaDB-0+deb12u2-log" 10.11.14. */
static char *short_version(const char *version)
{
    return g_strndup(version, strcspn(version, " -"));
}

static int version_number(const char *version)
{
    char *end;
    long major = strtol(version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, &end, 10) : 0;
    long patch = *end == '.' ? strtol(end + 1, &end, 10) : 0;
    return (int)(major * 10000 + minor * 100 + patch);
}

static bool open_pg(Server *server, const char *label, GError **error)
{
    server->pg = pg_connect(server->endpoint, label, PG_ORDINARY, error);
    if (server->pg == NULL)
        return false;
    server->version = PQserverVersion(server->pg);
    server->version_text = short_version(PQparameterStatus(server->pg, "server_version"));
    return true;
}

/* Asked by SQL: what the handshake says has another server's number in front of MariaDB's. */
static bool open_mysql(Server *server, const char *label, GError **error)
{
    server->mysql = mysql_session_open(server->endpoint, label, READ_TIMEOUT, error);
    if (server->mysql == NULL)
        return false;
    g_autofree char *version = mysql_session_ask(server->mysql, "select version()", error);
    if (version == NULL) {
        g_prefix_error(error, "%s: ", server->endpoint->label);
        return false;
    }
    server->is_mariadb = mysql_session_is_mariadb(server->mysql);
    server->version = version_number(version);
    server->version_text = short_version(version);
    return true;
}

Server *server_open(const Endpoint *endpoint, const char *label, GError **error)
{
    g_autoptr(Server) server = g_new0(Server, 1);
    server->endpoint = endpoint;
    bool open = endpoint_is_mysql(endpoint) ? open_mysql(server, label, error)
                                            : open_pg(server, label, error);
    return open ? g_steal_pointer(&server) : NULL;
}

void server_close(Server *server)
{
    if (server == NULL)
        return;
    g_clear_pointer(&server->pg, PQfinish);
    g_clear_pointer(&server->mysql, mysql_close);
    g_free(server->version_text);
    g_free(server);
}

const char *server_product(const Server *server)
{
    if (server->pg != NULL)
        return "PostgreSQL";
    return server->is_mariadb ? "MariaDB" : "MySQL";
}
