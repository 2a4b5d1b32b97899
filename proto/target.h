/*
 * Target: the contract of a driver that writes a database. drover's durable control state lives
 * there too (schema drover, schema/sql/control.sql) and is reached through `execute`.
 *
 * A handle is one session and belongs to one thread.
 */
#pragma once

#include "proto/endpoint.h"
#include "proto/source.h"
#include "proto/value.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Target Target;

/* The answer of one statement: texts, row by row. */
typedef struct Answer {
    guint n_rows;
    guint n_columns;
    char **values;   /* n_rows * n_columns; NULL is SQL's null */
    gint64 affected; /* rows that the statement changed; -1 where it says none */
} Answer;

void answer_free(Answer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Answer, answer_free)
const char *answer_get(const Answer *answer, guint row, guint column);

/* The final image of one key after a batch was netted. */
typedef enum {
    NET_DELETE, /* the key is gone */
    NET_INSERT, /* began in this batch: not there yet, once the target is consistent */
    NET_UPDATE  /* was there before the batch */
} NetKind;

typedef struct NetRow {
    NetKind kind;
    Row key;
    Row row;      /* all columns; CELL_UNCHANGED cells are taken from the row of base_key */
    Row base_key; /* n_cells 0 where row has no unchanged cell */
    bool missing; /* set by write: it has unchanged cells and base_key is not in the target: this
                   * row was left out, and a row of its key deleted */
} NetRow;

typedef struct NetTable {
    const Table *table;
    bool truncated; /* empty it before the rows are written */
    guint n_rows;
    NetRow **rows;
    guint n_inserts;
    guint n_updates;
    guint n_deletes;
    guint n_partial; /* rows with unchanged cells */
} NetTable;

/* How a session has a role: by itself, or beside others that share it. */
typedef enum { HOLD_ALONE, HOLD_SHARED } RoleHold;

typedef struct TargetOps {
    const char *engine;

    Target *(*connect)(const Endpoint *endpoint, const char *label, GError **error);
    void (*close)(Target *target);

    /* One statement with text parameters $1..$n (NULL value: SQL's null). Errors carry the class:
     * RETRY for lost connections, deadlocks, serialization, disk full; NO for privileges; DATA for
     * a value or constraint. "begin", "commit", "rollback" go through it too. */
    Answer *(*execute)(Target *target, const char *sql, guint n_values, const char *const *values,
                       GError **error);

    /* Takes a role's lock, which lives as long as this session. False with NO where other sessions
     * have it and this hold excludes theirs (the message says who, from drover.lease); with
     * take_over those are ended first. Whoever gets a role alone ends every other session of that
     * migration's role; who has it alone already and asks to share it lets others in. */
    bool (*lock_role)(Target *target, const Migration *migration, const char *role, RoleHold hold,
                      bool take_over, GError **error);
    /* Who has these roles (NULL-terminated) now: the leases whose lock is held. Rows: role, holder,
     * since when, epoch, session; holder and what follows null where a session has a lock and no
     * lease says who it is. */
    Answer *(*role_holders)(Target *target, const Migration *migration, const char *const *roles,
                            GError **error);

    /* Prepares the session for drover's data writes: triggers and foreign key actions do not fire.
     * NO where the rights are missing, with the statement that grants them. */
    bool (*prepare_writes)(Target *target, GError **error);

    /* Raw rows of SourceOps.read(READ_COPY), inside a transaction. */
    bool (*copy_begin)(Target *target, const Table *table, GError **error);
    bool (*copy_data)(Target *target, const guint8 *data, gsize size, GError **error);
    bool (*copy_end)(Target *target, gint64 *rows, GError **error);

    /* Writes a netted batch set-wise, inside a transaction: truncations, deletes, updates, inserts.
     * consistent: the target is past its consistent point, so NET_INSERT keys are not there. */
    bool (*write)(Target *target, NetTable *tables, guint n_tables, bool consistent,
                  GError **error);

    /* READ_DIGEST, READ_HASHES, READ_ROWS and READ_CHILDREN of the target's table, inside a
     * transaction. */
    bool (*read)(Target *target, ReadRequest *request, const ReadSink *sink, GError **error);
} TargetOps;
