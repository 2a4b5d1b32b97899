/*
 * MySQL bench: a migration of all tables of a scratch database on a real MySQL or MariaDB server,
 * and two handles of its source.
 */
#pragma once

#include "proto/source.h"
#include "schema/migration.h"
#include "tests/support/mysql_scratch.h"

typedef struct MysqlBench {
    MysqlScratch *scratch;
    Migration *migration;
    Source *source; /* setup, status and reads */
    Source *stream;
    Position seen; /* of the stream */
} MysqlBench;

/* variable: of the server. sql: statements that make the tables, separated by ";\n". */
MysqlBench *mysql_bench_new(const char *variable, const char *sql);
/* The same, and the stream from the setup's start. */
MysqlBench *mysql_bench_streaming(const char *variable, const char *sql);
void mysql_bench_free(MysqlBench *bench);

/* Sets migration->start, ->start_resume and ->source_identity. */
void mysql_bench_set_up(MysqlBench *bench);
void mysql_bench_stream(MysqlBench *bench, Position from, const char *resume);
/* Statements, separated by ";\n". */
void mysql_bench_run(MysqlBench *bench, const char *sql);

/* Reads the stream up to n commits: the changes as text, a line each, "update t old (1) (2, two)"
 * (g_free). *last, where not NULL, is the last one's header; its resume text is copied to *resume
 * (g_free), where not NULL. */
char *mysql_bench_commits(MysqlBench *bench, guint n, Transaction *last, char **resume);
/* The same up to where the server's log ends now; a line "commit" behind every transaction. */
char *mysql_bench_rest(MysqlBench *bench);
/* Reads on until it fails: the error. */
GError *mysql_bench_failure(MysqlBench *bench);

const Table *mysql_bench_table(const MysqlBench *bench, const char *name);
