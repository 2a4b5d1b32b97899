/* Opens the log where the caller wants to go on, and waits for its events. */
#include "capture/mysql/stream.h"

#include "proto/error.h"
#include "proto/gtid.h"

#include <string.h>
#include <xxhash.h>

#define HEARTBEAT_MS 100
#define LEAST_WORK_MS 10 /* with what is there, however short the caller waits */
#define EVENTS_A_LOOK 64 /* at the clock */

void mysql_stream_free(MysqlStream *stream)
{
    if (!stream)
        return;
    binlog_stream_close(stream->log);
    binlog_decoder_free(stream->decoder);
    mysql_relations_free(stream->relations);
    mysql_decode_free(stream->decode);
    executed_free(stream->executed);
    executed_free(stream->due);
    executed_free(stream->again);
    prepared_free(stream->prepared);
    g_free(stream->since);
    mysql_group_clear(stream);
    g_free(stream);
}

/* ---- start ---- */

/* Positions are of an earlier server: the one at hand is asked whether it has that one's history.
 */
static bool check_history(Source *source, Position from, const char *resume, GError **error)
{
    return position_era(from) == source->endpoint->era ||
           mysql_source_check_history(source, resume, error);
}

/* Ids of replicas are small by custom: the upper half is left to those that are made up. */
static guint32 server_id_of(const Migration *migration)
{
    const char *uuid = migration->uuid ? migration->uuid : migration->slot;
    return (guint32)XXH3_64bits(uuid, strlen(uuid)) | 0x80000000u;
}

static bool names_ignore_case(Source *source, bool *ignore, GError **error)
{
    g_autofree char *setting = mysql_source_ask(source, "select @@lower_case_table_names", error);
    *ignore = g_strcmp0(setting, "0") != 0;
    return setting != NULL;
}

MysqlStream *mysql_stream_new(const Migration *migration, Position from, const char *resume,
                              const MysqlCatalog *catalog, GError **error)
{
    const char *since = strstr(resume, RESUME_SINCE);
    g_autofree char *executed =
        since ? g_strndup(resume, (gsize)(since - resume)) : g_strdup(resume);
    MysqlStream *stream = g_new0(MysqlStream, 1);
    mysql_group_init(stream);
    stream->catalog = *catalog;
    stream->from = stream->reported = stream->marked = stream->position = from;
    stream->since = since ? g_strdup(since + strlen(RESUME_SINCE)) : NULL;
    stream->relations = mysql_relations_new(migration, catalog->ignore_case);
    stream->decoder = binlog_decoder_new(BINLOG_EVENT_LIMIT);
    stream->decode = mysql_decode_new(catalog->mariadb);
    stream->prepared = prepared_new();
    stream->executed = executed_new(catalog->mariadb, executed, error);
    if (stream->since) {
        stream->due = executed_new(catalog->mariadb, executed, NULL);
        stream->again = executed_new(catalog->mariadb, stream->since, error);
    }
    if (stream->executed && (!stream->since || stream->again))
        return stream;
    mysql_stream_free(stream);
    return NULL;
}

static bool open_log(Source *source, const Migration *migration, GError **error)
{
    MysqlStream *stream = source->stream;
    BinlogStart start = {.gtids = stream->since ? stream->since : executed_text(stream->executed),
                         .server_id = server_id_of(migration),
                         .heartbeat_ms = HEARTBEAT_MS};
    stream->log = binlog_stream_open(source->endpoint, source->label, &start, error);
    return stream->log != NULL;
}

static bool start_stream(Source *source, const Migration *migration, Position from,
                         const char *resume, GError **error)
{
    MysqlCatalog catalog = {
        .mariadb = source->mariadb, .reaches = mysql_source_reaches, .user = source};
    if (!mysql_source_session(source, error) || !check_history(source, from, resume, error) ||
        !mysql_source_check_log(source, error) ||
        !names_ignore_case(source, &catalog.ignore_case, error))
        return false;
    source->stream = mysql_stream_new(migration, from, resume, &catalog, error);
    if (!source->stream)
        return false;
    source->stream->era = source->endpoint->era;
    return open_log(source, migration, error);
}

bool mysql_source_stream_start(Source *source, const Migration *migration, Position from,
                               const char *resume, bool take_over, GError **error)
{
    (void)take_over; /* servers hold nothing for a stream that is gone */
    g_clear_pointer(&source->stream, mysql_stream_free);
    if (!resume) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "source: a stream of MySQL goes on after GTIDs, and none are stored");
        return false;
    }
    if (start_stream(source, migration, from, resume, error))
        return true;
    g_clear_pointer(&source->stream, mysql_stream_free);
    return false;
}

bool mysql_source_stream_acknowledge(Source *source, Position durable, GError **error)
{
    (void)source, (void)durable, (void)error; /* servers purge by time alone */
    return true;
}

/* ---- next ---- */

/* Until there is something to tell, or the decoder wants bytes (STREAM_TIMEOUT, *wants). */
static StreamResult advance(MysqlStream *stream, bool *wants, StreamEvent *event, GError **error)
{
    *wants = false;
    StreamResult result = mysql_group_next(stream, event, error);
    if (result != STREAM_TIMEOUT)
        return result;
    switch (binlog_decoder_next(stream->decoder, &stream->event, error)) {
    case BINLOG_NEXT_EVENT:
        return mysql_group_take(stream, event, error);
    case BINLOG_NEXT_NEED:
        *wants = true;
        return STREAM_TIMEOUT;
    case BINLOG_NEXT_FAILED:
        break;
    }
    return STREAM_FAILED;
}

/* BINLOG_READ_TIMEOUT where nothing came. */
static BinlogRead read_more(MysqlStream *stream, int timeout_ms, GError **error)
{
    const guint8 *data;
    gsize size;
    BinlogRead result = binlog_stream_read(stream->log, timeout_ms, &data, &size, error);
    if (result == BINLOG_READ_EVENT)
        binlog_decoder_put(stream->decoder, data, size);
    if (result != BINLOG_READ_END)
        return result;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "source: the server ended the stream (it is shutting down?)");
    return BINLOG_READ_FAILED;
}

/* Events that are of no table of the migration take time too: of a large transaction or a backlog
 * more than the caller has. */
static StreamResult next(MysqlStream *stream, int timeout_ms, StreamEvent *event, GError **error)
{
    gint64 start = g_get_monotonic_time(), now = start;
    gint64 deadline = start + (gint64)timeout_ms * 1000;
    gint64 most = start + MAX((gint64)timeout_ms, LEAST_WORK_MS) * 1000;
    for (guint events = 1;; events++) {
        bool wants;
        *event = (StreamEvent){0};
        StreamResult result = advance(stream, &wants, event, error);
        if (result != STREAM_TIMEOUT)
            return result;
        if (events % EVENTS_A_LOOK == 0 || wants)
            now = g_get_monotonic_time();
        if (now > most)
            return STREAM_TIMEOUT;
        if (!wants)
            continue;
        switch (read_more(stream, (int)((MAX(deadline - now, 0) + 999) / 1000), error)) {
        case BINLOG_READ_EVENT:
            break;
        case BINLOG_READ_TIMEOUT:
            return STREAM_TIMEOUT;
        case BINLOG_READ_END:
        case BINLOG_READ_FAILED:
            return STREAM_FAILED;
        }
    }
}

StreamResult mysql_source_stream_next(Source *source, int timeout_ms, StreamEvent *event,
                                      GError **error)
{
    MysqlStream *stream = source->stream;
    if (!stream || stream->failed) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "source: the stream is closed; it must be started again");
        return STREAM_FAILED;
    }
    StreamResult result = next(stream, timeout_ms, event, error);
    stream->failed = result == STREAM_FAILED;
    return result;
}
