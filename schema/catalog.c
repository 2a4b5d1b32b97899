#include "schema/catalog.h"

CatalogTable *catalog_table_new(Table *table)
{
    CatalogTable *entry = g_new0(CatalogTable, 1);
    entry->table = table;
    entry->problems = g_ptr_array_new_with_free_func(g_free);
    return entry;
}

void catalog_table_free(CatalogTable *table)
{
    if (table == NULL)
        return;
    table_free(table->table);
    g_clear_pointer(&table->problems, g_ptr_array_unref);
    g_free(table);
}

void catalog_table_add_problem(CatalogTable *entry, const char *statement, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(entry->problems, statement == NULL
                                         ? g_steal_pointer(&sentence)
                                         : g_strdup_printf("%s\n%s", sentence, statement));
}
