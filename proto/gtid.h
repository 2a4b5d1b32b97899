/*
 * GTIDs: which transactions of a server's history are meant.
 *
 * MySQL: a set, for every origin (UUID and tag) the intervals of its transaction numbers. Sets are
 * compared by containment. MariaDB: a list of domain-server-sequence; a position has one entry for
 * each domain, and everything of the domain up to that sequence is behind it. (MariaDB's strict
 * mode, on which drover insists, makes sequences of a domain rise.)
 *
 * Texts are the servers' own (@@gtid_executed, @@gtid_binlog_pos); binary forms are those of the
 * replication protocol. Errors are of class PERSON and name the text or the byte.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define MYSQL_UUID_SIZE 16
#define MYSQL_TAG_LIMIT 32
#define MYSQL_GTID_MAX G_MAXINT64 /* numbers are 1 to this, exclusive */

typedef struct MysqlGtidSet MysqlGtidSet;

MysqlGtidSet *mysql_gtid_set_new(void);
void mysql_gtid_set_free(MysqlGtidSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MysqlGtidSet, mysql_gtid_set_free)

/* "uuid:1-5:7,uuid:tag:1-3:other_tag:4", white space allowed as the server does; "" is empty. */
MysqlGtidSet *mysql_gtid_set_parse(const char *text, GError **error);
/* The server's form: origins in order, intervals joined where they touch (g_free). */
char *mysql_gtid_set_format(const MysqlGtidSet *set);

/* The set of PREVIOUS_GTIDS and of COM_BINLOG_DUMP_GTID; takes both forms, with and without tags.
 */
MysqlGtidSet *mysql_gtid_set_decode(const guint8 *data, gsize size, GError **error);
/* The form without tags where there is none, which every server understands. */
void mysql_gtid_set_encode(const MysqlGtidSet *set, GByteArray *out);

/* tag: "" for none. number: 1 or more. */
void mysql_gtid_set_add(MysqlGtidSet *set, const guint8 *uuid, const char *tag, gint64 number);
void mysql_gtid_set_merge(MysqlGtidSet *set, const MysqlGtidSet *other);
bool mysql_gtid_set_contains(const MysqlGtidSet *set, const guint8 *uuid, const char *tag,
                             gint64 number);
bool mysql_gtid_set_contains_set(const MysqlGtidSet *set, const MysqlGtidSet *other);
bool mysql_gtid_set_equal(const MysqlGtidSet *a, const MysqlGtidSet *b);
bool mysql_gtid_set_is_empty(const MysqlGtidSet *set);
guint64 mysql_gtid_set_count(const MysqlGtidSet *set); /* transactions in it */

/* "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:23" (g_free) */
char *mysql_gtid_format(const guint8 *uuid, const char *tag, gint64 number);

/* Between the two parts of a resume text (proto/position.h). */
#define RESUME_SINCE " since "

/* Of two resume texts (proto/position.h), of one kind of server: is everything that `part` stands
 * for in `whole`? False where a text cannot be read, or is NULL. */
bool resume_contains(const char *whole, const char *part);

typedef struct MariadbGtid {
    guint32 domain;
    guint32 server;
    guint64 sequence;
} MariadbGtid;

typedef enum {
    MARIADB_GTIDS_EQUAL,
    MARIADB_GTIDS_BEFORE, /* the first is contained in the second */
    MARIADB_GTIDS_AFTER,
    MARIADB_GTIDS_APART /* each has something that the other has not */
} MariadbGtidsOrder;

typedef struct MariadbGtids MariadbGtids; /* a position: one entry a domain, in order of domains */

MariadbGtids *mariadb_gtids_new(void);
void mariadb_gtids_free(MariadbGtids *gtids);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MariadbGtids, mariadb_gtids_free)

/* "0-1-17,2-5-3"; "" is empty. */
MariadbGtids *mariadb_gtids_parse(const char *text, GError **error);
char *mariadb_gtids_format(const MariadbGtids *gtids); /* (g_free) */
/* The entries of GTID_LIST: of each domain the highest sequence is kept. */
MariadbGtids *mariadb_gtids_decode(const guint8 *list, guint32 n);
void mariadb_gtids_encode(const MariadbGtids *gtids, GByteArray *out);

/* Moves the domain's entry on; a sequence behind it changes nothing. */
void mariadb_gtids_add(MariadbGtids *gtids, MariadbGtid gtid);
void mariadb_gtids_merge(MariadbGtids *gtids, const MariadbGtids *other);
bool mariadb_gtids_contains(const MariadbGtids *gtids, MariadbGtid gtid);
MariadbGtidsOrder mariadb_gtids_compare(const MariadbGtids *a, const MariadbGtids *b);
guint mariadb_gtids_count(const MariadbGtids *gtids);
MariadbGtid mariadb_gtids_get(const MariadbGtids *gtids, guint number);
