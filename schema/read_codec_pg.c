/*
 * copy (select t.a, t.b from only T as t where ..) to stdout (format binary): after a header, a row
 * is i16 number of columns, then per column what is hashed: i32 length, -1 for null, and the bytes.
 * A number of -1 is the end. A message of the server's has whole rows.
 */
#include "schema/read_codec_pg.h"

#include "proto/byte_reader.h"
#include "schema/row_digest.h"

#include <string.h>

#define HEADER_SIZE 19
#define END_OF_ROWS G_MAXUINT16
static const char signature[11] = "PGCOPY\n\377\r\n";

typedef struct Digester {
    const Table *table;
    guint n;    /* columns */
    bool plain; /* rows are hashed as they come */
    RowDigest digest;
    GByteArray *normal;
} Digester;

static bool take_cell(ByteReader *reader, Cell *cell)
{
    guint32 length;
    *cell = (Cell){.kind = CELL_NULL};
    if (!byte_reader_u32(reader, &length))
        return false;
    if (length == G_MAXUINT32)
        return true;
    *cell = (Cell){.kind = CELL_VALUE, .length = length};
    return byte_reader_bytes(reader, length, &cell->data);
}

/* *more is false at the end of the rows. */
static bool take_row(Digester *digester, ByteReader *reader, bool *more)
{
    guint16 n;
    Cell cell;
    if (!byte_reader_u16(reader, &n) || (n != digester->n && n != END_OF_ROWS))
        return false;
    *more = n != END_OF_ROWS;
    if (!*more)
        return true;
    gsize start = reader->offset;
    g_byte_array_set_size(digester->normal, 0);
    for (guint i = 0; i < digester->n; i++) {
        if (!take_cell(reader, &cell))
            return false;
        if (!digester->plain)
            row_digest_append(digester->normal, row_digest_column(digester->table, i), &cell);
    }
    if (digester->plain)
        row_digest_add(&digester->digest, reader->data + start, reader->offset - start);
    else
        row_digest_add(&digester->digest, digester->normal->data, digester->normal->len);
    return true;
}

static bool take_message(Digester *digester, const guint8 *data, gsize size, bool first)
{
    ByteReader reader = byte_reader(data, size);
    bool more = true;
    if (first) {
        if (size < HEADER_SIZE || memcmp(data, signature, sizeof signature) != 0)
            return false;
        reader.offset = HEADER_SIZE;
    }
    while (more && byte_reader_left(&reader) > 0)
        if (!take_row(digester, &reader, &more))
            return false;
    return true;
}

/* Takes all messages also where one is wrong, so that the session can be used again. */
static bool take_messages(PGconn *connection, Digester *digester, GError **error)
{
    char *message;
    int size;
    bool good = true, first = true;
    while ((size = PQgetCopyData(connection, &message, 0)) > 0) {
        good = good && take_message(digester, (const guint8 *)message, (gsize)size, first);
        first = false;
        PQfreemem(message);
    }
    if (size == -2)
        return pg_fail(connection, NULL, error);
    bool done = true;
    for (PGresult *result; (result = PQgetResult(connection)) != NULL; PQclear(result))
        if (done && PQresultStatus(result) != PGRES_COMMAND_OK)
            done = pg_fail(connection, result, error);
    if (done && !good)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "%s: a binary copy from the server has an unexpected form",
                    digester->table->label);
    return done && good;
}

static bool build(PGconn *connection, const char *schema, const char *name,
                  const ReadRequest *request, GString *sql, GError **error)
{
    const Table *table = request->table;
    g_string_append(sql, "copy (select ");
    for (guint i = 0; i < row_digest_columns(table); i++) {
        g_string_append(sql, i > 0 ? ", t." : "t.");
        pg_append_identifier(sql, row_digest_column(table, i)->name);
    }
    g_string_append(sql, " from only ");
    pg_append_qualified(sql, schema, name);
    g_string_append(sql, " as t");
    if (!pg_append_range(connection, sql, table, &request->range, error))
        return false;
    g_string_append(sql, ") to stdout (format binary)");
    return true;
}

bool pg_read_codec_digest(PGconn *connection, const char *schema, const char *name,
                          ReadRequest *request, GError **error)
{
    const Table *table = request->table;
    g_autoptr(GString) sql = g_string_new(NULL);
    g_autoptr(GByteArray) normal = g_byte_array_new();
    Digester digester = {.table = table,
                         .n = row_digest_columns(table),
                         .plain = row_digest_is_plain(table),
                         .normal = normal};
    if (!build(connection, schema, name, request, sql, error))
        return false;
    g_autoptr(PGresult) started = pg_query(connection, sql->str, error);
    if (started == NULL || !take_messages(connection, &digester, error))
        return false;
    row_digest_finish(&digester.digest, request);
    return true;
}
