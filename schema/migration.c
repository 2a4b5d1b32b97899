#include "schema/migration.h"

static void endpoint_free(Endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    g_free(endpoint->side);
    g_free(endpoint->engine);
    g_free(endpoint->url);
    g_free(endpoint->password);
    g_free(endpoint->tls_mode);
    g_free(endpoint->tls_ca);
    g_free(endpoint->tls_cert);
    g_free(endpoint->tls_key);
    g_free(endpoint->label);
    g_free(endpoint);
}

void migration_free(Migration *migration)
{
    if (migration == NULL)
        return;
    g_free(migration->name);
    g_free(migration->uuid);
    endpoint_free(migration->source);
    endpoint_free(migration->target);
    g_free(migration->bus.path);
    g_free(migration->slot);
    g_free(migration->source_identity);
    g_clear_pointer(&migration->tables, g_ptr_array_unref);
    g_free(migration);
}

const Table *migration_table(const Migration *migration, guint32 id)
{
    if (migration->tables == NULL || id == 0 || id > migration->tables->len)
        return NULL;
    return g_ptr_array_index(migration->tables, id - 1);
}
