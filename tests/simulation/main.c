/*
 * simulation: runs seeds, one after the other, until so many steps were taken.
 *
 * usage: simulation [--steps N] [--seed N] [--seeds A..B] [--trace]
 */
#include "proto/error.h"
#include "tests/simulation/fiber.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_STEPS 1000000

typedef struct Options {
    gint64 steps;
    gint64 seed;
    char *seeds;
    gboolean loud;
} Options;

static void ignore(const char *domain, GLogLevelFlags level, const char *message, gpointer user)
{
    (void)domain, (void)level, (void)user;
    trace("   ... says: %s", message);
}

static bool read_options(Options *options, int argc, char **argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"steps", 0, 0, G_OPTION_ARG_INT64, &options->steps, "steps to take, over all seeds", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &options->seed, "run this seed alone", "N"},
        {"seeds", 0, 0, G_OPTION_ARG_STRING, &options->seeds, "run these seeds", "A..B"},
        {"trace", 0, 0, G_OPTION_ARG_NONE, &options->loud, "print what happens", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, &argc, &argv, error);
}

/* The first and the last seed; *last 0: as many as the steps allow. */
static bool read_seeds(const Options *options, guint64 *first, guint64 *last)
{
    *first = 1;
    *last = 0;
    if (options->seed != 0)
        *first = *last = (guint64)options->seed;
    if (options->seeds == NULL)
        return true;
    return sscanf(options->seeds, "%" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT, first, last) == 2 &&
           *first > 0 && *first <= *last;
}

static gint64 steps_wanted(const Options *options)
{
    const char *text = g_getenv("DROVER_SIM_STEPS");
    if (options->steps > 0)
        return options->steps;
    return text != NULL ? g_ascii_strtoll(text, NULL, 10) : DEFAULT_STEPS;
}

int main(int argc, char **argv)
{
    Options options = {0};
    g_autoptr(GError) error = NULL;
    guint64 first, last, steps = 0;
    if (!read_options(&options, argc, argv, &error) || !read_seeds(&options, &first, &last)) {
        fprintf(stderr, "simulation: %s\n", error != NULL ? error->message : "--seeds: A..B");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    world_catch_death();
    drover_error_quark();
    g_log_set_default_handler(ignore, NULL);
    guint64 seed = first;
    gint64 wanted = steps_wanted(&options);
    for (; last != 0 ? seed <= last : (gint64)steps < wanted; seed++)
        steps += scheduler_run(seed, options.loud);
    fiber_clear_stacks();
    g_string_free(world.trace, TRUE);
    printf("%" G_GUINT64_FORMAT " seeds, %" G_GUINT64_FORMAT " steps\n", seed - first, steps);
    g_free(options.seeds);
    return coverage_report() || last != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
