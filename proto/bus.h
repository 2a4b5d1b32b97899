/*
 * Bus: the ordered durable log between capture and apply. Contract of its drivers.
 *
 * Exactly one writer (capture, guarded by an epoch) and any number of readers. Drivers move packed
 * records and know nothing of what is in them; the chain of predecessors is checked by whoever
 * reads (bus_chain_check). Sequence numbers start at 1 and have no holes.
 *
 * Drivers: bus_local.c (one SQLite file). A handle belongs to one thread; several handles of one
 * bus may be open in several threads or processes of a host.
 */
#pragma once

#include "proto/event.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Bus Bus;

typedef struct BusOptions {
    char *path;       /* local: the file */
    guint64 max_size; /* bytes; append fails with RETRY (bus full) past it */
    const char *vfs;  /* local: name of a registered SQLite VFS; NULL for the default */
} BusOptions;

typedef enum { BUS_CREATE, BUS_WRITE, BUS_READ } BusMode;

typedef struct BusInfo {
    guint8 uuid[16];
    guint64 epoch;          /* highest claimed */
    guint64 first_sequence; /* oldest record that is still there; last + 1 where there is none */
    guint64 last_sequence;  /* 0 for an empty bus */
    guint64 last_digest;    /* record_digest of the last record ever appended, trimmed or not */
    guint64 bytes;          /* on disk */
    bool full;              /* nearly: the writer should wait until it was trimmed */
} BusInfo;

typedef enum { BUS_RECORD, BUS_EMPTY, BUS_FAILED } BusResult;

typedef struct BusOps {
    const char *kind;

    /* BUS_CREATE makes a new bus with a new UUID (fails with PERSON where one exists); the others
     * open an existing one (PERSON where it is missing or no bus). RETRY for I/O errors. */
    Bus *(*open)(const BusOptions *options, BusMode mode, GError **error);
    void (*close)(Bus *bus);
    bool (*info)(Bus *bus, BusInfo *info, GError **error);

    /* For a take-over: ends a process of this host that keeps the bus from being claimed because it
     * stands still in the middle of a commit. Does nothing where nobody does. */
    bool (*end_writer)(Bus *bus, GError **error);

    /* Makes epoch the only one that may append. Fails with NO where a higher one was claimed. */
    bool (*claim)(Bus *bus, guint64 epoch, GError **error);

    /* Appends one packed record under the sequence number last + 1. It is durable after flush, and
     * visible to readers after flush. Fails with NO once a higher epoch was claimed, RETRY when the
     * disk or max_size is full (nothing of the unflushed records is then kept). A small record, as
     * a claim is, finds room past max_size: whoever is to trim a full bus must claim it first. */
    bool (*append)(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error);
    bool (*flush)(Bus *bus, GError **error);

    /* Forgets records below sequence, a bounded piece of work a call. */
    bool (*trim)(Bus *bus, guint64 below, GError **error);

    /* The next read returns the record with this sequence number (PERSON in read where it was
     * trimmed). */
    void (*seek)(Bus *bus, guint64 sequence);

    /* BUS_RECORD: *data and *size are the packed record, valid until the next call. BUS_EMPTY: no
     * record appeared within timeout_ms. A flush by another handle of this process wakes it. */
    BusResult (*read)(Bus *bus, int timeout_ms, guint64 *sequence, const guint8 **data, gsize *size,
                      GError **error);
} BusOps;

extern const BusOps bus_local_ops;

/* Checks one unpacked record against the state of a reader: its number, its predecessor, its bus.
 * expected_sequence and expected_predecessor are those of the record that must come; bus_uuid NULL
 * is not compared. Fails with PERSON, naming what broke. */
bool bus_chain_check(const Record *record, guint64 expected_sequence, guint64 expected_predecessor,
                     const guint8 *bus_uuid, GError **error);
