/*
 * Oracle's libmysqlclient: mysql_binlog_open, mysql_binlog_fetch and mysql_binlog_close, which give
 * raw events with a zero byte before them.
 *
 * A fetch waits for the next event however long that takes, and what the library has buffered
 * cannot be seen from outside. So a thread fetches, and a read takes from what it has fetched:
 *
 *   server -> thread: `fetched` -> (swap under the lock) -> reader: `taken` -> events, one by one
 *
 * Both hold events behind each other, each after its size (a gsize). Between binlog_dump_start and
 * binlog_dump_free the connection is the thread's alone.
 */
#include "capture/mysql/binlog_dump.h"

#include <errmsg.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FETCH_AHEAD (1u << 20) /* bytes of events that are fetched before they are wanted */
#define KEPT_SIZE (4u << 20)   /* a larger buffer is given back when its events are read */

struct BinlogDump {
    MYSQL *mysql;
    MYSQL_RPL log;
    char *file;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* guards the following, and outcome's number and message */
    pthread_cond_t changed;
    GByteArray *fetched;
    bool stopping;
    BinlogRead outcome; /* BINLOG_READ_EVENT while the thread goes on */
    unsigned int number;
    char *message;

    GByteArray *taken; /* the reader's */
    gsize offset;      /* of the next event in it */
};

/* ---- the thread ---- */

/* False where the reader wants no more. */
static bool hand_over(BinlogDump *dump, const guint8 *event, gsize size)
{
    pthread_mutex_lock(&dump->lock);
    while (dump->fetched->len >= FETCH_AHEAD && !dump->stopping)
        pthread_cond_wait(&dump->changed, &dump->lock);
    bool wanted = !dump->stopping;
    if (wanted) {
        g_byte_array_append(dump->fetched, (const guint8 *)&size, sizeof size);
        g_byte_array_append(dump->fetched, event, (guint)size);
        pthread_cond_signal(&dump->changed);
    }
    pthread_mutex_unlock(&dump->lock);
    return wanted;
}

static void finish(BinlogDump *dump, BinlogRead outcome)
{
    pthread_mutex_lock(&dump->lock);
    dump->outcome = outcome;
    dump->number = mysql_errno(dump->mysql);
    dump->message = g_strdup(mysql_error(dump->mysql));
    pthread_cond_signal(&dump->changed);
    pthread_mutex_unlock(&dump->lock);
}

static void *fetch_events(void *user)
{
    BinlogDump *dump = user;
    bool wanted = true;
    while (wanted) {
        if (mysql_binlog_fetch(dump->mysql, &dump->log) != 0) {
            finish(dump, BINLOG_READ_FAILED);
            break;
        }
        if (dump->log.size == 0) {
            finish(dump, BINLOG_READ_END);
            break;
        }
        wanted = hand_over(dump, dump->log.buffer + 1, dump->log.size - 1);
    }
    mysql_thread_end();
    return NULL;
}

/* ---- start and end ---- */

/* The library asks for the encoded set while it builds its command. */
static void copy_set(MYSQL_RPL *log, unsigned char *packet)
{
    const GByteArray *set = log->gtid_set_arg;
    memcpy(packet, set->data, set->len);
}

static bool send_command(BinlogDump *dump, const BinlogDumpStart *start)
{
    dump->log = (MYSQL_RPL){.file_name = dump->file,
                            .file_name_length = strlen(dump->file),
                            .start_position = start->position,
                            .server_id = start->server_id,
                            .flags = start->flags};
    if (start->gtid_set) {
        dump->log.flags |= MYSQL_RPL_GTID;
        dump->log.gtid_set_encoded_size = start->gtid_set->len;
        dump->log.fix_gtid_set = copy_set;
        dump->log.gtid_set_arg = start->gtid_set;
    }
    bool sent = mysql_binlog_open(dump->mysql, &dump->log) == 0;
    dump->log.gtid_set_arg = NULL;
    return sent;
}

/* Waits are measured by the monotonic clock. */
static void init_lock(BinlogDump *dump)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&dump->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&dump->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* What is there without a thread. */
static void dump_clear(BinlogDump *dump)
{
    mysql_binlog_close(dump->mysql, &dump->log);
    pthread_cond_destroy(&dump->changed);
    pthread_mutex_destroy(&dump->lock);
    g_byte_array_unref(dump->fetched);
    g_byte_array_unref(dump->taken);
    g_free(dump->message);
    g_free(dump->file);
    g_free(dump);
}

/* Signals are the main thread's. Without a thread the first read fails. */
static void start_thread(BinlogDump *dump)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&dump->thread, NULL, fetch_events, dump);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    dump->running = failure == 0;
    if (dump->running)
        return;
    dump->outcome = BINLOG_READ_FAILED;
    dump->number = CR_UNKNOWN_ERROR;
    dump->message = g_strdup_printf("no thread can be started: %s", g_strerror(failure));
}

bool binlog_dump_start(MYSQL *mysql, const BinlogDumpStart *start, BinlogDump **dump)
{
    BinlogDump *made = g_new0(BinlogDump, 1);
    made->mysql = mysql;
    made->file = g_strdup(start->file);
    made->fetched = g_byte_array_new();
    made->taken = g_byte_array_new();
    made->outcome = BINLOG_READ_EVENT;
    init_lock(made);
    if (!send_command(made, start)) {
        dump_clear(made);
        return false;
    }
    start_thread(made);
    *dump = made;
    return true;
}

void binlog_dump_free(BinlogDump *dump)
{
    if (!dump)
        return;
    pthread_mutex_lock(&dump->lock);
    dump->stopping = true;
    pthread_cond_signal(&dump->changed);
    pthread_mutex_unlock(&dump->lock);
    shutdown((int)dump->mysql->net.fd, SHUT_RDWR); /* ends the fetch under way */
    if (dump->running)
        pthread_join(dump->thread, NULL);
    dump_clear(dump);
}

/* ---- the reader ---- */

static bool has_news(const BinlogDump *dump)
{
    return dump->fetched->len > 0 || dump->outcome != BINLOG_READ_EVENT;
}

/* Under the lock. */
static void wait_for_news(BinlogDump *dump, int timeout_ms)
{
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    struct timespec until = {.tv_sec = (time_t)(end / G_USEC_PER_SEC),
                             .tv_nsec = (long)(end % G_USEC_PER_SEC) * 1000};
    int status = 0;
    while (!has_news(dump) && status == 0)
        status = timeout_ms < 0 ? pthread_cond_wait(&dump->changed, &dump->lock)
                                : pthread_cond_timedwait(&dump->changed, &dump->lock, &until);
}

static void empty_taken(BinlogDump *dump)
{
    dump->offset = 0;
    if (dump->taken->len <= KEPT_SIZE) {
        g_byte_array_set_size(dump->taken, 0);
        return;
    }
    g_byte_array_unref(dump->taken);
    dump->taken = g_byte_array_new();
}

/* EVENT where something was taken. Number and message change only once, before they are read. */
static BinlogRead take_fetched(BinlogDump *dump, int timeout_ms)
{
    empty_taken(dump);
    pthread_mutex_lock(&dump->lock);
    wait_for_news(dump, timeout_ms);
    BinlogRead result = has_news(dump) ? dump->outcome : BINLOG_READ_TIMEOUT;
    if (dump->fetched->len > 0) {
        GByteArray *empty = dump->taken;
        dump->taken = dump->fetched;
        dump->fetched = empty;
        result = BINLOG_READ_EVENT;
        pthread_cond_signal(&dump->changed);
    }
    pthread_mutex_unlock(&dump->lock);
    return result;
}

BinlogRead binlog_dump_read(BinlogDump *dump, int timeout_ms, const guint8 **data, gsize *size,
                            unsigned int *number, const char **message)
{
    if (dump->offset == dump->taken->len) {
        BinlogRead result = take_fetched(dump, timeout_ms);
        if (result == BINLOG_READ_FAILED) {
            *number = dump->number;
            *message = dump->message;
        }
        if (result != BINLOG_READ_EVENT)
            return result;
    }
    memcpy(size, dump->taken->data + dump->offset, sizeof *size);
    *data = dump->taken->data + dump->offset + sizeof *size;
    dump->offset += sizeof *size + *size;
    return BINLOG_READ_EVENT;
}
