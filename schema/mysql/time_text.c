#include "schema/mysql/time_text.h"

/* A number of two or more digits, at most `most`. */
static bool take_number(const char **at, const char *end, guint most, guint *number)
{
    guint n = 0;
    *number = 0;
    for (; *at < end && g_ascii_isdigit(**at) && n < most; ++*at, n++)
        *number = *number * 10 + (guint)(**at - '0');
    return n >= 2;
}

static bool take(const char **at, const char *end, char wanted)
{
    return *at < end && *(*at)++ == wanted;
}

static bool take_fraction(const char **at, const char *end, guint *microsecond)
{
    guint unit = 100000;
    *microsecond = 0;
    if (*at == end)
        return true;
    if (!take(at, end, '.'))
        return false;
    for (; *at < end && g_ascii_isdigit(**at) && unit > 0; ++*at, unit /= 10)
        *microsecond += unit * (guint)(**at - '0');
    return true;
}

static bool take_clock(const char **at, const char *end, guint hour_digits, MysqlTime *time)
{
    return take_number(at, end, hour_digits, &time->hour) && take(at, end, ':') &&
           take_number(at, end, 2, &time->minute) && take(at, end, ':') &&
           take_number(at, end, 2, &time->second) && take_fraction(at, end, &time->microsecond) &&
           time->minute < 60 && time->second < 60;
}

bool mysql_time_of_text(const char *text, gsize size, MysqlTime *time)
{
    const char *at = text, *end = text + size;
    *time = (MysqlTime){0};
    if (!take_number(&at, end, 4, &time->year) || !take(&at, end, '-') ||
        !take_number(&at, end, 2, &time->month) || !take(&at, end, '-') ||
        !take_number(&at, end, 2, &time->day))
        return false;
    if (at == end)
        return true;
    return take(&at, end, ' ') && take_clock(&at, end, 2, time) && at == end;
}

bool mysql_clock_of_text(const char *text, gsize size, MysqlTime *time)
{
    const char *at = text, *end = text + size;
    *time = (MysqlTime){.negative = size > 0 && *text == '-'};
    at += time->negative;
    return take_clock(&at, end, 3, time) && at == end;
}
