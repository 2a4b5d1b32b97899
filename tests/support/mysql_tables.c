#include "tests/support/mysql_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/byte_reader.h"
#include "schema/mysql/read.h"
#include "schema/mysql/type.h"

#define HEADER_SIZE 19

static void add_column(Table *table, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    MysqlType type;
    bool key = g_str_has_suffix(text, " key");
    table->columns = g_renew(Column, table->columns, table->n_columns + 1);
    Column *column = &table->columns[table->n_columns];
    memset(column, 0, sizeof *column);
    column->name = g_strdup(words[0]);
    column->type =
        key ? g_strndup(words[1], strlen(words[1]) - strlen(" key")) : g_strdup(words[1]);
    column->target_type = g_strdup(column->type);
    mysql_type_parse(strcmp(column->type, "boolean") == 0 ? "tinyint" : column->type, &type);
    column->type_oid = mysql_type_canonical(&type);
    column->key_place = key ? (int)table->n_key : -1;
    if (key) {
        table->key = g_renew(guint, table->key, table->n_key + 1);
        table->key[table->n_key++] = table->n_columns;
    }
    table->n_columns++;
}

Table *mysql_test_table(MysqlScratch *scratch, const char *name, const char *columns)
{
    Table *table = g_new0(Table, 1);
    table->source_schema = g_strdup(scratch->name);
    table->source_name = g_strdup(name);
    table->target_schema = g_strdup(scratch->name);
    table->target_name = g_strdup(name);
    table->label = g_strdup_printf("%s.%s", scratch->name, name);
    g_auto(GStrv) parts = g_strsplit(columns, "; ", -1);
    for (guint i = 0; parts[i] != NULL; i++)
        add_column(table, parts[i]);
    return table;
}

static bool take_bytes(void *user, const guint8 *data, gsize size, GError **error)
{
    (void)error;
    g_byte_array_append(user, data, (guint)size);
    return true;
}

static void read_all(MysqlScratch *scratch, ReadRequest *request, const ReadSink *sink)
{
    GError *error = NULL;
    if (!mysql_read(scratch->mysql, scratch->name, request->table->source_name, request, sink,
                    &error))
        fail_msg("%s", error->message);
}

GByteArray *mysql_test_copy(MysqlScratch *scratch, const Table *table)
{
    GByteArray *stream = g_byte_array_new();
    ReadSink sink = {.bytes = take_bytes, .user = stream};
    ReadRequest request = {.kind = READ_COPY, .table = table};
    read_all(scratch, &request, &sink);
    return stream;
}

char *mysql_test_digest(MysqlScratch *scratch, const Table *table)
{
    ReadRequest request = {.kind = READ_DIGEST, .table = table, .codec = true};
    read_all(scratch, &request, NULL);
    char *text = g_strdup_printf("%" G_GINT64_FORMAT " %s %s", request.rows, request.digest_1,
                                 request.digest_2);
    g_free(request.digest_1);
    g_free(request.digest_2);
    return text;
}

static Cell take_cell(ByteReader *reader)
{
    guint32 length = 0;
    Cell cell = {.kind = CELL_NULL};
    assert_true(byte_reader_u32(reader, &length));
    if (length == G_MAXUINT32)
        return cell;
    cell.kind = CELL_VALUE;
    cell.length = length;
    assert_true(byte_reader_bytes(reader, length, &cell.data));
    return cell;
}

GPtrArray *mysql_test_rows(const GByteArray *stream, guint n_columns)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    ByteReader reader = byte_reader(stream->data, stream->len);
    const guint8 *header;
    guint16 n;
    assert_true(byte_reader_bytes(&reader, HEADER_SIZE, &header));
    assert_memory_equal(header, "PGCOPY\n\377\r\n\0", 11);
    for (;;) {
        assert_true(byte_reader_u16(&reader, &n));
        if (n == G_MAXUINT16)
            break;
        assert_int_equal(n, n_columns);
        Cell *cells = g_new(Cell, n_columns);
        for (guint i = 0; i < n_columns; i++)
            cells[i] = take_cell(&reader);
        g_ptr_array_add(rows, cells);
    }
    assert_int_equal(byte_reader_left(&reader), 0);
    return rows;
}
