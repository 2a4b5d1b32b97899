/*
 * MysqlCopyIn: the rows of the copy, from PostgreSQL's binary COPY format (PostgreSQL
 * documentation, COPY, "Binary Format"), which every source gives, into a Bulk.
 *
 * The format: a header of 11 signature bytes, 32 bits of flags and an extension with its length (32
 * bits); per row the number of fields (16 bits) and per field its length (32 bits, -1 for null) and
 * its bytes; -1 (16 bits) at the end. Bytes come in pieces of any size.
 */
#pragma once

#include "apply/mysql/bulk.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

typedef struct MysqlCopyIn {
    const Table *table;
    Bulk bulk;
    Cell *cells;      /* of one row */
    Cell *key;        /* of its key, for messages */
    GByteArray *rest; /* the beginning of what the next piece goes on with */
    bool begun;       /* the header was read */
    bool ended;       /* the end was */
} MysqlCopyIn;

/* The table is the target's; it must stay. */
MysqlCopyIn *mysql_copy_in_new(Target *target, const Table *table);
void mysql_copy_in_free(MysqlCopyIn *copy);

bool mysql_copy_in_put(MysqlCopyIn *copy, const guint8 *data, gsize size, GError **error);
/* *rows: how many the server took. */
bool mysql_copy_in_end(MysqlCopyIn *copy, gint64 *rows, GError **error);
