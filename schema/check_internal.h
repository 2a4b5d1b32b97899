/*
 * What the files of the preflight share; nobody else includes it.
 *
 * check.c asks each side's engine for its part: the server first, which every engine can tell about
 * itself, then what the chosen tables need of it.
 */
#pragma once

#include "schema/check.h"
#include "schema/product.h"
#include "schema/server.h"

typedef struct Check {
    Migration *migration;
    bool started;
    Server *source;
    Server *target;
    Product *source_product;
    Product *target_product;
    char *source_encoding; /* PostgreSQL: of the database; NULL */
    GPtrArray *relations;  /* char *: qualified names of what will be created on the target */
    Preflight *preflight;
} Check;

void check_add(Check *check, FindingLevel level, const char *name, const char *remedy,
               const char *format, ...) G_GNUC_PRINTF(5, 6);

/* A finding about statements that are missing: PASS where there is none. account: as the server
 * writes it in a sentence. */
void check_add_missing(Check *check, const char *name, const char *account, GPtrArray *statements);

/* Of PostgreSQL: findings as rows (level, name, text, remedy), and statements that are missing, one
 * a row. */
bool check_add_rows_pg(Check *check, const Server *server, const char *sql, int n,
                       const char *const *values, GError **error);
bool check_add_missing_pg(Check *check, const Server *server, const char *name, const char *sql,
                          int n, const char *const *values, GError **error);

/* Fills the preflight's identity; *readable false where the server is too old for its catalog to be
 * read. */
bool check_source_pg(Check *check, bool *readable, GError **error);
bool check_source_mysql(Check *check, bool *readable, GError **error);
/* migration->tables are resolved. */
bool check_source_pg_tables(Check *check, GError **error);
bool check_source_mysql_tables(Check *check, GError **error);

/* Everything about the target; migration->tables are resolved. */
bool check_target_pg(Check *check, GError **error);
bool check_target_mysql(Check *check, GError **error);

/* Of keys: no collation of the target may be coarser than the source's. */
bool check_collations_pg(Check *check, GError **error);
/* From MySQL to PostgreSQL. */
bool check_collations_mysql(Check *check, GError **error);

/* The table of this name on the source, where it is moved; NULL. */
const Table *check_find_moved(const Check *check, const char *schema, const char *name);

/* Texts as the text of a text[] (g_free). */
char *check_array_of(const GPtrArray *texts);
