#include "deploy/supervisor.h"

#include "deploy/log.h"
#include "deploy/monitor.h"
#include "deploy/stored.h"
#include "proto/error.h"

#include <signal.h>
#include <stdlib.h>

#define TICK G_USEC_PER_SEC /* between checks of the control session */
#define LOOK (50 * 1000)    /* between looks at the threads */
#define BACKOFF_FIRST (200 * 1000)
#define BACKOFF_MOST (5 * G_USEC_PER_SEC)
#define STEADY (10 * G_USEC_PER_SEC) /* a role that lived this long is well again */
#define LINGER (30 * G_USEC_PER_SEC) /* how long a server may keep the lock of a lost session */

typedef struct Supervisor Supervisor;

typedef struct Worker {
    Supervisor *supervisor;
    const RoleKind *kind;
    guint number; /* from 1 */
    pthread_t thread;
    gint done; /* atomic: the thread is about to end */

    pthread_mutex_t lock;
    void *role; /* under lock; only the thread itself changes it */

    /* The thread's own. */
    char *trouble; /* message of the failure that is being waited out */
    gint64 backoff;
    gint64 started; /* the role, on the runtime's clock */
} Worker;

struct Supervisor {
    const SupervisorSettings *settings;
    Run *run;
    Monitor *monitor;
    GPtrArray *background; /* Worker *: beside all stages */
    GPtrArray *crew;       /* Worker *: of the stage */
    gint64 next_tick;

    pthread_mutex_t lock;
    GError *failure; /* under lock: the first one that no retry helps */
};

typedef enum { END_DONE, END_STOPPED, END_LOST, END_FAILED } End;

/* --- In the role's thread --------------------------------------------------------------------- */

static void drop_role(Worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    void *role = worker->role;
    worker->role = NULL;
    pthread_mutex_unlock(&worker->lock);
    if (role != NULL)
        worker->kind->free(role);
}

static StepResult step_role(Worker *worker, GError **error)
{
    Runtime *runtime = &worker->supervisor->run->runtime;

    if (worker->role != NULL)
        return worker->kind->step(worker->role, error);
    void *role = worker->kind->start(worker->supervisor->run, worker->number, error);
    if (role == NULL)
        return STEP_FAILED;
    pthread_mutex_lock(&worker->lock);
    worker->role = role;
    pthread_mutex_unlock(&worker->lock);
    worker->started = runtime->now(runtime);
    return STEP_IDLE;
}

static void report_failure(Supervisor *supervisor, GError *error)
{
    pthread_mutex_lock(&supervisor->lock);
    if (supervisor->failure == NULL)
        supervisor->failure = error;
    else
        g_error_free(error);
    pthread_mutex_unlock(&supervisor->lock);
}

static void log_worker(const Worker *worker, GLogLevelFlags level, const char *message)
{
    g_autofree char *number = g_strdup_printf("%u", worker->number);
    log_event(worker->kind->optional ? G_LOG_LEVEL_DEBUG : level, message, "role",
              worker->kind->name, "worker", number, NULL);
}

/* The same trouble is logged once, however often it comes. */
static void note_trouble(Worker *worker, const GError *error)
{
    if (g_strcmp0(worker->trouble, error->message) == 0)
        return;
    g_free(worker->trouble);
    worker->trouble = g_strdup(error->message);
    g_autofree char *message = g_strconcat(error->message, "; trying again", NULL);
    log_worker(worker, G_LOG_LEVEL_WARNING, message);
}

static void note_success(Worker *worker, StepResult result)
{
    Runtime *runtime = &worker->supervisor->run->runtime;

    if (worker->trouble == NULL)
        return;
    if (result == STEP_IDLE && runtime->now(runtime) - worker->started < STEADY)
        return;
    log_worker(worker, G_LOG_LEVEL_INFO, "works again");
    g_clear_pointer(&worker->trouble, g_free);
    worker->backoff = BACKOFF_FIRST;
}

/* False where this failure ends the thread. */
static bool outlast(Worker *worker, GError *error)
{
    Runtime *runtime = &worker->supervisor->run->runtime;

    if (runtime_stopping(runtime)) {
        g_debug("%s, while stopping: %s", worker->kind->name, error->message);
        g_error_free(error);
        return false;
    }
    if (!drover_error_is_retry(error) && !worker->kind->optional) {
        g_prefix_error(&error, "%s: ", worker->kind->name);
        report_failure(worker->supervisor, error);
        return false;
    }
    note_trouble(worker, error);
    g_error_free(error);
    runtime->wait(runtime, worker->backoff);
    worker->backoff = MIN(worker->backoff * 2, BACKOFF_MOST);
    return true;
}

static void *worker_main(void *data)
{
    Worker *worker = data;
    Runtime *runtime = &worker->supervisor->run->runtime;
    bool on = true;

    while (on && !runtime_stopping(runtime)) {
        GError *error = NULL;
        StepResult result = step_role(worker, &error);
        if (result == STEP_FAILED) {
            drop_role(worker);
            on = outlast(worker, error);
        } else {
            note_success(worker, result);
            on = result != STEP_DONE;
        }
    }
    drop_role(worker);
    g_atomic_int_set(&worker->done, 1);
    return NULL;
}

/* --- Threads, from the main thread ------------------------------------------------------------ */

static void worker_free(Worker *worker)
{
    pthread_mutex_destroy(&worker->lock);
    g_free(worker->trouble);
    g_free(worker);
}

/* Signals are the main thread's. */
static int create_thread(Worker *worker)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static bool start_worker(Supervisor *supervisor, GPtrArray *list, const RoleKind *kind,
                         guint number, GError **error)
{
    Worker *worker = g_new0(Worker, 1);
    *worker = (Worker){
        .supervisor = supervisor, .kind = kind, .number = number, .backoff = BACKOFF_FIRST};
    pthread_mutex_init(&worker->lock, NULL);
    int failed = create_thread(worker);
    if (failed != 0) {
        worker_free(worker);
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "no thread for %s: %s", kind->name,
                    g_strerror(failed));
        return false;
    }
    g_ptr_array_add(list, worker);
    return true;
}

static void join_all(GPtrArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        Worker *worker = g_ptr_array_index(list, i);
        pthread_join(worker->thread, NULL);
        worker_free(worker);
    }
    g_ptr_array_set_size(list, 0);
}

static bool all_done(const GPtrArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        Worker *worker = g_ptr_array_index(list, i);
        if (g_atomic_int_get(&worker->done) == 0)
            return false;
    }
    return true;
}

static bool take_failure(Supervisor *supervisor, GError **error)
{
    pthread_mutex_lock(&supervisor->lock);
    GError *failure = g_steal_pointer(&supervisor->failure);
    pthread_mutex_unlock(&supervisor->lock);
    if (failure == NULL)
        return false;
    g_propagate_error(error, failure);
    return true;
}

/* Calls `look` with the role of this kind while it exists. */
static void with_role(const GPtrArray *list, const RoleKind *kind, MonitorLook look,
                      Monitor *monitor)
{
    for (guint i = 0; i < list->len; i++) {
        Worker *worker = g_ptr_array_index(list, i);
        if (worker->kind != kind)
            continue;
        pthread_mutex_lock(&worker->lock);
        if (worker->role != NULL)
            look(monitor, worker->role);
        pthread_mutex_unlock(&worker->lock);
    }
}

/* --- Looking after the threads ---------------------------------------------------------------- */

/* A statement on the control session failed. Gives up `problem`. */
static End session_failed(GError *problem, GError **error)
{
    End end = drover_error_is_retry(problem) ? END_LOST : END_FAILED;
    g_propagate_error(error, problem);
    return end;
}

static bool ask_session(Supervisor *supervisor, GError **error)
{
    return monitor_read(supervisor->monitor, error) && run_forget_snapshot(supervisor->run, error);
}

/* stage NULL: one of others. */
static End tick(Supervisor *supervisor, const Stage *stage, GError **error)
{
    Monitor *monitor = supervisor->monitor;
    Runtime *process = supervisor->settings->process;
    GError *problem = NULL;

    if (process->now(process) < supervisor->next_tick)
        return END_DONE;
    supervisor->next_tick = process->now(process) + TICK;
    if (!ask_session(supervisor, &problem))
        return session_failed(problem, error);
    with_role(supervisor->background, &capture_kind, monitor_look_capture, monitor);
    if (stage != NULL && role_kind_applies(stage->kind))
        with_role(supervisor->crew, stage->kind, monitor_look_apply, monitor);
    monitor_show(monitor, process->now(process), false);
    return END_DONE;
}

/* A thread that fails may have been fenced off, or have lost what it works on to a `drop`: then the
 * control session is gone as well, and what holds now is for the target to say. Gives up `problem`.
 */
static End thread_failed(Supervisor *supervisor, GError *problem, GError **error)
{
    g_autoptr(GError) failure = problem;
    GError *lost = NULL;

    if (!ask_session(supervisor, &lost) && drover_error_is_retry(lost)) {
        g_message("%s", failure->message);
        g_propagate_error(error, lost);
        return END_LOST;
    }
    g_clear_error(&lost);
    g_propagate_error(error, g_steal_pointer(&failure));
    return END_FAILED;
}

static End watch(Supervisor *supervisor, const Stage *stage, GError **error)
{
    GError *problem = NULL;

    if (runtime_stopping(supervisor->settings->process))
        return END_STOPPED;
    if (take_failure(supervisor, &problem))
        return thread_failed(supervisor, problem, error);
    return tick(supervisor, stage, error);
}

/* --- Stages ----------------------------------------------------------------------------------- */

/* Until the stage's threads are done, or something else ends it. */
static End watch_stage(Supervisor *supervisor, const Stage *stage, GError **error)
{
    Runtime *process = supervisor->settings->process;

    for (;;) {
        bool done = all_done(supervisor->crew);
        End end = watch(supervisor, stage, error);
        if (end != END_DONE || done)
            return end;
        process->wait(process, LOOK);
    }
}

static End run_stage(Supervisor *supervisor, const Stage *stage, GError **error)
{
    Runtime *process = supervisor->settings->process;
    guint n = stage->parallel ? supervisor->run->context->migration->copy_workers : 1;

    monitor_begin(supervisor->monitor, stage, process->now(process));
    for (guint i = 1; i <= n; i++)
        if (!start_worker(supervisor, supervisor->crew, stage->kind, i, error))
            return END_FAILED;
    End end = watch_stage(supervisor, stage, error);
    if (end != END_DONE)
        return end;
    join_all(supervisor->crew);
    GError *problem = NULL;
    if (!monitor_read(supervisor->monitor, &problem))
        return session_failed(problem, error);
    monitor_show(supervisor->monitor, process->now(process), true);
    if (stage->finish == NULL || stage->finish(supervisor->run, &problem))
        return END_DONE;
    return session_failed(problem, error);
}

/* All stages of its phase. */
static End run_phase(Supervisor *supervisor, const Stage *stage, GError **error)
{
    End end = END_DONE;
    for (; stage != NULL && end == END_DONE; stage = stage_next(stage))
        end = run_stage(supervisor, stage, error);
    return end;
}

static bool say_who_is_waited_for(Supervisor *supervisor, const Stage *stage, GError **error)
{
    g_autofree char *names = NULL;

    if (!context_role_holders(supervisor->run->context, stage->owner, &names, error))
        return false;
    g_message("phase %s is the work of `drover %s`, which is run by %s", stage->phase,
              role_name(stage->owner), names != NULL ? names : "nobody at the moment");
    return true;
}

/* Until those who have the stage's role have ended its phase. */
static End wait_phase(Supervisor *supervisor, const Stage *stage, GError **error)
{
    Runtime *process = supervisor->settings->process;
    GError *problem = NULL;

    monitor_wait(supervisor->monitor, stage, process->now(process));
    if (!say_who_is_waited_for(supervisor, stage, &problem))
        return session_failed(problem, error);
    while (monitor_is_in(supervisor->monitor, stage->phase)) {
        End end = watch(supervisor, NULL, error);
        if (end != END_DONE)
            return end;
        process->wait(process, LOOK);
    }
    return END_DONE;
}

/* Has this process nothing to do any more, now that the migration is in this stage? */
static bool is_over(const Run *run, const Stage *stage)
{
    return (run->roles & ROLE_CAPTURE) == 0 && !stage_is_left(stage, run->roles);
}

static End run_stages(Supervisor *supervisor, GError **error)
{
    Run *run = supervisor->run;
    const Stage *stage;
    End end = END_DONE;
    GError *problem = NULL;

    while (end == END_DONE) {
        if (!run_read(run, &stage, &problem) ||
            !monitor_start(supervisor->monitor, stage->phase, &problem))
            return session_failed(problem, error);
        if (stage->owner != ROLE_COPY)
            run_release_snapshot(run);
        if (is_over(run, stage))
            return END_DONE;
        end = (run->roles & (guint)stage->owner) != 0 ? run_phase(supervisor, stage, error)
                                                      : wait_phase(supervisor, stage, error);
    }
    return end;
}

static bool start_background(Supervisor *supervisor, GError **error)
{
    guint roles = supervisor->run->roles;
    GPtrArray *list = supervisor->background;

    return ((roles & ROLE_CAPTURE) == 0 ||
            start_worker(supervisor, list, &capture_kind, 1, error)) &&
           ((roles & (ROLE_CAPTURE | ROLE_APPLY)) == 0 ||
            start_worker(supervisor, list, &watch_kind, 1, error));
}

/* One life of the control session: all threads begin and end in it. */
static End run_session(Supervisor *supervisor, GError **error)
{
    g_atomic_int_set(&supervisor->run->runtime.stop, 0);
    End end = start_background(supervisor, error) ? run_stages(supervisor, error) : END_FAILED;
    g_atomic_int_set(&supervisor->run->runtime.stop, 1);
    join_all(supervisor->crew);
    join_all(supervisor->background);
    monitor_end(supervisor->monitor);
    return end;
}

/* --- The control session ---------------------------------------------------------------------- */

/* While it was away the migration may have been dropped, and one of the same name begun. */
static bool is_same_migration(Context *context, GError **error)
{
    g_autoptr(Stored) stored = stored_find(&context->control, error);

    if (stored == NULL)
        return false;
    if (g_strcmp0(stored->uuid, context->migration->uuid) == 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "migration %s was dropped and begun anew meanwhile; start this process again",
                context->migration->name);
    return false;
}

/* *wait: trying again may help: not with another process that has the role, but with sessions of
 * this one that the server still keeps, and with copies that are being shaken off. */
static bool take_again(Supervisor *supervisor, bool *wait, GError **error)
{
    Run *run = supervisor->run;
    g_autoptr(GError) problem = NULL;
    GError *gone = NULL;
    bool replaced = false;

    if (context_take_roles(run->context, run->roles, false, &run->leases, &problem))
        return true;
    *wait = drover_error_is_retry(problem);
    /* It may have been dropped just now, by whom the role's lock was waited for. */
    if (!*wait && !is_same_migration(run->context, &gone)) {
        *wait = drover_error_is_retry(gone);
        g_propagate_error(error, gone);
        return false;
    }
    if (g_error_matches(problem, DROVER_ERROR, DROVER_ERROR_NO))
        *wait = context_is_replaced(run->context, run->roles, &replaced, NULL) && !replaced;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* *wait: trying again may help. */
static bool connect_again(Supervisor *supervisor, bool *wait, GError **error)
{
    Context *context = supervisor->run->context;
    GError *problem = NULL;

    if (context_connect(context, "control", &problem) && is_same_migration(context, &problem))
        return take_again(supervisor, wait, error);
    *wait = drover_error_is_retry(problem);
    g_propagate_error(error, problem);
    return false;
}

/* Waits for the target. The server may keep a lost session, and with it the locks, for a moment.
 * False without an error: the process stops. */
static bool regain_session(Supervisor *supervisor, GError **error)
{
    Runtime *process = supervisor->settings->process;
    gint64 backoff = BACKOFF_FIRST, refused = 0;

    supervisor->run->take_over = false;
    while (!runtime_stopping(process)) {
        g_autoptr(GError) problem = NULL;
        bool wait = false;
        if (connect_again(supervisor, &wait, &problem)) {
            g_message("the target is back; all roles are taken again");
            return true;
        }
        gint64 now = process->now(process);
        bool held = !drover_error_is_retry(problem);
        if (held && refused == 0)
            refused = now;
        if (!wait || (held && now - refused > LINGER)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        process->wait(process, backoff);
        backoff = MIN(backoff * 2, BACKOFF_MOST);
    }
    return false;
}

static bool supervise(Supervisor *supervisor, GError **error)
{
    for (;;) {
        g_autoptr(GError) problem = NULL;
        End end = run_session(supervisor, &problem);
        if (end == END_LOST) {
            g_warning("the control session on the target is lost: %s; waiting for the target",
                      problem->message);
            if (!regain_session(supervisor, error))
                return runtime_stopping(supervisor->settings->process) && *error == NULL;
            continue;
        }
        if (problem != NULL)
            g_propagate_error(error, g_steal_pointer(&problem));
        return end != END_FAILED;
    }
}

bool supervisor_run(const SupervisorSettings *settings, GError **error)
{
    Supervisor supervisor = {.settings = settings,
                             .run = settings->run,
                             .monitor =
                                 monitor_new(settings->run, settings->terminal, settings->color),
                             .background = g_ptr_array_new(),
                             .crew = g_ptr_array_new()};
    GError *problem = NULL;

    pthread_mutex_init(&supervisor.lock, NULL);
    bool done = supervise(&supervisor, &problem);
    run_release_snapshot(supervisor.run);
    if (problem != NULL)
        g_propagate_error(error, problem);
    g_clear_error(&supervisor.failure);
    pthread_mutex_destroy(&supervisor.lock);
    monitor_free(supervisor.monitor);
    g_ptr_array_unref(supervisor.background);
    g_ptr_array_unref(supervisor.crew);
    return done;
}
