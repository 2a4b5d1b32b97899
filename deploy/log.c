/*
 * logfmt: key=value pairs apart by blanks; a value with a blank, a quote, '=' or a control
 * character is put in double quotes with JSON's escapes for those.
 */
#include "deploy/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    FILE *stream;
    LogFormat format;
    GLogLevelFlags level;
    char *shown; /* the line in motion */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct {
    const char *name;
    GLogLevelFlags level;
} levels[] = {
    {"error", G_LOG_LEVEL_CRITICAL},
    {"warning", G_LOG_LEVEL_WARNING},
    {"info", G_LOG_LEVEL_INFO},
    {"debug", G_LOG_LEVEL_DEBUG},
};

bool log_parse_format(const char *text, LogFormat *format, GError **error)
{
    *format = LOG_FORMAT_LOGFMT;
    if (text == NULL || strcmp(text, "logfmt") == 0)
        return true;
    if (strcmp(text, "json") == 0) {
        *format = LOG_FORMAT_JSON;
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "--log-format is logfmt or json, not '%s'",
                text);
    return false;
}

bool log_parse_level(const char *text, GLogLevelFlags *level, GError **error)
{
    *level = G_LOG_LEVEL_INFO;
    if (text == NULL)
        return true;
    for (gsize i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (strcmp(text, levels[i].name) == 0) {
            *level = levels[i].level;
            return true;
        }
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                "--log-level is error, warning, info or debug, not '%s'", text);
    return false;
}

static const char *level_name(GLogLevelFlags level)
{
    if (level & G_LOG_LEVEL_ERROR)
        return "error";
    if (level & G_LOG_LEVEL_MESSAGE)
        return "info";
    for (gsize i = 0; i < G_N_ELEMENTS(levels); i++)
        if (level & levels[i].level)
            return levels[i].name;
    return "info";
}

/* GLib's own fields say where in our sources an entry was made: of no use to an operator. */
static bool field_is_glib(const char *key)
{
    return strcmp(key, "PRIORITY") == 0 || strcmp(key, "MESSAGE") == 0 ||
           strcmp(key, "MESSAGE_ID") == 0 || g_str_has_prefix(key, "GLIB_") ||
           g_str_has_prefix(key, "CODE_");
}

static void append_quoted(GString *line, const char *text)
{
    g_string_append_c(line, '"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_printf(line, "\\%c", *c);
        else if (*c == '\n')
            g_string_append(line, "\\n");
        else if (*c == '\t')
            g_string_append(line, "\\t");
        else if ((guchar)*c < 0x20 || *c == 0x7f)
            g_string_append_printf(line, "\\u%04x", (guint)(guchar)*c);
        else
            g_string_append_c(line, *c);
    }
    g_string_append_c(line, '"');
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (const char *c = text; *c != '\0'; c++)
        if ((guchar)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f)
            return true;
    return false;
}

static void append_pair(LogFormat format, const char *key, const char *text, GString *line)
{
    if (format == LOG_FORMAT_JSON) {
        g_string_append(line, line->len == 0 ? "{" : ",");
        append_quoted(line, key);
        g_string_append_c(line, ':');
        append_quoted(line, text);
        return;
    }
    if (line->len > 0)
        g_string_append_c(line, ' ');
    g_string_append_printf(line, "%s=", key);
    if (needs_quotes(text))
        append_quoted(line, text);
    else
        g_string_append(line, text);
}

/* A driver's message may hold bytes of any encoding; a log line is UTF-8. */
static char *field_text(const GLogField *field)
{
    gsize length = field->length < 0 ? strlen(field->value) : (gsize)field->length;
    return g_utf8_make_valid(field->value, (gssize)length);
}

void log_format_entry(LogFormat format, gint64 time, GLogLevelFlags level, const GLogField *fields,
                      gsize n_fields, GString *line)
{
    g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(time / G_USEC_PER_SEC);
    g_autofree char *start = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");
    g_autofree char *stamp =
        g_strdup_printf("%s.%03dZ", start, (int)(time % G_USEC_PER_SEC / 1000));

    append_pair(format, "time", stamp, line);
    append_pair(format, "level", level_name(level), line);
    for (gsize i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, "MESSAGE") != 0)
            continue;
        g_autofree char *text = field_text(&fields[i]);
        append_pair(format, "msg", text, line);
    }
    for (gsize i = 0; i < n_fields; i++) {
        if (field_is_glib(fields[i].key))
            continue;
        g_autofree char *key = g_ascii_strdown(fields[i].key, -1);
        g_autofree char *text = field_text(&fields[i]);
        append_pair(format, key, text, line);
    }
    if (format == LOG_FORMAT_JSON)
        g_string_append_c(line, '}');
}

/* A smaller flag is a graver level. */
static bool level_wanted(GLogLevelFlags level, GLogLevelFlags limit)
{
    return (level & G_LOG_LEVEL_MASK) <= limit ||
           (level & G_LOG_LEVEL_MESSAGE && limit >= G_LOG_LEVEL_INFO);
}

static GLogWriterOutput log_writer(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                   gpointer user)
{
    (void)user;
    pthread_mutex_lock(&sink.lock);
    if (level_wanted(level, sink.level)) {
        g_autoptr(GString) line = g_string_new(NULL);
        log_format_entry(sink.format, g_get_real_time(), level, fields, n_fields, line);
        if (sink.shown != NULL)
            fputs("\r\033[K", sink.stream);
        fprintf(sink.stream, "%s\n", line->str);
        if (sink.shown != NULL)
            fputs(sink.shown, sink.stream);
        fflush(sink.stream);
    }
    pthread_mutex_unlock(&sink.lock);
    return G_LOG_WRITER_HANDLED;
}

void log_start(FILE *stream, LogFormat format, GLogLevelFlags level)
{
    pthread_mutex_lock(&sink.lock);
    bool first = sink.stream == NULL;
    sink.stream = stream;
    sink.format = format;
    sink.level = level;
    pthread_mutex_unlock(&sink.lock);
    if (first) /* GLib accepts a writer only once in a process */
        g_log_set_writer_func(log_writer, NULL, NULL);
}

void log_event(GLogLevelFlags level, const char *message, ...)
{
    g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(GLogField));
    const GLogField first[] = {{"GLIB_DOMAIN", G_LOG_DOMAIN, -1}, {"MESSAGE", message, -1}};
    va_list pairs;

    g_array_append_vals(fields, first, G_N_ELEMENTS(first));
    va_start(pairs, message);
    for (const char *key; (key = va_arg(pairs, const char *)) != NULL;) {
        const GLogField field = {key, va_arg(pairs, const char *), -1};
        g_array_append_val(fields, field);
    }
    va_end(pairs);
    g_log_structured_array(level, (const GLogField *)(void *)fields->data, fields->len);
}

bool log_is_json(void)
{
    pthread_mutex_lock(&sink.lock);
    bool json = sink.stream != NULL && sink.format == LOG_FORMAT_JSON;
    pthread_mutex_unlock(&sink.lock);
    return json;
}

void log_show(const char *line)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.stream != NULL) {
        if (sink.shown != NULL)
            fputs("\r\033[K", sink.stream);
        g_clear_pointer(&sink.shown, g_free);
        if (line != NULL)
            fputs(line, sink.stream);
        sink.shown = g_strdup(line);
        fflush(sink.stream);
    }
    pthread_mutex_unlock(&sink.lock);
}

void log_keep(void)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.shown != NULL) {
        fputc('\n', sink.stream);
        fflush(sink.stream);
    }
    g_clear_pointer(&sink.shown, g_free);
    pthread_mutex_unlock(&sink.lock);
}
