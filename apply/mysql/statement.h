/*
 * Statement: the texts that TargetOps.execute is given, as a MySQL server takes them.
 */
#pragma once

#include <glib.h>

typedef enum {
    STATEMENT_OTHER,
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_ROLLBACK_TO /* a savepoint */
} StatementKind;

StatementKind statement_kind(const char *sql);

/* The text with $1..$n replaced by quoted literals (NULL: null), outside of quotes, names and
 * comments (g_string_free). BUG for a parameter that has no value. */
GString *statement_bind(const char *sql, guint n_values, const char *const *values, GError **error);

/* "begin isolation level repeatable read read only" and the like, word by word, as the statements
 * that begin such a transaction. */
char *statement_begin(const char *sql);
