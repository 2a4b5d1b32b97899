/*
 * Row images: the rows of a ROWS event, one by one, as values of MySQL's types.
 *
 * An update has the image before and after it, a delete the one before, an insert the one after.
 * What an image does not carry is ABSENT. Errors are of class PERSON and name event and table.
 */
#pragma once

#include "capture/mysql/binlog_event.h"
#include "capture/mysql/binlog_value.h"

typedef struct BinlogRow {
    BinlogOperation operation;
    guint n_columns;
    const BinlogValue *before; /* NULL for an insert */
    const BinlogValue *after;  /* NULL for a delete */
} BinlogRow;

typedef enum { BINLOG_ROW, BINLOG_ROWS_DONE, BINLOG_ROWS_FAILED } BinlogRowResult;

typedef struct BinlogRowReader BinlogRowReader;

BinlogRowReader *binlog_row_reader_new(void);
void binlog_row_reader_free(BinlogRowReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BinlogRowReader, binlog_row_reader_free)

/* Starts with the first row of an event of kind BINLOG_ROWS, which must stay as it is. */
void binlog_row_reader_start(BinlogRowReader *reader, const BinlogEvent *event);

/* *row is valid until the next call, and as long as the event is. */
BinlogRowResult binlog_row_reader_next(BinlogRowReader *reader, BinlogRow *row, GError **error);
