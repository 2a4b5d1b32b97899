/*
 * The copy's ledger: drover.chunk, and what drover.tables says about the copy.
 */
#include "proto/error.h"
#include "schema/control.h"
#include "schema/control_internal.h"
#include "schema/sql/embedded.h"
#include "schema/text_array.h"

#include <jansson.h>
#include <stdlib.h>

/* Ranges a statement. */
#define RANGES_AT_ONCE 1000

/* A bound is an array literal, and one element of the list of bounds. */
static void append_bound(GString *list, char *const *bound)
{
    if (list->len > 1) {
        g_string_append_c(list, ',');
    }
    if (bound == NULL) {
        g_string_append(list, "NULL");
        return;
    }
    g_autoptr(GString) literal = g_string_new(NULL);
    text_array_append(literal, (const char *const *)bound);
    text_array_append_element(list, literal->str);
}

/* Lower bounds, upper bounds: an array each. */
static bool add_by_arrays(Control *control, guint32 table, const GArray *ranges, guint first,
                          guint n, GError **error)
{
    g_autoptr(GString) lower = g_string_new("{");
    g_autoptr(GString) upper = g_string_new("{");
    for (guint i = first; i < first + n; i++) {
        const KeyRange *range = &g_array_index(ranges, KeyRange, i);
        append_bound(lower, range->lower);
        append_bound(upper, range->upper);
    }
    g_string_append_c(lower, '}');
    g_string_append_c(upper, '}');
    char id[NUMBER_TEXT_SIZE], before[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, number_text(table, id),
                            number_text(first, before), lower->str, upper->str};
    return control_run(control, embedded_control_chunks_add, 5, values, NULL, error);
}

static json_t *bound_json(char *const *bound)
{
    if (bound == NULL) {
        return json_null();
    }
    g_autoptr(GString) literal = g_string_new(NULL);
    text_array_append(literal, (const char *const *)bound);
    return json_string(literal->str);
}

/* NULL where a bound is no text of UTF-8. */
static char *ranges_json(const GArray *ranges, guint first, guint n)
{
    json_t *list = json_array();
    bool good = true;
    for (guint i = first; i < first + n; i++) {
        const KeyRange *range = &g_array_index(ranges, KeyRange, i);
        json_t *both = json_array();
        good = json_array_append_new(both, bound_json(range->lower)) == 0 &&
               json_array_append_new(both, bound_json(range->upper)) == 0 && good;
        json_array_append_new(list, both);
    }
    char *text = good ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

/* A JSON list a chunk. */
static bool add_by_json(Control *control, guint32 table, const GArray *ranges, guint first, guint n,
                        GError **error)
{
    char id[NUMBER_TEXT_SIZE], before[NUMBER_TEXT_SIZE];
    char *list = ranges_json(ranges, first, n);
    const char *values[] = {control->migration->name, number_text(table, id),
                            number_text(first, before), list};
    if (list == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                    "the bound of a chunk is no text of UTF-8");
        return false;
    }
    bool added = control_run(control, embedded_control_chunks_add_mysql, 4, values, NULL, error);
    free(list);
    return added;
}

static bool add_some(Control *control, guint32 table, const GArray *ranges, guint first, guint n,
                     GError **error)
{
    return control_is_mysql(control) ? add_by_json(control, table, ranges, first, n, error)
                                     : add_by_arrays(control, table, ranges, first, n, error);
}

bool control_chunks_add(Control *control, guint32 table, const GArray *ranges, GError **error)
{
    for (guint first = 0; first < ranges->len; first += RANGES_AT_ONCE) {
        if (!add_some(control, table, ranges, first, MIN(RANGES_AT_ONCE, ranges->len - first),
                      error)) {
            g_prefix_error(error, "writing the chunks of table %u: ", table);
            return false;
        }
    }
    return true;
}

void chunk_free(Chunk *chunk)
{
    if (chunk != NULL) {
        key_range_clear(&chunk->range);
        g_free(chunk);
    }
}

static bool read_bound(const char *literal, char ***bound, GError **error)
{
    if (literal == NULL) {
        return true;
    }
    *bound = text_array_parse(literal);
    if (*bound == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "drover.chunk holds \"%s\" where the bound of a chunk is due", literal);
    }
    return *bound != NULL;
}

static bool read_chunk(const Answer *answer, Chunk *chunk, GError **error)
{
    guint64 table, number;
    if (!number_read(answer_get(answer, 0, 0), 10, &table, error) ||
        !number_read(answer_get(answer, 0, 1), 10, &number, error) ||
        !read_bound(answer_get(answer, 0, 2), &chunk->range.lower, error) ||
        !read_bound(answer_get(answer, 0, 3), &chunk->range.upper, error)) {
        return false;
    }
    chunk->table = (guint32)table;
    chunk->number = (guint32)number;
    return true;
}

bool control_chunk_claim(Control *control, Chunk **chunk, GError **error)
{
    const char *values[] = {control->migration->name};
    *chunk = NULL;
    g_autoptr(Answer) answer = control_ask(control, embedded_control_chunk_claim,
                                           embedded_control_chunk_claim_mysql, 1, values, error);
    if (answer == NULL) {
        return false;
    }
    if (answer->n_rows == 0) {
        return true;
    }
    g_autoptr(Chunk) found = g_new0(Chunk, 1);
    if (!read_chunk(answer, found, error)) {
        return false;
    }
    *chunk = g_steal_pointer(&found);
    return true;
}

/* The number in the first row; 0 where there is none. */
static bool read_table(const Answer *answer, guint32 *table, GError **error)
{
    guint64 id = 0;
    if (answer == NULL ||
        (answer->n_rows > 0 && !number_read(answer_get(answer, 0, 0), 10, &id, error))) {
        return false;
    }
    *table = (guint32)id;
    return true;
}

/* found: tables and their states. Claims the first that is still in that state and in nobody's
 * hands. */
static bool claim_one_of(Control *control, const Answer *found, guint32 *table, GError **error)
{
    *table = 0;
    for (guint i = 0; i < found->n_rows && *table == 0; i++) {
        const char *values[] = {control->migration->name, answer_get(found, i, 0),
                                answer_get(found, i, 1)};
        g_autoptr(Answer) claimed = control->ops->execute(
            control->target, embedded_control_table_claim_mysql, 3, values, error);
        if (!read_table(claimed, table, error)) {
            return false;
        }
    }
    return true;
}

/* sql claims, where one statement can do that; mysql only finds. */
static bool claim_table(Control *control, const char *sql, const char *mysql, guint32 *table,
                        GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control_ask(control, sql, mysql, 1, values, error);
    if (answer == NULL) {
        return false;
    }
    return control_is_mysql(control) ? claim_one_of(control, answer, table, error)
                                     : read_table(answer, table, error);
}

bool control_plan_claim(Control *control, guint32 *table, GError **error)
{
    return claim_table(control, embedded_control_plan_claim, embedded_control_plan_find_mysql,
                       table, error);
}

bool control_key_claim(Control *control, guint32 *table, GError **error)
{
    return claim_table(control, embedded_control_key_claim, embedded_control_key_find_mysql, table,
                       error);
}

bool control_copy_left(Control *control, CopyLeft *left, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control->ops->execute(
        control->target,
        "select count(case when state = 'planned' then 1 end), count(*) from drover.tables "
        "where migration = $1 and state in ('planned', 'copying', 'copied')",
        1, values, error);
    guint64 plans, tables;
    if (answer == NULL || !number_read(answer_get(answer, 0, 0), 10, &plans, error) ||
        !number_read(answer_get(answer, 0, 1), 10, &tables, error)) {
        return false;
    }
    *left = (CopyLeft){(gint64)plans, (gint64)tables};
    return true;
}

bool control_copy_held(Control *control, guint64 epoch, GPtrArray **held, GError **error)
{
    char number[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, number_text((gint64)epoch, number)};
    g_autoptr(Answer) answer = control_ask(control, embedded_control_copy_held,
                                           embedded_control_copy_held_mysql, 2, values, error);
    if (answer == NULL) {
        return false;
    }
    *held = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < answer->n_rows; i++) {
        g_ptr_array_add(*held, g_strdup(answer_get(answer, i, 0)));
    }
    return true;
}

bool control_chunk_done(Control *control, const Chunk *chunk, const char *worker, gint64 rows,
                        gint64 bytes, Position high, bool *last, GError **error)
{
    char id[NUMBER_TEXT_SIZE], number[NUMBER_TEXT_SIZE], rows_text[NUMBER_TEXT_SIZE];
    char bytes_text[NUMBER_TEXT_SIZE], high_text[POSITION_TEXT_SIZE];
    const char *values[] = {control->migration->name,           number_text(chunk->table, id),
                            number_text(chunk->number, number), worker,
                            number_text(rows, rows_text),       number_text(bytes, bytes_text),
                            position_format(high, high_text)};
    g_autoptr(Answer) answer = control_ask(control, embedded_control_chunk_done,
                                           embedded_control_chunk_done_mysql, 7, values, error);
    if (answer == NULL) {
        return false;
    }
    if (g_strcmp0(answer_get(answer, 0, 0), "1") != 0) {
        /* A session that was thought lost has committed it after all. */
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "chunk %u of table %u was finished by another session meanwhile", chunk->number,
                    chunk->table);
        return false;
    }
    *last = !control_bool(answer_get(answer, 0, 1));
    return true;
}

bool control_copy_state(Control *control, gint64 *todo, Position *high, GError **error)
{
    const char *values[] = {control->migration->name};
    *todo = 0;
    *high = (Position){0, 0};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_copy_state, 1, values, error);
    if (answer == NULL) {
        return false;
    }
    for (guint i = 0; i < answer->n_rows; i++) {
        Position position;
        guint64 chunks;
        if (!position_read(answer_get(answer, i, 0), &position, error) ||
            !number_read(answer_get(answer, i, 1), 10, &chunks, error)) {
            return false;
        }
        *todo += (gint64)chunks;
        if (position_compare(position, *high) > 0) {
            *high = position;
        }
    }
    return true;
}

/* --- The end of the copy ---------------------------------------------------------------------- */

/* Whoever else ends the copy waits here. */
static bool is_still_copying(Control *control, bool *copying, GError **error)
{
    g_autoptr(Answer) answer = control_lock_migration(control, error);
    if (answer == NULL) {
        return false;
    }
    *copying = g_strcmp0(answer_get(answer, 0, 0), "copying") == 0;
    return true;
}

static bool write_the_end(Control *control, GError **error)
{
    char text[POSITION_TEXT_SIZE];
    Position high, start = control->migration->start;
    CopyLeft left;
    gint64 chunks;
    if (!control_copy_state(control, &chunks, &high, error) ||
        !control_copy_left(control, &left, error)) {
        return false;
    }
    if (chunks > 0 || left.tables > 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "the copy ended, and %" G_GINT64_FORMAT " chunks and %" G_GINT64_FORMAT
                    " tables are still to do",
                    chunks, left.tables);
        return false;
    }
    position_format(position_compare(high, start) > 0 ? high : start, text);
    return control_set(control, "consistent_position", text, error) &&
           control_set(control, "snapshot", NULL, error) &&
           control_set(control, "phase", "catching_up", error);
}

bool control_copy_finish(Control *control, GError **error)
{
    bool copying = false;
    if (control_run(control, "begin", 0, NULL, NULL, error) &&
        is_still_copying(control, &copying, error) && (!copying || write_the_end(control, error)) &&
        control_commit(control, error)) {
        return true;
    }
    control_rollback(control);
    return false;
}

bool control_snapshot_forget(Control *control, const char *snapshot, GError **error)
{
    const char *values[] = {control->migration->name, snapshot};
    return control_run(
        control, "update drover.migration set snapshot = null where name = $1 and snapshot = $2", 2,
        values, NULL, error);
}

/* --- Tables ----------------------------------------------------------------------------------- */

static bool set_table(Control *control, const char *sql, guint32 table, const char *value,
                      GError **error)
{
    char id[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, number_text(table, id), value};
    gint64 affected = 0;
    if (!control_run(control, sql, 3, values, &affected, error)) {
        return false;
    }
    if (affected != 1) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "table %u of migration \"%s\" is not in drover.tables", table,
                    control->migration->name);
        return false;
    }
    return true;
}

bool control_table_state(Control *control, guint32 table, const char *state, GError **error)
{
    return set_table(
        control,
        control_sql(control->ops, embedded_control_table_state, embedded_control_table_state_mysql),
        table, state, error);
}

bool control_table_in_doubt(Control *control, guint32 table, const char *why, GError **error)
{
    return set_table(control,
                     "update drover.tables set in_doubt = $3 where migration = $1 and id = $2",
                     table, why, error);
}
