/*
 * The copy between two real databases, as its tests drive it. Rows are small and the tables pretend
 * to be large, so that a chunk is about 1,000 rows. The drivers are the real ones, wrapped so that
 * they fail, stop or count on cue.
 */
#pragma once

#include "capture/copy.h"
#include "schema/migration.h"
#include "tests/support/scratch.h"

/* P0 of the migration, 1/23456789. */
#define COPY_TEST_START                                                                            \
    (Position)                                                                                     \
    {                                                                                              \
        G_GUINT64_CONSTANT(0x123456789), 0                                                         \
    }

typedef struct CopyTestCues {
    gint blocks;            /* atomic: given to the target so far */
    gint fail_at_block;     /* atomic; 0: never */
    gint stop_at_block;     /* atomic; 0: never */
    gint statements;        /* atomic: to the target so far */
    gint fail_at_statement; /* atomic; 0: never */
    bool answer_lost;       /* the statement that fails was executed */
    gint fail_read_end;     /* atomic */
    gint lose_rows;         /* atomic: copy_end tells one row less */
    gint source_opened;     /* atomic */
    gint waits;             /* atomic: of the runtime */
    Runtime runtime;
} CopyTestCues;

/* Of the test that runs. */
extern CopyTestCues copy_test_cues;

typedef struct CopyTest {
    Scratch *source, *target;
    Endpoint source_endpoint, target_endpoint;
    Migration migration;
    SourceOps source_ops;
    TargetOps target_ops;
    CopyBoard *board;
} CopyTest;

/* For cmocka. */
int copy_test_set_up(void **state);
int copy_test_tear_down(void **state);

/* On both sides, without rows on the target; the key on the source only, and as a step to do. */
Table *copy_test_add_plain(CopyTest *fixture, const char *name, guint rows);
/* Text keys of every kind of character, in the second place of a composite key: "odd". */
Table *copy_test_add_odd(CopyTest *fixture, guint rows);
/* After its rows were changed: what the catalog would have said. */
void copy_test_measure(CopyTest *fixture, Table *table);

void copy_test_assert_equal_rows(CopyTest *fixture, const char *name);
void copy_test_assert_all_keyed(CopyTest *fixture);
gint64 copy_test_chunks(CopyTest *fixture, const char *state);

CopySettings copy_test_settings_of(CopyTest *fixture, guint worker, const char *snapshot);
bool copy_test_try_plan(CopyTest *fixture, const char *snapshot, GError **error);
void copy_test_plan(CopyTest *fixture, const char *snapshot);
Copy *copy_test_start(CopyTest *fixture, guint worker, const char *snapshot);
/* Steps until there is something else to tell than "worked" and "wait". */
StepResult copy_test_run_steps(Copy *copy, GError **error);
void copy_test_run_to_the_end(CopyTest *fixture, const char *snapshot);
/* Four workers, each in a thread. */
void copy_test_run_workers(CopyTest *fixture, const char *snapshot);
/* Exported by a session of its own; valid until that is closed. *snapshot: copy_snapshot_text. */
PGconn *copy_test_export_snapshot(CopyTest *fixture, char **snapshot);
