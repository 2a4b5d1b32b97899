#include "deploy/progress_bar.h"

#include "deploy/log.h"
#include "deploy/text.h"

enum { BAR_WIDTH = 24 };

double progress_fraction(const ProgressView *view)
{
    gint64 done = view->kind == PROGRESS_STEPS ? view->steps : view->rows;
    gint64 total = view->kind == PROGRESS_STEPS ? view->steps_total : view->rows_total;

    if (total <= 0)
        return 0;
    return CLAMP((double)done / (double)total, 0, 1);
}

double progress_eta(const ProgressView *view)
{
    if (view->kind != PROGRESS_COPY || view->rows_per_second <= 0)
        return -1;
    return (double)MAX(view->rows_total - view->rows, 0) / view->rows_per_second;
}

static void append_bar(const ProgressView *view, bool color, GString *line)
{
    static const char full[] = "########################", empty[] = "------------------------";
    G_STATIC_ASSERT(sizeof full == BAR_WIDTH + 1 && sizeof empty == BAR_WIDTH + 1);
    int filled = (int)(progress_fraction(view) * BAR_WIDTH);

    g_string_append_printf(
        line, color ? " \033[32m%.*s\033[2m%.*s\033[0m %3.0f%%" : " [%.*s%.*s] %3.0f%%", filled,
        full, BAR_WIDTH - filled, empty, progress_fraction(view) * 100);
}

static void append_copy(const ProgressView *view, GString *line)
{
    g_autofree char *rows = text_count(view->rows);
    g_autofree char *total = text_count(view->rows_total);
    g_autofree char *bytes = text_bytes(view->bytes);
    g_autofree char *speed = text_count((gint64)view->rows_per_second);
    g_autofree char *eta = text_duration(progress_eta(view));
    g_string_append_printf(line, "  %s of %s rows  %s  %s rows/s  ETA %s", rows, total, bytes,
                           speed, eta);
}

static void append_stream(const ProgressView *view, GString *line)
{
    g_autofree char *bytes = text_bytes(view->lag_bytes);
    g_autofree char *seconds = text_duration(view->lag_seconds);
    g_autofree char *speed = text_count((gint64)view->events_per_second);
    g_autofree char *retained = text_bytes(view->retained_bytes);
    g_string_append_printf(line, "  %s%slag %s, %s  %s events/s",
                           view->role != NULL ? view->role : "", view->role != NULL ? " " : "",
                           bytes, seconds, speed);
    if (!view->no_slot)
        g_string_append_printf(line, "  source keeps %s", retained);
}

/* Cuts after so many characters that are seen; escape sequences count as none. */
static void cut_line(GString *line, guint columns, bool color)
{
    guint seen = 0;
    const char *c = line->str;

    while (*c != '\0') {
        if (*c == '\033') {
            while (*c != '\0' && *c != 'm')
                c++;
            c += *c == 'm';
            continue;
        }
        if (seen++ == columns) {
            g_string_truncate(line, (gsize)(c - line->str));
            g_string_append(line, color ? "\033[0m" : "");
            return;
        }
        c = g_utf8_next_char(c);
    }
}

void progress_bar_format(const ProgressView *view, guint columns, bool color, GString *line)
{
    g_string_append_printf(line, color ? "\033[1m%-11s\033[0m" : "%-11s", view->phase);
    if (view->kind != PROGRESS_STREAM)
        append_bar(view, color, line);
    if (view->kind == PROGRESS_COPY)
        append_copy(view, line);
    else if (view->kind == PROGRESS_STREAM)
        append_stream(view, line);
    else
        g_string_append_printf(line, "  %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " steps",
                               view->steps, view->steps_total);
    if (view->paused)
        g_string_append(line, color ? "  \033[33mpaused\033[0m" : "  paused");
    cut_line(line, columns, color);
}

static char *number_text(gint64 number)
{
    return number < 0 ? g_strdup("unknown") : g_strdup_printf("%" G_GINT64_FORMAT, number);
}

static void log_copy(const ProgressView *view, const char *paused)
{
    g_autofree char *rows = number_text(view->rows);
    g_autofree char *total = number_text(view->rows_total);
    g_autofree char *bytes = number_text(view->bytes);
    g_autofree char *speed = number_text((gint64)view->rows_per_second);
    g_autofree char *eta = number_text((gint64)progress_eta(view));
    log_event(G_LOG_LEVEL_INFO, "progress", "phase", view->phase, "rows", rows, "rows_total", total,
              "bytes", bytes, "rows_per_second", speed, "eta_seconds", eta, "paused", paused, NULL);
}

static void log_stream(const ProgressView *view, const char *paused)
{
    g_autofree char *bytes = number_text(view->lag_bytes);
    g_autofree char *seconds =
        view->lag_seconds < 0 ? g_strdup("unknown") : g_strdup_printf("%.1f", view->lag_seconds);
    g_autofree char *speed = number_text((gint64)view->events_per_second);
    g_autofree char *retained = number_text(view->retained_bytes);
    log_event(G_LOG_LEVEL_INFO, "progress", "phase", view->phase, "role",
              view->role != NULL ? view->role : "none", "lag_bytes", bytes, "lag_seconds", seconds,
              "events_per_second", speed, "retained_bytes", retained, "paused", paused, NULL);
}

static void log_steps(const ProgressView *view, const char *paused)
{
    g_autofree char *steps = number_text(view->steps);
    g_autofree char *total = number_text(view->steps_total);
    log_event(G_LOG_LEVEL_INFO, "progress", "phase", view->phase, "steps", steps, "steps_total",
              total, "paused", paused, NULL);
}

void progress_log(const ProgressView *view)
{
    const char *paused = view->paused ? "true" : "false";

    if (view->kind == PROGRESS_COPY)
        log_copy(view, paused);
    else if (view->kind == PROGRESS_STREAM)
        log_stream(view, paused);
    else
        log_steps(view, paused);
}
