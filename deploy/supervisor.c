#include "deploy/supervisor.h"

#include "deploy/log.h"
#include "deploy/monitor.h"
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
    Runtime *runtime = &worker->supervisor->run->roles;

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
    Runtime *runtime = &worker->supervisor->run->roles;

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
    Runtime *runtime = &worker->supervisor->run->roles;

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
    Runtime *runtime = &worker->supervisor->run->roles;
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

/* --- Stages ----------------------------------------------------------------------------------- */

/* A statement on the control session failed. Gives up `problem`. */
static End session_failed(GError *problem, GError **error)
{
    End end = drover_error_is_retry(problem) ? END_LOST : END_FAILED;
    g_propagate_error(error, problem);
    return end;
}

static End tick(Supervisor *supervisor, const Stage *stage, GError **error)
{
    Monitor *monitor = supervisor->monitor;
    Runtime *process = supervisor->settings->process;
    GError *problem = NULL;

    if (process->now(process) < supervisor->next_tick)
        return END_DONE;
    supervisor->next_tick = process->now(process) + TICK;
    if (!monitor_read(monitor, &problem))
        return session_failed(problem, error);
    with_role(supervisor->background, &capture_kind, monitor_look_capture, monitor);
    if (role_kind_applies(stage->kind))
        with_role(supervisor->crew, stage->kind, monitor_look_apply, monitor);
    monitor_show(monitor, process->now(process), false);
    return END_DONE;
}

/* Until the stage's threads are done, or something else ends it. */
static End watch_stage(Supervisor *supervisor, const Stage *stage, GError **error)
{
    Runtime *process = supervisor->settings->process;

    for (;;) {
        if (runtime_stopping(process))
            return END_STOPPED;
        bool done = all_done(supervisor->crew);
        if (take_failure(supervisor, error))
            return END_FAILED;
        if (done)
            return END_DONE;
        End end = tick(supervisor, stage, error);
        if (end != END_DONE)
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

static bool read_phase(Supervisor *supervisor, const Stage **stage, GError **error)
{
    Control *control = &supervisor->run->context->control;
    g_autofree char *phase = NULL, *consistent = NULL;

    if (!control_get(control, "phase", &phase, error) ||
        !control_get(control, "consistent_position", &consistent, error))
        return false;
    *stage = stage_first(phase);
    if (*stage == NULL ||
        (consistent != NULL && !position_parse(consistent, &supervisor->run->consistent))) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "the target says that migration %s is in phase '%s', consistent position '%s', "
                    "which this drover cannot go on from",
                    control->migration->name, phase, consistent != NULL ? consistent : "none");
        return false;
    }
    return true;
}

static End run_stages(Supervisor *supervisor, GError **error)
{
    const Stage *stage;
    GError *problem = NULL;

    if (!read_phase(supervisor, &stage, &problem) || !monitor_start(supervisor->monitor, &problem))
        return session_failed(problem, error);
    if (!start_worker(supervisor, supervisor->background, &capture_kind, 1, error) ||
        !start_worker(supervisor, supervisor->background, &watch_kind, 1, error))
        return END_FAILED;
    End end = END_DONE;
    for (; stage != NULL && end == END_DONE; stage = stage_next(stage))
        end = run_stage(supervisor, stage, error);
    return end;
}

/* One life of the control session: all threads begin and end in it. */
static End run_session(Supervisor *supervisor, GError **error)
{
    g_atomic_int_set(&supervisor->run->roles.stop, 0);
    End end = run_stages(supervisor, error);
    g_atomic_int_set(&supervisor->run->roles.stop, 1);
    join_all(supervisor->crew);
    join_all(supervisor->background);
    monitor_end(supervisor->monitor);
    return end;
}

/* --- The control session ---------------------------------------------------------------------- */

static bool connect_again(Supervisor *supervisor, GError **error)
{
    Context *context = supervisor->run->context;
    return context_connect(context, "control", error) &&
           context_take_roles(context, false, &supervisor->run->leases, error);
}

/* Waits for the target. The server may keep a lost session, and with it the locks, for a moment;
 * only who holds them for longer is somebody else. False without an error: the process stops. */
static bool regain_session(Supervisor *supervisor, GError **error)
{
    Runtime *process = supervisor->settings->process;
    gint64 backoff = BACKOFF_FIRST, refused = 0;

    supervisor->run->take_over = false;
    while (!runtime_stopping(process)) {
        g_autoptr(GError) problem = NULL;
        if (connect_again(supervisor, &problem)) {
            g_message("the target is back; all roles are taken again");
            return true;
        }
        gint64 now = process->now(process);
        bool held = g_error_matches(problem, DROVER_ERROR, DROVER_ERROR_NO);
        if (held && refused == 0)
            refused = now;
        if ((held && now - refused > LINGER) || (!held && !drover_error_is_retry(problem))) {
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
    if (problem != NULL)
        g_propagate_error(error, problem);
    g_clear_error(&supervisor.failure);
    pthread_mutex_destroy(&supervisor.lock);
    monitor_free(supervisor.monitor);
    g_ptr_array_unref(supervisor.background);
    g_ptr_array_unref(supervisor.crew);
    return done;
}
