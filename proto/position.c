#include "proto/position.h"

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

char *position_format(Position position, char *text)
{
    int length = g_snprintf(text, POSITION_TEXT_SIZE, "%X/%X", (guint32)(position.major >> 32),
                            (guint32)position.major);
    if (position.minor != 0)
        g_snprintf(text + length, (gulong)(POSITION_TEXT_SIZE - length), ":%" G_GUINT64_FORMAT,
                   position.minor);
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

bool position_parse(const char *text, Position *position)
{
    guint64 high, low, minor = 0;
    text = parse_half(text, &high);
    if (!text || *text != '/')
        return false;
    text = parse_half(text + 1, &low);
    if (!text)
        return false;
    if (*text == ':') {
        if (!g_ascii_string_to_unsigned(text + 1, 10, 0, G_MAXUINT64, &minor, NULL))
            return false;
    } else if (*text != '\0') {
        return false;
    }
    *position = (Position){.major = high << 32 | low, .minor = minor};
    return true;
}
