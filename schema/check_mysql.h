/*
 * What the preflight's files on MySQL and MariaDB share; nobody else includes it.
 */
#pragma once

#include "schema/check_internal.h"
#include "schema/mysql/mysql_grants.h"

#define MYSQL_OLDEST 80000
#define MARIADB_OLDEST 100600

typedef enum { OF_BOTH, OF_MYSQL, OF_MARIADB } MysqlMaker;

typedef enum {
    NEEDS_START = 1, /* it cannot be changed while the server runs */
    QUIET = 2        /* nothing is said where it is as it must be */
} MysqlSettingFlags;

/* One of a server's global variables as it must be; where the server has none of that name, there
 * is nothing to find. */
typedef struct MysqlSetting {
    MysqlMaker maker;
    const char *variable;
    const char *good; /* words separated by spaces, the first of them in the remedy; "": empty */
    FindingLevel level;
    const char *why; /* what is bad about another value */
    guint flags;     /* of MysqlSettingFlags */
} MysqlSetting;

/* A side that is MySQL or MariaDB, and what every check of it asks. */
typedef struct MysqlSide {
    Check *check;
    const Server *server;
    const char *side;      /* "source", "target": first word of the findings' names */
    GHashTable *variables; /* char * -> char *: the global ones */
    MysqlGrants *grants;
    char *account; /* 'drover'@'%', as statements need it */
} MysqlSide;

bool mysql_side_init(MysqlSide *side, Check *check, const Server *server, GError **error);
void mysql_side_clear(MysqlSide *side);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MysqlSide, mysql_side_clear)

/* NULL where the server has none of that name. */
const char *mysql_side_get(const MysqlSide *side, const char *variable);
/* 0 where it is no number. */
gint64 mysql_side_number(const MysqlSide *side, const char *variable);
/* 1, ON, or anything else but 0, OFF and nothing. */
bool mysql_side_is_on(const MysqlSide *side, const char *variable);

/* A finding "side.name". */
void mysql_side_add(const MysqlSide *side, FindingLevel level, const char *name, const char *remedy,
                    const char *format, ...) G_GNUC_PRINTF(5, 6);
void mysql_side_add_settings(const MysqlSide *side, const MysqlSetting *settings, gsize n);

/* "set persist variable = value;": for now and for later starts (g_free). */
char *mysql_side_set(const MysqlSide *side, const char *variable, const char *value);

/* PASS or FAIL "side.version". False for one that is too old to be asked on. */
bool mysql_side_check_version(const MysqlSide *side);

/* Of these privileges (NULL-terminated) those that the account lacks, as one statement; NULL
 * (g_free). database NULL: on everything. */
char *mysql_side_missing(const MysqlSide *side, const char *const *privileges,
                         const char *database);

/* `database` as GRANT needs it, where it is a pattern (g_free). */
char *mysql_side_grantable(const MysqlSide *side, const char *database);
/* `database`.`name` (g_free). */
char *mysql_side_qualified(const char *database, const char *name);
