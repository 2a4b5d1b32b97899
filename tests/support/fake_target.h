/*
 * Fake target: a TargetOps in memory for one table (id, a, t) of texts, id its key. It understands
 * the statements that apply sends to drover's control tables; a transaction is a copy that takes
 * the store's place at commit. One target at a time; not for threads.
 */
#pragma once

#include "schema/control.h"

#include <glib.h>

/* What was committed. */
typedef struct FakeStore {
    GHashTable *rows;  /* id -> "a|t" */
    GHashTable *list;  /* the refetch list: a set of keys, "\\x" and hexadecimal */
    char *progress[5]; /* position, record, digest, time, epoch */
    Account account;   /* sums */
} FakeStore;

typedef struct FakeTarget {
    FakeStore store;
    guint writes, commits;
    bool paused;
    /* Called before every operation (for a commit also after it is done, before its answer); false
     * (with *error set) makes it fail. */
    bool (*hook)(const char *operation, GError **error);
    void (*wrote)(void); /* called after every write */
} FakeTarget;

extern FakeTarget fake_target;
extern const TargetOps fake_target_ops;

/* An empty target whose progress is at this position. */
void fake_target_reset(const char *position);
void fake_target_clear(void);
