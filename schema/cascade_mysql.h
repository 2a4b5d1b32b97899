/*
 * Cascades of MySQL and MariaDB: foreign key actions (cascade, set null) that InnoDB carries out
 * below the binlog, so that the log has the parent's change only. MySQL logs them from 9.6 on.
 */
#pragma once

#include "schema/server.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

/* Does this server's log lack what foreign key actions do? */
bool cascade_mysql_hidden(const Server *server, bool *hidden, GError **error);

typedef struct CascadeProblem {
    const Table *child;
    char *text; /* a sentence that names child and foreign key */
    char *remedy;
} CascadeProblem;

void cascade_problem_free(CascadeProblem *problem);

/* Gives the parents among the moved tables their Cascades. What apply cannot follow (the parent is
 * not moved, or the foreign key does not refer to its key) is appended to problems
 * (CascadeProblem *). */
bool cascade_mysql_find(const Server *server, GPtrArray *tables, GPtrArray *problems,
                        GError **error);
