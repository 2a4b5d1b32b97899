/* `run`, and its parts for many machines: `capture`, `copy`, `apply`. */
#include "deploy/command.h"
#include "deploy/signals.h"
#include "deploy/start.h"
#include "deploy/supervisor.h"
#include "deploy/text.h"

#include <unistd.h>

/* What the source still keeps for this migration. -1: it cannot be asked. */
static gint64 retained_bytes(const Context *context)
{
    g_autofree char *label = context_label(context, "stop");
    g_autoptr(GError) problem = NULL;
    SourceStatus status = {.retained_bytes = -1};
    Source *source = context->source->connect(context->migration->source, label, &problem);
    bool known = source != NULL &&
                 context->source->status(source, context->migration, false, &status, &problem);

    if (source != NULL)
        context->source->close(source);
    if (!known)
        g_warning("how much the source keeps is unknown: %s", problem->message);
    g_free(status.identity);
    return known ? status.retained_bytes : -1;
}

/* The source keeps nothing for the migration: it has to go on in time. */
static void say_what_must_not_go(CommandLine *line, const Context *context)
{
    if (line->json)
        command_print_json(line, json_pack("{s:s, s:n, s:n, s:s+}", "stopped",
                                           context->migration->name, "slot", "retained_bytes",
                                           "release", "drover drop ", line->file));
    else
        fprintf(line->out,
                "stopped. Nothing is held on the source: it keeps its binary log for as long as "
                "its own settings say.\n"
                "`drover %s %s` goes on, as long as the log since now is there; `drover drop %s` "
                "ends the migration.\n",
                line->name, line->file, line->file);
}

static void say_what_is_held(CommandLine *line, const Context *context)
{
    gint64 bytes = retained_bytes(context);
    g_autofree char *size = text_bytes(bytes);

    if (line->json)
        command_print_json(line,
                           json_pack("{s:s, s:s, s:o, s:s+}", "stopped", context->migration->name,
                                     "slot", context->migration->slot, "retained_bytes",
                                     bytes < 0 ? json_null() : json_integer(bytes), "release",
                                     "drover drop ", line->file));
    else
        fprintf(line->out,
                "stopped. On the source, slot %s still keeps %s of log.\n"
                "`drover %s %s` goes on; `drover drop %s` releases it.\n",
                context->migration->slot, size, line->name, line->file, line->file);
}

static void say_what_became_of_it(CommandLine *line, const Context *context, bool stopped)
{
    const char *name = context->migration->name;

    if (!stopped && line->json)
        command_print_json(line, json_pack("{s:s, s:s}", "done", line->name, "migration", name));
    else if (!stopped)
        fprintf(line->out, "%s: the copy is done; `drover apply` has the next phase\n", name);
    else if (context->migration->slot != NULL && !migration_has_slot(context->migration))
        say_what_must_not_go(line, context);
    else if (context->migration->slot != NULL)
        say_what_is_held(line, context);
    else if (line->json)
        command_print_json(line, json_pack("{s:s, s:n}", "stopped", name, "slot"));
    else
        fprintf(line->out, "stopped. Migration %s had not begun.\n", name);
}

static bool run(CommandLine *line, Run *state, bool take_over, Runtime *process, GError **error)
{
    const StartSettings start = {
        .take_over = take_over, .process = process, .out = line->out, .json = line->json};
    bool terminal = isatty(fileno(line->err)) == 1;
    const SupervisorSettings settings = {
        .run = state,
        .process = process,
        .terminal = terminal,
        .color = terminal && (g_getenv("NO_COLOR") == NULL || *g_getenv("NO_COLOR") == '\0')};
    bool stopped;

    if (!start_migration(state, &start, &stopped, error))
        return false;
    if (!stopped && !supervisor_run(&settings, error))
        return false;
    say_what_became_of_it(line, state->context, runtime_stopping(process));
    return true;
}

static int run_roles(CommandLine *line, guint roles, const char *details, GError **error)
{
    gboolean take_over = FALSE;
    const GOptionEntry entries[] = {
        {"take-over", 0, 0, G_OPTION_ARG_NONE, &take_over,
         "end the sessions of other processes that do this for the migration", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    Runtime process;
    Run state;

    CommandParsed parsed = command_parse(line, details, entries, error);
    if (parsed != COMMAND_GO)
        return 0;
    g_autoptr(Context) context = context_new(line->file, error);
    if (context == NULL)
        return 0;
    runtime_init(&process);
    signals_watch(&process);
    run_init(&state, context, roles);
    run(line, &state, take_over, &process, error);
    run_clear(&state);
    signals_forget();
    return 0;
}

int cmd_run(CommandLine *line, GError **error)
{
    return run_roles(line, ROLE_ALL,
                     "Moves the database: schema, copy, stream. Runs until it is stopped; starting "
                     "it again goes on where it was.",
                     error);
}

int cmd_capture(CommandLine *line, GError **error)
{
    return run_roles(line, ROLE_CAPTURE,
                     "The part of `run` that reads the source's log into the bus; it also starts "
                     "the migration. Runs until it is stopped.",
                     error);
}

int cmd_copy(CommandLine *line, GError **error)
{
    return run_roles(line, ROLE_COPY,
                     "The part of `run` that copies the rows that are there. As many of these as "
                     "you like share the work, on any machines. Ends when the copy is done.",
                     error);
}

int cmd_apply(CommandLine *line, GError **error)
{
    return run_roles(line, ROLE_APPLY,
                     "The part of `run` that writes what is on the bus to the target, and builds "
                     "the indexes. Waits for the copy. Runs until it is stopped.",
                     error);
}
