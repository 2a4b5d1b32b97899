#include "schema/mysql/canonical_time.h"

#include <string.h>

#define DAYS_1970_TO_2000 10957
#define SECONDS_A_DAY 86400
#define MICROSECONDS G_GINT64_CONSTANT(1000000)
#define MICROSECONDS_A_DAY (SECONDS_A_DAY * MICROSECONDS)
#define JULIAN_2000 730120  /* GDate's day of 2000-01-01; that of 0001-01-01 is 1 */
#define JULIAN_9999 3652059 /* of 9999-12-31 */
#define LONGEST_TIME ((838 * 60 + 59) * 60 + 59)

static void append_be(GByteArray *out, guint64 value, guint size)
{
    guint64 bytes = GUINT64_TO_BE(value << (64 - size * 8));
    g_byte_array_append(out, (const guint8 *)&bytes, size);
}

/* Days since 2000-01-01 in the Gregorian calendar, which both servers use for all times. */
static bool days_since_2000(const MysqlTime *time, gint64 *days)
{
    GDate date;
    if (time->year < 1 || time->year > 9999 || time->month < 1 || time->month > 12 ||
        time->day < 1 ||
        !g_date_valid_dmy((GDateDay)time->day, (GDateMonth)time->month, (GDateYear)time->year))
        return false;
    g_date_clear(&date, 1);
    g_date_set_dmy(&date, (GDateDay)time->day, (GDateMonth)time->month, (GDateYear)time->year);
    *days = (gint64)g_date_get_julian(&date) - JULIAN_2000;
    return true;
}

gint64 mysql_clock_microseconds(const MysqlTime *time)
{
    gint64 seconds = ((gint64)time->hour * 60 + time->minute) * 60 + time->second;
    gint64 size = seconds * MICROSECONDS + time->microsecond;
    return time->negative ? -size : size;
}

bool mysql_append_date(const MysqlTime *time, GByteArray *out)
{
    gint64 days;
    if (!days_since_2000(time, &days))
        return false;
    append_be(out, (guint64)days, 4);
    return true;
}

bool mysql_append_timestamp(const MysqlTime *time, GByteArray *out)
{
    gint64 days;
    if (!days_since_2000(time, &days) || time->hour > 23 || time->minute > 59 || time->second > 59)
        return false;
    append_be(out, (guint64)(days * SECONDS_A_DAY * MICROSECONDS + mysql_clock_microseconds(time)),
              8);
    return true;
}

bool mysql_append_timestamptz(gint64 seconds, guint microsecond, GByteArray *out)
{
    if (seconds == 0)
        return false;
    seconds -= (gint64)DAYS_1970_TO_2000 * SECONDS_A_DAY;
    append_be(out, (guint64)(seconds * MICROSECONDS + microsecond), 8);
    return true;
}

/* i64 microseconds, i32 days, i32 months */
void mysql_append_interval(const MysqlTime *time, GByteArray *out)
{
    append_be(out, (guint64)mysql_clock_microseconds(time), 8);
    append_be(out, 0, 4);
    append_be(out, 0, 4);
}

bool mysql_time_of_date(gint32 days, MysqlTime *time)
{
    GDate date;
    gint64 julian = (gint64)days + JULIAN_2000;
    if (julian < 1 || julian > JULIAN_9999)
        return false;
    g_date_clear(&date, 1);
    g_date_set_julian(&date, (guint32)julian);
    *time = (MysqlTime){.year = g_date_get_year(&date),
                        .month = g_date_get_month(&date),
                        .day = g_date_get_day(&date)};
    return true;
}

static void split_clock(guint64 microseconds, MysqlTime *time)
{
    guint64 seconds = microseconds / (guint64)MICROSECONDS;
    time->microsecond = (guint)(microseconds % (guint64)MICROSECONDS);
    time->second = (guint)(seconds % 60);
    time->minute = (guint)(seconds / 60 % 60);
    time->hour = (guint)(seconds / 3600);
}

bool mysql_time_of_timestamp(gint64 microseconds, MysqlTime *time)
{
    gint64 days = microseconds / MICROSECONDS_A_DAY, rest = microseconds % MICROSECONDS_A_DAY;
    if (rest < 0) {
        days--;
        rest += MICROSECONDS_A_DAY;
    }
    if (!mysql_time_of_date((gint32)days, time))
        return false;
    split_clock((guint64)rest, time);
    return true;
}

bool mysql_time_of_clock(gint64 microseconds, MysqlTime *time)
{
    guint64 size = microseconds < 0 ? -(guint64)microseconds : (guint64)microseconds;
    if (size > (guint64)(LONGEST_TIME * MICROSECONDS))
        return false;
    *time = (MysqlTime){.negative = microseconds < 0};
    split_clock(size, time);
    return true;
}
