/*
 * MySQL writing: the fixture of the tests of TargetOps.write and of the copy on a MySQL or MariaDB
 * target: a scratch database with a session that is prepared for writes, and the table t, which
 * each test makes anew. A PostgreSQL server turns the tests' texts into canonical cells.
 *
 * Groups of tests are run on both servers and in every way of writing: row by row, set-wise through
 * a stage, and set-wise with LOAD DATA in place of INSERT.
 */
#pragma once

#include "apply/mysql/target.h"
#include "schema/table.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/net.h"
#include "tests/support/scratch.h"

#include <cmocka.h>
#include <glib.h>
#include <stdbool.h>

typedef struct MysqlWriting {
    Scratch *postgres;
    MysqlScratch *scratch;
    Target *target;
} MysqlWriting;

/* Of the running group. */
extern MysqlWriting mysql_writing;

/* Runs them on both servers in every way; the number of those that failed. */
#define mysql_writing_run_groups(tests) mysql_writing_run_all(tests, G_N_ELEMENTS(tests))
int mysql_writing_run_all(const struct CMUnitTest *tests, gsize n);

/* columns: as test_table_new has them, of PostgreSQL's types. sql: what follows `create table t (`,
 * and further statements, separated by semicolons. */
Table *mysql_writing_make_table(const char *columns, const char *sql);
/* Statements of the scratch session. */
void mysql_writing_run_scratch(const char *sql);
Net *mysql_writing_net(const Table *table);
/* One statement in the target's session. */
void mysql_writing_run(const char *sql);
/* Writes the batch in the transaction that is open. */
bool mysql_writing_write(Net *net, bool consistent, GError **error);
void mysql_writing_write_and_commit(Net *net, bool consistent);
/* Fails to write the batch with an error of class DATA that has these parts (NULL at the end). */
void mysql_writing_expect_refused(Net *net, bool consistent, const char *const *parts);
/* The rows of t as texts, in their order: "(1,a) (2,~)", where ~ is null. */
void mysql_writing_expect_rows(const char *rows);
void mysql_writing_expect_value(const char *sql, const char *value);

/* Binary COPY data of the net's rows. */
GByteArray *mysql_writing_copy_data(const Net *net);
