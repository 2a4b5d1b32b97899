#include "schema/migration.h"

void migration_free(Migration *migration)
{
    if (migration == NULL)
        return;
    g_free(migration->name);
    g_free(migration->uuid);
    endpoint_free(migration->source);
    endpoint_free(migration->target);
    bus_options_clear(&migration->bus);
    g_free(migration->slot);
    g_free(migration->source_identity);
    g_free(migration->start_resume);
    g_clear_pointer(&migration->tables, g_ptr_array_unref);
    g_free(migration);
}

bool migration_has_slot(const Migration *migration)
{
    return !endpoint_is_mysql(migration->source);
}

const Table *migration_table(const Migration *migration, guint32 id)
{
    if (migration->tables == NULL || id == 0 || id > migration->tables->len)
        return NULL;
    return g_ptr_array_index(migration->tables, id - 1);
}
