/*
 * Net: batches for TargetOps.write as a test writes them down, in the texts of the target's types.
 */
#pragma once

#include "proto/target.h"
#include "tests/support/scratch.h"

#include <glib.h>

/* A cell that the log did not carry. */
extern const char net_unchanged[];

/* public.<name> as the catalog of the scratch database has it; both sides have its name. */
Table *net_table_load(Scratch *scratch, guint32 id, const char *name);

typedef struct Net {
    Scratch *scratch;
    NetTable table;
    GPtrArray *rows; /* NetRow * */
    GPtrArray *held; /* what the rows point at */
} Net;

Net *net_new(Scratch *scratch, const Table *table);
void net_free(Net *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Net, net_free)

/* values: one text a column, NULL for null. base: the texts of the base key; NULL: the own key
 * where a cell is unchanged. The row stays the net's. */
NetRow *net_add(Net *net, NetKind kind, const char *const *values, const char *const *base);
/* key: one text a column of the key. */
NetRow *net_add_delete(Net *net, const char *const *key);

/* The batch, for TargetOps.write. */
NetTable *net_batch(Net *net);

#define NET_VALUES(...) ((const char *const[]){__VA_ARGS__})
