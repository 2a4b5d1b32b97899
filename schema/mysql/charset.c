#include "schema/mysql/charset.h"

#include "proto/error.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#define BINARY 63

typedef struct Range {
    guint16 first;
    guint16 last;
    gint16 charset; /* number in charsets */
} Range;

typedef struct Charset {
    const char *name;
    const char *iconv;
    bool has_exceptions;
} Charset;

/* Bytes of single-byte sets that the servers take for another character than glibc does; NULL: for
 * none. */
typedef struct CharsetException {
    const char *charset;
    guint8 byte;
    const char *utf8;
} CharsetException;

static const CharsetException exceptions[] = {
    {"latin1", 0x81, "\xc2\x81"}, {"latin1", 0x8d, "\xc2\x8d"}, {"latin1", 0x8f, "\xc2\x8f"},
    {"latin1", 0x90, "\xc2\x90"}, {"latin1", 0x9d, "\xc2\x9d"}, {"hebrew", 0xaf, "\u203e"},
    {"koi8u", 0x95, "\u2022"},    {"greek", 0xa1, "\u02bd"},    {"greek", 0xa2, "\u02bc"},
    {"greek", 0xa4, NULL},        {"greek", 0xa5, NULL},        {"greek", 0xaa, NULL},
    {"cp866", 0xfc, "\u207f"},    {"cp866", 0xfd, "\u00b2"},    {"macroman", 0xc6, "\u2206"},
    {"macroman", 0xf0, "\uf8ff"}, {"cp1256", 0x8a, NULL},       {"cp1256", 0x8f, NULL},
    {"cp1256", 0x98, NULL},       {"cp1256", 0x9a, NULL},       {"cp1256", 0x9f, NULL},
    {"cp1256", 0xaa, NULL},       {"cp1256", 0xc0, NULL},       {"cp1256", 0xff, NULL},
};

#define CHARSET(name, iconv) {name, iconv, false},
#define CHARSET_WITH_EXCEPTIONS(name, iconv) {name, iconv, true},
#define RANGE(first, last)
static const Charset charsets[] = {
#include "schema/mysql/charsets.def"
};
#undef CHARSET
#undef CHARSET_WITH_EXCEPTIONS
#undef RANGE

/* Every CHARSET starts a new number: its own element has no collations. */
#define CHARSET(name, iconv) {1, 0, -1},
#define CHARSET_WITH_EXCEPTIONS(name, iconv) {1, 0, -1},
#define RANGE(first, last) {first, last, 0},
static const Range ranges[] = {
#include "schema/mysql/charsets.def"
};
#undef CHARSET
#undef CHARSET_WITH_EXCEPTIONS
#undef RANGE

static const Charset *search(guint32 collation)
{
    int charset = -1;
    for (gsize i = 0; i < G_N_ELEMENTS(ranges); i++) {
        if (ranges[i].charset < 0)
            charset++;
        else if (collation >= ranges[i].first && collation <= ranges[i].last)
            return &charsets[charset];
    }
    return NULL;
}

/* Values come column after column, most of them in one collation. */
static const Charset *find(guint32 collation)
{
    static _Thread_local guint32 last;
    static _Thread_local const Charset *found;
    if (collation != last || found == NULL) {
        last = collation;
        found = search(collation);
    }
    return found;
}

const char *mysql_charset_name(guint32 collation)
{
    if (collation == BINARY)
        return "binary";
    const Charset *charset = find(collation);
    return charset ? charset->name : NULL;
}

/* Servers before 8.0.30 show utf8mb3 by its old name. */
guint32 mysql_charset_collation(const char *name)
{
    int charset = -1;
    if (strcmp(name, "binary") == 0)
        return BINARY;
    for (gsize i = 0; i + 1 < G_N_ELEMENTS(ranges); i++) {
        if (ranges[i].charset >= 0)
            continue;
        charset++;
        if (strcmp(charsets[charset].name, strcmp(name, "utf8") == 0 ? "utf8mb3" : name) == 0)
            return ranges[i + 1].first;
    }
    return 0;
}

bool mysql_charset_is_known(const char *name)
{
    if (strcmp(name, "binary") == 0 || strcmp(name, "utf8") == 0)
        return true;
    for (gsize i = 0; i < G_N_ELEMENTS(charsets); i++)
        if (strcmp(charsets[i].name, name) == 0)
            return charsets[i].iconv != NULL;
    return false;
}

bool mysql_charset_is_utf8(guint32 collation)
{
    const Charset *charset = find(collation);
    return charset && charset->iconv && charset->iconv[0] == 0;
}

static bool is_wide(const Charset *charset)
{
    return g_str_has_prefix(charset->name, "utf16") || g_str_has_prefix(charset->name, "ucs2") ||
           g_str_has_prefix(charset->name, "utf32");
}

bool mysql_charset_has_ascii(guint32 collation)
{
    const Charset *charset = find(collation);
    return charset && !is_wide(charset);
}

static bool is_ascii(const guint8 *text, gsize size)
{
    guint8 seen = 0;
    for (gsize i = 0; i < size; i++)
        seen |= text[i];
    return seen < 0x80;
}

static bool fail_bytes(const Charset *charset, const guint8 *text, gsize size, gsize offset,
                       GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                "byte 0x%02x at %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                " is no text of character set %s that drover can move",
                offset < size ? text[offset] : 0, offset, size, charset->name);
    return false;
}

/* The byte of the text that is special; size where there is none. */
static gsize find_exception(const Charset *charset, const guint8 *text, gsize size,
                            const CharsetException **exception)
{
    *exception = NULL;
    if (!charset->has_exceptions)
        return size;
    for (gsize at = 0; at < size; at++)
        for (gsize i = 0; text[at] >= 0x80 && i < G_N_ELEMENTS(exceptions); i++)
            if (exceptions[i].byte == text[at] &&
                strcmp(exceptions[i].charset, charset->name) == 0) {
                *exception = &exceptions[i];
                return at;
            }
    return size;
}

/* False, and *offset where it stopped. */
static bool convert_piece(iconv_t conversion, const guint8 *text, gsize size, GByteArray *out,
                          gsize *offset)
{
    char piece[4096];
    char *from = (char *)(gpointer)text;
    gsize left = size;
    while (left > 0) {
        char *to = piece;
        gsize room = sizeof piece;
        gsize result = iconv(conversion, &from, &left, &to, &room);
        g_byte_array_append(out, (const guint8 *)piece, (guint)(to - piece));
        *offset = size - left;
        if (result != 0 && !(result == (gsize)-1 && errno == E2BIG))
            return false;
    }
    return true;
}

static bool convert_with(iconv_t conversion, const Charset *charset, const guint8 *text, gsize size,
                         GByteArray *out, GError **error)
{
    for (gsize done = 0; done < size;) {
        const CharsetException *exception;
        gsize offset = 0;
        gsize plain = find_exception(charset, text + done, size - done, &exception);
        if (!convert_piece(conversion, text + done, plain, out, &offset))
            return fail_bytes(charset, text, size, done + offset, error);
        done += plain;
        if (!exception)
            continue;
        if (!exception->utf8)
            return fail_bytes(charset, text, size, done, error);
        g_byte_array_append(out, (const guint8 *)exception->utf8, (guint)strlen(exception->utf8));
        done++;
    }
    return true;
}

static bool convert(const Charset *charset, const guint8 *text, gsize size, GByteArray *out,
                    GError **error)
{
    iconv_t conversion = iconv_open("UTF-8", charset->iconv);
    if (conversion == (iconv_t)-1) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "this system cannot convert character set %s: install the conversions of its "
                    "C library (gconv)",
                    charset->name);
        return false;
    }
    bool good = convert_with(conversion, charset, text, size, out, error);
    iconv_close(conversion);
    return good;
}

/* How far it is UTF-8; a zero byte, which GLib refuses, is a character here. */
static gsize valid_size(const guint8 *text, gsize size)
{
    gsize done = 0;
    const char *end;
    while (done < size && !g_utf8_validate_len((const char *)text + done, size - done, &end)) {
        done = (gsize)((const guint8 *)end - text);
        if (text[done] != 0)
            return done;
        done++;
    }
    return size;
}

bool mysql_charset_to_utf8(guint32 collation, const guint8 *text, gsize size, GByteArray *out,
                           GError **error)
{
    const Charset *charset = find(collation);
    if (!charset || !charset->iconv) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "drover does not know %s %s%u; change the column's character set",
                    charset ? "character set" : "the collation of number",
                    charset ? charset->name : "", collation);
        return false;
    }
    bool utf8 = charset->iconv[0] == 0;
    if (!utf8 && (is_wide(charset) || !is_ascii(text, size)))
        return convert(charset, text, size, out, error);
    gsize valid = valid_size(text, size);
    if (valid < size)
        return fail_bytes(charset, text, size, valid, error);
    g_byte_array_append(out, text, (guint)size);
    return true;
}

static bool is_exception(const Charset *charset, const char *character, gsize size)
{
    for (gsize i = 0; charset->has_exceptions && i < G_N_ELEMENTS(exceptions); i++)
        if (strcmp(exceptions[i].charset, charset->name) == 0 && exceptions[i].utf8 &&
            strlen(exceptions[i].utf8) == size && memcmp(exceptions[i].utf8, character, size) == 0)
            return true;
    return false;
}

static bool can_convert(iconv_t conversion, const Charset *charset, const char *text, gsize size)
{
    for (const char *end = text + size, *next; text < end; text = next) {
        char bytes[16], *to = bytes, *from = (char *)(gpointer)text;
        gsize room = sizeof bytes;
        next = MIN(g_utf8_next_char(text), end);
        gsize left = (gsize)(next - text);
        if (iconv(conversion, &from, &left, &to, &room) != 0 &&
            !is_exception(charset, text, (gsize)(next - text)))
            return false;
    }
    return true;
}

bool mysql_charset_can_hold(guint32 collation, const guint8 *text, gsize size)
{
    const Charset *charset = find(collation);
    if (!charset || !charset->iconv || is_ascii(text, size))
        return true;
    if (charset->iconv[0] == 0) {
        guint8 beyond = strcmp(charset->name, "ascii") == 0     ? 0x80
                        : strcmp(charset->name, "utf8mb3") == 0 ? 0xf0
                                                                : 0xff;
        for (gsize i = 0; i < size; i++)
            if (text[i] >= beyond)
                return false;
        return true;
    }
    iconv_t conversion = iconv_open(charset->iconv, "UTF-8");
    if (conversion == (iconv_t)-1)
        return true;
    bool good = can_convert(conversion, charset, (const char *)text, size);
    iconv_close(conversion);
    return good;
}
