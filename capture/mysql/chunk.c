/*
 * Where the ranges are cut. The database orders the keys and chooses the bounds (rule R10); here
 * they are only texts. One of three ways:
 *
 *   a key of one integer whose values are mostly taken is cut into equal parts between the least
 *   and the greatest: a range has at most as many rows as numbers;
 *   else the index is walked from bound to bound: .. order by key limit 1 offset n;
 *   an enum or set in the key is ordered by its text, for which there is no index: all keys are
 *   numbered at once.
 */
#include "capture/mysql/chunk.h"

#include "proto/error.h"
#include "schema/connection_mysql.h"
#include "schema/mysql/key_sql.h"
#include "schema/mysql/value.h"
#include "schema/table.h"
#include "schema/type_oid.h"

#define SPARSE_MOST 2 /* numbers between the least and the greatest key, for each row */
#define NUMBER "%" G_GINT64_FORMAT

typedef struct Cutter {
    MYSQL *mysql;
    const Table *table;
    gint64 rows;
    GArray *ranges;
    KeyRange open; /* the last one, so far without its upper bound */
} Cutter;

static void append_from(GString *sql, const Table *table)
{
    g_string_append(sql, " from ");
    mysql_session_append_qualified(sql, table->source_schema, table->source_name);
    g_string_append(sql, " as t");
}

static void append_key(GString *sql, const Table *table)
{
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? ", t." : "t.");
        mysql_session_append_identifier(sql, table->columns[table->key[i]].name);
    }
}

static void cut_at(Cutter *cutter, char **bound)
{
    KeyRange range = cutter->open;
    range.upper = g_strdupv(bound);
    g_array_append_val(cutter->ranges, range);
    cutter->open = (KeyRange){.lower = bound};
}

/* ---- equal parts ---- */

static bool is_integer(const Table *table)
{
    guint32 type = table->n_key == 1 ? table->columns[table->key[0]].type_oid : 0;
    return type == OID_INT2 || type == OID_INT4 || type == OID_INT8;
}

/* The least and the greatest key, and about how many there are; false without an error where the
 * table is empty. */
static bool read_extent(Cutter *cutter, gint64 *least, gint64 *most, gint64 *rows, GError **error)
{
    const Table *table = cutter->table;
    g_autoptr(GString) sql = g_string_new("select min(");
    append_key(sql, table);
    g_string_append(sql, "), max(");
    append_key(sql, table);
    g_string_append(sql, "), (select table_rows from information_schema.tables "
                         "where table_schema = ");
    mysql_session_append_literal(sql, table->source_schema);
    g_string_append(sql, " and table_name = ");
    mysql_session_append_literal(sql, table->source_name);
    g_string_append_c(sql, ')');
    append_from(sql, table);
    g_autoptr(MYSQL_RES) answer = mysql_session_query(cutter->mysql, sql->str, error);
    MYSQL_ROW row = answer != NULL ? mysql_fetch_row(answer) : NULL;
    if (row == NULL || row[0] == NULL)
        return false;
    *least = g_ascii_strtoll(row[0], NULL, 10);
    *most = g_ascii_strtoll(row[1], NULL, 10);
    *rows = row[2] != NULL ? g_ascii_strtoll(row[2], NULL, 10) : 0;
    return true;
}

static void cut_equally(Cutter *cutter, gint64 least, gint64 most)
{
    gint64 bound = least;
    while (!__builtin_add_overflow(bound, cutter->rows, &bound) && bound <= most) {
        char **texts = g_new0(char *, 2);
        texts[0] = g_strdup_printf(NUMBER, bound);
        cut_at(cutter, texts);
    }
}

/* Sets *done where that was possible. */
static bool try_equal_parts(Cutter *cutter, bool *done, GError **error)
{
    gint64 least, most, rows, span, limit;
    GError *failure = NULL;
    if (!read_extent(cutter, &least, &most, &rows, &failure)) {
        *done = failure == NULL;
        if (failure != NULL)
            g_propagate_error(error, failure);
        return *done;
    }
    *done =
        !__builtin_sub_overflow(most, least, &span) &&
        !__builtin_mul_overflow(MAX(rows, cutter->table->estimated_rows), SPARSE_MOST, &limit) &&
        span < MAX(limit, cutter->rows);
    if (*done)
        cut_equally(cutter, least, most);
    return true;
}

/* ---- bounds of the database ---- */

static bool fail_null(const Column *column, const char *value, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                "column %s: %s is to become null by zero_dates, which no key can be", column->name,
                value);
    return false;
}

/* The texts of a row of key columns (g_strfreev). */
static char **bound_of(const Cutter *cutter, MYSQL_RES *answer, MYSQL_ROW row, GError **error)
{
    const Table *table = cutter->table;
    const MYSQL_FIELD *fields = mysql_fetch_fields(answer);
    const unsigned long *sizes = mysql_fetch_lengths(answer);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_auto(GStrv) bound = g_new0(char *, table->n_key + 1);
    for (guint i = 0; i < table->n_key; i++) {
        const Column *column = &table->columns[table->key[i]];
        GString *text = g_string_new(NULL);
        MysqlValue value;
        bool null = false;
        g_byte_array_set_size(bytes, 0);
        bool good = mysql_value_init(&value, table, column, &fields[i], error) &&
                    mysql_value_append(&value, row[i], sizes[i], bytes, &null, error);
        Cell cell = {.data = bytes->data, .length = bytes->len};
        if (good && null)
            good = fail_null(column, row[i], error);
        good = good && mysql_append_key_text(text, column, &cell, error);
        bound[i] = g_string_free(text, !good);
        if (!good)
            return NULL;
    }
    return g_steal_pointer(&bound);
}

static void append_selected(GString *sql, const Table *table, const MYSQL_FIELD *fields)
{
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        mysql_value_append_selected(sql, table->columns[table->key[i]].name, &fields[i]);
    }
}

/* "t.`a`, t.`b` * 1e0" */
static char *select_key(const Cutter *cutter, GError **error)
{
    g_autoptr(GString) sql = g_string_new("select ");
    append_key(sql, cutter->table);
    append_from(sql, cutter->table);
    g_string_append(sql, " limit 0");
    g_autoptr(MYSQL_RES) answer = mysql_session_query(cutter->mysql, sql->str, error);
    if (answer == NULL)
        return NULL;
    g_string_truncate(sql, 0);
    append_selected(sql, cutter->table, mysql_fetch_fields(answer));
    return g_string_free(g_steal_pointer(&sql), false);
}

/* Takes the bounds that a query gives; *n says how many. */
static bool cut_by_query(Cutter *cutter, const char *sql, guint *n, GError **error)
{
    g_autoptr(MYSQL_RES) answer = mysql_session_query(cutter->mysql, sql, error);
    MYSQL_ROW row;
    *n = 0;
    if (answer == NULL)
        return false;
    while ((row = mysql_fetch_row(answer)) != NULL) {
        char **bound = bound_of(cutter, answer, row, error);
        if (bound == NULL)
            return false;
        cut_at(cutter, bound);
        ++*n;
    }
    return true;
}

static bool walk_index(Cutter *cutter, GError **error)
{
    guint n = 1;
    g_autofree char *key = select_key(cutter, error);
    g_autoptr(GString) sql = g_string_new(NULL);
    while (key != NULL && n > 0) {
        g_string_assign(sql, "select ");
        g_string_append(sql, key);
        append_from(sql, cutter->table);
        if (!mysql_append_range(sql, cutter->table, &cutter->open, error))
            return false;
        g_string_append(sql, " order by ");
        mysql_append_key_order(sql, cutter->table);
        g_string_append_printf(sql, " limit 1 offset " NUMBER, cutter->rows);
        if (!cut_by_query(cutter, sql->str, &n, error))
            return false;
    }
    return key != NULL;
}

static bool number_keys(Cutter *cutter, GError **error)
{
    guint n;
    g_autofree char *key = select_key(cutter, error);
    g_autoptr(GString) sql = g_string_new("select ");
    if (key == NULL)
        return false;
    g_string_append(sql, key);
    g_string_append(sql, " from (select ");
    append_key(sql, cutter->table);
    g_string_append(sql, ", row_number() over (order by ");
    mysql_append_key_order(sql, cutter->table);
    g_string_append(sql, ") - 1 as drover_number");
    append_from(sql, cutter->table);
    g_string_append_printf(sql,
                           ") as t where drover_number > 0 and drover_number %% " NUMBER
                           " = 0 order by drover_number",
                           cutter->rows);
    return cut_by_query(cutter, sql->str, &n, error);
}

static bool has_listed(const Table *table)
{
    for (guint i = 0; i < table->n_key; i++)
        if (mysql_column_is_listed(&table->columns[table->key[i]]))
            return true;
    return false;
}

static bool cut(Cutter *cutter, GError **error)
{
    bool done = false;
    if (cutter->table->n_key == 0 || cutter->rows == G_MAXINT64)
        return true;
    if (is_integer(cutter->table) && !try_equal_parts(cutter, &done, error))
        return false;
    if (done)
        return true;
    return has_listed(cutter->table) ? number_keys(cutter, error) : walk_index(cutter, error);
}

bool mysql_key_ranges(MYSQL *mysql, const Table *table, gint64 rows_per_range, GArray **ranges,
                      GError **error)
{
    Cutter cutter = {.mysql = mysql, .table = table, .rows = MAX(rows_per_range, 1)};
    cutter.ranges = g_array_new(false, true, sizeof(KeyRange));
    g_array_set_clear_func(cutter.ranges, (GDestroyNotify)key_range_clear);
    bool good = cut(&cutter, error);
    g_array_append_val(cutter.ranges, cutter.open);
    if (!good) {
        g_prefix_error(error, "source: cutting table %s into ranges: ", table->label);
        g_array_unref(cutter.ranges);
        return false;
    }
    *ranges = cutter.ranges;
    return true;
}
