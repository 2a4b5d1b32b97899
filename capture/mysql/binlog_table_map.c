/*
 * The body of TABLE_MAP:
 *
 *   u48 table id, u16 flags, u8 size, database, 0, u8 size, table, 0, packed number of columns,
 *   a type byte a column, packed size and that many bytes of type metadata (0 to 2 a column),
 *   a bitmap of nullable columns, optional metadata (binlog_table_metadata.c)
 */
#include "capture/mysql/binlog_table_metadata.h"

/* What the type metadata of a type means. */
typedef enum { NOTHING, LENGTH_BYTES, TWO_BYTES, BITS, DECIMAL, STRING, FRACTION } MetadataKind;

static const struct {
    guint8 type;
    MetadataKind metadata;
} types[] = {
    {COLUMN_TINY, NOTHING},
    {COLUMN_SHORT, NOTHING},
    {COLUMN_LONG, NOTHING},
    {COLUMN_FLOAT, LENGTH_BYTES},
    {COLUMN_DOUBLE, LENGTH_BYTES},
    {COLUMN_NULL, NOTHING},
    {COLUMN_TIMESTAMP, NOTHING},
    {COLUMN_LONGLONG, NOTHING},
    {COLUMN_INT24, NOTHING},
    {COLUMN_DATE, NOTHING},
    {COLUMN_TIME, NOTHING},
    {COLUMN_DATETIME, NOTHING},
    {COLUMN_YEAR, NOTHING},
    {COLUMN_NEWDATE, NOTHING},
    {COLUMN_VARCHAR, TWO_BYTES},
    {COLUMN_BIT, BITS},
    {COLUMN_TIMESTAMP2, FRACTION},
    {COLUMN_DATETIME2, FRACTION},
    {COLUMN_TIME2, FRACTION},
    {COLUMN_VARCHAR_COMPRESSED, TWO_BYTES},
    {COLUMN_BLOB_COMPRESSED, LENGTH_BYTES},
    {COLUMN_VECTOR, LENGTH_BYTES},
    {COLUMN_JSON, LENGTH_BYTES},
    {COLUMN_NEWDECIMAL, DECIMAL},
    {COLUMN_BLOB, LENGTH_BYTES},
    {COLUMN_VAR_STRING, STRING},
    {COLUMN_STRING, STRING},
    {COLUMN_GEOMETRY, LENGTH_BYTES},
};

static bool fail_column(BinlogParse *parse, const BinlogTableMap *map, guint number,
                        const char *what, guint value)
{
    return binlog_fail(parse, "table %s.%s, column %u: %s %u; update drover", map->database,
                       map->table, number + 1, what, value);
}

/* CHAR, BINARY, ENUM and SET share a type byte: the first byte has the real type, and two of its
 * bits, inverted, are the upper bits of the length. */
static bool read_string_metadata(ByteReader *reader, BinlogColumn *column)
{
    guint8 first, second;
    if (!byte_reader_u8(reader, &first) || !byte_reader_u8(reader, &second))
        return false;
    column->type = first | 0x30;
    column->size = (guint16)(second | (((first & 0x30) ^ 0x30) << 4));
    return true;
}

static bool read_bits(ByteReader *reader, BinlogColumn *column)
{
    guint8 bits, bytes;
    if (!byte_reader_u8(reader, &bits) || !byte_reader_u8(reader, &bytes))
        return false;
    column->size = (guint16)(bytes * 8 + bits);
    return true;
}

static bool read_type_metadata(ByteReader *reader, MetadataKind kind, BinlogColumn *column)
{
    guint8 length;
    switch (kind) {
    case NOTHING:
        return true;
    case LENGTH_BYTES:
        if (!byte_reader_u8(reader, &length))
            return false;
        column->size = length;
        return true;
    case FRACTION:
        return byte_reader_u8(reader, &column->scale);
    case TWO_BYTES:
        return byte_reader_le16(reader, &column->size);
    case BITS:
        return read_bits(reader, column);
    case DECIMAL:
        return byte_reader_u8(reader, &column->precision) && byte_reader_u8(reader, &column->scale);
    case STRING:
        return read_string_metadata(reader, column);
    }
    return false;
}

/* Values that the row reader relies on. */
static bool check_column(BinlogParse *parse, const BinlogTableMap *map, guint number)
{
    const BinlogColumn *column = &map->columns[number];
    switch (column->type) {
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
        if (column->size != (column->type == COLUMN_FLOAT ? 4 : 8))
            return fail_column(parse, map, number, "a float of bytes", column->size);
        return true;
    case COLUMN_BLOB:
    case COLUMN_BLOB_COMPRESSED:
    case COLUMN_JSON:
    case COLUMN_GEOMETRY:
    case COLUMN_VECTOR:
        if (column->size < 1 || column->size > 4)
            return fail_column(parse, map, number, "bytes of a length:", column->size);
        return true;
    case COLUMN_NEWDECIMAL:
        if (column->precision < 1 || column->precision > 65 || column->scale > column->precision)
            return fail_column(parse, map, number, "decimal digits:", column->precision);
        return true;
    case COLUMN_TIMESTAMP2:
    case COLUMN_DATETIME2:
    case COLUMN_TIME2:
        if (column->scale > 6)
            return fail_column(parse, map, number, "digits of a second:", column->scale);
        return true;
    case COLUMN_BIT:
        if (column->size < 1 || column->size > 64)
            return fail_column(parse, map, number, "bits:", column->size);
        return true;
    case COLUMN_ENUM:
    case COLUMN_SET:
        if (column->size < 1 || column->size > (column->type == COLUMN_ENUM ? 2 : 8))
            return fail_column(parse, map, number, "bytes of an enum or set:", column->size);
        return true;
    case COLUMN_VARCHAR:
    case COLUMN_VARCHAR_COMPRESSED:
    case COLUMN_VAR_STRING:
    case COLUMN_STRING:
    default:
        return true;
    }
}

static bool read_column(BinlogParse *parse, const BinlogTableMap *map, guint number, guint8 type,
                        ByteReader *metadata)
{
    BinlogColumn *column = &map->columns[number];
    *column = (BinlogColumn){.type = type, .visible = true};
    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i].type != type)
            continue;
        if (!read_type_metadata(metadata, types[i].metadata, column))
            return binlog_fail_short(parse);
        if (types[i].metadata == STRING && column->type != COLUMN_STRING &&
            column->type != COLUMN_VAR_STRING && column->type != COLUMN_ENUM &&
            column->type != COLUMN_SET)
            return fail_column(parse, map, number, "unknown string type", column->type);
        return check_column(parse, map, number);
    }
    return fail_column(parse, map, number, "unknown type", type);
}

static bool read_columns(BinlogParse *parse, BinlogTableEntry *entry)
{
    BinlogTableMap *map = &entry->map;
    guint64 n, metadata_size;
    const guint8 *column_types, *nullable;
    ByteReader metadata;
    if (!byte_reader_packed(&parse->reader, &n) || n > byte_reader_left(&parse->reader) ||
        !byte_reader_bytes(&parse->reader, (gsize)n, &column_types) ||
        !byte_reader_packed(&parse->reader, &metadata_size) ||
        !byte_reader_part(&parse->reader, metadata_size, &metadata) ||
        !byte_reader_bytes(&parse->reader, (gsize)(n + 7) / 8, &nullable))
        return binlog_fail_short(parse);
    map->n_columns = (guint)n;
    map->columns = arena_new_array(entry->arena, BinlogColumn, n + 1);
    for (guint i = 0; i < map->n_columns; i++) {
        if (!read_column(parse, map, i, column_types[i], &metadata))
            return false;
        map->columns[i].nullable = nullable[i / 8] >> (i % 8) & 1;
        map->n_json += map->columns[i].type == COLUMN_JSON;
    }
    if (byte_reader_left(&metadata) > 0)
        return binlog_fail(parse, "table %s.%s: surplus type metadata", map->database, map->table);
    return true;
}

static bool read_name(BinlogParse *parse, const char **name)
{
    guint8 size;
    const guint8 *bytes;
    if (!byte_reader_u8(&parse->reader, &size) ||
        !byte_reader_bytes(&parse->reader, (gsize)size + 1, &bytes))
        return binlog_fail_short(parse);
    if (bytes[size] != 0 || memchr(bytes, 0, size))
        return binlog_fail(parse, "a name without its end");
    *name = (const char *)bytes;
    return true;
}

static bool read_table(BinlogParse *parse, BinlogTableEntry *entry)
{
    return read_name(parse, &entry->map.database) && read_name(parse, &entry->map.table) &&
           read_columns(parse, entry) && binlog_read_table_metadata(parse, entry);
}

bool binlog_parse_table_map(BinlogParse *parse)
{
    BinlogTables *tables = parse->decoder->tables;
    guint64 id;
    guint16 flags;
    const guint8 *body = parse->reader.data;
    gsize size = parse->reader.size;
    if (!byte_reader_le(&parse->reader, 6, &id) || !byte_reader_le16(&parse->reader, &flags))
        return binlog_fail_short(parse);
    parse->event->table_map = binlog_tables_find_same(tables, id, body, size);
    if (parse->event->table_map) {
        parse->reader.offset = parse->reader.size;
        return true;
    }
    BinlogTableEntry *entry = binlog_table_entry_new(body, size);
    entry->map.id = id;
    gsize offset = parse->reader.offset;
    parse->reader = byte_reader(entry->body, size); /* what the map points at lives with it */
    parse->reader.offset = offset;
    if (!read_table(parse, entry)) {
        binlog_table_entry_free(entry);
        return false;
    }
    parse->event->table_map = binlog_tables_add(tables, entry);
    return true;
}
