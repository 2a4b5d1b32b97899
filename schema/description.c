#include "schema/description.h"

#include <string.h>

static void clear_column(ColumnDescription *column)
{
    column_default_clear(&column->initial);
    g_free(column->on_update);
    g_free(column->comment);
    g_free(column->expression);
    g_free(column->srid);
}

static void clear_part(IndexPart *part)
{
    g_free(part->column);
    g_free(part->expression);
}

static void index_free(IndexDescription *index)
{
    g_free(index->name);
    g_free(index->method);
    g_free(index->comment);
    g_array_unref(index->parts);
    g_free(index);
}

static void foreign_key_free(ForeignKeyDescription *key)
{
    g_free(key->name);
    g_free(key->referenced);
    g_ptr_array_unref(key->columns);
    g_ptr_array_unref(key->referenced_columns);
    g_free(key->on_delete);
    g_free(key->on_update);
    g_free(key->peculiar);
    g_free(key);
}

static void check_free(CheckDescription *check)
{
    g_free(check->name);
    g_free(check->expression);
    g_free(check);
}

static int compare_columns(gconstpointer a, gconstpointer b)
{
    const ColumnDescription *left = a, *right = b;
    return left->column->number - right->column->number;
}

static void add_columns(TableDescription *description, const Column *columns, guint n)
{
    for (guint i = 0; i < n; i++) {
        ColumnDescription column = {.column = &columns[i]};
        column.counts = columns[i].identity != '\0';
        if (columns[i].generated)
            column.expression = g_strdup(columns[i].default_sql);
        g_array_append_val(description->columns, column);
    }
}

TableDescription *description_new(const Table *table)
{
    TableDescription *description = g_new0(TableDescription, 1);
    description->table = table;
    description->columns = g_array_new(FALSE, TRUE, sizeof(ColumnDescription));
    g_array_set_clear_func(description->columns, (GDestroyNotify)clear_column);
    description->indexes = g_ptr_array_new_with_free_func((GDestroyNotify)index_free);
    description->foreign_keys = g_ptr_array_new_with_free_func((GDestroyNotify)foreign_key_free);
    description->checks = g_ptr_array_new_with_free_func((GDestroyNotify)check_free);
    add_columns(description, table->columns, table->n_columns);
    add_columns(description, table->generated, table->n_generated);
    g_array_sort(description->columns, compare_columns);
    return description;
}

void description_free(TableDescription *description)
{
    if (description == NULL)
        return;
    g_free(description->comment);
    g_array_unref(description->columns);
    g_ptr_array_unref(description->indexes);
    g_ptr_array_unref(description->foreign_keys);
    g_ptr_array_unref(description->checks);
    g_free(description);
}

ColumnDescription *description_column(TableDescription *description, const char *name)
{
    for (guint i = 0; i < description->columns->len; i++) {
        ColumnDescription *column = &g_array_index(description->columns, ColumnDescription, i);
        if (strcmp(column->column->name, name) == 0)
            return column;
    }
    return NULL;
}

IndexDescription *description_add_index(TableDescription *description, const char *name)
{
    IndexDescription *index = g_new0(IndexDescription, 1);
    index->name = g_strdup(name);
    index->is_key = g_strcmp0(name, description->table->key_name) == 0;
    index->parts = g_array_new(FALSE, TRUE, sizeof(IndexPart));
    g_array_set_clear_func(index->parts, (GDestroyNotify)clear_part);
    g_ptr_array_insert(description->indexes, index->is_key ? 0 : -1, index);
    return index;
}

ForeignKeyDescription *description_add_foreign_key(TableDescription *description, const char *name)
{
    ForeignKeyDescription *key = g_new0(ForeignKeyDescription, 1);
    key->name = g_strdup(name);
    key->columns = g_ptr_array_new_with_free_func(g_free);
    key->referenced_columns = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(description->foreign_keys, key);
    return key;
}

CheckDescription *description_add_check(TableDescription *description, const char *name,
                                        const char *expression, const char *kind)
{
    CheckDescription *check = g_new0(CheckDescription, 1);
    check->name = g_strdup(name);
    check->expression = g_strdup(expression);
    check->kind = kind;
    g_ptr_array_add(description->checks, check);
    return check;
}

static bool is_over(const IndexDescription *index, const GPtrArray *columns)
{
    if (!index->unique || index->partial || index->parts->len != columns->len)
        return false;
    for (guint i = 0; i < index->parts->len; i++) {
        const IndexPart *part = &g_array_index(index->parts, IndexPart, i);
        if (part->column == NULL || part->prefix != 0 ||
            !g_ptr_array_find_with_equal_func((GPtrArray *)(gpointer)columns, part->column,
                                              g_str_equal, NULL))
            return false;
    }
    return true;
}

const IndexDescription *description_unique_index(const TableDescription *description,
                                                 const GPtrArray *columns)
{
    for (guint i = 0; i < description->indexes->len; i++) {
        const IndexDescription *index = g_ptr_array_index(description->indexes, i);
        if (is_over(index, columns))
            return index;
    }
    return NULL;
}
