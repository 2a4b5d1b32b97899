/*
 * What the files of the preflight share; nobody else includes it.
 */
#pragma once

#include "schema/check.h"
#include "schema/connection_pg.h"

typedef struct Check {
    Migration *migration;
    bool started;
    PGconn *source;
    PGconn *target;
    char *source_encoding;
    GPtrArray *relations; /* char *: qualified names of what will be created on the target */
    Preflight *preflight;
} Check;

void check_add(Check *check, FindingLevel level, const char *name, const char *remedy,
               const char *format, ...) G_GNUC_PRINTF(5, 6);

/* Findings as rows: level, name, text, remedy. */
bool check_add_rows(Check *check, PGconn *connection, const char *sql, int n,
                    const char *const *values, GError **error);

/* A finding about statements that are missing, one a row: PASS where there is none. */
bool check_add_missing(Check *check, PGconn *connection, const char *name, const char *sql, int n,
                       const char *const *values, GError **error);

/* Everything about the target; migration->tables are resolved. */
bool check_target(Check *check, GError **error);
