#include "schema/mysql/type.h"

#include <string.h>

static const struct {
    const char *name;
    guint32 canonical;
    guint32 canonical_unsigned;
} types[] = {
#define MYSQL_TYPE(name, canonical, canonical_unsigned) {name, canonical, canonical_unsigned},
#include "schema/mysql/types.def"
#undef MYSQL_TYPE
};

static const char *const geometries[] = {
    "geometry",     "point",          "linestring",
    "polygon",      "multipoint",     "multilinestring",
    "multipolygon", "geomcollection", "geometrycollection",
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

guint32 mysql_type_canonical(const MysqlType *type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (strcmp(types[i].name, type->name) == 0)
            return type->is_unsigned ? types[i].canonical_unsigned : types[i].canonical;
    return 0;
}

bool mysql_type_is_geometry(const MysqlType *type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(geometries); i++)
        if (strcmp(geometries[i], type->name) == 0)
            return true;
    return false;
}
