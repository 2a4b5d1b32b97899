/*
 * Types of MySQL and MariaDB: what a column type says, taken apart, and what it becomes
 * (types.def).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define MYSQL_TYPE_NAME 32

typedef struct MysqlType {
    char name[MYSQL_TYPE_NAME]; /* "varchar": information_schema's data_type */
    guint length; /* the first number in parentheses, 0 where there is none: characters, bytes,
                   * bits, precision, digits of a second */
    guint scale;  /* the second; 0 */
    bool has_length;
    bool is_unsigned;
} MysqlType;

/* Takes "decimal(10,2) unsigned" apart. Labels of enum and set are no lengths. A name that is too
 * long for any type is cut. */
void mysql_type_parse(const char *column_type, MysqlType *type);

/* The number of the canonical type; 0 where the type is unmapped. */
guint32 mysql_type_canonical(const MysqlType *type);

/* The type of a column of PostgreSQL for it (g_free); NULL where the type is unmapped. */
char *mysql_type_to_postgres(const MysqlType *type);

/* geometry and its kinds. */
bool mysql_type_is_geometry(const MysqlType *type);

/* Bytes that a value takes at most in an index of InnoDB; 0: it cannot be in an index as a whole.
 * A text of ASCII says so in its column type; others count four bytes a character. */
guint mysql_type_index_bytes(const char *column_type);
