/*
 * One step: emit a heartbeat when it is due, take what the stream has ready into the outbox, append
 * and flush it, then acknowledge what is durable. Only positions that a record on the bus carries
 * are acknowledged: a capture that starts again goes on from there, and must find the slot no
 * further than that.
 *
 * While the bus is full the stream is left alone: the source keeps its log, and apply, as it goes
 * on, makes room. Whoever stands still must trim, so nothing of that fails.
 */
#include "capture/capture.h"

#include "capture/outbox.h"
#include "capture/resume.h"
#include "proto/error.h"

#include <pthread.h>
#include <stdatomic.h>

#define IDLE_WAIT_MS 100
#define LINGER (3 * 1000) /* after the first event of a step: a flush costs as much */
#define LINGER_WAIT_MS 1
#define LINGER_MOST (100 * 1000)     /* and what has come is written, whatever else comes */
#define UNFLUSHED_RECORDS 4          /* appended at most before a flush */
#define MARK_INTERVAL G_USEC_PER_SEC /* between heartbeat records that nobody asked for */
#define ASKED_INTERVAL 20000         /* between those that somebody waits for, microseconds */
#define MARK_DISTANCE (1024 * 1024)  /* bytes of log after which one is due all the same */
#define ACKNOWLEDGE_INTERVAL (100 * 1000)
#define ACKNOWLEDGE_ANYWAY (10 * G_USEC_PER_SEC)
#define TRIM_INTERVAL (100 * 1000)

struct Capture {
    CaptureSettings settings;
    Bus *bus;
    Source *source;    /* the stream */
    Source *heartbeat; /* emits the markers; opened at the first one */
    Outbox *outbox;
    bool failed;

    Position seen;        /* read up to here with nothing in flight */
    GString *seen_resume; /* its resume text; empty where there is none */
    gint64 last_mark;
    gint64 next_heartbeat;
    Position marker; /* of the heartbeat that has not come back; zero: none is on its way */
    gint64 marker_time;
    guint64 oldest_xid;
    bool marker_came;
    bool marker_asked; /* a verify or a refetch waits for a position to come through */

    Position acknowledged; /* zero until the first: a capture before may not have come to it */
    gint64 last_acknowledge;
    bool reply_wanted;

    _Atomic guint64 trim_below; /* capture_allow_trim */
    guint64 trimmed_below;
    guint64 bus_bytes; /* after the last trim */
    bool bus_full;
    gint64 last_trim;

    gint64 commit_time; /* step's own; published with the flush */
    guint64 events;
    pthread_mutex_t lock; /* guards status */
    CaptureStatus status;
};

static void note_full(Capture *capture, const BusInfo *info)
{
    if (info->full && !capture->bus_full)
        g_warning("capture: the bus is full (%" G_GUINT64_FORMAT " bytes); the source keeps its "
                  "log until apply has gone on, or raise bus.local.max_size",
                  info->bytes);
    if (!info->full && capture->bus_full)
        g_message("capture: the bus has room again");
    capture->bus_full = info->full;
}

/* ---- life ---- */

static void publish(Capture *capture)
{
    pthread_mutex_lock(&capture->lock);
    capture->status.position = outbox_durable(capture->outbox);
    capture->status.commit_time = capture->commit_time;
    capture->status.events = capture->events;
    capture->status.bus_sequence = outbox_last_sequence(capture->outbox);
    pthread_mutex_unlock(&capture->lock);
}

static bool open_bus(Capture *capture, BusInfo *info, GError **error)
{
    const CaptureSettings *settings = &capture->settings;
    capture->bus = settings->bus->open(&settings->migration->bus, BUS_WRITE, error);
    return capture->bus &&
           settings->bus->claim(capture->bus, settings->epoch, settings->take_over, error) &&
           settings->bus->info(capture->bus, info, error);
}

static bool start(Capture *capture, GError **error)
{
    const CaptureSettings *settings = &capture->settings;
    BusInfo info;
    g_auto(Resume) resume = {0};
    g_autofree char *label = g_strdup_printf("drover %s capture", settings->migration->name);
    capture->source = settings->source->connect(settings->migration->source, label, error);
    if (!capture->source || !open_bus(capture, &info, error) ||
        !resume_find(settings->bus, capture->bus, &info, settings->migration, &resume, error))
        return false;
    capture->outbox = outbox_new(settings->migration, settings->bus, capture->bus, &info,
                                 settings->epoch, settings->record_target, &resume);
    Record claim = {.kind = RECORD_CLAIM, .position = resume.position, .resume = resume.resume};
    if (!outbox_mark(capture->outbox, &claim, error) || !outbox_flush(capture->outbox, error))
        return false;
    note_full(capture, &info);
    capture->seen = resume.position;
    g_string_assign(capture->seen_resume, resume.resume ? resume.resume : "");
    publish(capture);
    char position[POSITION_TEXT_SIZE];
    g_info("capture: epoch %" G_GUINT64_FORMAT ", from %s", settings->epoch,
           position_format(resume.position, position));
    return settings->source->stream_start(capture->source, settings->migration, resume.position,
                                          resume.resume, settings->take_over, error);
}

Capture *capture_new(const CaptureSettings *settings, GError **error)
{
    Capture *capture = g_new0(Capture, 1);
    capture->settings = *settings;
    capture->seen_resume = g_string_new(NULL);
    pthread_mutex_init(&capture->lock, NULL);
    gint64 now = settings->runtime->now(settings->runtime);
    capture->last_acknowledge = capture->last_mark = now;
    capture->last_trim = now - TRIM_INTERVAL;
    capture->next_heartbeat = now;
    if (start(capture, error))
        return capture;
    capture_free(capture);
    return NULL;
}

void capture_free(Capture *capture)
{
    if (!capture)
        return;
    if (capture->source)
        capture->settings.source->close(capture->source);
    if (capture->heartbeat)
        capture->settings.source->close(capture->heartbeat);
    outbox_free(capture->outbox);
    g_string_free(capture->seen_resume, true);
    if (capture->bus)
        capture->settings.bus->close(capture->bus);
    pthread_mutex_destroy(&capture->lock);
    g_free(capture);
}

static gint64 now(Capture *capture)
{
    return capture->settings.runtime->now(capture->settings.runtime);
}

/* ---- heartbeat ---- */

/* A marker that is still on its way is not overtaken by another: on a busy source the stream may be
 * far behind, and the newer one's time would hide that. */
static bool emit_heartbeat(Capture *capture, GError **error)
{
    const CaptureSettings *settings = &capture->settings;
    if (settings->heartbeat_interval <= 0 || now(capture) < capture->next_heartbeat)
        return true;
    capture->next_heartbeat = now(capture) + settings->heartbeat_interval;
    if (!capture->heartbeat) {
        g_autofree char *label = g_strdup_printf("drover %s heartbeat", settings->migration->name);
        capture->heartbeat = settings->source->connect(settings->migration->source, label, error);
        if (!capture->heartbeat)
            return false;
    }
    SourceStatus status;
    bool waiting = !position_is_zero(capture->marker);
    if (!settings->source->status(capture->heartbeat, settings->migration, !waiting, &status,
                                  error))
        return false;
    g_free(status.identity);
    capture->oldest_xid = status.oldest_xid;
    if (!waiting) {
        capture->marker = status.head;
        capture->marker_time = status.time;
    }
    return true;
}

/* ---- stream to outbox ---- */

/* Everything up to position was received, and nothing is in flight. */
static void note_position(Capture *capture, Position position, const char *resume)
{
    if (position_compare(position, capture->seen) > 0) {
        capture->seen = position;
        g_string_assign(capture->seen_resume, resume ? resume : "");
    }
    if (position_is_zero(capture->marker) || position_compare(position, capture->marker) < 0)
        return;
    capture->commit_time = MAX(capture->commit_time, capture->marker_time);
    capture->marker = (Position){0};
    capture->marker_came = true;
}

static void take_change(Capture *capture, const StreamEvent *event)
{
    if (event->change.operation != OPERATION_TRUNCATE) {
        outbox_change(capture->outbox, &event->change);
        capture->events++;
        return;
    }
    for (guint i = 0; i < event->n_truncated; i++) {
        const Table *table = migration_table(capture->settings.migration, event->truncated[i]);
        Change change = {
            .operation = OPERATION_TRUNCATE, .table = table->id, .schema_version = table->version};
        outbox_change(capture->outbox, &change);
        capture->events++;
    }
}

static void take_event(Capture *capture, StreamResult result, const StreamEvent *event)
{
    switch (result) {
    case STREAM_BEGIN:
        outbox_begin(capture->outbox, &event->transaction);
        break;
    case STREAM_CHANGE:
        take_change(capture, event);
        break;
    case STREAM_COMMIT:
        outbox_commit(capture->outbox, &event->transaction);
        capture->commit_time = MAX(capture->commit_time, event->transaction.commit_time);
        note_position(capture, event->transaction.position, event->transaction.resume);
        break;
    case STREAM_POSITION:
        note_position(capture, event->position, event->resume);
        capture->reply_wanted |= event->reply_wanted;
        capture->marker_asked |= event->marker;
        break;
    case STREAM_TIMEOUT:
    case STREAM_FAILED:
        break;
    }
}

/* Takes what is ready, up to a few records or a marker. *dry: the stream had nothing more, or does
 * not pause. */
static bool drain(Capture *capture, bool *worked, bool *dry, GError **error)
{
    int timeout = IDLE_WAIT_MS;
    gint64 first = 0;
    *dry = false;
    while (outbox_unflushed(capture->outbox) < UNFLUSHED_RECORDS && !capture->marker_came) {
        StreamEvent event = {0};
        StreamResult result =
            capture->settings.source->stream_next(capture->source, timeout, &event, error);
        if (result == STREAM_FAILED)
            return false;
        if (result == STREAM_TIMEOUT) {
            *dry = true;
            return true;
        }
        if (!*worked)
            first = now(capture);
        *worked = true;
        gint64 lingered = now(capture) - first;
        timeout = lingered < LINGER ? LINGER_WAIT_MS : 0;
        take_event(capture, result, &event);
        if (outbox_is_full(capture->outbox) && !outbox_write(capture->outbox, error))
            return false;
        *dry = lingered >= LINGER_MOST;
        if (*dry)
            return true;
    }
    return true;
}

/* ---- outbox to bus ---- */

static bool mark_is_due(Capture *capture)
{
    Position recorded = outbox_position(capture->outbox);
    if (capture->marker_came)
        return true;
    if (position_compare(capture->seen, recorded) <= 0)
        return false;
    gint64 interval = capture->marker_asked ? ASKED_INTERVAL : MARK_INTERVAL;
    return position_distance(recorded, capture->seen) > MARK_DISTANCE ||
           now(capture) - capture->last_mark >= interval;
}

static bool write_mark(Capture *capture, GError **error)
{
    Record mark = {.kind = RECORD_HEARTBEAT,
                   .position = capture->seen,
                   .resume = capture->seen_resume->len > 0 ? capture->seen_resume->str : NULL,
                   .source_time = capture->commit_time,
                   .oldest_xid = capture->oldest_xid};
    capture->marker_came = capture->marker_asked = false;
    capture->last_mark = now(capture);
    return outbox_mark(capture->outbox, &mark, error);
}

/* A fragment of an open transaction stays in memory while nothing else is to be written. */
static bool write_out(Capture *capture, bool dry, GError **error)
{
    Outbox *outbox = capture->outbox;
    bool quiet = !outbox_in_transaction(outbox);
    if (((dry && outbox_has_commit(outbox)) || capture->marker_came) &&
        !outbox_write(outbox, error))
        return false;
    if (quiet && !outbox_has_commit(outbox) && mark_is_due(capture) && !write_mark(capture, error))
        return false;
    if (outbox_unflushed(outbox) == 0)
        return true;
    BusInfo info;
    if (!outbox_flush(outbox, error) || !capture->settings.bus->info(capture->bus, &info, error))
        return false;
    note_full(capture, &info);
    publish(capture);
    return true;
}

static bool acknowledge(Capture *capture, GError **error)
{
    Position durable = outbox_durable(capture->outbox);
    gint64 since = now(capture) - capture->last_acknowledge;
    bool news = position_compare(durable, capture->acknowledged) > 0;
    if (!(news && since >= ACKNOWLEDGE_INTERVAL) && !capture->reply_wanted &&
        since < ACKNOWLEDGE_ANYWAY)
        return true;
    if (!capture->settings.source->stream_acknowledge(capture->source, durable, error))
        return false;
    capture->acknowledged = durable;
    capture->last_acknowledge = now(capture);
    capture->reply_wanted = false;
    return true;
}

/* ---- trim ---- */

/* One bounded piece. The last record with a position stays: it is where a new capture goes on. The
 * driver gives free space back over several calls, so it is called until the bus stops shrinking.
 */
static bool trim(Capture *capture, GError **error)
{
    const BusOps *ops = capture->settings.bus;
    guint64 below =
        MIN(atomic_load(&capture->trim_below), outbox_position_sequence(capture->outbox));
    if (below <= capture->trimmed_below || now(capture) - capture->last_trim < TRIM_INTERVAL)
        return true;
    BusInfo info;
    capture->last_trim = now(capture);
    if (!ops->trim(capture->bus, below, error) || !ops->info(capture->bus, &info, error))
        return false;
    if (info.first_sequence >= below && info.bytes >= capture->bus_bytes)
        capture->trimmed_below = below;
    capture->bus_bytes = info.bytes;
    note_full(capture, &info);
    return true;
}

/* ---- step ---- */

static bool step(Capture *capture, bool *worked, GError **error)
{
    bool dry;
    Runtime *runtime = capture->settings.runtime;
    if (capture->bus_full) {
        runtime->wait(runtime, TRIM_INTERVAL);
        return acknowledge(capture, error) && trim(capture, error);
    }
    return trim(capture, error) && emit_heartbeat(capture, error) &&
           drain(capture, worked, &dry, error) && write_out(capture, dry, error) &&
           acknowledge(capture, error);
}

StepResult capture_step(Capture *capture, GError **error)
{
    bool worked = false;
    if (capture->failed) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "capture: it failed before and must be started again");
        return STEP_FAILED;
    }
    if (step(capture, &worked, error))
        return worked ? STEP_WORKED : STEP_IDLE;
    capture->failed = true;
    return STEP_FAILED;
}

void capture_allow_trim(Capture *capture, guint64 below_sequence)
{
    atomic_store(&capture->trim_below, below_sequence);
}

void capture_status(Capture *capture, CaptureStatus *status)
{
    pthread_mutex_lock(&capture->lock);
    *status = capture->status;
    pthread_mutex_unlock(&capture->lock);
}
