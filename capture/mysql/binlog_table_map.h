/*
 * Table map: what a TABLE_MAP event says of a table and its columns.
 *
 * With binlog_row_metadata=FULL everything is known; with MINIMAL (MySQL) names, labels of enums
 * and sets, and the key are not; MariaDB's NO_LOG carries types alone. What is unknown says so, and
 * the driver takes it from the catalog: columns of a map that binlog_table_map_column gives may be
 * completed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Column types of the log (enum_field_types). */
typedef enum {
    COLUMN_DECIMAL = 0, /* of MySQL before 5.0: refused */
    COLUMN_TINY = 1,
    COLUMN_SHORT = 2,
    COLUMN_LONG = 3,
    COLUMN_FLOAT = 4,
    COLUMN_DOUBLE = 5,
    COLUMN_NULL = 6,
    COLUMN_TIMESTAMP = 7,
    COLUMN_LONGLONG = 8,
    COLUMN_INT24 = 9,
    COLUMN_DATE = 10,
    COLUMN_TIME = 11,
    COLUMN_DATETIME = 12,
    COLUMN_YEAR = 13,
    COLUMN_NEWDATE = 14,
    COLUMN_VARCHAR = 15,
    COLUMN_BIT = 16,
    COLUMN_TIMESTAMP2 = 17,
    COLUMN_DATETIME2 = 18,
    COLUMN_TIME2 = 19,
    COLUMN_VARCHAR_COMPRESSED = 141, /* MariaDB */
    COLUMN_BLOB_COMPRESSED = 140,    /* MariaDB */
    COLUMN_VECTOR = 242,
    COLUMN_JSON = 245,
    COLUMN_NEWDECIMAL = 246,
    COLUMN_ENUM = 247,
    COLUMN_SET = 248,
    COLUMN_TINY_BLOB = 249,
    COLUMN_MEDIUM_BLOB = 250,
    COLUMN_LONG_BLOB = 251,
    COLUMN_BLOB = 252,
    COLUMN_VAR_STRING = 253,
    COLUMN_STRING = 254,
    COLUMN_GEOMETRY = 255
} ColumnType;

#define MYSQL_COLLATION_BINARY 63

typedef struct BinlogLabel { /* of an enum or set, in the column's charset */
    const char *text;
    gsize size;
} BinlogLabel;

typedef struct BinlogColumn {
    ColumnType type;
    guint16 size;     /* strings: most bytes; enum, set: bytes; blobs, json, geometry, vector: bytes
                       * of the length before a value; bit: bits */
    guint8 precision; /* decimal: digits */
    guint8 scale;     /* decimal: digits after the point; temporal types: digits of a second */
    bool nullable;
    bool visible;      /* true where it is unknown */
    bool is_unsigned;  /* numeric types */
    bool sign_known;   /* is_unsigned is; false only with MariaDB's NO_LOG */
    guint32 collation; /* strings, enum, set; 0 where it is unknown */
    const char *name;  /* NULL where it is unknown */
    guint n_labels;    /* enum, set; 0 where they are unknown */
    const BinlogLabel *labels;
    guint32 geometry_type;
    guint32 dimension; /* vector; 0 where it is unknown */
} BinlogColumn;

typedef struct BinlogKeyPart {
    guint32 column;
    guint32 prefix; /* characters of a prefix key; 0: the whole column */
} BinlogKeyPart;

typedef struct BinlogTableMap {
    guint64 id;
    guint64 serial; /* another number for every different map */
    const char *database;
    const char *table;
    guint n_columns;
    BinlogColumn *columns;
    guint n_json; /* columns of type json: bits of PARTIAL_UPDATE_ROWS */
    guint n_key;  /* primary key; 0: none, or unknown (has_names is false then) */
    const BinlogKeyPart *key;
    bool has_names; /* metadata is FULL */
} BinlogTableMap;

/* For the catalog's answers where the log is silent. */
static inline BinlogColumn *binlog_table_map_column(const BinlogTableMap *map, guint number)
{
    return number < map->n_columns ? &map->columns[number] : NULL;
}
