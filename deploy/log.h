/*
 * Log: where g_log_structured's messages go. One line an entry on stderr, logfmt or JSON:
 *
 *     time=2025-01-31T12:00:00.123Z level=info msg="copying" tables=4
 *
 * Every field beside GLib's own becomes a key of the line, in lower case. On a terminal the log
 * also keeps one line in motion below the entries (log_show). Threads may log at any time; the
 * sink's state, guarded by a lock of its own, is the only mutable state that is not passed around.
 */
#pragma once

#include "proto/error.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

typedef enum { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON } LogFormat;

/* Reads "logfmt" or "json"; "error", "warning", "info" or "debug". USAGE for anything else; NULL is
 * the default (logfmt, info). */
bool log_parse_format(const char *text, LogFormat *format, GError **error);
bool log_parse_level(const char *text, GLogLevelFlags *level, GError **error);

/* From now on entries up to `level` go to `stream`. May be called again. */
void log_start(FILE *stream, LogFormat format, GLogLevelFlags level);

/* One entry as a line without its end; for the writer and for tests. `time` in microseconds since
 * 1970. */
void log_format_entry(LogFormat format, gint64 time, GLogLevelFlags level, const GLogField *fields,
                      gsize n_fields, GString *line);

/* An entry with fields: pairs of a key and a text, then NULL. */
void log_event(GLogLevelFlags level, const char *message, ...) G_GNUC_NULL_TERMINATED;

/* Whether what is written to the log must be JSON. */
bool log_is_json(void);

/* Shows `line` below the entries, in place of the last one shown; NULL takes it away. Only for
 * terminals. */
void log_show(const char *line);
/* Leaves the line where it is; the next one starts below. */
void log_keep(void);
