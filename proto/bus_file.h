/*
 * Bus file: the SQLite file of a local bus: how it is made, opened, and what its errors mean.
 * Only bus_local.c uses it.
 *
 * The file has WAL mode, synchronous=FULL and incremental auto-vacuum. Its tables: `meta`, one row
 * (uuid, epoch, last_sequence, last_digest), and `record` (sequence, data). 64-bit unsigned values
 * are stored as the signed integers of the same bits.
 */
#pragma once

#include "proto/bus.h"

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

typedef struct BusFile {
    char *path; /* absolute */
    sqlite3 *db;
} BusFile;

/* Opens what options and mode say (the contract of BusOps.open). Closes on failure. */
bool bus_file_open(BusFile *file, const BusOptions *options, BusMode mode, GError **error);
/* Statements must be finalized before. Rolls back what is open. */
void bus_file_close(BusFile *file);

/* BusOps.check, exists and remove: of the file, and those that SQLite keeps beside it. */
bool bus_file_check(const BusOptions *options, BusNote note, void *user, GError **error);
bool bus_file_exists(const BusOptions *options, bool *exists, GError **error);
bool bus_file_remove(const BusOptions *options, GError **error);

/* `doing` ends the sentence "cannot ..." of a message. */
sqlite3_stmt *bus_file_prepare(BusFile *file, const char *sql, const char *doing, GError **error);
bool bus_file_run(BusFile *file, const char *sql, const char *doing, GError **error);
/* A statement whose answer is one integer. */
bool bus_file_get_integer(BusFile *file, const char *sql, gint64 *value, GError **error);
/* Rolls back the transaction, if there still is one. */
void bus_file_rollback(BusFile *file);

/* Sets *error from what SQLite failed with last: PERSON for a damaged file or one that is none, BUG
 * for wrong use, RETRY for everything else. Always returns false. */
bool bus_file_fail(BusFile *file, const char *doing, GError **error);

/* Bytes on disk: the file and its write-ahead log. */
guint64 bus_file_bytes(const BusFile *file);
