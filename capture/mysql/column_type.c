/*
 * The types' names are those of information_schema.columns.column_type. Sizes of strings are
 * characters there and bytes in the log, of which a character has up to four.
 */
#include "capture/mysql/column_type.h"

#include "schema/mysql/charset.h"

#include <string.h>

#define LONGEST_CHARACTER 4
#define LABEL_COLLATION 45 /* utf8mb4_general_ci: what the catalog's labels are in */

typedef enum {
    ARGUMENT_NONE,
    ARGUMENT_BYTES,      /* binary(4) */
    ARGUMENT_CHARACTERS, /* varchar(4) */
    ARGUMENT_BITS,
    ARGUMENT_SECONDS, /* digits after the point */
    ARGUMENT_DECIMAL,
    ARGUMENT_LABELS,
    ARGUMENT_DIMENSION
} ArgumentKind;

typedef struct TypeForm {
    const char *name;
    ColumnType type;
    ColumnType other; /* an older form of the log; the same where there is none */
    ArgumentKind argument;
    guint16 size; /* the log's size, where the name says it; 0: it does not */
    ColumnMeaning meaning;
    bool text; /* has a character set */
} TypeForm;

static const TypeForm forms[] = {
    {"tinyint", COLUMN_TINY, COLUMN_TINY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"smallint", COLUMN_SHORT, COLUMN_SHORT, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"mediumint", COLUMN_INT24, COLUMN_INT24, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"int", COLUMN_LONG, COLUMN_LONG, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"bigint", COLUMN_LONGLONG, COLUMN_LONGLONG, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"float", COLUMN_FLOAT, COLUMN_FLOAT, ARGUMENT_NONE, 4, COLUMN_PLAIN, false},
    {"double", COLUMN_DOUBLE, COLUMN_DOUBLE, ARGUMENT_NONE, 8, COLUMN_PLAIN, false},
    {"decimal", COLUMN_NEWDECIMAL, COLUMN_NEWDECIMAL, ARGUMENT_DECIMAL, 0, COLUMN_PLAIN, false},
    {"bit", COLUMN_BIT, COLUMN_BIT, ARGUMENT_BITS, 0, COLUMN_PLAIN, false},
    {"year", COLUMN_YEAR, COLUMN_YEAR, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"date", COLUMN_DATE, COLUMN_NEWDATE, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"time", COLUMN_TIME2, COLUMN_TIME, ARGUMENT_SECONDS, 0, COLUMN_PLAIN, false},
    {"datetime", COLUMN_DATETIME2, COLUMN_DATETIME, ARGUMENT_SECONDS, 0, COLUMN_PLAIN, false},
    {"timestamp", COLUMN_TIMESTAMP2, COLUMN_TIMESTAMP, ARGUMENT_SECONDS, 0, COLUMN_PLAIN, false},
    {"char", COLUMN_STRING, COLUMN_STRING, ARGUMENT_CHARACTERS, 0, COLUMN_PLAIN, true},
    {"varchar", COLUMN_VARCHAR, COLUMN_VARCHAR_COMPRESSED, ARGUMENT_CHARACTERS, 0, COLUMN_PLAIN,
     true},
    {"binary", COLUMN_STRING, COLUMN_STRING, ARGUMENT_BYTES, 0, COLUMN_PLAIN, false},
    {"varbinary", COLUMN_VARCHAR, COLUMN_VARCHAR_COMPRESSED, ARGUMENT_BYTES, 0, COLUMN_PLAIN,
     false},
    {"tinytext", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 1, COLUMN_PLAIN, true},
    {"text", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 2, COLUMN_PLAIN, true},
    {"mediumtext", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 3, COLUMN_PLAIN, true},
    {"longtext", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 4, COLUMN_PLAIN, true},
    {"tinyblob", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 1, COLUMN_PLAIN, false},
    {"blob", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 2, COLUMN_PLAIN, false},
    {"mediumblob", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 3, COLUMN_PLAIN, false},
    {"longblob", COLUMN_BLOB, COLUMN_BLOB_COMPRESSED, ARGUMENT_NONE, 4, COLUMN_PLAIN, false},
    {"enum", COLUMN_ENUM, COLUMN_ENUM, ARGUMENT_LABELS, 0, COLUMN_PLAIN, false},
    {"set", COLUMN_SET, COLUMN_SET, ARGUMENT_LABELS, 0, COLUMN_PLAIN, false},
    {"json", COLUMN_JSON, COLUMN_BLOB, ARGUMENT_NONE, 4, COLUMN_PLAIN, true},
    {"vector", COLUMN_VECTOR, COLUMN_VECTOR, ARGUMENT_DIMENSION, 0, COLUMN_PLAIN, false},
    {"geometry", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"point", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"linestring", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"polygon", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"multipoint", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"multilinestring", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"multipolygon", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"geomcollection", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"geometrycollection", COLUMN_GEOMETRY, COLUMN_GEOMETRY, ARGUMENT_NONE, 0, COLUMN_PLAIN, false},
    {"uuid", COLUMN_STRING, COLUMN_STRING, ARGUMENT_NONE, 16, COLUMN_UUID, false},
    {"inet4", COLUMN_STRING, COLUMN_STRING, ARGUMENT_NONE, 4, COLUMN_INET4, false},
    {"inet6", COLUMN_STRING, COLUMN_STRING, ARGUMENT_NONE, 16, COLUMN_INET6, false},
};

/* The form, and where its arguments begin: behind "(", or NULL. */
static const TypeForm *find_form(const char *type, const char **arguments)
{
    gsize size = 0;
    while (g_ascii_isalnum(type[size]))
        size++;
    *arguments = type[size] == '(' ? type + size + 1 : NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
        if (strlen(forms[i].name) == size && g_ascii_strncasecmp(forms[i].name, type, size) == 0)
            return &forms[i];
    return NULL;
}

/* ---- arguments ---- */

/* A compressed value has one byte more. */
static guint size_of(const BinlogColumn *column)
{
    return column->type == COLUMN_VARCHAR_COMPRESSED && column->size > 0 ? column->size - 1u
                                                                         : column->size;
}

static bool size_fits(const BinlogColumn *column, guint64 characters)
{
    guint size = size_of(column);
    if (characters == 0)
        return size == 0;
    return size % characters == 0 && size / characters >= 1 &&
           size / characters <= LONGEST_CHARACTER;
}

static bool decimal_fits(const BinlogColumn *column, const char *arguments)
{
    const char *comma = strchr(arguments, ',');
    return column->precision == g_ascii_strtoull(arguments, NULL, 10) &&
           column->scale == (comma ? g_ascii_strtoull(comma + 1, NULL, 10) : 0);
}

/* What a backslash and this letter stand for in the catalog. */
static char unescaped(char letter)
{
    return letter == 'n' ? '\n' : letter == 'r' ? '\r' : letter == '0' ? '\0' : letter;
}

/* 'a','it''s','b\\c': the next label without its quotes; false at the end. */
static bool take_label(const char **at, GString *label)
{
    g_string_truncate(label, 0);
    if (**at == ',')
        ++*at;
    if (**at != '\'')
        return false;
    for (++*at; **at; ++*at) {
        if (**at == '\'' && *++*at != '\'')
            return true;
        if (**at == '\\' && (*at)[1])
            g_string_append_c(label, unescaped(*++*at));
        else
            g_string_append_c(label, **at);
    }
    return false;
}

static guint count_labels(const char *arguments)
{
    guint n = 0;
    g_autoptr(GString) label = g_string_new(NULL);
    while (take_label(&arguments, label))
        n++;
    return n;
}

/* The catalog's labels, where the log has none; else only their number is compared, since the
 * log's are in the column's own character set. */
static bool labels_fit(BinlogColumn *column, const char *arguments, Arena *arena)
{
    guint n = count_labels(arguments);
    if (column->n_labels > 0)
        return column->n_labels == n;
    g_autoptr(GString) text = g_string_new(NULL);
    BinlogLabel *labels = arena_new_array(arena, BinlogLabel, n + 1);
    for (guint i = 0; take_label(&arguments, text); i++)
        labels[i] = (BinlogLabel){arena_copy(arena, text->str, text->len + 1), text->len};
    column->labels = labels;
    column->n_labels = n;
    column->collation = LABEL_COLLATION;
    return n > 0;
}

static bool argument_fits(const TypeForm *form, BinlogColumn *column, const char *arguments,
                          Arena *arena)
{
    guint64 number = arguments ? g_ascii_strtoull(arguments, NULL, 10) : 0;
    switch (form->argument) {
    case ARGUMENT_NONE:
        return form->size == 0 || column->size == form->size;
    case ARGUMENT_BYTES:
        return size_of(column) == number;
    case ARGUMENT_CHARACTERS:
        return size_fits(column, number);
    case ARGUMENT_BITS:
        return column->size == number;
    case ARGUMENT_SECONDS:
        return column->type != form->type || column->scale == number;
    case ARGUMENT_DECIMAL:
        return arguments && decimal_fits(column, arguments);
    case ARGUMENT_LABELS:
        return arguments && labels_fit(column, arguments, arena);
    case ARGUMENT_DIMENSION:
        return column->dimension == 0 || column->dimension == number;
    }
    return false;
}

/* ---- the whole ---- */

static bool is_integer(ColumnType type)
{
    return type == COLUMN_TINY || type == COLUMN_SHORT || type == COLUMN_INT24 ||
           type == COLUMN_LONG || type == COLUMN_LONGLONG;
}

static bool sign_fits(BinlogColumn *column, const char *type)
{
    bool is_unsigned = strstr(type, ") unsigned") || strstr(type, "t unsigned");
    if (!is_integer(column->type))
        return true;
    if (!column->sign_known) {
        column->sign_known = true;
        column->is_unsigned = is_unsigned;
    }
    return column->is_unsigned == is_unsigned;
}

static bool is_binary(const TypeForm *form)
{
    return !form->text && (form->type == COLUMN_STRING || form->type == COLUMN_VARCHAR ||
                           form->type == COLUMN_BLOB);
}

/* A JSON document of MySQL has no character set. */
static bool charset_fits(const TypeForm *form, const Column *column, BinlogColumn *found)
{
    const char *wanted = form->text ? column->charset : is_binary(form) ? "binary" : NULL;
    if (!wanted || found->type == COLUMN_JSON)
        return true;
    if (found->collation == 0)
        found->collation = mysql_charset_collation(wanted);
    const char *name = mysql_charset_name(found->collation);
    return found->collation == 0 || !name || strcmp(name, wanted) == 0 ||
           (strcmp(wanted, "utf8") == 0 && strcmp(name, "utf8mb3") == 0);
}

static char *describe(const BinlogColumn *found)
{
    const char *charset = mysql_charset_name(found->collation);
    return g_strdup_printf("type %u, size %u, precision %u, scale %u%s%s%s", found->type,
                           found->size, found->precision, found->scale,
                           found->is_unsigned ? ", unsigned" : "", charset ? ", " : "",
                           charset ? charset : "");
}

char *mysql_column_complete(const Column *column, BinlogColumn *found, ColumnMeaning *meaning,
                            Arena *arena)
{
    const char *arguments;
    const TypeForm *form = find_form(column->type, &arguments);
    *meaning = form ? form->meaning : COLUMN_PLAIN;
    if (form && (found->type == form->type || found->type == form->other) &&
        argument_fits(form, found, arguments, arena) && sign_fits(found, column->type) &&
        charset_fits(form, column, found))
        return NULL;
    return describe(found);
}
