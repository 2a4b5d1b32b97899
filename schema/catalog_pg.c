#include "schema/catalog_pg.h"
#include "schema/sql/embedded.h"
#include "schema/type.h"

#include <string.h>

/* Columns of catalog_tables.sql, in its order. */
enum {
    T_OID,
    T_SCHEMA,
    T_NAME,
    T_KIND,
    T_PERSISTENCE,
    T_IS_PARTITION,
    T_REPLICA_IDENTITY,
    T_INHERITS,
    T_TYPED,
    T_ROW_SECURITY,
    T_STORAGE,
    T_ROWS,
    T_BYTES,
    T_KEY_INDEX,
    T_KEY_NAME,
    T_KEY_IS_PRIMARY,
    T_OTHER_UNIQUE,
    T_HAS_PRIMARY,
    T_PRIMARY_DEFERRABLE,
    T_PRIMARY_NAME,
    T_PRIMARY_COLUMNS,
    T_USABLE_INDEX,
    T_ROLE
};

/* Columns of catalog_columns.sql. */
enum {
    C_TABLE,
    C_NAME,
    C_TYPE,
    C_TYPE_OID,
    C_NUMBER,
    C_NOT_NULL,
    C_IDENTITY,
    C_GENERATED,
    C_DEFAULT,
    C_COLLATION,
    C_KIND
};

/* Columns of catalog_keys.sql. */
enum { K_TABLE, K_INDEX, K_NUMBER, K_PLACE };

static const char *get(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static bool get_bool(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static gint64 get_number(const PGresult *result, int row, int column)
{
    return g_ascii_strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static char *qualified(const Table *table)
{
    GString *name = g_string_new(NULL);
    pg_append_qualified(name, table->source_schema, table->source_name);
    return g_string_free(name, FALSE);
}

static char *quoted(const char *name)
{
    GString *text = g_string_new(NULL);
    pg_append_identifier(text, name);
    return g_string_free(text, FALSE);
}

static void check_kind(CatalogTable *entry, const PGresult *tables, int row)
{
    g_autofree char *name = qualified(entry->table);
    if (PQgetvalue(tables, row, T_KIND)[0] == 'p')
        catalog_table_add_problem(entry, NULL,
                                  "is partitioned, which is not supported yet; leave it out with "
                                  "exclude");
    else if (get_bool(tables, row, T_IS_PARTITION))
        catalog_table_add_problem(entry, NULL,
                                  "is a partition, which is not supported yet; leave it out with "
                                  "exclude");
    else if (get_bool(tables, row, T_INHERITS))
        catalog_table_add_problem(entry, NULL,
                                  "takes part in inheritance, which is not supported yet; leave it "
                                  "out with exclude");
    if (get_bool(tables, row, T_TYPED))
        catalog_table_add_problem(entry, NULL,
                                  "is a table of a composite type, which is not supported yet; "
                                  "leave it out with exclude");
    if (PQgetvalue(tables, row, T_PERSISTENCE)[0] == 'u') {
        g_autofree char *sql = g_strdup_printf("alter table %s set logged;", name);
        catalog_table_add_problem(entry, sql, "is unlogged: its changes are in no log");
    }
    if (get_bool(tables, row, T_ROW_SECURITY)) {
        g_autofree char *role = quoted(PQgetvalue(tables, row, T_ROLE));
        g_autofree char *sql = g_strdup_printf("alter role %s bypassrls;", role);
        catalog_table_add_problem(entry, sql,
                                  "row-level security hides rows from the role that drover uses");
    }
}

/* The statement that gives a table without a key one. */
static char *key_statement(const Table *table, const PGresult *tables, int row)
{
    g_autofree char *name = qualified(table);
    const char *usable = get(tables, row, T_USABLE_INDEX);
    if (get_bool(tables, row, T_HAS_PRIMARY) && !get_bool(tables, row, T_PRIMARY_DEFERRABLE))
        return g_strdup_printf("alter table %s replica identity default;", name);
    if (usable != NULL) {
        g_autofree char *index = quoted(usable);
        return g_strdup_printf("alter table %s replica identity using index %s;", name, index);
    }
    if (get_bool(tables, row, T_PRIMARY_DEFERRABLE)) {
        g_autofree char *constraint = quoted(PQgetvalue(tables, row, T_PRIMARY_NAME));
        return g_strdup_printf("alter table %s drop constraint %s, add constraint %s primary key "
                               "(%s);",
                               name, constraint, constraint,
                               PQgetvalue(tables, row, T_PRIMARY_COLUMNS));
    }
    return g_strdup_printf("alter table %s add primary key (...);", name);
}

static void check_key(CatalogTable *entry, const PGresult *tables, int row)
{
    if (get(tables, row, T_KEY_INDEX) != NULL)
        return;
    g_autofree char *sql = key_statement(entry->table, tables, row);
    char identity = PQgetvalue(tables, row, T_REPLICA_IDENTITY)[0];
    if (identity == 'n')
        catalog_table_add_problem(
            entry, sql,
            "its replica identity is nothing: updates and deletes have no key "
            "in the log");
    else if (identity == 'i')
        catalog_table_add_problem(entry, sql,
                                  "its replica identity is an index that does not exist any more");
    else if (get_bool(tables, row, T_PRIMARY_DEFERRABLE))
        catalog_table_add_problem(
            entry, sql,
            "its primary key is deferrable, so that PostgreSQL does not use it "
            "to identify rows");
    else
        catalog_table_add_problem(entry, sql,
                                  "has no primary key and no replica identity: its rows cannot be "
                                  "identified");
}

static CatalogTable *table_from_row(const PGresult *tables, int row)
{
    Table *table = g_new0(Table, 1);
    CatalogTable *entry = catalog_table_new(table);
    table->source_oid = (guint32)get_number(tables, row, T_OID);
    table->source_schema = g_strdup(PQgetvalue(tables, row, T_SCHEMA));
    table->source_name = g_strdup(PQgetvalue(tables, row, T_NAME));
    table->label = g_strdup_printf("%s.%s", table->source_schema, table->source_name);
    table->storage = (guint64)get_number(tables, row, T_STORAGE);
    table->estimated_rows = get_number(tables, row, T_ROWS);
    table->bytes = get_number(tables, row, T_BYTES);
    table->key_name = g_strdup(get(tables, row, T_KEY_NAME));
    table->key_is_primary = get_bool(tables, row, T_KEY_IS_PRIMARY);
    table->other_unique = get_bool(tables, row, T_OTHER_UNIQUE);
    check_kind(entry, tables, row);
    check_key(entry, tables, row);
    return entry;
}

static void check_type(CatalogTable *entry, const Column *column, const char *kind)
{
    if (type_find(column->type_oid, NULL) == NULL)
        catalog_table_add_problem(
            entry, NULL,
            "column %s has the type %s, %s, which is unmapped: change the column's type or "
            "leave the table out with exclude",
            column->name, column->type, kind);
}

static void add_column(CatalogTable *entry, GArray *columns, GArray *generated,
                       const PGresult *result, int row)
{
    Column column = {.key_place = -1};
    char identity = PQgetvalue(result, row, C_IDENTITY)[0];
    char computed = PQgetvalue(result, row, C_GENERATED)[0];
    column.name = g_strdup(PQgetvalue(result, row, C_NAME));
    column.type = g_strdup(PQgetvalue(result, row, C_TYPE));
    column.type_oid = (guint32)get_number(result, row, C_TYPE_OID);
    column.number = (int)get_number(result, row, C_NUMBER);
    column.not_null = get_bool(result, row, C_NOT_NULL);
    column.identity = identity;
    column.generated = computed != '\0';
    column.default_sql = g_strdup(get(result, row, C_DEFAULT));
    column.collation = g_strdup(get(result, row, C_COLLATION));
    if (computed == 'v')
        catalog_table_add_problem(entry, NULL,
                                  "column %s is a virtual generated column, which is not supported "
                                  "yet; leave the table out with exclude",
                                  column.name);
    check_type(entry, &column, PQgetvalue(result, row, C_KIND));
    g_array_append_val(column.generated ? generated : columns, column);
}

static CatalogTable *find_table(GHashTable *by_oid, const PGresult *result, int row, int column)
{
    return g_hash_table_lookup(by_oid, PQgetvalue(result, row, column));
}

/* Rows of one table follow each other. */
static void add_columns(GHashTable *by_oid, const PGresult *result)
{
    int n = PQntuples(result);
    for (int row = 0; row < n;) {
        CatalogTable *entry = find_table(by_oid, result, row, C_TABLE);
        g_autofree char *oid = g_strdup(PQgetvalue(result, row, C_TABLE));
        GArray *columns = g_array_new(FALSE, TRUE, sizeof(Column));
        GArray *generated = g_array_new(FALSE, TRUE, sizeof(Column));
        for (; row < n && strcmp(PQgetvalue(result, row, C_TABLE), oid) == 0; row++)
            if (entry != NULL)
                add_column(entry, columns, generated, result, row);
        gsize n_columns, n_generated;
        Column *moved = g_array_steal(columns, &n_columns);
        Column *computed = g_array_steal(generated, &n_generated);
        g_array_unref(columns);
        g_array_unref(generated);
        if (entry == NULL) {
            g_free(moved);
            g_free(computed);
            continue;
        }
        entry->table->columns = moved;
        entry->table->n_columns = (guint)n_columns;
        entry->table->generated = computed;
        entry->table->n_generated = (guint)n_generated;
    }
}

static void add_key_column(CatalogTable *entry, int number)
{
    Table *table = entry->table;
    for (guint i = 0; i < table->n_columns; i++) {
        if (table->columns[i].number != number)
            continue;
        table->columns[i].key_place = (int)table->n_key;
        table->key = g_renew(guint, table->key, table->n_key + 1);
        table->key[table->n_key++] = i;
        return;
    }
    catalog_table_add_problem(entry, NULL,
                              "its key %s has a generated column, whose values are not in the log; "
                              "leave the table out with exclude",
                              table->key_name);
}

/* key_index: the oid (text) of each table's key index, by the table's oid (text). */
static void add_keys(GHashTable *by_oid, GHashTable *key_index, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *index = g_hash_table_lookup(key_index, PQgetvalue(result, row, K_TABLE));
        CatalogTable *entry = find_table(by_oid, result, row, K_TABLE);
        if (entry != NULL && g_strcmp0(index, PQgetvalue(result, row, K_INDEX)) == 0)
            add_key_column(entry, (int)get_number(result, row, K_NUMBER));
    }
}

static void finish_table(CatalogTable *entry)
{
    Table *table = entry->table;
    for (guint i = 0; i < table->n_columns; i++)
        if (table->columns[i].identity == 'a' && table->columns[i].key_place < 0)
            table->replace_updates = true;
    table->version = table_compute_version(table);
}

static GPtrArray *assemble(const PGresult *tables, const PGresult *columns, const PGresult *keys)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_table_free);
    g_autoptr(GHashTable) by_oid = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) key_index = g_hash_table_new(g_str_hash, g_str_equal);
    for (int row = 0; row < PQntuples(tables); row++) {
        CatalogTable *entry = table_from_row(tables, row);
        g_ptr_array_add(list, entry);
        g_hash_table_insert(by_oid, PQgetvalue(tables, row, T_OID), entry);
        if (get(tables, row, T_KEY_INDEX) != NULL)
            g_hash_table_insert(key_index, PQgetvalue(tables, row, T_OID),
                                PQgetvalue(tables, row, T_KEY_INDEX));
    }
    add_columns(by_oid, columns);
    add_keys(by_oid, key_index, keys);
    for (guint i = 0; i < list->len; i++)
        finish_table(g_ptr_array_index(list, i));
    return list;
}

static GPtrArray *read_tables(PGconn *connection, GError **error)
{
    g_autoptr(PGresult) tables = pg_query(connection, embedded_catalog_tables, error);
    if (tables == NULL)
        return NULL;
    g_autoptr(PGresult) columns = pg_query(connection, embedded_catalog_columns, error);
    if (columns == NULL)
        return NULL;
    g_autoptr(PGresult) keys = pg_query(connection, embedded_catalog_keys, error);
    if (keys == NULL)
        return NULL;
    return assemble(tables, columns, keys);
}

GPtrArray *catalog_pg_tables(PGconn *connection, GError **error)
{
    /* One snapshot for the three queries, unless the caller has one. */
    bool own = PQtransactionStatus(connection) == PQTRANS_IDLE;
    if (own && !pg_run(connection, "begin isolation level repeatable read, read only", error))
        return NULL;
    GPtrArray *list = read_tables(connection, error);
    if (own && list == NULL)
        pg_run(connection, "rollback", NULL);
    if (own && list != NULL && !pg_run(connection, "commit", error))
        g_clear_pointer(&list, g_ptr_array_unref);
    if (list == NULL)
        g_prefix_error(error, "reading the catalog: ");
    return list;
}

GPtrArray *catalog_pg_not_moved(PGconn *connection, GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, embedded_catalog_not_moved, error);
    if (result == NULL)
        return NULL;
    GPtrArray *sentences = g_ptr_array_new_with_free_func(g_free);
    for (int row = 0; row < PQntuples(result); row++)
        g_ptr_array_add(sentences, g_strdup(PQgetvalue(result, row, 0)));
    return sentences;
}

char *catalog_pg_oids(const GPtrArray *tables)
{
    GString *text = g_string_new("{");
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        g_string_append_printf(text, "%s%u", i > 0 ? "," : "", table->source_oid);
    }
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}
