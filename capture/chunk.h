/*
 * Chunk: how large the copy's chunks are, and the board on which the copy workers of one process
 * claim them. Used by copy.c only.
 *
 * A claim is a chunk or the key of a table whose chunks are all done. Invariant: nothing is claimed
 * twice at a time; a claim is released after its transaction has ended, so that the ledger, asked
 * under the board's lock, never offers it again. Other processes are kept out by the role's lock
 * and epoch, not by the board.
 */
#pragma once

#include "capture/copy.h"
#include "schema/control.h"

#include <stdatomic.h>

typedef struct CopyClaim {
    guint32 table;
    Chunk *chunk;       /* NULL: the claim is for the table's key */
    atomic_ullong rows; /* written so far, not yet in the ledger */
    atomic_ullong bytes;
} CopyClaim;

/* Rows that make a chunk of about 64 MiB or 500,000 rows, whichever is less, and smaller ones where
 * a table would not keep every worker busy. */
gint64 chunk_rows(const Table *table, guint workers);

/* Claims what is to do next: keys before chunks, big tables first. *claim NULL where there is
 * nothing; *finished then tells whether that is because all is done. */
bool copy_board_claim(CopyBoard *board, Control *control, CopyClaim **claim, bool *finished,
                      GError **error);
/* kept false: what the claim counted was rolled back. */
void copy_board_release(CopyBoard *board, CopyClaim *claim, bool kept);
void copy_board_count(CopyBoard *board, CopyClaim *claim, guint64 rows, guint64 bytes);

/* The exported snapshot is lost for all workers once one has seen it gone; true for the first. */
bool copy_board_lose_snapshot(CopyBoard *board);
bool copy_board_snapshot_lost(CopyBoard *board);
