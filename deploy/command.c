#include "deploy/command.h"

#include "deploy/log.h"
#include "proto/error.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const Command commands[] = {
    {"plan", "check both sides and show what would be done; changes nothing", cmd_plan},
    {"run", "move the database: schema, copy, stream; goes on where it was", cmd_run},
    {"capture", "the part of run that reads the source's log, for a machine of its own",
     cmd_capture},
    {"copy", "the part of run that copies rows; many may share the work", cmd_copy},
    {"apply", "the part of run that writes to the target", cmd_apply},
    {"status", "phase, progress, lag and accounts", cmd_status},
    {"verify", "compare the two sides row by row", cmd_verify},
    {"pause", "pause copy and apply; capture goes on", cmd_pause},
    {"resume", "end a pause", cmd_resume},
    {"drop", "remove what drover created, never a user's table or row", cmd_drop},
};

/* Named in the design, not built so far. */
static const char *const missing_commands[] = {"check",    "throttle", "resync", "cutover",
                                               "rollback", "job",      "import", "archive",
                                               "serve",    "reject"};

static void print_commands(FILE *out)
{
    fputs("usage: drover COMMAND migration.yaml [options]\n\ncommands:\n", out);
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`drover COMMAND --help` tells a command's options; `drover --version` the version.\n"
          "exit status: 0 done, 1 the answer is no, 2 usage or migration file, 3 a server or the\n"
          "system failed and trying again may help, 4 a person is needed\n",
          out);
}

static const char *class_name(const GError *error)
{
    if (error->domain != DROVER_ERROR)
        return "retry";
    switch ((DroverErrorCode)error->code) {
    case DROVER_ERROR_NO:
        return "no";
    case DROVER_ERROR_USAGE:
        return "usage";
    case DROVER_ERROR_RETRY:
    case DROVER_ERROR_RESTART:
        return "retry";
    case DROVER_ERROR_PERSON:
        return "person";
    case DROVER_ERROR_DATA:
        return "data";
    case DROVER_ERROR_BUG:
        return "bug";
    }
    return "bug";
}

void command_print_json(CommandLine *line, json_t *object)
{
    json_dumpf(object, line->out, JSON_COMPACT);
    fputc('\n', line->out);
    json_decref(object);
}

/* A migration file has all its errors in one message, a line each. */
static void show_error(CommandLine *line, const GError *error)
{
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (*g_strchomp(lines[i]) == '\0')
            continue;
        if (log_is_json())
            log_event(G_LOG_LEVEL_CRITICAL, lines[i], "class", class_name(error), NULL);
        else
            fprintf(line->err, "drover: %s\n", lines[i]);
    }
    if (line->json) {
        g_autofree char *text = g_utf8_make_valid(error->message, -1);
        command_print_json(line,
                           json_pack("{s:s, s:s}", "error", text, "class", class_name(error)));
    }
}

static int run_command(const Command *command, int argc, char **argv, FILE *out, FILE *err)
{
    CommandLine line = {.name = command->name, .argc = argc, .argv = argv, .out = out, .err = err};
    g_autoptr(GError) error = NULL;

    int status = command->run(&line, &error);
    if (error != NULL) {
        show_error(&line, error);
        status = drover_error_exit_status(error);
    }
    g_free(line.file);
    if (fflush(out) != 0 && status == 0) {
        fprintf(err, "drover: the answer could not be written to standard output\n");
        status = 3;
    }
    return status;
}

static int refuse_command(const char *name, FILE *err)
{
    for (gsize i = 0; i < G_N_ELEMENTS(missing_commands); i++) {
        if (strcmp(name, missing_commands[i]) == 0) {
            fprintf(err, "drover: not supported yet: %s\n", name);
            return 2;
        }
    }
    fprintf(err, "drover: there is no command '%s'\n", name);
    print_commands(err);
    return 2;
}

int command_main(int argc, char **argv, FILE *out, FILE *err)
{
    if (argc < 2) {
        print_commands(err);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        fprintf(out, "drover %s\n", DROVER_VERSION);
        return 0;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_commands(out);
        return 0;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return run_command(&commands[i], argc - 2, argv + 2, out, err);
    return refuse_command(name, err);
}

static bool flag_value(const char *variable, const char *text, bool *set, GError **error)
{
    static const char *const yes[] = {"1", "true", "yes", "on", NULL};
    static const char *const no[] = {"", "0", "false", "no", "off", NULL};

    *set = g_strv_contains(yes, text);
    if (*set || g_strv_contains(no, text))
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "%s is 1 or 0, not '%s'", variable, text);
    return false;
}

/* Options that DROVER_ variables set, as arguments that stand before the real ones. */
static bool add_from_environment(const GOptionEntry *entries, GPtrArray *arguments, GError **error)
{
    for (const GOptionEntry *entry = entries; entry->long_name != NULL; entry++) {
        g_autofree char *upper = g_ascii_strup(entry->long_name, -1);
        g_autofree char *variable = g_strconcat("DROVER_", g_strdelimit(upper, "-", '_'), NULL);
        const char *value = g_getenv(variable);
        if (value == NULL || strcmp(entry->long_name, "help") == 0)
            continue;
        if (entry->arg != G_OPTION_ARG_NONE) {
            g_ptr_array_add(arguments, g_strdup_printf("--%s=%s", entry->long_name, value));
            continue;
        }
        bool set;
        if (!flag_value(variable, value, &set, error))
            return false;
        if (set)
            g_ptr_array_add(arguments, g_strdup_printf("--%s", entry->long_name));
    }
    return true;
}

static char **collect_arguments(const CommandLine *line, const GOptionEntry *common,
                                const GOptionEntry *own, GError **error)
{
    g_autoptr(GPtrArray) arguments = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(arguments, g_strdup_printf("drover %s", line->name));
    if (!add_from_environment(common, arguments, error) ||
        (own != NULL && !add_from_environment(own, arguments, error)))
        return NULL;
    for (int i = 0; i < line->argc; i++)
        g_ptr_array_add(arguments, g_strdup(line->argv[i]));
    g_ptr_array_add(arguments, NULL);
    return (char **)g_ptr_array_steal(arguments, NULL);
}

static CommandParsed take_file(CommandLine *line, char **arguments, GError **error)
{
    guint n = g_strv_length(arguments);

    if (n >= 2 && strcmp(arguments[1], "--") == 0) {
        arguments++;
        n--;
    }
    if (n != 2) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    n < 2 ? "drover %s: name the migration file"
                          : "drover %s: one migration file, not several",
                    line->name);
        return COMMAND_REFUSED;
    }
    line->file = g_strdup(arguments[1]);
    return COMMAND_GO;
}

CommandParsed command_parse(CommandLine *line, const char *details, const GOptionEntry *entries,
                            GError **error)
{
    g_autofree char *format_text = NULL, *level_text = NULL;
    gboolean help = FALSE;
    const GOptionEntry common[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &line->json, "answer in JSON", NULL},
        {"log-format", 0, 0, G_OPTION_ARG_STRING, &format_text, "logfmt (default) or json",
         "FORMAT"},
        {"log-level", 0, 0, G_OPTION_ARG_STRING, &level_text,
         "error, warning, info (default) or debug", "LEVEL"},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "show this", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) options = g_option_context_new("migration.yaml");
    g_auto(GStrv) arguments = collect_arguments(line, common, entries, error);
    g_autoptr(GError) problem = NULL;
    LogFormat format;
    GLogLevelFlags level;

    if (arguments == NULL)
        return COMMAND_REFUSED;
    g_option_context_set_help_enabled(options, FALSE);
    g_option_context_set_summary(options, details);
    if (entries != NULL)
        g_option_context_add_main_entries(options, entries, NULL);
    g_option_context_add_main_entries(options, common, NULL);
    if (!g_option_context_parse_strv(options, &arguments, &problem)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "drover %s: %s", line->name,
                    problem->message);
        return COMMAND_REFUSED;
    }
    if (help) {
        g_autofree char *text = g_option_context_get_help(options, TRUE, NULL);
        fputs(text, line->out);
        return COMMAND_HELPED;
    }
    if (!log_parse_format(format_text, &format, error) ||
        !log_parse_level(level_text, &level, error))
        return COMMAND_REFUSED;
    log_start(line->err, format, level);
    return take_file(line, arguments, error);
}
