/*
 * Position: where in a source's log. Ordered pairs compare by (major, minor).
 *
 * PostgreSQL: major is an LSN (a transaction's position is the end of its commit record), minor 0.
 * MySQL, MariaDB: era and number of the binlog file, and offset of the end of the transaction's
 * last event. Places in the logs of two servers cannot be compared: each time that a migration goes
 * on with another server of the same history its era is one higher, and so are all positions. A
 * resume text stands beside the pair wherever the stream may have to start there again: the GTIDs
 * of everything up to it (MySQL a set, MariaDB a list), then, where the stream has to start
 * earlier, " since " and the GTIDs to start after. SQL Server: the first 8 and the last 2 bytes of
 * the LSN.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Position {
    guint64 major;
    guint64 minor;
} Position;

#define POSITION_TEXT_SIZE 48

/* MySQL, MariaDB: the major part of positions in a binlog file, and what is in it. */
static inline guint64 position_major(guint32 era, guint32 file)
{
    return (guint64)era << 32 | file;
}

static inline guint32 position_era(Position position)
{
    return (guint32)(position.major >> 32);
}

/* <0, 0, >0 as a is before, at or after b. */
int position_compare(Position a, Position b);
bool position_is_zero(Position position);

/* Bytes of log from one position to a later one; 0 where it is not later. -1 where the pair does
 * not tell: they are in different files, and how long those are only the server knows. */
gint64 position_distance(Position from, Position to);

/* As the database's own tools write it: "HI/LO" in hexadecimal for an LSN; where minor is not 0,
 * the file's number as the name of a binlog file ends in it, and the offset: "000012:345"; before
 * them the era, where it is not 0: "2:000012:345". Writes into text (POSITION_TEXT_SIZE bytes) and
 * returns it. */
char *position_format(Position position, char *text);

/* Reads what position_format writes. False where the text is not of that form. */
bool position_parse(const char *text, Position *position);
