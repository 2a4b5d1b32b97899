/*
 * CopyIn: sends the bytes of one COPY ... FROM STDIN.
 *
 * Bytes are gathered into pieces of COPY_IN_PIECE, whatever sizes they come in: small ones cost a
 * message each, and libpq would hold a large one several times. Used for the rows of the copy and
 * for the stages.
 */
#pragma once

#include "schema/connection_pg.h"

#include <glib.h>
#include <stdbool.h>

#define COPY_IN_PIECE 65536

typedef struct CopyIn {
    PGconn *connection; /* not owned */
    gsize used;
    guint8 buffer[COPY_IN_PIECE];
} CopyIn;

/* sql: a COPY ... FROM STDIN statement. Ends nothing that was open: a rollback does. */
bool copy_in_begin(CopyIn *copy, PGconn *connection, const char *sql, GError **error);
bool copy_in_put(CopyIn *copy, const void *data, gsize size, GError **error);

/* Big-endian numbers of COPY's binary format (PostgreSQL documentation, COPY, "Binary Format"). */
bool copy_in_put_int16(CopyIn *copy, gint16 value, GError **error);
bool copy_in_put_int32(CopyIn *copy, gint32 value, GError **error);

/* *rows: how many the server took. */
bool copy_in_end(CopyIn *copy, gint64 *rows, GError **error);
