/*
 * Relations: which table of the migration a TABLE_MAP of the log is, and whether it is still what
 * it was when the migration was planned.
 *
 * Columns are matched by their names where the log has them (binlog_row_metadata=FULL), else by
 * their order. Every map is compared with the Table; a difference is an error of class PERSON that
 * says what changed. What the log leaves open of a column is taken from the Table.
 */
#pragma once

#include "capture/mysql/binlog_event.h"
#include "capture/mysql/column_type.h"
#include "schema/migration.h"

typedef struct MysqlRelation {
    guint64 serial;     /* of the map */
    const Table *table; /* NULL: not of the migration */
    guint n_columns;    /* of the log */
    int *columns;       /* index into table->columns; -1: generated, not moved */
    ColumnMeaning *meanings;
    int *places; /* of table->columns: the column of the log */
} MysqlRelation;

typedef struct MysqlRelations MysqlRelations;

/* ignore_case: the server compares names of tables without case (lower_case_table_names). */
MysqlRelations *mysql_relations_new(const Migration *migration, bool ignore_case);
void mysql_relations_free(MysqlRelations *relations);

/* Forgets what it knows of maps: for a new file of the log, whose decoder has forgotten them too.
 */
void mysql_relations_clear(MysqlRelations *relations);

/* event: for messages. */
const MysqlRelation *mysql_relations_get(MysqlRelations *relations, const BinlogEvent *event,
                                         const BinlogTableMap *map, GError **error);

/* The table of that name; NULL where it is not of the migration. */
const Table *mysql_relations_table(const MysqlRelations *relations, const char *database,
                                   const char *name);
/* Some table of the migration in that database; NULL where there is none. */
const Table *mysql_relations_any_in(const MysqlRelations *relations, const char *database);

/* PERSON, and where the log stands. */
G_GNUC_PRINTF(3, 4)
bool mysql_fail_at(const BinlogEvent *event, GError **error, const char *format, ...);
