/* Leases, and the rows of workers with their epochs and progress. */
#include "tests/simulation/statements_inside.h"

#include "schema/sql/embedded.h"
#include "tests/simulation/world.h"

#include <string.h>

static Role role_of(const char *name)
{
    for (guint role = 0; role < N_ROLES; role++)
        if (g_str_equal(role_name(role), name))
            return role;
    world_fail("the target is asked for the role \"%s\"", name);
}

/* ---- names ---- */

/* Rows with names: leases, and the progress of workers. */
typedef struct Names {
    guint first, n, reserved; /* rows; of them have their names for good */
    bool of_workers;
} Names;

static const Names leases = {ROW_LEASE, N_LEASES, N_ROLES, false};
static const Names workers = {ROW_PROGRESS, N_WORKERS, 1, true};

static const char *name_of(const Session *session, const Names *names, guint row)
{
    const StoredRow *stored = store_row(session, row);
    return names->of_workers ? stored->of.progress.worker : stored->of.lease.role;
}

/* The row of a name that is there; 0: none. */
static guint find_named(const Session *session, const Names *names, const char *name)
{
    for (guint row = names->first; row < names->first + names->n; row++)
        if (store_row(session, row)->exists && g_str_equal(name_of(session, names, row), name))
            return row;
    return 0;
}

/* The row of a name, for a row that may be new. */
static guint place_named(Session *session, const Names *names, const char *name)
{
    guint row = find_named(session, names, name);
    if (row != 0)
        return row;
    if (g_str_equal(name, "apply") && names->of_workers)
        return ROW_PROGRESS;
    for (guint role = 0; role < N_ROLES && !names->of_workers; role++)
        if (g_str_equal(role_name(role), name))
            return ROW_LEASE + role;
    for (row = names->first + names->reserved; row < names->first + names->n; row++)
        if (!store_row(session, row)->exists && !store_is_locked(session, row, LOCK_CHANGE) &&
            !session->own[row])
            return row;
    world_fail("the simulated target has no room for \"%s\"", name);
}

/* Is it a name of the role's sharers, "copy-..."? */
static bool is_of_sharer(const char *name, const char *role)
{
    gsize length = strlen(role);
    return strncmp(name, role, length) == 0 && name[length] == '-';
}

/* ---- roles and epochs ---- */

/* The highest epoch that the migration has seen. */
static guint64 highest_epoch(const Session *session)
{
    guint64 highest = 0;
    for (guint row = ROW_LEASE; row < ROW_LEASE + N_LEASES; row++)
        if (store_row(session, row)->exists)
            highest = MAX(highest, store_row(session, row)->of.lease.epoch);
    for (guint row = ROW_PROGRESS; row < ROW_PROGRESS + N_WORKERS; row++)
        if (store_row(session, row)->exists)
            highest = MAX(highest, store_row(session, row)->of.progress.epoch);
    return highest;
}

static Answer *write_lease(Session *session, guint row, const char *role, guint64 epoch,
                           GError **error)
{
    StoredRow *lease = store_change(session, row, error);
    if (lease == NULL)
        return NULL;
    lease->exists = true;
    SET_TEXT(lease->of.lease.role, role);
    lease->of.lease.epoch = epoch;
    lease->of.lease.session = session->number;
    Answer *answer = answer_add_row(statement_answer(0, 1, 1));
    answer_put_number(answer, 0, epoch);
    return answer;
}

static Answer *take_lease(Session *session, const char *const *values, GError **error)
{
    return write_lease(session, ROW_LEASE + role_of(values[1]), values[1],
                       highest_epoch(session) + 1, error);
}

static Answer *join_lease(Session *session, const char *const *values, GError **error)
{
    guint64 epoch = highest_epoch(session) + 1;
    g_autofree char *role = g_strdup_printf("%s-%" G_GUINT64_FORMAT, values[1], epoch);
    COVER(role_is_shared);
    return write_lease(session, place_named(session, &leases, role), role, epoch, error);
}

static Answer *forget_sharers(Session *session, const char *const *values, GError **error)
{
    gint64 affected = 0;
    for (guint row = ROW_LEASE; row < ROW_LEASE + N_LEASES; row++) {
        if (!store_row(session, row)->exists ||
            !is_of_sharer(name_of(session, &leases, row), values[1]))
            continue;
        StoredRow *lease = store_change(session, row, error);
        if (lease == NULL)
            return NULL;
        lease->exists = false;
        affected++;
    }
    return statement_answer(0, 0, affected);
}

static Answer *sweep_leases(Session *session, const char *const *values, GError **error)
{
    gint64 affected = 0;
    for (guint row = ROW_LEASE; row < ROW_LEASE + N_LEASES; row++) {
        const StoredRow *seen = store_row(session, row);
        if (!seen->exists || !is_of_sharer(seen->of.lease.role, values[1]) ||
            store_holds_any_lock(seen->of.lease.session))
            continue;
        StoredRow *lease = store_change(session, row, error);
        if (lease == NULL)
            return NULL;
        COVER(lease_is_swept);
        lease->exists = false;
        affected++;
    }
    return statement_answer(0, 0, affected);
}

/* Those that are locked are skipped. */
static Answer *idle_workers(Session *session, const char *const *values, GError **error)
{
    Answer *answer = statement_answer(0, 1, -1);
    for (guint row = ROW_PROGRESS; row < ROW_PROGRESS + N_WORKERS; row++) {
        const StoredRow *seen = store_row(session, row);
        g_autofree char *lease =
            g_strdup_printf("%s-%" G_GUINT64_FORMAT, values[1], seen->of.progress.epoch);
        if (!seen->exists || !is_of_sharer(seen->of.progress.worker, values[1]) ||
            find_named(session, &leases, lease) != 0 || store_is_locked(session, row, LOCK_CHANGE))
            continue;
        store_lock(session, row, LOCK_CHANGE, error);
        answer_put(answer_add_row(answer), 0, seen->of.progress.worker);
    }
    return answer;
}

static Answer *remove_worker(Session *session, const char *const *values, GError **error)
{
    StoredRow *row = store_change(session, find_named(session, &workers, values[1]), error);
    if (row == NULL)
        return NULL;
    row->exists = false;
    return statement_answer(0, 0, 1);
}

static Answer *give_epoch(Session *session, const char *const *values, GError **error)
{
    gint64 affected = 0;
    for (guint row = ROW_PROGRESS; row < ROW_PROGRESS + N_WORKERS; row++) {
        const char *worker = name_of(session, &workers, row);
        if (!store_row(session, row)->exists ||
            !(g_str_equal(worker, values[1]) || is_of_sharer(worker, values[1])))
            continue;
        StoredRow *progress = store_change(session, row, error);
        if (progress == NULL)
            return NULL;
        progress->of.progress.epoch = number_of(values[2]);
        affected++;
    }
    return statement_answer(0, 0, affected);
}

static Answer *check_leases(Session *session, const char *const *values, GError **error)
{
    Answer *answer = statement_answer(0, 2, -1);
    for (guint i = 1; i <= 2; i++) {
        guint row = find_named(session, &leases, values[i]);
        if (row == 0)
            continue;
        if (!store_lock(session, row, LOCK_SHARE, error)) {
            answer_free(answer);
            return NULL;
        }
        const StoredRow *lease = store_row(session, row);
        if (!lease->exists || !g_str_equal(lease->of.lease.role, values[i]))
            continue; /* it went while it was waited for */
        answer_put(answer_add_row(answer), 0, lease->of.lease.role);
        answer_put_number(answer, 1, lease->of.lease.epoch);
    }
    return answer;
}

static Answer *register_worker(Session *session, const char *const *values, GError **error)
{
    StoredRow *row = store_change(session, place_named(session, &workers, values[1]), error);
    if (row == NULL)
        return NULL;
    StoredProgress *progress = &row->of.progress;
    guint64 epoch = number_of(values[2]);
    if (row->exists && progress->epoch > epoch)
        return statement_answer(0, 0, 0);
    if (!row->exists) {
        *progress = (StoredProgress){.sequence = "0", .digest = "0", .bus_epoch = "0"};
        SET_TEXT(progress->worker, values[1]);
    }
    row->exists = true;
    progress->epoch = epoch;
    return statement_answer(0, 0, 1);
}

static Answer *write_begin(Session *session, const char *const *values, GError **error)
{
    guint number = find_named(session, &workers, values[1]);
    guint64 epoch = number_of(values[2]);
    /* The row is locked only where it matches; after the wait it is looked at again. */
    if (number == 0 || store_row(session, number)->of.progress.epoch != epoch)
        return statement_answer(0, 0, 0);
    StoredRow *row = store_change(session, number, error);
    if (row == NULL)
        return NULL;
    if (!row->exists || row->of.progress.epoch != epoch ||
        !g_str_equal(row->of.progress.worker, values[1]))
        return statement_answer(0, 0, 0);
    row->of.progress.writes++;
    return statement_answer(0, 0, 1);
}

/* ---- progress ---- */

static Answer *progress_get(Session *session, const char *const *values, GError **error)
{
    (void)error;
    guint row = find_named(session, &workers, values[1]);
    const StoredProgress *progress = &store_row(session, row)->of.progress;
    Answer *answer = statement_answer(0, 5, -1);
    if (row == 0)
        return answer;
    answer_add_row(answer);
    answer_put(answer, 0, progress->position);
    answer_put(answer, 1, progress->sequence);
    answer_put(answer, 2, progress->digest);
    answer_put(answer, 3, progress->time);
    answer_put(answer, 4, progress->bus_epoch);
    return answer;
}

static Answer *progress_reached(Session *session, const char *const *values, GError **error)
{
    (void)error;
    guint row = find_named(session, &workers, values[1]);
    Answer *answer = statement_answer(0, 2, -1);
    if (row == 0)
        return answer;
    answer_add_row(answer);
    answer_put(answer, 0, store_row(session, row)->of.progress.position);
    answer_put(answer, 1, store_row(session, row)->of.progress.resume);
    return answer;
}

static Answer *progress_set(Session *session, const char *const *values, GError **error)
{
    guint number = find_named(session, &workers, values[1]);
    if (number == 0)
        return statement_answer(0, 0, 0);
    StoredRow *row = store_change(session, number, error);
    if (row == NULL)
        return NULL;
    StoredProgress *progress = &row->of.progress;
    SET_TEXT(progress->position, values[2]);
    SET_TEXT(progress->sequence, values[3]);
    SET_TEXT(progress->digest, values[4]);
    SET_TEXT(progress->time, values[5]);
    SET_TEXT(progress->bus_epoch, values[6]);
    SET_TEXT(progress->resume, values[7] != NULL ? values[7] : "");
    return statement_answer(0, 0, 1);
}

const Statement statements_of_roles[] = {
    {"take_lease", embedded_control_take_lease, take_lease},
    {"give_epoch", embedded_control_give_epoch, give_epoch},
    {"check_leases", embedded_control_check_leases, check_leases},
    {"join_lease", embedded_control_join_lease, join_lease},
    {"forget_sharers", embedded_control_forget_sharers, forget_sharers},
    {"sweep_leases", embedded_control_sweep_leases, sweep_leases},
    {"idle_workers", embedded_control_idle_workers, idle_workers},
    {"removal of a worker", "delete from drover.progress where migration = $1 and worker = $2",
     remove_worker},
    {"register_worker", embedded_control_register_worker, register_worker},
    {"write_begin", embedded_control_write_begin, write_begin},
    {"progress_get", embedded_control_progress_get, progress_get},
    {"progress_reached", embedded_control_progress_reached, progress_reached},
    {"progress_set", embedded_control_progress_set, progress_set},
    {NULL, NULL, NULL},
};
