#include "proto/endpoint.h"

#include <string.h>

void endpoint_free(Endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    if (endpoint->password != NULL)
        explicit_bzero(endpoint->password, strlen(endpoint->password));
    g_free(endpoint->side);
    g_free(endpoint->engine);
    g_free(endpoint->url);
    g_free(endpoint->password);
    g_free(endpoint->tls_mode);
    g_free(endpoint->tls_ca);
    g_free(endpoint->tls_cert);
    g_free(endpoint->tls_key);
    g_free(endpoint->label);
    g_free(endpoint->server);
    g_free(endpoint);
}

bool endpoint_is_mysql(const Endpoint *endpoint)
{
    return strcmp(endpoint->engine, "mysql") == 0;
}
