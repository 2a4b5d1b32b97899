/*
 * Executed: the GTIDs of everything that the stream has read, and their text, which is the resume
 * text of a position.
 *
 * A text is made at the end of every transaction: where a number only follows the one before it,
 * its digits are exchanged.
 */
#pragma once

#include "capture/mysql/binlog_event.h"
#include "proto/gtid.h"

typedef struct ExecutedGtid {
    bool mariadb;
    guint8 uuid[MYSQL_UUID_SIZE]; /* MySQL's */
    char tag[MYSQL_TAG_LIMIT + 1];
    gint64 number;
    MariadbGtid list_entry; /* MariaDB's */
} ExecutedGtid;

/* Of an event of kind BINLOG_GTID or BINLOG_MARIADB_GTID. */
ExecutedGtid executed_gtid_of(const BinlogEvent *event);
char *executed_gtid_text(const ExecutedGtid *gtid); /* (g_free) */

typedef struct Executed Executed;

/* text: the server's own, "" for none. PERSON where it is not of that form. */
Executed *executed_new(bool mariadb, const char *text, GError **error);
void executed_free(Executed *executed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Executed, executed_free)

void executed_add(Executed *executed, const ExecutedGtid *gtid);
bool executed_contains(const Executed *executed, const ExecutedGtid *gtid);

/* Is everything of `part`, which is of the same kind of server, in it? */
bool executed_covers(const Executed *executed, const Executed *part);

/* Everything that, as PREVIOUS_GTIDS or GTID_LIST say, came before a file? PERSON where the event
 * cannot be read. */
bool executed_contains_previous(const Executed *executed, const BinlogEvent *event, bool *contains,
                                GError **error);

/* Valid until the next call for this object. */
const char *executed_text(Executed *executed);
