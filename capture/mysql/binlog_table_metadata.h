/*
 * The optional metadata at the end of TABLE_MAP (binlog_row_metadata): signs, charsets, names,
 * labels, key, visibility, geometry, vectors.
 */
#pragma once

#include "capture/mysql/binlog_decode.h"

/* Reads the rest of the event into the columns of the entry, whose types are known. */
bool binlog_read_table_metadata(BinlogParse *parse, BinlogTableEntry *entry);
