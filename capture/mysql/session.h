/*
 * Session: the handle behind mysql_source_ops, shared by the files of this folder.
 *
 * An ordinary connection for statements, opened again when it was lost and nothing was in progress
 * on it; the stream has a connection of its own (stream.h).
 */
#pragma once

#include "capture/mysql/query.h"
#include "proto/source.h"
#include "schema/connection_mysql.h"
#include "schema/migration.h"

#include <stdbool.h>

typedef struct MysqlStream MysqlStream;

struct Source {
    const Endpoint *endpoint;
    char *label;
    MYSQL *ordinary;
    bool mariadb;
    bool broken;         /* it is of no more use */
    bool reading;        /* between read_begin and read_end */
    MysqlStream *stream; /* NULL until stream_start */
};

/* The end of the server's binlog. */
typedef struct MysqlLogEnd {
    Position position;
    char *file;
    char *filters; /* databases that are logged or not, where that is limited; NULL: all are */
} MysqlLogEnd;

void mysql_log_end_clear(MysqlLogEnd *end);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MysqlLogEnd, mysql_log_end_clear)

/* The connection, opened where it is not; NULL and an error where that fails. */
MYSQL *mysql_source_session(Source *source, GError **error);
/* Closes it, for one that is in an unknown state. */
void mysql_source_forget_session(Source *source);

/* Sets *error from what the connection says; returns false. It is opened again where it broke. */
bool mysql_source_fail(Source *source, const char *what, GError **error);

/* A statement with one row: its first column (g_free). Null and no row are errors. */
char *mysql_source_ask(Source *source, const char *sql, GError **error);
/* identity.c. Says which server this is: "mariadb server_id 7", or MySQL's server_uuid (g_free). */
char *mysql_source_identity(MYSQL *mysql, GError **error);
/* RESTART where the session is on another server than the one that the endpoint's positions are of.
 */
bool mysql_source_check_server(const Endpoint *endpoint, MYSQL *mysql, GError **error);
/* NO where there is no binlog. */
bool mysql_source_log_end(Source *source, MysqlLogEnd *end, GError **error);
/* The major part of positions in a binlog file: its number, which is 3 for "binlog.000003". */
bool mysql_log_file_major(guint32 era, const char *file, guint64 *major, GError **error);
/* NO where the server's log cannot be followed: settings, filters. */
bool mysql_source_check_log(Source *source, GError **error);

/* history.c */
bool mysql_source_check_history(Source *source, const char *resume, GError **error);
/* The transactions that the server has, as a resume text (g_free). */
char *mysql_source_executed(Source *source, GError **error);

/* setup.c */
bool mysql_source_setup(Source *source, const Migration *migration, Position *start, char **resume,
                        char **snapshot, GError **error);
bool mysql_source_drop(Source *source, const Migration *migration, GError **error);

/* snapshot.c */
bool mysql_source_read_begin(Source *source, const char *snapshot, ReadBounds *bounds,
                             GError **error);
bool mysql_source_read(Source *source, ReadRequest *request, const ReadSink *sink, GError **error);
bool mysql_source_read_end(Source *source, ReadBounds *bounds, GError **error);
bool mysql_source_key_ranges(Source *source, const Table *table, gint64 rows_per_range,
                             GArray **ranges, GError **error);

/* reach.c. As MysqlReaches (statement.h); user is the Source. */
bool mysql_source_reaches(void *user, const QueryMeaning *meaning, const char **why,
                          GError **error);

/* stream.c */
bool mysql_source_stream_start(Source *source, const Migration *migration, Position from,
                               const char *resume, bool take_over, GError **error);
StreamResult mysql_source_stream_next(Source *source, int timeout_ms, StreamEvent *event,
                                      GError **error);
bool mysql_source_stream_acknowledge(Source *source, Position durable, GError **error);
void mysql_stream_free(MysqlStream *stream);
