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

struct CopyBoard {
    pthread_mutex_t next; /* held while the ledger is asked, so that two do not get one answer */
    pthread_mutex_t lock; /* guards claims */
    GPtrArray *claims;    /* CopyClaim * */
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

static void claim_free(gpointer data)
{
    CopyClaim *claim = data;
    chunk_free(claim->chunk);
    g_free(claim);
}

CopyBoard *copy_board_new(void)
{
    CopyBoard *board = g_new0(CopyBoard, 1);
    pthread_mutex_init(&board->next, NULL);
    pthread_mutex_init(&board->lock, NULL);
    board->claims = g_ptr_array_new_with_free_func(claim_free);
    return board;
}

void copy_board_free(CopyBoard *board)
{
    if (board != NULL) {
        g_ptr_array_unref(board->claims);
        pthread_mutex_destroy(&board->lock);
        pthread_mutex_destroy(&board->next);
        g_free(board);
    }
}

void copy_board_counts(CopyBoard *board, guint64 *rows, guint64 *bytes)
{
    *rows = atomic_load(&board->rows);
    *bytes = atomic_load(&board->bytes);
}

guint64 copy_board_rows_in_flight(CopyBoard *board, guint32 table)
{
    guint64 rows = 0;
    pthread_mutex_lock(&board->lock);
    for (guint i = 0; i < board->claims->len; i++) {
        CopyClaim *claim = g_ptr_array_index(board->claims, i);
        if (claim->table == table) {
            rows += atomic_load(&claim->rows);
        }
    }
    pthread_mutex_unlock(&board->lock);
    return rows;
}

void copy_board_count(CopyBoard *board, CopyClaim *claim, guint64 rows, guint64 bytes)
{
    atomic_fetch_add(&claim->rows, rows);
    atomic_fetch_add(&claim->bytes, bytes);
    atomic_fetch_add(&board->rows, rows);
    atomic_fetch_add(&board->bytes, bytes);
}

bool copy_board_lose_snapshot(CopyBoard *board)
{
    return !atomic_exchange(&board->snapshot_lost, true);
}

bool copy_board_snapshot_lost(CopyBoard *board)
{
    return atomic_load(&board->snapshot_lost);
}

static void list_claims(CopyBoard *board, GArray *chunks, GArray *keys)
{
    pthread_mutex_lock(&board->lock);
    for (guint i = 0; i < board->claims->len; i++) {
        const CopyClaim *claim = g_ptr_array_index(board->claims, i);
        if (claim->chunk == NULL) {
            g_array_append_val(keys, claim->table);
        } else {
            guint64 id = (guint64)claim->table << 32 | claim->chunk->number;
            g_array_append_val(chunks, id);
        }
    }
    pthread_mutex_unlock(&board->lock);
}

static CopyClaim *add_claim(CopyBoard *board, guint32 table, Chunk *chunk)
{
    CopyClaim *claim = g_new0(CopyClaim, 1);
    claim->table = table;
    claim->chunk = chunk;
    pthread_mutex_lock(&board->lock);
    g_ptr_array_add(board->claims, claim);
    pthread_mutex_unlock(&board->lock);
    return claim;
}

static bool claim_next(CopyBoard *board, Control *control, CopyClaim **claim, bool *finished,
                       GError **error)
{
    g_autoptr(GArray) chunks = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(guint32));
    /* Listed before the ledger is asked: what others finish in between only makes this call wait
     * once more. */
    list_claims(board, chunks, keys);
    guint32 table = 0;
    if (!control_table_unkeyed(control, keys, &table, error)) {
        return false;
    }
    if (table != 0) {
        *claim = add_claim(board, table, NULL);
        return true;
    }
    Chunk *chunk = NULL;
    if (!control_chunk_next(control, chunks, &chunk, error)) {
        return false;
    }
    if (chunk != NULL) {
        *claim = add_claim(board, chunk->table, chunk);
        return true;
    }
    *finished = chunks->len == 0 && keys->len == 0;
    return true;
}

bool copy_board_claim(CopyBoard *board, Control *control, CopyClaim **claim, bool *finished,
                      GError **error)
{
    *claim = NULL;
    *finished = false;
    pthread_mutex_lock(&board->next);
    bool found = claim_next(board, control, claim, finished, error);
    pthread_mutex_unlock(&board->next);
    return found;
}

void copy_board_release(CopyBoard *board, CopyClaim *claim, bool kept)
{
    if (!kept) {
        atomic_fetch_sub(&board->rows, atomic_load(&claim->rows));
        atomic_fetch_sub(&board->bytes, atomic_load(&claim->bytes));
    }
    pthread_mutex_lock(&board->lock);
    g_ptr_array_remove_fast(board->claims, claim);
    pthread_mutex_unlock(&board->lock);
}
