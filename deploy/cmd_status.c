#include "deploy/command.h"
#include "deploy/signals.h"
#include "deploy/status.h"

#include <unistd.h>

static bool show(CommandLine *line, Context *context, GError **error)
{
    g_autoptr(Status) status = status_read(context, error);

    if (status == NULL)
        return false;
    if (line->json)
        command_print_json(line, status_json(status));
    else
        status_print(status, line->out);
    fflush(line->out);
    return true;
}

/* Every second, until a signal. */
static bool watch(CommandLine *line, Context *context, GError **error)
{
    bool terminal = isatty(fileno(line->out)) == 1 && !line->json;
    Runtime runtime;
    bool shown = true;

    runtime_init(&runtime);
    signals_watch(&runtime);
    while (shown && !runtime_stopping(&runtime)) {
        if (terminal)
            fputs("\033[H\033[2J", line->out);
        shown = show(line, context, error);
        if (shown)
            runtime.wait(&runtime, G_USEC_PER_SEC);
    }
    signals_forget();
    return shown;
}

int cmd_status(CommandLine *line, GError **error)
{
    gboolean again = FALSE;
    const GOptionEntry entries[] = {
        {"watch", 'w', 0, G_OPTION_ARG_NONE, &again, "show it every second", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};

    CommandParsed parsed = command_parse(
        line, "Shows phase, progress of each table, positions, lag and event accounts.", entries,
        error);
    if (parsed != COMMAND_GO)
        return 0;
    g_autoptr(Context) context = context_new(line->file, error);
    if (context == NULL || !context_connect(context, "status", error))
        return 0;
    if (again)
        watch(line, context, error);
    else
        show(line, context, error);
    return 0;
}
