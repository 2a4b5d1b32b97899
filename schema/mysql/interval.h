/*
 * Interval: PostgreSQL's interval as its ISO 8601 text ("P1Y2M3DT4H5M6.7S", intervalstyle
 * iso_8601), which is how it is kept in MySQL.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Interval {
    gint64 microseconds;
    gint32 days;
    gint32 months;
} Interval;

/* The binary send form. */
bool interval_read(const guint8 *data, gsize size, Interval *interval);
void interval_append(const Interval *interval, GByteArray *out);

bool interval_is_infinite(const Interval *interval);

void interval_append_text(const Interval *interval, GString *out);
/* False where it is no such text or too large. */
bool interval_of_text(const char *text, gsize size, Interval *interval);
