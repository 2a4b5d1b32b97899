/*
 * Chunk: how large the copy's chunks are, and the board on which the copy workers of one process
 * count what they do. Used by copy.c only.
 *
 * Who copies what is decided by the ledger in the target, where workers of many processes claim;
 * the board only counts and, where all workers wait for the same, lets one of them speak.
 */
#pragma once

#include "capture/copy.h"
#include "schema/control.h"

#include <stdatomic.h>

/* A chunk on its way. */
typedef struct CopyFlight {
    atomic_ullong rows; /* written so far, not yet in the ledger */
    atomic_ullong bytes;
} CopyFlight;

/* Rows that make a chunk of about 64 MiB or 500,000 rows, whichever is less, and smaller ones where
 * a table would not keep every worker busy. */
gint64 chunk_rows(const Table *table, guint workers);

CopyFlight *copy_board_depart(CopyBoard *board);
void copy_board_count(CopyBoard *board, CopyFlight *flight, guint64 rows, guint64 bytes);
/* kept false: what was counted was rolled back. */
void copy_board_arrive(CopyBoard *board, CopyFlight *flight, bool kept);

/* The exported snapshot is lost for all workers once one has seen it gone; true for the first. */
bool copy_board_lose_snapshot(CopyBoard *board);

/* All that is left is in other processes' hands. True for the worker that shall say so: after ten
 * seconds, then once a minute. now: monotonic, microseconds. */
bool copy_board_waits(CopyBoard *board, gint64 now);
/* There is something to do again. */
void copy_board_works(CopyBoard *board);
