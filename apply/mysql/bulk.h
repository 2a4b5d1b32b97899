/*
 * Bulk: many rows into one table, by LOAD DATA LOCAL where the server takes it, else by INSERT
 * statements of many rows.
 *
 * Rows are gathered as text in blocks, and a block is one statement: memory is bounded by the block
 * and the largest row. LOCAL makes LOAD DATA carry on over bad values and duplicate keys with
 * warnings, and an INSERT may round with a note: a warning, or a row that did not go in, is an
 * error of class DATA that names the row.
 */
#pragma once

#include "apply/mysql/session.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

/* A column of the table that is written, and what describes its cells. */
typedef struct BulkColumn {
    char *name; /* quoted */
    const Column *column;
} BulkColumn;

typedef struct Bulk {
    Target *target;  /* not owned */
    bool load;       /* by LOAD DATA */
    GString *start;  /* of each statement: up to VALUES, or all of LOAD DATA */
    GArray *columns; /* BulkColumn */
    GString *text;   /* the block; NULL: not begun */
    gsize head;      /* bytes of the text before the rows */
    gsize limit;     /* of a block, in bytes */
    gsize row_start; /* in text */
    guint cells;     /* put in the row that is open */
    gint64 in_block;
    gint64 sent;
} Bulk;

/* name: of the table, quoted. many: by LOAD DATA where that can be. Columns are added next, and
 * must stay. */
void bulk_init(Bulk *bulk, Target *target, const char *name, bool many);
/* name: not quoted. */
void bulk_add_column(Bulk *bulk, const char *name, const Column *column);
void bulk_clear(Bulk *bulk);

/* The next cell of a row; a cell for each column ends with bulk_end_row. The server's errors come
 * from there or from bulk_end, and name their row. */
bool bulk_put_cell(Bulk *bulk, const Cell *cell, GError **error);
bool bulk_end_row(Bulk *bulk, GError **error);
/* Sends what is left. *rows: all that went in. May be followed by more rows. */
bool bulk_end(Bulk *bulk, gint64 *rows, GError **error);
