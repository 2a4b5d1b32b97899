/*
 * Position: where in a source's log. Ordered pairs compare by (major, minor).
 *
 * PostgreSQL: major is an LSN (a transaction's position is the end of its commit record), minor 0.
 * MySQL without GTIDs: file number and offset. SQL Server: the first 8 and the last 2 bytes of the
 * LSN. Engines whose resume point is not an ordered pair (GTID sets) add a resume text to the
 * transaction; the pair still orders events of one server.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Position {
    guint64 major;
    guint64 minor;
} Position;

#define POSITION_TEXT_SIZE 56

/* <0, 0, >0 as a is before, at or after b. */
int position_compare(Position a, Position b);
bool position_is_zero(Position position);

/* "HI/LO" in hexadecimal as PostgreSQL prints an LSN; ":MINOR" follows where minor is not 0.
 * Writes into text (POSITION_TEXT_SIZE bytes) and returns it. */
char *position_format(Position position, char *text);

/* Reads what position_format writes. False where the text is not of that form. */
bool position_parse(const char *text, Position *position);
