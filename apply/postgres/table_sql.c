#include "apply/postgres/table_sql.h"

#include "schema/connection_pg.h"

#include <stdbool.h>

#define STAGE "pg_temp.%s"

static void append_target(GString *sql, const Table *table)
{
    pg_append_qualified(sql, table->target_schema, table->target_name);
}

static void append_field(GString *sql, const Column *column)
{
    g_string_append(sql, "t.");
    pg_append_identifier(sql, column->name);
}

static void append_names(GString *sql, const Table *table)
{
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        pg_append_identifier(sql, table->columns[i].name);
    }
}

/* prefix1, prefix2, ... */
static void append_numbered(GString *sql, const char *prefix, guint n)
{
    for (guint i = 0; i < n; i++)
        g_string_append_printf(sql, "%s%s%u", i > 0 ? ", " : "", prefix, i + 1);
}

/* t's key = prefix with the column's number, or with the number in the key. */
static void append_match(GString *sql, const Table *table, const char *prefix, bool by_place)
{
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? " and " : "");
        append_field(sql, &table->columns[table->key[i]]);
        g_string_append_printf(sql, " = %s%u", prefix, by_place ? i + 1 : table->key[i] + 1);
    }
}

/* The value of a cell that may be unchanged. */
static void append_merged(GString *sql, const Column *column, guint i, const char *prefix,
                          const char *mask)
{
    g_string_append_printf(sql, "case when pg_catalog.get_bit(%s, %u) = 1 then ", mask, i);
    append_field(sql, column);
    g_string_append_printf(sql, " else %s%u end", prefix, i + 1);
}

/* "a" = prefix1, ... for the columns beside the key; mask NULL: no cell is unchanged. */
static void append_set(GString *sql, const Table *table, const char *prefix, const char *mask)
{
    const char *separator = "";
    for (guint i = 0; i < table->n_columns; i++) {
        const Column *column = &table->columns[i];
        if (column->key_place >= 0)
            continue;
        g_string_append(sql, separator);
        pg_append_identifier(sql, column->name);
        g_string_append(sql, " = ");
        if (mask != NULL)
            append_merged(sql, column, i, prefix, mask);
        else
            g_string_append_printf(sql, "%s%u", prefix, i + 1);
        separator = ", ";
    }
}

static char *stage_create(const Table *table, const char *stage)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_append_printf(sql,
                           "create temp table if not exists %s on commit delete rows as select "
                           "0 as s_number, null::\"char\" as s_kind, null::bytea as s_unchanged",
                           stage);
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, ", ");
        append_field(sql, &table->columns[i]);
        g_string_append_printf(sql, " as c%u", i + 1);
    }
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, ", ");
        append_field(sql, &table->columns[table->key[i]]);
        g_string_append_printf(sql, " as b%u", i + 1);
    }
    g_string_append(sql, " from ");
    append_target(sql, table);
    g_string_append(sql, " t with no data");
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static char *stage_copy(const Table *table, const char *stage)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_append_printf(sql, "copy " STAGE " (s_number, s_kind, s_unchanged, ", stage);
    append_numbered(sql, "c", table->n_columns);
    g_string_append(sql, ", ");
    append_numbered(sql, "b", table->n_key);
    g_string_append(sql, ") from stdin (format binary)");
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static char *complete(const Table *table, const char *stage, bool from_own)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_append_printf(sql, "update " STAGE " s set s_unchanged = null", stage);
    for (guint i = 0; i < table->n_columns; i++) {
        if (table->columns[i].key_place >= 0)
            continue;
        g_string_append_printf(sql, ", c%u = ", i + 1);
        append_merged(sql, &table->columns[i], i, "s.c", "s.s_unchanged");
    }
    g_string_append(sql, " from ");
    append_target(sql, table);
    g_string_append(sql, " t where s.s_unchanged is not null and ");
    append_match(sql, table, from_own ? "s.c" : "s.b", !from_own);
    if (from_own)
        g_string_append(sql, " and s.b1 is null");
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

/* Rows with a base key of their own that are not complete by now have lost their base. */
static char *missing(const Table *table, const char *stage)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    g_string_append_printf(sql,
                           "update " STAGE " s set s_kind = 'd' where s.s_unchanged is not null "
                           "and not exists (select from ",
                           stage);
    append_target(sql, table);
    g_string_append(sql, " t where s.b1 is null and ");
    append_match(sql, table, "s.c", false);
    g_string_append(sql, ") returning s.s_number");
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

/* condition on s: ends with "and" where it is not empty. */
static char *staged_delete(const Table *table, const char *stage, const char *condition)
{
    g_autoptr(GString) sql = g_string_new("delete from ");
    append_target(sql, table);
    g_string_append_printf(sql, " t using " STAGE " s where %s", stage, condition);
    append_match(sql, table, "s.c", false);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static char *staged_update(const Table *table, const char *stage, const char *mask)
{
    g_autoptr(GString) sql = g_string_new("update ");
    append_target(sql, table);
    g_string_append(sql, " t set ");
    append_set(sql, table, "s.c", mask);
    g_string_append_printf(sql, " from " STAGE " s where s.s_kind = 'u' and ", stage);
    append_match(sql, table, "s.c", false);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static void append_insert_into(GString *sql, const Table *table)
{
    g_string_append(sql, "insert into ");
    append_target(sql, table);
    g_string_append(sql, " (");
    append_names(sql, table);
    g_string_append(sql, ") overriding system value ");
}

static void append_not_exists(GString *sql, const Table *table, const char *prefix)
{
    g_string_append(sql, "not exists (select from ");
    append_target(sql, table);
    g_string_append(sql, " t where ");
    append_match(sql, table, prefix, false);
    g_string_append(sql, ")");
}

static char *staged_insert(const Table *table, const char *stage, const char *condition,
                           bool only_absent)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    append_insert_into(sql, table);
    g_string_append(sql, "select ");
    append_numbered(sql, "s.c", table->n_columns);
    g_string_append_printf(sql, " from " STAGE " s where %s", stage, condition);
    if (only_absent) {
        g_string_append(sql, " and ");
        append_not_exists(sql, table, "s.c");
    }
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static char *direct_delete(const Table *table)
{
    g_autoptr(GString) sql = g_string_new("delete from ");
    append_target(sql, table);
    g_string_append(sql, " t where ");
    append_match(sql, table, "$", true);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static char *direct_update(const Table *table, const char *mask)
{
    g_autoptr(GString) sql = g_string_new("update ");
    append_target(sql, table);
    g_string_append(sql, " t set ");
    append_set(sql, table, "$", mask);
    g_string_append(sql, " where ");
    append_match(sql, table, "$", false);
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static char *direct_insert(const Table *table, bool only_absent)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    append_insert_into(sql, table);
    g_string_append(sql, "select ");
    append_numbered(sql, "$", table->n_columns);
    if (only_absent) {
        g_string_append(sql, " where ");
        append_not_exists(sql, table, "$");
    }
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

void table_sql_init(TableSql *sql, const Table *table, const char *stage)
{
    g_autofree char *mask = g_strdup_printf("$%u", table->n_columns + 1);
    char **text = sql->text;
    text[SQL_STAGE_CREATE] = stage_create(table, stage);
    text[SQL_STAGE_EMPTY] = g_strdup_printf("truncate " STAGE, stage);
    text[SQL_STAGE_COPY] = stage_copy(table, stage);
    text[SQL_COMPLETE_FROM_BASE] = complete(table, stage, false);
    text[SQL_COMPLETE_FROM_OWN] = complete(table, stage, true);
    text[SQL_MISSING] = missing(table, stage);
    text[SQL_DELETE] = staged_delete(table, stage, "s.s_kind = 'd' and ");
    text[SQL_UPDATE] = staged_update(table, stage, NULL);
    text[SQL_UPDATE_PARTIAL] = staged_update(table, stage, "s.s_unchanged");
    text[SQL_INSERT] = staged_insert(table, stage, "s.s_kind = 'i'", false);
    text[SQL_INSERT_ABSENT] = staged_insert(table, stage, "s.s_kind = 'u'", true);
    text[SQL_REPLACE_DELETE] = staged_delete(table, stage, "");
    text[SQL_REPLACE_INSERT] = staged_insert(table, stage, "s.s_kind <> 'd'", false);
    text[SQL_DIRECT_DELETE] = direct_delete(table);
    text[SQL_DIRECT_UPDATE] = direct_update(table, NULL);
    text[SQL_DIRECT_UPDATE_PARTIAL] = direct_update(table, mask);
    text[SQL_DIRECT_INSERT] = direct_insert(table, false);
    text[SQL_DIRECT_INSERT_ABSENT] = direct_insert(table, true);
}

void table_sql_clear(TableSql *sql)
{
    for (guint i = 0; i < SQL_KINDS; i++)
        g_clear_pointer(&sql->text[i], g_free);
}
