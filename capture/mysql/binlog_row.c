/*
 * A row: [image before], [image after]. An image: a bitmap of nulls over the columns that it has,
 * then the values that are not null. In a PARTIAL_UPDATE_ROWS event the image after starts with
 * packed options; where their bit 0 is set, a bitmap over all json columns of the table follows
 * that says whose value is a change of the old one.
 */
#include "capture/mysql/binlog_row.h"

#include "proto/error.h"

#define OPTION_PARTIAL_JSON 0x1

struct BinlogRowReader {
    const BinlogEvent *event;
    ByteReader bytes;
    Arena *arena; /* of a row */
    GArray *before;
    GArray *after;
};

BinlogRowReader *binlog_row_reader_new(void)
{
    BinlogRowReader *reader = g_new0(BinlogRowReader, 1);
    reader->arena = arena_new(8192);
    reader->before = g_array_new(false, false, sizeof(BinlogValue));
    reader->after = g_array_new(false, false, sizeof(BinlogValue));
    return reader;
}

void binlog_row_reader_free(BinlogRowReader *reader)
{
    if (!reader)
        return;
    arena_free(reader->arena);
    g_array_unref(reader->before);
    g_array_unref(reader->after);
    g_free(reader);
}

void binlog_row_reader_start(BinlogRowReader *reader, const BinlogEvent *event)
{
    reader->event = event;
    reader->bytes = byte_reader(event->rows.data, event->rows.size);
    g_array_set_size(reader->before, event->rows.table->n_columns);
    g_array_set_size(reader->after, event->rows.table->n_columns);
}

static bool fail(BinlogRowReader *reader, int column, const char *what, GError **error)
{
    const BinlogEvent *event = reader->event;
    const BinlogTableMap *table = event->rows.table;
    g_autofree char *where = column < 0 ? g_strdup("a row")
                             : table->columns[column].name
                                 ? g_strdup_printf("column \"%s\"", table->columns[column].name)
                                 : g_strdup_printf("column %d", column + 1);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source log at %s:%" G_GUINT64_FORMAT ": event %s of table %s.%s: %s: %s (at byte "
                "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                "); the log is damaged, or this version of drover does not understand this server",
                event->file, event->position, event->name, table->database, table->table, where,
                what, reader->bytes.offset, reader->bytes.size);
    return false;
}

static bool bit(const guint8 *bitmap, guint number)
{
    return bitmap[number / 8] >> (number % 8) & 1;
}

static guint count_bits(const guint8 *bitmap, guint n)
{
    guint count = 0;
    for (guint i = 0; i < n; i++)
        count += bit(bitmap, i);
    return count;
}

/* partial: bits over the json columns, or NULL. */
static bool read_image(BinlogRowReader *reader, const guint8 *columns, const guint8 *partial,
                       BinlogValue *values, GError **error)
{
    const BinlogTableMap *table = reader->event->rows.table;
    const guint8 *nulls;
    guint place = 0, json = 0;
    if (!byte_reader_bytes(&reader->bytes, (count_bits(columns, table->n_columns) + 7) / 8, &nulls))
        return fail(reader, -1, "it ends too early", error);
    for (guint i = 0; i < table->n_columns; i++) {
        bool is_partial = partial && table->columns[i].type == COLUMN_JSON && bit(partial, json++);
        values[i] = (BinlogValue){.kind = BINLOG_VALUE_ABSENT};
        if (!bit(columns, i))
            continue;
        values[i].kind = BINLOG_VALUE_NULL;
        if (bit(nulls, place++))
            continue;
        const char *wrong =
            binlog_value_read(&table->columns[i], &reader->bytes, reader->arena, &values[i]);
        if (wrong)
            return fail(reader, (int)i, wrong, error);
        if (is_partial)
            values[i].kind = BINLOG_VALUE_JSON_DIFF;
    }
    return true;
}

static bool read_partial(BinlogRowReader *reader, const guint8 **partial, GError **error)
{
    guint64 options;
    *partial = NULL;
    if (!reader->event->rows.partial_json)
        return true;
    if (!byte_reader_packed(&reader->bytes, &options))
        return fail(reader, -1, "it ends too early", error);
    if (options & ~(guint64)OPTION_PARTIAL_JSON)
        return fail(reader, -1, "unknown options", error);
    if ((options & OPTION_PARTIAL_JSON) &&
        !byte_reader_bytes(&reader->bytes, (reader->event->rows.table->n_json + 7) / 8, partial))
        return fail(reader, -1, "it ends too early", error);
    return true;
}

static bool read_row(BinlogRowReader *reader, BinlogRow *row, GError **error)
{
    const BinlogRows *rows = &reader->event->rows;
    BinlogValue *before = (BinlogValue *)(void *)reader->before->data;
    BinlogValue *after = (BinlogValue *)(void *)reader->after->data;
    const guint8 *partial;
    *row = (BinlogRow){.operation = rows->operation, .n_columns = rows->table->n_columns};
    if (rows->operation != BINLOG_WRITE) {
        if (!read_image(reader, rows->before_columns, NULL, before, error))
            return false;
        row->before = before;
    }
    if (rows->operation != BINLOG_DELETE) {
        if (!read_partial(reader, &partial, error) ||
            !read_image(reader, rows->after_columns, partial, after, error))
            return false;
        row->after = after;
    }
    return true;
}

BinlogRowResult binlog_row_reader_next(BinlogRowReader *reader, BinlogRow *row, GError **error)
{
    arena_reset(reader->arena);
    gsize offset = reader->bytes.offset;
    if (byte_reader_left(&reader->bytes) == 0)
        return BINLOG_ROWS_DONE;
    if (!read_row(reader, row, error))
        return BINLOG_ROWS_FAILED;
    if (reader->bytes.offset > offset)
        return BINLOG_ROW;
    fail(reader, -1, "it has no bytes", error);
    return BINLOG_ROWS_FAILED;
}
