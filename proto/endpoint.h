/*
 * Endpoint: where a database is and how to reach it. Filled from the migration file, read by the
 * drivers. Holds the password in memory only; `label` is what messages print.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Endpoint {
    char *side;     /* "source" or "target": the first word of messages */
    char *engine;   /* "postgresql", or "mysql" for MySQL and MariaDB */
    char *url;      /* without a password */
    char *password; /* NULL: the client library's own ways (~/.pgpass) */
    char *tls_mode; /* libpq's sslmode words; NULL: the library's default */
    char *tls_ca;   /* files; NULL where not given */
    char *tls_cert;
    char *tls_key;
    char *label; /* "source db1:5432/shop" */
    /* MySQL's and MariaDB's, of a source: */
    guint32 era;  /* of the positions in its log (proto/position.h) */
    char *server; /* the only one whose positions they are; NULL: not known yet */
} Endpoint;

/* Overwrites the password before it gives the memory back. NULL is fine. */
void endpoint_free(Endpoint *endpoint);

/* MySQL or MariaDB: which of the two only the server itself can tell. */
bool endpoint_is_mysql(const Endpoint *endpoint);
