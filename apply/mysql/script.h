/*
 * Script: statements of one row each, many of them in one text and one round trip.
 *
 * MySQL's protocol has no pipeline, but a text may hold several statements; each has an answer, and
 * those behind a failure are not carried out.
 */
#pragma once

#include "apply/mysql/session.h"
#include "apply/staged.h"

#include <glib.h>
#include <stdbool.h>

/* The row's statement has found (changed, deleted) so many rows. */
typedef void (*ScriptFound)(void *user, StagedRow *row, gint64 found);

typedef struct Script {
    Target *target;
    const Table *table; /* of the rows */
    GString *text;      /* the next statement is appended here, without an end */
    gsize start;        /* of that, in text */
    GPtrArray *rows;    /* StagedRow *, one a statement */
    ScriptFound found;  /* may be NULL */
    void *user;
} Script;

void script_init(Script *script, Target *target, const Table *table, ScriptFound found, void *user);
void script_clear(Script *script);

/* Ends the statement; sends what has been gathered now and then. Errors name the row. */
bool script_end_statement(Script *script, StagedRow *row, GError **error);
/* Sends what is left. */
bool script_send(Script *script, GError **error);
