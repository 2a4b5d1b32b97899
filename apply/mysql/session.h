/*
 * Session: the handle behind mysql_target_ops, shared by the files of this folder.
 *
 * Transactions behave as on PostgreSQL: after a statement has failed, nothing but a rollback is
 * done, so that a commit never keeps half a transaction and nothing is committed by itself after
 * the server has undone a transaction (a deadlock).
 */
#pragma once

#include "proto/target.h"
#include "schema/migration.h"

#include <glib.h>
#include <mysql.h>
#include <stdbool.h>

struct Target {
    MYSQL *mysql;
    char *label; /* of the endpoint, for messages */
    bool mariadb;
    bool local_infile;   /* the server takes LOAD DATA LOCAL */
    guint load_from;     /* rows of a table in a batch: fewer are inserted faster than loaded */
    guint stage_from;    /* deletes and updates of a table: fewer are faster one by one */
    gsize max_packet;    /* bytes of the longest statement */
    char *connection_id; /* the server's number of this session */
    bool in_transaction;
    bool failed;              /* in the open transaction: it can only be rolled back */
    struct MysqlCopyIn *copy; /* of copy_begin; NULL: none is open */
};

/* Runs one statement or several; *rows: what the last one changed or found. rows may be NULL.
 * Inside a transaction a failure makes it fail. */
bool mysql_target_run(Target *target, const char *sql, gsize length, gint64 *rows, GError **error);
/* The same with the last answer. */
Answer *mysql_target_ask(Target *target, const char *sql, gsize length, GError **error);

/* After a query that was sent another way: whether the transaction is open, and whether it has
 * failed. */
void mysql_target_follow(Target *target, bool done);
