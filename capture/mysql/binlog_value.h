/*
 * Value: one column's value as it stands in a row image, in the terms of MySQL's type. canonical.h
 * turns it into drover's form.
 */
#pragma once

#include "capture/mysql/binlog_table_map.h"
#include "proto/arena.h"
#include "proto/byte_reader.h"
#include "schema/mysql/canonical_time.h"

typedef enum {
    BINLOG_VALUE_ABSENT, /* not in this image (MINIMAL, NOBLOB) */
    BINLOG_VALUE_NULL,
    BINLOG_VALUE_INTEGER, /* integer; of an unsigned column as guint64. Also year */
    BINLOG_VALUE_DECIMAL, /* data, as decimal.h reads it */
    BINLOG_VALUE_FLOAT,
    BINLOG_VALUE_DOUBLE,
    BINLOG_VALUE_BIT, /* data, big-endian */
    BINLOG_VALUE_DATE,
    BINLOG_VALUE_TIME,
    BINLOG_VALUE_DATETIME,
    BINLOG_VALUE_TIMESTAMP, /* integer seconds since 1970 UTC, 0 is the zero date; time.microsecond
                             */
    BINLOG_VALUE_STRING,    /* data, in the column's charset; binary too */
    BINLOG_VALUE_ENUM,      /* integer: 1 is the first label, 0 an invalid value */
    BINLOG_VALUE_SET,       /* integer: bit 0 is the first label */
    BINLOG_VALUE_JSON,      /* data, binary */
    BINLOG_VALUE_JSON_DIFF, /* data: changes to the before image's document */
    BINLOG_VALUE_GEOMETRY,  /* data: u32 SRID, WKB */
    BINLOG_VALUE_VECTOR     /* data: little-endian floats */
} BinlogValueKind;

typedef struct BinlogValue {
    BinlogValueKind kind;
    const guint8 *data;
    gsize size;
    gint64 integer;
    double number; /* float, double */
    MysqlTime time;
} BinlogValue;

/* Takes the value of a column, which is not null, from an image. Compressed values are undone in
 * the arena. NULL, or what is wrong: "it ends too early". */
const char *binlog_value_read(const BinlogColumn *column, ByteReader *reader, Arena *arena,
                              BinlogValue *value);

/* A date or datetime packed into 64 bits, as JSON has them. */
MysqlTime binlog_time_of_packed(gint64 packed);
/* A time packed into 64 bits. */
MysqlTime binlog_time_of_packed_time(gint64 packed);
