/*
 * What the files of the type map share; nobody else includes it.
 */
#pragma once

#include "schema/type_map.h"

typedef struct TypeMap {
    Table *table;
    const Product *source;
    const Product *target;
    GPtrArray *problems;
    GPtrArray *warnings;
} TypeMap;

/* Appends "schema.table: ..." to problems or warnings. */
void type_map_note(const TypeMap *map, GPtrArray *list, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* PostgreSQL to MySQL or MariaDB, and between those two; sizes and names too. */
void type_map_from_pg_to_mysql(const TypeMap *map);
void type_map_from_mysql_to_mysql(const TypeMap *map);
