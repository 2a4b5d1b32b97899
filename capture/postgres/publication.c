/*
 * Looks whether the log still carries every change of the moved tables. What is done to a
 * publication, or by a rewrite of a table, leaves no event behind: only the catalog tells.
 */
#include "capture/postgres/embedded.h"
#include "capture/postgres/session.h"

#include "schema/text_array.h"

enum { GONE, RENAMED, PUBLISHED, WHOLE, STORAGE, ALTERED };

static bool fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool fail(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source: %s; start the migration over (drover drop, then run)", what);
    return false;
}

static bool is_true(const PGresult *result, int row, int column)
{
    return *PQgetvalue(result, row, column) == 't';
}

static bool check_table(const Table *table, const char *publication, const PGresult *result,
                        int row, GError **error)
{
    if (is_true(result, row, GONE))
        return fail(error, "table %s was dropped", table->label);
    if (!PQgetisnull(result, row, RENAMED))
        return fail(error, "table %s was renamed to %s; rename it back and run drover again, or",
                    table->label, PQgetvalue(result, row, RENAMED));
    if (!is_true(result, row, PUBLISHED))
        return fail(error,
                    "publication %s was dropped or altered, so that the log lacks changes of "
                    "table %s",
                    publication, table->label);
    if (!is_true(result, row, WHOLE))
        return fail(error,
                    "table %s is no longer in publication %s, or not with all rows and columns: "
                    "it was taken out, or dropped and created again, and its changes since then "
                    "are not in the log",
                    table->label, publication);
    if (is_true(result, row, ALTERED))
        return fail(error,
                    "ALTER TABLE rewrote table %s: its values may have changed, and a rewrite is "
                    "not in the log",
                    table->label);
    return true;
}

static PGresult *ask(Source *source, PGconn *connection, const Migration *migration, GError **error)
{
    g_autoptr(GString) oids = g_string_new("{"), storages = g_string_new("{");
    g_autoptr(GPtrArray) schemas = g_ptr_array_new(), names = g_ptr_array_new();
    g_autoptr(GString) schemas_text = g_string_new(NULL), names_text = g_string_new(NULL);
    for (guint i = 0; i < migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(migration->tables, i);
        const char *separator = i > 0 ? "," : "";
        g_string_append_printf(oids, "%s%u", separator, table->source_oid);
        g_string_append_printf(storages, "%s%" G_GUINT64_FORMAT, separator,
                               g_array_index(source->storages, guint64, i));
        g_ptr_array_add(schemas, table->source_schema);
        g_ptr_array_add(names, table->source_name);
    }
    g_string_append_c(oids, '}');
    g_string_append_c(storages, '}');
    g_ptr_array_add(schemas, NULL);
    g_ptr_array_add(names, NULL);
    text_array_append(schemas_text, (const char *const *)schemas->pdata);
    text_array_append(names_text, (const char *const *)names->pdata);
    const char *values[] = {migration->slot, oids->str, schemas_text->str, names_text->str,
                            storages->str};
    return pg_query_params(connection, embedded_publication, G_N_ELEMENTS(values), values, error);
}

bool pg_check_publication(Source *source, const Migration *migration, GError **error)
{
    PGconn *connection = session_ordinary(source, error);
    if (!connection)
        return false;
    if (!source->storages) {
        source->storages = g_array_new(FALSE, FALSE, sizeof(guint64));
        for (guint i = 0; i < migration->tables->len; i++) {
            const Table *table = g_ptr_array_index(migration->tables, i);
            g_array_append_val(source->storages, table->storage);
        }
    }
    g_autoptr(PGresult) result = ask(source, connection, migration, error);
    if (!result)
        return false;
    for (int row = 0; row < PQntuples(result); row++) {
        const Table *table = g_ptr_array_index(migration->tables, (guint)row);
        if (!check_table(table, migration->slot, result, row, error))
            return false;
        g_array_index(source->storages, guint64, (guint)row) =
            g_ascii_strtoull(PQgetvalue(result, row, STORAGE), NULL, 10);
    }
    return true;
}
