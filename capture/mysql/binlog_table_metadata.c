/*
 * Fields of: u8 kind, packed size, that many bytes. Lists go over the columns of one class, in
 * order. Which columns have a charset differs between the servers: in MySQL vectors have one and
 * json and geometry have none, in MariaDB geometry has one.
 */
#include "capture/mysql/binlog_table_metadata.h"

typedef enum {
    SIGNEDNESS = 1,
    DEFAULT_CHARSET = 2,
    COLUMN_CHARSET = 3,
    COLUMN_NAME = 4,
    SET_LABELS = 5,
    ENUM_LABELS = 6,
    GEOMETRY_TYPE = 7,
    SIMPLE_PRIMARY_KEY = 8,
    PRIMARY_KEY_WITH_PREFIX = 9,
    LABELS_DEFAULT_CHARSET = 10,
    LABELS_COLUMN_CHARSET = 11,
    VISIBILITY = 12,
    VECTOR_DIMENSION = 13
} FieldKind;

/* One field being read. */
typedef struct Field {
    BinlogParse *parse;
    BinlogTableEntry *entry;
    ByteReader reader;
    guint8 kind;
} Field;

typedef bool (*OfClass)(const Field *field, const BinlogColumn *column);

static bool is_numeric(const Field *field, const BinlogColumn *column)
{
    (void)field;
    switch (column->type) {
    case COLUMN_TINY:
    case COLUMN_SHORT:
    case COLUMN_INT24:
    case COLUMN_LONG:
    case COLUMN_LONGLONG:
    case COLUMN_NEWDECIMAL:
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
    case COLUMN_YEAR:
        return true;
    default:
        return false;
    }
}

static bool has_charset(const Field *field, const BinlogColumn *column)
{
    switch (column->type) {
    case COLUMN_STRING:
    case COLUMN_VAR_STRING:
    case COLUMN_VARCHAR:
    case COLUMN_BLOB:
    case COLUMN_VARCHAR_COMPRESSED:
    case COLUMN_BLOB_COMPRESSED:
    case COLUMN_VECTOR:
        return true;
    case COLUMN_GEOMETRY:
        return field->parse->decoder->mariadb;
    default:
        return false;
    }
}

static bool is_enum_or_set(const Field *field, const BinlogColumn *column)
{
    (void)field;
    return column->type == COLUMN_ENUM || column->type == COLUMN_SET;
}

static bool has_labels(const Field *field, const BinlogColumn *column)
{
    return column->type == (field->kind == SET_LABELS ? COLUMN_SET : COLUMN_ENUM);
}

static bool is_geometry(const Field *field, const BinlogColumn *column)
{
    (void)field;
    return column->type == COLUMN_GEOMETRY;
}

static bool is_vector(const Field *field, const BinlogColumn *column)
{
    (void)field;
    return column->type == COLUMN_VECTOR;
}

static bool fail_field(Field *field)
{
    return binlog_fail(field->parse, "table %s.%s: metadata field %u has an impossible content",
                       field->entry->map.database, field->entry->map.table, field->kind);
}

/* The next column of a class, after `column` (NULL: the first); NULL behind the last. */
static BinlogColumn *next_of(Field *field, BinlogColumn *column, OfClass of_class)
{
    const BinlogTableMap *map = &field->entry->map;
    column = column ? column + 1 : map->columns;
    while (column < map->columns + map->n_columns && !of_class(field, column))
        column++;
    return column < map->columns + map->n_columns ? column : NULL;
}

static bool read_signs(Field *field)
{
    guint bit = 0;
    guint8 byte = 0;
    for (BinlogColumn *column = next_of(field, NULL, is_numeric); column;
         column = next_of(field, column, is_numeric), bit++) {
        if (bit % 8 == 0 && !byte_reader_u8(&field->reader, &byte))
            return fail_field(field);
        column->is_unsigned = byte >> (7 - bit % 8) & 1;
        column->sign_known = true;
    }
    return true;
}

static bool read_packed32(Field *field, guint32 *value)
{
    guint64 wide;
    if (!byte_reader_packed(&field->reader, &wide) || wide > G_MAXUINT32)
        return fail_field(field);
    *value = (guint32)wide;
    return true;
}

/* One charset for all, then pairs of (number in the class, charset) of those that differ. */
static bool read_default_charset(Field *field, OfClass of_class)
{
    guint32 usual, number = 0, exception = G_MAXUINT32, collation = 0;
    if (!read_packed32(field, &usual))
        return false;
    for (BinlogColumn *column = next_of(field, NULL, of_class); column;
         column = next_of(field, column, of_class), number++) {
        if (exception == G_MAXUINT32 && byte_reader_left(&field->reader) > 0 &&
            (!read_packed32(field, &exception) || !read_packed32(field, &collation)))
            return false;
        column->collation = number == exception ? collation : usual;
        if (number == exception)
            exception = G_MAXUINT32;
    }
    return exception == G_MAXUINT32 || fail_field(field);
}

static bool read_column_charsets(Field *field, OfClass of_class)
{
    for (BinlogColumn *column = next_of(field, NULL, of_class); column;
         column = next_of(field, column, of_class))
        if (!read_packed32(field, &column->collation))
            return false;
    return true;
}

static bool read_text(Field *field, const char **text, gsize *size)
{
    guint64 wide;
    ByteReader part;
    if (!byte_reader_packed(&field->reader, &wide) ||
        !byte_reader_part(&field->reader, wide, &part))
        return fail_field(field);
    *text = (const char *)part.data;
    *size = part.size;
    return true;
}

static bool read_names(Field *field)
{
    BinlogTableMap *map = &field->entry->map;
    for (guint i = 0; i < map->n_columns; i++) {
        const char *text;
        gsize size;
        if (!read_text(field, &text, &size) || size == 0 || memchr(text, 0, size))
            return fail_field(field);
        char *name = arena_alloc(field->entry->arena, size + 1);
        memcpy(name, text, size);
        name[size] = 0;
        map->columns[i].name = name;
    }
    map->has_names = true;
    return true;
}

static bool read_labels_of(Field *field, BinlogColumn *column)
{
    guint64 n;
    if (!byte_reader_packed(&field->reader, &n) || n > byte_reader_left(&field->reader))
        return fail_field(field);
    BinlogLabel *labels = arena_new_array(field->entry->arena, BinlogLabel, n + 1);
    for (guint i = 0; i < n; i++)
        if (!read_text(field, &labels[i].text, &labels[i].size))
            return false;
    column->n_labels = (guint)n;
    column->labels = labels;
    return true;
}

static bool read_labels(Field *field)
{
    for (BinlogColumn *column = next_of(field, NULL, has_labels); column;
         column = next_of(field, column, has_labels))
        if (!read_labels_of(field, column))
            return false;
    return true;
}

static bool read_geometry_types(Field *field)
{
    for (BinlogColumn *column = next_of(field, NULL, is_geometry); column;
         column = next_of(field, column, is_geometry))
        if (!read_packed32(field, &column->geometry_type))
            return false;
    return true;
}

static bool read_dimensions(Field *field)
{
    for (BinlogColumn *column = next_of(field, NULL, is_vector); column;
         column = next_of(field, column, is_vector))
        if (!read_packed32(field, &column->dimension))
            return false;
    return true;
}

static bool read_key(Field *field)
{
    BinlogTableMap *map = &field->entry->map;
    g_autoptr(GArray) parts = g_array_new(false, true, sizeof(BinlogKeyPart));
    while (byte_reader_left(&field->reader) > 0) {
        BinlogKeyPart part = {0};
        if (!read_packed32(field, &part.column) || part.column >= map->n_columns ||
            (field->kind == PRIMARY_KEY_WITH_PREFIX && !read_packed32(field, &part.prefix)))
            return fail_field(field);
        g_array_append_val(parts, part);
    }
    map->n_key = parts->len;
    map->key = arena_copy(field->entry->arena, parts->data, parts->len * sizeof(BinlogKeyPart));
    return true;
}

static bool read_visibility(Field *field)
{
    BinlogTableMap *map = &field->entry->map;
    for (guint i = 0; i < map->n_columns; i++) {
        if (i / 8 >= field->reader.size)
            return fail_field(field);
        map->columns[i].visible = field->reader.data[i / 8] >> (7 - i % 8) & 1;
    }
    field->reader.offset = (map->n_columns + 7) / 8;
    return true;
}

static bool read_field(Field *field)
{
    switch ((FieldKind)field->kind) {
    case SIGNEDNESS:
        return read_signs(field);
    case DEFAULT_CHARSET:
        return read_default_charset(field, has_charset);
    case COLUMN_CHARSET:
        return read_column_charsets(field, has_charset);
    case COLUMN_NAME:
        return read_names(field);
    case SET_LABELS:
    case ENUM_LABELS:
        return read_labels(field);
    case GEOMETRY_TYPE:
        return read_geometry_types(field);
    case SIMPLE_PRIMARY_KEY:
    case PRIMARY_KEY_WITH_PREFIX:
        return read_key(field);
    case LABELS_DEFAULT_CHARSET:
        return read_default_charset(field, is_enum_or_set);
    case LABELS_COLUMN_CHARSET:
        return read_column_charsets(field, is_enum_or_set);
    case VISIBILITY:
        return read_visibility(field);
    case VECTOR_DIMENSION:
        return read_dimensions(field);
    }
    return binlog_fail(field->parse, "table %s.%s: unknown metadata field %u; update drover",
                       field->entry->map.database, field->entry->map.table, field->kind);
}

bool binlog_read_table_metadata(BinlogParse *parse, BinlogTableEntry *entry)
{
    while (byte_reader_left(&parse->reader) > 0) {
        Field field = {.parse = parse, .entry = entry};
        guint64 size;
        if (!byte_reader_u8(&parse->reader, &field.kind) ||
            !byte_reader_packed(&parse->reader, &size) ||
            !byte_reader_part(&parse->reader, size, &field.reader))
            return binlog_fail_short(parse);
        if (!read_field(&field))
            return false;
        if (byte_reader_left(&field.reader) > 0)
            return fail_field(&field);
    }
    return true;
}
