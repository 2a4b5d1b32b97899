/*
 * The send form is i64 microseconds, i32 days, i32 months. The text has a part for each unit that
 * is not zero, each with a sign of its own: P[nY][nM][nD][T[nH][nM][n.nS]], "PT0S" for zero
 * (PostgreSQL documentation, 8.5.4; EncodeInterval).
 */
#include "schema/mysql/interval.h"

#include "proto/byte_reader.h"

#define SECOND G_GINT64_CONSTANT(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

bool interval_read(const guint8 *data, gsize size, Interval *interval)
{
    ByteReader reader = byte_reader(data, size);
    guint64 microseconds;
    guint32 days, months;
    if (!byte_reader_u64(&reader, &microseconds) || !byte_reader_u32(&reader, &days) ||
        !byte_reader_u32(&reader, &months) || byte_reader_left(&reader) > 0)
        return false;
    *interval = (Interval){(gint64)microseconds, (gint32)days, (gint32)months};
    return true;
}

void interval_append(const Interval *interval, GByteArray *out)
{
    guint64 microseconds = GUINT64_TO_BE((guint64)interval->microseconds);
    guint32 days = GUINT32_TO_BE((guint32)interval->days);
    guint32 months = GUINT32_TO_BE((guint32)interval->months);
    g_byte_array_append(out, (const guint8 *)&microseconds, sizeof microseconds);
    g_byte_array_append(out, (const guint8 *)&days, sizeof days);
    g_byte_array_append(out, (const guint8 *)&months, sizeof months);
}

bool interval_is_infinite(const Interval *interval)
{
    return (interval->microseconds == G_MAXINT64 && interval->days == G_MAXINT32 &&
            interval->months == G_MAXINT32) ||
           (interval->microseconds == G_MININT64 && interval->days == G_MININT32 &&
            interval->months == G_MININT32);
}

static void append_part(GString *out, gint64 value, char unit)
{
    if (value != 0)
        g_string_append_printf(out, "%" G_GINT64_FORMAT "%c", value, unit);
}

static void append_seconds(GString *out, gint64 microseconds)
{
    guint64 size = microseconds < 0 ? -(guint64)microseconds : (guint64)microseconds;
    if (size == 0)
        return;
    g_string_append_printf(out, "%s%" G_GUINT64_FORMAT, microseconds < 0 ? "-" : "",
                           size / (guint64)SECOND);
    if (size % (guint64)SECOND != 0) {
        g_string_append_printf(out, ".%06" G_GUINT64_FORMAT, size % (guint64)SECOND);
        while (out->str[out->len - 1] == '0')
            g_string_truncate(out, out->len - 1);
    }
    g_string_append_c(out, 'S');
}

void interval_append_text(const Interval *interval, GString *out)
{
    if (interval->microseconds == 0 && interval->days == 0 && interval->months == 0) {
        g_string_append(out, "PT0S");
        return;
    }
    g_string_append_c(out, 'P');
    append_part(out, interval->months / 12, 'Y');
    append_part(out, interval->months % 12, 'M');
    append_part(out, interval->days, 'D');
    if (interval->microseconds == 0)
        return;
    g_string_append_c(out, 'T');
    append_part(out, interval->microseconds / HOUR, 'H');
    append_part(out, interval->microseconds % HOUR / MINUTE, 'M');
    append_seconds(out, interval->microseconds % MINUTE);
}

typedef struct Part {
    gint64 whole;    /* with its sign */
    gint64 fraction; /* microseconds, with the same sign */
    bool has_fraction;
} Part;

/* "-12.5" */
static bool read_part(const char **at, const char *end, Part *part)
{
    gint64 unit = SECOND, sign = 1;
    *part = (Part){0};
    if (*at < end && (**at == '-' || **at == '+'))
        sign = *(*at)++ == '-' ? -1 : 1;
    const char *start = *at;
    for (; *at < end && g_ascii_isdigit(**at); ++*at)
        if (__builtin_mul_overflow(part->whole, 10, &part->whole) ||
            __builtin_add_overflow(part->whole, sign * (**at - '0'), &part->whole))
            return false;
    bool any = *at > start;
    if (*at < end && **at == '.') {
        part->has_fraction = true;
        for (++*at; *at < end && g_ascii_isdigit(**at) && unit > 1; ++*at)
            part->fraction += sign * (**at - '0') * (unit /= 10);
    }
    return any && *at < end;
}

static bool add_number(gint32 *to, gint64 value, gint64 factor)
{
    gint64 sum;
    if (__builtin_mul_overflow(value, factor, &value) || __builtin_add_overflow(value, *to, &sum) ||
        sum > G_MAXINT32 || sum < G_MININT32)
        return false;
    *to = (gint32)sum;
    return true;
}

static bool add_time(gint64 *to, const Part *part, gint64 unit)
{
    gint64 value;
    return !__builtin_mul_overflow(part->whole, unit, &value) &&
           !__builtin_add_overflow(*to, value, to) &&
           !__builtin_add_overflow(*to, part->fraction, to);
}

static bool add_part(Interval *interval, const Part *part, bool in_time, char unit)
{
    if (part->has_fraction && !(in_time && unit == 'S'))
        return false;
    switch (unit) {
    case 'Y':
        return !in_time && add_number(&interval->months, part->whole, 12);
    case 'M':
        return in_time ? add_time(&interval->microseconds, part, MINUTE)
                       : add_number(&interval->months, part->whole, 1);
    case 'D':
        return !in_time && add_number(&interval->days, part->whole, 1);
    case 'H':
        return in_time && add_time(&interval->microseconds, part, HOUR);
    case 'S':
        return in_time && add_time(&interval->microseconds, part, SECOND);
    default:
        return false;
    }
}

bool interval_of_text(const char *text, gsize size, Interval *interval)
{
    const char *at = text + 1, *end = text + size;
    bool in_time = false;
    *interval = (Interval){0};
    if (size < 3 || text[0] != 'P')
        return false;
    while (at < end) {
        Part part;
        if (*at == 'T' && !in_time) {
            in_time = true;
            at++;
            continue;
        }
        if (!read_part(&at, end, &part) || !add_part(interval, &part, in_time, *at++))
            return false;
    }
    return true;
}
