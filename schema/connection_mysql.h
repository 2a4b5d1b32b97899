/*
 * MySQL and MariaDB connections: how drover reaches a server, asks it, and classes its errors.
 *
 * Every session gets pinned settings (statements in utf8mb4, UTC, generous time-outs on the
 * server's side, since drover lets a server wait while the other side is slow). Texts of answers
 * come as they are stored, in the character set of their field; those of system tables are UTF-8.
 * Used by the source driver and its log stream.
 */
#pragma once

#include "proto/endpoint.h"
#include "proto/error.h"

#include <glib.h>
#include <mysql.h>
#include <stdbool.h>

/* url: mysql://user@host:port/database, with connect_timeout=SECONDS as a parameter. RETRY where
 * the server cannot be reached, NO where it refuses us, USAGE where the url or TLS settings are
 * wrong. read_timeout_s: the longest silence of a server that still counts as alive. */
MYSQL *mysql_session_open(const Endpoint *endpoint, const char *label, guint read_timeout_s,
                          GError **error);

/* The same for a session that writes: values that do not fit are errors, affected rows are those
 * that a condition finds, several statements may go in one text, and LOAD DATA LOCAL may be used
 * with a handler of the caller's. */
MYSQL *mysql_session_open_writer(const Endpoint *endpoint, const char *label, guint read_timeout_s,
                                 GError **error);
/* No file for the server: what every session begins with. */
void mysql_session_give_nothing(MYSQL *mysql);

/* A statement without an answer. */
bool mysql_session_run(MYSQL *mysql, const char *sql, GError **error);

/* The whole answer; an error for a statement that has none. */
MYSQL_RES *mysql_session_query(MYSQL *mysql, const char *sql, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MYSQL_RES, mysql_free_result)

/* The first value of the answer (g_free); NULL without an error for null and no row. */
char *mysql_session_ask(MYSQL *mysql, const char *sql, GError **error);

/* Sets *error from what the connection says; returns false. */
bool mysql_session_fail(MYSQL *mysql, GError **error);
/* The same from a server's number and message, which came another way. */
bool mysql_session_fail_with(unsigned int number, const char *message, GError **error);

bool mysql_session_is_mariadb(MYSQL *mysql);

/* A name in backticks, and the name of a table with its database. */
void mysql_session_append_identifier(GString *sql, const char *name);
void mysql_session_append_qualified(GString *sql, const char *database, const char *name);

/* A literal in quotes, for sessions with backslash escapes. bytes: may hold zero bytes. */
void mysql_session_append_literal(GString *sql, const char *text);
void mysql_session_append_bytes(GString *sql, const char *text, gsize size);
