/*
 * Zero date: what becomes of a source's date that has a zero year, month or day and so is no day
 * (Table.zero_dates). One answer for rows that are read and rows of the log.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

/* type_oid: date, timestamp or timestamptz. Appends the canonical bytes of the table's literal, or
 * sets *null and appends nothing. By default an error of class DATA that shows `value`; USAGE where
 * the literal is no date. */
bool mysql_zero_date_append(const Table *table, guint32 type_oid, const char *value,
                            GByteArray *out, bool *null, GError **error);
