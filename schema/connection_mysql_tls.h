/*
 * TLS of MySQL connections: what the words of tls.mode (libpq's) mean for them.
 */
#pragma once

#include "proto/endpoint.h"

#include <glib.h>

typedef enum {
    MYSQL_TLS_OFF,
    MYSQL_TLS_ON,     /* the certificate is checked where a CA is given */
    MYSQL_TLS_VERIFY, /* also the host's name in it */
} MysqlTlsTry;

/* What to try, in order: 1 or 2; 0 and an error where the settings contradict each other. */
guint mysql_session_tls_tries(const Endpoint *endpoint, MysqlTlsTry tries[2], GError **error);
