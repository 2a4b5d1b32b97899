/*
 * TLS of MySQL connections: the words of tls.mode (libpq's) in the client library's options.
 */
#pragma once

#include "proto/endpoint.h"

#include <glib.h>
#include <mysql.h>

typedef enum {
    MYSQL_TLS_OFF,
    MYSQL_TLS_ON,     /* the certificate is checked where a CA is given */
    MYSQL_TLS_VERIFY, /* also the host's name in it */
} MysqlTlsTry;

/* What to try, in order: 1 or 2; 0 and an error where the settings contradict each other. */
guint mysql_session_tls_tries(const Endpoint *endpoint, MysqlTlsTry tries[2], GError **error);

/* Before the connection is made. */
void mysql_session_set_tls(MYSQL *mysql, const Endpoint *endpoint, MysqlTlsTry tls);
