#include "deploy/monitor.h"

#include "apply/apply.h"
#include "deploy/log.h"
#include "deploy/progress_bar.h"
#include "proto/error.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define LOG_INTERVAL (10 * G_USEC_PER_SEC)

struct Monitor {
    Run *run;
    bool terminal, color;
    ProgressView view;
    Progress progress; /* apply's, as committed */
    char *phase;       /* of the migration */

    gint64 rows_done, bytes_done; /* in the ledger, whoever copied them */
    gint64 rows_first;            /* at the start of the stage */

    bool waiting;           /* the stage is the work of others */
    CaptureStatus captured; /* at the last look */
    guint64 events;         /* of what is shown, at the last look */
    gint64 last_show, last_log, stage_start;
    guint64 events_shown;
};

Monitor *monitor_new(Run *run, bool terminal, bool color)
{
    Monitor *monitor = g_new0(Monitor, 1);
    monitor->run = run;
    monitor->terminal = terminal;
    monitor->color = color;
    monitor->view.no_slot = !migration_has_slot(run->context->migration);
    return monitor;
}

void monitor_free(Monitor *monitor)
{
    g_free(monitor->phase);
    g_free(monitor);
}

/* One row of integers. */
static bool ask_integers(Control *control, const char *sql, guint n, gint64 *numbers,
                         GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 1, values, error);

    if (answer == NULL)
        return false;
    for (guint i = 0; i < n; i++) {
        const char *text = answer->n_rows == 1 ? answer_get(answer, 0, i) : NULL;
        numbers[i] = text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
    }
    return true;
}

static const char TOTAL_SQL[] =
    "select sum(rows_total), sum(bytes_total) from drover.tables where migration = $1";
static const char DONE_SQL[] = "select sum(c.rows), sum(c.bytes) from drover.chunk c where "
                               "c.migration = $1 and c.state = 'done'";
static const char STEPS_SQL[] =
    "select count(case when done then 1 end), count(*) from drover.ddl where migration = $1 and "
    "kind in ('index', 'constraint', 'foreign_key', 'sequence_owner', 'analyze')";

static bool read_ledger(Monitor *monitor, GError **error)
{
    gint64 done[2];

    if (!ask_integers(&monitor->run->context->control, DONE_SQL, 2, done, error))
        return false;
    monitor->rows_done = done[0];
    monitor->bytes_done = done[1];
    return true;
}

static void set_phase(Monitor *monitor, const char *phase)
{
    g_free(monitor->phase);
    monitor->phase = g_strdup(phase);
}

bool monitor_start(Monitor *monitor, const char *phase, GError **error)
{
    gint64 totals[2];

    if (!ask_integers(&monitor->run->context->control, TOTAL_SQL, 2, totals, error))
        return false;
    monitor->view.rows_total = totals[0];
    monitor->view.bytes_total = totals[1];
    set_phase(monitor, phase);
    return read_ledger(monitor, error);
}

static void begin(Monitor *monitor, const Stage *stage, ProgressKind kind, gint64 now)
{
    monitor_end(monitor);
    monitor->view.kind = kind;
    monitor->view.phase = stage->phase;
    monitor->view.rows_per_second = monitor->view.events_per_second = 0;
    monitor->events = monitor->events_shown = 0;
    monitor->last_show = monitor->last_log = monitor->stage_start = now;
    monitor->rows_first = monitor->rows_done;
}

void monitor_begin(Monitor *monitor, const Stage *stage, gint64 now)
{
    begin(monitor, stage, stage->progress, now);
    monitor->waiting = false;
    log_event(G_LOG_LEVEL_MESSAGE, stage->title, "phase", stage->phase, NULL);
}

void monitor_wait(Monitor *monitor, const Stage *stage, gint64 now)
{
    bool captures = (monitor->run->roles & ROLE_CAPTURE) != 0;
    begin(monitor, stage, captures ? PROGRESS_STREAM : PROGRESS_NONE, now);
    monitor->waiting = true;
}

bool monitor_is_in(const Monitor *monitor, const char *phase)
{
    return g_strcmp0(monitor->phase, phase) == 0;
}

static bool read_steps(Monitor *monitor, GError **error)
{
    gint64 steps[2];

    if (!ask_integers(&monitor->run->context->control, STEPS_SQL, 2, steps, error))
        return false;
    monitor->view.steps = steps[0];
    monitor->view.steps_total = steps[1];
    return true;
}

bool monitor_read(Monitor *monitor, GError **error)
{
    Control *control = &monitor->run->context->control;
    g_autofree char *paused = NULL, *phase = NULL;

    if (!control_get(control, "paused", &paused, error) ||
        !control_get(control, "phase", &phase, error) ||
        !control_progress_get(control, "apply", &monitor->progress, error))
        return false;
    monitor->view.paused = control_bool(paused);
    set_phase(monitor, phase);
    pthread_mutex_lock(&monitor->run->lock);
    monitor->run->trim_below = monitor->progress.bus_sequence;
    pthread_mutex_unlock(&monitor->run->lock);
    if (monitor->view.kind == PROGRESS_COPY)
        return read_ledger(monitor, error);
    return monitor->view.kind != PROGRESS_STEPS || read_steps(monitor, error);
}

/* What is committed decides: a restarted apply begins there. */
void monitor_look_capture(Monitor *monitor, void *capture)
{
    capture_allow_trim(capture, monitor->progress.bus_sequence);
    capture_status(capture, &monitor->captured);
    if (monitor->waiting)
        monitor->events = monitor->captured.events;
}

void monitor_look_apply(Monitor *monitor, void *apply)
{
    ApplyStatus status;
    apply_status(apply, &status);
    monitor->events = status.events;
}

static void fill_copy(Monitor *monitor, gint64 now)
{
    ProgressView *view = &monitor->view;
    guint64 rows, bytes;
    double seconds = (double)(now - monitor->stage_start) / G_USEC_PER_SEC;

    copy_board_in_flight(monitor->run->board, &rows, &bytes);
    view->rows = monitor->rows_done + (gint64)rows;
    view->bytes = monitor->bytes_done + (gint64)bytes;
    if (seconds > 0)
        view->rows_per_second = MAX((double)(view->rows - monitor->rows_first), 0) / seconds;
}

static void fill_stream(Monitor *monitor, gint64 now)
{
    ProgressView *view = &monitor->view;
    Sample sample = run_sample(monitor->run);
    gint64 since = now - monitor->last_show;
    Position at = monitor->waiting ? monitor->captured.position : monitor->progress.position;
    gint64 time = monitor->waiting ? monitor->captured.commit_time : monitor->progress.commit_time;

    bool known = sample.source_time != 0;
    view->role = monitor->waiting ? "capture" : "apply";
    view->lag_bytes = known ? position_distance(at, sample.head) : -1;
    view->lag_seconds = -1;
    if (known && time != 0)
        view->lag_seconds = MAX((double)(sample.source_time - time), 0) / (double)G_USEC_PER_SEC;
    view->retained_bytes = sample.retained_bytes;
    /* A role that was made anew counts from zero. */
    guint64 fresh = monitor->events >= monitor->events_shown
                        ? monitor->events - monitor->events_shown
                        : monitor->events;
    if (since > 0)
        view->events_per_second = (double)fresh * G_USEC_PER_SEC / (double)since;
    monitor->events_shown = monitor->events;
}

static guint terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return (guint)size.ws_col - 1;
    return 79;
}

void monitor_show(Monitor *monitor, gint64 now, bool last)
{
    bool due = monitor->terminal || last || now - monitor->last_log >= LOG_INTERVAL;

    if (!due || monitor->view.kind == PROGRESS_NONE)
        return;
    if (monitor->view.kind == PROGRESS_COPY)
        fill_copy(monitor, now);
    if (monitor->view.kind == PROGRESS_STREAM)
        fill_stream(monitor, now);
    monitor->last_show = monitor->last_log = now;
    if (!monitor->terminal) {
        progress_log(&monitor->view);
        return;
    }
    g_autoptr(GString) line = g_string_new(NULL);
    progress_bar_format(&monitor->view, terminal_columns(), monitor->color, line);
    log_show(line->str);
}

void monitor_end(Monitor *monitor)
{
    if (monitor->terminal)
        log_keep();
}
