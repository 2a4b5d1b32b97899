/*
 * Progress bar: how far a run is, as one line with a bar for a terminal, or as fields of a log
 * entry. The supervisor fills a view once a second; nothing here asks anybody.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    PROGRESS_NONE,  /* nothing to show */
    PROGRESS_COPY,  /* rows and bytes of how many, speed, time left */
    PROGRESS_STEPS, /* steps of how many */
    PROGRESS_STREAM /* lag, speed */
} ProgressKind;

typedef struct ProgressView {
    ProgressKind kind;
    const char *phase; /* a name of drover.migration.phase */
    const char *role;  /* whose lag and speed it is; NULL: nobody's */
    bool paused;
    gint64 rows, rows_total; /* total: an estimate */
    gint64 bytes, bytes_total;
    double rows_per_second;
    gint64 steps, steps_total;
    gint64 lag_bytes;   /* -1: unknown */
    double lag_seconds; /* negative: unknown */
    double events_per_second;
    bool no_slot;          /* the source keeps nothing for the migration */
    gint64 retained_bytes; /* on the source, in its slot; -1: unknown */
} ProgressView;

/* Between 0 and 1. */
double progress_fraction(const ProgressView *view);
/* Seconds until the copy ends at its speed so far; negative: unknown. */
double progress_eta(const ProgressView *view);

/* One line of at most `columns` characters. */
void progress_bar_format(const ProgressView *view, guint columns, bool color, GString *line);

/* The same as a log entry. */
void progress_log(const ProgressView *view);
