/*
 * Config endpoint: one side of a migration file as an Endpoint: address, password, TLS.
 *
 * A password comes from a file or the environment and goes into Endpoint.password only: into no
 * URL, no message and no stored text. What a URL may say is each engine's own affair:
 * config_endpoint_pg.c and config_endpoint_mysql.c.
 */
#pragma once

#include "deploy/settings.h"
#include "proto/endpoint.h"

#include <glib.h>

/* What tells two databases apart. */
typedef struct EndpointAddress {
    const char *engine; /* Endpoint.engine */
    char *host;         /* "[local]" for libpq's default socket */
    char *port;
    char *database; /* NULL where a service names it */
    char *service;  /* of pg_service.conf; NULL */
} EndpointAddress;

void endpoint_address_clear(EndpointAddress *address);
bool endpoint_address_equal(const EndpointAddress *a, const EndpointAddress *b);

/* setting: the mapping `source` or `target`. NULL and at least one problem where it is not fit for
 * use; *address is filled where the result is not NULL. */
Endpoint *config_endpoint_read(const Setting *setting, ConfigEnvironment environment,
                               Problems *problems, EndpointAddress *address);
