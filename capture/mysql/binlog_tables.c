#include "capture/mysql/binlog_tables.h"

#include <string.h>

/* More tables than one file refers to by far: a bound for the memory of a file that lasts. */
#define MANY_TABLES 4096

struct BinlogTables {
    GHashTable *by_id; /* guint64 (inside of the entry) to BinlogTableEntry */
    guint64 serial;
};

BinlogTableEntry *binlog_table_entry_new(const guint8 *body, gsize size)
{
    BinlogTableEntry *entry = g_new0(BinlogTableEntry, 1);
    entry->arena = arena_new(1024);
    entry->body = arena_copy(entry->arena, body, size);
    entry->body_size = size;
    return entry;
}

void binlog_table_entry_free(BinlogTableEntry *entry)
{
    if (!entry)
        return;
    arena_free(entry->arena);
    g_free(entry);
}

static void free_entry(gpointer entry)
{
    binlog_table_entry_free(entry);
}

BinlogTables *binlog_tables_new(void)
{
    BinlogTables *tables = g_new0(BinlogTables, 1);
    tables->by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_entry);
    return tables;
}

void binlog_tables_free(BinlogTables *tables)
{
    if (!tables)
        return;
    g_hash_table_unref(tables->by_id);
    g_free(tables);
}

void binlog_tables_clear(BinlogTables *tables)
{
    g_hash_table_remove_all(tables->by_id);
}

void binlog_tables_trim(BinlogTables *tables)
{
    if (g_hash_table_size(tables->by_id) > MANY_TABLES)
        binlog_tables_clear(tables);
}

const BinlogTableMap *binlog_tables_find(BinlogTables *tables, guint64 id)
{
    const BinlogTableEntry *entry = g_hash_table_lookup(tables->by_id, &id);
    return entry ? &entry->map : NULL;
}

const BinlogTableMap *binlog_tables_find_same(BinlogTables *tables, guint64 id, const guint8 *body,
                                              gsize size)
{
    const BinlogTableEntry *entry = g_hash_table_lookup(tables->by_id, &id);
    if (!entry || entry->body_size != size || memcmp(entry->body, body, size) != 0)
        return NULL;
    return &entry->map;
}

const BinlogTableMap *binlog_tables_add(BinlogTables *tables, BinlogTableEntry *entry)
{
    entry->map.serial = ++tables->serial;
    g_hash_table_replace(tables->by_id, &entry->map.id, entry);
    return &entry->map;
}
