/*
 * Database: the source's tables, transactions and log.
 *
 * A commit is a record of the log; reads may see it later (as with a synchronous standby: its locks
 * are held until then) or before the log is on the disk (synchronous_commit off). Reads see what
 * their snapshot sees, but for rows that a TRUNCATE took away since. A crash takes back what was
 * not on the disk, the numbers of its transactions included.
 */
#pragma once

#include "proto/event.h"
#include "proto/source.h"
#include "tests/simulation/rows.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Event {
    Operation operation;
    guint table;
    guint old_key; /* update, delete */
    guint key;     /* insert, update */
    Image image;
    guint unchanged; /* bits of cells */
    guint truncated; /* bits of tables */
} Event;

typedef enum { TXN_OPEN, TXN_COMMITTED, TXN_ABORTED } TxnState;

typedef struct Txn {
    guint64 xid;
    TxnState state;
    bool visible;   /* committed, and reads see it */
    guint64 end;    /* of its commit record */
    GArray *events; /* Event */
} Txn;

typedef struct LogEntry {
    guint64 start, end;
    const Txn *txn;             /* NULL: a marker */
    guint64 events[SIM_TABLES]; /* of this and all entries before */
} LogEntry;

typedef struct Database {
    GArray *log; /* LogEntry */
    guint64 log_end;
    guint64 flushed;
    guint64 start;      /* P0 */
    guint64 exact_from; /* a chunk of the exported snapshot lacks what was truncated up to here */
    guint crashes;
    guint readers[SIM_TABLES];       /* reads that keep a TRUNCATE away */
    guint64 truncations[SIM_TABLES]; /* that reads have seen */
} Database;

extern Database database;

void database_begin(void);
void database_end(void);

/* One small piece of what the source's users do. */
void database_act(void);
/* Transactions end, commits become visible, the log is flushed. */
void database_settle(void);
void database_flush(void);
void database_crash(void);

/* A marker in the log; its position. */
guint64 database_emit_marker(void);
/* Index of the first entry of the log that ends after a position. */
guint database_entry_after(guint64 position);

/* What stands for everything up to a position, as MySQL's set of GTIDs; NULL where the weather has
 * none (g_free). */
char *database_resume_at(guint64 position);

/* A new snapshot. exported: the one of P0 instead; false where it is gone. */
void database_snapshot(ReadBounds *bounds);
void database_export_snapshot(void);
bool database_import_snapshot(ReadBounds *bounds);
void database_drop_snapshot(void);
/* SIM_SNAPSHOT as capture/copy.h describes it (g_free). */
#define SIM_SNAPSHOT "00000003-1"
char *database_snapshot_text(void);
/* Every transaction below it is visible. */
guint64 database_oldest_xid(void);
/* A row that a commit has changed which reads do not see yet; false where there is none. */
bool database_find_hidden(guint *table, guint *key);
/* Is a TRUNCATE at work that a read of the table must wait for? */
bool database_is_locked(guint table);
Image database_read(const ReadBounds *bounds, guint table, guint key);
/* Has the read not seen a commit up to `position` (of this row)? */
bool database_read_lacks(const ReadBounds *bounds, guint64 position);
bool database_read_lacks_row(const ReadBounds *bounds, guint table, guint key, guint64 position);

/* What a row was, and how many events there had been since P0, at a position of the log. */
Image database_image_at(guint table, guint key, guint64 position);
guint64 database_events_at(guint table, guint64 position);
/* The end of the last transaction with events that ends at or before; 0 where there is none. */
guint64 database_last_change(guint64 position);
