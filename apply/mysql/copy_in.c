#include "apply/mysql/copy_in.h"

#include "apply/mysql/row_text.h"
#include "proto/byte_reader.h"
#include "schema/connection_mysql.h"

#include <string.h>

#define SIGNATURE "PGCOPY\n\377\r\n"
#define SIGNATURE_SIZE sizeof SIGNATURE /* with the zero at its end */
#define HEADER_SIZE (SIGNATURE_SIZE + 8)
#define NULL_FIELD G_MAXUINT32
#define END_OF_ROWS G_MAXUINT16

MysqlCopyIn *mysql_copy_in_new(Target *target, const Table *table)
{
    MysqlCopyIn *copy = g_new0(MysqlCopyIn, 1);
    g_autoptr(GString) name = g_string_new(NULL);
    mysql_session_append_qualified(name, table->target_schema, table->target_name);
    copy->table = table;
    copy->cells = g_new0(Cell, table->n_columns);
    copy->key = g_new0(Cell, table->n_key);
    copy->rest = g_byte_array_new();
    bulk_init(&copy->bulk, target, name->str, true);
    for (guint i = 0; i < table->n_columns; i++)
        bulk_add_column(&copy->bulk, table->columns[i].name, &table->columns[i]);
    return copy;
}

void mysql_copy_in_free(MysqlCopyIn *copy)
{
    if (!copy)
        return;
    bulk_clear(&copy->bulk);
    g_byte_array_unref(copy->rest);
    g_free(copy->cells);
    g_free(copy->key);
    g_free(copy);
}

static bool fail_form(const char *what, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "the rows are not of the binary COPY format: %s", what);
    return false;
}

/* *complete false: the rest of it has not come. */
static bool read_header(MysqlCopyIn *copy, ByteReader *reader, bool *complete, GError **error)
{
    const guint8 *signature;
    guint32 flags, extension;
    *complete = byte_reader_left(reader) >= HEADER_SIZE;
    if (!*complete)
        return true;
    if (!byte_reader_bytes(reader, SIGNATURE_SIZE, &signature) ||
        memcmp(signature, SIGNATURE, SIGNATURE_SIZE) != 0)
        return fail_form("no signature", error);
    if (!byte_reader_u32(reader, &flags) || !byte_reader_u32(reader, &extension) || flags != 0)
        return fail_form("unknown flags", error);
    *complete = byte_reader_bytes(reader, extension, &signature);
    copy->begun = *complete;
    return true;
}

static bool read_cell(ByteReader *reader, Cell *cell)
{
    guint32 length;
    if (!byte_reader_u32(reader, &length))
        return false;
    *cell = (Cell){.kind = CELL_NULL};
    if (length == NULL_FIELD)
        return true;
    *cell = (Cell){.kind = CELL_VALUE, .length = length};
    return byte_reader_bytes(reader, length, &cell->data);
}

static bool put_row(MysqlCopyIn *copy, GError **error)
{
    for (guint i = 0; i < copy->table->n_columns; i++)
        if (!bulk_put_cell(&copy->bulk, &copy->cells[i], error)) {
            Row key, row = {.cells = copy->cells, .n_cells = copy->table->n_columns};
            table_key_of(copy->table, &row, copy->key, &key);
            return row_text_prefix(copy->table, &key, error);
        }
    return bulk_end_row(&copy->bulk, error);
}

static bool read_row(MysqlCopyIn *copy, ByteReader *reader, bool *complete, GError **error)
{
    guint16 fields;
    *complete = byte_reader_u16(reader, &fields);
    if (!*complete)
        return true;
    copy->ended = fields == END_OF_ROWS;
    if (copy->ended)
        return true;
    if (fields != copy->table->n_columns)
        return fail_form("a row has not the table's number of columns", error);
    for (guint i = 0; *complete && i < fields; i++)
        *complete = read_cell(reader, &copy->cells[i]);
    return !*complete || put_row(copy, error);
}

/* *used: bytes of what could be read whole. */
static bool read_whole(MysqlCopyIn *copy, const guint8 *data, gsize size, gsize *used,
                       GError **error)
{
    ByteReader reader = byte_reader(data, size);
    for (bool complete = true; complete;) {
        *used = size - byte_reader_left(&reader);
        if (copy->ended)
            return *used == size || fail_form("there is more after the end", error);
        if (!(copy->begun ? read_row : read_header)(copy, &reader, &complete, error))
            return false;
    }
    return true;
}

bool mysql_copy_in_put(MysqlCopyIn *copy, const guint8 *data, gsize size, GError **error)
{
    gsize used = 0;
    if (copy->rest->len == 0) {
        if (!read_whole(copy, data, size, &used, error))
            return false;
        g_byte_array_append(copy->rest, data + used, (guint)(size - used));
        return true;
    }
    g_byte_array_append(copy->rest, data, (guint)size);
    if (!read_whole(copy, copy->rest->data, copy->rest->len, &used, error))
        return false;
    g_byte_array_remove_range(copy->rest, 0, (guint)used);
    return true;
}

bool mysql_copy_in_end(MysqlCopyIn *copy, gint64 *rows, GError **error)
{
    if (!copy->ended)
        return fail_form("they end before their end", error);
    return bulk_end(&copy->bulk, rows, error);
}
