#include "deploy/text.h"

#include <stdarg.h>
#include <stdbool.h>

struct TextTable {
    guint n_columns;
    GPtrArray *cells; /* row by row */
};

char *text_bytes(gint64 bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    guint unit = 0;

    if (bytes < 0)
        return g_strdup("?");
    while (size >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        size /= 1024;
        unit++;
    }
    return g_strdup_printf(unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

char *text_count(gint64 count)
{
    if (count < 0)
        return g_strdup("?");
    GString *text = g_string_new(NULL);
    g_string_printf(text, "%" G_GINT64_FORMAT, count);
    for (gssize place = (gssize)text->len - 3; place > 0; place -= 3)
        g_string_insert_c(text, place, ',');
    return g_string_free(text, FALSE);
}

char *text_duration(double seconds)
{
    if (seconds < 0)
        return g_strdup("?");
    if (seconds < 10)
        return g_strdup_printf("%.1f s", seconds);
    gint64 whole = (gint64)seconds;
    if (whole < 60)
        return g_strdup_printf("%d s", (int)whole);
    if (whole < 3600)
        return g_strdup_printf("%dm%02ds", (int)(whole / 60), (int)(whole % 60));
    return g_strdup_printf("%" G_GINT64_FORMAT "h%02dm", whole / 3600, (int)(whole / 60 % 60));
}

TextTable *text_table_new(guint n_columns)
{
    TextTable *table = g_new0(TextTable, 1);
    table->n_columns = n_columns;
    table->cells = g_ptr_array_new_with_free_func(g_free);
    return table;
}

void text_table_free(TextTable *table)
{
    g_ptr_array_unref(table->cells);
    g_free(table);
}

void text_table_row(TextTable *table, ...)
{
    va_list texts;
    va_start(texts, table);
    for (guint i = 0; i < table->n_columns; i++)
        g_ptr_array_add(table->cells, g_strdup(va_arg(texts, const char *)));
    va_end(texts);
}

static guint column_width(const TextTable *table, guint column)
{
    glong width = 0;
    for (guint i = column; i < table->cells->len; i += table->n_columns)
        width = MAX(width, g_utf8_strlen(g_ptr_array_index(table->cells, i), -1));
    return (guint)width;
}

void text_table_print(const TextTable *table, FILE *out)
{
    g_autofree guint *widths = g_new(guint, table->n_columns);
    for (guint i = 0; i < table->n_columns; i++)
        widths[i] = column_width(table, i);
    for (guint i = 0; i < table->cells->len; i++) {
        const char *cell = g_ptr_array_index(table->cells, i);
        guint column = i % table->n_columns;
        bool last = column + 1 == table->n_columns;
        bool number = g_ascii_isdigit(*cell);
        int padding = (int)(widths[column] - (guint)g_utf8_strlen(cell, -1));
        fprintf(out, "%s%*s%s", column == 0 ? "  " : "", number ? padding : 0, "", cell);
        if (last)
            fputc('\n', out);
        else
            fprintf(out, "%*s", (number ? 0 : padding) + 2, "");
    }
}
