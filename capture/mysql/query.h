/*
 * Query: what a statement in the binlog (QUERY event) means to a stream of rows.
 *
 * With row format the statements that are logged are transaction control, TRUNCATE, DDL and
 * administration. What is none of those, or is not understood to its end, is QUERY_STOP: a driver
 * must not go on behind it.
 */
#pragma once

#include "capture/mysql/binlog_event.h"

typedef enum {
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_ROLLBACK,
    QUERY_SAVEPOINT,   /* also RELEASE; rows go on */
    QUERY_ROLLBACK_TO, /* rows since the savepoint of `name` do not count */
    QUERY_XA_START,    /* rows follow until XA_PREPARE */
    QUERY_XA_END,
    QUERY_XA_COMMIT, /* of a transaction that was prepared earlier */
    QUERY_XA_ROLLBACK,
    QUERY_TRUNCATE, /* tables: the one that is empty now */
    QUERY_HARMLESS, /* changes no table's rows or form: accounts, views, routines, FLUSH */
    QUERY_DDL,      /* tables: those named; or the whole database */
    QUERY_ROWS, /* INSERT, REPLACE, UPDATE or DELETE instead of the rows. tables: the one that it
                 * names to be changed; triggers, functions and views may change others */
    QUERY_STOP
} QueryKind;

typedef struct QueryTable {
    char *database; /* NULL: none was chosen */
    char *table;    /* NULL: all of the database */
} QueryTable;

typedef struct QueryMeaning {
    QueryKind kind;
    char *what;        /* "ALTER TABLE"; of QUERY_STOP the start of the statement */
    GPtrArray *tables; /* QueryTable: TRUNCATE, DDL. Names in UTF-8, as they are written */
    char *name;        /* savepoint, index that is dropped; NULL */
    char *xid;         /* XA: "X'7831',X'',1" as it is written; NULL */
    GPtrArray *calls;  /* char *: QUERY_ROWS: names that stand before a parenthesis */
    bool moves_rows; /* DDL that adds or removes rows of which there is no row event: DROP, TRUNCATE
                      * or EXCHANGE PARTITION and the like, IMPORT TABLESPACE */
    bool keeps_form; /* DDL that leaves a table that is there as it is, but for indexes that are not
                      * unique and for its comment */
    bool drops_index; /* DROP INDEX of `name` and nothing else */
} QueryMeaning;

/* Never fails: what is not understood is QUERY_STOP. query_meaning_clear the result. */
QueryMeaning query_classify(const BinlogQuery *query);
void query_meaning_clear(QueryMeaning *meaning);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QueryMeaning, query_meaning_clear)
