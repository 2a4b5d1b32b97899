/*
 * A comparison of rows, (a, b) >= (x, y), uses no index in MySQL. Written out it does, and reads
 * no more than the range:
 *
 *   (a > x or (a = x and b >= y))
 */
#include "schema/mysql/key_sql.h"

#include "proto/byte_reader.h"
#include "proto/error.h"
#include "schema/connection_mysql.h"
#include "schema/mysql/cell_text.h"
#include "schema/mysql/literal.h"
#include "schema/type_oid.h"

#include <string.h>

#define UTC "+00"

static bool is_listed(const char *type)
{
    return type != NULL && (g_str_has_prefix(type, "enum(") || g_str_has_prefix(type, "set("));
}

bool mysql_column_is_listed(const Column *column)
{
    return is_listed(column->type) || is_listed(column->target_type);
}

static const Column *key_column(const Table *table, guint place)
{
    return &table->columns[table->key[place]];
}

static void append_field(GString *sql, const Column *column)
{
    g_string_append(sql, "t.");
    mysql_session_append_identifier(sql, column->name);
}

static void append_ordered(GString *sql, const Column *column)
{
    bool listed = mysql_column_is_listed(column);
    g_string_append(sql, listed ? "concat(" : "");
    append_field(sql, column);
    g_string_append(sql, listed ? ")" : "");
}

void mysql_append_key_order(GString *sql, const Table *table)
{
    for (guint i = 0; i < table->n_key; i++) {
        g_string_append(sql, i > 0 ? ", " : "");
        append_ordered(sql, key_column(table, i));
    }
}

/* ---- literals of texts ---- */

static bool fail_text(const Column *column, const char *text, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "column %s: %s is no text of a key (%s)",
                column->name, text, column->type);
    return false;
}

static bool append_number(GString *sql, const Column *column, const char *text, GError **error)
{
    if (column->type_oid == OID_BOOL) {
        g_string_append_c(sql, text[0] == 't' || text[0] == '1' ? '1' : '0');
        return true;
    }
    if (column->type_oid == OID_BIT) {
        g_string_append(sql, "cast(b'");
        g_string_append_len(sql, text, (gssize)strspn(text, "01"));
        g_string_append(sql, "' as unsigned)");
        return true;
    }
    if (text[0] == 0 || text[strspn(text, "+-.0123456789eE")] != 0)
        return fail_text(column, text, error);
    bool is_float = column->type_oid == OID_FLOAT4 || column->type_oid == OID_FLOAT8;
    g_string_append(sql, text);
    g_string_append(sql, is_float && strpbrk(text, "eE") == NULL ? "e0" : "");
    return true;
}

static bool append_bytes(GString *sql, const Column *column, const char *text, GError **error)
{
    if (!g_str_has_prefix(text, "\\x") || text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] != 0)
        return fail_text(column, text, error);
    g_string_append_printf(sql, "x'%s'", text + 2);
    return true;
}

static bool append_text(GString *sql, const Column *column, const char *text, GError **error)
{
    g_autofree char *own = NULL;
    switch (mysql_form_of(column->type_oid)) {
    case MYSQL_FORM_NUMBER:
        return append_number(sql, column, text, error);
    case MYSQL_FORM_BYTES:
        return append_bytes(sql, column, text, error);
    case MYSQL_FORM_PLAIN:
    case MYSQL_FORM_TEXT:
        if (column->type_oid == OID_TIMESTAMPTZ && g_str_has_suffix(text, UTC))
            text = own = g_strndup(text, strlen(text) - strlen(UTC));
        mysql_session_append_literal(sql, text);
        return true;
    case MYSQL_FORM_JSON:
    case MYSQL_FORM_NONE:
        break;
    }
    return fail_text(column, text, error);
}

/* ---- ranges ---- */

static bool append_comparison(GString *sql, const Column *column, const char *operator,
                              const char * text, GError **error)
{
    append_ordered(sql, column);
    g_string_append_printf(sql, " %s ", operator);
    return append_text(sql, column, text, error);
}

/* key >= bound, or key < bound, from a place of the key on. */
static bool append_bound(GString *sql, const Table *table, guint place, bool lower,
                         char *const *bound, GError **error)
{
    const Column *column = key_column(table, place);
    if (bound[place] == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "%s: a bound of a key range has %u of %u values", table->label, place,
                    table->n_key);
        return false;
    }
    if (place + 1 == table->n_key)
        return append_comparison(sql, column, lower ? ">=" : "<", bound[place], error);
    g_string_append_c(sql, '(');
    if (!append_comparison(sql, column, lower ? ">" : "<", bound[place], error))
        return false;
    g_string_append(sql, " or (");
    if (!append_comparison(sql, column, "=", bound[place], error))
        return false;
    g_string_append(sql, " and ");
    if (!append_bound(sql, table, place + 1, lower, bound, error))
        return false;
    g_string_append(sql, "))");
    return true;
}

bool mysql_append_range(GString *sql, const Table *table, const KeyRange *range, GError **error)
{
    if (range->lower != NULL) {
        g_string_append(sql, " where ");
        if (!append_bound(sql, table, 0, true, range->lower, error))
            return false;
    }
    if (range->upper == NULL)
        return true;
    g_string_append(sql, range->lower != NULL ? " and " : " where ");
    return append_bound(sql, table, 0, false, range->upper, error);
}

/* ---- keys ---- */

static guint n_compared(const ReadRequest *request)
{
    return request->kind == READ_CHILDREN ? request->n_columns : request->table->n_key;
}

static const Column *compared(const ReadRequest *request, guint place)
{
    return request->kind == READ_CHILDREN ? &request->table->columns[request->columns[place]]
                                          : key_column(request->table, place);
}

static bool append_key_cell(GString *sql, const ReadRequest *request, const Row *key, guint place,
                            GError **error)
{
    if (key->n_cells == n_compared(request) && key->cells[place].kind == CELL_VALUE)
        return mysql_append_literal(sql, compared(request, place), &key->cells[place], error);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "%s: a key to read is not a value in every column", request->table->label);
    return false;
}

/* 1, or (a = 1 and b = 2): a list of rows would be no range for every server. */
static bool append_key(GString *sql, const ReadRequest *request, const Row *key, GError **error)
{
    guint n = n_compared(request);
    if (n == 1)
        return append_key_cell(sql, request, key, 0, error);
    for (guint i = 0; i < n; i++) {
        g_string_append(sql, i > 0 ? " and " : "(");
        append_field(sql, compared(request, i));
        g_string_append(sql, " = ");
        if (!append_key_cell(sql, request, key, i, error))
            return false;
    }
    g_string_append_c(sql, ')');
    return true;
}

bool mysql_append_keys(GString *sql, const ReadRequest *request, const GPtrArray *keys, guint *n,
                       GError **error)
{
    bool single = n_compared(request) == 1;
    *n = 0;
    g_string_append(sql, " where ");
    if (single) {
        append_field(sql, compared(request, 0));
        g_string_append(sql, " in (");
    }
    for (guint i = 0; i < keys->len; i++) {
        gsize before = sql->len;
        g_autoptr(GError) failure = NULL;
        g_string_append(sql, *n == 0 ? "" : single ? ", " : " or ");
        if (append_key(sql, request, g_ptr_array_index(keys, i), &failure)) {
            ++*n;
        } else if (failure->code == DROVER_ERROR_DATA) {
            g_string_truncate(sql, before);
        } else {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    g_string_append(sql, single ? ")" : "");
    return true;
}

/* ---- texts ---- */

static void append_hex_text(GString *text, const Cell *cell)
{
    g_string_append(text, "\\x");
    for (guint32 i = 0; i < cell->length; i++)
        g_string_append_printf(text, "%02x", cell->data[i]);
}

/* u32 bits, then the bits from the left. */
static void append_bit_text(GString *text, const Cell *cell)
{
    ByteReader reader = byte_reader(cell->data, cell->length);
    guint32 n;
    if (!byte_reader_u32(&reader, &n) || byte_reader_left(&reader) < (n + 7) / 8)
        return;
    for (guint32 i = 0; i < n; i++)
        g_string_append_c(text, (char)('0' + (reader.data[4 + i / 8] >> (7 - i % 8) & 1)));
}

bool mysql_append_key_text(GString *text, const Column *column, const Cell *cell, GError **error)
{
    if (cell->kind != CELL_VALUE)
        return true;
    switch (column->type_oid) {
    case OID_BYTEA:
        append_hex_text(text, cell);
        return true;
    case OID_BIT:
        append_bit_text(text, cell);
        return true;
    case OID_BOOL:
        g_string_append(text, cell->length == 1 && cell->data[0] != 0 ? "true" : "false");
        return true;
    default:
        break;
    }
    MysqlForm form = mysql_form_of(column->type_oid);
    if (form != MYSQL_FORM_NUMBER && form != MYSQL_FORM_PLAIN && column->type_oid != OID_CHAR) {
        g_string_append_len(text, (const char *)cell->data, cell->length);
        return true;
    }
    if (!mysql_append_cell_text(text, column, cell, error))
        return false;
    g_string_append(text, column->type_oid == OID_TIMESTAMPTZ ? UTC : "");
    return true;
}
