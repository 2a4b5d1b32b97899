/*
 * The copy's ledger: drover.chunk, and what drover.tables says about the copy.
 */
#include "proto/error.h"
#include "schema/control.h"
#include "schema/control_internal.h"
#include "schema/sql/embedded.h"
#include "schema/text_array.h"

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

static bool add_some(Control *control, guint32 table, const GArray *ranges, guint first, guint n,
                     GError **error)
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

bool control_chunk_next(Control *control, const GArray *busy, Chunk **chunk, GError **error)
{
    g_autoptr(GString) taken = g_string_new("{");
    for (guint i = 0; i < busy->len; i++) {
        g_string_append_printf(taken, "%s%" G_GUINT64_FORMAT, i > 0 ? "," : "",
                               g_array_index(busy, guint64, i));
    }
    g_string_append_c(taken, '}');
    const char *values[] = {control->migration->name, taken->str};
    *chunk = NULL;
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_chunk_next, 2, values, error);
    if (answer == NULL) {
        return false;
    }
    if (answer->n_rows == 0) {
        return true;
    }
    guint64 table, number;
    g_autoptr(Chunk) found = g_new0(Chunk, 1);
    if (!number_read(answer_get(answer, 0, 0), 10, &table, error) ||
        !number_read(answer_get(answer, 0, 1), 10, &number, error) ||
        !read_bound(answer_get(answer, 0, 2), &found->range.lower, error) ||
        !read_bound(answer_get(answer, 0, 3), &found->range.upper, error)) {
        return false;
    }
    found->table = (guint32)table;
    found->number = (guint32)number;
    *chunk = g_steal_pointer(&found);
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
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_chunk_done, 7, values, error);
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
    *last = g_strcmp0(answer_get(answer, 0, 1), "f") == 0;
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
    return set_table(control,
                     "update drover.tables set state = $3 where migration = $1 and id = $2", table,
                     state, error);
}

bool control_table_in_doubt(Control *control, guint32 table, const char *why, GError **error)
{
    return set_table(control,
                     "update drover.tables set in_doubt = $3 where migration = $1 and id = $2",
                     table, why, error);
}

bool control_tables_unplanned(Control *control, GArray **tables, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_tables_unplanned, 1, values, error);
    if (answer == NULL) {
        return false;
    }
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint i = 0; i < answer->n_rows; i++) {
        guint64 id;
        if (!number_read(answer_get(answer, i, 0), 10, &id, error)) {
            return false;
        }
        guint32 table = (guint32)id;
        g_array_append_val(list, table);
    }
    *tables = g_steal_pointer(&list);
    return true;
}

bool control_table_unkeyed(Control *control, const GArray *busy, guint32 *table, GError **error)
{
    g_autoptr(GString) taken = g_string_new("{");
    for (guint i = 0; i < busy->len; i++) {
        g_string_append_printf(taken, "%s%u", i > 0 ? "," : "", g_array_index(busy, guint32, i));
    }
    g_string_append_c(taken, '}');
    const char *values[] = {control->migration->name, taken->str};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_table_unkeyed, 2, values, error);
    guint64 id = 0;
    if (answer == NULL ||
        (answer->n_rows > 0 && !number_read(answer_get(answer, 0, 0), 10, &id, error))) {
        return false;
    }
    *table = (guint32)id;
    return true;
}
