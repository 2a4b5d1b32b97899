#include "capture/chunk.h"

#include <pthread.h>

#define CHUNK_BYTES_MAX ((gint64)64 << 20)
#define CHUNK_BYTES_MIN ((gint64)4 << 20)
#define CHUNK_ROWS_MAX 500000
/* Statistics may be wrong by far: a ledger of a row a chunk helps nobody. */
#define CHUNK_ROWS_MIN 1000
#define CHUNKS_PER_WORKER 4
/* Where the source has never counted the rows. */
#define ROW_BYTES_UNKNOWN 100

#define FIRST_WORD (10 * G_USEC_PER_SEC)
#define NEXT_WORD (60 * G_USEC_PER_SEC)

struct CopyBoard {
    pthread_mutex_t lock; /* guards flights and next_word */
    GPtrArray *flights;   /* CopyFlight * */
    gint64 next_word;     /* when somebody shall say what is waited for; 0: nobody waits */
    atomic_ullong rows;
    atomic_ullong bytes;
    atomic_bool snapshot_lost;
};

gint64 chunk_rows(const Table *table, guint workers)
{
    gint64 wanted = table->bytes / (CHUNKS_PER_WORKER * MAX((gint64)workers, 1));
    gint64 row = ROW_BYTES_UNKNOWN;
    if (table->estimated_rows > 0) {
        row = MAX(table->bytes / table->estimated_rows, 1);
    }
    return CLAMP(CLAMP(wanted, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX) / row, CHUNK_ROWS_MIN,
                 CHUNK_ROWS_MAX);
}

CopyBoard *copy_board_new(void)
{
    CopyBoard *board = g_new0(CopyBoard, 1);
    pthread_mutex_init(&board->lock, NULL);
    board->flights = g_ptr_array_new_with_free_func(g_free);
    return board;
}

void copy_board_free(CopyBoard *board)
{
    if (board != NULL) {
        g_ptr_array_unref(board->flights);
        pthread_mutex_destroy(&board->lock);
        g_free(board);
    }
}

void copy_board_counts(CopyBoard *board, guint64 *rows, guint64 *bytes)
{
    *rows = atomic_load(&board->rows);
    *bytes = atomic_load(&board->bytes);
}

void copy_board_in_flight(CopyBoard *board, guint64 *rows, guint64 *bytes)
{
    *rows = *bytes = 0;
    pthread_mutex_lock(&board->lock);
    for (guint i = 0; i < board->flights->len; i++) {
        CopyFlight *flight = g_ptr_array_index(board->flights, i);
        *rows += atomic_load(&flight->rows);
        *bytes += atomic_load(&flight->bytes);
    }
    pthread_mutex_unlock(&board->lock);
}

CopyFlight *copy_board_depart(CopyBoard *board)
{
    CopyFlight *flight = g_new0(CopyFlight, 1);
    pthread_mutex_lock(&board->lock);
    g_ptr_array_add(board->flights, flight);
    pthread_mutex_unlock(&board->lock);
    return flight;
}

void copy_board_count(CopyBoard *board, CopyFlight *flight, guint64 rows, guint64 bytes)
{
    atomic_fetch_add(&flight->rows, rows);
    atomic_fetch_add(&flight->bytes, bytes);
    atomic_fetch_add(&board->rows, rows);
    atomic_fetch_add(&board->bytes, bytes);
}

void copy_board_arrive(CopyBoard *board, CopyFlight *flight, bool kept)
{
    if (!kept) {
        atomic_fetch_sub(&board->rows, atomic_load(&flight->rows));
        atomic_fetch_sub(&board->bytes, atomic_load(&flight->bytes));
    }
    pthread_mutex_lock(&board->lock);
    g_ptr_array_remove_fast(board->flights, flight);
    pthread_mutex_unlock(&board->lock);
}

bool copy_board_lose_snapshot(CopyBoard *board)
{
    return !atomic_exchange(&board->snapshot_lost, true);
}

bool copy_board_snapshot_lost(CopyBoard *board)
{
    return atomic_load(&board->snapshot_lost);
}

bool copy_board_waits(CopyBoard *board, gint64 now)
{
    pthread_mutex_lock(&board->lock);
    bool speak = board->next_word != 0 && now >= board->next_word;
    if (board->next_word == 0) {
        board->next_word = now + FIRST_WORD;
    } else if (speak) {
        board->next_word = now + NEXT_WORD;
    }
    pthread_mutex_unlock(&board->lock);
    return speak;
}

void copy_board_works(CopyBoard *board)
{
    pthread_mutex_lock(&board->lock);
    board->next_word = 0;
    pthread_mutex_unlock(&board->lock);
}
