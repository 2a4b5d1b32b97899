#include "schema/ddl.h"

#include "schema/ddl_internal.h"

#include <string.h>

#define PG_MAX_NAME 63    /* bytes */
#define MYSQL_MAX_NAME 64 /* characters */

void ddl_step_free(DdlStep *step)
{
    if (step == NULL)
        return;
    g_free(step->kind);
    g_free(step->name);
    g_free(step->statement);
    g_free(step);
}

static void append_step(GPtrArray *steps, const Table *table, const char *kind, const char *name,
                        char *statement)
{
    DdlStep *step = g_new0(DdlStep, 1);
    step->table_id = table == NULL ? 0 : table->id;
    step->kind = g_strdup(kind);
    step->name = g_strdup(name);
    step->statement = statement;
    g_ptr_array_add(steps, step);
}

void ddl_add_step(DdlPlan *plan, const Table *table, const char *kind, const char *name,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_step(plan->steps, table, kind, name, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void ddl_add_last_step(DdlPlan *plan, const Table *table, const char *kind, const char *name,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_step(plan->last, table, kind, name, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void ddl_leave_out(DdlPlan *plan, const Table *table, const char *format, ...)
{
    if (plan->left_out == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(plan->left_out, g_strdup_printf("%s: %s", table->label, text));
}

char *ddl_quoted(const DdlPlan *plan, const char *name)
{
    GString *text = g_string_new(NULL);
    if (plan->target->pg != NULL)
        pg_append_identifier(text, name);
    else
        mysql_session_append_identifier(text, name);
    return g_string_free(text, FALSE);
}

char *ddl_qualified(const DdlPlan *plan, const char *schema, const char *name)
{
    g_autofree char *first = ddl_quoted(plan, schema);
    g_autofree char *second = ddl_quoted(plan, name);
    return g_strdup_printf("%s.%s", first, second);
}

char *ddl_target_of(const DdlPlan *plan, const Table *table)
{
    return ddl_qualified(plan, table->target_schema, table->target_name);
}

/* As much of a name as fits before a suffix of ASCII. */
static char *fit_name(const DdlPlan *plan, const char *name, const char *suffix)
{
    gsize keep = strlen(name), tail = strlen(suffix);
    while (plan->target->pg != NULL
               ? keep + tail > PG_MAX_NAME
               : (gsize)g_utf8_strlen(name, (gssize)keep) + tail > MYSQL_MAX_NAME)
        keep = (gsize)(g_utf8_find_prev_char(name, name + keep) - name);
    return g_strdup_printf("%.*s%s", (int)keep, name, suffix);
}

char *ddl_take_name(const DdlPlan *plan, GHashTable *names, const char *schema, const char *name)
{
    g_autofree char *candidate = fit_name(plan, name, "");
    for (guint number = 2;; number++) {
        if (g_hash_table_add(names, ddl_qualified(plan, schema, candidate)))
            return g_steal_pointer(&candidate);
        g_autofree char *suffix = g_strdup_printf("_%u", number);
        g_free(candidate);
        candidate = fit_name(plan, name, suffix);
    }
}

static void plan_schemas(DdlPlan *plan)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < plan->tables->len; i++) {
        const Table *table = g_ptr_array_index(plan->tables, i);
        if (!g_hash_table_add(seen, table->target_schema))
            continue;
        g_autofree char *name = ddl_quoted(plan, table->target_schema);
        ddl_add_step(plan, NULL, "schema", name, "create schema if not exists %s%s", name,
                     plan->target->pg != NULL ? "" : " character set utf8mb4");
    }
}

static void plan_statistics(DdlPlan *plan)
{
    const char *statement = plan->target->pg != NULL ? "analyze" : "analyze table";
    for (guint i = 0; i < plan->tables->len; i++) {
        const Table *table = g_ptr_array_index(plan->tables, i);
        g_autofree char *name = ddl_target_of(plan, table);
        ddl_add_step(plan, table, "analyze", name, "%s %s", statement, name);
    }
}

static bool plan_make(DdlPlan *plan, GError **error)
{
    bool same = plan->source->pg != NULL && plan->target->pg != NULL;
    for (guint i = 0; i < plan->tables->len; i++) {
        const Table *table = g_ptr_array_index(plan->tables, i);
        g_free(ddl_take_name(plan, plan->taken, table->target_schema, table->target_name));
    }
    plan_schemas(plan);
    if (same ? !ddl_plan_pg(plan, error) : !ddl_plan_across(plan, error)) {
        g_prefix_error(error, "planning the target's tables: ");
        return false;
    }
    g_ptr_array_extend_and_steal(plan->steps, g_steal_pointer(&plan->last));
    plan_statistics(plan);
    return true;
}

static void add_relations(const DdlPlan *plan, GPtrArray *relations)
{
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, plan->taken);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_ptr_array_add(relations, g_strdup(name));
}

GPtrArray *ddl_plan_full(const Server *source, const Server *target, GPtrArray *tables,
                         GPtrArray *left_out, GPtrArray *relations, GError **error)
{
    DdlPlan plan = {.source = source, .target = target, .tables = tables, .left_out = left_out};
    plan.taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    plan.steps = g_ptr_array_new_with_free_func((GDestroyNotify)ddl_step_free);
    plan.last = g_ptr_array_new_with_free_func((GDestroyNotify)ddl_step_free);
    GPtrArray *steps = plan_make(&plan, error) ? g_steal_pointer(&plan.steps) : NULL;
    if (steps != NULL && relations != NULL)
        add_relations(&plan, relations);
    g_clear_pointer(&plan.steps, g_ptr_array_unref);
    g_clear_pointer(&plan.last, g_ptr_array_unref);
    g_hash_table_unref(plan.taken);
    return steps;
}

GPtrArray *ddl_plan(const Server *source, const Server *target, GPtrArray *tables, GError **error)
{
    return ddl_plan_full(source, target, tables, NULL, NULL, error);
}
