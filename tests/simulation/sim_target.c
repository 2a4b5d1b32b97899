#include "tests/simulation/sim_target.h"

#include "proto/error.h"
#include "tests/simulation/statements.h"
#include "tests/simulation/world.h"

#include <string.h>

struct Target {
    Session *session;
    bool lost;
    const Table *copying;
    gint64 copied;
};

/* ---- sessions ---- */

static bool fail_lost(Target *target, GError **error)
{
    target->lost = true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "target: the connection is lost");
    return false;
}

/* A connection that is lost leaves the session behind, until the server notices. */
static bool target_call(Target *target, const char *what, GError **error)
{
    if (!call_begin(what, error)) {
        target->lost = true;
        return false;
    }
    if (target->lost || target->session->ended)
        return fail_lost(target, error);
    return true;
}

static bool target_answer(Target *target, GError **error)
{
    bool answered = call_end(error);
    target->lost |= !answered;
    return answered;
}

static Target *sim_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint;
    if (!call_begin("target.connect", error) || !call_end(error))
        return NULL;
    Target *target = g_new0(Target, 1);
    target->session = session_new(label);
    return target;
}

static void sim_close(Target *target)
{
    const Process *process = process_current();
    session_leave(target->session, target->lost || (process != NULL && process->killed));
    g_free(target);
}

bool sim_target_is_lost(const Target *target)
{
    return target->lost;
}

static bool sim_prepare_writes(Target *target, GError **error)
{
    return target_call(target, "target.prepare_writes", error) && target_answer(target, error);
}

static Role role_number(const char *name)
{
    Role role = 0;
    while (!g_str_equal(role_name(role), name))
        role++;
    return role;
}

/* Sessions that are to be ended may be left, where the weather is so: then epochs alone must do. */
static bool sim_lock_role(Target *target, const Migration *migration, const char *name,
                          RoleHold how, bool take_over, GError **error)
{
    Role role = role_number(name);
    Session *session = target->session, *holder;
    RoleLock hold = how == HOLD_ALONE ? HELD_ALONE : HELD_SHARED;
    (void)migration;
    if (!target_call(target, take_over ? "target.lock_role, take over" : "target.lock_role", error))
        return false;
    while ((holder = store_role_holder(role, hold, session)) != NULL && take_over) {
        COVER(take_over);
        session_end(holder);
    }
    if (holder != NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "target: the role %s is held", name);
        return false;
    }
    if (hold == HELD_ALONE && chance(world.weather.sessions_end))
        store_end_role(name, session);
    session->holds[role] = hold == HELD_ALONE ? session->holds[role] | HELD_ALONE : HELD_SHARED;
    return target_answer(target, error);
}

/* ---- statements ---- */

static Answer *done(Target *target, Answer *answer, GError **error)
{
    if (answer != NULL && target_answer(target, error))
        return answer;
    answer_free(answer);
    return NULL;
}

static Answer *begin(Target *target, GError **error)
{
    if (target->session->open)
        world_fail("begin inside a transaction");
    session_begin(target->session);
    return done(target, statement_answer(0, 0, -1), error);
}

/* The commit of a failed transaction is a rollback. */
static Answer *commit(Target *target, GError **error)
{
    Session *session = target->session;
    if (!session->open)
        world_fail("commit outside of a transaction");
    bool failed = session->failed;
    if (failed) {
        session_rollback(session);
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "target: it was rolled back");
        return NULL;
    }
    if (session->owner != NULL && session->owner->killed)
        COVER(killed_after_commit);
    if (session->writes > 1)
        COVER(transaction_is_written_in_pieces);
    session_commit(session);
    return done(target, statement_answer(0, 0, -1), error);
}

static Answer *rollback(Target *target, GError **error)
{
    if (target->session->open && target->session->writes > 0)
        COVER(written_pieces_are_rolled_back);
    session_rollback(target->session);
    return done(target, statement_answer(0, 0, -1), error);
}

/* After a failed statement a transaction takes no other. */
static bool check_transaction(Session *session, GError **error)
{
    if (!session->open || !session->failed)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "target: the transaction has failed");
    return false;
}

/* Disk full, a serialization failure, a statement that was cancelled. */
static bool statement_fails(Session *session, GError **error)
{
    if (world.calm || process_current() == NULL || !one_in(3 * world.weather.call_fails))
        return false;
    COVER(statement_fails);
    trace("   ... the statement fails");
    session->failed = true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "target: could not serialize access");
    return true;
}

static Answer *run(Target *target, const char *sql, const char *const *values, GError **error)
{
    Session *session = target->session;
    g_autofree char *column = NULL;
    const Statement *statement = statement_find(sql, &column);
    if (!check_transaction(session, error) || statement_fails(session, error))
        return NULL;
    Answer *answer = statement_run(statement, session, column, values, error);
    if (answer == NULL) {
        session->failed = true;
        if (!session->open)
            session_rollback(session);
        return NULL;
    }
    session_autocommit(session);
    return done(target, answer, error);
}

static Answer *sim_execute(Target *target, const char *sql, guint n_values,
                           const char *const *values, GError **error)
{
    g_autofree char *column = NULL;
    const char *name = sql;
    bool plain =
        g_str_equal(sql, "begin") || g_str_equal(sql, "commit") || g_str_equal(sql, "rollback");
    (void)n_values;
    if (!plain)
        name = statement_find(sql, &column)->name;
    if (!target_call(target, name, error))
        return NULL;
    if (g_str_equal(sql, "begin"))
        return begin(target, error);
    if (g_str_equal(sql, "commit"))
        return commit(target, error);
    return plain ? rollback(target, error) : run(target, sql, values, error);
}

/* ---- rows of the moved tables ---- */

static StoredRow *change_data(Session *session, guint table, guint key, GError **error)
{
    return store_change(session, row_of_key(ROW_DATA, table, key), error);
}

static const StoredRow *data_row(const Session *session, guint table, guint key)
{
    return store_row(session, row_of_key(ROW_DATA, table, key));
}

static bool empty_table(Session *session, guint table, GError **error)
{
    COVER(table_is_truncated);
    for (guint key = 0; key < SIM_KEYS; key++) {
        StoredRow *row = change_data(session, table, key, error);
        if (row == NULL)
            return false;
        row->exists = false;
    }
    return true;
}

/* What the rows were when the batch came, for unchanged cells. */
typedef struct Before {
    Image images[SIM_KEYS];
} Before;

static void look_before(const Session *session, guint table, Before *before)
{
    for (guint key = 0; key < SIM_KEYS; key++) {
        const StoredRow *row = data_row(session, table, key);
        before->images[key] = row->of.image;
        before->images[key].there = row->exists;
    }
}

static bool write_row(Session *session, guint table, NetRow *net, const Before *before,
                      bool consistent, GError **error)
{
    guint key = rows_key_of(table, &net->key);
    const Image *base = NULL;
    StoredRow *row = change_data(session, table, key, error);
    if (row == NULL)
        return false;
    net->missing = false;
    if (net->kind != NET_DELETE && net->base_key.n_cells > 0) {
        guint base_key = rows_key_of(table, &net->base_key);
        base = &before->images[base_key];
        net->missing = !base->there;
        if (net->missing)
            COVER(partial_image_finds_no_row);
        else
            COVER(partial_image_is_completed);
        if (base_key != key)
            COVER(cells_move_to_another_key);
    }
    if (net->kind == NET_INSERT && consistent && before->images[key].there) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                    "target: key %u of t%u exists and is inserted", key, table + 1);
        return false;
    }
    row->exists = net->kind != NET_DELETE && !net->missing;
    if (row->exists)
        row->of.image = rows_image_of(table, &net->row, base);
    return true;
}

static bool sim_write(Target *target, NetTable *tables, guint n_tables, bool consistent,
                      GError **error)
{
    Session *session = target->session;
    if (!target_call(target, "target.write", error) || !check_transaction(session, error) ||
        statement_fails(session, error))
        return false;
    if (!session->open)
        world_fail("write outside of a transaction");
    for (guint i = 0; i < n_tables; i++) {
        guint table = tables[i].table->id - 1;
        Before before;
        if (tables[i].truncated && !empty_table(session, table, error))
            return false;
        look_before(session, table, &before);
        for (guint r = 0; r < tables[i].n_rows; r++)
            if (!write_row(session, table, tables[i].rows[r], &before, consistent, error))
                return false;
    }
    session->writes++;
    return target_answer(target, error);
}

/* ---- copy ---- */

static bool sim_copy_begin(Target *target, const Table *table, GError **error)
{
    if (!target_call(target, "target.copy_begin", error) ||
        !check_transaction(target->session, error))
        return false;
    if (!target->session->open)
        world_fail("copy outside of a transaction");
    target->session->unflushed = true;
    target->copying = table;
    target->copied = 0;
    return target_answer(target, error);
}

static bool sim_copy_data(Target *target, const guint8 *data, gsize size, GError **error)
{
    Session *session = target->session;
    Row row;
    if (!target_call(target, "target.copy_data", error))
        return false;
    guint table = target->copying->id - 1;
    if (!row_unpack(data, size, target->copying->n_columns, &row))
        world_fail("a copied row of t%u cannot be read", table + 1);
    guint key = rows_key_of_row(table, &row);
    StoredRow *stored = &session->rows[row_of_key(ROW_DATA, table, key)];
    stored->exists = true;
    stored->of.image = rows_image_of(table, &row, NULL);
    g_free(row.cells);
    session->inserted[table][key]++;
    session->changed = true;
    target->copied++;
    return target_answer(target, error);
}

static bool sim_copy_end(Target *target, gint64 *rows, GError **error)
{
    if (!target_call(target, "target.copy_end", error))
        return false;
    *rows = target->copied;
    return target_answer(target, error);
}

const TargetOps sim_target_ops = {.engine = "simulation",
                                  .connect = sim_connect,
                                  .close = sim_close,
                                  .execute = sim_execute,
                                  .lock_role = sim_lock_role,
                                  .prepare_writes = sim_prepare_writes,
                                  .copy_begin = sim_copy_begin,
                                  .copy_data = sim_copy_data,
                                  .copy_end = sim_copy_end,
                                  .write = sim_write};

/* ---- what was committed ---- */

bool sim_target_has_lease(const char *role, guint64 epoch)
{
    for (guint row = ROW_LEASE; row < ROW_LEASE + N_LEASES; row++) {
        const StoredRow *lease = store_row(NULL, row);
        if (lease->exists && g_str_equal(lease->of.lease.role, role) &&
            lease->of.lease.epoch == epoch)
            return true;
    }
    return false;
}

guint64 sim_target_position(void)
{
    Position position;
    if (!position_parse(store_row(NULL, ROW_PROGRESS)->of.progress.position, &position))
        world_fail("apply's progress cannot be read");
    return position.major;
}

const char *sim_target_phase(void)
{
    return store_row(NULL, ROW_MIGRATION)->of.migration.phase;
}
