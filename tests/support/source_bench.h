/*
 * Source bench: a migration of all tables of a scratch database on the real source server, with a
 * slot of its own, and two handles of the PostgreSQL source.
 */
#pragma once

#include "proto/source.h"
#include "schema/migration.h"
#include "tests/support/scratch.h"

typedef struct SourceBench {
    Scratch *scratch;
    Migration *migration;
    Source *source; /* setup and reads */
    Source *stream;
    char *snapshot;
} SourceBench;

/* sql makes the tables. */
SourceBench *source_bench_new(const char *sql);
/* Makes publication and slot; sets snapshot, migration->start and ->source_identity. */
void source_bench_set_up(SourceBench *bench);
/* Starts the stream after a position. */
void source_bench_stream(SourceBench *bench, Position from);
/* The three above, from the slot's start. */
SourceBench *source_bench_streaming(const char *sql);
/* Drops slot and database. */
void source_bench_free(SourceBench *bench);

/* Reads the stream up to n commits: the changes as text, a line each, "update a old (1) (2, two)"
 * (g_free). *last, where not NULL, is the last one's header. */
char *source_bench_commits(SourceBench *bench, guint n, Transaction *last);

const Table *source_bench_table(const SourceBench *bench, const char *name);
