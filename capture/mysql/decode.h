/*
 * Decode: the rows of a ROWS event as changes of a table of the migration.
 *
 * What an image does not carry is unchanged (R6). An insert without all of its values, and a JSON
 * document of which the log has the difference alone, become changes that make apply read the row
 * from the source.
 */
#pragma once

#include "capture/mysql/binlog_row.h"
#include "capture/mysql/relation.h"
#include "proto/event.h"

typedef struct MysqlDecode MysqlDecode;

MysqlDecode *mysql_decode_new(bool mariadb);
void mysql_decode_free(MysqlDecode *decode);

/* Starts with the first row of the event, which must stay as it is, as must the relation. */
void mysql_decode_start(MysqlDecode *decode, const BinlogEvent *event,
                        const MysqlRelation *relation);

/* *change is valid until the next call. DATA where a value has no canonical form: the message
 * names table, key, column and value. */
BinlogRowResult mysql_decode_next(MysqlDecode *decode, Change *change, GError **error);
