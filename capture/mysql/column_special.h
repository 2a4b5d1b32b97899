/*
 * Special columns: values of servers' types that look like binary(n) in the log, and all others by
 * canonical.h.
 */
#pragma once

#include "capture/mysql/canonical.h"
#include "capture/mysql/column_type.h"

/* As mysql_canonical_append. */
bool mysql_special_append(ColumnMeaning meaning, const BinlogColumn *column,
                          const BinlogValue *value, const BinlogValue *before, GByteArray *out,
                          GError **error);
