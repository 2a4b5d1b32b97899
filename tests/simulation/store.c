#include "tests/simulation/store.h"

#include "proto/error.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/database.h"
#include "tests/simulation/world.h"

#include <string.h>

#define UNLUCKY 60 /* one wait of so many is ended as a deadlock */

/* A commit that a crash may still take back: what its rows were before. */
typedef struct Undo {
    guint n;
    guint rows[N_ROWS];
    StoredRow before[N_ROWS];
} Undo;

static struct {
    StoredRow rows[N_ROWS]; /* committed */
    GPtrArray *undo;        /* Undo *, oldest first: commits that are not on the disk */
    GPtrArray *sessions;    /* Session * that the server has */
    guint64 last_session;
} store;

void store_begin(void)
{
    memset(store.rows, 0, sizeof store.rows);
    store.undo = g_ptr_array_new_with_free_func(g_free);
    store.sessions = g_ptr_array_new();
    store.last_session = 0;
    StoredRow *migration = &store.rows[ROW_MIGRATION];
    migration->exists = true;
    g_strlcpy(migration->of.migration.phase, "copying", sizeof migration->of.migration.phase);
    g_autofree char *snapshot = database_snapshot_text();
    g_strlcpy(migration->of.migration.snapshot, snapshot, STORE_TEXT);
    for (guint t = 0; t < SIM_TABLES; t++) {
        StoredRow *table = &store.rows[ROW_TABLE + t];
        table->exists = true;
        g_strlcpy(table->of.table.state, "planned", sizeof table->of.table.state);
    }
    StoredRow *progress = &store.rows[ROW_PROGRESS];
    progress->exists = true;
    g_strlcpy(progress->of.progress.worker, "apply", STORE_NAME);
    g_snprintf(progress->of.progress.position, STORE_TEXT, "0/%" G_GINT64_MODIFIER "X",
               world.migration.start.major);
    g_strlcpy(progress->of.progress.sequence, "0", sizeof progress->of.progress.sequence);
    g_strlcpy(progress->of.progress.digest, "0", sizeof progress->of.progress.digest);
    g_strlcpy(progress->of.progress.bus_epoch, "0", sizeof progress->of.progress.bus_epoch);
}

static void session_free(Session *session)
{
    g_free(session->label);
    g_free(session);
}

void store_end(void)
{
    store_notice(true);
    g_assert(store.sessions->len == 0);
    g_ptr_array_unref(store.sessions);
    g_ptr_array_unref(store.undo);
}

/* ---- sessions ---- */

Session *session_new(const char *label)
{
    Session *session = g_new0(Session, 1);
    session->number = ++store.last_session;
    session->owner = process_current();
    session->label = g_strdup(label);
    g_ptr_array_add(store.sessions, session);
    return session;
}

void session_end(Session *session)
{
    if (session->ended)
        return;
    session_rollback(session);
    memset(session->holds, 0, sizeof session->holds);
    session->ended = true;
    g_ptr_array_remove_fast(store.sessions, session);
    if (session->abandoned)
        session_free(session);
}

void session_leave(Session *session, bool killed)
{
    session->abandoned = true;
    if (session->ended)
        session_free(session);
    else if (!killed)
        session_end(session);
}

void store_notice(bool all)
{
    for (guint i = store.sessions->len; i-- > 0;) {
        Session *session = g_ptr_array_index(store.sessions, i);
        if (!session->abandoned)
            continue;
        trace("target: ends the session of a client that is gone%s",
              session->open ? ", its transaction is rolled back" : "");
        if (session->open)
            COVER(orphan_is_rolled_back);
        session_end(session);
        if (!all)
            return;
    }
}

void store_end_role(const char *role, const Session *but)
{
    g_autofree char *label = g_strdup_printf("drover %s %s", world.migration.name, role);
    g_autofree char *numbered = g_strconcat(label, "-", NULL);
    for (guint i = store.sessions->len; i-- > 0;) {
        Session *session = g_ptr_array_index(store.sessions, i);
        bool named =
            g_str_equal(session->label, label) || g_str_has_prefix(session->label, numbered);
        if (session == but || !named)
            continue;
        trace("   ... ends a session of %s", role);
        session_end(session);
    }
}

Session *store_role_holder(Role role, RoleLock hold, const Session *session)
{
    for (guint i = 0; i < store.sessions->len; i++) {
        Session *other = g_ptr_array_index(store.sessions, i);
        bool excludes =
            hold == HELD_ALONE ? other->holds[role] != 0 : (other->holds[role] & HELD_ALONE) != 0;
        if (other != session && excludes)
            return other;
    }
    return NULL;
}

bool store_holds_any_lock(guint64 number)
{
    for (guint i = 0; i < store.sessions->len; i++) {
        const Session *session = g_ptr_array_index(store.sessions, i);
        for (guint role = 0; role < N_ROLES && session->number == number; role++)
            if (session->holds[role] != 0)
                return true;
    }
    return false;
}

/* ---- locks ---- */

bool store_is_locked(const Session *session, guint row, LockKind kind)
{
    for (guint i = 0; i < store.sessions->len; i++) {
        const Session *other = g_ptr_array_index(store.sessions, i);
        if (other != session && (guint)other->locks[row] + (guint)kind > (guint)LOCK_CHANGE)
            return true;
    }
    return false;
}

bool store_lock(Session *session, guint row, LockKind kind, GError **error)
{
    while (store_is_locked(session, row, kind)) {
        COVER(row_lock_is_waited_for);
        if (!call_wait("waits for a row's lock", error))
            return false;
        if (session->ended) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "target: the session was ended");
            return false;
        }
        if (one_in(UNLUCKY)) {
            COVER(deadlock_is_found);
            session->failed = true;
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "target: deadlock detected");
            return false;
        }
    }
    session->locks[row] = (guint8)MAX((guint)session->locks[row], (guint)kind);
    return true;
}

/* ---- rows ---- */

const StoredRow *store_row(const Session *session, guint row)
{
    return session != NULL && session->own[row] ? &session->rows[row] : &store.rows[row];
}

StoredRow *store_change(Session *session, guint row, GError **error)
{
    if (!store_lock(session, row, LOCK_CHANGE, error))
        return NULL;
    if (!session->own[row])
        session->rows[row] = store.rows[row];
    session->own[row] = session->changed = true;
    return &session->rows[row];
}

/* ---- transactions ---- */

static void end_transaction(Session *session)
{
    session->open = session->failed = session->unflushed = session->changed = false;
    session->writes = 0;
    memset(session->locks, 0, sizeof session->locks);
    memset(session->own, 0, sizeof session->own);
    memset(session->inserted, 0, sizeof session->inserted);
}

void session_begin(Session *session)
{
    end_transaction(session);
    session->open = true;
}

void session_rollback(Session *session)
{
    end_transaction(session);
}

static void merge_row(Undo *undo, guint row, const StoredRow *new)
{
    undo->rows[undo->n] = row;
    undo->before[undo->n++] = store.rows[row];
    store.rows[row] = *new;
}

/* Rows that were copied into a table without a key stand beside those that are there. */
static void merge_inserted(const Session *session, Undo *undo)
{
    for (guint t = 0; t < SIM_TABLES; t++) {
        for (guint k = 0; k < SIM_KEYS; k++) {
            guint row = row_of_key(ROW_DATA, t, k);
            if (session->inserted[t][k] == 0)
                continue;
            if (session->inserted[t][k] > 1 || store.rows[row].exists)
                world_fail("the row of key %u was copied into t%u twice", k, t + 1);
            merge_row(undo, row, &session->rows[row]);
        }
    }
}

static void merge(const Session *session)
{
    Undo *undo = g_new(Undo, 1);
    undo->n = 0;
    for (guint row = 0; row < N_ROWS; row++)
        if (session->own[row])
            merge_row(undo, row, &session->rows[row]);
    merge_inserted(session, undo);
    g_ptr_array_add(store.undo, undo);
    if (!session->unflushed)
        g_ptr_array_set_size(store.undo, 0);
}

void session_commit(Session *session)
{
    merge(session);
    end_transaction(session);
    checks_committed();
}

void session_autocommit(Session *session)
{
    if (session->open)
        return;
    if (session->changed)
        session_commit(session);
    else
        end_transaction(session);
}

bool store_may_lose_commits(void)
{
    return store.undo->len > 0;
}

void store_crash(void)
{
    guint lost = store.undo->len > 0 ? pick(store.undo->len + 1) : 0;
    trace("target: crashes, %u commits are lost", lost);
    if (lost > 0)
        COVER(target_crash_loses_commits);
    for (; lost > 0; lost--) {
        const Undo *undo = g_ptr_array_index(store.undo, store.undo->len - 1);
        for (guint i = undo->n; i-- > 0;)
            store.rows[undo->rows[i]] = undo->before[i];
        g_ptr_array_set_size(store.undo, (gint)store.undo->len - 1);
    }
    g_ptr_array_set_size(store.undo, 0);
    while (store.sessions->len > 0)
        session_end(g_ptr_array_index(store.sessions, 0));
}
