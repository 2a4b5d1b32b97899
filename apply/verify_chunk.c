/*
 * Chunks: digests of key ranges, and for ranges that differ the hashes of their rows by key.
 *
 * The first range has no lower bound and the last no upper one, on both sides, so that every row of
 * the target lies in at least one range, also where the target's collation orders keys in another
 * way; a key that only seems to be missing or extra for that reason is cleared by looking it up.
 *
 * Ranges are compared from the last to the first: new rows mostly come at the end, and should not
 * pile up there while the rest is compared. Memory: the hash table holds at most
 * ROWS_PER_PASS rows; a larger chunk is compared in passes, each over the keys of one residue
 * class.
 */
#include "apply/verify_internal.h"

#include "proto/arena.h"

#include <string.h>

#define CHUNKS_PER_GROUP 16u
#define GROUP_DURATION (2 * 1000 * 1000) /* microseconds of one source transaction */
#define ROWS_PER_PASS 400000
#define SUSPECTS_PER_PROOF 10000u

typedef struct ChunkDigests {
    const KeyRange *range;
    gint64 rows_source, rows_target;
    char *digest_1, *digest_2; /* of the source */
    bool equal;
} ChunkDigests;

static void chunk_digests_clear(gpointer data)
{
    ChunkDigests *chunk = data;
    g_free(chunk->digest_1);
    g_free(chunk->digest_2);
}

/* --- Digests ---------------------------------------------------------------------------------- */

/* Reads the source's digests of ranges [.., *left) from the end, as many as one transaction should
 * hold. */
static bool digest_source(Verify *verify, const GArray *ranges, guint *left, GArray *group,
                          Position *high, GError **error)
{
    const SourceOps *source = verify->settings->source;
    Runtime *runtime = verify->settings->runtime;
    ReadBounds bounds = {0};
    gint64 start = runtime->now(runtime);
    bool good = source->read_begin(verify->source, NULL, &bounds, error);
    while (good && *left > 0 && group->len < CHUNKS_PER_GROUP &&
           runtime->now(runtime) - start < GROUP_DURATION) {
        const KeyRange *range = &g_array_index(ranges, KeyRange, *left - 1);
        ReadRequest request = {
            .kind = READ_DIGEST, .table = verify->table, .range = *range, .codec = verify->codec};
        good = verify_go_on(verify, error) && source->read(verify->source, &request, NULL, error);
        ChunkDigests chunk = {.range = range,
                              .rows_source = request.rows,
                              .digest_1 = request.digest_1,
                              .digest_2 = request.digest_2};
        g_array_append_val(group, chunk);
        --*left;
    }
    good = good && source->read_end(verify->source, &bounds, error);
    *high = bounds.high;
    read_bounds_clear(&bounds);
    return good;
}

static bool digest_target(Verify *verify, GArray *group, Position high, GError **error)
{
    if (!verify_wait_progress(verify, high, error) || !verify_target_begin(verify, high, error)) {
        return false;
    }
    for (guint i = 0; i < group->len; i++) {
        ChunkDigests *chunk = &g_array_index(group, ChunkDigests, i);
        ReadRequest request = {.kind = READ_DIGEST,
                               .table = verify->table,
                               .range = *chunk->range,
                               .codec = verify->codec};
        bool good = verify_go_on(verify, error) &&
                    verify->settings->target->read(verify->target, &request, NULL, error);
        chunk->rows_target = request.rows;
        chunk->equal = good && request.rows == chunk->rows_source &&
                       strcmp(request.digest_1, chunk->digest_1) == 0 &&
                       strcmp(request.digest_2, chunk->digest_2) == 0;
        g_free(request.digest_1);
        g_free(request.digest_2);
        if (!good) {
            return false;
        }
    }
    return verify_target_end(verify, error);
}

/* --- Hashes by key ---------------------------------------------------------------------------- */

typedef struct RowEntry {
    PackedKey key;
    guint64 hash;
} RowEntry;

typedef struct HashPass {
    Verify *verify;
    Arena *arena;
    GHashTable *rows; /* PackedKey * (a RowEntry) of the source, until met on the target */
    GByteArray *packed;
    guint n_passes, pass;
    gint64 rows_source, rows_target;
} HashPass;

static bool in_pass(HashPass *pass, const Row *key, PackedKey *packed)
{
    g_byte_array_set_size(pass->packed, 0);
    row_pack(key, pass->packed);
    *packed = (PackedKey){pass->packed->len, pass->packed->data};
    return pass->n_passes == 1 || packed_key_hash(packed) % pass->n_passes == pass->pass;
}

static bool take_source_row(void *user, const Row *key, guint64 hash, guint64 row_version,
                            GError **error)
{
    HashPass *pass = user;
    PackedKey packed;
    (void)row_version;
    (void)error;
    if (in_pass(pass, key, &packed)) {
        RowEntry *entry = arena_new_array(pass->arena, RowEntry, 1);
        entry->key.size = packed.size;
        entry->key.bytes = arena_copy(pass->arena, packed.bytes, packed.size);
        entry->hash = hash;
        g_hash_table_add(pass->rows, &entry->key);
        pass->rows_source++;
    }
    return true;
}

static bool take_target_row(void *user, const Row *key, guint64 hash, guint64 row_version,
                            GError **error)
{
    HashPass *pass = user;
    PackedKey packed;
    (void)row_version;
    (void)error;
    if (!in_pass(pass, key, &packed)) {
        return true;
    }
    pass->rows_target++;
    const RowEntry *entry = g_hash_table_lookup(pass->rows, &packed);
    if (entry == NULL || entry->hash != hash) {
        suspect_set_add(pass->verify, packed.bytes, packed.size, entry != NULL, true);
    }
    if (entry != NULL) {
        g_hash_table_remove(pass->rows, &packed);
    }
    return true;
}

static bool read_source_hashes(Verify *verify, ReadRequest *request, HashPass *pass, Position *high,
                               GError **error)
{
    const SourceOps *source = verify->settings->source;
    ReadSink sink = {.hash = take_source_row, .user = pass};
    ReadBounds bounds = {0};
    bool good = source->read_begin(verify->source, NULL, &bounds, error) &&
                source->read(verify->source, request, &sink, error) &&
                source->read_end(verify->source, &bounds, error);
    *high = bounds.high;
    read_bounds_clear(&bounds);
    return good;
}

static bool compare_pass(Verify *verify, const KeyRange *range, HashPass *pass, GError **error)
{
    ReadRequest request = {
        .kind = READ_HASHES, .table = verify->table, .range = *range, .codec = verify->codec};
    ReadSink sink = {.hash = take_target_row, .user = pass};
    Position high;
    if (!read_source_hashes(verify, &request, pass, &high, error) ||
        !verify_wait_progress(verify, high, error) || !verify_target_begin(verify, high, error) ||
        !verify->settings->target->read(verify->target, &request, &sink, error) ||
        !verify_target_end(verify, error)) {
        return false;
    }
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, pass->rows);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const PackedKey *packed = key;
        suspect_set_add(verify, packed->bytes, packed->size, true, false);
    }
    verify->result->rows_source += pass->rows_source;
    verify->result->rows_target += pass->rows_target;
    return true;
}

static bool compare_hashes(Verify *verify, const ChunkDigests *chunk, GError **error)
{
    gint64 rows = MAX(chunk->rows_source, chunk->rows_target);
    guint n_passes = (guint)(rows / ROWS_PER_PASS) + 1;
    for (guint i = 0; i < n_passes; i++) {
        g_autoptr(Arena) arena = arena_new(1 << 20);
        g_autoptr(GHashTable) table = g_hash_table_new(packed_key_hash, packed_key_equal);
        g_autoptr(GByteArray) packed = g_byte_array_new();
        HashPass pass = {.verify = verify,
                         .arena = arena,
                         .rows = table,
                         .packed = packed,
                         .n_passes = n_passes,
                         .pass = i};
        if (!verify_go_on(verify, error) || !compare_pass(verify, chunk->range, &pass, error)) {
            return false;
        }
        if (suspect_set_size(verify->suspects) >= SUSPECTS_PER_PROOF &&
            !suspect_set_prove(verify, error)) {
            return false;
        }
    }
    return true;
}

/* --- The table -------------------------------------------------------------------------------- */

static bool compare_group(Verify *verify, const GArray *group, GError **error)
{
    for (guint i = 0; i < group->len; i++) {
        const ChunkDigests *chunk = &g_array_index(group, ChunkDigests, i);
        if (chunk->equal) {
            verify->result->rows_source += chunk->rows_source;
            verify->result->rows_target += chunk->rows_target;
        } else if (!compare_hashes(verify, chunk, error)) {
            return false;
        }
    }
    return true;
}

/* Of these, every engine has the same order. */
static bool has_common_order(guint32 type)
{
    static const guint32 types[] = {20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1700};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

/* May a range of keys be read on both sides? Where the orders of the keys may differ, the table is
 * one range (rule R10). */
static bool has_common_ranges(const Verify *verify)
{
    const Table *table = verify->table;
    bool common = true;
    for (guint i = 0; verify->codec && i < table->n_key; i++) {
        common = common && has_common_order(table->columns[table->key[i]].type_oid);
    }
    return common;
}

static GArray *cut_ranges(Verify *verify, GError **error)
{
    const SourceOps *source = verify->settings->source;
    ReadBounds bounds = {0};
    gint64 rows = has_common_ranges(verify) ? verify->rows_per_chunk : G_MAXINT64;
    g_autoptr(GArray) ranges = NULL;
    bool good = source->read_begin(verify->source, NULL, &bounds, error) &&
                source->key_ranges(verify->source, verify->table, rows, &ranges, error) &&
                source->read_end(verify->source, &bounds, error);
    read_bounds_clear(&bounds);
    return good ? g_steal_pointer(&ranges) : NULL;
}

bool verify_chunks(Verify *verify, GError **error)
{
    g_autoptr(GArray) ranges = cut_ranges(verify, error);
    if (ranges == NULL) {
        return false;
    }
    for (guint left = ranges->len; left > 0;) {
        g_autoptr(GArray) group = g_array_new(FALSE, FALSE, sizeof(ChunkDigests));
        g_array_set_clear_func(group, chunk_digests_clear);
        Position high;
        if (!digest_source(verify, ranges, &left, group, &high, error) ||
            !digest_target(verify, group, high, error) || !compare_group(verify, group, error)) {
            return false;
        }
    }
    return suspect_set_prove(verify, error);
}
