/*
 * Stream: the log of one server as transactions of the migration's tables. stream.c opens the log
 * and waits for it, group.c makes transactions of its events, handout.c gives them to the caller.
 *
 * What the log has between two GTIDs is a group: a transaction, a part of an XA transaction, or a
 * statement. Its changes are handed out as they come, but for those behind a savepoint and those of
 * an XA transaction, which are held until it is sure that they count.
 */
#pragma once

#include "capture/mysql/binlog_stream.h"
#include "capture/mysql/decode.h"
#include "capture/mysql/executed.h"
#include "capture/mysql/prepared.h"
#include "capture/mysql/session.h"
#include "capture/mysql/statement.h"

typedef struct MysqlGroup {
    bool open;
    bool body;     /* it goes on until XID, COMMIT, ROLLBACK or XA PREPARE */
    bool skipping; /* it was handed out before the stream was started again */
    bool xa;
    bool begun; /* STREAM_BEGIN was handed out */
    ExecutedGtid gtid;
    gint64 commit_time;
    Held *held;         /* NULL: changes are handed out at once */
    GArray *savepoints; /* MysqlSavepoint */
} MysqlGroup;

/* What is still to be handed out before the next event is looked at, in this order. */
typedef struct MysqlPending {
    const Table *truncated;
    bool rows; /* of the event */
    bool held;
    bool commit;
} MysqlPending;

/* What only the server can tell. */
typedef struct MysqlCatalog {
    bool mariadb;
    bool ignore_case; /* in names of tables */
    MysqlReaches reaches;
    void *user;
} MysqlCatalog;

struct MysqlStream {
    BinlogStream *log;
    BinlogDecoder *decoder;
    BinlogEvent event;
    MysqlCatalog catalog;
    MysqlRelations *relations;
    MysqlDecode *decode;
    Executed *executed;
    Prepared *prepared;
    char *since;     /* where the log is read from, where that is earlier than `from` */
    Executed *due;   /* what was handed out before, while it is being read again */
    Executed *again; /* what has been read again of it, and all before */
    Position from;   /* what ends at or below was handed out before */
    guint32 era;
    guint64 file_major; /* of positions in the log file that is being read */
    MysqlGroup group;
    MysqlPending pending;
    Position position; /* the end of what was read last */
    Position reported; /* the last that the caller knows */
    Position marked;   /* the last that it was told with a marker */
    gint64 last_marker;
    guint32 truncated; /* Table.id */
    GString *resume;
    bool failed;
};

/* Without its log. PERSON where the resume text is none. */
MysqlStream *mysql_stream_new(const Migration *migration, Position from, const char *resume,
                              const MysqlCatalog *catalog, GError **error);
void mysql_group_init(MysqlStream *stream);
void mysql_group_clear(MysqlStream *stream);

/* handout.c */

/* Hands out what is there. STREAM_TIMEOUT: an event must be read. */
StreamResult mysql_group_next(MysqlStream *stream, StreamEvent *event, GError **error);
/* Are there changes to be handed out? */
bool mysql_has_pending(const MysqlStream *stream);
/* Where the log stands between two groups, if that is news. Whoever waits for a place is told by a
 * marker, of which a busy log needs few and a silent one the last. offset: in the file. */
StreamResult mysql_report(MysqlStream *stream, guint64 offset, bool silent, StreamEvent *event);

/* group.c */

/* Takes stream->event. STREAM_TIMEOUT: nothing to tell yet; ask mysql_group_next. */
StreamResult mysql_group_take(MysqlStream *stream, StreamEvent *event, GError **error);
