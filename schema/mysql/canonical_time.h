/*
 * Dates and times of MySQL in PostgreSQL's binary forms.
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
