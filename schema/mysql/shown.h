/*
 * Shown: cells that MySQL cannot hold, as PostgreSQL writes them, for messages. (g_free)
 */
#pragma once

#include "proto/value.h"

#include <glib.h>

/* A finite numeric; NULL where the bytes are none. */
char *mysql_shown_numeric(const Cell *cell);

/* Days from 2000-01-01 on: "10000-01-01", "0002-01-01 BC". */
char *mysql_shown_date(gint64 days);
