#include "apply/postgres/copy_in.h"

#include <string.h>

bool copy_in_begin(CopyIn *copy, PGconn *connection, const char *sql, GError **error)
{
    copy->connection = connection;
    copy->used = 0;
    g_autoptr(PGresult) result = pg_query(connection, sql, error);
    if (result == NULL)
        return false;
    if (PQresultStatus(result) == PGRES_COPY_IN)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "no copy was started by: %s", sql);
    return false;
}

/* Takes the answers that are left, so that the connection can be used again. */
static PGresult *take_answer(PGconn *connection)
{
    PGresult *first = PQgetResult(connection);
    while (first != NULL && PQstatus(connection) == CONNECTION_OK) {
        g_autoptr(PGresult) next = PQgetResult(connection);
        if (next == NULL)
            break;
    }
    return first;
}

/* libpq refuses data once the server has answered with an error, which is then what to tell. */
static bool fail(CopyIn *copy, GError **error)
{
    if (PQstatus(copy->connection) != CONNECTION_OK)
        return pg_fail(copy->connection, NULL, error);
    g_autoptr(PGresult) result = take_answer(copy->connection);
    return pg_fail(copy->connection, result, error);
}

static bool flush(CopyIn *copy, GError **error)
{
    gsize used = copy->used;
    copy->used = 0;
    if (used == 0 || PQputCopyData(copy->connection, (const char *)copy->buffer, (int)used) == 1)
        return true;
    return fail(copy, error);
}

bool copy_in_put(CopyIn *copy, const void *data, gsize size, GError **error)
{
    const guint8 *bytes = data;
    while (size > 0) {
        gsize piece = MIN(size, COPY_IN_PIECE - copy->used);
        memcpy(copy->buffer + copy->used, bytes, piece);
        copy->used += piece;
        bytes += piece;
        size -= piece;
        if (copy->used == COPY_IN_PIECE && !flush(copy, error))
            return false;
    }
    return true;
}

bool copy_in_put_int16(CopyIn *copy, gint16 value, GError **error)
{
    gint16 wire = GINT16_TO_BE(value);
    return copy_in_put(copy, &wire, sizeof wire, error);
}

bool copy_in_put_int32(CopyIn *copy, gint32 value, GError **error)
{
    gint32 wire = GINT32_TO_BE(value);
    return copy_in_put(copy, &wire, sizeof wire, error);
}

bool copy_in_end(CopyIn *copy, gint64 *rows, GError **error)
{
    if (!flush(copy, error))
        return false;
    if (PQputCopyEnd(copy->connection, NULL) != 1)
        return fail(copy, error);
    g_autoptr(PGresult) result = take_answer(copy->connection);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return pg_fail(copy->connection, result, error);
    *rows = g_ascii_strtoll(PQcmdTuples(result), NULL, 10);
    return true;
}
