/*
 * Text: origins joined by commas; an origin is its UUID, then intervals and tags, each after a
 * colon; a tag holds for the intervals behind it.
 *
 * Bytes: u64 n, then n entries of uuid, [tag], u64 number of intervals, (u64 first, u64 behind the
 * last)*. With tags the first and the last byte of n are 1, its other six are the number, and an
 * entry's tag is its size * 2 in a byte and its text.
 */
#include "proto/gtid_origin.h"

#include "proto/byte_reader.h"
#include "proto/error.h"

#define TAGGED_FORM 1

static bool fail_text(const char *text, const char *at, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "\"%.200s\" is not a GTID set of MySQL, from \"%.20s\" on", text, at);
    return false;
}

static void skip_space(const char **at)
{
    while (g_ascii_isspace(**at))
        (*at)++;
}

static bool take(const char **at, char wanted)
{
    skip_space(at);
    if (**at != wanted)
        return false;
    (*at)++;
    skip_space(at);
    return true;
}

/* 32 hexadecimal digits; dashes may stand between any two, as the server reads them. */
static bool take_uuid(const char **at, guint8 *uuid)
{
    const char *c = *at;
    for (guint i = 0; i < MYSQL_UUID_SIZE; i++) {
        if (*c == '-' && i > 0)
            c++;
        if (!g_ascii_isxdigit(c[0]) || !g_ascii_isxdigit(c[1]))
            return false;
        uuid[i] = (guint8)(g_ascii_xdigit_value(c[0]) * 16 + g_ascii_xdigit_value(c[1]));
        c += 2;
    }
    *at = c;
    return true;
}

static bool take_number(const char **at, gint64 *number)
{
    gint64 value = 0;
    skip_space(at);
    if (!g_ascii_isdigit(**at))
        return false;
    for (; g_ascii_isdigit(**at); (*at)++) {
        if (value > (MYSQL_GTID_MAX - 1 - (**at - '0')) / 10)
            return false;
        value = value * 10 + (**at - '0');
    }
    *number = value;
    return value > 0;
}

static bool take_tag(const char **at, char *tag)
{
    gsize size = 0;
    if (!g_ascii_isalpha(**at) && **at != '_')
        return false;
    for (; g_ascii_isalnum(**at) || **at == '_'; (*at)++) {
        if (size == MYSQL_TAG_LIMIT)
            return false;
        tag[size++] = g_ascii_tolower(**at);
    }
    tag[size] = 0;
    return true;
}

static bool take_interval(const char **at, MysqlGtidOrigin *origin)
{
    gint64 first, last;
    if (!take_number(at, &first))
        return false;
    last = first;
    if (take(at, '-') && (!take_number(at, &last) || last < first))
        return false;
    mysql_gtid_origin_add(origin, first, last);
    return true;
}

static bool take_origin(const char **at, MysqlGtidSet *set)
{
    guint8 uuid[MYSQL_UUID_SIZE];
    char tag[MYSQL_TAG_LIMIT + 1] = "";
    bool any = false;
    skip_space(at);
    if (!take_uuid(at, uuid))
        return false;
    while (take(at, ':')) {
        if (g_ascii_isdigit(**at)) {
            if (!take_interval(at, mysql_gtid_set_origin(set, uuid, tag)))
                return false;
            any = true;
        } else if (take_tag(at, tag)) {
            any = false;
        } else {
            return false;
        }
    }
    return any;
}

MysqlGtidSet *mysql_gtid_set_parse(const char *text, GError **error)
{
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_new();
    const char *at = text;
    for (;;) {
        while (take(&at, ','))
            ;
        skip_space(&at);
        if (*at == 0)
            return g_steal_pointer(&set);
        if (!take_origin(&at, set) || (*at != 0 && *at != ',')) {
            fail_text(text, at, error);
            return NULL;
        }
    }
}

static void append_uuid(GString *text, const guint8 *uuid)
{
    for (guint i = 0; i < MYSQL_UUID_SIZE; i++)
        g_string_append_printf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                               uuid[i]);
}

char *mysql_gtid_set_format(const MysqlGtidSet *set)
{
    GString *text = g_string_new(NULL);
    const MysqlGtidOrigin *before = NULL;
    for (guint i = 0; i < set->origins->len; i++) {
        const MysqlGtidOrigin *origin = set->origins->pdata[i];
        if (!before || memcmp(before->uuid, origin->uuid, MYSQL_UUID_SIZE) != 0) {
            g_string_append(text, before ? "," : "");
            append_uuid(text, origin->uuid);
        }
        if (origin->tag[0])
            g_string_append_printf(text, ":%s", origin->tag);
        for (guint j = 0; j < origin->intervals->len; j++) {
            MysqlGtidInterval interval = g_array_index(origin->intervals, MysqlGtidInterval, j);
            g_string_append_printf(text, ":%" G_GINT64_FORMAT, interval.first);
            if (interval.last > interval.first)
                g_string_append_printf(text, "-%" G_GINT64_FORMAT, interval.last);
        }
        before = origin;
    }
    return g_string_free(text, false);
}

char *mysql_gtid_format(const guint8 *uuid, const char *tag, gint64 number)
{
    GString *text = g_string_new(NULL);
    append_uuid(text, uuid);
    g_string_append_printf(text, "%s%s:%" G_GINT64_FORMAT, tag[0] ? ":" : "", tag, number);
    return g_string_free(text, false);
}

static bool read_tag(ByteReader *reader, char *tag)
{
    guint8 size;
    const guint8 *bytes;
    if (!byte_reader_u8(reader, &size) || size % 2 != 0 || size / 2 > MYSQL_TAG_LIMIT ||
        !byte_reader_bytes(reader, size / 2, &bytes) ||
        (size > 0 && g_ascii_isdigit((char)bytes[0])))
        return false;
    for (guint i = 0; i < size / 2u; i++)
        if (!g_ascii_islower((char)bytes[i]) && !g_ascii_isdigit((char)bytes[i]) && bytes[i] != '_')
            return false;
    memcpy(tag, bytes, size / 2u);
    tag[size / 2] = 0;
    return true;
}

static bool read_origin(ByteReader *reader, bool tagged, MysqlGtidSet *set)
{
    char tag[MYSQL_TAG_LIMIT + 1] = "";
    const guint8 *uuid;
    guint64 n;
    if (!byte_reader_bytes(reader, MYSQL_UUID_SIZE, &uuid) || (tagged && !read_tag(reader, tag)) ||
        !byte_reader_le64(reader, &n) || n == 0 || n > byte_reader_left(reader) / 16)
        return false;
    MysqlGtidOrigin *origin = mysql_gtid_set_origin(set, uuid, tag);
    for (guint64 i = 0; i < n; i++) {
        guint64 first, behind;
        if (!byte_reader_le64(reader, &first) || !byte_reader_le64(reader, &behind) || first == 0 ||
            behind <= first || behind > MYSQL_GTID_MAX)
            return false;
        mysql_gtid_origin_add(origin, (gint64)first, (gint64)behind - 1);
    }
    return true;
}

MysqlGtidSet *mysql_gtid_set_decode(const guint8 *data, gsize size, GError **error)
{
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_new();
    ByteReader reader = byte_reader(data, size);
    guint64 n = 0;
    bool good = byte_reader_le64(&reader, &n);
    bool tagged = n >> 56 == TAGGED_FORM;
    if (tagged)
        n = n << 8 >> 16;
    for (guint64 i = 0; good && i < n; i++)
        good = read_origin(&reader, tagged, set);
    if (good && byte_reader_left(&reader) == 0)
        return g_steal_pointer(&set);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "a GTID set in the log is damaged, or of a newer server than drover knows, at byte "
                "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT,
                reader.offset, reader.size);
    return NULL;
}

static void append_u64(GByteArray *out, guint64 value)
{
    guint64 bytes = GUINT64_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&bytes, sizeof bytes);
}

static bool has_tags(const MysqlGtidSet *set)
{
    for (guint i = 0; i < set->origins->len; i++)
        if (((const MysqlGtidOrigin *)set->origins->pdata[i])->tag[0])
            return true;
    return false;
}

void mysql_gtid_set_encode(const MysqlGtidSet *set, GByteArray *out)
{
    bool tagged = has_tags(set);
    guint64 n = set->origins->len;
    append_u64(out, tagged ? (guint64)TAGGED_FORM << 56 | n << 8 | TAGGED_FORM : n);
    for (guint i = 0; i < set->origins->len; i++) {
        const MysqlGtidOrigin *origin = set->origins->pdata[i];
        g_byte_array_append(out, origin->uuid, MYSQL_UUID_SIZE);
        if (tagged) {
            guint8 size = (guint8)(strlen(origin->tag) * 2);
            g_byte_array_append(out, &size, 1);
            g_byte_array_append(out, (const guint8 *)origin->tag, size / 2);
        }
        append_u64(out, origin->intervals->len);
        for (guint j = 0; j < origin->intervals->len; j++) {
            MysqlGtidInterval interval = g_array_index(origin->intervals, MysqlGtidInterval, j);
            append_u64(out, (guint64)interval.first);
            append_u64(out, (guint64)interval.last + 1);
        }
    }
}
