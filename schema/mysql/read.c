/*
 *   by range:  select t.`a`, t.`b` * 1e0, .. from `schema`.`name` as t where ..
 *   by keys:   the same, where t.`k` in (..)
 *
 * How the columns are read is found out with "limit 0" first: that answer says what each is on this
 * server. Of the rows that a look-up by keys finds, only those count whose key has the very bytes
 * that were asked for; a collation may find others. Children are those that the database takes for
 * such.
 *
 * A row is built in the form of a binary COPY: i16 number of cells (not where it is hashed), and
 * per cell an i32 length, -1 for null, and the bytes.
 */
#include "schema/mysql/read.h"

#include "proto/error.h"
#include "schema/mysql/charset.h"
#include "schema/mysql/key_sql.h"
#include "schema/mysql/value.h"
#include "schema/row_digest.h"
#include "schema/table.h"

#include <string.h>
#include <sys/socket.h>

#define BLOCK_SIZE (256 * 1024)
#define KEYS_PER_QUERY 500u
#define SQL_LIMIT (1024 * 1024)
#define ROWS_SKIPPED 1000000 /* after a failure; more cost more than a new session */
#define LENGTH_SIZE 4

static const char copy_header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
#define COPY_HEADER_SIZE 19

/* A column of the answer. */
typedef struct Field {
    MysqlValue value;
    bool has_normal_form;
    guint start; /* where its length stands in `row` */
} Field;

typedef struct Reader {
    MYSQL *mysql;
    const char *schema;
    const char *name;
    ReadRequest *request;
    const ReadSink *sink;
    guint n_fields;
    Field *fields;
    GString *columns;   /* "t.`a`, t.`b` * 1e0" */
    GByteArray *row;    /* or a block of rows */
    GByteArray *normal; /* the row as it is hashed, where that differs */
    GByteArray *scratch;
    bool hashed; /* values are wanted in their normal form */
    bool plain;  /* no column has a normal form */
    Cell *cells;
    GString *texts;
    GHashTable *asked; /* by keys: Asked * */
    RowDigest digest;
} Reader;

/* A key that was asked for, by the bytes that a row's key has in `row`. */
typedef struct Asked {
    const Row *key;
    gsize size;
    guint8 bytes[];
} Asked;

static guint asked_hash(gconstpointer data)
{
    const Asked *asked = data;
    return (guint)row_digest_hash(asked->bytes, asked->size);
}

static gboolean asked_equal(gconstpointer a, gconstpointer b)
{
    const Asked *left = a, *right = b;
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

/* ---- columns ---- */

static void append_from(const Reader *reader, GString *sql)
{
    g_string_append(sql, " from ");
    mysql_session_append_qualified(sql, reader->schema, reader->name);
    g_string_append(sql, " as t");
}

static const Column *column_of(const Reader *reader, guint i)
{
    return row_digest_column(reader->request->table, i);
}

static bool init_fields(Reader *reader, MYSQL_RES *answer, GError **error)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(answer);
    for (guint i = 0; i < reader->n_fields; i++) {
        const Column *column = column_of(reader, i);
        if (!mysql_value_init(&reader->fields[i].value, reader->request->table, column, &fields[i],
                              error))
            return false;
        reader->fields[i].has_normal_form = row_digest_has_normal_form(column);
        g_string_append(reader->columns, i > 0 ? ", " : "");
        mysql_value_append_selected(reader->columns, column->name, &fields[i]);
    }
    return true;
}

static bool find_fields(Reader *reader, GError **error)
{
    g_autoptr(GString) sql = g_string_new("select ");
    for (guint i = 0; i < reader->n_fields; i++) {
        g_string_append(sql, i > 0 ? ", t." : "t.");
        mysql_session_append_identifier(sql, column_of(reader, i)->name);
    }
    append_from(reader, sql);
    g_string_append(sql, " limit 0");
    g_autoptr(MYSQL_RES) answer = mysql_session_query(reader->mysql, sql->str, error);
    return answer != NULL && init_fields(reader, answer, error);
}

static void reader_init(Reader *reader)
{
    const Table *table = reader->request->table;
    bool copy = reader->request->kind == READ_COPY;
    reader->n_fields = copy ? table->n_columns : row_digest_columns(table);
    reader->fields = g_new0(Field, reader->n_fields);
    reader->cells = g_new0(Cell, MAX(reader->n_fields, table->n_key));
    reader->columns = g_string_new(NULL);
    reader->row = g_byte_array_new();
    reader->normal = g_byte_array_new();
    reader->scratch = g_byte_array_new();
    reader->texts = g_string_new(NULL);
    reader->asked = g_hash_table_new_full(asked_hash, asked_equal, g_free, NULL);
    reader->plain = row_digest_is_plain(table);
    reader->hashed = reader->request->kind == READ_DIGEST || reader->request->kind == READ_HASHES;
}

static void reader_clear(Reader *reader)
{
    g_free(reader->fields);
    g_free(reader->cells);
    g_string_free(reader->columns, true);
    g_byte_array_unref(reader->row);
    g_byte_array_unref(reader->normal);
    g_byte_array_unref(reader->scratch);
    g_string_free(reader->texts, true);
    g_hash_table_unref(reader->asked);
}

/* ---- rows ---- */

static void put_length(GByteArray *row, guint start)
{
    guint32 length = GUINT32_TO_BE(row->len - start - LENGTH_SIZE);
    memcpy(row->data + start, &length, sizeof length);
}

/* The value from `start` on is written again in its normal form. */
static void make_normal(Reader *reader, const Column *column, guint start)
{
    guint from = start + LENGTH_SIZE;
    g_byte_array_set_size(reader->scratch, 0);
    g_byte_array_append(reader->scratch, reader->row->data + from, reader->row->len - from);
    Cell cell = {.data = reader->scratch->data, .length = reader->scratch->len};
    g_byte_array_set_size(reader->row, start);
    row_digest_append(reader->row, column, &cell);
}

static bool append_cell(Reader *reader, Field *field, const char *text, gsize size, GError **error)
{
    GByteArray *row = reader->row;
    static const guint32 none = G_MAXUINT32;
    bool null = text == NULL;
    field->start = row->len;
    g_byte_array_append(row, (const guint8 *)&none, LENGTH_SIZE);
    if (null)
        return true;
    if (!mysql_value_append(&field->value, text, size, row, &null, error))
        return false;
    if (null)
        return true;
    if (reader->hashed && field->has_normal_form)
        make_normal(reader, field->value.column, field->start);
    else
        put_length(row, field->start);
    return true;
}

/* ", key (1, abc)", as far as the key can be read. */
static void prefix_key(Reader *reader, MYSQL_ROW texts, const unsigned long *sizes, GError **error)
{
    const Table *table = reader->request->table;
    g_autoptr(GString) key = g_string_new(NULL);
    for (guint i = 0; i < table->n_key; i++) {
        Field *field = &reader->fields[table->key[i]];
        bool null = true;
        g_byte_array_set_size(reader->scratch, 0);
        g_string_append(key, i > 0 ? ", " : "");
        bool good = texts[table->key[i]] != NULL &&
                    mysql_value_append(&field->value, texts[table->key[i]], sizes[table->key[i]],
                                       reader->scratch, &null, NULL);
        Cell cell = {.data = reader->scratch->data, .length = reader->scratch->len};
        if (!good || null || !mysql_append_key_text(key, field->value.column, &cell, NULL))
            g_string_append(key, "?");
    }
    if (table->n_key > 0)
        g_prefix_error(error, "key (%.500s): ", key->str);
}

static bool append_row(Reader *reader, MYSQL_ROW texts, const unsigned long *sizes, GError **error)
{
    for (guint i = 0; i < reader->n_fields; i++)
        if (!append_cell(reader, &reader->fields[i], texts[i], sizes[i], error)) {
            prefix_key(reader, texts, sizes, error);
            return false;
        }
    return true;
}

static Cell cell_at(const Reader *reader, guint i)
{
    guint32 length;
    const guint8 *at = reader->row->data + reader->fields[i].start;
    memcpy(&length, at, sizeof length);
    if (length == G_MAXUINT32)
        return (Cell){.kind = CELL_NULL};
    return (Cell){.kind = CELL_VALUE, .data = at + LENGTH_SIZE, .length = GUINT32_FROM_BE(length)};
}

/* ---- what is made of a row ---- */

static bool flush_block(Reader *reader, gsize least, GError **error)
{
    GByteArray *block = reader->row;
    if (block->len == 0 || block->len < least)
        return true;
    bool good = reader->sink->bytes(reader->sink->user, block->data, block->len, error);
    g_byte_array_set_size(block, 0);
    return good;
}

static bool take_copy_row(Reader *reader, MYSQL_ROW texts, const unsigned long *sizes,
                          GError **error)
{
    guint16 n = GUINT16_TO_BE((guint16)reader->n_fields);
    g_byte_array_append(reader->row, (const guint8 *)&n, sizeof n);
    reader->request->rows++;
    return append_row(reader, texts, sizes, error) && flush_block(reader, BLOCK_SIZE, error);
}

/* The row's key as it was asked for; NULL where it was not. */
static const Row *find_asked(Reader *reader)
{
    const Table *table = reader->request->table;
    g_byte_array_set_size(reader->scratch, sizeof(Asked));
    for (guint i = 0; i < table->n_key; i++) {
        Cell cell = cell_at(reader, table->key[i]);
        row_digest_append(reader->scratch, &table->columns[table->key[i]], &cell);
    }
    Asked *asked = (Asked *)(gpointer)reader->scratch->data;
    asked->size = reader->scratch->len - sizeof(Asked);
    const Asked *found = g_hash_table_lookup(reader->asked, asked);
    return found != NULL ? found->key : NULL;
}

bool mysql_key_texts(const Table *table, const Row *key, GString *texts, GError **error)
{
    for (guint i = 0; i < table->n_key; i++) {
        if (!mysql_append_key_text(texts, &table->columns[table->key[i]], &key->cells[i], error))
            return false;
        g_string_append_c(texts, '\0');
    }
    return true;
}

static bool emit_hash(Reader *reader, const Row *key, guint64 hash, GError **error)
{
    if (!reader->request->key_texts)
        return reader->sink->hash(reader->sink->user, key, hash, hash, error);
    guint n = key->n_cells;
    g_autofree Cell *cells = g_new0(Cell, n);
    Row row = {.cells = cells, .n_cells = n};
    g_string_truncate(reader->texts, 0);
    if (!mysql_key_texts(reader->request->table, key, reader->texts, error))
        return false;
    const char *at = reader->texts->str;
    for (guint i = 0; i < n; i++, at += strlen(at) + 1)
        cells[i] = (Cell){.data = (const guint8 *)at, .length = (guint32)strlen(at)};
    return reader->sink->hash(reader->sink->user, &row, hash, hash, error);
}

static Row key_of(Reader *reader)
{
    const Table *table = reader->request->table;
    for (guint i = 0; i < table->n_key; i++)
        reader->cells[i] = cell_at(reader, table->key[i]);
    return (Row){.cells = reader->cells, .n_cells = table->n_key};
}

static bool take_hash_row(Reader *reader, const Row *asked, GError **error)
{
    Row key = key_of(reader);
    return emit_hash(reader, asked != NULL ? asked : &key,
                     row_digest_hash(reader->row->data, reader->row->len), error);
}

/* The hash of a row whose values are not in their normal form. */
static guint64 whole_hash(Reader *reader)
{
    GByteArray *normal = reader->normal;
    if (reader->plain)
        return row_digest_hash(reader->row->data, reader->row->len);
    g_byte_array_set_size(normal, 0);
    for (guint i = 0; i < reader->n_fields; i++) {
        Cell cell = cell_at(reader, i);
        row_digest_append(normal, column_of(reader, i), &cell);
    }
    return row_digest_hash(normal->data, normal->len);
}

static bool take_whole_row(Reader *reader, GError **error)
{
    Row row = {.cells = reader->cells, .n_cells = reader->request->table->n_columns};
    for (guint i = 0; i < row.n_cells; i++)
        reader->cells[i] = cell_at(reader, i);
    return reader->sink->row(reader->sink->user, &row, whole_hash(reader), error);
}

static bool take_row_key(Reader *reader, GError **error)
{
    Row key = key_of(reader);
    return reader->sink->row(reader->sink->user, &key, whole_hash(reader), error);
}

static bool take_row(Reader *reader, MYSQL_ROW texts, const unsigned long *sizes, GError **error)
{
    ReadRequest *request = reader->request;
    if (request->kind == READ_COPY)
        return take_copy_row(reader, texts, sizes, error);
    g_byte_array_set_size(reader->row, 0);
    if (!append_row(reader, texts, sizes, error))
        return false;
    if (request->kind == READ_DIGEST) {
        row_digest_add(&reader->digest, reader->row->data, reader->row->len);
        return true;
    }
    if (request->kind == READ_CHILDREN) {
        request->rows++;
        return take_row_key(reader, error);
    }
    const Row *asked = NULL;
    if (request->keys != NULL && (asked = find_asked(reader)) == NULL)
        return true;
    request->rows++;
    return request->kind == READ_ROWS ? take_whole_row(reader, error)
                                      : take_hash_row(reader, asked, error);
}

/* ---- queries ---- */

/* Takes what is left of the answer, so that the session can be used again. */
static void skip_rows(Reader *reader, MYSQL_RES *answer)
{
    for (guint i = 0; i < ROWS_SKIPPED; i++)
        if (mysql_fetch_row(answer) == NULL)
            return;
    shutdown((int)reader->mysql->net.fd, SHUT_RDWR);
}

static bool take_rows(Reader *reader, MYSQL_RES *answer, GError **error)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(answer)) != NULL)
        if (!take_row(reader, row, mysql_fetch_lengths(answer), error)) {
            skip_rows(reader, answer);
            return false;
        }
    return mysql_errno(reader->mysql) == 0 || mysql_session_fail(reader->mysql, error);
}

static bool run_query(Reader *reader, const GString *sql, GError **error)
{
    if (mysql_real_query(reader->mysql, sql->str, sql->len) != 0)
        return mysql_session_fail(reader->mysql, error);
    g_autoptr(MYSQL_RES) answer = mysql_use_result(reader->mysql);
    if (answer == NULL)
        return mysql_session_fail(reader->mysql, error);
    return take_rows(reader, answer, error);
}

static void start_query(const Reader *reader, GString *sql)
{
    g_string_assign(sql, "select ");
    g_string_append_len(sql, reader->columns->str, (gssize)reader->columns->len);
    append_from(reader, sql);
}

static bool read_by_range(Reader *reader, GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    start_query(reader, sql);
    return mysql_append_range(sql, reader->request->table, &reader->request->range, error) &&
           run_query(reader, sql, error);
}

static void ask_for(Reader *reader, const Row *key)
{
    const Table *table = reader->request->table;
    GByteArray *scratch = reader->scratch;
    g_byte_array_set_size(scratch, 0);
    for (guint i = 0; i < key->n_cells; i++)
        row_digest_append(scratch, &table->columns[table->key[i]], &key->cells[i]);
    Asked *asked = g_malloc(sizeof(Asked) + scratch->len);
    asked->key = key;
    asked->size = scratch->len;
    memcpy(asked->bytes, scratch->data, scratch->len);
    g_hash_table_replace(reader->asked, asked, asked);
}

/* How many of the keys are asked for at once. */
static guint batch_of(const Row *keys, guint n_keys)
{
    gsize size = 0;
    guint n = 0;
    while (n < n_keys && n < KEYS_PER_QUERY && size < SQL_LIMIT)
        size += row_bytes(&keys[n++]) * 2;
    return n;
}

/* A text that the column's character set lacks is in no row of it, but an error in a comparison. */
static bool can_have(const Reader *reader, const Row *key)
{
    const ReadRequest *request = reader->request;
    bool children = request->kind == READ_CHILDREN;
    const guint *columns = children ? request->columns : request->table->key;
    guint n = children ? request->n_columns : request->table->n_key;
    for (guint i = 0; i < MIN(n, key->n_cells); i++) {
        guint32 collation = reader->fields[columns[i]].value.collation;
        const Cell *cell = &key->cells[i];
        if (collation != 0 && !mysql_charset_can_hold(collation, cell->data, cell->length))
            return false;
    }
    return true;
}

static GPtrArray *keys_to_ask_for(Reader *reader, const Row *keys, guint n)
{
    GPtrArray *list = g_ptr_array_new();
    g_hash_table_remove_all(reader->asked);
    for (guint i = 0; i < n; i++) {
        if (!can_have(reader, &keys[i]))
            continue;
        g_ptr_array_add(list, (gpointer)&keys[i]);
        if (reader->request->kind != READ_CHILDREN)
            ask_for(reader, &keys[i]);
    }
    return list;
}

static bool read_by_keys(Reader *reader, GError **error)
{
    const ReadRequest *request = reader->request;
    g_autoptr(GString) sql = g_string_new(NULL);
    for (guint done = 0, n; done < request->n_keys; done += n) {
        guint n_asked;
        n = batch_of(request->keys + done, request->n_keys - done);
        g_autoptr(GPtrArray) keys = keys_to_ask_for(reader, request->keys + done, n);
        start_query(reader, sql);
        if (!mysql_append_keys(sql, request, keys, &n_asked, error) ||
            (n_asked > 0 && !run_query(reader, sql, error)))
            return false;
    }
    return true;
}

static bool read_copy(Reader *reader, GError **error)
{
    static const guint8 trailer[2] = {0xff, 0xff};
    g_byte_array_append(reader->row, (const guint8 *)copy_header, COPY_HEADER_SIZE);
    if (!read_by_range(reader, error))
        return false;
    g_byte_array_append(reader->row, trailer, sizeof trailer);
    return flush_block(reader, 0, error);
}

static bool read_kind(Reader *reader, GError **error)
{
    ReadRequest *request = reader->request;
    bool by_keys =
        request->kind == READ_ROWS || request->kind == READ_CHILDREN || request->keys != NULL;
    if (request->kind == READ_COPY)
        return read_copy(reader, error);
    if (request->kind == READ_DIGEST) {
        bool good = read_by_range(reader, error);
        if (good)
            row_digest_finish(&reader->digest, request);
        return good;
    }
    if (request->table->n_key == 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "kind %d is no read without a key",
                    (int)request->kind);
        return false;
    }
    return by_keys ? read_by_keys(reader, error) : read_by_range(reader, error);
}

bool mysql_read(MYSQL *mysql, const char *schema, const char *name, ReadRequest *request,
                const ReadSink *sink, GError **error)
{
    Reader reader = {
        .mysql = mysql, .schema = schema, .name = name, .request = request, .sink = sink};
    request->rows = 0;
    request->storage = 0;
    reader_init(&reader);
    bool good = find_fields(&reader, error) && read_kind(&reader, error);
    if (!good)
        g_prefix_error(error, "reading %s.%s: ", schema, name);
    reader_clear(&reader);
    return good;
}
