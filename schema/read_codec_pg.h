/*
 * Digests of a range of PostgreSQL's rows over their canonical bytes (row_digest.h). Used by
 * read_pg.c only.
 */
#pragma once

#include "proto/source.h"
#include "schema/connection_pg.h"

#include <stdbool.h>

bool pg_read_codec_digest(PGconn *connection, const char *schema, const char *name,
                          ReadRequest *request, GError **error);
