/*
 * PostgreSQL deparses a constant as a number, true, false, or a quoted text with a cast, with
 * standard_conforming_strings as connection_pg pins it. MySQL shows a constant bare, and an
 * expression with a backslash before every quote and backslash on top of those that its texts
 * have. MariaDB shows SQL whose texts have backslashes, whatever sql_mode says.
 */
#include "schema/column_default.h"

#include "schema/type_oid.h"

#include <string.h>

void column_default_clear(ColumnDefault *value)
{
    g_clear_pointer(&value->text, g_free);
    value->kind = DEFAULT_NONE;
}

static ColumnDefault literal(char *text)
{
    return (ColumnDefault){DEFAULT_LITERAL, text};
}

static ColumnDefault expression_of(const char *text)
{
    return (ColumnDefault){DEFAULT_EXPRESSION, g_strdup(text)};
}

bool column_default_is_number(const char *text)
{
    const char *c = text + (*text == '-' || *text == '+');
    gsize digits = strspn(c, "0123456789.");
    if (digits == 0 || strspn(c, ".") == digits)
        return false;
    c += digits;
    if (*c == 'e' || *c == 'E') {
        c++;
        c += *c == '-' || *c == '+';
        digits = strspn(c, "0123456789");
        c += digits;
    }
    return *c == '\0' && digits > 0;
}

/* "name" or "name(3)", in any letters. */
static bool is_call(const char *text, const char *name)
{
    gsize size = strlen(name);
    if (g_ascii_strncasecmp(text, name, size) != 0)
        return false;
    text += size;
    if (*text == '(') {
        text++;
        text += strspn(text, "0123456789");
        if (*text++ != ')')
            return false;
    }
    return *text == '\0';
}

/* --- PostgreSQL ------------------------------------------------------------------------------- */

static bool is_now(const char *text)
{
    static const char *const names[] = {"now()",
                                        "current_timestamp",
                                        "localtimestamp",
                                        "transaction_timestamp()",
                                        "statement_timestamp()",
                                        "clock_timestamp()"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (is_call(text, names[i]))
            return true;
    return false;
}

static bool is_now_utc(const char *text)
{
    static const char *const forms[] = {
        "timezone('utc'::text, now())", "timezone('utc'::text, current_timestamp)",
        "now() at time zone 'utc'::text", "(now() at time zone 'utc'::text)",
        "(current_timestamp at time zone 'utc'::text)"};
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
        if (g_ascii_strcasecmp(text, forms[i]) == 0)
            return true;
    return false;
}

/* Is this a cast to a plain type, "::character varying(20)" or nothing? */
static bool is_cast(const char *text)
{
    if (*text == '\0')
        return true;
    if (!g_str_has_prefix(text, "::"))
        return false;
    return strspn(text + 2, "abcdefghijklmnopqrstuvwxyz0123456789_ \"(),") == strlen(text + 2);
}

/* The text of "'it''s'::text"; NULL where it is something else. */
static char *read_quoted_pg(const char *text)
{
    g_autoptr(GString) value = g_string_new(NULL);
    if (*text++ != '\'')
        return NULL;
    for (; *text != '\0' && (*text != '\'' || text[1] == '\''); text++) {
        if (*text == '\'')
            text++;
        g_string_append_c(value, *text);
    }
    if (*text != '\'' || !is_cast(text + 1))
        return NULL;
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static bool is_null(const char *text)
{
    return g_ascii_strncasecmp(text, "null", 4) == 0 && is_cast(text + 4);
}

static ColumnDefault literal_pg(char *value, guint32 type_oid)
{
    if (type_oid == OID_BYTEA && g_str_has_prefix(value, "\\x")) {
        char *digits = g_strdup(value + 2);
        g_free(value);
        return literal(digits);
    }
    return literal(value);
}

ColumnDefault column_default_of_pg(const char *expression, guint32 type_oid)
{
    if (expression == NULL || is_null(expression))
        return (ColumnDefault){DEFAULT_NONE, NULL};
    if (is_now(expression))
        return (ColumnDefault){DEFAULT_NOW, NULL};
    if (is_now_utc(expression))
        return (ColumnDefault){DEFAULT_NOW_UTC, NULL};
    if (type_oid == OID_BOOL && strcmp(expression, "true") == 0)
        return literal(g_strdup("1"));
    if (type_oid == OID_BOOL && strcmp(expression, "false") == 0)
        return literal(g_strdup("0"));
    if (column_default_is_number(expression))
        return literal(g_strdup(expression));
    if (expression[0] == '(' && g_str_has_suffix(expression, ")")) {
        g_autofree char *inner = g_strndup(expression + 1, strlen(expression) - 2);
        if (column_default_is_number(inner))
            return literal(g_steal_pointer(&inner));
    }
    char *value = read_quoted_pg(expression);
    return value != NULL ? literal_pg(value, type_oid) : expression_of(expression);
}

/* --- MySQL and MariaDB ------------------------------------------------------------------------ */

/* The character that a backslash and this one stand for. */
static char unescape(char letter)
{
    static const char letters[] = "0ntrbZ", values[] = "\0\n\t\r\b\x1a";
    const char *place = strchr(letters, letter);
    return place != NULL && letter != '\0' ? values[place - letters] : letter;
}

/* Reads a quoted text with backslashes and doubled quotes from *text on, and moves it behind.
 * False where a quote stays open. */
static bool read_quoted(const char **text, GString *value)
{
    const char *c = *text + 1;
    for (; *c != '\0' && (*c != '\'' || c[1] == '\''); c++) {
        if (*c == '\\' && c[1] != '\0')
            g_string_append_c(value, unescape(*++c));
        else
            g_string_append_c(value, *c == '\'' ? *++c : *c);
    }
    *text = *c == '\'' ? c + 1 : c;
    return *c == '\'';
}

/* A whole text, with the name of its character set before it or not; NULL: something else. */
static char *read_text(const char *text, gsize *size)
{
    g_autoptr(GString) value = g_string_new(NULL);
    if (*text == '_')
        text += strspn(text, "_abcdefghijklmnopqrstuvwxyz0123456789");
    if (*text != '\'' || !read_quoted(&text, value) || *text != '\0')
        return NULL;
    *size = value->len;
    return g_string_free(g_steal_pointer(&value), FALSE);
}

static char *hex_of(const char *bytes, gsize size)
{
    GString *digits = g_string_new(NULL);
    for (gsize i = 0; i < size; i++)
        g_string_append_printf(digits, "%02x", (guint8)bytes[i]);
    return g_string_free(digits, FALSE);
}

char *column_default_mysql_expression(const char *text)
{
    GString *plain = g_string_new(NULL);
    for (; *text != '\0'; text++) {
        if (*text == '\\' && (text[1] == '\'' || text[1] == '\\'))
            text++;
        g_string_append_c(plain, *text);
    }
    return g_string_free(plain, FALSE);
}

static ColumnDefault literal_of_bits(const char *text)
{
    const char *digits = text + 2;
    return literal(g_strndup(digits, strspn(digits, "01")));
}

/* The bytes of X'00ff'; NULL where it is something else. */
static char *read_hex(const char *text)
{
    gsize digits = strlen(text) > 2 ? strspn(text + 2, "0123456789abcdefABCDEF") : 0;
    if (g_ascii_strncasecmp(text, "x'", 2) != 0 || strcmp(text + 2 + digits, "'") != 0)
        return NULL;
    return g_strndup(text + 2, digits);
}

/* What is written as SQL. */
static ColumnDefault default_of_sql(const char *sql, guint32 type_oid)
{
    gsize size = 0;
    if (is_call(sql, "current_timestamp") || is_call(sql, "now"))
        return (ColumnDefault){DEFAULT_NOW, NULL};
    if (is_call(sql, "utc_timestamp"))
        return (ColumnDefault){DEFAULT_NOW_UTC, NULL};
    if (type_oid == OID_JSON && strcmp(sql, "json_object()") == 0)
        return literal(g_strdup("{}"));
    if (type_oid == OID_JSON && strcmp(sql, "json_array()") == 0)
        return literal(g_strdup("[]"));
    if (g_ascii_strcasecmp(sql, "null") == 0)
        return (ColumnDefault){DEFAULT_NONE, NULL};
    if (g_str_has_prefix(sql, "b'"))
        return literal_of_bits(sql);
    if (column_default_is_number(sql))
        return literal(g_strdup(sql));
    g_autofree char *value = read_text(sql, &size);
    if (value != NULL && type_oid == OID_BYTEA)
        return literal(hex_of(value, size));
    if (value != NULL && strlen(value) == size)
        return literal(g_steal_pointer(&value));
    g_autofree char *bytes = type_oid == OID_BYTEA ? read_hex(sql) : NULL;
    if (bytes != NULL)
        return literal(g_steal_pointer(&bytes));
    return expression_of(sql);
}

ColumnDefault column_default_of_mariadb(const char *text, guint32 type_oid)
{
    if (text == NULL)
        return (ColumnDefault){DEFAULT_NONE, NULL};
    return default_of_sql(text, type_oid);
}

/* The server shows bytes only up to the first zero one: they are not what the default is. */
ColumnDefault column_default_of_mysql(const char *text, const char *extra, guint32 type_oid)
{
    if (text == NULL)
        return (ColumnDefault){DEFAULT_NONE, NULL};
    if (strstr(extra, "DEFAULT_GENERATED") != NULL) {
        g_autofree char *plain = column_default_mysql_expression(text);
        return default_of_sql(plain, type_oid);
    }
    if (type_oid == OID_BYTEA)
        return (ColumnDefault){DEFAULT_UNKNOWN, g_strdup(text)};
    if (type_oid == OID_BIT && g_str_has_prefix(text, "b'"))
        return literal_of_bits(text);
    return literal(g_strdup(text));
}
