/*
 * The local bus: one SQLite file (bus_file.h says what is in it).
 *
 * Writing: the first append opens a transaction that takes SQLite's write lock, and reads the epoch
 * and the end of the log under it; flush stores the new end and commits. Whatever fails rolls the
 * whole transaction back.
 *
 * Reading: records are fetched ahead into memory, many in one short read transaction. No read
 * transaction outlives a call: it would keep SQLite from starting its write-ahead log anew, for as
 * long as the reader stands still. A reader that found nothing sleeps until a handle of this
 * process flushes, and looks from time to time for what other processes have written.
 */
#include "proto/bus.h"
#include "proto/bus_file.h"
#include "proto/bus_holder.h"
#include "proto/bus_wake.h"
#include "proto/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define AHEAD_BYTES (1 << 20) /* records fetched ahead: until they reach this */
#define AHEAD_RECORDS 4096    /* or this many */
#define AHEAD_KEPT (4 << 20)  /* the buffer is given back above this */
#define LOOK_INTERVAL 4000    /* microseconds between looks for other processes' records */
#define END_PATIENCE (2 * G_USEC_PER_SEC) /* for a commit that is under way */
#define TRIM_BYTES (8 << 20)              /* of records that one trim forgets */
#define TRIM_RECORDS 4096                 /* most records that one trim forgets */
#define FREE_KEPT (16 << 20)   /* free bytes that stay in the file for the next records */
#define SMALL_RECORD 4096      /* finds room in the reserve */
#define RESERVE (16 << 20)     /* past max_size, for small records */
#define FULL_MARGIN (64 << 20) /* short of max_size the bus counts as full, */
#define FULL_SHARE 2           /* or short of this share of it, where that is less */
#define VACUUM_PAGES "2048"    /* most free pages that one trim gives back to the file system */

typedef enum {
    META,
    META_END,
    META_CLAIM,
    FIRST,
    INSERT,
    SELECT,
    SIZES,
    DELETE,
    PAGE_SIZE,
    PAGE_COUNT,
    FREE_COUNT,
    N_STATEMENTS
} Statement;

static const char *const STATEMENT_SQL[N_STATEMENTS] = {
    [META] = "select uuid, epoch, last_sequence, last_digest from meta",
    [META_END] = "update meta set last_sequence = ?, last_digest = ?",
    [META_CLAIM] = "update meta set epoch = ?",
    [FIRST] = "select min(sequence) from record",
    [INSERT] = "insert into record (sequence, data) values (?, ?)",
    [SELECT] = "select sequence, data from record where sequence >= ? order by sequence",
    [SIZES] = "select sequence, length(data) from record where sequence < ? order by sequence",
    [DELETE] = "delete from record where sequence <= ?",
    [PAGE_SIZE] = "pragma page_size",
    [PAGE_COUNT] = "pragma page_count",
    [FREE_COUNT] = "pragma freelist_count",
};

typedef struct Ahead {
    gsize offset; /* in the buffer */
    gsize size;
} Ahead;

struct Bus {
    BusFile file;
    guint64 max_size; /* 0: no limit */
    sqlite3_stmt *statements[N_STATEMENTS];
    gint64 page_size;

    /* writer */
    bool claimed;
    guint64 epoch;
    bool appending;                     /* a transaction with unflushed records is open */
    guint64 last_sequence, last_digest; /* while appending: of the last record */

    /* reader */
    guint64 next;       /* the record that the next read returns */
    GByteArray *buffer; /* bytes of the records fetched ahead */
    GArray *ahead;      /* Ahead */
    guint ahead_taken;
};

static const char READ_IT[] = "read it";

/* Runs a statement that has no answer. */
static bool step_done(Bus *bus, Statement statement, const char *doing, GError **error)
{
    int code = sqlite3_step(bus->statements[statement]);
    bool done = code == SQLITE_DONE || bus_file_fail(&bus->file, doing, error);
    sqlite3_reset(bus->statements[statement]);
    return done;
}

/* Runs a statement whose answer is one integer; null is 0. */
static bool step_integer(Bus *bus, Statement statement, gint64 *value, GError **error)
{
    int code = sqlite3_step(bus->statements[statement]);
    bool found = code == SQLITE_ROW || bus_file_fail(&bus->file, READ_IT, error);
    if (found)
        *value = sqlite3_column_int64(bus->statements[statement], 0);
    sqlite3_reset(bus->statements[statement]);
    return found;
}

/* Bytes of the pages in use; the write-ahead log comes on top. */
static bool read_used(Bus *bus, guint64 *used, GError **error)
{
    gint64 pages, free_pages;
    if (!step_integer(bus, PAGE_COUNT, &pages, error) ||
        !step_integer(bus, FREE_COUNT, &free_pages, error))
        return false;
    *used = (guint64)((pages - free_pages) * bus->page_size);
    return true;
}

/* uuid, epoch, last_sequence and last_digest of info. */
static bool read_meta(Bus *bus, BusInfo *info, GError **error)
{
    sqlite3_stmt *meta = bus->statements[META];
    bool found = sqlite3_step(meta) == SQLITE_ROW || bus_file_fail(&bus->file, READ_IT, error);
    if (found && sqlite3_column_bytes(meta, 0) != sizeof info->uuid) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "bus %s is damaged: its UUID has not 16 bytes", bus->file.path);
        found = false;
    }
    if (found) {
        memcpy(info->uuid, sqlite3_column_blob(meta, 0), sizeof info->uuid);
        info->epoch = (guint64)sqlite3_column_int64(meta, 1);
        info->last_sequence = (guint64)sqlite3_column_int64(meta, 2);
        info->last_digest = (guint64)sqlite3_column_int64(meta, 3);
    }
    sqlite3_reset(meta);
    return found;
}

static void local_close(Bus *bus)
{
    if (!bus)
        return;
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(bus->statements[i]);
    bus_file_close(&bus->file);
    g_byte_array_unref(bus->buffer);
    g_array_unref(bus->ahead);
    g_free(bus);
}

static Bus *local_open(const BusOptions *options, BusMode mode, GError **error)
{
    BusFile file;
    if (!bus_file_open(&file, options, mode, error))
        return NULL;
    Bus *bus = g_new0(Bus, 1);
    bus->file = file;
    bus->max_size = options->max_size;
    bus->next = 1;
    bus->buffer = g_byte_array_new();
    bus->ahead = g_array_new(false, false, sizeof(Ahead));
    bool ready = true;
    for (int i = 0; ready && i < N_STATEMENTS; i++) {
        bus->statements[i] = bus_file_prepare(&bus->file, STATEMENT_SQL[i], "open it", error);
        ready = bus->statements[i] != NULL;
    }
    if (ready && step_integer(bus, PAGE_SIZE, &bus->page_size, error))
        return bus;
    local_close(bus);
    return NULL;
}

static bool local_info(Bus *bus, BusInfo *info, GError **error)
{
    gint64 first = 0;
    guint64 used = 0;
    bool own = !bus->appending;
    if (own && !bus_file_run(&bus->file, "begin", READ_IT, error))
        return false;
    bool known = read_meta(bus, info, error) && step_integer(bus, FIRST, &first, error) &&
                 read_used(bus, &used, error);
    if (own)
        bus_file_rollback(&bus->file);
    info->first_sequence = first != 0 ? (guint64)first : info->last_sequence + 1;
    info->bytes = bus_file_bytes(&bus->file);
    guint64 margin = MIN(FULL_MARGIN, bus->max_size / FULL_SHARE);
    info->full = bus->max_size != 0 && used > bus->max_size - margin;
    return known;
}

static bool fail_epoch(const Bus *bus, guint64 claimed, guint64 ours, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "bus %s belongs to another capture: epoch %" G_GUINT64_FORMAT
                " was claimed, ours is %" G_GUINT64_FORMAT,
                bus->file.path, claimed, ours);
    return false;
}

static bool fail_bug(const Bus *bus, const char *what, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "bus %s: %s", bus->file.path, what);
    return false;
}

/* A live writer lets go within a commit; who holds the lock for longer stands still. Once it is
 * gone SQLite completes or undoes what it was at. */
static bool end_writer(Bus *bus, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + END_PATIENCE;
    pid_t holder = bus_holder_find(bus->file.path), first = holder;
    while (holder != 0 && holder == first && g_get_monotonic_time() < deadline) {
        g_usleep(LOOK_INTERVAL);
        holder = bus_holder_find(bus->file.path);
    }
    if (holder == 0 || holder != first || holder == getpid())
        return true;
    g_warning("bus %s: process %d stands still in the middle of a commit; it is ended",
              bus->file.path, holder);
    if (kill(holder, SIGKILL) == 0 || errno == ESRCH)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "bus %s is held by process %d, which stands still and cannot be ended (%s): end it "
                "yourself, then take over again",
                bus->file.path, holder, g_strerror(errno));
    return false;
}

static bool local_claim(Bus *bus, guint64 epoch, bool take_over, GError **error)
{
    static const char doing[] = "claim an epoch";
    if (bus->appending)
        return fail_bug(bus, "an epoch is claimed while records are not flushed", error);
    if (take_over && !end_writer(bus, error))
        return false;
    if (!bus_file_run(&bus->file, "begin immediate", doing, error))
        return false;
    BusInfo info;
    bool claimed = read_meta(bus, &info, error) &&
                   (info.epoch <= epoch || fail_epoch(bus, info.epoch, epoch, error));
    if (claimed) {
        sqlite3_bind_int64(bus->statements[META_CLAIM], 1, (gint64)epoch);
        claimed = step_done(bus, META_CLAIM, doing, error) &&
                  bus_file_run(&bus->file, "commit", doing, error);
    }
    if (!claimed) {
        bus_file_rollback(&bus->file);
        return false;
    }
    bus->claimed = true;
    bus->epoch = epoch;
    return true;
}

/* Opens a write transaction that only the holder of the highest epoch gets. */
static bool begin_write(Bus *bus, const char *doing, GError **error)
{
    if (!bus->claimed)
        return fail_bug(bus, "it is written without an epoch", error);
    if (!bus_file_run(&bus->file, "begin immediate", doing, error))
        return false;
    BusInfo info;
    bool ours = read_meta(bus, &info, error) &&
                (info.epoch == bus->epoch || fail_epoch(bus, info.epoch, bus->epoch, error));
    if (!ours) {
        bus_file_rollback(&bus->file);
        return false;
    }
    bus->last_sequence = info.last_sequence;
    bus->last_digest = info.last_digest;
    return true;
}

/* max_size bounds the pages in use. */
static bool check_space(Bus *bus, gsize size, GError **error)
{
    guint64 used;
    guint64 room = bus->max_size + (size <= SMALL_RECORD ? RESERVE : 0);
    if (bus->max_size == 0)
        return true;
    if (!read_used(bus, &used, error))
        return false;
    if (size <= room && used <= room - size)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "bus %s is full: its max_size is %" G_GUINT64_FORMAT
                " bytes; it shrinks as apply goes on, or raise bus.local.max_size",
                bus->file.path, bus->max_size);
    return false;
}

static bool insert_record(Bus *bus, guint64 sequence, const guint8 *data, gsize size,
                          GError **error)
{
    if (sequence != bus->last_sequence + 1) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "bus %s: record %" G_GUINT64_FORMAT " is appended after record "
                    "%" G_GUINT64_FORMAT,
                    bus->file.path, sequence, bus->last_sequence);
        return false;
    }
    if (!check_space(bus, size, error))
        return false;
    sqlite3_stmt *insert = bus->statements[INSERT];
    sqlite3_bind_int64(insert, 1, (gint64)sequence);
    sqlite3_bind_blob64(insert, 2, size > 0 ? (const void *)data : "", size, SQLITE_STATIC);
    bool inserted = step_done(bus, INSERT, "append a record", error);
    sqlite3_clear_bindings(insert);
    return inserted;
}

static bool local_append(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error)
{
    if (!bus->appending && !begin_write(bus, "append a record", error))
        return false;
    bus->appending = true;
    if (!insert_record(bus, sequence, data, size, error)) {
        bus_file_rollback(&bus->file);
        bus->appending = false;
        return false;
    }
    bus->last_sequence = sequence;
    bus->last_digest = record_digest(data, size);
    return true;
}

static bool local_flush(Bus *bus, GError **error)
{
    static const char doing[] = "flush its records";
    if (!bus->appending)
        return true;
    sqlite3_bind_int64(bus->statements[META_END], 1, (gint64)bus->last_sequence);
    sqlite3_bind_int64(bus->statements[META_END], 2, (gint64)bus->last_digest);
    bool flushed =
        step_done(bus, META_END, doing, error) && bus_file_run(&bus->file, "commit", doing, error);
    bus->appending = false;
    if (!flushed)
        bus_file_rollback(&bus->file);
    else
        bus_wake_all();
    return flushed;
}

/* The last record of the piece that one trim forgets; 0 where there is nothing to forget. */
static bool find_piece(Bus *bus, guint64 below, guint64 *last, GError **error)
{
    sqlite3_stmt *sizes = bus->statements[SIZES];
    sqlite3_bind_int64(sizes, 1, (gint64)below);
    gint64 bytes = 0;
    int code = SQLITE_ROW;
    *last = 0;
    for (int records = 0; records < TRIM_RECORDS && bytes < TRIM_BYTES; records++) {
        code = sqlite3_step(sizes);
        if (code != SQLITE_ROW)
            break;
        *last = (guint64)sqlite3_column_int64(sizes, 0);
        bytes += sqlite3_column_int64(sizes, 1);
    }
    bool found =
        code == SQLITE_ROW || code == SQLITE_DONE || bus_file_fail(&bus->file, READ_IT, error);
    sqlite3_reset(sizes);
    return found;
}

static bool trim_piece(Bus *bus, guint64 below, GError **error)
{
    static const char doing[] = "trim it";
    guint64 last;
    gint64 free_pages;
    if (!find_piece(bus, below, &last, error))
        return false;
    if (last != 0) {
        sqlite3_bind_int64(bus->statements[DELETE], 1, (gint64)last);
        if (!step_done(bus, DELETE, doing, error))
            return false;
    }
    if (!step_integer(bus, FREE_COUNT, &free_pages, error))
        return false;
    if (free_pages * bus->page_size <= FREE_KEPT)
        return true;
    return bus_file_run(&bus->file, "pragma incremental_vacuum(" VACUUM_PAGES ")", doing, error);
}

/* Records that wait for their flush share the transaction: they are lost with it on failure. */
static bool local_trim(Bus *bus, guint64 below, GError **error)
{
    bool own = !bus->appending;
    if (own && !begin_write(bus, "trim it", error))
        return false;
    if (trim_piece(bus, below, error) &&
        (!own || bus_file_run(&bus->file, "commit", "trim it", error)))
        return true;
    bus_file_rollback(&bus->file);
    bus->appending = false;
    return false;
}

static void local_seek(Bus *bus, guint64 sequence)
{
    bus->next = sequence;
    g_array_set_size(bus->ahead, 0);
    bus->ahead_taken = 0;
}

static void forget_ahead(Bus *bus)
{
    g_array_set_size(bus->ahead, 0);
    bus->ahead_taken = 0;
    if (bus->buffer->len > AHEAD_KEPT) {
        g_byte_array_unref(bus->buffer);
        bus->buffer = g_byte_array_new();
    }
    g_byte_array_set_size(bus->buffer, 0);
}

static bool fail_gap(const Bus *bus, const char *what, guint64 number, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "bus %s: record %" G_GUINT64_FORMAT " is not there; %s %" G_GUINT64_FORMAT
                "; give the migration its own bus back, or drop it and start it again",
                bus->file.path, bus->next, what, number);
    return false;
}

/* No record from next on: fine at the end of the log only. */
static bool check_at_end(Bus *bus, GError **error)
{
    BusInfo info;
    if (!read_meta(bus, &info, error))
        return false;
    if (bus->next == info.last_sequence + 1)
        return true;
    return fail_gap(bus, "the last one that was written is", info.last_sequence, error);
}

/* Steps through the records from next on, as long as they follow each other. */
static bool fetch_rows(Bus *bus, GError **error)
{
    sqlite3_stmt *rows = bus->statements[SELECT];
    sqlite3_bind_int64(rows, 1, (gint64)bus->next);
    int code = SQLITE_ROW;
    while (bus->buffer->len < AHEAD_BYTES && bus->ahead->len < AHEAD_RECORDS &&
           (code = sqlite3_step(rows)) == SQLITE_ROW) {
        guint64 sequence = (guint64)sqlite3_column_int64(rows, 0);
        if (sequence != bus->next + bus->ahead->len) {
            if (bus->ahead->len > 0)
                break;
            sqlite3_reset(rows);
            return fail_gap(bus, "the oldest one after it is", sequence, error);
        }
        const void *data = sqlite3_column_blob(rows, 1);
        Ahead ahead = {.offset = bus->buffer->len, .size = (gsize)sqlite3_column_bytes(rows, 1)};
        if (ahead.size > 0 && !data) {
            code = SQLITE_NOMEM;
            break;
        }
        if (ahead.size > 0)
            g_byte_array_append(bus->buffer, data, (guint)ahead.size);
        g_array_append_val(bus->ahead, ahead);
    }
    bool fetched =
        code == SQLITE_ROW || code == SQLITE_DONE || bus_file_fail(&bus->file, READ_IT, error);
    sqlite3_reset(rows);
    return fetched;
}

static bool fetch_ahead(Bus *bus, GError **error)
{
    forget_ahead(bus);
    if (bus->appending)
        return fail_bug(bus, "it is read while records are not flushed", error);
    if (!bus_file_run(&bus->file, "begin", READ_IT, error))
        return false;
    bool fetched = fetch_rows(bus, error) && (bus->ahead->len > 0 || check_at_end(bus, error));
    bus_file_rollback(&bus->file);
    if (!fetched)
        forget_ahead(bus);
    return fetched;
}

/* Fetches until there is a record, or until there was none for timeout_ms. */
static bool wait_for_record(Bus *bus, int timeout_ms, GError **error)
{
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    for (;;) {
        guint64 seen = bus_wake_count();
        if (!fetch_ahead(bus, error))
            return false;
        gint64 left = end - g_get_monotonic_time();
        if (bus->ahead->len > 0 || left <= 0)
            return true;
        bus_wake_wait(seen, MIN(left, LOOK_INTERVAL));
    }
}

static BusResult local_read(Bus *bus, int timeout_ms, guint64 *sequence, const guint8 **data,
                            gsize *size, GError **error)
{
    if (bus->ahead_taken == bus->ahead->len && !wait_for_record(bus, timeout_ms, error))
        return BUS_FAILED;
    if (bus->ahead->len == 0)
        return BUS_EMPTY;
    const Ahead *ahead = &g_array_index(bus->ahead, Ahead, bus->ahead_taken);
    bus->ahead_taken++;
    *sequence = bus->next++;
    *data = bus->buffer->data + ahead->offset;
    *size = ahead->size;
    return BUS_RECORD;
}

const BusOps bus_local_ops = {
    .kind = "local",
    .check = bus_file_check,
    .exists = bus_file_exists,
    .remove = bus_file_remove,
    .open = local_open,
    .close = local_close,
    .info = local_info,
    .claim = local_claim,
    .append = local_append,
    .flush = local_flush,
    .trim = local_trim,
    .seek = local_seek,
    .read = local_read,
};
