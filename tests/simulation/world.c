#include "tests/simulation/world.h"

#include "tests/simulation/process.h"
#include "tests/simulation/rows.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

World world;
guint64 coverage[N_COVERAGE];

static const char *const coverage_texts[] = {
#define COVERAGE(name, text) text,
#include "tests/simulation/coverage.def"
#undef COVERAGE
};

/* ---- chance ---- */

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, figure 13). */
static guint64 next_random(void)
{
    guint64 z = world.random += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

guint pick(guint n)
{
    return (guint)(next_random() % n);
}

bool chance(guint percent)
{
    return pick(100) < percent;
}

bool one_in(guint n)
{
    return n > 0 && pick(n) == 0;
}

/* ---- a run ---- */

/* A batch begins with one block of an arena (apply/batch.c): a limit close above it makes apply
 * write a transaction of several records in pieces, of a few keys or of each. */
static guint64 draw_memory(void)
{
    static const guint64 limits[] = {256 << 20, (256 * 1024 + 120) * 5 / 2,
                                     4 * (256 * 1024 + 600) * 5 / 2};
    return limits[pick(G_N_ELEMENTS(limits))];
}

/* One of several. */
#define DRAW(...) draw((const guint[]){__VA_ARGS__}, sizeof((guint[]){__VA_ARGS__}) / sizeof(guint))

static guint draw(const guint *of, gsize n)
{
    return of[pick((guint)n)];
}

/* One after the other: the order decides what a seed means. */
static void draw_weather(void)
{
    Weather *weather = &world.weather;
    weather->call_fails = DRAW(0, 0, 400, 100, 40);
    weather->trouble = DRAW(0, 10, 20, 40);
    weather->doubts = DRAW(0, 300, 100);
    weather->activity = DRAW(4, 8, 16, 40);
    weather->reveals = DRAW(10, 40, 70);
    weather->copies = DRAW(1, 2, 3);
    for (guint role = 0; role < N_ROLES; role++)
        weather->speed[role] = DRAW(1, 2, 6);
    weather->invisible = DRAW(0, 30, 60);
    weather->unflushed = DRAW(0, 30);
    weather->sessions_end = DRAW(0, 100);
    weather->kafka = chance(50);
    weather->bus_capacity = DRAW(0, 0, 0, 24000);
    weather->record_target = DRAW(100, 300, 2000, 100000);
    if (weather->bus_capacity != 0)
        weather->record_target = MIN(weather->record_target, 2000);
    weather->steps = 200 + pick(DRAW(500, 4000));
    weather->gtids = chance(30);
}

static void make_migration(void)
{
    static char name[] = "shop", uuid[] = "1", slot[] = "drover_shop", identity[] = "7/1",
                path[] = "bus";
    static char side[] = "source", other_side[] = "target";
    static char engine[] = "simulation";
    static Endpoint source = {.side = side, .label = side, .engine = engine};
    static Endpoint target = {.side = other_side, .label = other_side};
    world.migration = (Migration){.name = name,
                                  .uuid = uuid,
                                  .slot = slot,
                                  .source_identity = identity,
                                  .bus = {.path = path},
                                  .source = &source,
                                  .target = &target,
                                  .copy_workers = 2,
                                  .memory_limit = draw_memory(),
                                  .tables = rows_tables_new()};
}

void world_begin(guint64 seed, bool loud)
{
    GString *lines = world.trace != NULL ? world.trace : g_string_new(NULL);
    guint64 before = world.before + world.step;
    world = (World){.seed = seed, .random = seed, .before = before, .loud = loud, .trace = lines};
    g_string_truncate(lines, 0);
    draw_weather();
    make_migration();
    const Weather *weather = &world.weather;
    trace("seed %" G_GUINT64_FORMAT ": %s bus, capacity %" G_GSIZE_FORMAT
          ", records of %" G_GSIZE_FORMAT ", memory %" G_GUINT64_FORMAT
          ", one call of %u fails, trouble %u, invisible %u %%, unflushed %u %%",
          seed, weather->kafka ? "kafka" : "local", weather->bus_capacity, weather->record_target,
          world.migration.memory_limit, weather->call_fails, weather->trouble, weather->invisible,
          weather->unflushed);
}

void world_end(void)
{
    g_ptr_array_unref(world.migration.tables);
}

/* ---- telling ---- */

void trace(const char *format, ...)
{
    const Process *process = process_current();
    gsize from = world.trace->len;
    va_list arguments;
    g_string_append_printf(world.trace, "%6" G_GUINT64_FORMAT " %-12s ", world.step,
                           process != NULL ? process->name : "");
    va_start(arguments, format);
    g_string_append_vprintf(world.trace, format, arguments);
    va_end(arguments);
    g_string_append_c(world.trace, '\n');
    if (world.loud)
        fputs(world.trace->str + from, stdout);
}

static void tell_failure(const char *why)
{
    if (!world.loud)
        fputs(world.trace->str, stdout);
    printf("FAILED seed %" G_GUINT64_FORMAT " after %" G_GUINT64_FORMAT " steps (%" G_GUINT64_FORMAT
           " in all): %s\n"
           "replay with: simulation --seed %" G_GUINT64_FORMAT " --trace\n",
           world.seed, world.step, world.before + world.step, why, world.seed);
    fflush(stdout);
}

void world_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    tell_failure(why);
    _exit(EXIT_FAILURE);
}

/* Nothing is left to be harmed by what a signal's handler should not do. */
static void die(int signal_number)
{
    tell_failure(strsignal(signal_number));
    _exit(EXIT_FAILURE);
}

static void tell_death(void)
{
    tell_failure("a sanitizer has found something");
}

/* There where the program is built with one. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

void world_catch_death(void)
{
    static guint8 stack[64 * 1024];
    const stack_t handlers = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_handler = die, .sa_flags = SA_ONSTACK};
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(tell_death);
        return;
    }
    sigaltstack(&handlers, NULL);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

bool coverage_report(void)
{
    bool all = true;
    for (guint i = 0; i < N_COVERAGE; i++) {
        printf("%10" G_GUINT64_FORMAT "  %s%s\n", coverage[i], coverage_texts[i],
               coverage[i] == 0 ? "   <- never" : "");
        all &= coverage[i] > 0;
    }
    return all;
}
