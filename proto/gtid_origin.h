/*
 * The inside of MySQL's GTID sets: what gtid_mysql.c (the set) and gtid_mysql_form.c (texts and
 * bytes) share. An origin always has an interval.
 */
#pragma once

#include "proto/gtid.h"

typedef struct MysqlGtidInterval {
    gint64 first;
    gint64 last;
} MysqlGtidInterval;

typedef struct MysqlGtidOrigin {
    guint8 uuid[MYSQL_UUID_SIZE];
    char tag[MYSQL_TAG_LIMIT + 1];
    GArray *intervals; /* MysqlGtidInterval */
} MysqlGtidOrigin;

struct MysqlGtidSet {
    GPtrArray *origins; /* MysqlGtidOrigin */
};

/* The origin, new where it is not there; an interval must be added to it then. */
MysqlGtidOrigin *mysql_gtid_set_origin(MysqlGtidSet *set, const guint8 *uuid, const char *tag);
void mysql_gtid_origin_add(MysqlGtidOrigin *origin, gint64 first, gint64 last);
