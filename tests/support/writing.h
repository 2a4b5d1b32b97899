/*
 * Writing: the fixture of the tests of TargetOps.write on the PostgreSQL target: a scratch database
 * with a session that is prepared for writes, and the table public.t, which each test makes anew.
 *
 * Groups of tests are run twice: with small batches, which go row by row, and with the same ones
 * made large by deletes of keys that are not there, which go through a stage.
 */
#pragma once

#include "apply/postgres/target.h"
#include "schema/table.h"
#include "tests/support/net.h"
#include "tests/support/scratch.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Writing {
    Scratch *scratch;
    Target *target;
    bool large;
    guint32 tables; /* made so far: their ids tell the stages of different tests apart */
} Writing;

/* Of the running group. */
extern Writing writing;

/* Group fixtures of cmocka. */
int writing_open_small(void **state);
int writing_open_large(void **state);
int writing_close(void **state);

/* Connects writing.target (again). */
void writing_connect(void);

/* sql creates t. */
Table *writing_make_table(const char *sql);
/* One statement in the target's session. */
void writing_run(const char *sql);
/* Writes the batch in the transaction that is open. */
bool writing_write(Net *net, bool consistent, GError **error);
void writing_write_and_commit(Net *net, bool consistent);
/* The rows of t as texts, in their order: "(1,a) (2,b)". */
void writing_expect_rows(const char *rows);
