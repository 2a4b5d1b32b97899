/*
 * `drop` takes away what drover made, and nothing else: the slot and publication on the source, the
 * bus, and the control rows on the target. The rows and tables that were moved are the user's.
 */
#include "deploy/bus_owner.h"
#include "deploy/command.h"
#include "deploy/context.h"
#include "deploy/stored.h"
#include "proto/error.h"

#include <string.h>
#include <unistd.h>

typedef struct Dropped {
    bool bus;
    bool bus_is_users; /* it was there before the migration */
    bool schema;
    char *schema_kept; /* why; NULL */
} Dropped;

/* --- The name --------------------------------------------------------------------------------- */

static bool ask_name(CommandLine *line, const char *name, bool has_slot, GError **error)
{
    char answer[128] = "";

    fprintf(line->err,
            "%smigration %s cannot go on.\n"
            "Type the migration's name to drop it: ",
            has_slot ? "This releases the slot on the source, and " : "After this ", name);
    fflush(line->err);
    if (fgets(answer, sizeof answer, stdin) != NULL && strcmp(g_strchomp(answer), name) == 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                "that is not the migration's name; nothing was dropped");
    return false;
}

static bool confirm(CommandLine *line, const Migration *migration, const char *yes, GError **error)
{
    const char *name = migration->name;

    if (yes != NULL && strcmp(yes, name) == 0)
        return true;
    if (yes == NULL && isatty(STDIN_FILENO) == 1 && !line->json)
        return ask_name(line, name, migration_has_slot(migration), error);
    if (yes == NULL)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "drop needs the migration's name: --yes %s; nothing was dropped", name);
    else
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "--yes says '%s', and the migration is called '%s'; nothing was dropped", yes,
                    name);
    return false;
}

/* --- Dropping --------------------------------------------------------------------------------- */

static bool drop_source(Context *context, Source *source, GError **error)
{
    const char *slot = context->migration->slot;

    return context->source->drop(source, context->migration, error) &&
           control_object_remove(&context->control, "source", "slot", slot, error) &&
           control_object_remove(&context->control, "source", "publication", slot, error);
}

static bool drop_bus(Context *context, const Stored *stored, Dropped *dropped, GError **error)
{
    const BusOptions *options = &context->migration->bus;
    bool made = false;

    if (stored->bus_uuid == NULL)
        return true;
    if (!control_object_find(&context->control, "bus", context->bus->kind,
                             bus_options_name(options), &made, error))
        return false;
    dropped->bus_is_users = !made;
    return !made || bus_owner_remove(context->bus, options, stored->bus_uuid, &dropped->bus, error);
}

static bool drop_rows(Control *control, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control->ops->execute(
        control->target, "delete from drover.migration where name = $1", 1, values, error);
    return answer != NULL;
}

static bool other_migrations(Control *control, bool *others, GError **error)
{
    g_autoptr(Answer) answer = control->ops->execute(
        control->target, "select 1 from drover.migration limit 1", 0, NULL, error);
    if (answer != NULL)
        *others = answer->n_rows > 0;
    return answer != NULL;
}

/* The last migration takes the schema with it, unless somebody else put something there. */
static bool drop_schema(Control *control, Dropped *dropped, GError **error)
{
    g_autoptr(GError) problem = NULL;
    bool others = false;

    if (!other_migrations(control, &others, error))
        return false;
    if (others)
        return true;
    dropped->schema = control_uninstall(control->ops, control->target, &problem);
    if (dropped->schema)
        return true;
    if (drover_error_is_retry(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    dropped->schema_kept = g_strdup(problem->message);
    return true;
}

static bool drop_all(Context *context, const Stored *stored, Source *source, Dropped *dropped,
                     GError **error)
{
    return (source == NULL || drop_source(context, source, error)) &&
           drop_bus(context, stored, dropped, error) && drop_rows(&context->control, error) &&
           drop_schema(&context->control, dropped, error);
}

/* --- The command ------------------------------------------------------------------------------ */

static void say_what_was_dropped(CommandLine *line, const Context *context, bool source,
                                 const Dropped *dropped)
{
    const Migration *migration = context->migration;
    const char *slot = source && migration_has_slot(migration) ? migration->slot : NULL;

    if (line->json) {
        command_print_json(
            line, json_pack("{s:s, s:s?, s:s?, s:b, s:s?}", "dropped", migration->name, "slot",
                            slot, "bus", dropped->bus ? bus_options_name(&migration->bus) : NULL,
                            "schema", dropped->schema, "schema_kept", dropped->schema_kept));
        return;
    }
    fprintf(line->out, "dropped migration %s\n", migration->name);
    if (slot != NULL)
        fprintf(line->out, "  source: slot and publication %s\n", slot);
    fprintf(line->out, "  bus: %s%s\n", bus_options_name(&migration->bus),
            dropped->bus            ? ""
            : dropped->bus_is_users ? " was there before drover: it stays, with its records"
                                    : " is not there, or not this migration's");
    fprintf(line->out, "  target: the migration's rows in schema drover%s\n",
            dropped->schema ? ", and the schema, since no other migration is left" : "");
    if (dropped->schema_kept != NULL)
        fprintf(line->out, "  schema drover stays: %s\n", dropped->schema_kept);
    fputs(
        "the tables that were moved stay on the target with their rows, keys and indexes: they are "
        "yours\n",
        line->out);
}

/* Both sides are reached, and the roles are ours, before anything is dropped. */
static void drop(CommandLine *line, Context *context, const char *yes, bool take_over,
                 GError **error)
{
    Dropped dropped = {0};
    Source *source = NULL;
    g_autofree char *label = context_label(context, "drop");

    if (!context_connect(context, "drop", error))
        return;
    g_autoptr(Stored) stored = stored_find(&context->control, error);
    if (stored == NULL || !stored_fill(stored, context->migration, error) ||
        !confirm(line, context->migration, yes, error) ||
        !context_take_alone(context, take_over, error))
        return;
    /* Whichever server it is now: what is dropped there goes by its name. */
    g_clear_pointer(&context->migration->source->server, g_free);
    if (stored->slot != NULL) {
        source = context->source->connect(context->migration->source, label, error);
        if (source == NULL) {
            g_prefix_error(error, "nothing was dropped: ");
            return;
        }
    }
    if (drop_all(context, stored, source, &dropped, error))
        say_what_was_dropped(line, context, source != NULL, &dropped);
    if (source != NULL)
        context->source->close(source);
    g_free(dropped.schema_kept);
}

int cmd_drop(CommandLine *line, GError **error)
{
    g_autofree char *yes = NULL;
    gboolean take_over = FALSE;
    const GOptionEntry entries[] = {
        {"yes", 0, 0, G_OPTION_ARG_STRING, &yes, "the migration's name, instead of asking for it",
         "NAME"},
        {"take-over", 0, 0, G_OPTION_ARG_NONE, &take_over, "end a run that is going on", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};

    CommandParsed parsed =
        command_parse(line,
                      "Removes what drover created: slot and publication on a source that has "
                      "them, the bus, the migration's "
                      "state on the target. Never a table or row that was moved.",
                      entries, error);
    if (parsed != COMMAND_GO)
        return 0;
    g_autoptr(Context) context = context_new(line->file, error);
    if (context != NULL)
        drop(line, context, yes, take_over, error);
    return 0;
}
