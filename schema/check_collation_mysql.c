/*
 * The equality of texts where the source is MySQL or MariaDB and the target PostgreSQL. Most
 * collations there call texts equal that differ in case, accents or spaces at the end; PostgreSQL's
 * do not. That loses no row, since what the target tells apart is more; but what relies on the
 * source's equality will find less.
 */
#include "schema/check_mysql.h"
#include "schema/sql/embedded.h"

#include <string.h>

#define SHOWN 3

/* The two that compare bytes, to the last space. */
static bool is_exact(const char *collation)
{
    return g_str_has_suffix(collation, "_nopad_bin") || strcmp(collation, "utf8mb4_0900_bin") == 0;
}

static GPtrArray *list_coarse_keys(const Check *check)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        for (guint k = 0; k < table->n_key; k++) {
            const Column *column = &table->columns[table->key[k]];
            if (column->collation != NULL && !is_exact(column->collation))
                g_ptr_array_add(names, g_strdup_printf("%s.%s (%s)", table->label, column->name,
                                                       column->collation));
        }
    }
    return names;
}

static void check_keys(Check *check)
{
    g_autoptr(GPtrArray) names = list_coarse_keys(check);
    g_autoptr(GString) shown = g_string_new(NULL);
    if (names->len == 0)
        return;
    for (guint i = 0; i < MIN(names->len, SHOWN); i++)
        g_string_append_printf(shown, "%s%s", i > 0 ? ", " : "",
                               (const char *)g_ptr_array_index(names, i));
    if (names->len > SHOWN)
        g_string_append_printf(shown, " and %u more", names->len - SHOWN);
    check_add(check, FINDING_WARN, "target.collation", NULL,
              "the target tells keys apart that the source calls equal, such as texts that differ "
              "in case: %s",
              shown->str);
}

bool check_collations_mysql(Check *check, GError **error)
{
    g_autoptr(MYSQL_RES) rows =
        mysql_session_query(check->source->mysql, embedded_check_mysql_text_keys, error);
    MYSQL_ROW row;
    if (rows == NULL)
        return false;
    check_keys(check);
    while ((row = mysql_fetch_row(rows)) != NULL) {
        const Table *table = check_find_moved(check, row[0], row[1]);
        if (table == NULL)
            continue;
        g_autofree char *name = g_strdup_printf("table.%s", table->label);
        check_add(check, FINDING_WARN, name, NULL,
                  "%s: foreign key %s compares texts by %s: it can only be created on the target "
                  "where each child has its parent's text to the letter",
                  table->label, row[2], row[3]);
    }
    return true;
}
