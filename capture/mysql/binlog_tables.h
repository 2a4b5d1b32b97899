/*
 * Tables of a binlog: the maps that row events refer to by number, for as long as one file lasts.
 * Equal bytes give the same map again, so that a map costs its parsing once.
 */
#pragma once

#include "capture/mysql/binlog_table_map.h"
#include "proto/arena.h"

#include <glib.h>
#include <stdbool.h>

typedef struct BinlogTables BinlogTables;

/* A map and the memory of everything it points at. */
typedef struct BinlogTableEntry {
    BinlogTableMap map; /* first */
    Arena *arena;
    guint8 *body; /* of the event */
    gsize body_size;
} BinlogTableEntry;

BinlogTables *binlog_tables_new(void);
void binlog_tables_free(BinlogTables *tables);

/* Forgets all: numbers are a server's, until it is started again. */
void binlog_tables_clear(BinlogTables *tables);
/* Forgets all where there are very many. Between transactions only: each brings its own maps. */
void binlog_tables_trim(BinlogTables *tables);

const BinlogTableMap *binlog_tables_find(BinlogTables *tables, guint64 id);
/* The map that these very bytes gave before; NULL where there is none. */
const BinlogTableMap *binlog_tables_find_same(BinlogTables *tables, guint64 id, const guint8 *body,
                                              gsize size);

/* An empty entry, to be filled and then added (or freed). */
BinlogTableEntry *binlog_table_entry_new(const guint8 *body, gsize size);
void binlog_table_entry_free(BinlogTableEntry *entry);
const BinlogTableMap *binlog_tables_add(BinlogTables *tables, BinlogTableEntry *entry);
