#include "apply/mysql/row_sql.h"

#include "schema/connection_mysql.h"
#include "schema/mysql/cell_text.h"
#include "schema/mysql/literal.h"
#include "schema/type_oid.h"

#include <string.h>

static const char *const exact_collations[] = {"utf8mb4_0900_bin", "nopad_bin"};

/* Values that are equal may have different bytes. */
static bool key_is_loose(const Column *column)
{
    if (mysql_form_of(column->type_oid) != MYSQL_FORM_TEXT)
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(exact_collations); i++)
        if (column->target_type && strstr(column->target_type, exact_collations[i]))
            return false;
    return true;
}

/* A float is compared as a double, which is another number than its literal. */
static bool append_key_value(GString *sql, const Column *column, const Cell *cell, GError **error)
{
    bool is_float = column->type_oid == OID_FLOAT4;
    g_string_append(sql, is_float ? "cast(" : "");
    if (!mysql_append_literal(sql, column, cell, error))
        return false;
    g_string_append(sql, is_float ? " as float)" : "");
    return true;
}

static bool append_match(GString *sql, const Table *table, const Row *key, GError **error)
{
    for (guint i = 0; i < table->n_key; i++) {
        const Column *column = &table->columns[table->key[i]];
        g_string_append(sql, i > 0 ? " and " : " where ");
        mysql_session_append_identifier(sql, column->name);
        g_string_append_c(sql, '=');
        if (!append_key_value(sql, column, &key->cells[i], error))
            return false;
    }
    return true;
}

bool row_sql_append_delete(GString *sql, const Table *table, const Row *key, GError **error)
{
    g_string_append(sql, "delete from ");
    mysql_session_append_qualified(sql, table->target_schema, table->target_name);
    return append_match(sql, table, key, error);
}

static const Cell *cell_of(const Column *column, const NetRow *row, guint i)
{
    return column->key_place < 0 ? &row->row.cells[i] : &row->key.cells[column->key_place];
}

bool row_sql_is_set(const Column *column, bool unchanged)
{
    if (unchanged)
        return column->type_oid == OID_TIMESTAMP || column->type_oid == OID_TIMESTAMPTZ;
    return column->key_place < 0 || key_is_loose(column);
}

static void append_itself(GString *sql, const Column *column)
{
    mysql_session_append_identifier(sql, column->name);
    g_string_append_c(sql, '=');
    mysql_session_append_identifier(sql, column->name);
}

static bool append_assignment(GString *sql, const Column *column, const Cell *cell, GError **error)
{
    if (cell->kind == CELL_UNCHANGED) {
        append_itself(sql, column);
        return true;
    }
    mysql_session_append_identifier(sql, column->name);
    g_string_append_c(sql, '=');
    return mysql_append_literal(sql, column, cell, error);
}

/* Where nothing is set the key is, to what it is: the row is found or not. */
bool row_sql_append_update(GString *sql, const Table *table, const NetRow *row, GError **error)
{
    const char *separator = " set ";
    g_string_append(sql, "update ");
    mysql_session_append_qualified(sql, table->target_schema, table->target_name);
    for (guint i = 0; i < table->n_columns; i++) {
        const Column *column = &table->columns[i];
        const Cell *cell = cell_of(column, row, i);
        if (!row_sql_is_set(column, cell->kind == CELL_UNCHANGED))
            continue;
        g_string_append(sql, separator);
        if (!append_assignment(sql, column, cell, error))
            return false;
        separator = ",";
    }
    if (separator[0] == ' ') {
        g_string_append(sql, separator);
        append_itself(sql, &table->columns[table->key[0]]);
    }
    return append_match(sql, table, &row->key, error);
}
