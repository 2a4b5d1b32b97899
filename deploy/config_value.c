#include "deploy/config_value.h"

#include "proto/error.h"

#include <errno.h>
#include <string.h>

enum { LONGEST_EXPANSION = 64 * 1024, LONGEST_NAME = 40 };

typedef struct Unit {
    const char *name;
    guint64 factor;
} Unit;

static const Unit size_units[] = {
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000 * 1000},
    {"GB", G_GUINT64_CONSTANT(1000000000)},
    {"TB", G_GUINT64_CONSTANT(1000000000000)},
    {"KiB", G_GUINT64_CONSTANT(1) << 10},
    {"MiB", G_GUINT64_CONSTANT(1) << 20},
    {"GiB", G_GUINT64_CONSTANT(1) << 30},
    {"TiB", G_GUINT64_CONSTANT(1) << 40},
};

static const Unit duration_units[] = {
    {"us", 1},
    {"ms", 1000},
    {"s", 1000 * 1000},
    {"min", 60 * 1000 * 1000},
    {"h", G_GUINT64_CONSTANT(3600000000)},
    {"d", G_GUINT64_CONSTANT(86400000000)},
};

static bool fail(GError **error, const char *message)
{
    g_set_error_literal(error, DROVER_ERROR, DROVER_ERROR_USAGE, message);
    return false;
}

bool config_is_variable(const char *name, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (!(g_ascii_isalpha(name[i]) || name[i] == '_' || (i > 0 && g_ascii_isdigit(name[i]))))
            return false;
    return length > 0;
}

/* Appends the value of the variable whose "${" is at `at`; *next is what follows its brace. */
static bool expand_one(const char *at, ConfigEnvironment environment, GString *out,
                       const char **next, GError **error)
{
    const char *name = at + 2;
    const char *end = strchr(name, '}');
    if (end == NULL || !config_is_variable(name, (gsize)(end - name)))
        return fail(error, "after '${' comes the name of an environment variable and '}'; "
                           "write '$${' for the characters themselves");
    g_autofree char *variable = g_strndup(name, (gsize)(end - name));
    const char *value = environment(variable);
    if (value == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "the environment variable %s is not set", variable);
        return false;
    }
    if (!g_utf8_validate(value, -1, NULL)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "the environment variable %s is not UTF-8", variable);
        return false;
    }
    g_string_append(out, value);
    *next = end + 1;
    return true;
}

char *config_expand(const char *text, ConfigEnvironment environment, bool *expanded, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    *expanded = false;
    for (const char *at = text; *at != '\0';) {
        if (g_str_has_prefix(at, "$${")) {
            g_string_append(out, "${");
            at += 3;
        } else if (g_str_has_prefix(at, "${")) {
            if (!expand_one(at, environment, out, &at, error))
                return NULL;
            *expanded = true;
        } else {
            g_string_append_c(out, *at++);
        }
        if (*expanded && out->len > LONGEST_EXPANSION) {
            fail(error, "longer than 64 KiB with the environment's values");
            return NULL;
        }
    }
    return g_strdup(out->str);
}

static bool parse_digits(const char *text, guint64 *number, const char **rest)
{
    if (!g_ascii_isdigit(text[0]))
        return false;
    char *end = NULL;
    errno = 0;
    *number = g_ascii_strtoull(text, &end, 10);
    *rest = end;
    return errno == 0;
}

static char *join_units(const Unit *units, gsize n_units, const char *separator)
{
    GString *joined = g_string_new(NULL);
    for (gsize i = 0; i < n_units; i++)
        g_string_append_printf(joined, "%s%s", i > 0 ? separator : "", units[i].name);
    return g_string_free(joined, FALSE);
}

char *config_size_units(const char *separator)
{
    return join_units(size_units, G_N_ELEMENTS(size_units), separator);
}

char *config_duration_units(const char *separator)
{
    return join_units(duration_units, G_N_ELEMENTS(duration_units), separator);
}

static bool parse_quantity(const char *text, const Unit *units, gsize n_units, guint64 *result,
                           GError **error)
{
    guint64 number = 0;
    const char *unit = "";
    bool is_number = parse_digits(text, &number, &unit);
    while (*unit == ' ')
        unit++;
    for (gsize i = 0; is_number && i < n_units; i++) {
        if (strcmp(units[i].name, unit) != 0)
            continue;
        return g_uint64_checked_mul(result, number, units[i].factor) || fail(error, "too large");
    }
    g_autofree char *names = join_units(units, n_units, ", ");
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                "a whole number with a unit is needed (%s)", names);
    return false;
}

bool config_parse_size(const char *text, guint64 *bytes, GError **error)
{
    return parse_quantity(text, size_units, G_N_ELEMENTS(size_units), bytes, error);
}

bool config_parse_duration(const char *text, guint64 *microseconds, GError **error)
{
    return parse_quantity(text, duration_units, G_N_ELEMENTS(duration_units), microseconds, error);
}

char *config_format_size(guint64 bytes)
{
    const Unit *best = &size_units[0];
    for (gsize i = 0; i < G_N_ELEMENTS(size_units); i++)
        if (bytes > 0 && bytes % size_units[i].factor == 0 && size_units[i].factor > best->factor)
            best = &size_units[i];
    return g_strdup_printf("%" G_GUINT64_FORMAT "%s", bytes / best->factor, best->name);
}

bool config_parse_count(const char *text, guint64 *count, GError **error)
{
    const char *rest = NULL;
    if (!parse_digits(text, count, &rest) || *rest != '\0')
        return fail(error, "a whole number is needed");
    return true;
}

bool config_parse_boolean(const char *text, bool *value, GError **error)
{
    *value = strcmp(text, "true") == 0;
    if (!*value && strcmp(text, "false") != 0)
        return fail(error, "true or false is needed");
    return true;
}

/* Reads `n` digits and the character behind them, which may be the end of the text. */
static bool read_digits(const char **text, int n, char end, int *number)
{
    *number = 0;
    for (int i = 0; i < n; i++) {
        if (!g_ascii_isdigit((*text)[i]))
            return false;
        *number = *number * 10 + ((*text)[i] - '0');
    }
    if ((*text)[n] != end)
        return false;
    *text += n + (end != '\0');
    return true;
}

static bool is_time(const char *text)
{
    int hour, minute, second;
    if (!read_digits(&text, 2, ':', &hour) || !read_digits(&text, 2, ':', &minute) || hour > 23 ||
        minute > 59)
        return false;
    gsize rest = strlen(text);
    if (rest == 2)
        return read_digits(&text, 2, '\0', &second) && second < 60;
    return read_digits(&text, 2, '.', &second) && second < 60 && rest <= 9 && *text != '\0' &&
           text[strspn(text, "0123456789")] == '\0';
}

bool config_check_moment(const char *text, GError **error)
{
    int year, month, day;
    const char *at = text;
    bool only_date = strlen(text) == strlen("1970-01-01");
    if (read_digits(&at, 4, '-', &year) && read_digits(&at, 2, '-', &month) &&
        read_digits(&at, 2, only_date ? '\0' : ' ', &day) && year > 0 &&
        g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year) &&
        (only_date || is_time(at)))
        return true;
    return fail(error, "error, null, or a date of the calendar is needed, such as 1970-01-01 or "
                       "'1970-01-01 00:00:00'");
}

bool config_check_name(const char *text, GError **error)
{
    gsize length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (!g_ascii_islower(text[0]) || text[length] != '\0' || length > LONGEST_NAME)
        return fail(error, "a lower-case letter comes first, then up to 39 lower-case letters, "
                           "digits and '_'");
    return true;
}

/* What follows one part of a name; NULL where there is none or a quote stays open. */
static const char *skip_part(const char *text)
{
    if (*text != '"') {
        gsize length = strcspn(text, ".\"");
        return length > 0 ? text + length : NULL;
    }
    const char *at = text + 1;
    for (; *at != '\0' && (*at != '"' || at[1] == '"'); at++)
        if (*at == '"')
            at++;
    return *at == '"' && at > text + 1 ? at + 1 : NULL;
}

const char *config_pattern_table(const char *text)
{
    const char *dot = skip_part(text);
    return dot != NULL && *dot == '.' ? dot + 1 : NULL;
}

bool config_check_pattern(const char *text, GError **error)
{
    const char *table = config_pattern_table(text);
    const char *end = table != NULL ? skip_part(table) : NULL;
    if (end == NULL || *end != '\0')
        return fail(error, "schema.table, schema.* or *.* is needed");
    gsize length = (gsize)(table - 1 - text);
    if (memchr(text, '*', length) != NULL && (length > 1 || *text != '*'))
        return fail(error, "the schema's part is a name or a lone '*'");
    return true;
}

static bool is_number(const char *text)
{
    if (*text == '+' || *text == '-')
        text++;
    if (!g_ascii_isdigit(text[0]) && !(text[0] == '.' && g_ascii_isdigit(text[1])))
        return false;
    char *end = NULL;
    g_ascii_strtod(text, &end);
    return *end == '\0';
}

ConfigKind config_scalar_kind(const char *text, bool plain)
{
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (*text == '\0')
        return CONFIG_EMPTY;
    if (!plain)
        return CONFIG_TEXT;
    if (strcmp(text, "~") == 0 || g_ascii_strcasecmp(text, "null") == 0)
        return CONFIG_EMPTY;
    if (g_strv_contains(booleans, text))
        return CONFIG_BOOLEAN;
    return is_number(text) ? CONFIG_NUMBER : CONFIG_TEXT;
}

const char *config_kind_name(ConfigKind kind)
{
    static const char *const names[] = {"text", "a number", "true or false", "empty"};
    return names[kind];
}
