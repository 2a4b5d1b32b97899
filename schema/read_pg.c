/*
 * Reads of one table on either side: digests, hashes and rows.
 *
 * What is hashed is the text of row(columns, stored generated columns): a null is an empty field
 * and '' is "", -0 is not 0, and types without an equality operator (json, xml, point) need none.
 * The session's pinned settings make that text the same on both sides. A digest is the row count
 * and the numeric sums of two differently seeded hashes, so the order of the rows does not matter.
 *
 * With `codec` what is hashed are the canonical bytes instead, here and not in the database
 * (row_digest.h): a digest reads a binary COPY of the columns, hashes have them in their answer.
 *
 *   by range:  select .. from only T as t where (k0, k1) >= (..) and (k0, k1) < (..)
 *   by keys:   select .. from (values ($1, $2), ..) as k(k0, k1)
 *              cross join lateral (select .. from only T as t where t.k0 = k.k0 .. offset 0) as r
 *
 * "offset 0" keeps the planner from turning the key look-ups into a scan of the whole table, and in
 * a digest from writing out each row twice. Rows arrive one at a time, in binary.
 */
#include "schema/connection_pg.h"

#include "proto/source.h"
#include "schema/read_codec_pg.h"
#include "schema/row_digest.h"
#include "schema/table.h"

#include <string.h>

#define KEYS_PER_QUERY 1000u
#define PARAMETERS_PER_QUERY 65535u
#define SEED_1 "7205759403792793601"
#define SEED_2 "2305843009213693951"

/* Literals without a type take that of the column. */
static bool append_bound(PGconn *connection, GString *sql, const Table *table, const char *operator,
                         char * const * bound, GError **error)
{
    g_string_append(sql, "(");
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        pg_append_identifier(sql, table->columns[table->key[i]].name);
    }
    g_string_append_printf(sql, ") %s (", operator);
    for (guint i = 0; i < table->n_key; i++) {
        if (bound[i] == NULL) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                        "%s: a bound of a key range has %u of %u values", table->label, i,
                        table->n_key);
            return false;
        }
        g_string_append(sql, i > 0 ? ", " : "");
        if (!pg_append_literal(connection, sql, bound[i], error)) {
            return false;
        }
    }
    g_string_append(sql, ")");
    return true;
}

bool pg_append_range(PGconn *connection, GString *sql, const Table *table, const KeyRange *range,
                     GError **error)
{
    if (range->lower != NULL) {
        g_string_append(sql, " where ");
        if (!append_bound(connection, sql, table, ">=", range->lower, error)) {
            return false;
        }
    }
    if (range->upper != NULL) {
        g_string_append(sql, range->lower != NULL ? " and " : " where ");
        return append_bound(connection, sql, table, "<", range->upper, error);
    }
    return true;
}

/* The row's text in UTF-8 bytes: a server of another encoding hashes the same bytes as one of
 * UTF-8. */
static void append_row_text(PGconn *connection, GString *sql, const Table *table)
{
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    bool convert =
        encoding != NULL && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0;
    g_string_append(sql, convert ? "convert_from(convert_to(row(" : "row(");
    for (guint i = 0; i < table->n_columns + table->n_generated; i++) {
        const Column *column =
            i < table->n_columns ? &table->columns[i] : &table->generated[i - table->n_columns];
        g_string_append(sql, i > 0 ? ", t." : "t.");
        pg_append_identifier(sql, column->name);
    }
    g_string_append(sql, convert ? ")::text, 'UTF8'), 'SQL_ASCII')" : ")::text");
}

static void append_from(GString *sql, const char *schema, const char *name)
{
    g_string_append(sql, " from only ");
    pg_append_qualified(sql, schema, name);
    g_string_append(sql, " as t");
}

static bool read_digest(PGconn *connection, const char *schema, const char *name,
                        ReadRequest *request, GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("select count(*), coalesce(sum(hashtextextended(r, " SEED_1 ")), 0), "
                     "coalesce(sum(hashtextextended(r, " SEED_2 ")), 0) from (select ");
    append_row_text(connection, sql, request->table);
    g_string_append(sql, " as r");
    append_from(sql, schema, name);
    if (!pg_append_range(connection, sql, request->table, &request->range, error)) {
        return false;
    }
    g_string_append(sql, " offset 0) as x");
    g_autoptr(PGresult) result = pg_query(connection, sql->str, error);
    if (result == NULL) {
        return false;
    }
    request->rows = g_ascii_strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    g_free(request->digest_1);
    g_free(request->digest_2);
    request->digest_1 = g_strdup(PQgetvalue(result, 0, 1));
    request->digest_2 = g_strdup(PQgetvalue(result, 0, 2));
    return true;
}

/* The columns that are compared with the keys of a request. */
static guint n_compared(const ReadRequest *request)
{
    return request->kind == READ_CHILDREN ? request->n_columns : request->table->n_key;
}

static guint compared(const ReadRequest *request, guint place)
{
    return request->kind == READ_CHILDREN ? request->columns[place] : request->table->key[place];
}

static bool answers_with_rows(const ReadRequest *request)
{
    return request->kind == READ_ROWS || request->kind == READ_CHILDREN;
}

/* Columns of the answer to a hash: 0 where the database makes it. */
static guint hashed_columns(const ReadRequest *request)
{
    return request->kind == READ_HASHES && request->codec ? row_digest_columns(request->table) : 0;
}

/* The columns of which an answer has the values: of a row, of its key, or to be hashed. */
static guint n_outputs(const ReadRequest *request)
{
    if (request->kind == READ_CHILDREN)
        return request->table->n_key;
    return request->kind == READ_ROWS ? request->table->n_columns : hashed_columns(request);
}

static const Column *output(const ReadRequest *request, guint place)
{
    const Table *table = request->table;
    return request->kind == READ_CHILDREN ? &table->columns[table->key[place]]
                                          : row_digest_column(table, place);
}

/* What one row of the answer holds: READ_ROWS all columns and the version, READ_CHILDREN the key
 * and the version, READ_HASHES the hash, or the columns that it is made of, and the version; the
 * key cells of hashes are put in front by the callers. */
static void append_outputs(PGconn *connection, GString *sql, const ReadRequest *request)
{
    guint n = n_outputs(request);
    for (guint i = 0; i < n; i++) {
        g_string_append(sql, "t.");
        pg_append_identifier(sql, output(request, i)->name);
        g_string_append_printf(sql, " as c%u, ", i);
    }
    if (n == 0) {
        g_string_append(sql, "hashtextextended(");
        append_row_text(connection, sql, request->table);
        g_string_append(sql, ", " SEED_1 ") as hash, ");
    }
    g_string_append(sql, "t.xmin::text::bigint as version");
}

static bool build_by_range(PGconn *connection, const char *schema, const char *name,
                           const ReadRequest *request, GString *sql, GError **error)
{
    const Table *table = request->table;
    g_string_assign(sql, "select ");
    for (guint i = 0; request->kind == READ_HASHES && i < table->n_key; i++) {
        g_string_append(sql, "t.");
        pg_append_identifier(sql, table->columns[table->key[i]].name);
        g_string_append(sql, request->key_texts ? "::text, " : ", ");
    }
    append_outputs(connection, sql, request);
    append_from(sql, schema, name);
    return pg_append_range(connection, sql, table, &request->range, error);
}

static void build_by_keys(PGconn *connection, const char *schema, const char *name,
                          const ReadRequest *request, guint n_keys, GString *sql)
{
    const Table *table = request->table;
    guint n = n_compared(request);
    g_string_assign(sql, "select ");
    for (guint i = 0; request->kind == READ_HASHES && i < n; i++) {
        g_string_append_printf(sql, "k.k%u%s, ", i, request->key_texts ? "::text" : "");
    }
    g_string_append(sql, "r.* from (values ");
    for (guint i = 0; i < n_keys * n; i++) {
        bool first = i % n == 0;
        g_string_append_printf(sql, "%s$%u", !first ? ", " : i > 0 ? "), (" : "(", i + 1);
    }
    g_string_append(sql, ")) as k(");
    for (guint i = 0; i < n; i++) {
        g_string_append_printf(sql, "%sk%u", i > 0 ? ", " : "", i);
    }
    g_string_append(sql, ") cross join lateral (select ");
    append_outputs(connection, sql, request);
    append_from(sql, schema, name);
    for (guint i = 0; i < n; i++) {
        g_string_append(sql, i > 0 ? " and t." : " where t.");
        pg_append_identifier(sql, table->columns[compared(request, i)].name);
        g_string_append_printf(sql, " = k.k%u", i);
    }
    g_string_append(sql, " offset 0) as r");
}

/* What rows of an answer are turned into. */
typedef struct Emit {
    ReadRequest *request;
    const ReadSink *sink;
    Cell *cells;
    GByteArray *hashed;
} Emit;

static bool fail_answer(const Table *table, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "%s: the answer to a read has an unexpected form", table->label);
    return false;
}

static Cell cell_of(const PGresult *result, guint field)
{
    bool null = PQgetisnull(result, 0, (int)field) != 0;
    return (Cell){.kind = null ? CELL_NULL : CELL_VALUE,
                  .data = null ? NULL : (const guint8 *)PQgetvalue(result, 0, (int)field),
                  .length = null ? 0 : (guint32)PQgetlength(result, 0, (int)field)};
}

static guint64 number_of(const PGresult *result, guint field)
{
    guint64 number;
    memcpy(&number, PQgetvalue(result, 0, (int)field), sizeof number);
    return GUINT64_FROM_BE(number);
}

/* The hash of the columns in fields from `first` on. */
static guint64 hash_columns(Emit *emit, const PGresult *result, guint first, guint n)
{
    g_byte_array_set_size(emit->hashed, 0);
    for (guint i = 0; i < n; i++) {
        Cell cell = cell_of(result, first + i);
        row_digest_append(emit->hashed, row_digest_column(emit->request->table, i), &cell);
    }
    return row_digest_hash(emit->hashed->data, emit->hashed->len);
}

/* In normal form, so that both sides' keys are the same bytes; a key that was asked for, and a
 * text, stays as it is. */
static bool emit_hash(Emit *emit, const PGresult *result, guint64 version, GError **error)
{
    const Table *table = emit->request->table;
    guint n = hashed_columns(emit->request);
    Row key = {.cells = emit->cells, .n_cells = table->n_key};
    guint64 hash =
        n > 0 ? hash_columns(emit, result, table->n_key, n) : number_of(result, table->n_key);
    if (n > 0 && emit->request->keys == NULL && !emit->request->key_texts) {
        g_byte_array_set_size(emit->hashed, 0);
        for (guint i = 0; i < table->n_key; i++)
            row_digest_append(emit->hashed, &table->columns[table->key[i]], &key.cells[i]);
        row_digest_split(emit->hashed, key.cells, key.n_cells);
    }
    return emit->sink->hash(emit->sink->user, &key, hash, version, error);
}

static bool emit_row(Emit *emit, const PGresult *result, GError **error)
{
    const Table *table = emit->request->table;
    bool rows = answers_with_rows(emit->request);
    guint n_cells = emit->request->kind == READ_ROWS ? table->n_columns : table->n_key;
    guint n_hashed = hashed_columns(emit->request);
    guint last = n_cells + (rows ? 0 : n_hashed > 0 ? n_hashed : 1);
    if (PQnfields(result) != (int)last + 1 || PQgetlength(result, 0, (int)last) != 8 ||
        (!rows && n_hashed == 0 && PQgetlength(result, 0, (int)n_cells) != 8))
        return fail_answer(table, error);
    for (guint i = 0; i < n_cells; i++)
        emit->cells[i] = cell_of(result, i);
    guint64 version = number_of(result, last);
    Row row = {.cells = emit->cells, .n_cells = n_cells};
    emit->request->rows++;
    return rows ? emit->sink->row(emit->sink->user, &row, version, error)
                : emit_hash(emit, result, version, error);
}

/* Ends a query whose rows are no longer wanted, so that the session can be used again. */
static void abandon(PGconn *connection)
{
    PGcancel *cancel = PQgetCancel(connection);
    if (cancel != NULL) {
        char message[256];
        (void)PQcancel(cancel, message, sizeof message);
        PQfreeCancel(cancel);
    }
    for (PGresult *result; (result = PQgetResult(connection)) != NULL;) {
        PQclear(result);
    }
}

/* Hands every row of the query that was just sent to the sink. */
static bool receive_rows(PGconn *connection, ReadRequest *request, const ReadSink *sink,
                         GError **error)
{
    g_autofree Cell *cells = g_new(Cell, MAX(request->table->n_columns, request->table->n_key));
    g_autoptr(GByteArray) hashed = g_byte_array_new();
    Emit emit = {.request = request, .sink = sink, .cells = cells, .hashed = hashed};
    bool good = true;
    PQsetSingleRowMode(connection);
    for (PGresult *result; good && (result = PQgetResult(connection)) != NULL;) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE) {
            good = emit_row(&emit, result, error);
        } else if (status != PGRES_TUPLES_OK) {
            good = pg_fail(connection, result, error);
        }
        PQclear(result);
    }
    if (!good) {
        abandon(connection);
    }
    return good;
}

static bool read_by_range(PGconn *connection, const char *schema, const char *name,
                          ReadRequest *request, const ReadSink *sink, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    if (!build_by_range(connection, schema, name, request, sql, error)) {
        return false;
    }
    if (PQsendQueryParams(connection, sql->str, 0, NULL, NULL, NULL, NULL, 1) == 0) {
        return pg_fail(connection, NULL, error);
    }
    return receive_rows(connection, request, sink, error);
}

static bool send_keys(PGconn *connection, const char *sql, const ReadRequest *request,
                      const Row *keys, guint n_keys, GError **error)
{
    const Table *table = request->table;
    guint n_places = n_compared(request), n = n_keys * n_places;
    g_autofree Oid *types = g_new(Oid, n);
    g_autofree const char **values = g_new(const char *, n);
    g_autofree int *lengths = g_new(int, n);
    g_autofree int *formats = g_new(int, n);
    for (guint i = 0; i < n; i++) {
        guint place = i % n_places;
        const Row *key = &keys[i / n_places];
        if (key->n_cells != n_places || key->cells[place].kind != CELL_VALUE) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                        "%s: a key to read is not a value in every column", table->label);
            return false;
        }
        const Cell *cell = &key->cells[place];
        types[i] = table->columns[compared(request, place)].type_oid;
        values[i] = cell->data != NULL ? (const char *)cell->data : "";
        lengths[i] = (int)cell->length;
        formats[i] = 1;
    }
    if (PQsendQueryParams(connection, sql, (int)n, types, values, lengths, formats, 1) == 0) {
        return pg_fail(connection, NULL, error);
    }
    return true;
}

static bool read_by_keys(PGconn *connection, const char *schema, const char *name,
                         ReadRequest *request, const ReadSink *sink, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    guint batch = MIN(KEYS_PER_QUERY, PARAMETERS_PER_QUERY / n_compared(request));
    guint built = 0;
    for (guint done = 0; done < request->n_keys;) {
        guint n = MIN(batch, request->n_keys - done);
        if (n != built) {
            build_by_keys(connection, schema, name, request, n, sql);
            built = n;
        }
        if (!send_keys(connection, sql->str, request, request->keys + done, n, error) ||
            !receive_rows(connection, request, sink, error)) {
            return false;
        }
        done += n;
    }
    return true;
}

/* pg_relation_filenode sees the catalog of now, pg_class under an older snapshot would not; the
 * read's lock keeps the table from being rewritten after it. */
static bool read_storage(PGconn *connection, const char *schema, const char *name,
                         ReadRequest *request, GError **error)
{
    g_autoptr(GString) qualified = g_string_new(NULL);
    pg_append_qualified(qualified, schema, name);
    g_autoptr(GString) sql = g_string_new("select pg_relation_filenode(");
    if (!pg_append_literal(connection, sql, qualified->str, error)) {
        return false;
    }
    g_string_append(sql, "::regclass)");
    g_autoptr(PGresult) result = pg_query(connection, sql->str, error);
    if (result == NULL) {
        return false;
    }
    request->storage = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    return true;
}

bool pg_read(PGconn *connection, const char *schema, const char *name, ReadRequest *request,
             const ReadSink *sink, GError **error)
{
    bool by_keys = answers_with_rows(request) || request->keys != NULL;
    bool good = false;
    request->rows = 0;
    if (request->kind == READ_DIGEST) {
        good = request->codec ? pg_read_codec_digest(connection, schema, name, request, error)
                              : read_digest(connection, schema, name, request, error);
    } else if (request->kind == READ_COPY || request->table->n_key == 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "kind %d is no read by rows of a key",
                    (int)request->kind);
    } else if (by_keys) {
        good = read_by_keys(connection, schema, name, request, sink, error);
    } else {
        good = read_by_range(connection, schema, name, request, sink, error);
    }
    if (!good) {
        g_prefix_error(error, "reading %s.%s: ", schema, name);
        return false;
    }
    return read_storage(connection, schema, name, request, error);
}
