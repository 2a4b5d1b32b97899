/*
 * Queries over information_schema as those of the catalog, whose rows begin with the schema and the
 * name of a table.
 */
#include "schema/description.h"

#include "schema/sql/embedded.h"

#include <string.h>

typedef struct Load {
    MYSQL *mysql;
    bool mariadb;
    GHashTable *by_name; /* "schema\nname" -> TableDescription */
} Load;

typedef void (*Add)(const Load *load, TableDescription *description, MYSQL_ROW row);

static char *name_key(const char *schema, const char *name)
{
    return g_strdup_printf("%s\n%s", schema, name);
}

static char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? g_strdup(text) : NULL;
}

static char *expression_of(const Load *load, const char *text)
{
    return load->mariadb ? g_strdup(text) : column_default_mysql_expression(text);
}

/* 2 comment, 3 auto_increment, 4 options. */
static void add_table(const Load *load, TableDescription *description, MYSQL_ROW row)
{
    (void)load;
    description->comment = text_or_null(row[2]);
    description->next_number = row[3] != NULL ? g_ascii_strtoull(row[3], NULL, 10) : 0;
    description->partitioned = row[4] != NULL && strstr(row[4], "partitioned") != NULL;
}

/* "on update CURRENT_TIMESTAMP(3)" of the extra words. */
static char *on_update_of(const char *extra)
{
    static const char word[] = "on update ";
    const char *place = strstr(extra, word);
    if (place == NULL)
        return NULL;
    place += strlen(word);
    return g_strndup(place, strcspn(place, " "));
}

/* 2 name, 3 default, 4 extra, 5 comment. */
static void add_column(const Load *load, TableDescription *description, MYSQL_ROW row)
{
    ColumnDescription *column = description_column(description, row[2]);
    if (column == NULL)
        return;
    const Column *moved = column->column;
    column->comment = text_or_null(row[5]);
    column->on_update = on_update_of(row[4]);
    column->invisible = strstr(row[4], "INVISIBLE") != NULL;
    if (moved->generated) {
        column->stored = strstr(row[4], "STORED GENERATED") != NULL;
        g_free(column->expression);
        column->expression = expression_of(load, moved->default_sql);
    } else if (!column->counts) {
        column->initial = load->mariadb ? column_default_of_mariadb(row[3], moved->type_oid)
                                        : column_default_of_mysql(row[3], row[4], moved->type_oid);
    }
}

/* 2 name, 3 srid. */
static void add_srid(const Load *load, TableDescription *description, MYSQL_ROW row)
{
    (void)load;
    ColumnDescription *column = description_column(description, row[2]);
    if (column != NULL)
        column->srid = g_strdup(row[3]);
}

/* The index whose parts came last, or a new one. */
static IndexDescription *find_index(TableDescription *description, MYSQL_ROW row)
{
    for (guint i = 0; i < description->indexes->len; i++) {
        IndexDescription *index = g_ptr_array_index(description->indexes, i);
        if (strcmp(index->name, row[2]) == 0)
            return index;
    }
    IndexDescription *index = description_add_index(description, row[2]);
    index->unique = strcmp(row[3], "0") == 0;
    index->primary = strcmp(row[2], "PRIMARY") == 0;
    index->method = g_ascii_strdown(row[4], -1);
    index->comment = text_or_null(row[5]);
    index->invisible = strcmp(row[10], "NO") == 0;
    return index;
}

/* 2 name, 3 not unique, 4 method, 5 comment, 6 column, 7 expression, 8 prefix, 9 order, 10 visible.
 */
static void add_index_part(const Load *load, TableDescription *description, MYSQL_ROW row)
{
    IndexDescription *index = find_index(description, row);
    IndexPart part = {.column = g_strdup(row[6])};
    part.expression = row[7] != NULL ? expression_of(load, row[7]) : NULL;
    /* A spatial index is shown with the size of what it stores. */
    if (row[8] != NULL && strcmp(index->method, "spatial") != 0)
        part.prefix = (guint)g_ascii_strtoull(row[8], NULL, 10);
    part.descending = g_strcmp0(row[9], "D") == 0;
    g_array_append_val(index->parts, part);
}

static ForeignKeyDescription *find_foreign_key(const Load *load, TableDescription *description,
                                               MYSQL_ROW row)
{
    guint n = description->foreign_keys->len;
    ForeignKeyDescription *key = n > 0 ? g_ptr_array_index(description->foreign_keys, n - 1) : NULL;
    if (key != NULL && strcmp(key->name, row[2]) == 0)
        return key;
    g_autofree char *name = name_key(row[4], row[5]);
    const TableDescription *referenced = g_hash_table_lookup(load->by_name, name);
    key = description_add_foreign_key(description, row[2]);
    key->referenced = g_strdup_printf("%s.%s", row[4], row[5]);
    key->referenced_table = referenced != NULL ? referenced->table : NULL;
    key->on_delete = g_strdup(row[7]);
    key->on_update = g_strdup(row[8]);
    return key;
}

/* 2 name, 3 column, 4 and 5 referenced table, 6 referenced column, 7 on delete, 8 on update. */
static void add_foreign_key_column(const Load *load, TableDescription *description, MYSQL_ROW row)
{
    ForeignKeyDescription *key = find_foreign_key(load, description, row);
    g_ptr_array_add(key->columns, g_strdup(row[3]));
    g_ptr_array_add(key->referenced_columns, g_strdup(row[6]));
}

/* 2 name, 3 expression. */
static void add_check(const Load *load, TableDescription *description, MYSQL_ROW row)
{
    g_autofree char *expression = expression_of(load, row[3]);
    description_add_check(description, row[2], expression, "check constraint");
}

static bool add_rows(const Load *load, const char *sql, Add add, GError **error)
{
    g_autoptr(MYSQL_RES) rows = mysql_session_query(load->mysql, sql, error);
    MYSQL_ROW row;
    if (rows == NULL)
        return false;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        g_autofree char *name = name_key(row[0], row[1]);
        TableDescription *description = g_hash_table_lookup(load->by_name, name);
        if (description != NULL)
            add(load, description, row);
    }
    return true;
}

static bool load_all(const Load *load, GError **error)
{
    const char *indexes =
        load->mariadb ? embedded_description_mariadb_indexes : embedded_description_mysql_indexes;
    const char *checks =
        load->mariadb ? embedded_description_mariadb_checks : embedded_description_mysql_checks;
    return add_rows(load, embedded_description_mysql_tables, add_table, error) &&
           add_rows(load, embedded_description_mysql_columns, add_column, error) &&
           (load->mariadb || add_rows(load, embedded_description_mysql_srids, add_srid, error)) &&
           add_rows(load, indexes, add_index_part, error) &&
           add_rows(load, embedded_description_mysql_foreign_keys, add_foreign_key_column, error) &&
           add_rows(load, checks, add_check, error);
}

GPtrArray *description_load_mysql(MYSQL *mysql, const GPtrArray *tables, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)description_free);
    g_autoptr(GHashTable) by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const Load load = {mysql, mysql_session_is_mariadb(mysql), by_name};
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        TableDescription *description = description_new(table);
        g_ptr_array_add(list, description);
        g_hash_table_insert(by_name, name_key(table->source_schema, table->source_name),
                            description);
    }
    return load_all(&load, error) ? g_steal_pointer(&list) : NULL;
}
