#include "deploy/context.h"

static Migration *make_migration(Config *config)
{
    Migration *migration = g_new0(Migration, 1);

    migration->name = g_strdup(config->migration);
    migration->source = g_steal_pointer(&config->source);
    migration->target = g_steal_pointer(&config->target);
    migration->bus = config->bus;
    config->bus = (BusOptions){0};
    migration->memory_limit = config->memory_limit;
    migration->copy_workers = config->copy_workers;
    migration->tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    return migration;
}

Context *context_new(const char *file, GError **error)
{
    g_autoptr(Context) context = g_new0(Context, 1);

    context->config = config_load(file, g_getenv, error);
    if (context->config == NULL)
        return NULL;
    const Engine *source = engine_find(context->config->source->engine, error);
    if (source == NULL)
        return NULL;
    const Engine *target = engine_find(context->config->target->engine, error);
    if (target == NULL)
        return NULL;
    context->source = source->source;
    context->target = target->target;
    context->bus = engine_bus(context->config->bus_kind);
    context->migration = make_migration(context->config);
    return g_steal_pointer(&context);
}

void context_free(Context *context)
{
    if (context == NULL)
        return;
    if (context->session != NULL)
        context->target->close(context->session);
    g_clear_pointer(&context->migration, migration_free);
    g_clear_pointer(&context->config, config_free);
    g_free(context);
}

char *context_label(const Context *context, const char *role)
{
    return g_strdup_printf("drover %s %s", context->migration->name, role);
}

bool context_connect(Context *context, const char *role, GError **error)
{
    g_autofree char *label = context_label(context, role);

    if (context->session != NULL)
        context->target->close(context->session);
    context->session = context->target->connect(context->migration->target, label, error);
    context->control = (Control){context->target, context->session, context->migration};
    return context->session != NULL;
}

bool context_take_roles(Context *context, bool take_over, Leases *leases, GError **error)
{
    Control *control = &context->control;

    return control_take_role(control, "capture", take_over, &leases->capture, error) &&
           control_take_role(control, "copy", take_over, &leases->copy, error) &&
           control_take_role(control, "apply", take_over, &leases->apply, error);
}
