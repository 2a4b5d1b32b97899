/*
 * Cuts a table into key ranges of about the same number of rows. The database orders the keys and
 * chooses the bounds (rule R10); here they are only texts.
 *
 * A small table is one range. The bounds of a table of middle size are every n-th key of all of
 * them, those of a large one every n-th key of a sample of its pages.
 */
#include "capture/postgres/session.h"

#define EXACT_LIMIT 500000   /* rows: reading all keys costs less than a chunk */
#define SAMPLED_PER_RANGE 50 /* pages */
#define PROBED_PAGES 100     /* of a table that was never analyzed */

typedef struct TableSize {
    double rows;
    double pages;
} TableSize;

/* ---- size ---- */

static bool probe_rows(PGconn *connection, const Table *table, TableSize *size, GError **error)
{
    double percent = CLAMP(100.0 * PROBED_PAGES / size->pages, 0.0001, 100.0);
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *count = NULL;
    g_autoptr(GString) sql = g_string_new("select count(*) from only ");
    pg_append_qualified(sql, table->source_schema, table->source_name);
    g_string_append_printf(sql, " tablesample system (%s)",
                           g_ascii_formatd(number, sizeof number, "%.6f", percent));
    if (!session_value(connection, sql->str, &count, error))
        return false;
    size->rows = g_ascii_strtod(count ? count : "0", NULL) * 100.0 / percent;
    return true;
}

/* The planner's way: the density when it was analyzed, times the pages there are now. */
static bool table_size(PGconn *connection, const Table *table, TableSize *size, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "select pg_catalog.pg_relation_size(oid) / current_setting('block_size')::int, "
        "case when relpages > 0 and reltuples >= 0 then reltuples / relpages else -1 end "
        "from pg_catalog.pg_class where oid = %u",
        table->source_oid);
    g_autoptr(PGresult) result = pg_query(connection, sql, error);
    if (!result)
        return false;
    if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "table %s is no longer on the source; start the migration over without it",
                    table->label);
        return false;
    }
    size->pages = g_ascii_strtod(PQgetvalue(result, 0, 0), NULL);
    double density = g_ascii_strtod(PQgetvalue(result, 0, 1), NULL);
    size->rows = density * size->pages;
    if (size->pages <= 0)
        size->rows = 0;
    else if (density < 0)
        return probe_rows(connection, table, size, error);
    return true;
}

/* ---- bounds ---- */

static void append_key(GString *sql, const Table *table, const char *suffix)
{
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? ", t." : "t.");
        pg_append_identifier(sql, table->columns[table->key[i]].name);
        g_string_append(sql, suffix);
    }
}

/* Texts of the keys whose number in the order is a multiple of the step; the step is either given,
 * or found from how many keys there are and how many ranges are wanted. */
static void append_bounds(GString *sql, const Table *table, double percent, gint64 rows_per_range,
                          gint64 ranges)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(sql, "select ");
    append_key(sql, table, "::text");
    g_string_append(sql, " from (select ");
    append_key(sql, table, "");
    g_string_append(sql, ", row_number() over (order by ");
    append_key(sql, table, "");
    g_string_append(sql, ") - 1 as drover_number, count(*) over () as drover_count from only ");
    pg_append_qualified(sql, table->source_schema, table->source_name);
    g_string_append(sql, " as t");
    if (percent < 100)
        g_string_append_printf(sql, " tablesample system (%s)",
                               g_ascii_formatd(number, sizeof number, "%.6f", percent));
    g_string_append(sql, ") as t where drover_number > 0 and drover_number % ");
    if (percent < 100)
        g_string_append_printf(sql, "greatest(drover_count / %" G_GINT64_FORMAT ", 1) = 0", ranges);
    else
        g_string_append_printf(sql, "%" G_GINT64_FORMAT " = 0", rows_per_range);
    g_string_append(sql, " order by drover_number");
}

static char **bound_of(const PGresult *result, int row)
{
    int n = PQnfields(result);
    char **bound = g_new0(char *, (gsize)n + 1);
    for (int i = 0; i < n; i++)
        bound[i] = g_strdup(PQgetvalue(result, row, i));
    return bound;
}

/* Equal texts next to each other would make an empty range. */
static bool same_bound(const PGresult *result, int row)
{
    for (int i = 0; row > 0 && i < PQnfields(result); i++)
        if (!g_str_equal(PQgetvalue(result, row, i), PQgetvalue(result, row - 1, i)))
            return false;
    return row > 0;
}

static GArray *ranges_from(const PGresult *result)
{
    GArray *ranges = g_array_new(false, true, sizeof(KeyRange));
    g_array_set_clear_func(ranges, (GDestroyNotify)key_range_clear);
    KeyRange range = {0};
    for (int i = 0; i < PQntuples(result); i++) {
        if (same_bound(result, i))
            continue;
        range.upper = bound_of(result, i);
        g_array_append_val(ranges, range);
        range = (KeyRange){.lower = bound_of(result, i)};
    }
    g_array_append_val(ranges, range);
    return ranges;
}

bool pg_key_ranges(Source *source, const Table *table, gint64 rows_per_range, GArray **ranges,
                   GError **error)
{
    TableSize size;
    PGconn *connection = session_ordinary(source, error);
    rows_per_range = MAX(rows_per_range, 1);
    if (!connection || !table_size(connection, table, &size, error))
        return false;
    if (table->n_key == 0 || size.rows < 1.5 * (double)rows_per_range) {
        *ranges = ranges_from(NULL);
        return true;
    }
    gint64 wanted = MAX((gint64)(size.rows / (double)rows_per_range + 0.5), 1);
    double percent = MAX(100.0 * SAMPLED_PER_RANGE * (double)wanted / size.pages, 0.0001);
    if (size.rows <= EXACT_LIMIT || percent > 50)
        percent = 100;
    g_autoptr(GString) sql = g_string_new(NULL);
    append_bounds(sql, table, percent, rows_per_range, wanted);
    g_autoptr(PGresult) result = pg_query(connection, sql->str, error);
    if (!result) {
        g_prefix_error(error, "source: cutting table %s into ranges: ", table->label);
        return false;
    }
    *ranges = ranges_from(result);
    return true;
}
