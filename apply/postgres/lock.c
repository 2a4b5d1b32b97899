/*
 * TargetOps.lock_role: a role's lock is a session advisory lock, so that it ends with the session
 * whatever happens to the process; a shared one where many processes have the role at once.
 *
 * The lock is not all that a dead process leaves behind: its other sessions of the role may still
 * hold row locks, or be about to commit. Who gets the lock alone ends them first. They are known by
 * their application_name.
 */
#include "apply/postgres/embedded.h"
#include "apply/postgres/session.h"
#include "schema/text_array.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#define PATIENCE (2 * G_USEC_PER_SEC) /* for the session of a process that has just been killed */
#define PAUSE (50 * G_TIME_SPAN_MILLISECOND)
#define TELLINGS 10
#define MAX_APPLICATION_NAME 63

typedef struct RoleLock {
    Target *target;
    const Migration *migration;
    const char *role;
    RoleHold hold;
    char *key; /* bigint, as text */
} RoleLock;

/* Advisory locks belong to a database, and a migration's name is unique in its target: so two first
 * runs of one migration, which do not know of each other's UUID yet, ask for the same lock. */
static char *lock_key(const Migration *migration, const char *role)
{
    g_autofree char *text = g_strdup_printf("drover/%s/%s", migration->name, role);
    return g_strdup_printf("%" G_GINT64_FORMAT, (gint64)XXH3_64bits(text, strlen(text)));
}

static bool try_lock(RoleLock *lock, bool *granted, GError **error)
{
    const char *const values[] = {lock->key};
    const char *sql = lock->hold == HOLD_SHARED
                          ? "select pg_catalog.pg_try_advisory_lock_shared($1::bigint)"
                          : "select pg_catalog.pg_try_advisory_lock($1::bigint)";
    g_autoptr(PGresult) result = pg_query_params(lock->target->connection, sql, 1, values, error);
    if (result == NULL)
        return false;
    *granted = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    return true;
}

/* sql: tells sessions to end, waits a second for each, and answers with pid and whether it has.
 * *pid: one that has not (g_free); NULL: none. */
static bool tell_to_end(RoleLock *lock, const char *sql, const char *value, char **pid,
                        GError **error)
{
    g_autoptr(PGresult) result = pg_query_params(lock->target->connection, sql, 1, &value, error);

    *pid = NULL;
    if (result == NULL) {
        g_prefix_error(error, "ending the sessions that the role \"%s\" left behind: ", lock->role);
        return false;
    }
    for (int i = 0; i < PQntuples(result) && *pid == NULL; i++)
        if (strcmp(PQgetvalue(result, i, 1), "t") != 0)
            *pid = g_strdup(PQgetvalue(result, i, 0));
    return true;
}

/* Told once, a session that writes to a client which reads nothing stands still once more when it
 * writes of its end; told again, it ends. */
static bool end_sessions(RoleLock *lock, const char *sql, const char *value, GError **error)
{
    for (int times = 1;; times++) {
        g_autofree char *pid = NULL;
        if (!tell_to_end(lock, sql, value, &pid, error))
            return false;
        if (pid == NULL)
            return true;
        if (times < TELLINGS)
            continue;
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "session %s of the role \"%s\" was told to end and has not done so within %d s",
                    pid, lock->role, TELLINGS);
        return false;
    }
}

/* With end_holders again and again: those of a shared role that are well come back at once. */
static bool lock_patiently(RoleLock *lock, bool end_holders, bool *granted, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    for (;;) {
        if (!try_lock(lock, granted, error))
            return false;
        if (*granted || g_get_monotonic_time() >= deadline)
            return true;
        if (end_holders && !end_sessions(lock, embedded_end_holders, lock->key, error))
            return false;
        if (!end_holders)
            g_usleep(PAUSE);
    }
}

static bool end_orphans(RoleLock *lock, GError **error)
{
    g_autofree char *label = g_strdup_printf("drover %s %s", lock->migration->name, lock->role);
    if (strlen(label) > MAX_APPLICATION_NAME)
        label[MAX_APPLICATION_NAME] = '\0';
    return end_sessions(lock, embedded_end_orphans, label, error);
}

/* --- Who has it ------------------------------------------------------------------------------- */

static PGresult *ask_holders(Target *target, const Migration *migration, const char *const *roles,
                             GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    g_autoptr(GString) keys = g_string_new("{");
    text_array_append(names, roles);
    for (guint i = 0; roles[i] != NULL; i++) {
        g_autofree char *key = lock_key(migration, roles[i]);
        g_string_append_printf(keys, "%s%s", i > 0 ? "," : "", key);
    }
    g_string_append_c(keys, '}');
    const char *const values[] = {names->str, keys->str, migration->name};
    return pg_query_params(target->connection, embedded_lock_holders, 3, values, error);
}

Answer *target_role_holders(Target *target, const Migration *migration, const char *const *roles,
                            GError **error)
{
    g_autoptr(PGresult) result = ask_holders(target, migration, roles, error);
    if (result != NULL)
        return pg_answer(result);
    g_prefix_error(error, "%s: ", target->label);
    return NULL;
}

/* NO, and who has the lock. */
static bool refuse(RoleLock *lock, GError **error)
{
    const char *const roles[] = {lock->role, NULL};
    g_autoptr(PGresult) result = ask_holders(lock->target, lock->migration, roles, error);
    if (result == NULL)
        return false;
    g_autoptr(GString) who = g_string_new(NULL);
    for (int i = 0; i < PQntuples(result); i++) {
        g_string_append(who, i > 0 ? ", " : "");
        if (!PQgetisnull(result, i, 1))
            g_string_append_printf(who, "%s since %s (", PQgetvalue(result, i, 1),
                                   PQgetvalue(result, i, 2));
        g_string_append_printf(who, "session %s", PQgetvalue(result, i, 4));
        g_string_append(who, PQgetisnull(result, i, 1) ? "" : ")");
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "the role \"%s\" of migration \"%s\" is held by %s: it is already running; if that "
                "process is half dead, --take-over ends its sessions",
                lock->role, lock->migration->name,
                who->len > 0 ? who->str : "a session that has just ended");
    return false;
}

/* --- Taking it -------------------------------------------------------------------------------- */

static bool stop_being_alone(RoleLock *lock, GError **error)
{
    const char *const values[] = {lock->key};
    g_autoptr(PGresult) result =
        pg_query_params(lock->target->connection, embedded_lock_share_only, 1, values, error);
    return result != NULL;
}

static bool take(RoleLock *lock, bool take_over, GError **error)
{
    bool granted = false;
    if (!lock_patiently(lock, take_over, &granted, error))
        return false;
    if (!granted)
        return refuse(lock, error);
    return lock->hold == HOLD_SHARED ? stop_being_alone(lock, error) : end_orphans(lock, error);
}

bool target_lock_role(Target *target, const Migration *migration, const char *role, RoleHold hold,
                      bool take_over, GError **error)
{
    RoleLock lock = {target, migration, role, hold, lock_key(migration, role)};
    bool ok = take(&lock, take_over, error);
    if (!ok)
        g_prefix_error(error, "%s: ", target->label);
    g_free(lock.key);
    return ok;
}
