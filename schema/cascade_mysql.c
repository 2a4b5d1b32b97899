#include "schema/cascade_mysql.h"

#include "schema/sql/embedded.h"

#include <string.h>

#define LOGGED_SINCE 90600 /* MySQL, where its SQL layer carries them out */

enum { CHILD_SCHEMA, CHILD, NAME, COLUMN, PARENT_SCHEMA, PARENT, PARENT_COLUMN, ON_UPDATE };

bool cascade_mysql_hidden(const Server *server, bool *hidden, GError **error)
{
    *hidden = true;
    if (server->is_mariadb || server->version < LOGGED_SINCE)
        return true;
    GError *problem = NULL;
    g_autofree char *native =
        mysql_session_ask(server->mysql,
                          "select variable_value from performance_schema.global_variables where "
                          "variable_name = 'innodb_native_foreign_keys'",
                          &problem);
    if (problem != NULL) {
        g_propagate_error(error, problem);
        return false;
    }
    *hidden = g_strcmp0(native, "ON") == 0;
    return true;
}

static Table *find_table(GPtrArray *tables, const char *schema, const char *name)
{
    for (guint i = 0; i < tables->len; i++) {
        Table *table = g_ptr_array_index(tables, i);
        if (strcmp(table->source_schema, schema) == 0 && strcmp(table->source_name, name) == 0)
            return table;
    }
    return NULL;
}

/* The place of a column in the parent's key, -1 where it is not of the key. */
static int place_in_key(const Table *parent, const char *column)
{
    int index = table_find_column(parent, column);
    return index < 0 ? -1 : parent->columns[index].key_place;
}

/* Takes text. */
static void add_problem(GPtrArray *problems, const Table *child, MYSQL_ROW *rows, char *text)
{
    g_autoptr(GString) remedy = g_string_new("alter table ");
    mysql_session_append_qualified(remedy, rows[0][CHILD_SCHEMA], rows[0][CHILD]);
    g_string_append(remedy, " drop foreign key ");
    mysql_session_append_identifier(remedy, rows[0][NAME]);
    g_string_append(remedy, "; -- and have the application change the children itself; or leave "
                            "the table out with exclude");
    CascadeProblem *problem = g_new0(CascadeProblem, 1);
    *problem = (CascadeProblem){child, text, g_string_free(g_steal_pointer(&remedy), FALSE)};
    g_ptr_array_add(problems, problem);
}

void cascade_problem_free(CascadeProblem *problem)
{
    g_free(problem->text);
    g_free(problem->remedy);
    g_free(problem);
}

/* Does an update of the parent's key give the children other keys? Nobody would tell of those. */
static bool moves_keys(const Table *child, const char *on_update, const guint *columns, guint n)
{
    if (strcmp(on_update, "CASCADE") != 0)
        return false;
    for (guint i = 0; i < n; i++)
        if (child->columns[columns[i]].key_place >= 0)
            return true;
    return false;
}

/* One foreign key: rows[0..n) have its columns. */
static void add_foreign_key(GPtrArray *tables, MYSQL_ROW *rows, guint n, GPtrArray *problems)
{
    const Table *child = find_table(tables, rows[0][CHILD_SCHEMA], rows[0][CHILD]);
    Table *parent = find_table(tables, rows[0][PARENT_SCHEMA], rows[0][PARENT]);
    if (child == NULL)
        return;
    g_autofree char *what = g_strdup_printf(
        "%s: its foreign key %s changes its rows when rows of %s.%s change, and the source's log "
        "does not have that",
        child->label, rows[0][NAME], rows[0][PARENT_SCHEMA], rows[0][PARENT]);
    if (parent == NULL) {
        add_problem(
            problems, child, rows,
            g_strdup_printf("%s; move %s.%s too", what, rows[0][PARENT_SCHEMA], rows[0][PARENT]));
        return;
    }
    g_autofree guint *columns = g_new0(guint, MAX(parent->n_key, n));
    guint matched = 0;
    for (guint i = 0; i < n; i++) {
        int place = place_in_key(parent, rows[i][PARENT_COLUMN]);
        int column = table_find_column(child, rows[i][COLUMN]);
        if (place < 0 || column < 0 ||
            child->columns[column].type_oid != parent->columns[parent->key[place]].type_oid)
            break;
        columns[place] = (guint)column;
        matched++;
    }
    if (matched == n && n == parent->n_key && moves_keys(child, rows[0][ON_UPDATE], columns, n))
        add_problem(problems, child, rows,
                    g_strdup_printf("%s; drover cannot follow where the keys of children move with "
                                    "that of their parent",
                                    what));
    else if (matched == n && n == parent->n_key)
        table_add_cascade(parent, child, columns);
    else
        add_problem(problems, child, rows,
                    g_strdup_printf("%s; drover can follow that only where it refers to the key of "
                                    "that table, %s",
                                    what, parent->key_name));
}

static bool same_foreign_key(MYSQL_ROW a, MYSQL_ROW b)
{
    return strcmp(a[CHILD_SCHEMA], b[CHILD_SCHEMA]) == 0 && strcmp(a[CHILD], b[CHILD]) == 0 &&
           strcmp(a[NAME], b[NAME]) == 0;
}

bool cascade_mysql_find(const Server *server, GPtrArray *tables, GPtrArray *problems,
                        GError **error)
{
    MYSQL_RES *answer = mysql_query(server->mysql, embedded_cascade_mysql) == 0
                            ? mysql_store_result(server->mysql)
                            : NULL;
    if (answer == NULL)
        return mysql_session_fail(server->mysql, error);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(MYSQL_ROW));
    for (MYSQL_ROW row; (row = mysql_fetch_row(answer)) != NULL;) {
        if (rows->len > 0 && !same_foreign_key(g_array_index(rows, MYSQL_ROW, 0), row)) {
            add_foreign_key(tables, (MYSQL_ROW *)(void *)rows->data, rows->len, problems);
            g_array_set_size(rows, 0);
        }
        g_array_append_val(rows, row);
    }
    if (rows->len > 0)
        add_foreign_key(tables, (MYSQL_ROW *)(void *)rows->data, rows->len, problems);
    mysql_free_result(answer);
    return true;
}
