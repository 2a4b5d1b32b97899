/*
 * pgoutput: the messages of PostgreSQL's logical replication, protocol version 1 with binary values
 * and messages ("Logical Replication Message Formats" in PostgreSQL's manual).
 *
 * The parser knows the form of messages, not what the tables are (relation.h does). It accepts
 * exactly what it knows: an unknown kind, flag or value format, missing and surplus bytes are
 * errors of class PERSON that name the message and its position in the log. Used by stream.c.
 */
#pragma once

#include "proto/value.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    PGOUTPUT_BEGIN = 'B',
    PGOUTPUT_COMMIT = 'C',
    PGOUTPUT_ORIGIN = 'O',
    PGOUTPUT_RELATION = 'R',
    PGOUTPUT_TYPE = 'Y',
    PGOUTPUT_INSERT = 'I',
    PGOUTPUT_UPDATE = 'U',
    PGOUTPUT_DELETE = 'D',
    PGOUTPUT_TRUNCATE = 'T',
    PGOUTPUT_MESSAGE = 'M'
} PgoutputKind;

typedef enum { PGOUTPUT_NO_OLD = 0, PGOUTPUT_OLD_KEY = 'K', PGOUTPUT_OLD_ROW = 'O' } PgoutputOld;

typedef struct PgoutputColumn {
    const char *name;
    guint32 type_oid;
    gint32 type_modifier;
    bool is_key; /* of the replica identity */
} PgoutputColumn;

/* Cells in the order of the Relation message's columns. */
typedef struct PgoutputTuple {
    guint n_cells;
    Cell *cells;
    int first_text; /* the first cell that came as text and not as binary; -1 */
} PgoutputTuple;

typedef struct PgoutputMessage {
    PgoutputKind kind;
    union {
        struct {
            guint64 commit_lsn; /* start of the commit record */
            gint64 commit_time; /* microseconds since 1970-01-01 UTC */
            guint32 xid;
        } begin;
        struct {
            guint64 commit_lsn;
            guint64 end_lsn;
            gint64 commit_time;
        } commit;
        struct {
            guint32 oid;
            const char *schema; /* empty for pg_catalog */
            const char *name;
            char replica_identity; /* pg_class.relreplident */
            guint n_columns;
            const PgoutputColumn *columns;
        } relation;
        struct {
            guint32 relation;
            PgoutputOld old_kind;
            PgoutputTuple old; /* update, delete; n_cells 0 where there is none */
            PgoutputTuple row; /* insert, update */
        } change;
        struct {
            bool cascade;
            bool restart_identity;
            guint n_relations;
            const guint32 *relations;
        } truncate;
        struct {
            bool transactional;
            guint64 lsn; /* end of the message's record */
            const char *prefix;
            guint32 size;
            const guint8 *content;
        } message;
    };
} PgoutputMessage;

/* Holds the arrays that messages point into; they are reused from message to message. */
typedef struct Pgoutput Pgoutput;

Pgoutput *pgoutput_new(void);
void pgoutput_free(Pgoutput *parser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pgoutput, pgoutput_free)

/* Everything in message is valid until the next call and as long as data is. lsn: where the message
 * stands in the log, for errors. */
bool pgoutput_parse(Pgoutput *parser, const guint8 *data, gsize size, guint64 lsn,
                    PgoutputMessage *message, GError **error);
