/*
 * Golden binlogs: what record_binlog.py has recorded from real servers, for tests of the decoder.
 */
#pragma once

#include "capture/mysql/binlog_event.h"

typedef struct GoldenCell {
    guint row;
    guint column;
    GBytes *text; /* NULL: null */
} GoldenCell;

typedef struct Golden {
    GPtrArray *events; /* GBytes */
    GArray *cells;     /* GoldenCell */
} Golden;

extern const char *const golden_names[]; /* ends with NULL */

/* Fails the running test where the file is not there. name: "mysql_events". */
Golden *golden_load(const char *name);
void golden_free(Golden *golden);

/* What the server said of a cell; fails where it said nothing. */
const GoldenCell *golden_cell(const Golden *golden, guint row, guint column);

/* The bytes of an event with its body cut to `size` bytes, and header and checksum made to fit. */
GBytes *golden_cut(GBytes *event, gsize size, bool checksum);
#define GOLDEN_HEADER 19
