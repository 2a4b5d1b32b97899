/*
 * Numbers are little-endian; bits, decimals and the newer temporal types big-endian.
 *
 *   DATE        u24: day 5 bits, month 4, year 15
 *   DATETIME2   u40 - 2^39: year * 13 + month 17 bits, day 5, hour 5, minute 6, second 6; fraction
 *   TIME2       u24 - 2^23: hour 10 bits, minute 6, second 6; fraction, together one signed number
 *   TIMESTAMP2  u32 seconds; fraction
 *   fraction    (digits + 1) / 2 bytes of hundredths, ten thousandths or millionths
 *   DATETIME    u64 YYYYMMDDhhmmss as a decimal number; TIME i24 hhmmss likewise
 *
 * A string has its size before it in one byte, or two where the column can be longer than 255; a
 * blob in as many bytes as its type metadata says. A compressed value (MariaDB) starts with a byte:
 * 0, then it is plain; or 0x80, plus 8 without zlib's header, plus the size of the size, then the
 * big-endian size of what it was.
 */
#include "capture/mysql/binlog_value.h"

#include "schema/mysql/decimal.h"

#include <zlib.h>

#define SHORT "it ends too early"

static const guint fraction_units[] = {1, 10000, 10000, 100, 100, 1, 1};

static bool read_be(ByteReader *reader, gsize size, guint64 *value)
{
    const guint8 *bytes;
    if (!byte_reader_bytes(reader, size, &bytes))
        return false;
    *value = 0;
    for (gsize i = 0; i < size; i++)
        *value = *value << 8 | bytes[i];
    return true;
}

static const char *read_integer(ByteReader *reader, gsize size, const BinlogColumn *column,
                                BinlogValue *value)
{
    guint64 raw;
    if (!byte_reader_le(reader, size, &raw))
        return SHORT;
    guint unused = 64 - (guint)size * 8;
    value->kind = BINLOG_VALUE_INTEGER;
    value->integer = column->is_unsigned ? (gint64)raw : (gint64)(raw << unused) >> unused;
    return NULL;
}

static const char *read_year(ByteReader *reader, BinlogValue *value)
{
    guint8 raw;
    if (!byte_reader_u8(reader, &raw))
        return SHORT;
    value->kind = BINLOG_VALUE_INTEGER;
    value->integer = raw == 0 ? 0 : 1900 + raw;
    return NULL;
}

static const char *read_float(ByteReader *reader, gsize size, BinlogValue *value)
{
    guint64 raw;
    if (!byte_reader_le(reader, size, &raw))
        return SHORT;
    if (size == sizeof(float)) {
        guint32 bits = (guint32)raw;
        float single;
        memcpy(&single, &bits, sizeof single);
        value->kind = BINLOG_VALUE_FLOAT;
        value->number = (double)single;
        return NULL;
    }
    value->kind = BINLOG_VALUE_DOUBLE;
    memcpy(&value->number, &raw, sizeof value->number);
    return NULL;
}

static const char *read_bytes(ByteReader *reader, gsize size, BinlogValueKind kind,
                              BinlogValue *value)
{
    value->kind = kind;
    value->size = size;
    return byte_reader_bytes(reader, size, &value->data) ? NULL : SHORT;
}

static const char *read_sized(ByteReader *reader, gsize size_bytes, BinlogValueKind kind,
                              BinlogValue *value)
{
    guint64 size;
    if (!byte_reader_le(reader, size_bytes, &size) || size > byte_reader_left(reader))
        return SHORT;
    return read_bytes(reader, (gsize)size, kind, value);
}

static const char *read_number(ByteReader *reader, gsize size, BinlogValueKind kind,
                               BinlogValue *value)
{
    guint64 raw;
    if (!byte_reader_le(reader, size, &raw))
        return SHORT;
    value->kind = kind;
    value->integer = (gint64)raw;
    return NULL;
}

/* ---- dates and times ---- */

static void split_clock(guint64 clock, MysqlTime *time)
{
    time->hour = (guint)(clock >> 12);
    time->minute = (guint)(clock >> 6) & 63;
    time->second = (guint)clock & 63;
}

static void split_date(guint64 date, MysqlTime *time)
{
    time->day = (guint)date & 31;
    time->month = (guint)(date >> 5) % 13;
    time->year = (guint)(date >> 5) / 13;
}

MysqlTime binlog_time_of_packed(gint64 packed)
{
    MysqlTime time = {.negative = packed < 0};
    guint64 rest = packed < 0 ? -(guint64)packed : (guint64)packed;
    time.microsecond = (guint)(rest & 0xffffff);
    rest >>= 24;
    split_clock(rest & 0x1ffff, &time);
    split_date(rest >> 17, &time);
    return time;
}

MysqlTime binlog_time_of_packed_time(gint64 packed)
{
    MysqlTime time = {.negative = packed < 0};
    guint64 rest = packed < 0 ? -(guint64)packed : (guint64)packed;
    time.microsecond = (guint)(rest & 0xffffff);
    split_clock(rest >> 24 & 0x3fffff, &time);
    return time;
}

static bool read_fraction(ByteReader *reader, guint digits, guint *microsecond)
{
    guint64 raw;
    if (!read_be(reader, (digits + 1) / 2, &raw))
        return false;
    *microsecond = (guint)raw * fraction_units[digits];
    return true;
}

static const char *read_date(ByteReader *reader, BinlogValue *value)
{
    guint64 raw;
    if (!byte_reader_le(reader, 3, &raw))
        return SHORT;
    value->kind = BINLOG_VALUE_DATE;
    value->time = (MysqlTime){.day = raw & 31, .month = raw >> 5 & 15, .year = (guint)raw >> 9};
    return NULL;
}

static const char *read_datetime2(ByteReader *reader, guint digits, BinlogValue *value)
{
    const guint64 offset = G_GUINT64_CONSTANT(1) << 39;
    guint64 raw;
    guint microsecond;
    if (!read_be(reader, 5, &raw) || !read_fraction(reader, digits, &microsecond))
        return SHORT;
    if (raw < offset)
        return "a negative datetime";
    value->kind = BINLOG_VALUE_DATETIME;
    value->time = binlog_time_of_packed((gint64)((raw - offset) << 24));
    value->time.microsecond = microsecond;
    return NULL;
}

static const char *read_timestamp2(ByteReader *reader, guint digits, BinlogValue *value)
{
    guint64 raw;
    if (!read_be(reader, 4, &raw) || !read_fraction(reader, digits, &value->time.microsecond))
        return SHORT;
    value->kind = BINLOG_VALUE_TIMESTAMP;
    value->integer = (gint64)raw;
    return NULL;
}

/* The whole is one big-endian number, of which negative ones are the complement. */
static const char *read_time2(ByteReader *reader, guint digits, BinlogValue *value)
{
    guint fraction_bits = (digits + 1) / 2 * 8;
    guint64 raw;
    if (!read_be(reader, 3 + fraction_bits / 8, &raw))
        return SHORT;
    gint64 number = (gint64)raw - ((gint64)1 << (23 + fraction_bits));
    guint64 size = number < 0 ? (guint64)-number : (guint64)number;
    value->kind = BINLOG_VALUE_TIME;
    value->time = (MysqlTime){.negative = number < 0};
    split_clock(size >> fraction_bits, &value->time);
    value->time.microsecond =
        (guint)(size & ((G_GUINT64_CONSTANT(1) << fraction_bits) - 1)) * fraction_units[digits];
    return NULL;
}

static const char *read_old_datetime(ByteReader *reader, BinlogValue *value)
{
    guint64 raw;
    if (!byte_reader_le64(reader, &raw))
        return SHORT;
    guint64 date = raw / 1000000, clock = raw % 1000000;
    value->kind = BINLOG_VALUE_DATETIME;
    value->time = (MysqlTime){.year = (guint)(date / 10000),
                              .month = (guint)(date / 100 % 100),
                              .day = (guint)(date % 100),
                              .hour = (guint)(clock / 10000),
                              .minute = (guint)(clock / 100 % 100),
                              .second = (guint)(clock % 100)};
    return NULL;
}

static const char *read_old_time(ByteReader *reader, BinlogValue *value)
{
    guint64 raw;
    if (!byte_reader_le(reader, 3, &raw))
        return SHORT;
    gint64 number = (gint64)(raw << 40) >> 40;
    guint clock = (guint)(number < 0 ? -number : number);
    value->kind = BINLOG_VALUE_TIME;
    value->time = (MysqlTime){.negative = number < 0,
                              .hour = clock / 10000,
                              .minute = clock / 100 % 100,
                              .second = clock % 100};
    return NULL;
}

/* ---- compressed values ---- */

static const char *inflate_value(const guint8 *data, gsize size, bool raw_deflate, guint8 *out,
                                 gsize out_size)
{
    z_stream stream = {.next_in = (Bytef *)(gpointer)data,
                       .avail_in = (uInt)size,
                       .next_out = out,
                       .avail_out = (uInt)out_size};
    if (inflateInit2(&stream, raw_deflate ? -MAX_WBITS : MAX_WBITS) != Z_OK)
        return "zlib has no memory";
    int result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return result == Z_STREAM_END && stream.avail_out == 0 ? NULL : "a damaged compressed value";
}

static const char *uncompress_value(BinlogValue *value, Arena *arena)
{
    ByteReader reader = byte_reader(value->data, value->size);
    guint8 head;
    guint64 size;
    if (value->size == 0)
        return NULL;
    if (!byte_reader_u8(&reader, &head))
        return SHORT;
    if (head == 0) {
        value->data++;
        value->size--;
        return NULL;
    }
    if ((head & 0xf0) != 0x80 || (head & 7) > 4 || !read_be(&reader, head & 7, &size))
        return "a value of unknown compression";
    gsize left = byte_reader_left(&reader);
    if (size / 1032 > left) /* more than zlib makes of so few bytes */
        return "a damaged compressed value";
    guint8 *whole = arena_alloc(arena, (gsize)size + 1);
    value->data = whole;
    value->size = (gsize)size;
    return inflate_value(reader.data + reader.offset, left, head & 8, whole, (gsize)size);
}

static const char *read_compressed(ByteReader *reader, gsize size_bytes, Arena *arena,
                                   BinlogValue *value)
{
    const char *wrong = read_sized(reader, size_bytes, BINLOG_VALUE_STRING, value);
    return wrong ? wrong : uncompress_value(value, arena);
}

const char *binlog_value_read(const BinlogColumn *column, ByteReader *reader, Arena *arena,
                              BinlogValue *value)
{
    gsize string_bytes = column->size > 255 ? 2 : 1;
    *value = (BinlogValue){.kind = BINLOG_VALUE_NULL};
    switch (column->type) {
    case COLUMN_NULL:
        return NULL;
    case COLUMN_TINY:
        return read_integer(reader, 1, column, value);
    case COLUMN_SHORT:
        return read_integer(reader, 2, column, value);
    case COLUMN_INT24:
        return read_integer(reader, 3, column, value);
    case COLUMN_LONG:
        return read_integer(reader, 4, column, value);
    case COLUMN_LONGLONG:
        return read_integer(reader, 8, column, value);
    case COLUMN_YEAR:
        return read_year(reader, value);
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
        return read_float(reader, column->size, value);
    case COLUMN_NEWDECIMAL:
        return read_bytes(reader, mysql_decimal_size(column->precision, column->scale),
                          BINLOG_VALUE_DECIMAL, value);
    case COLUMN_BIT:
        return read_bytes(reader, (column->size + 7u) / 8, BINLOG_VALUE_BIT, value);
    case COLUMN_DATE:
    case COLUMN_NEWDATE:
        return read_date(reader, value);
    case COLUMN_TIME:
        return read_old_time(reader, value);
    case COLUMN_DATETIME:
        return read_old_datetime(reader, value);
    case COLUMN_TIMESTAMP:
        return read_number(reader, 4, BINLOG_VALUE_TIMESTAMP, value);
    case COLUMN_TIME2:
        return read_time2(reader, column->scale, value);
    case COLUMN_DATETIME2:
        return read_datetime2(reader, column->scale, value);
    case COLUMN_TIMESTAMP2:
        return read_timestamp2(reader, column->scale, value);
    case COLUMN_ENUM:
        return read_number(reader, column->size, BINLOG_VALUE_ENUM, value);
    case COLUMN_SET:
        return read_number(reader, column->size, BINLOG_VALUE_SET, value);
    case COLUMN_STRING:
    case COLUMN_VAR_STRING:
    case COLUMN_VARCHAR:
        return read_sized(reader, string_bytes, BINLOG_VALUE_STRING, value);
    case COLUMN_BLOB:
        return read_sized(reader, column->size, BINLOG_VALUE_STRING, value);
    case COLUMN_JSON:
        return read_sized(reader, column->size, BINLOG_VALUE_JSON, value);
    case COLUMN_GEOMETRY:
        return read_sized(reader, column->size, BINLOG_VALUE_GEOMETRY, value);
    case COLUMN_VECTOR:
        return read_sized(reader, column->size, BINLOG_VALUE_VECTOR, value);
    case COLUMN_VARCHAR_COMPRESSED:
        return read_compressed(reader, string_bytes, arena, value);
    case COLUMN_BLOB_COMPRESSED:
        return read_compressed(reader, column->size, arena, value);
    case COLUMN_DECIMAL:
    case COLUMN_TINY_BLOB:
    case COLUMN_MEDIUM_BLOB:
    case COLUMN_LONG_BLOB:
        break;
    }
    return "a type that is not logged";
}
