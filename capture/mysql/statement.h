/*
 * Statement: what a statement of the log (QUERY event) means for the tables of the migration.
 */
#pragma once

#include "capture/mysql/query.h"
#include "capture/mysql/relation.h"

/* May a statement that changes rows of one table (QUERY_ROWS) change others? *why: what is against
 * it; NULL: it does not. */
typedef bool (*MysqlReaches)(void *user, const QueryMeaning *meaning, const char **why,
                             GError **error);

/* For what is no transaction control. *truncated: the table of the migration that is empty now,
 * else NULL. PERSON, with the statement, its place and what to do, where rows or the form of a
 * table of the migration may have changed otherwise than by row events. */
bool mysql_statement_judge(const MysqlRelations *relations, const BinlogEvent *event,
                           const QueryMeaning *meaning, MysqlReaches reaches, void *user,
                           const Table **truncated, GError **error);
