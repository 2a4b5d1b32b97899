/*
 * A few queries over information_schema, whose rows of one table follow each other, put together by
 * the name of the table. Each sees its own moment: a table that comes or goes between them is
 * missing.
 */
#include "schema/catalog_mysql.h"

#include "schema/mysql/charset.h"
#include "schema/mysql/type.h"
#include "schema/sql/embedded.h"

#include <string.h>

#define PRIMARY "PRIMARY"
#define FIRST_WITH_HIDDEN_KEYS 80030 /* MySQL: sql_generate_invisible_primary_key */

/* Columns of catalog_mysql_tables.sql, in its order. */
enum { T_SCHEMA, T_NAME, T_KIND, T_ENGINE, T_ROWS, T_BYTES };

/* Columns of catalog_mysql_columns.sql. */
enum {
    C_SCHEMA,
    C_TABLE,
    C_NAME,
    C_TYPE,
    C_NUMBER,
    C_NOT_NULL,
    C_EXTRA,
    C_EXPRESSION,
    C_DEFAULT,
    C_CHARSET,
    C_COLLATION
};

/* Columns of catalog_mysql_keys.sql. */
enum { K_SCHEMA, K_TABLE, K_INDEX, K_COLUMN, K_USABLE };

/* Columns of catalog_mariadb_json.sql. */
enum { J_SCHEMA, J_TABLE, J_COLUMN };

/* One table in the making. */
typedef struct Entry {
    CatalogTable *table;
    GArray *columns;   /* Column */
    GArray *generated; /* Column */
    GPtrArray *json;   /* char *: columns of MariaDB's json */
    GPtrArray *unique; /* UniqueIndex */
} Entry;

typedef struct UniqueIndex {
    char *name;
    GPtrArray *columns; /* char * */
    bool usable;
} UniqueIndex;

static void unique_index_free(UniqueIndex *index)
{
    g_free(index->name);
    g_ptr_array_unref(index->columns);
    g_free(index);
}

static void entry_free(Entry *entry)
{
    catalog_table_free(entry->table);
    if (entry->columns != NULL)
        g_array_unref(entry->columns);
    if (entry->generated != NULL)
        g_array_unref(entry->generated);
    g_ptr_array_unref(entry->json);
    g_ptr_array_unref(entry->unique);
    g_free(entry);
}

static char *table_key(const char *schema, const char *name)
{
    return g_strdup_printf("%s\n%s", schema, name);
}

static Entry *find_entry(GHashTable *entries, MYSQL_ROW row)
{
    g_autofree char *key = table_key(row[0], row[1]);
    return g_hash_table_lookup(entries, key);
}

static char *qualified(const Table *table)
{
    GString *name = g_string_new(NULL);
    mysql_session_append_qualified(name, table->source_schema, table->source_name);
    return g_string_free(name, FALSE);
}

static void check_kind(CatalogTable *entry, MYSQL_ROW row)
{
    g_autofree char *name = qualified(entry->table);
    if (strcmp(row[T_KIND], "SYSTEM VERSIONED") == 0)
        catalog_table_add_problem(entry, NULL,
                                  "is system-versioned, which is not supported yet; leave it out "
                                  "with exclude");
    if (g_ascii_strcasecmp(row[T_ENGINE] ? row[T_ENGINE] : "", "InnoDB") != 0) {
        g_autofree char *sql = g_strdup_printf("alter table %s engine = InnoDB;", name);
        catalog_table_add_problem(entry, sql,
                                  "has the engine %s; drover moves tables of InnoDB, whose "
                                  "transactions are what it copies and follows",
                                  row[T_ENGINE] ? row[T_ENGINE] : "(none)");
    }
}

static void add_tables(GHashTable *entries, MYSQL_RES *rows)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        Table *table = g_new0(Table, 1);
        Entry *entry = g_new0(Entry, 1);
        table->source_schema = g_strdup(row[T_SCHEMA]);
        table->source_name = g_strdup(row[T_NAME]);
        table->label = g_strdup_printf("%s.%s", table->source_schema, table->source_name);
        table->estimated_rows = row[T_ROWS] ? g_ascii_strtoll(row[T_ROWS], NULL, 10) : 0;
        table->bytes = row[T_BYTES] ? g_ascii_strtoll(row[T_BYTES], NULL, 10) : 0;
        entry->table = catalog_table_new(table);
        entry->columns = g_array_new(FALSE, TRUE, sizeof(Column));
        entry->generated = g_array_new(FALSE, TRUE, sizeof(Column));
        g_array_set_clear_func(entry->columns, (GDestroyNotify)column_clear);
        g_array_set_clear_func(entry->generated, (GDestroyNotify)column_clear);
        entry->json = g_ptr_array_new_with_free_func(g_free);
        entry->unique = g_ptr_array_new_with_free_func((GDestroyNotify)unique_index_free);
        check_kind(entry->table, row);
        g_hash_table_insert(entries, table_key(row[T_SCHEMA], row[T_NAME]), entry);
    }
}

static void add_json(GHashTable *entries, MYSQL_RES *rows)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        Entry *entry = find_entry(entries, row);
        if (entry != NULL)
            g_ptr_array_add(entry->json, g_strdup(row[J_COLUMN]));
    }
}

/* The type without what a server adds in comments (compression, old formats). */
static char *clean_type(const Entry *entry, MYSQL_ROW row)
{
    if (strcmp(row[C_TYPE], "longtext") == 0 &&
        g_ptr_array_find_with_equal_func(entry->json, row[C_NAME], g_str_equal, NULL))
        return g_strdup("json");
    if (g_str_has_prefix(row[C_TYPE], "enum(") || g_str_has_prefix(row[C_TYPE], "set("))
        return g_strdup(row[C_TYPE]);
    const char *comment = strstr(row[C_TYPE], "/*");
    gsize size = comment ? (gsize)(comment - row[C_TYPE]) : strlen(row[C_TYPE]);
    return g_strchomp(g_strndup(row[C_TYPE], size));
}

static void check_column(CatalogTable *entry, const Column *column)
{
    if (column->type_oid == 0)
        catalog_table_add_problem(entry, NULL,
                                  "column %s has the type %s, which is unmapped: change the "
                                  "column's type or leave the table out with exclude",
                                  column->name, column->type);
    if (column->charset != NULL && !mysql_charset_is_known(column->charset)) {
        g_autofree char *name = qualified(entry->table);
        g_autofree char *sql =
            g_strdup_printf("alter table %s convert to character set utf8mb4;", name);
        catalog_table_add_problem(entry, sql,
                                  "column %s has the character set %s, whose texts drover cannot "
                                  "convert exactly",
                                  column->name, column->charset);
    }
}

static void add_column(Entry *entry, MYSQL_ROW row)
{
    Column column = {.key_place = -1};
    MysqlType type;
    column.name = g_strdup(row[C_NAME]);
    column.type = clean_type(entry, row);
    mysql_type_parse(column.type, &type);
    column.type_oid = mysql_type_canonical(&type);
    column.number = (int)g_ascii_strtoll(row[C_NUMBER], NULL, 10);
    column.not_null = row[C_NOT_NULL][0] == '1';
    column.identity = strstr(row[C_EXTRA], "auto_increment") ? 'd' : '\0';
    column.generated = g_strrstr(row[C_EXTRA], "STORED GENERATED") != NULL ||
                       g_strrstr(row[C_EXTRA], "VIRTUAL GENERATED") != NULL;
    column.default_sql = g_strdup(column.generated ? row[C_EXPRESSION] : row[C_DEFAULT]);
    if (strcmp(type.name, "json") != 0) {
        column.charset = g_strdup(row[C_CHARSET]);
        column.collation = g_strdup(row[C_COLLATION]);
    }
    if (!column.generated)
        check_column(entry->table, &column);
    g_array_append_val(column.generated ? entry->generated : entry->columns, column);
}

static void add_columns(GHashTable *entries, MYSQL_RES *rows)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        Entry *entry = find_entry(entries, row);
        if (entry != NULL)
            add_column(entry, row);
    }
}

static void add_key_column(Entry *entry, MYSQL_ROW row)
{
    UniqueIndex *index = NULL;
    if (entry->unique->len > 0)
        index = g_ptr_array_index(entry->unique, entry->unique->len - 1);
    if (index == NULL || strcmp(index->name, row[K_INDEX]) != 0) {
        index = g_new0(UniqueIndex, 1);
        index->name = g_strdup(row[K_INDEX]);
        index->columns = g_ptr_array_new_with_free_func(g_free);
        index->usable = true;
        g_ptr_array_add(entry->unique, index);
    }
    index->usable = index->usable && row[K_USABLE][0] == '1';
    g_ptr_array_add(index->columns, g_strdup(row[K_COLUMN]));
}

static void add_keys(GHashTable *entries, MYSQL_RES *rows)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(rows)) != NULL) {
        Entry *entry = find_entry(entries, row);
        if (entry != NULL)
            add_key_column(entry, row);
    }
}

static bool only_moved_columns(const Table *table, const UniqueIndex *index)
{
    for (guint i = 0; i < index->columns->len; i++)
        if (table_find_column(table, g_ptr_array_index(index->columns, i)) < 0)
            return false;
    return true;
}

static const UniqueIndex *choose_key(const Table *table, const GPtrArray *unique)
{
    const UniqueIndex *best = NULL;
    for (guint i = 0; i < unique->len; i++) {
        const UniqueIndex *index = g_ptr_array_index(unique, i);
        if (!index->usable || !only_moved_columns(table, index))
            continue;
        if (strcmp(index->name, PRIMARY) == 0)
            return index;
        if (best == NULL || index->columns->len < best->columns->len)
            best = index;
    }
    return best;
}

static void set_key(Table *table, const UniqueIndex *index)
{
    table->key_name = g_strdup(index->name);
    table->key_is_primary = strcmp(index->name, PRIMARY) == 0;
    table->n_key = index->columns->len;
    table->key = g_new0(guint, table->n_key);
    for (guint i = 0; i < table->n_key; i++) {
        int place = table_find_column(table, g_ptr_array_index(index->columns, i));
        table->key[i] = (guint)place;
        table->columns[place].key_place = (int)i;
    }
}

static bool has_primary(const GPtrArray *unique)
{
    for (guint i = 0; i < unique->len; i++)
        if (strcmp(((const UniqueIndex *)g_ptr_array_index(unique, i))->name, PRIMARY) == 0)
            return true;
    return false;
}

static void add_key_problem(CatalogTable *entry, const GPtrArray *unique)
{
    g_autofree char *name = qualified(entry->table);
    g_autofree char *sql = g_strdup_printf("alter table %s add primary key (...);", name);
    if (has_primary(unique))
        catalog_table_add_problem(entry, NULL,
                                  "its primary key has a generated column or only the beginning "
                                  "of one, which does not identify moved rows; leave the table out "
                                  "with exclude");
    else
        catalog_table_add_problem(entry, sql,
                                  "has no primary key and no unique index of columns that are not "
                                  "null: its rows cannot be identified");
}

static CatalogTable *finish(Entry *entry)
{
    CatalogTable *done = g_steal_pointer(&entry->table);
    Table *table = done->table;
    table->n_columns = entry->columns->len;
    table->columns = (Column *)(gpointer)g_array_free(g_steal_pointer(&entry->columns), FALSE);
    table->n_generated = entry->generated->len;
    table->generated = (Column *)(gpointer)g_array_free(g_steal_pointer(&entry->generated), FALSE);
    const UniqueIndex *key = choose_key(table, entry->unique);
    if (key != NULL)
        set_key(table, key);
    else
        add_key_problem(done, entry->unique);
    table->other_unique = entry->unique->len > (key != NULL ? 1 : 0);
    table->version = table_compute_version(table);
    return done;
}

static int compare_tables(gconstpointer a, gconstpointer b)
{
    const Table *left = (*(CatalogTable *const *)a)->table;
    const Table *right = (*(CatalogTable *const *)b)->table;
    int order = strcmp(left->source_schema, right->source_schema);
    return order != 0 ? order : strcmp(left->source_name, right->source_name);
}

/* A table without columns went away between the queries. */
static GPtrArray *assemble(GHashTable *entries)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_table_free);
    GHashTableIter iter;
    gpointer entry;
    g_hash_table_iter_init(&iter, entries);
    while (g_hash_table_iter_next(&iter, NULL, &entry))
        if (((Entry *)entry)->columns->len > 0)
            g_ptr_array_add(list, finish(entry));
    g_ptr_array_sort(list, compare_tables);
    for (guint i = 0; i < list->len; i++)
        ((CatalogTable *)g_ptr_array_index(list, i))->table->source_oid = i + 1;
    return list;
}

static bool set_up_session(MYSQL *mysql, GError **error)
{
    if (mysql_session_is_mariadb(mysql))
        return true;
    if (mysql_get_server_version(mysql) >= FIRST_WITH_HIDDEN_KEYS &&
        !mysql_session_run(
            mysql, "set session show_gipk_in_create_table_and_information_schema = on", error))
        return false;
    return mysql_session_run(mysql, "set session information_schema_stats_expiry = 0", error);
}

static bool add_rows(MYSQL *mysql, const char *sql, GHashTable *entries,
                     void (*add)(GHashTable *, MYSQL_RES *), GError **error)
{
    g_autoptr(MYSQL_RES) rows = mysql_session_query(mysql, sql, error);
    if (rows == NULL)
        return false;
    add(entries, rows);
    return true;
}

GPtrArray *catalog_mysql_tables(MYSQL *mysql, GError **error)
{
    g_autoptr(GHashTable) entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)entry_free);
    if (set_up_session(mysql, error) &&
        add_rows(mysql, embedded_catalog_mysql_tables, entries, add_tables, error) &&
        (!mysql_session_is_mariadb(mysql) ||
         add_rows(mysql, embedded_catalog_mariadb_json, entries, add_json, error)) &&
        add_rows(mysql, embedded_catalog_mysql_columns, entries, add_columns, error) &&
        add_rows(mysql, embedded_catalog_mysql_keys, entries, add_keys, error))
        return assemble(entries);
    g_prefix_error(error, "reading the catalog: ");
    return NULL;
}

GPtrArray *catalog_mysql_not_moved(MYSQL *mysql, GError **error)
{
    g_autoptr(MYSQL_RES) rows = mysql_session_query(mysql, embedded_catalog_mysql_not_moved, error);
    if (rows == NULL)
        return NULL;
    GPtrArray *sentences = g_ptr_array_new_with_free_func(g_free);
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(rows)) != NULL)
        g_ptr_array_add(sentences, g_strdup(row[0]));
    return sentences;
}
