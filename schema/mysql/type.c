#include "schema/mysql/type.h"

#include <string.h>

/* Which modifier of the column PostgreSQL's type takes. */
typedef enum { NONE, LENGTH, SCALE, DIGITS } Modifier;

static const struct {
    const char *name;
    guint32 canonical;
    guint32 canonical_unsigned;
    Modifier modifier;
    const char *postgres;
    const char *postgres_unsigned;
} types[] = {
#define MYSQL_TYPE(name, canonical, canonical_unsigned, modifier, postgres, postgres_unsigned)     \
    {name, canonical, canonical_unsigned, modifier, postgres, postgres_unsigned},
#include "schema/mysql/types.def"
#undef MYSQL_TYPE
};

static const char *const geometries[] = {
    "geometry",     "point",          "linestring",
    "polygon",      "multipoint",     "multilinestring",
    "multipolygon", "geomcollection", "geometrycollection",
};

static const struct {
    const char *name;
    guint bytes;
} fixed_sizes[] = {
    {"tinyint", 1},  {"smallint", 2},  {"mediumint", 3}, {"int", 4},  {"bigint", 8},
    {"float", 4},    {"double", 8},    {"year", 1},      {"date", 3}, {"time", 6},
    {"datetime", 8}, {"timestamp", 7}, {"bit", 8},       {"enum", 2}, {"set", 8},
    {"uuid", 16},    {"inet4", 4},     {"inet6", 16},
};

void mysql_type_parse(const char *column_type, MysqlType *type)
{
    *type = (MysqlType){.length = 0};
    gsize size = strspn(column_type, "abcdefghijklmnopqrstuvwxyz0123456789_");
    memcpy(type->name, column_type, MIN(size, MYSQL_TYPE_NAME - 1));
    const char *rest = column_type + size;
    if (rest[0] == '(' && g_ascii_isdigit(rest[1])) {
        char *end;
        type->length = (guint)g_ascii_strtoull(rest + 1, &end, 10);
        type->has_length = true;
        if (*end == ',')
            type->scale = (guint)g_ascii_strtoull(end + 1, &end, 10);
        rest = end;
    }
    /* Labels may hold any word. */
    type->is_unsigned = strcmp(type->name, "enum") != 0 && strcmp(type->name, "set") != 0 &&
                        strstr(rest, "unsigned") != NULL;
}

static int find(const MysqlType *type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (strcmp(types[i].name, type->name) == 0)
            return (int)i;
    return -1;
}

guint32 mysql_type_canonical(const MysqlType *type)
{
    int i = find(type);
    if (i < 0)
        return 0;
    return type->is_unsigned ? types[i].canonical_unsigned : types[i].canonical;
}

char *mysql_type_to_postgres(const MysqlType *type)
{
    int i = find(type);
    if (i < 0)
        return NULL;
    const char *name = type->is_unsigned ? types[i].postgres_unsigned : types[i].postgres;
    switch (types[i].modifier) {
    case LENGTH:
        /* varchar(0) is a type only there. */
        return type->length == 0 ? g_strdup("text") : g_strdup_printf("%s(%u)", name, type->length);
    case SCALE:
        return g_strdup_printf("%s(%u,%u)", name, type->length, type->scale);
    case DIGITS:
        return g_strdup_printf("%s(%u)", name, type->length);
    case NONE:
        break;
    }
    return g_strdup(name);
}

bool mysql_type_is_geometry(const MysqlType *type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(geometries); i++)
        if (strcmp(geometries[i], type->name) == 0)
            return true;
    return false;
}

guint mysql_type_index_bytes(const char *column_type)
{
    MysqlType type;
    mysql_type_parse(column_type, &type);
    for (gsize i = 0; i < G_N_ELEMENTS(fixed_sizes); i++)
        if (strcmp(fixed_sizes[i].name, type.name) == 0)
            return fixed_sizes[i].bytes;
    if (strcmp(type.name, "decimal") == 0)
        return type.length / 2 + 2;
    if (strcmp(type.name, "binary") == 0 || strcmp(type.name, "varbinary") == 0)
        return type.length;
    if (strcmp(type.name, "char") == 0 || strcmp(type.name, "varchar") == 0)
        return type.length * (strstr(column_type, "character set ascii") ? 1 : 4);
    return 0;
}
