#include "apply/mysql/row_text.h"

#include "proto/error.h"
#include "schema/mysql/literal.h"

static void append_value(GString *text, const Column *column, const Cell *cell)
{
    g_autoptr(GString) value = g_string_new(NULL);
    if (!mysql_append_literal(value, column, cell, NULL))
        g_string_assign(value, "(a value that MySQL has not)");
    g_autofree char *shown = g_utf8_make_valid(value->str, MIN((gssize)value->len, ROW_TEXT_VALUE));
    g_string_append_printf(text, "%s=%s", column->name, shown);
}

bool row_text_prefix(const Table *table, const Row *key, GError **error)
{
    if (!error || !g_error_matches(*error, DROVER_ERROR, DROVER_ERROR_DATA))
        return false;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < key->n_cells; i++) {
        g_string_append(text, i > 0 ? ", " : "");
        append_value(text, &table->columns[table->key[i]], &key->cells[i]);
    }
    if (text->len > 0)
        g_prefix_error(error, "the row with %s: ", text->str);
    return false;
}
