/*
 * What the files of the endpoints share; nobody else includes it.
 */
#pragma once

#include "deploy/config_endpoint.h"

/* Reads the URL, whose scheme is the engine's, and compares it with `tls` (may be NULL). Any fault
 * is a problem, in words that repeat nothing of the URL's values: they may be a password. Fills
 * host, port, database and service where there is none. */
typedef void (*EndpointRead)(const Setting *url, const Setting *tls, ConfigEnvironment environment,
                             Problems *problems, EndpointAddress *address);

void config_endpoint_pg_read(const Setting *url, const Setting *tls, ConfigEnvironment environment,
                             Problems *problems, EndpointAddress *address);
void config_endpoint_mysql_read(const Setting *url, const Setting *tls,
                                ConfigEnvironment environment, Problems *problems,
                                EndpointAddress *address);

/* A problem of the value: "source.url: message". */
void config_endpoint_refuse(Problems *problems, const Setting *setting, const char *message);

/* The same for every engine. */
extern const char config_endpoint_no_password[];
extern const char config_endpoint_no_database[];
