/*
 * Dates and times of MySQL in PostgreSQL's binary forms, and back.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct MysqlTime {
    bool negative; /* time */
    guint year;    /* 0 to 9999; may be 0, as month and day */
    guint month;
    guint day;
    guint hour; /* time: up to 838 */
    guint minute;
    guint second;
    guint microsecond;
} MysqlTime;

/* All append; false where the date does not exist (zero parts, 30 February). */
bool mysql_append_date(const MysqlTime *time, GByteArray *out);
bool mysql_append_timestamp(const MysqlTime *time, GByteArray *out);
/* seconds since 1970; 0 is the zero date. */
bool mysql_append_timestamptz(gint64 seconds, guint microsecond, GByteArray *out);
void mysql_append_interval(const MysqlTime *time, GByteArray *out);

/* Of days since 2000-01-01, of microseconds since then, and of microseconds of a day or interval.
 * False where MySQL has no such date (before the year 1, after 9999, infinity), no such time. */
bool mysql_time_of_date(gint32 days, MysqlTime *time);
bool mysql_time_of_timestamp(gint64 microseconds, MysqlTime *time);
bool mysql_time_of_clock(gint64 microseconds, MysqlTime *time);

/* Of the time of day, or of an interval, with its sign. */
gint64 mysql_clock_microseconds(const MysqlTime *time);

/* A zero in the date, whose day does not exist. */
static inline bool mysql_time_has_zero(const MysqlTime *time)
{
    return time->year == 0 || time->month == 0 || time->day == 0;
}
