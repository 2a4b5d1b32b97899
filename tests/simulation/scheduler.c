#include "tests/simulation/scheduler.h"

#include "tests/simulation/checks.h"
#include "tests/simulation/database.h"
#include "tests/simulation/process.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_source.h"
#include "tests/simulation/sim_target.h"
#include "tests/simulation/store.h"
#include "tests/simulation/world.h"

#include <string.h>

#define MOST_DRAIN 60000 /* steps */
#define MOST_SLEEP 200   /* steps */
#define MOST_PROCESSES 9

static struct {
    GPtrArray *processes;      /* Process *: all that have not ended */
    Process *current[N_ROLES]; /* the newest of each role */
    guint started;
} scheduler;

/* ---- processes ---- */

static void start_process(Role role, bool take_over)
{
    Process *process = process_new(role, ++scheduler.started, take_over);
    trace("starts %s%s", process->name, take_over ? ", which takes over" : "");
    g_ptr_array_add(scheduler.processes, process);
    scheduler.current[role] = process;
}

static void forget_process(Process *process)
{
    if (scheduler.current[process->role] == process)
        scheduler.current[process->role] = NULL;
    g_ptr_array_remove_fast(scheduler.processes, process);
    process_free(process);
}

static bool is_awake(const Process *process)
{
    return process->killed || process->wake_step <= world.step;
}

static Process *pick_process(bool awake)
{
    Process *found = NULL;
    guint sum = 0;
    for (guint i = 0; i < scheduler.processes->len; i++) {
        Process *process = g_ptr_array_index(scheduler.processes, i);
        guint speed = world.weather.speed[process->role];
        if (awake && !is_awake(process))
            continue;
        sum += speed;
        if (pick(sum) < speed)
            found = process;
    }
    return found;
}

static void resume(Process *process)
{
    if (process->slept && process->wake_step <= world.step) {
        process->slept = false;
        if (process_is_superseded(process))
            COVER(sleeper_wakes_superseded);
        trace("%s wakes up", process->name);
    }
    process_resume(process);
    if (process_is_done(process))
        forget_process(process);
}

static void resume_one(void)
{
    Process *process = pick_process(true);
    if (process != NULL)
        resume(process);
}

static guint count_processes(Role role)
{
    guint n = 0;
    for (guint i = 0; i < scheduler.processes->len; i++)
        n += ((Process *)g_ptr_array_index(scheduler.processes, i))->role == role;
    return n;
}

/* Several copies share the work. */
static bool is_missing(Role role)
{
    if (role != ROLE_COPY)
        return scheduler.current[role] == NULL;
    return g_str_equal(sim_target_phase(), "copying") &&
           count_processes(role) < world.weather.copies;
}

static void start_missing(void)
{
    for (guint role = 0; role < N_ROLES; role++)
        if (is_missing(role) && scheduler.processes->len < MOST_PROCESSES &&
            (world.calm || one_in(10)))
            start_process(role, !world.calm && chance(role == ROLE_COPY ? 10 : 40));
}

/* ---- trouble ---- */

/* Calls at which an end matters most. */
static bool stands_at_commit(const Process *process)
{
    return g_str_equal(process->call, "commit") || g_str_equal(process->call, "bus.flush");
}

static Process *pick_victim(void)
{
    Process *any = pick_process(false);
    for (guint i = 0; i < scheduler.processes->len && chance(60); i++) {
        Process *process = g_ptr_array_index(scheduler.processes, i);
        if (stands_at_commit(process))
            return process;
    }
    return any;
}

static void kill_process(Process *process)
{
    if (process->killed)
        return;
    process->killed = true;
    process->last_call = chance(40);
    trace("kills %s at \"%s\", which %s", process->name, process->call,
          process->last_call ? "still takes effect" : "has no effect");
    if (process->last_call)
        COVER(killed_after_effect);
    else
        COVER(killed_before_effect);
    if (!process->last_call && g_str_equal(process->call, "commit"))
        COVER(killed_before_commit);
    resume(process);
}

static void put_to_sleep(Process *process)
{
    process->slept = true;
    process->wake_step = world.step + 10 + pick(MOST_SLEEP);
    trace("%s sleeps at \"%s\" until step %" G_GUINT64_FORMAT, process->name, process->call,
          process->wake_step);
}

/* The session that holds the role's lock is lost, and nobody has noticed but the server. */
static void lose_lock(Role role)
{
    Session *holder = store_role_holder(role, HELD_ALONE, NULL);
    if (holder == NULL)
        return;
    trace("target: the session that holds the lock of %s is lost", role_name(role));
    session_end(holder);
    COVER(lock_is_lost);
}

/* Somebody starts a second process of a role whose first one lives. */
static void start_second(void)
{
    const Process *capture = scheduler.current[ROLE_CAPTURE];
    bool urgent = capture != NULL && stands_at_commit(capture);
    Role role = urgent && chance(70) ? ROLE_CAPTURE : pick(N_ROLES);
    Process *first = scheduler.current[role];
    if (first == NULL || scheduler.processes->len >= MOST_PROCESSES)
        return;
    if (urgent || chance(60))
        put_to_sleep(first);
    if (chance(50))
        lose_lock(role);
    start_process(role, chance(urgent ? 80 : 50));
}

static void crash_something(void)
{
    guint way = store_may_lose_commits() ? 1 : pick(3);
    if (way == 0) {
        COVER(source_crashes);
        sim_source_crash();
    } else if (way == 1) {
        COVER(target_crashes);
        store_crash();
    } else {
        COVER(bus_crashes);
        sim_bus_crash();
    }
}

/* As SIGTERM does: it leaves as soon as the data allows. */
static void stop_process(Process *process)
{
    trace("stops %s at \"%s\"", process->name, process->call);
    COVER(process_is_stopped);
    g_atomic_int_set(&process->runtime.stop, 1);
}

/* An operator, on a session of his own. */
static void pause_or_resume(void)
{
    bool paused = store_row(NULL, ROW_MIGRATION)->of.migration.paused;
    if (store_is_locked(NULL, ROW_MIGRATION, LOCK_CHANGE))
        return;
    Target *session = sim_target_ops.connect(world.migration.target, "drover shop pause", NULL);
    Control control = {&sim_target_ops, session, &world.migration};
    trace("target: %s", paused ? "resume" : "pause");
    control_set(&control, "paused", paused ? "0" : "1", NULL);
    sim_target_ops.close(session);
    COVER(pause);
}

/* A verify, on a session of its own: it often meets what was just changed. Apply looks for such
 * keys when it starts. */
static void doubt_rows(void)
{
    Target *session = sim_target_ops.connect(world.migration.target, "drover shop verify", NULL);
    Control control = {&sim_target_ops, session, &world.migration};
    for (guint n = 1 + pick(3); n > 0; n--) {
        guint table = pick(SIM_TABLES), key = rows_pick_key();
        RowTexts texts;
        if (chance(50))
            database_find_hidden(&table, &key);
        if (store_is_locked(NULL, row_of_key(ROW_REFETCH, table, key), LOCK_CHANGE))
            continue;
        trace("target: key %u of t%u is in doubt", key, table + 1);
        rows_fill_key(&texts, table, key);
        control_refetch_add(&control, table + 1, &texts.row, "in doubt", NULL);
        COVER(row_is_in_doubt);
    }
    sim_target_ops.close(session);
    Process *apply = scheduler.current[ROLE_APPLY];
    if (apply != NULL && chance(60))
        stop_process(apply);
}

static void make_trouble(void)
{
    guint way = pick(100);
    Process *process = pick_victim();
    if (process != NULL && process->role == ROLE_CAPTURE && stands_at_commit(process))
        way = MAX(way, 30);
    if (way < 35 && process != NULL)
        kill_process(process);
    else if (way < 45 && process != NULL)
        put_to_sleep(process);
    else if (way < 70)
        start_second();
    else if (way < 78)
        crash_something();
    else if (way < 84 && process != NULL)
        stop_process(process);
    else if (way < 87)
        database_drop_snapshot();
    else if (way < 92)
        sim_source_notice(true);
    else
        pause_or_resume();
}

/* ---- a run ---- */

static void act(void)
{
    if (pick(1000) < world.weather.trouble)
        make_trouble();
    else if (one_in(world.weather.activity))
        database_act();
    else if (one_in(world.weather.doubts))
        doubt_rows();
    else if (store_row(NULL, ROW_MIGRATION)->of.migration.paused && one_in(100))
        pause_or_resume();
    else if (one_in(30))
        store_notice(false);
    else if (one_in(60))
        sim_source_notice(false);
    else
        resume_one();
    start_missing();
}

/* Whoever does not run any more can be told of keys that a verify has put on the list: apply looks
 * for them when it starts. */
static void calm_down(void)
{
    trace("everything is drained");
    world.calm = true;
    /* Who looks whether something has come must not do so more often than others can bring it. */
    for (guint role = 0; role < N_ROLES; role++)
        world.weather.speed[role] = 1;
    database_settle();
    for (guint i = 0; i < scheduler.processes->len; i++) {
        Process *process = g_ptr_array_index(scheduler.processes, i);
        process->wake_step = 0;
        if (process->role == ROLE_APPLY)
            stop_process(process);
    }
    if (store_row(NULL, ROW_MIGRATION)->of.migration.paused)
        COVER(drained_while_paused);
}

static void drain(void)
{
    calm_down();
    guint64 limit = world.step + MOST_DRAIN;
    for (; !checks_settled() && world.step < limit; world.step++) {
        store_notice(true);
        sim_source_notice(false);
        database_settle();
        if (store_row(NULL, ROW_MIGRATION)->of.migration.paused)
            pause_or_resume();
        resume_one();
        start_missing();
    }
    checks_drained();
}

static void begin(guint64 seed, bool loud)
{
    memset(&scheduler, 0, sizeof scheduler);
    scheduler.processes = g_ptr_array_new();
    world_begin(seed, loud);
    sim_source_begin();
    sim_bus_begin();
    store_begin();
    checks_begin();
}

static void end(void)
{
    world.ending = true;
    while (scheduler.processes->len > 0)
        forget_process(g_ptr_array_index(scheduler.processes, 0));
    checks_end();
    store_end();
    sim_bus_end();
    sim_source_end();
    g_ptr_array_unref(scheduler.processes);
    world_end();
}

guint64 scheduler_run(guint64 seed, bool loud)
{
    begin(seed, loud);
    for (; world.step < world.weather.steps; world.step++)
        act();
    drain();
    guint64 steps = world.step;
    end();
    return steps;
}
