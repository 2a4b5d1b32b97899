/*
 * Statements: what the simulated target does for each SQL text that drover sends to its control
 * tables (schema/control*.c, schema/sql/control_*.sql). A text that is not known fails the run:
 * then this file does not know any more what the target would do.
 */
#pragma once

#include "proto/target.h"
#include "tests/simulation/store.h"

typedef struct Statement {
    const char *name; /* for the trace */
    const char *sql;
    Answer *(*run)(Session *session, const char *const *values, GError **error);
} Statement;

/* For `select COLUMN from drover.migration` and its update, *column is set
 * (g_free). */
const Statement *statement_find(const char *sql, char **column);
/* values: those of the statement. column: as statement_find gave it. */
Answer *statement_run(const Statement *statement, Session *session, const char *column,
                      const char *const *values, GError **error);

Answer *statement_answer(guint rows, guint columns, gint64 affected);
