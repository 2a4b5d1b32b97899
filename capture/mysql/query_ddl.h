/*
 * The inside of query.h: walking over words, and statements that create, alter, drop or rename.
 */
#pragma once

#include "capture/mysql/query.h"
#include "capture/mysql/query_words.h"

typedef struct QueryWalk {
    const BinlogQuery *query;
    const Word *word; /* the next one */
    QueryMeaning *meaning;
} QueryWalk;

/* Does the next word say so (any case)? take: and goes behind it. */
bool query_is(const QueryWalk *walk, const char *keyword);
bool query_take(QueryWalk *walk, const char *keyword);
bool query_take_sign(QueryWalk *walk, char sign);

/* Takes [database .] table into the meaning's tables. */
bool query_take_table(QueryWalk *walk);

/* Behind the first word, which is `verb`. False where the statement is not understood. */
bool query_ddl(QueryWalk *walk, const char *verb);
bool query_rename(QueryWalk *walk);

/* query_index.c. word: behind the name of the table in ALTER TABLE. Does the statement add indexes
 * that are not unique, set the comment or the next automatic number, and nothing else? */
bool query_adds_indexes(const Word *word);
