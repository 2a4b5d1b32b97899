/*
 * MySQL client library: what a connection asks of it in a way that differs between the two. CMake
 * compiles one of client_mariadb.c (MariaDB Connector/C) and client_oracle.c (Oracle's
 * libmysqlclient). Used by connection_mysql.c alone.
 */
#pragma once

#include "proto/endpoint.h"
#include "schema/connection_mysql_tls.h"

#include <mysql.h>

/* A connection that can be made with every kind of account that drover knows. */
MYSQL *mysql_client_new(void);

/* Before the connection is made. */
void mysql_client_set_tls(MYSQL *mysql, const Endpoint *endpoint, MysqlTlsTry tls);
