/*
 * What the two files of the database share; nobody else includes it.
 */
#pragma once

#include "tests/simulation/database.h"

#define FIRST_XID 700

typedef struct Version {
    const Txn *txn;
    Image image;
    bool truncates; /* what was there before is gone for every read */
} Version;

typedef struct DatabaseInside {
    GPtrArray *txns; /* Txn *, by xid - FIRST_XID */
    Image current[SIM_ROWS];
    Txn *row_lock[SIM_ROWS];
    Txn *table_lock[SIM_TABLES];
    GArray *history[SIM_ROWS]; /* Version */
    guint32 newest;            /* version that a row got last */
    guint64 exported;          /* the xid that is not seen any more; 0: no snapshot */
    guint64 start_xid;         /* the same of the snapshot of P0 */
} DatabaseInside;

extern DatabaseInside database_inside;

Txn *txn_new(TxnState state);
void txn_add_event(Txn *txn, const Event *event);
void txn_commit(Txn *txn);
void txn_abort(Txn *txn);
/* Reads see it from now on, and its locks are gone. */
void txn_reveal(Txn *txn);

/* workload.c: some changes of one transaction. */
void workload_write(Txn *txn);
/* A transaction in this state, by chance; NULL: there is none. */
Txn *workload_pick(TxnState state, bool visible);
