/* The ledger of the copy, the states of tables, the end of the copy. */
#include "tests/simulation/statements_inside.h"

#include "proto/error.h"
#include "schema/sql/embedded.h"
#include "tests/simulation/world.h"

/* Elements of {NULL,"..."}; NULL is "". */
static GPtrArray *elements_of(const char *literal)
{
    GPtrArray *elements = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) element = g_string_new(NULL);
    bool quoted = false, was_quoted = false;
    for (const char *p = literal + 1; *p != '\0'; p++) {
        if (*p == '\\') {
            g_string_append_c(element, *++p);
        } else if (*p == '"') {
            quoted = !quoted;
            was_quoted = true;
        } else if (!quoted && (*p == ',' || *p == '}')) {
            g_ptr_array_add(elements, g_strdup(was_quoted ? element->str : ""));
            g_string_truncate(element, 0);
            was_quoted = false;
        } else {
            g_string_append_c(element, *p);
        }
    }
    return elements;
}

static Answer *chunks_add(Session *session, const char *const *values, GError **error)
{
    guint table = table_of(values[1]), first = (guint)number_of(values[2]) + 1;
    g_autoptr(GPtrArray) lower = elements_of(values[3]);
    g_autoptr(GPtrArray) upper = elements_of(values[4]);
    for (guint i = 0; i < lower->len; i++) {
        StoredRow *row = store_change(session, row_of_key(ROW_CHUNK, table, first + i - 1), error);
        if (row == NULL)
            return NULL;
        if (row->exists) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "target: the chunk exists");
            return NULL;
        }
        row->exists = true;
        SET_TEXT(row->of.chunk.lower, g_ptr_array_index(lower, i));
        SET_TEXT(row->of.chunk.upper, g_ptr_array_index(upper, i));
    }
    return statement_answer(0, 0, lower->len);
}

/* A chunk that others have locked is passed over. */
static Answer *chunk_claim(Session *session, const char *const *values, GError **error)
{
    (void)values;
    Answer *answer = statement_answer(0, 4, -1);
    for (guint row = ROW_CHUNK; row < ROW_REFETCH; row++) {
        const StoredChunk *chunk = &store_row(session, row)->of.chunk;
        if (!store_row(session, row)->exists || chunk->done)
            continue;
        if (store_is_locked(session, row, LOCK_CHANGE)) {
            COVER(claimed_chunk_is_skipped);
            continue;
        }
        store_lock(session, row, LOCK_CHANGE, error);
        answer_put_number(answer_add_row(answer), 0, (row - ROW_CHUNK) / SIM_KEYS + 1);
        answer_put_number(answer, 1, (row - ROW_CHUNK) % SIM_KEYS + 1);
        answer_put(answer, 2, chunk->lower);
        answer_put(answer, 3, chunk->upper);
        break;
    }
    return answer;
}

static bool has_todo(const Session *session, guint table)
{
    for (guint c = 0; c < SIM_KEYS; c++) {
        const StoredRow *row = store_row(session, row_of_key(ROW_CHUNK, table, c));
        if (row->exists && !row->of.chunk.done)
            return true;
    }
    return false;
}

static Answer *chunk_done(Session *session, const char *const *values, GError **error)
{
    guint table = table_of(values[1]);
    StoredRow *row =
        store_change(session, row_of_key(ROW_CHUNK, table, (guint)number_of(values[2]) - 1), error);
    if (row == NULL)
        return NULL;
    Answer *answer = answer_add_row(statement_answer(0, 2, -1));
    bool finished = row->exists && !row->of.chunk.done;
    if (finished) {
        row->of.chunk.done = true;
        SET_TEXT(row->of.chunk.high, values[6]);
    }
    answer_put_number(answer, 0, finished);
    answer_put(answer, 1, has_todo(session, table) ? "t" : "f");
    return answer;
}

static Answer *copy_state(Session *session, const char *const *values, GError **error)
{
    (void)values, (void)error;
    Answer *answer = statement_answer(0, 2, -1);
    for (guint row = ROW_CHUNK; row < ROW_REFETCH; row++) {
        const StoredRow *chunk = store_row(session, row);
        if (!chunk->exists)
            continue;
        answer_put(answer_add_row(answer), 0, chunk->of.chunk.high);
        answer_put_number(answer, 1, !chunk->of.chunk.done);
    }
    return answer;
}

static const char *state_of(const Session *session, guint table)
{
    return store_row(session, ROW_TABLE + table)->of.table.state;
}

/* The first table that suits and that nobody else has locked. */
static Answer *claim_table(Session *session, bool (*suits)(const Session *session, guint table),
                           GError **error)
{
    Answer *answer = statement_answer(0, 1, -1);
    for (guint t = 0; t < SIM_TABLES && answer->n_rows == 0; t++) {
        if (!suits(session, t) || store_is_locked(session, ROW_TABLE + t, LOCK_CHANGE))
            continue;
        store_lock(session, ROW_TABLE + t, LOCK_CHANGE, error);
        answer_put_number(answer_add_row(answer), 0, t + 1);
    }
    return answer;
}

static bool is_planned(const Session *session, guint table)
{
    return g_str_equal(state_of(session, table), "planned");
}

static bool lacks_key(const Session *session, guint table)
{
    return (g_str_equal(state_of(session, table), "copying") ||
            g_str_equal(state_of(session, table), "copied")) &&
           !has_todo(session, table);
}

static Answer *plan_claim(Session *session, const char *const *values, GError **error)
{
    (void)values;
    return claim_table(session, is_planned, error);
}

static Answer *key_claim(Session *session, const char *const *values, GError **error)
{
    (void)values;
    return claim_table(session, lacks_key, error);
}

static Answer *copy_left(Session *session, const char *const *values, GError **error)
{
    (void)values, (void)error;
    guint plans = 0, tables = 0;
    for (guint t = 0; t < SIM_TABLES; t++) {
        plans += is_planned(session, t);
        tables += !g_str_equal(state_of(session, t), "keyed");
    }
    Answer *answer = answer_add_row(statement_answer(0, 2, -1));
    answer_put_number(answer, 0, plans);
    answer_put_number(answer, 1, tables);
    return answer;
}

/* Only for a message. */
static Answer *copy_held(Session *session, const char *const *values, GError **error)
{
    (void)session, (void)values, (void)error;
    return statement_answer(0, 1, -1);
}

static Answer *lock_migration(Session *session, const char *const *values, GError **error)
{
    (void)values;
    if (!store_lock(session, ROW_MIGRATION, LOCK_CHANGE, error))
        return NULL;
    Answer *answer = answer_add_row(statement_answer(0, 1, -1));
    answer_put(answer, 0, store_row(session, ROW_MIGRATION)->of.migration.phase);
    return answer;
}

static Answer *snapshot_forget(Session *session, const char *const *values, GError **error)
{
    if (!g_str_equal(store_row(session, ROW_MIGRATION)->of.migration.snapshot, values[1]))
        return statement_answer(0, 0, 0);
    StoredRow *row = store_change(session, ROW_MIGRATION, error);
    if (row == NULL)
        return NULL;
    SET_TEXT(row->of.migration.snapshot, "");
    return statement_answer(0, 0, 1);
}

static Answer *table_state(Session *session, const char *const *values, GError **error)
{
    StoredRow *row = store_change(session, ROW_TABLE + table_of(values[1]), error);
    if (row == NULL)
        return NULL;
    SET_TEXT(row->of.table.state, values[2]);
    return statement_answer(0, 0, 1);
}

static Answer *table_in_doubt(Session *session, const char *const *values, GError **error)
{
    StoredRow *row = store_change(session, ROW_TABLE + table_of(values[1]), error);
    if (row == NULL)
        return NULL;
    COVER(table_is_in_doubt);
    row->of.table.in_doubt = true;
    return statement_answer(0, 0, 1);
}

/* The target has its tables, and their keys are no steps of drover.ddl. */
static Answer *no_ddl_step(Session *session, const char *const *values, GError **error)
{
    (void)session, (void)values, (void)error;
    return statement_answer(0, 4, -1);
}

const Statement statements_of_copy[] = {
    {"chunks_add", embedded_control_chunks_add, chunks_add},
    {"chunk_claim", embedded_control_chunk_claim, chunk_claim},
    {"plan_claim", embedded_control_plan_claim, plan_claim},
    {"key_claim", embedded_control_key_claim, key_claim},
    {"copy_held", embedded_control_copy_held, copy_held},
    {"copy_left",
     "select count(case when state = 'planned' then 1 end), count(*) from drover.tables "
     "where migration = $1 and state in ('planned', 'copying', 'copied')",
     copy_left},
    {"lock_migration", embedded_control_lock_migration, lock_migration},
    {"snapshot_forget",
     "update drover.migration set snapshot = null where name = $1 and snapshot = $2",
     snapshot_forget},
    {"chunk_done", embedded_control_chunk_done, chunk_done},
    {"copy_state", embedded_control_copy_state, copy_state},
    {"table_state", embedded_control_table_state, table_state},
    {"table in doubt", "update drover.tables set in_doubt = $3 where migration = $1 and id = $2",
     table_in_doubt},
    {"ddl steps of a table",
     "select step, kind, name, statement from drover.ddl where migration = $1 and not done and "
     "kind in ($2) and table_id = $3 order by step for update",
     no_ddl_step},
    {NULL, NULL, NULL},
};
