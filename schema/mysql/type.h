/*
 * Types of MySQL and MariaDB: what a column type says, taken apart, and the canonical type of its
 * values (types.def).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define MYSQL_TYPE_NAME 32

typedef struct MysqlType {
    char name[MYSQL_TYPE_NAME]; /* "varchar": information_schema's data_type */
    guint length; /* the first number in parentheses, 0 where there is none: characters,
                   * bytes, bits, precision, digits of a second */
    guint scale;  /* the second; 0 */
    bool has_length;
    bool is_unsigned;
} MysqlType;

/* Takes "decimal(10,2) unsigned" apart. Labels of enum and set are no lengths. A name that is too
 * long for any type is cut. */
void mysql_type_parse(const char *column_type, MysqlType *type);

/* The number of the canonical type; 0 where the type is unmapped. */
guint32 mysql_type_canonical(const MysqlType *type);

/* geometry and its kinds. */
bool mysql_type_is_geometry(const MysqlType *type);
