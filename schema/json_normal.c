/*
 * One pass over the text (RFC 8259): what is read is written in its normal form at once. The
 * members of an object are written as they come and put in order when it ends.
 *
 * MySQL keeps integers of 64 bits, and all other numbers as doubles, which it shows by the fewest
 * digits that say them: a number stays what it is where its digits are those.
 */
#include "schema/json_normal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 5000
#define MYSQL_DEPTH_LIMIT 100
#define DIGITS_SURE                                                                                \
    15 /* so few digits survive a double, where its exponent is far from the ends                  \
        */
#define DIGITS_MOST 17
#define EXPONENT_SURE 300
#define EXPONENT_MOST 1000000000 /* beyond it numbers are alike */

typedef struct Member {
    guint start; /* in out: "name":value, */
    guint name_size;
    guint size;
} Member;

typedef struct Normal {
    const char *at;
    const char *end;
    GByteArray *out;
    GArray *members; /* Member, of all objects that are open */
    GByteArray *sorted;
    char **lost;
    guint depth;
} Normal;

G_GNUC_PRINTF(2, 3) static void lose(Normal *normal, const char *format, ...)
{
    va_list arguments;
    if (normal->lost == NULL || *normal->lost != NULL)
        return;
    va_start(arguments, format);
    *normal->lost = g_strdup_vprintf(format, arguments);
    va_end(arguments);
}

static void put(Normal *normal, const char *text, gsize size)
{
    g_byte_array_append(normal->out, (const guint8 *)text, (guint)size);
}

static void skip_spaces(Normal *normal)
{
    while (normal->at < normal->end && (*normal->at == ' ' || *normal->at == '\n' ||
                                        *normal->at == '\t' || *normal->at == '\r'))
        normal->at++;
}

static bool take(Normal *normal, char wanted)
{
    skip_spaces(normal);
    if (normal->at == normal->end || *normal->at != wanted)
        return false;
    normal->at++;
    return true;
}

/* ---- strings ---- */

static bool take_hex(Normal *normal, guint *code)
{
    *code = 0;
    for (guint i = 0; i < 4; i++) {
        if (normal->at == normal->end || !g_ascii_isxdigit(*normal->at))
            return false;
        *code = *code << 4 | (guint)g_ascii_xdigit_value(*normal->at++);
    }
    return true;
}

static void put_character(Normal *normal, gunichar character)
{
    char text[16];
    int size;
    bool surrogate = character >= 0xd800 && character < 0xe000;
    if (character == '"' || character == '\\')
        size = g_snprintf(text, sizeof text, "\\%c", (char)character);
    else if (character < 0x20 || surrogate)
        size = g_snprintf(text, sizeof text, "\\u%04x", character);
    else
        size = g_unichar_to_utf8(character, text);
    if (surrogate)
        lose(normal, "half of a surrogate pair, \\u%04x", character);
    put(normal, text, (gsize)size);
}

/* After "\u": a pair of them may be one character. */
static bool take_code(Normal *normal)
{
    guint code, second;
    if (!take_hex(normal, &code))
        return false;
    const char *back = normal->at;
    if (code >= 0xd800 && code < 0xdc00 && normal->end - back >= 6 && back[0] == '\\' &&
        back[1] == 'u') {
        normal->at += 2;
        if (take_hex(normal, &second) && second >= 0xdc00 && second < 0xe000)
            code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
        else
            normal->at = back;
    }
    put_character(normal, code);
    return true;
}

static bool take_escape(Normal *normal)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (normal->at == normal->end)
        return false;
    char name = *normal->at++;
    if (name == 'u')
        return take_code(normal);
    const char *place = memchr(names, name, sizeof names - 1);
    if (place == NULL)
        return false;
    put_character(normal, (guchar)values[place - names]);
    return true;
}

static bool take_string(Normal *normal)
{
    if (!take(normal, '"'))
        return false;
    put(normal, "\"", 1);
    for (;;) {
        const char *start = normal->at;
        while (normal->at < normal->end && *normal->at != '"' && *normal->at != '\\' &&
               (guchar)*normal->at >= 0x20)
            normal->at++;
        put(normal, start, (gsize)(normal->at - start));
        if (normal->at == normal->end || (guchar)*normal->at < 0x20)
            return false;
        if (*normal->at++ == '"')
            break;
        if (!take_escape(normal))
            return false;
    }
    put(normal, "\"", 1);
    return true;
}

/* ---- numbers ---- */

typedef struct Number {
    const char *text; /* as it is written */
    gsize size;
    GString *digits; /* significant ones, without zeros at either end; empty for zero */
    gint64 exponent; /* the value is digits * 10^exponent */
    bool negative;
    bool is_integer; /* written without point and exponent */
} Number;

static guint take_digits(Normal *normal, Number *number, bool after_point)
{
    guint n = 0;
    for (; normal->at < normal->end && g_ascii_isdigit(*normal->at); normal->at++, n++) {
        if (number->digits->len > 0 || *normal->at != '0')
            g_string_append_c(number->digits, *normal->at);
        number->exponent -= after_point;
    }
    return n;
}

static bool take_exponent(Normal *normal, Number *number)
{
    gint64 exponent = 0;
    bool negative = false;
    guint n = 0;
    if (normal->at < normal->end && (*normal->at == '-' || *normal->at == '+'))
        negative = *normal->at++ == '-';
    for (; normal->at < normal->end && g_ascii_isdigit(*normal->at); normal->at++, n++)
        exponent = MIN(exponent * 10 + (*normal->at - '0'), G_MAXINT32);
    number->exponent += negative ? -exponent : exponent;
    return n > 0;
}

static bool take_parts(Normal *normal, Number *number)
{
    const char *start = normal->at;
    number->text = start;
    number->is_integer = true;
    if (normal->at < normal->end && *normal->at == '-') {
        number->negative = true;
        start = ++normal->at;
    }
    guint n = take_digits(normal, number, false);
    if (n == 0 || (n > 1 && *start == '0'))
        return false;
    if (normal->at < normal->end && *normal->at == '.') {
        normal->at++;
        number->is_integer = false;
        if (take_digits(normal, number, true) == 0)
            return false;
    }
    if (normal->at < normal->end && (*normal->at == 'e' || *normal->at == 'E')) {
        normal->at++;
        number->is_integer = false;
        if (!take_exponent(normal, number))
            return false;
    }
    number->size = (gsize)(normal->at - number->text);
    return true;
}

static bool fits_64_bits(const Number *number)
{
    char *end;
    g_autofree char *text = g_strndup(number->text, number->size);
    errno = 0;
    if (number->negative)
        (void)strtoll(text, &end, 10);
    else
        (void)strtoull(text, &end, 10);
    return errno == 0;
}

/* The digits of a double, rounded to n, are these? */
static bool has_digits(double value, guint n, const GString *digits)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE], format[8];
    g_snprintf(format, sizeof format, "%%.%ue", n - 1);
    g_ascii_formatd(text, sizeof text, format, value);
    return text[0] == digits->str[0] && strncmp(text + 2, digits->str + 1, n - 1) == 0;
}

static bool says(double value, guint n)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE], format[8];
    g_snprintf(format, sizeof format, "%%.%ue", n - 1);
    g_ascii_formatd(text, sizeof text, format, value);
    return g_ascii_strtod(text, NULL) == value;
}

/* Are these the fewest digits that say the double which is nearest to the number? */
static bool fits_double(const Number *number)
{
    guint n = (guint)number->digits->len;
    gint64 magnitude = number->exponent + n;
    if (n <= DIGITS_SURE && magnitude < EXPONENT_SURE && magnitude > -EXPONENT_SURE)
        return true;
    if (n > DIGITS_MOST)
        return false;
    g_autofree char *text =
        g_strdup_printf("%se%" G_GINT64_FORMAT, number->digits->str, number->exponent);
    double value = g_ascii_strtod(text, NULL);
    return value > 0 && value <= G_MAXDOUBLE && has_digits(value, n, number->digits) &&
           says(value, n) && (n == 1 || !says(value, n - 1));
}

static bool take_number(Normal *normal)
{
    g_autoptr(GString) digits = g_string_sized_new(32);
    Number number = {.digits = digits};
    char exponent[32];
    if (!take_parts(normal, &number))
        return false;
    while (digits->len > 0 && digits->str[digits->len - 1] == '0') {
        g_string_truncate(digits, digits->len - 1);
        number.exponent++;
    }
    if (digits->len == 0) {
        put(normal, "0", 1);
        return true;
    }
    if (normal->lost != NULL && !(number.is_integer && fits_64_bits(&number)) &&
        !fits_double(&number))
        lose(normal, "the number %.*s", (int)MIN(number.size, 200), number.text);
    put(normal, "-", number.negative);
    put(normal, digits->str, digits->len);
    number.exponent = CLAMP(number.exponent, -EXPONENT_MOST, EXPONENT_MOST);
    int size = g_snprintf(exponent, sizeof exponent, "e%" G_GINT64_FORMAT, number.exponent);
    put(normal, exponent, number.exponent != 0 ? (gsize)size : 0);
    return true;
}

/* ---- arrays and objects ---- */

static bool take_value(Normal *normal);

static bool take_items(Normal *normal)
{
    put(normal, "[", 1);
    if (!take(normal, ']')) {
        do {
            if (!take_value(normal))
                return false;
            put(normal, ",", 1);
        } while (take(normal, ','));
        if (!take(normal, ']'))
            return false;
        g_byte_array_set_size(normal->out, normal->out->len - 1);
    }
    put(normal, "]", 1);
    return true;
}

static int compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
    const Member *left = a, *right = b;
    const guint8 *bytes = data;
    int order =
        memcmp(bytes + left->start, bytes + right->start, MIN(left->name_size, right->name_size));
    return order != 0 ? order : (int)left->name_size - (int)right->name_size;
}

/* Writes the members from `first` on again, by name; the sort keeps the order of equal ones, of
 * which the last counts. */
static void sort_members(Normal *normal, guint first)
{
    Member *members = &g_array_index(normal->members, Member, first);
    guint n = normal->members->len - first, start = members[0].start;
    guint8 *bytes = normal->out->data;
    g_qsort_with_data(members, (int)n, sizeof *members, compare_names, bytes);
    g_byte_array_set_size(normal->sorted, 0);
    for (guint i = 0; i < n; i++) {
        if (i + 1 < n && compare_names(&members[i], &members[i + 1], bytes) == 0)
            lose(normal, "two members named %.*s", (int)MIN(members[i].name_size, 200),
                 (const char *)bytes + members[i].start);
        else
            g_byte_array_append(normal->sorted, bytes + members[i].start, members[i].size);
    }
    memcpy(bytes + start, normal->sorted->data, normal->sorted->len);
    g_byte_array_set_size(normal->out, start + normal->sorted->len - 1);
}

static bool take_member(Normal *normal)
{
    Member member = {.start = normal->out->len};
    if (!take_string(normal))
        return false;
    member.name_size = normal->out->len - member.start;
    put(normal, ":", 1);
    if (!take(normal, ':') || !take_value(normal))
        return false;
    put(normal, ",", 1);
    member.size = normal->out->len - member.start;
    g_array_append_val(normal->members, member);
    return true;
}

static bool take_members(Normal *normal)
{
    guint first = normal->members->len;
    put(normal, "{", 1);
    if (!take(normal, '}')) {
        do {
            if (!take_member(normal))
                return false;
        } while (take(normal, ','));
        if (!take(normal, '}'))
            return false;
        sort_members(normal, first);
        g_array_set_size(normal->members, first);
    }
    put(normal, "}", 1);
    return true;
}

static bool take_nested(Normal *normal, bool object)
{
    if (++normal->depth > DEPTH_LIMIT)
        return false;
    if (normal->depth > MYSQL_DEPTH_LIMIT)
        lose(normal, "nesting of more than %d levels", MYSQL_DEPTH_LIMIT);
    normal->at++;
    bool good = object ? take_members(normal) : take_items(normal);
    normal->depth--;
    return good;
}

static bool take_word(Normal *normal, const char *word)
{
    gsize size = strlen(word);
    if ((gsize)(normal->end - normal->at) < size || memcmp(normal->at, word, size) != 0)
        return false;
    normal->at += size;
    put(normal, word, size);
    return true;
}

static bool take_value(Normal *normal)
{
    skip_spaces(normal);
    if (normal->at == normal->end)
        return false;
    switch (*normal->at) {
    case '{':
        return take_nested(normal, true);
    case '[':
        return take_nested(normal, false);
    case '"':
        return take_string(normal);
    case 't':
        return take_word(normal, "true");
    case 'f':
        return take_word(normal, "false");
    case 'n':
        return take_word(normal, "null");
    default:
        return take_number(normal);
    }
}

bool json_normal_append(const char *text, gsize size, GByteArray *out, char **lost)
{
    if (lost != NULL)
        *lost = NULL;
    if (size == 0)
        return false;
    g_autoptr(GArray) members = g_array_new(false, false, sizeof(Member));
    g_autoptr(GByteArray) sorted = g_byte_array_new();
    Normal normal = {.at = text,
                     .end = text + size,
                     .out = out,
                     .members = members,
                     .sorted = sorted,
                     .lost = lost};
    guint start = out->len;
    bool good = take_value(&normal);
    skip_spaces(&normal);
    if (good && normal.at == normal.end)
        return true;
    g_byte_array_set_size(out, start);
    return false;
}
