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
    MYSQL_DECIMAL = 0, /* of MySQL before 5.0: refused */
    MYSQL_TINY = 1,
    MYSQL_SHORT = 2,
    MYSQL_LONG = 3,
    MYSQL_FLOAT = 4,
    MYSQL_DOUBLE = 5,
    MYSQL_NULL = 6,
    MYSQL_TIMESTAMP = 7,
    MYSQL_LONGLONG = 8,
    MYSQL_INT24 = 9,
    MYSQL_DATE = 10,
    MYSQL_TIME = 11,
    MYSQL_DATETIME = 12,
    MYSQL_YEAR = 13,
    MYSQL_NEWDATE = 14,
    MYSQL_VARCHAR = 15,
    MYSQL_BIT = 16,
    MYSQL_TIMESTAMP2 = 17,
    MYSQL_DATETIME2 = 18,
    MYSQL_TIME2 = 19,
    MYSQL_VARCHAR_COMPRESSED = 141, /* MariaDB */
    MYSQL_BLOB_COMPRESSED = 140,    /* MariaDB */
    MYSQL_VECTOR = 242,
    MYSQL_JSON = 245,
    MYSQL_NEWDECIMAL = 246,
    MYSQL_ENUM = 247,
    MYSQL_SET = 248,
    MYSQL_TINY_BLOB = 249,
    MYSQL_MEDIUM_BLOB = 250,
    MYSQL_LONG_BLOB = 251,
    MYSQL_BLOB = 252,
    MYSQL_VAR_STRING = 253,
    MYSQL_STRING = 254,
    MYSQL_GEOMETRY = 255
} MysqlType;

#define MYSQL_COLLATION_BINARY 63

typedef struct BinlogLabel { /* of an enum or set, in the column's charset */
    const char *text;
    gsize size;
} BinlogLabel;

typedef struct BinlogColumn {
    MysqlType type;
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
