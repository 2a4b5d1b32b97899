/* `pause` and `resume`: a column in the target, which copy and apply read all the time. */
#include "deploy/command.h"
#include "deploy/context.h"
#include "deploy/stored.h"

static int set_paused(CommandLine *line, const char *details, bool paused, GError **error)
{
    if (command_parse(line, details, NULL, error) != COMMAND_GO)
        return 0;
    g_autoptr(Context) context = context_new(line->file, error);
    if (context == NULL || !context_connect(context, line->name, error))
        return 0;
    g_autoptr(Stored) stored = stored_find(&context->control, error);
    if (stored == NULL || !control_set(&context->control, "paused", paused ? "1" : "0", error))
        return 0;
    if (line->json)
        command_print_json(
            line, json_pack("{s:s, s:b}", "migration", context->migration->name, "paused", paused));
    else
        fprintf(line->out, "%s: %s\n", context->migration->name,
                paused ? "paused; capture goes on, `drover resume` ends the pause"
                       : "copy and apply go on");
    return 0;
}

int cmd_pause(CommandLine *line, GError **error)
{
    return set_paused(
        line,
        "Pauses copy and apply, at once and across restarts. Capture goes on, so that "
        "the source keeps no more of its log.",
        true, error);
}

int cmd_resume(CommandLine *line, GError **error)
{
    return set_paused(line, "Ends a pause.", false, error);
}
