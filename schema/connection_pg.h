/*
 * PostgreSQL connections: how drover reaches a server, asks it, and classes its errors.
 *
 * Every session gets pinned settings (ISO dates, UTC, extra_float_digits, hex bytea, empty search
 * path, jit off, no statement or idle timeouts) so that text and plans do not depend on the user's
 * configuration. Used by the source and target drivers, the catalog and the checks.
 */
#pragma once

#include "proto/endpoint.h"
#include "proto/error.h"
#include "proto/target.h"

#include <glib.h>
#include <libpq-fe.h>
#include <stdbool.h>

typedef enum { PG_ORDINARY, PG_REPLICATION } PgKind;

/* TCP keepalives and a connect time-out are on. RETRY where the server cannot be reached (also
 * while it starts up), NO where it refuses us (password, role, database). */
PGconn *pg_connect(const Endpoint *endpoint, const char *label, PgKind kind, GError **error);

/* Runs one statement without parameters (also several, separated by semicolons). NULL and an error
 * unless the server answered with rows, a command tag or a COPY state. PQclear the result. */
PGresult *pg_query(PGconn *connection, const char *sql, GError **error);
PGresult *pg_query_params(PGconn *connection, const char *sql, int n, const char *const *values,
                          GError **error);
/* pg_query for statements whose answer does not matter. */
bool pg_run(PGconn *connection, const char *sql, GError **error);

/* Sets *error from a failed result (or, with result NULL, from the connection): class by SQLSTATE,
 * message, detail and hint. Always returns false. */
bool pg_fail(PGconn *connection, const PGresult *result, GError **error);

/* Appends a quoted identifier; "schema"."name". */
void pg_append_identifier(GString *sql, const char *name);
void pg_append_qualified(GString *sql, const char *schema, const char *name);
/* Appends a quoted literal; NULL becomes null. */
bool pg_append_literal(PGconn *connection, GString *sql, const char *text, GError **error);

/* The answer as TargetOps.execute gives it. */
Answer *pg_answer(const PGresult *result);

/* "where" clause (with the leading " where ", nothing for an unbounded range) for a key range over
 * columns of t: row comparison with typed literals. */
bool pg_append_range(PGconn *connection, GString *sql, const Table *table, const KeyRange *range,
                     GError **error);

/* READ_DIGEST, READ_HASHES, READ_ROWS on either side, in the transaction that is open: `schema` and
 * `name` are the table's on this side. READ_COPY is the source driver's. */
bool pg_read(PGconn *connection, const char *schema, const char *name, ReadRequest *request,
             const ReadSink *sink, GError **error);

int pg_server_major(PGconn *connection); /* 15 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGconn, PQfinish)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGresult, PQclear)
