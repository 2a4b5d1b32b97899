/*
 * Bus: the ordered durable log between capture and apply. Contract of its drivers.
 *
 * Exactly one writer (capture, guarded by an epoch) and any number of readers. Drivers move packed
 * records and know nothing of what is in them; the chain of predecessors is checked by whoever
 * reads (bus_chain_check). Sequence numbers start at 1 and have no holes.
 *
 * Drivers: bus_local.c (one SQLite file), bus_kafka.c (one topic). A handle belongs to one thread;
 * several handles of one bus may be open in several threads and processes, with the local bus of
 * one host, with Kafka of any.
 */
#pragma once

#include "proto/event.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Bus Bus;

/* Those of one driver; the others' are zero. */
typedef struct BusOptions {
    /* local */
    char *path;
    guint64 max_size; /* bytes; append fails with RETRY (bus full) past it */
    const char *vfs;  /* name of a registered SQLite VFS; NULL for the default */
    /* kafka */
    char *topic;
    char *bootstrap_servers;
    guint replication_factor; /* of a topic that is created */
    char **properties; /* of librdkafka: name, value, name, value, NULL; secrets among them */
    const gint *stop;  /* not NULL: once it is not 0 (atomic), waits for a broker give up (RETRY) */
} BusOptions;

void bus_options_clear(BusOptions *options);
/* What messages call this bus: its path, or its topic. */
const char *bus_options_name(const BusOptions *options);

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

/* Takes one finding of a check. name: short and stable, "bus.retention"; remedy: the command that
 * mends it, or NULL. */
typedef enum { BUS_NOTE_PASS, BUS_NOTE_WARN, BUS_NOTE_FAIL } BusNoteLevel;
typedef void (*BusNote)(void *user, BusNoteLevel level, const char *name, const char *text,
                        const char *remedy);

typedef struct BusOps {
    const char *kind;

    /* Everything that a run will need of the bus, and whether it is there; changes nothing. Errors
     * only where that cannot be found out (RETRY; NO where a server refuses us). */
    bool (*check)(const BusOptions *options, BusNote note, void *user, GError **error);
    /* Is there anything under that name: a bus, an empty topic, a file? */
    bool (*exists)(const BusOptions *options, bool *exists, GError **error);
    /* Takes the bus away with all that is in it. Succeeds where it is gone. */
    bool (*remove)(const BusOptions *options, GError **error);

    /* BUS_CREATE makes a new bus with a new UUID (fails with PERSON where one exists); the others
     * open an existing one (PERSON where it is missing or no bus). RETRY for I/O errors. */
    Bus *(*open)(const BusOptions *options, BusMode mode, GError **error);
    void (*close)(Bus *bus);
    bool (*info)(Bus *bus, BusInfo *info, GError **error);

    /* Makes epoch the only one that may append. Fails with NO where a higher one was claimed.
     * take_over: first ends a process of this host that keeps the bus from being claimed because it
     * stands still in the middle of a commit. */
    bool (*claim)(Bus *bus, guint64 epoch, bool take_over, GError **error);

    /* Appends one packed record under the sequence number last + 1. It is durable after flush, and
     * readers see it then, or a moment later. Once another writer has claimed the bus it fails:
     * with NO where the driver knows that the epoch is a higher one, else with RETRY, and the next
     * claim tells. RETRY when the disk or max_size is full. After an append that failed nothing of
     * the unflushed records is kept; after a flush that failed, that must be read. A small record,
     * as a claim is, finds room past max_size: whoever is to trim a full bus must claim it first.
     */
    bool (*append)(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error);
    bool (*flush)(Bus *bus, GError **error);

    /* Forgets records below sequence (a driver may keep some of the last ones), a bounded piece of
     * work a call, or none where the last one was just before; BusInfo.first_sequence tells how far
     * it has come. */
    bool (*trim)(Bus *bus, guint64 below, GError **error);

    /* The next read returns the record with this sequence number (PERSON in read where it was
     * trimmed). */
    void (*seek)(Bus *bus, guint64 sequence);

    /* BUS_RECORD: *data and *size are the packed record, valid until the next call. BUS_EMPTY: no
     * record appeared within timeout_ms. A flush wakes it. */
    BusResult (*read)(Bus *bus, int timeout_ms, guint64 *sequence, const guint8 **data, gsize *size,
                      GError **error);
} BusOps;

extern const BusOps bus_local_ops, bus_kafka_ops;

/* Checks one unpacked record against the state of a reader: its number, its predecessor, its bus.
 * expected_sequence and expected_predecessor are those of the record that must come; bus_uuid NULL
 * is not compared. Fails with PERSON, naming what broke. */
bool bus_chain_check(const Record *record, guint64 expected_sequence, guint64 expected_predecessor,
                     const guint8 *bus_uuid, GError **error);
