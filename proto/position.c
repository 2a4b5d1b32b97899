#include "proto/position.h"

#include <string.h>

int position_compare(Position a, Position b)
{
    if (a.major != b.major)
        return a.major < b.major ? -1 : 1;
    if (a.minor != b.minor)
        return a.minor < b.minor ? -1 : 1;
    return 0;
}

bool position_is_zero(Position position)
{
    return position.major == 0 && position.minor == 0;
}

gint64 position_distance(Position from, Position to)
{
    if (position_compare(to, from) <= 0)
        return 0;
    if (from.minor == 0 && to.minor == 0)
        return (gint64)(to.major - from.major);
    return from.major == to.major ? (gint64)(to.minor - from.minor) : -1;
}

char *position_format(Position position, char *text)
{
    if (position.minor != 0 && position_era(position) != 0)
        g_snprintf(text, POSITION_TEXT_SIZE, "%u:%06u:%" G_GUINT64_FORMAT, position_era(position),
                   (guint32)position.major, position.minor);
    else if (position.minor != 0)
        g_snprintf(text, POSITION_TEXT_SIZE, "%06u:%" G_GUINT64_FORMAT, (guint32)position.major,
                   position.minor);
    else
        g_snprintf(text, POSITION_TEXT_SIZE, "%X/%X", (guint32)(position.major >> 32),
                   (guint32)position.major);
    return text;
}

/* 1 to 8 hexadecimal digits; returns what follows them, NULL where there are none or more. */
static const char *parse_half(const char *text, guint64 *half)
{
    *half = 0;
    int digits = 0;
    for (; g_ascii_isxdigit(*text); text++) {
        if (++digits > 8)
            return NULL;
        *half = *half << 4 | (guint64)g_ascii_xdigit_value(*text);
    }
    return digits > 0 ? text : NULL;
}

static bool parse_lsn(const char *text, Position *position)
{
    guint64 high, low;
    text = parse_half(text, &high);
    if (!text || *text != '/')
        return false;
    text = parse_half(text + 1, &low);
    if (!text || *text != '\0')
        return false;
    *position = (Position){.major = high << 32 | low};
    return true;
}

/* [era, ]file, offset */
static bool parse_file_and_offset(const char *text, Position *position)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 4);
    guint n = g_strv_length(parts);
    guint64 era = 0, file, offset;
    if (n != 2 && n != 3)
        return false;
    if ((n == 3 && !g_ascii_string_to_unsigned(parts[0], 10, 1, G_MAXUINT32, &era, NULL)) ||
        !g_ascii_string_to_unsigned(parts[n - 2], 10, 0, G_MAXUINT32, &file, NULL) ||
        !g_ascii_string_to_unsigned(parts[n - 1], 10, 0, G_MAXUINT64, &offset, NULL))
        return false;
    *position = (Position){.major = position_major((guint32)era, (guint32)file), .minor = offset};
    return true;
}

bool position_parse(const char *text, Position *position)
{
    return strchr(text, ':') ? parse_file_and_offset(text, position) : parse_lsn(text, position);
}
