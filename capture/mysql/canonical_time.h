/*
 * Dates and times of MySQL in PostgreSQL's binary forms.
 */
#pragma once

#include "capture/mysql/binlog_value.h"

/* All append; false where the date does not exist (zero parts, 30 February). */
bool mysql_append_date(const BinlogTime *time, GByteArray *out);
bool mysql_append_timestamp(const BinlogTime *time, GByteArray *out);
/* seconds since 1970; 0 is the zero date. */
bool mysql_append_timestamptz(gint64 seconds, guint microsecond, GByteArray *out);
void mysql_append_interval(const BinlogTime *time, GByteArray *out);

/* "2024-01-31 10:00:00.123", with as many digits of a second as the column has. */
void mysql_time_text(BinlogValueKind kind, const BinlogValue *value, guint digits, GString *text);
