#include "deploy/bus_owner.h"
#include "deploy/command.h"
#include "deploy/context.h"
#include "deploy/preflight_report.h"
#include "deploy/stored.h"
#include "proto/error.h"

static bool refuse_later(bool asked, const char *option, GError **error)
{
    if (!asked)
        return false;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "not supported yet: plan %s", option);
    return true;
}

/* A migration that has begun is checked with other eyes: its tables on the target and its slot are
 * its own. */
static bool find_started(Context *context, bool *started, GError **error)
{
    g_autoptr(Stored) stored = NULL;
    g_autofree char *uuid = g_uuid_string_random();
    const Stored fresh = {.uuid = uuid};

    if (!context_connect(context, "plan", error) || !stored_read(&context->control, &stored, error))
        return false;
    *started = stored != NULL && stored->start_position != NULL;
    return stored_fill(stored != NULL ? stored : &fresh, context->migration, error);
}

int cmd_plan(CommandLine *line, GError **error)
{
    gboolean diff = FALSE, checklist = FALSE, parity = FALSE;
    const GOptionEntry entries[] = {
        {"diff", 0, 0, G_OPTION_ARG_NONE, &diff, "not supported yet", NULL},
        {"checklist", 0, 0, G_OPTION_ARG_NONE, &checklist, "not supported yet", NULL},
        {"parity", 0, 0, G_OPTION_ARG_NONE, &parity, "not supported yet", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    bool started = false;

    CommandParsed parsed = command_parse(
        line, "Checks both sides and shows what would be done. Changes nothing.", entries, error);
    if (parsed != COMMAND_GO)
        return 0;
    if (refuse_later(diff, "--diff", error) || refuse_later(checklist, "--checklist", error) ||
        refuse_later(parity, "--parity", error))
        return 0;
    g_autoptr(Context) context = context_new(line->file, error);
    if (context == NULL || !find_started(context, &started, error))
        return 0;
    g_autoptr(Preflight) preflight =
        check_preflight(context->migration, context->config->lines, started, error);
    if (preflight == NULL ||
        !bus_owner_preflight(context->bus, &context->migration->bus, false, preflight, error))
        return 0;
    if (line->json)
        command_print_json(line, preflight_json(context->migration, preflight));
    else
        preflight_print(context->migration, preflight, line->out);
    return preflight_passes(preflight) ? 0 : 1;
}
