/*
 * Canonical: values of a binlog row in drover's form (proto/value.h), which is PostgreSQL's binary
 * send form of the type that is natural for the column:
 *
 *   tinyint, year                 int2      float                 float4
 *   smallint                      int2      double                float8
 *   tinyint unsigned              int2      decimal               numeric
 *   smallint unsigned, mediumint  int4      bit(n)                bit
 *   mediumint unsigned, int       int4      date                  date
 *   int unsigned, bigint          int8      datetime              timestamp
 *   bigint unsigned               numeric   timestamp             timestamptz
 *   char, varchar, text           text      time                  interval
 *   binary, varbinary, blob       bytea     json                  json
 *   enum, set                     text      geometry              bytea (u32 SRID, WKB)
 *   vector                        float4[]
 *
 * time is an interval because it reaches from -838 to 838 hours. MariaDB's json is a text; its uuid
 * and inet types look like binary and are the driver's to know.
 *
 * What the natural type cannot hold is an error of class DATA that names the value: zero and
 * impossible dates, a zero byte in a text, bytes that are no text. What is not known of a column
 * (binlog_row_metadata) is an error of class PERSON.
 */
#pragma once

#include "capture/mysql/binlog_value.h"

/* The number of the natural type in PostgreSQL; 0 where the column's sign or charset is unknown. */
guint32 mysql_canonical_type(const BinlogColumn *column);

/* Appends the canonical bytes of a value that is neither null nor absent. before: the column's
 * value in the image before, for changes of a JSON document; NULL where there is none. */
bool mysql_canonical_append(const BinlogColumn *column, const BinlogValue *value,
                            const BinlogValue *before, GByteArray *out, GError **error);

/* The value as the server would show it, for messages; bytes as 0x.... Any kind (g_free). */
char *mysql_value_text(const BinlogColumn *column, const BinlogValue *value);
