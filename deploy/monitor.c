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

    /* The copy before this control session, and its counters then. */
    gint64 rows_before, bytes_before;
    guint64 board_rows, board_bytes;

    guint64 events; /* apply's, at the last look */
    gint64 last_show, last_log, stage_start;
    guint64 stage_rows; /* the board's at the start of the stage */
    guint64 events_shown;
};

Monitor *monitor_new(Run *run, bool terminal, bool color)
{
    Monitor *monitor = g_new0(Monitor, 1);
    monitor->run = run;
    monitor->terminal = terminal;
    monitor->color = color;
    return monitor;
}

void monitor_free(Monitor *monitor)
{
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
static const char DONE_SQL[] =
    "select sum(rows), sum(bytes) from drover.chunk where migration = $1 and state = 'done'";
static const char STEPS_SQL[] =
    "select count(case when done then 1 end), count(*) from drover.ddl where migration = $1 and "
    "kind in ('index', 'constraint', 'foreign_key', 'sequence_owner', 'analyze')";

bool monitor_start(Monitor *monitor, GError **error)
{
    Control *control = &monitor->run->context->control;
    gint64 totals[2], done[2];

    if (!ask_integers(control, TOTAL_SQL, 2, totals, error) ||
        !ask_integers(control, DONE_SQL, 2, done, error))
        return false;
    monitor->view.rows_total = totals[0];
    monitor->view.bytes_total = totals[1];
    monitor->rows_before = done[0];
    monitor->bytes_before = done[1];
    copy_board_counts(monitor->run->board, &monitor->board_rows, &monitor->board_bytes);
    return true;
}

void monitor_begin(Monitor *monitor, const Stage *stage, gint64 now)
{
    guint64 bytes;

    monitor_end(monitor);
    log_event(G_LOG_LEVEL_MESSAGE, stage->title, "phase", stage->phase, NULL);
    monitor->view.kind = stage->progress;
    monitor->view.phase = stage->phase;
    monitor->view.rows_per_second = monitor->view.events_per_second = 0;
    monitor->events = monitor->events_shown = 0;
    monitor->last_show = monitor->last_log = monitor->stage_start = now;
    copy_board_counts(monitor->run->board, &monitor->stage_rows, &bytes);
}

bool monitor_read(Monitor *monitor, GError **error)
{
    Control *control = &monitor->run->context->control;
    g_autofree char *paused = NULL;
    gint64 steps[2];

    if (!control_get(control, "paused", &paused, error) ||
        !control_progress_get(control, "apply", &monitor->progress, error))
        return false;
    monitor->view.paused = g_strcmp0(paused, "t") == 0;
    pthread_mutex_lock(&monitor->run->lock);
    monitor->run->trim_below = monitor->progress.bus_sequence;
    pthread_mutex_unlock(&monitor->run->lock);
    if (monitor->view.kind != PROGRESS_STEPS)
        return true;
    if (!ask_integers(control, STEPS_SQL, 2, steps, error))
        return false;
    monitor->view.steps = steps[0];
    monitor->view.steps_total = steps[1];
    return true;
}

/* What is committed decides: a restarted apply begins there. */
void monitor_look_capture(Monitor *monitor, void *capture)
{
    capture_allow_trim(capture, monitor->progress.bus_sequence);
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

    copy_board_counts(monitor->run->board, &rows, &bytes);
    view->rows = monitor->rows_before + (gint64)(rows - monitor->board_rows);
    view->bytes = monitor->bytes_before + (gint64)(bytes - monitor->board_bytes);
    if (seconds > 0)
        view->rows_per_second = MAX((double)rows - (double)monitor->stage_rows, 0) / seconds;
}

static void fill_stream(Monitor *monitor, gint64 now)
{
    ProgressView *view = &monitor->view;
    Sample sample = run_sample(monitor->run);
    gint64 since = now - monitor->last_show;

    bool known = sample.source_time != 0;
    Position applied = monitor->progress.position;
    view->lag_bytes = !known ? -1
                      : position_compare(sample.head, applied) > 0
                          ? (gint64)(sample.head.major - applied.major)
                          : 0;
    view->lag_seconds = -1;
    if (known && monitor->progress.commit_time != 0)
        view->lag_seconds = MAX((double)(sample.source_time - monitor->progress.commit_time), 0) /
                            (double)G_USEC_PER_SEC;
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
