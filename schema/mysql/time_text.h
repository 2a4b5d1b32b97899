/*
 * Time text: dates and times as MySQL shows them.
 */
#pragma once

#include "schema/mysql/canonical_time.h"

#include <glib.h>
#include <stdbool.h>

/* "2024-01-31" or "2024-01-31 10:00:00.123456"; days that do not exist are read too. */
bool mysql_time_of_text(const char *text, gsize size, MysqlTime *time);
/* "-838:59:59.123" */
bool mysql_clock_of_text(const char *text, gsize size, MysqlTime *time);
