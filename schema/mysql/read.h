/*
 * Reads of one table of MySQL or MariaDB, on either side: copies, rows, digests and hashes, all
 * from canonical bytes (row_digest.h). The counterpart of pg_read (connection_pg.h) with `codec`.
 */
#pragma once

#include "proto/source.h"
#include "schema/connection_mysql.h"

#include <glib.h>
#include <stdbool.h>

/* Does as the request says (proto/source.h), in the transaction that is open in the session. Rows
 * are read as they come: what is held is one row, or a block of a copy. row_version is the row's
 * hash, storage 0. DATA names table, key, column and value. After an error of the sink the session
 * can be used again, unless very many rows were left: then it is broken. */
bool mysql_read(MYSQL *mysql, const char *schema, const char *name, ReadRequest *request,
                const ReadSink *sink, GError **error);

/* Texts of a row of key cells, appended to `texts` one after the other with a zero byte each. */
bool mysql_key_texts(const Table *table, const Row *key, GString *texts, GError **error);
