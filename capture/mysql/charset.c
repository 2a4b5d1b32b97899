#include "capture/mysql/charset.h"

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
} Charset;

#define CHARSET(name, iconv) {name, iconv},
#define RANGE(first, last)
static const Charset charsets[] = {
#include "capture/mysql/charsets.def"
};
#undef CHARSET
#undef RANGE

/* Every CHARSET starts a new number: its own element has no collations. */
#define CHARSET(name, iconv) {1, 0, -1},
#define RANGE(first, last) {first, last, 0},
static const Range ranges[] = {
#include "capture/mysql/charsets.def"
};
#undef CHARSET
#undef RANGE

static const Charset *find(guint32 collation)
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

const char *mysql_charset_name(guint32 collation)
{
    if (collation == BINARY)
        return "binary";
    const Charset *charset = find(collation);
    return charset ? charset->name : NULL;
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

/* The bytes that the servers' latin1 has beyond Windows-1252: controls of the same number. */
static bool is_latin1_control(guint8 byte)
{
    return byte == 0x81 || byte == 0x8d || byte == 0x8f || byte == 0x90 || byte == 0x9d;
}

static bool append_latin1_control(const Charset *charset, const char **from, gsize *left,
                                  GByteArray *out)
{
    if (strcmp(charset->name, "latin1") != 0 || *left == 0 || !is_latin1_control((guint8) * *from))
        return false;
    const guint8 utf8[2] = {0xc2, (guint8) * *from};
    g_byte_array_append(out, utf8, sizeof utf8);
    (*from)++;
    (*left)--;
    return true;
}

static bool convert(const Charset *charset, const guint8 *text, gsize size, GByteArray *out,
                    GError **error)
{
    char piece[4096];
    char *from = (char *)(gpointer)text;
    gsize left = size;
    iconv_t conversion = iconv_open("UTF-8", charset->iconv);
    if (conversion == (iconv_t)-1) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "this system cannot convert character set %s: install the conversions of its "
                    "C library (gconv)",
                    charset->name);
        return false;
    }
    bool good = true;
    while (left > 0 && good) {
        char *to = piece;
        gsize room = sizeof piece;
        gsize result = iconv(conversion, &from, &left, &to, &room);
        g_byte_array_append(out, (const guint8 *)piece, (guint)(to - piece));
        good = result == 0 || (result == (gsize)-1 && errno == E2BIG) ||
               (result == (gsize)-1 && errno == EILSEQ &&
                append_latin1_control(charset, (const char **)&from, &left, out));
    }
    iconv_close(conversion);
    return good || fail_bytes(charset, text, size, size - left, error);
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
    bool wide = g_str_has_prefix(charset->name, "utf16") ||
                g_str_has_prefix(charset->name, "ucs2") || g_str_has_prefix(charset->name, "utf32");
    if (!utf8 && (wide || !is_ascii(text, size)))
        return convert(charset, text, size, out, error);
    gsize valid = valid_size(text, size);
    if (valid < size)
        return fail_bytes(charset, text, size, valid, error);
    g_byte_array_append(out, text, (guint)size);
    return true;
}
