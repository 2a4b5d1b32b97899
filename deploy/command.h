/*
 * Command: the table of commands, their options, and what all of them share: how arguments and
 * DROVER_ variables become options, how errors are shown, what the exit status is.
 *
 * A command's function parses its own options with command_parse, does its work, writes its answer
 * to `out` and returns the exit status; an error that it returns is shown by command_main, on one
 * line, and its class is the exit status.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct CommandLine {
    const char *name; /* of the command */
    int argc;
    char **argv; /* what follows the name */
    FILE *out;
    FILE *err;
    char *file; /* the migration file; set by command_parse */
    gboolean json;
} CommandLine;

typedef struct Command {
    const char *name;
    const char *summary;
    int (*run)(CommandLine *line, GError **error);
} Command;

/* Runs `drover ...` and returns the exit status. */
int command_main(int argc, char **argv, FILE *out, FILE *err);

/* What command_parse found out. */
typedef enum {
    COMMAND_GO,
    COMMAND_HELPED, /* --help was asked for and given: return 0 */
    COMMAND_REFUSED /* *error is set */
} CommandParsed;

/* Reads the command's own options (terminated as GOptionContext wants it) and the common ones:
 * --json, --log-format, --log-level, --help. For each option --some-name the variable
 * DROVER_SOME_NAME is read first; the command line wins. Exactly one argument must remain: the
 * migration file. Starts the log. */
CommandParsed command_parse(CommandLine *line, const char *details, const GOptionEntry *entries,
                            GError **error);

/* Writes one JSON object on one line, and gives it up. */
void command_print_json(CommandLine *line, json_t *object);

/* Text options that point into a command's own struct are freed by it (g_free). */

int cmd_plan(CommandLine *line, GError **error);
int cmd_run(CommandLine *line, GError **error);
int cmd_capture(CommandLine *line, GError **error);
int cmd_copy(CommandLine *line, GError **error);
int cmd_apply(CommandLine *line, GError **error);
int cmd_status(CommandLine *line, GError **error);
int cmd_verify(CommandLine *line, GError **error);
int cmd_pause(CommandLine *line, GError **error);
int cmd_resume(CommandLine *line, GError **error);
int cmd_drop(CommandLine *line, GError **error);
