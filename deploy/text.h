/*
 * Text: numbers and tables as people read them, on every command's output.
 */
#pragma once

#include <glib.h>
#include <stdio.h>

/* "12.3 MiB", "1,234,567", "1h02m", "0.3 s" (g_free). Negative: "?". */
char *text_bytes(gint64 bytes);
char *text_count(gint64 count);
char *text_duration(double seconds);

/* Columns that line up; cells that begin with a digit stand to the right. */
typedef struct TextTable TextTable;
TextTable *text_table_new(guint n_columns);
void text_table_free(TextTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TextTable, text_table_free)
/* As many texts as there are columns. */
void text_table_row(TextTable *table, ...);
void text_table_print(const TextTable *table, FILE *out);
