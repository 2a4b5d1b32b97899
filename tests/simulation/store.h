/*
 * Store: the target's database: a fixed set of rows (drover's control rows, and the moved tables'),
 * sessions with transactions, row locks, and commits that a crash may take back.
 *
 * A statement sees what was committed and its own transaction's changes (READ COMMITTED); a change
 * takes the row's lock until the transaction ends, and waits for it. A session outlives a killed
 * process until the server notices.
 */
#pragma once

#include "tests/simulation/process.h"
#include "tests/simulation/rows.h"

#include <glib.h>
#include <stdbool.h>

#define STORE_TEXT 56
#define STORE_BOUND 32
#define STORE_NAME 24
#define N_LEASES (N_ROLES + 30) /* the roles', and copy-<epoch> */
#define N_WORKERS (1 + 30)      /* apply, and copy-<epoch>-<n> */
#define N_ACCOUNTS 6            /* captured, applied, filtered, superseded, rejected, refetched */

typedef struct StoredMigration {
    char phase[16];
    char consistent[STORE_TEXT];
    char snapshot[STORE_TEXT];
    bool paused;
} StoredMigration;

typedef struct StoredLease {
    char role[STORE_NAME];
    guint64 epoch;
    guint64 session; /* Session.number */
} StoredLease;

typedef struct StoredProgress {
    char worker[STORE_NAME];
    guint64 epoch;
    guint64 writes;
    char resume[STORE_TEXT]; /* "" is null */
    char position[STORE_TEXT], sequence[24], digest[24], time[24], bus_epoch[24];
} StoredProgress;

typedef struct StoredTable {
    char state[12];
    bool in_doubt;
    guint64 accounts[N_ACCOUNTS];
} StoredTable;

typedef struct StoredChunk {
    char lower[STORE_BOUND], upper[STORE_BOUND]; /* array literals; "" is null */
    bool done;
    char high[STORE_TEXT];
} StoredChunk;

typedef struct StoredRow {
    bool exists;
    union {
        StoredMigration migration;
        StoredLease lease;
        StoredProgress progress;
        StoredTable table;
        StoredChunk chunk;
        Image image;
    } of;
} StoredRow;

/* Numbers of rows. */
typedef enum {
    ROW_MIGRATION,
    ROW_LEASE,                                       /* + role, + others */
    ROW_PROGRESS = ROW_LEASE + N_LEASES,             /* apply, + others */
    ROW_TABLE = ROW_PROGRESS + N_WORKERS,            /* + table */
    ROW_CHUNK = ROW_TABLE + SIM_TABLES,              /* + table * SIM_KEYS + chunk */
    ROW_REFETCH = ROW_CHUNK + SIM_TABLES * SIM_KEYS, /* + table * SIM_KEYS + key */
    ROW_DATA = ROW_REFETCH + SIM_TABLES * SIM_KEYS,  /* + table * SIM_KEYS + key */
    N_ROWS = ROW_DATA + SIM_TABLES * SIM_KEYS
} RowNumber;

static inline guint row_of_key(RowNumber first, guint table, guint key)
{
    return (guint)first + table * SIM_KEYS + key;
}

typedef enum { LOCK_NONE, LOCK_SHARE, LOCK_CHANGE } LockKind;

typedef enum { NOT_HELD = 0, HELD_SHARED = 1, HELD_ALONE = 2 } RoleLock; /* bits */

typedef struct Session {
    guint64 number;
    Process *owner;
    char *label;
    bool abandoned;        /* its process was killed, or has lost the connection */
    bool ended;            /* by the server, or by a crash */
    guint8 holds[N_ROLES]; /* RoleLock */
    bool open;             /* a transaction is */
    bool failed;           /* a statement of it did */
    bool unflushed;        /* its commit waits for no disk */
    guint writes;          /* TargetOps.write calls of the transaction */
    guint8 locks[N_ROWS];  /* LockKind */
    bool own[N_ROWS];      /* changed by the transaction: */
    StoredRow rows[N_ROWS];
    guint inserted[SIM_TABLES][SIM_KEYS]; /* copied rows, of a table without a key */
    bool changed;                         /* anything of the above */
} Session;

void store_begin(void);
void store_end(void);
/* All sessions end; commits that were not on the disk may be lost. */
void store_crash(void);
bool store_may_lose_commits(void);
/* The server notices that a client is gone: of one session, or of all. */
void store_notice(bool all);

Session *session_new(const char *label);
/* The client has closed it, or was killed. */
void session_leave(Session *session, bool killed);
/* The server ends it: what is open is rolled back. */
void session_end(Session *session);
/* Ends the sessions of a role, "drover shop <role>" and "drover shop <role>-N", but one. */
void store_end_role(const char *role, const Session *but);
/* A session whose hold of the role keeps `session` (NULL: anybody) from holding it so; NULL where
 * there is none. */
Session *store_role_holder(Role role, RoleLock hold, const Session *session);
bool store_holds_any_lock(guint64 session);

void session_begin(Session *session);
void session_rollback(Session *session);
void session_commit(Session *session);
/* Ends a statement that stood outside of a transaction. */
void session_autocommit(Session *session);

/* What the session sees; NULL session: what was committed. */
const StoredRow *store_row(const Session *session, guint row);
/* Locks the row and gives it to be changed. NULL with RETRY where the wait ends badly. */
StoredRow *store_change(Session *session, guint row, GError **error);
bool store_lock(Session *session, guint row, LockKind kind, GError **error);
bool store_is_locked(const Session *session, guint row, LockKind kind);
