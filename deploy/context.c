#include "deploy/context.h"

#include <string.h>

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

void context_disconnect(Context *context)
{
    if (context->session != NULL)
        context->target->close(context->session);
    context->session = NULL;
    context->control.target = NULL;
}

void context_free(Context *context)
{
    if (context == NULL)
        return;
    context_disconnect(context);
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

    context_disconnect(context);
    context->session = context->target->connect(context->migration->target, label, error);
    context->control = (Control){context->target, context->session, context->migration};
    return context->session != NULL;
}

const char *role_name(Role role)
{
    return role == ROLE_CAPTURE ? "capture" : role == ROLE_COPY ? "copy" : "apply";
}

bool context_take_roles(Context *context, guint roles, bool take_over, Leases *leases,
                        GError **error)
{
    Control *control = &context->control;

    if ((roles & ROLE_CAPTURE) != 0 &&
        !control_take_role(control, "capture", take_over, &leases->capture, error))
        return false;
    if ((roles & ROLE_COPY) != 0 &&
        !control_join_role(control, "copy", take_over, &leases->copy, error))
        return false;
    return (roles & ROLE_APPLY) == 0 ||
           control_take_role(control, "apply", take_over, &leases->apply, error);
}

bool context_take_alone(Context *context, bool take_over, GError **error)
{
    static const char *const names[] = {"capture", "copy", "apply"};
    guint64 epoch;

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (!control_take_role(&context->control, names[i], take_over, &epoch, error))
            return false;
    return true;
}

bool context_role_holders(Context *context, Role role, char **names, GError **error)
{
    const char *const roles[] = {role_name(role), NULL};
    g_autoptr(Answer) answer =
        context->target->role_holders(context->session, context->migration, roles, error);

    *names = NULL;
    if (answer == NULL)
        return false;
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < answer->n_rows; i++) {
        const char *holder = answer_get(answer, i, 1);
        g_string_append_printf(list, "%s%s", i > 0 ? ", " : "",
                               holder != NULL ? holder : "a process that is starting");
    }
    if (list->len > 0)
        *names = g_string_free(g_steal_pointer(&list), FALSE);
    return true;
}

bool context_is_replaced(Context *context, guint roles, bool *replaced, GError **error)
{
    const char *const names[] = {"capture", "apply", NULL};
    g_autofree char *self = control_holder();
    g_autoptr(Answer) answer =
        context->target->role_holders(context->session, context->migration, names, error);

    *replaced = false;
    if (answer == NULL)
        return false;
    for (guint i = 0; i < answer->n_rows; i++) {
        Role role = strcmp(answer_get(answer, i, 0), "apply") == 0 ? ROLE_APPLY : ROLE_CAPTURE;
        const char *holder = answer_get(answer, i, 1);
        *replaced |= (roles & (guint)role) != 0 && holder != NULL && strcmp(holder, self) != 0;
    }
    return true;
}
