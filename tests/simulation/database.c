/*
 * Transactions, the log and what reads see. What the users do is in workload.c.
 */
#include "proto/gtid.h"
#include "tests/simulation/database_inside.h"

#include "tests/simulation/world.h"

#include <string.h>

#define FIRST_POSITION 1000
#define RECORD 8        /* bytes of a log record */
#define BEFORE_START 25 /* transactions */

#define inside database_inside

Database database;
DatabaseInside database_inside;

static LogEntry *entry_at(guint i)
{
    return &g_array_index(database.log, LogEntry, i);
}

/* ---- transactions ---- */

Txn *txn_new(TxnState state)
{
    Txn *txn = g_new0(Txn, 1);
    txn->xid = FIRST_XID + inside.txns->len;
    txn->state = state;
    txn->events = g_array_new(FALSE, FALSE, sizeof(Event));
    g_ptr_array_add(inside.txns, txn);
    return txn;
}

void txn_add_event(Txn *txn, const Event *event)
{
    g_array_append_vals(txn->events, event, 1);
    database.log_end += RECORD;
}

static void txn_free(gpointer data)
{
    Txn *txn = data;
    g_array_unref(txn->events);
    g_free(txn);
}

static void unlock(const Txn *txn)
{
    for (guint t = 0; t < SIM_TABLES; t++)
        if (inside.table_lock[t] == txn)
            inside.table_lock[t] = NULL;
    for (guint row = 0; row < SIM_ROWS; row++)
        if (inside.row_lock[row] == txn)
            inside.row_lock[row] = NULL;
}

void txn_reveal(Txn *txn)
{
    txn->visible = true;
    unlock(txn);
    for (guint i = 0; i < txn->events->len; i++)
        for (guint t = 0; t < SIM_TABLES; t++)
            database.truncations[t] += g_array_index(txn->events, Event, i).truncated >> t & 1;
}

static Image last_version(guint row)
{
    const GArray *history = inside.history[row];
    return history->len > 0 ? g_array_index(history, Version, history->len - 1).image : (Image){0};
}

void txn_abort(Txn *txn)
{
    for (guint row = 0; row < SIM_ROWS; row++)
        if (inside.row_lock[row] == txn)
            inside.current[row] = last_version(row);
    txn->state = TXN_ABORTED;
    unlock(txn);
    trace("source: transaction %" G_GUINT64_FORMAT " aborts", txn->xid);
}

static void add_entry(const Txn *txn)
{
    LogEntry entry = {.start = database.log_end + 1 + pick(RECORD), .txn = txn};
    if (database.log->len > 0)
        memcpy(entry.events, entry_at(database.log->len - 1)->events, sizeof entry.events);
    for (guint i = 0; txn != NULL && i < txn->events->len; i++) {
        const Event *event = &g_array_index(txn->events, Event, i);
        for (guint t = 0; t < SIM_TABLES; t++)
            entry.events[t] += event->operation == OPERATION_TRUNCATE ? event->truncated >> t & 1
                                                                      : event->table == t;
    }
    database.log_end = entry.end = entry.start + RECORD;
    g_array_append_val(database.log, entry);
}

static bool has_truncated(const Txn *txn, guint table)
{
    for (guint i = 0; i < txn->events->len; i++)
        if (g_array_index(txn->events, Event, i).truncated >> table & 1)
            return true;
    return false;
}

void txn_commit(Txn *txn)
{
    add_entry(txn);
    txn->end = database.log_end;
    txn->state = TXN_COMMITTED;
    for (guint row = 0; row < SIM_ROWS; row++) {
        Version version = {txn, inside.current[row], has_truncated(txn, row / SIM_KEYS)};
        if (inside.row_lock[row] == txn)
            g_array_append_val(inside.history[row], version);
    }
    bool unflushed = chance(world.weather.unflushed);
    if (!unflushed)
        database.flushed = database.log_end;
    bool hidden = !unflushed && chance(world.weather.invisible);
    if (!hidden)
        txn_reveal(txn);
    trace("source: transaction %" G_GUINT64_FORMAT " commits at %" G_GUINT64_FORMAT "%s%s",
          txn->xid, txn->end, hidden ? ", not visible yet" : "",
          unflushed ? ", not on the disk yet" : "");
}

/* ---- the log ---- */

void database_settle(void)
{
    for (Txn *txn; (txn = workload_pick(TXN_OPEN, false)) != NULL;)
        txn_commit(txn);
    for (Txn *txn; (txn = workload_pick(TXN_COMMITTED, false)) != NULL;)
        txn_reveal(txn);
    database_flush();
}

void database_flush(void)
{
    if (database.flushed != database.log_end)
        trace("source: the log is flushed up to %" G_GUINT64_FORMAT, database.log_end);
    database.flushed = database.log_end;
}

guint64 database_emit_marker(void)
{
    add_entry(NULL);
    return database.log_end;
}

/* ---- life and death ---- */

void database_begin(void)
{
    memset(&database, 0, sizeof database);
    memset(&inside, 0, sizeof inside);
    inside.txns = g_ptr_array_new_with_free_func(txn_free);
    database.log = g_array_new(FALSE, FALSE, sizeof(LogEntry));
    database.log_end = database.flushed = FIRST_POSITION;
    for (guint row = 0; row < SIM_ROWS; row++)
        inside.history[row] = g_array_new(FALSE, FALSE, sizeof(Version));
    for (guint i = 0; i < BEFORE_START; i++) {
        Txn *txn = txn_new(TXN_OPEN);
        workload_write(txn);
        txn_commit(txn);
    }
    /* The slot's setup waits until everything below P0 is visible. */
    for (Txn *txn; (txn = workload_pick(TXN_COMMITTED, false)) != NULL;)
        txn_reveal(txn);
    database.flushed = database.start = database.log_end;
    memset(database.truncations, 0, sizeof database.truncations);
}

void database_end(void)
{
    g_ptr_array_unref(inside.txns);
    g_array_unref(database.log);
    for (guint row = 0; row < SIM_ROWS; row++)
        g_array_unref(inside.history[row]);
}

/* Commits that never reached the disk. */
static guint lose_log(void)
{
    guint lost = 0;
    while (database.log->len > 0 && entry_at(database.log->len - 1)->end > database.flushed) {
        const Txn *txn = entry_at(database.log->len - 1)->txn;
        if (txn != NULL) {
            ((Txn *)g_ptr_array_index(inside.txns, txn->xid - FIRST_XID))->state = TXN_ABORTED;
            lost++;
        }
        g_array_set_size(database.log, database.log->len - 1);
    }
    database.log_end = database.flushed;
    return lost;
}

/* The numbers of transactions that the log does not know are given again. */
static void forget_xids(void)
{
    guint keep = 0;
    for (guint i = 0; i < inside.txns->len; i++)
        if (((Txn *)g_ptr_array_index(inside.txns, i))->state == TXN_COMMITTED)
            keep = i + 1;
    g_ptr_array_set_size(inside.txns, (gint)keep);
}

void database_crash(void)
{
    guint lost = lose_log();
    trace("source: crashes; the log ends at %" G_GUINT64_FORMAT ", %u commits are lost",
          database.log_end, lost);
    if (lost > 0)
        COVER(source_crash_loses_commits);
    for (guint row = 0; row < SIM_ROWS; row++) {
        GArray *history = inside.history[row];
        while (history->len > 0 &&
               g_array_index(history, Version, history->len - 1).txn->state == TXN_ABORTED)
            g_array_set_size(history, history->len - 1);
        inside.current[row] = last_version(row);
    }
    for (guint i = 0; i < inside.txns->len; i++) {
        Txn *txn = g_ptr_array_index(inside.txns, i);
        if (txn->state == TXN_OPEN)
            txn->state = TXN_ABORTED;
        if (txn->state == TXN_COMMITTED && !txn->visible)
            txn_reveal(txn);
    }
    memset(inside.row_lock, 0, sizeof inside.row_lock);
    memset(inside.table_lock, 0, sizeof inside.table_lock);
    memset(database.readers, 0, sizeof database.readers);
    forget_xids();
    /* Somebody else's snapshot may get the same name. */
    inside.exported = chance(30) ? FIRST_XID + inside.txns->len : 0;
    database.crashes++;
}

/* ---- reads ---- */

guint64 database_oldest_xid(void)
{
    for (guint i = 0; i < inside.txns->len; i++) {
        const Txn *txn = g_ptr_array_index(inside.txns, i);
        if (txn->state == TXN_OPEN || (txn->state == TXN_COMMITTED && !txn->visible))
            return txn->xid;
    }
    return FIRST_XID + inside.txns->len;
}

static void start_bounds(ReadBounds *bounds, guint64 xmax)
{
    *bounds = (ReadBounds){.before = {.major = database.log_end}, .xmin = xmax, .xmax = xmax};
    bounds->running = g_array_new(FALSE, FALSE, sizeof(guint64));
}

/* Number n of the one origin is the n-th transaction of the log. */
static char *gtids_of(guint64 position, bool visible_only)
{
    static const guint8 origin[MYSQL_UUID_SIZE] = {7};
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_new();
    gint64 number = 0;
    for (guint i = 0; i < database.log->len; i++) {
        const LogEntry *entry = &g_array_index(database.log, LogEntry, i);
        if (entry->txn == NULL || entry->end > position)
            continue;
        number++;
        if (!visible_only || entry->txn->visible)
            mysql_gtid_set_add(set, origin, "", number);
    }
    return mysql_gtid_set_format(set);
}

char *database_resume_at(guint64 position)
{
    return world.weather.gtids ? gtids_of(position, false) : NULL;
}

/* The reader passes all numbers that were given by taking one itself. */
void database_snapshot(ReadBounds *bounds)
{
    txn_new(TXN_ABORTED);
    start_bounds(bounds, FIRST_XID + inside.txns->len);
    for (guint i = 0; i < inside.txns->len; i++) {
        const Txn *txn = g_ptr_array_index(inside.txns, i);
        if (txn->state == TXN_ABORTED || txn->visible)
            continue;
        bounds->xmin = MIN(bounds->xmin, txn->xid);
        g_array_append_val(bounds->running, txn->xid);
    }
    if (!world.weather.gtids)
        return;
    COVER(read_is_bound_by_gtids);
    bounds->kind = BOUNDS_GTIDS;
    bounds->gtids = gtids_of(database.log_end, true);
}

void database_export_snapshot(void)
{
    inside.exported = inside.start_xid = FIRST_XID + inside.txns->len;
}

bool database_import_snapshot(ReadBounds *bounds)
{
    if (inside.exported != 0)
        start_bounds(bounds, inside.exported);
    return inside.exported != 0;
}

void database_drop_snapshot(void)
{
    inside.exported = 0;
}

char *database_snapshot_text(void)
{
    ReadBounds bounds;
    database_import_snapshot(&bounds);
    guint64 digest = read_bounds_digest(&bounds);
    read_bounds_clear(&bounds);
    return g_strdup_printf(SIM_SNAPSHOT " %" G_GINT64_MODIFIER "x", digest);
}

bool database_find_hidden(guint *table, guint *key)
{
    guint n = 0;
    for (guint row = 0; row < SIM_ROWS; row++) {
        const Txn *txn = inside.row_lock[row];
        if (txn == NULL || txn->state != TXN_COMMITTED || pick(++n) != 0)
            continue;
        *table = row / SIM_KEYS;
        *key = row % SIM_KEYS;
    }
    return n > 0;
}

bool database_is_locked(guint table)
{
    return inside.table_lock[table] != NULL;
}

Image database_read(const ReadBounds *bounds, guint table, guint key)
{
    const GArray *history = inside.history[row_at(table, key)];
    for (guint i = history->len; i-- > 0;) {
        const Version *version = &g_array_index(history, Version, i);
        if (read_bounds_include(bounds, version->txn->xid))
            return version->image;
        if (version->truncates) {
            COVER(read_finds_table_truncated);
            if (bounds->xmax == inside.start_xid)
                database.exact_from = MAX(database.exact_from, version->txn->end);
            return (Image){0};
        }
    }
    return (Image){0};
}

static bool lacks(const ReadBounds *bounds, const GArray *history, guint64 position)
{
    for (guint i = 0; i < history->len; i++) {
        const Txn *txn = g_array_index(history, Version, i).txn;
        if (txn->end <= position && !read_bounds_include(bounds, txn->xid))
            return true;
    }
    return false;
}

bool database_read_lacks_row(const ReadBounds *bounds, guint table, guint key, guint64 position)
{
    return lacks(bounds, inside.history[row_at(table, key)], position);
}

bool database_read_lacks(const ReadBounds *bounds, guint64 position)
{
    for (guint row = 0; row < SIM_ROWS; row++)
        if (lacks(bounds, inside.history[row], position))
            return true;
    return false;
}

/* ---- what was ---- */

Image database_image_at(guint table, guint key, guint64 position)
{
    const GArray *history = inside.history[row_at(table, key)];
    for (guint i = history->len; i-- > 0;) {
        const Version *version = &g_array_index(history, Version, i);
        if (version->txn->end <= position)
            return version->image;
    }
    return (Image){0};
}

guint database_entry_after(guint64 position)
{
    guint low = 0, high = database.log->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (entry_at(middle)->end <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static guint64 count_until(guint table, guint64 position)
{
    guint after = database_entry_after(position);
    return after == 0 ? 0 : entry_at(after - 1)->events[table];
}

guint64 database_events_at(guint table, guint64 position)
{
    return count_until(table, position) - count_until(table, database.start);
}

guint64 database_last_change(guint64 position)
{
    for (guint i = database_entry_after(position); i-- > 0;) {
        const LogEntry *entry = entry_at(i);
        if (entry->txn != NULL && entry->txn->events->len > 0)
            return entry->end;
    }
    return 0;
}
