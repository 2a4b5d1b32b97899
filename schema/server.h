/*
 * Server: one open session on a database of either engine, for those who ask about a side as a
 * whole: the catalog, the preflight, the plan of the schema. Roles talk to their side through
 * SourceOps and TargetOps instead.
 */
#pragma once

#include "schema/connection_mysql.h"
#include "schema/connection_pg.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Server {
    const Endpoint *endpoint; /* borrowed */
    PGconn *pg;               /* one of the two is NULL */
    MYSQL *mysql;
    bool is_mariadb;    /* false too where it is PostgreSQL */
    int version;        /* PostgreSQL 15.4: 150004; MySQL 8.0.36: 80036; MariaDB 10.6.12: 100612 */
    char *version_text; /* "15.4", "8.0.36", "10.6.12": without what the packager adds */
} Server;

/* Errors as those of pg_connect and mysql_session_open. */
Server *server_open(const Endpoint *endpoint, const char *label, GError **error);
void server_close(Server *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Server, server_close)

/* "PostgreSQL", "MySQL", "MariaDB" */
const char *server_product(const Server *server);
