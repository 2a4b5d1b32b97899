/*
 * Target scratch: a database of a test's own to be drover's target, on a PostgreSQL, MySQL or
 * MariaDB server, reached through its TargetOps. On MySQL and MariaDB drover's own database belongs
 * to the whole server: programs that use it run one at a time (tests/CMakeLists.txt). Everything
 * fails the running test where the server does not do as told.
 */
#pragma once

#include "proto/endpoint.h"
#include "proto/target.h"

#include <glib.h>

/* The environment variables with the servers' URLs, NULL-terminated. */
extern const char *const target_servers[];

typedef struct TargetScratch {
    const TargetOps *ops;
    Endpoint endpoint;
    Target *session;
    const char *schema;       /* for the test's own tables */
    struct Scratch *postgres; /* one of the two */
    struct MysqlScratch *mysql;
} TargetScratch;

/* variable: one of target_servers. There is no schema drover. */
TargetScratch *target_scratch_new(const char *variable);
/* Drops the database, and drover's. */
void target_scratch_free(TargetScratch *scratch);

/* Another session, with this label. */
Target *target_scratch_open(const TargetScratch *scratch, const char *label);

/* One statement or several. */
void target_scratch_run(TargetScratch *scratch, const char *sql);
/* All values of the answer: "a,b c,d" are two rows of two; nulls are "null" (g_free). */
char *target_scratch_ask(TargetScratch *scratch, const char *sql);
