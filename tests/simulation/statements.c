/* Finding and running statements, and those of the migration's own row. */
#include "tests/simulation/statements_inside.h"

#include "tests/simulation/world.h"

#include <string.h>

/* ---- answers and parameters ---- */

Answer *statement_answer(guint rows, guint columns, gint64 affected)
{
    Answer *answer = g_new0(Answer, 1);
    *answer = (Answer){.n_rows = rows, .n_columns = columns, .affected = affected};
    answer->values = g_new0(char *, (gsize)rows *columns + 1);
    return answer;
}

Answer *answer_add_row(Answer *answer)
{
    gsize n = (gsize)answer->n_rows * answer->n_columns;
    answer->values = g_renew(char *, answer->values, n + answer->n_columns + 1);
    memset(answer->values + n, 0, sizeof(char *) * (answer->n_columns + 1));
    answer->n_rows++;
    return answer;
}

/* Into the last row; "" and NULL are null. */
void answer_put(Answer *answer, guint column, const char *text)
{
    if (text != NULL && *text != '\0')
        answer->values[(gsize)(answer->n_rows - 1) * answer->n_columns + column] = g_strdup(text);
}

void answer_put_number(Answer *answer, guint column, guint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);
    answer_put(answer, column, text);
}

guint64 number_of(const char *text)
{
    return g_ascii_strtoull(text, NULL, 10);
}

guint table_of(const char *id)
{
    guint64 table = number_of(id);
    if (table < 1 || table > SIM_TABLES)
        world_fail("the target is asked for table number %s", id);
    return (guint)table - 1;
}

void set_text(char *to, gsize size, const char *text)
{
    if (g_strlcpy(to, text != NULL ? text : "", size) >= size)
        world_fail("the target has no room for \"%s\"", text);
}

/* ---- the migration's row ---- */

static Answer *migration_get(Session *session, const char *column)
{
    const StoredMigration *migration = &store_row(session, ROW_MIGRATION)->of.migration;
    Answer *answer = answer_add_row(statement_answer(0, 1, -1));
    if (g_str_equal(column, "phase"))
        answer_put(answer, 0, migration->phase);
    else if (g_str_equal(column, "consistent_position"))
        answer_put(answer, 0, migration->consistent);
    else if (g_str_equal(column, "snapshot"))
        answer_put(answer, 0, migration->snapshot);
    else if (g_str_equal(column, "paused"))
        answer_put(answer, 0, migration->paused ? "t" : "f");
    else
        world_fail("the target is asked for drover.migration.%s", column);
    return answer;
}

static Answer *migration_set(Session *session, const char *column, const char *value,
                             GError **error)
{
    StoredRow *row = store_change(session, ROW_MIGRATION, error);
    if (row == NULL)
        return NULL;
    if (g_str_equal(column, "phase"))
        SET_TEXT(row->of.migration.phase, value);
    else if (g_str_equal(column, "consistent_position"))
        SET_TEXT(row->of.migration.consistent, value);
    else if (g_str_equal(column, "snapshot"))
        SET_TEXT(row->of.migration.snapshot, value);
    else if (g_str_equal(column, "paused"))
        row->of.migration.paused = control_bool(value);
    else
        world_fail("the target is asked to set drover.migration.%s", column);
    return statement_answer(0, 0, 1);
}

/* ---- finding ---- */

#define GET_BEFORE "select "
#define GET_AFTER " from drover.migration where name = $1"
#define SET_BEFORE "update drover.migration set "
#define SET_AFTER " = $2, updated_at = now() where name = $1"

static const Statement get_statement = {"get", NULL, NULL}, set_statement = {"set", NULL, NULL};

/* The one word between before and after. */
static char *word_between(const char *sql, const char *before, const char *after)
{
    if (!g_str_has_prefix(sql, before) || !g_str_has_suffix(sql, after))
        return NULL;
    gsize length = strlen(sql) - strlen(before) - strlen(after);
    if (memchr(sql + strlen(before), ' ', length) != NULL)
        return NULL;
    return g_strndup(sql + strlen(before), length);
}

const Statement *statement_find(const char *sql, char **column)
{
    static const Statement *const lists[] = {statements_of_roles, statements_of_apply,
                                             statements_of_copy};
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++)
        for (const Statement *statement = lists[i]; statement->name != NULL; statement++)
            if (g_str_equal(statement->sql, sql))
                return statement;
    *column = word_between(sql, GET_BEFORE, GET_AFTER);
    if (*column != NULL)
        return &get_statement;
    *column = word_between(sql, SET_BEFORE, SET_AFTER);
    if (*column != NULL)
        return &set_statement;
    world_fail("the simulated target does not know this statement (tests/simulation/statements*.c):"
               "\n%s",
               sql);
}

Answer *statement_run(const Statement *statement, Session *session, const char *column,
                      const char *const *values, GError **error)
{
    if (statement == &get_statement)
        return migration_get(session, column);
    if (statement == &set_statement)
        return migration_set(session, column, values[1], error);
    return statement->run(session, values, error);
}
