/*
 * From one engine to another, and between servers that speak MySQL: what a table has beyond its
 * columns is described in neutral words and said again in the target's. What the target has no
 * words for is left out with a sentence.
 */
#include "schema/dialect.h"

#include <string.h>

static bool is_on_target(const TableDescription *description, const char *name)
{
    const ColumnDescription *column =
        description_column((TableDescription *)(gpointer)description, name);
    return column != NULL && column->column->target_type != NULL;
}

static bool leave_index(Across *across, const TableDescription *description,
                        const IndexDescription *index, const char *why, const char *what)
{
    ddl_leave_out(across->plan, description->table, "index %s will not be created: it %s%s",
                  index->name, why, what);
    return false;
}

bool across_can_index(Across *across, const TableDescription *description,
                      const IndexDescription *index, const char *const *methods)
{
    if (!g_strv_contains(methods, index->method))
        return leave_index(across, description, index, "has the method ", index->method);
    if (index->partial)
        return leave_index(across, description, index, "holds only some of the rows", "");
    for (guint i = 0; i < index->parts->len; i++) {
        const IndexPart *part = &g_array_index(index->parts, IndexPart, i);
        if (part->column == NULL && !across->same_product)
            return leave_index(across, description, index, "holds the expression ",
                               part->expression);
        if (part->column != NULL && !is_on_target(description, part->column))
            return leave_index(across, description, index, "holds the generated column ",
                               part->column);
    }
    return true;
}

void across_leave_default(Across *across, const TableDescription *description,
                          const ColumnDescription *column)
{
    ddl_leave_out(across->plan, description->table,
                  "the default of column %s will not be created: %s", column->column->name,
                  column->initial.text != NULL ? column->initial.text : "the current time");
}

char *across_names(const Across *across, const GPtrArray *columns)
{
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < columns->len; i++) {
        g_autofree char *name = ddl_quoted(across->plan, g_ptr_array_index(columns, i));
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", name);
    }
    return g_string_free(names, FALSE);
}

static TableDescription *find_description(const Across *across, const Table *table)
{
    for (guint i = 0; i < across->descriptions->len; i++) {
        TableDescription *description = g_ptr_array_index(across->descriptions, i);
        if (description->table == table)
            return description;
    }
    return NULL;
}

/* A column that the target does not get, or gets without something. */
static void tell_columns(Across *across, const TableDescription *description)
{
    for (guint i = 0; i < description->columns->len; i++) {
        const ColumnDescription *column =
            &g_array_index(description->columns, ColumnDescription, i);
        if (column->column->target_type == NULL)
            ddl_leave_out(across->plan, description->table,
                          "generated column %s will not be created: its expression is one of the "
                          "source's (%s)",
                          column->column->name, column->expression);
        else if (column->invisible && !across->same_product)
            ddl_leave_out(across->plan, description->table,
                          "column %s is invisible on the source and will not be on the target",
                          column->column->name);
        if (column->srid != NULL && !across->same_product)
            ddl_leave_out(across->plan, description->table,
                          "the reference system %s of column %s will not be fixed", column->srid,
                          column->column->name);
    }
    if (description->partitioned)
        ddl_leave_out(across->plan, description->table, "its partitions will not be created");
}

static void tell_checks(Across *across, const TableDescription *description)
{
    for (guint i = 0; i < description->checks->len && !across->same_product; i++) {
        const CheckDescription *check = g_ptr_array_index(description->checks, i);
        ddl_leave_out(across->plan, description->table,
                      "%s %s will not be created: its expression is one of the source's (%s)",
                      check->kind, check->name, check->expression);
    }
}

static bool all_on_target(const TableDescription *description, const GPtrArray *columns)
{
    for (guint i = 0; i < columns->len; i++)
        if (!is_on_target(description, g_ptr_array_index(columns, i)))
            return false;
    return true;
}

static void plan_foreign_key(Across *across, const Dialect *dialect,
                             const TableDescription *description, const ForeignKeyDescription *key)
{
    const TableDescription *referenced =
        key->referenced_table != NULL ? find_description(across, key->referenced_table) : NULL;
    if (referenced == NULL)
        ddl_leave_out(across->plan, description->table,
                      "foreign key %s will not be created: %s is not moved", key->name,
                      key->referenced);
    else if (!all_on_target(description, key->columns) ||
             !all_on_target(referenced, key->referenced_columns))
        ddl_leave_out(across->plan, description->table,
                      "foreign key %s will not be created: it holds a generated column", key->name);
    else
        dialect->foreign_key(across, description, referenced, key);
}

static void plan_tables(Across *across, const Dialect *dialect)
{
    for (guint i = 0; i < across->descriptions->len; i++) {
        TableDescription *description = g_ptr_array_index(across->descriptions, i);
        tell_columns(across, description);
        tell_checks(across, description);
        dialect->table(across, description);
    }
}

static void plan_keys(Across *across, const Dialect *dialect)
{
    for (guint i = 0; i < across->descriptions->len; i++) {
        TableDescription *description = g_ptr_array_index(across->descriptions, i);
        IndexDescription *first =
            description->indexes->len > 0 ? g_ptr_array_index(description->indexes, 0) : NULL;
        if (first != NULL && first->is_key)
            dialect->key(across, description, first);
    }
}

static void plan_rest(Across *across, const Dialect *dialect)
{
    for (guint i = 0; i < across->descriptions->len; i++)
        dialect->indexes(across, g_ptr_array_index(across->descriptions, i));
    for (guint i = 0; i < across->descriptions->len; i++) {
        const TableDescription *description = g_ptr_array_index(across->descriptions, i);
        for (guint k = 0; k < description->foreign_keys->len; k++)
            plan_foreign_key(across, dialect, description,
                             g_ptr_array_index(description->foreign_keys, k));
    }
}

bool ddl_plan_across(DdlPlan *plan, GError **error)
{
    const Dialect *dialect = plan->target->pg != NULL ? &dialect_pg : &dialect_mysql;
    g_autoptr(GPtrArray) descriptions =
        plan->source->pg != NULL ? description_load_pg(plan->source->pg, plan->tables, error)
                                 : description_load_mysql(plan->source->mysql, plan->tables, error);
    if (descriptions == NULL)
        return false;
    g_autoptr(GHashTable) constraints =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Across across = {plan, descriptions, constraints,
                     plan->source->pg == NULL && plan->target->pg == NULL &&
                         plan->source->is_mariadb == plan->target->is_mariadb};
    plan_tables(&across, dialect);
    plan_keys(&across, dialect);
    plan_rest(&across, dialect);
    return true;
}
