#include "schema/type_map.h"

#include "schema/mysql/type.h"
#include "schema/type_map_internal.h"

#include <string.h>

#define PG_MAX_NAME 63 /* bytes */

void type_map_note(const TypeMap *map, GPtrArray *list, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(list, g_strdup_printf("%s: %s", map->table->label, text));
}

/* Between two PostgreSQL servers the type is the same, by definition of the source. */
static void keep_types(const TypeMap *map)
{
    Table *table = map->table;
    for (guint i = 0; i < table->n_columns; i++)
        table->columns[i].target_type = g_strdup(table->columns[i].type);
    for (guint i = 0; i < table->n_generated; i++)
        table->generated[i].target_type = g_strdup(table->generated[i].type);
}

static void from_mysql_to_pg(const TypeMap *map)
{
    Table *table = map->table;
    for (guint i = 0; i < table->n_columns; i++) {
        Column *column = &table->columns[i];
        MysqlType type;
        mysql_type_parse(column->type, &type);
        column->target_type = mysql_type_to_postgres(&type);
        if (strlen(column->name) > PG_MAX_NAME)
            type_map_note(map, map->problems,
                          "the name of column %s is longer than the %d bytes that a name of "
                          "PostgreSQL may have",
                          column->name, PG_MAX_NAME);
    }
}

static void forget_types(Column *columns, guint n)
{
    for (guint i = 0; i < n; i++)
        g_clear_pointer(&columns[i].target_type, g_free);
}

static bool is_json_of_mysql(const Product *product, const char *type)
{
    return product->kind == PRODUCT_MYSQL && g_strcmp0(type, "json") == 0;
}

static void tell_json(const TypeMap *map, Column *columns, guint n)
{
    for (guint i = 0; i < n; i++)
        columns[i].json_normal = is_json_of_mysql(map->source, columns[i].type) ||
                                 is_json_of_mysql(map->target, columns[i].target_type);
}

void type_map_table(Table *table, const Product *source, const Product *target, GPtrArray *problems,
                    GPtrArray *warnings)
{
    const TypeMap map = {table, source, target, problems, warnings};
    forget_types(table->columns, table->n_columns);
    forget_types(table->generated, table->n_generated);
    if (product_speaks_mysql(target))
        table->replace_updates = false;
    if (product_speaks_mysql(source) && product_speaks_mysql(target))
        type_map_from_mysql_to_mysql(&map);
    else if (product_speaks_mysql(source))
        from_mysql_to_pg(&map);
    else if (product_speaks_mysql(target))
        type_map_from_pg_to_mysql(&map);
    else
        keep_types(&map);
    tell_json(&map, table->columns, table->n_columns);
    tell_json(&map, table->generated, table->n_generated);
}
