#include "schema/description.h"

#include "schema/catalog_pg.h"
#include "schema/sql/embedded.h"

#include <string.h>

typedef struct Load {
    PGconn *connection;
    GHashTable *by_oid; /* guint32 -> TableDescription */
    char *oids;
} Load;

typedef void (*Add)(const Load *load, TableDescription *description, const PGresult *rows, int row);

static const char *get(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static bool get_bool(const PGresult *rows, int row, int column)
{
    return g_strcmp0(get(rows, row, column), "t") == 0;
}

static TableDescription *find(const Load *load, const char *oid)
{
    guint number = (guint)g_ascii_strtoull(oid, NULL, 10);
    return g_hash_table_lookup(load->by_oid, GUINT_TO_POINTER(number));
}

/* 1 comment. */
static void add_table(const Load *load, TableDescription *description, const PGresult *rows,
                      int row)
{
    (void)load;
    description->comment = g_strdup(get(rows, row, 1));
}

/* 1 name, 2 comment, 3 counts. */
static void add_column(const Load *load, TableDescription *description, const PGresult *rows,
                       int row)
{
    (void)load;
    ColumnDescription *column = description_column(description, get(rows, row, 1));
    if (column == NULL)
        return;
    column->comment = g_strdup(get(rows, row, 2));
    column->stored = column->column->generated;
    column->counts = column->counts || get_bool(rows, row, 3);
    if (!column->counts && !column->column->generated)
        column->initial =
            column_default_of_pg(column->column->default_sql, column->column->type_oid);
}

/* The index whose parts came last, or a new one. */
static IndexDescription *find_index(TableDescription *description, const PGresult *rows, int row)
{
    const char *name = get(rows, row, 1);
    for (guint i = 0; i < description->indexes->len; i++) {
        IndexDescription *index = g_ptr_array_index(description->indexes, i);
        if (strcmp(index->name, name) == 0)
            return index;
    }
    IndexDescription *index = description_add_index(description, name);
    index->unique = get_bool(rows, row, 2);
    index->primary = get_bool(rows, row, 3);
    index->method = g_strdup(get(rows, row, 4));
    index->partial = get_bool(rows, row, 5);
    index->nulls_are_equal = get_bool(rows, row, 6);
    index->has_included = get_bool(rows, row, 7);
    index->comment = g_strdup(get(rows, row, 8));
    return index;
}

/* 1 to 8 of the index, 9 column, 10 expression (the quoted name of a column too), 11 descending. */
static void add_index_part(const Load *load, TableDescription *description, const PGresult *rows,
                           int row)
{
    (void)load;
    IndexDescription *index = find_index(description, rows, row);
    IndexPart part = {.column = g_strdup(get(rows, row, 9))};
    if (part.column == NULL)
        part.expression = g_strdup(get(rows, row, 10));
    part.descending = get_bool(rows, row, 11);
    g_array_append_val(index->parts, part);
}

static ForeignKeyDescription *find_foreign_key(const Load *load, TableDescription *description,
                                               const PGresult *rows, int row)
{
    guint n = description->foreign_keys->len;
    ForeignKeyDescription *key = n > 0 ? g_ptr_array_index(description->foreign_keys, n - 1) : NULL;
    if (key != NULL && strcmp(key->name, get(rows, row, 1)) == 0)
        return key;
    const TableDescription *referenced = find(load, get(rows, row, 2));
    key = description_add_foreign_key(description, get(rows, row, 1));
    key->referenced_table = referenced != NULL ? referenced->table : NULL;
    key->referenced = g_strdup(get(rows, row, 3));
    key->on_delete = g_strdup(get(rows, row, 6));
    key->on_update = g_strdup(get(rows, row, 7));
    key->peculiar = g_strdup(get(rows, row, 8));
    return key;
}

/* 1 name, 2 and 3 referenced table, 4 column, 5 referenced column, 6 on delete, 7 on update,
 * 8 peculiar. */
static void add_foreign_key_column(const Load *load, TableDescription *description,
                                   const PGresult *rows, int row)
{
    ForeignKeyDescription *key = find_foreign_key(load, description, rows, row);
    g_ptr_array_add(key->columns, g_strdup(get(rows, row, 4)));
    g_ptr_array_add(key->referenced_columns, g_strdup(get(rows, row, 5)));
}

/* 1 name, 2 definition, 3 kind. */
static void add_check(const Load *load, TableDescription *description, const PGresult *rows,
                      int row)
{
    (void)load;
    bool check = get(rows, row, 3)[0] == 'c';
    description_add_check(description, get(rows, row, 1), get(rows, row, 2),
                          check ? "check constraint" : "exclusion constraint");
}

static bool add_rows(const Load *load, const char *sql, Add add, GError **error)
{
    const char *values[] = {load->oids};
    g_autoptr(PGresult) rows = pg_query_params(load->connection, sql, 1, values, error);
    if (rows == NULL)
        return false;
    for (int row = 0; row < PQntuples(rows); row++)
        add(load, find(load, get(rows, row, 0)), rows, row);
    return true;
}

static bool load_all(const Load *load, GError **error)
{
    return add_rows(load, embedded_description_pg_tables, add_table, error) &&
           add_rows(load, embedded_description_pg_columns, add_column, error) &&
           add_rows(load, embedded_description_pg_indexes, add_index_part, error) &&
           add_rows(load, embedded_description_pg_foreign_keys, add_foreign_key_column, error) &&
           add_rows(load, embedded_description_pg_checks, add_check, error);
}

GPtrArray *description_load_pg(PGconn *connection, const GPtrArray *tables, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)description_free);
    g_autoptr(GHashTable) by_oid = g_hash_table_new(NULL, NULL);
    g_autofree char *oids = catalog_pg_oids(tables);
    const Load load = {connection, by_oid, oids};
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        TableDescription *description = description_new(table);
        g_ptr_array_add(list, description);
        g_hash_table_insert(by_oid, GUINT_TO_POINTER(table->source_oid), description);
    }
    return load_all(&load, error) ? g_steal_pointer(&list) : NULL;
}
