/*
 * Suspects, one by one. A round reads the rows of all suspects three times:
 *
 *   S1  source, with bounds
 *   T   target, once apply's progress P is at or past S1's HIGH; nothing waits to be refetched
 *   S2  source, once every transaction that T may contain is visible to it
 *
 * Equal: T is the row of S1 or of S2, so the target had a row that the source showed inside the
 * bounds, with everything up to S1's LOW applied.
 * Different: the source's row is the same version in S1 and S2, so it is the row that P calls for;
 * T is another one, and the same held in the round before with the same version of T. The second
 * round is needed for what has no version: a row that is absent may have come and gone between S1
 * and S2.
 * Everything else is in motion and goes into the next round.
 */
#include "apply/verify_internal.h"

#include "proto/arena.h"
#include "proto/error.h"

#include <string.h>
#include <xxhash.h>

#define ROUNDS_AT_LEAST 3u               /* a difference takes two */
#define ROUND_PAUSE (50 * 1000)          /* microseconds, doubled each round */
#define ROUND_PAUSE_LONGEST (800 * 1000) /* microseconds */
#define POLL_INTERVAL (20 * 1000)        /* microseconds */
#define REFETCHES_LISTED 10000u

typedef struct RowState {
    bool present;
    guint64 hash;
    guint64 version;
} RowState;

typedef struct Suspect {
    PackedKey key;
    bool source_had, target_had; /* when it was suspected */
    RowState before, after;      /* the source in S1 and S2 */
    RowState target;
    RowState last_target; /* of the round before, where it `stood` */
    bool stood;
    bool refetching;
} Suspect;

struct SuspectSet {
    const Table *table;
    Arena *arena;
    GHashTable *by_key; /* PackedKey * of a Suspect */
    GPtrArray *list;    /* Suspect * */
};

guint packed_key_hash(gconstpointer key)
{
    const PackedKey *packed = key;
    return (guint)XXH3_64bits(packed->bytes, packed->size);
}

gboolean packed_key_equal(gconstpointer a, gconstpointer b)
{
    const PackedKey *left = a, *right = b;
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

SuspectSet *suspect_set_new(const Table *table)
{
    SuspectSet *set = g_new0(SuspectSet, 1);
    set->table = table;
    set->arena = arena_new(1 << 16);
    set->by_key = g_hash_table_new(packed_key_hash, packed_key_equal);
    set->list = g_ptr_array_new();
    return set;
}

void suspect_set_free(SuspectSet *set)
{
    if (set != NULL) {
        g_ptr_array_unref(set->list);
        g_hash_table_unref(set->by_key);
        arena_free(set->arena);
        g_free(set);
    }
}

guint suspect_set_size(const SuspectSet *set)
{
    return set->list->len;
}

static void suspect_set_clear(SuspectSet *set)
{
    g_ptr_array_set_size(set->list, 0);
    g_hash_table_remove_all(set->by_key);
    arena_reset(set->arena);
}

static Suspect *suspect_find(const SuspectSet *set, const PackedKey *key)
{
    void *found = g_hash_table_lookup(set->by_key, key);
    return found; /* the key is its first member */
}

void suspect_set_add(Verify *verify, const guint8 *packed, guint32 size, bool source, bool target)
{
    SuspectSet *set = verify->suspects;
    PackedKey key = {size, packed};
    Suspect *suspect = suspect_find(set, &key);
    if (suspect == NULL) {
        suspect = arena_alloc0(set->arena, sizeof *suspect);
        suspect->key = (PackedKey){size, arena_copy(set->arena, packed, size)};
        g_hash_table_add(set->by_key, &suspect->key);
        g_ptr_array_add(set->list, suspect);
    }
    /* Where the target's collation orders keys in another way, a row may lie in other ranges than
     * on the source, or in two of them; it counts once. */
    verify->result->rows_source -= source && suspect->source_had ? 1 : 0;
    verify->result->rows_target -= target && suspect->target_had ? 1 : 0;
    suspect->source_had = suspect->source_had || source;
    suspect->target_had = suspect->target_had || target;
}

/* --- Reading the rows of all suspects --------------------------------------------------------- */

typedef struct Lookup {
    SuspectSet *set;
    gsize field; /* offset of the RowState to fill */
    GByteArray *packed;
    GArray *keys; /* Row */
} Lookup;

static void row_clear(gpointer data)
{
    Row *row = data;
    g_free(row->cells);
}

static void lookup_clear(Lookup *lookup)
{
    g_byte_array_unref(lookup->packed);
    g_array_unref(lookup->keys);
}

static RowState *state_of(Suspect *suspect, gsize field)
{
    return (RowState *)(void *)((guint8 *)suspect + field);
}

static bool unpack_key(const SuspectSet *set, const PackedKey *key, Row *row, GError **error)
{
    if (!row_unpack(key->bytes, key->size, set->table->n_key, row)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "a packed key cannot be read back");
        return false;
    }
    return true;
}

static bool lookup_init(Lookup *lookup, SuspectSet *set, gsize field, GError **error)
{
    *lookup = (Lookup){.set = set,
                       .field = field,
                       .packed = g_byte_array_new(),
                       .keys = g_array_new(FALSE, FALSE, sizeof(Row))};
    g_array_set_clear_func(lookup->keys, row_clear);
    for (guint i = 0; i < set->list->len; i++) {
        Suspect *suspect = g_ptr_array_index(set->list, i);
        Row row;
        *state_of(suspect, field) = (RowState){0};
        if (!unpack_key(set, &suspect->key, &row, error)) {
            return false;
        }
        g_array_append_val(lookup->keys, row);
    }
    return true;
}

static bool take_state(void *user, const Row *key, guint64 hash, guint64 row_version,
                       GError **error)
{
    Lookup *lookup = user;
    g_byte_array_set_size(lookup->packed, 0);
    row_pack(key, lookup->packed);
    PackedKey packed = {lookup->packed->len, lookup->packed->data};
    Suspect *suspect = suspect_find(lookup->set, &packed);
    if (suspect == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "a read by keys answered with a key that was not asked for");
        return false;
    }
    *state_of(suspect, lookup->field) = (RowState){true, hash, row_version};
    return true;
}

static bool read_source(Verify *verify, gsize field, Position *high, GError **error)
{
    const SourceOps *source = verify->settings->source;
    ReadBounds bounds = {0};
    Lookup lookup;
    bool good = lookup_init(&lookup, verify->suspects, field, error);
    ReadRequest request = {.kind = READ_HASHES,
                           .table = verify->table,
                           .codec = verify->codec,
                           .keys = (const Row *)(void *)lookup.keys->data,
                           .n_keys = lookup.keys->len};
    ReadSink sink = {.hash = take_state, .user = &lookup};
    good = good && source->read_begin(verify->source, NULL, &bounds, error) &&
           source->read(verify->source, &request, &sink, error) &&
           source->read_end(verify->source, &bounds, error);
    *high = bounds.high;
    read_bounds_clear(&bounds);
    lookup_clear(&lookup);
    return good;
}

/* A key that apply must still read from the source may be absent or old on the target. */
static bool mark_refetching(Verify *verify, GError **error)
{
    SuspectSet *set = verify->suspects;
    g_autoptr(GArray) keys = NULL;
    if (!control_refetch_list(&verify->control, REFETCHES_LISTED, &keys, error)) {
        return false;
    }
    for (guint i = 0; i < set->list->len; i++) {
        Suspect *suspect = g_ptr_array_index(set->list, i);
        suspect->refetching = keys->len >= REFETCHES_LISTED;
    }
    for (guint i = 0; i < keys->len; i++) {
        const RefetchKey *key = &g_array_index(keys, RefetchKey, i);
        PackedKey packed = {key->packed->len, key->packed->data};
        Suspect *suspect = key->table == verify->table->id ? suspect_find(set, &packed) : NULL;
        if (suspect != NULL) {
            suspect->refetching = true;
        }
    }
    return true;
}

static bool read_target(Verify *verify, Position high, GError **error)
{
    Lookup lookup;
    bool good = lookup_init(&lookup, verify->suspects, offsetof(Suspect, target), error);
    ReadRequest request = {.kind = READ_HASHES,
                           .table = verify->table,
                           .codec = verify->codec,
                           .keys = (const Row *)(void *)lookup.keys->data,
                           .n_keys = lookup.keys->len};
    ReadSink sink = {.hash = take_state, .user = &lookup};
    good = good && verify_target_begin(verify, high, error) && mark_refetching(verify, error) &&
           verify->settings->target->read(verify->target, &request, &sink, error) &&
           verify_target_end(verify, error);
    lookup_clear(&lookup);
    return good;
}

/* Waits until reads of the source see everything that the target has by now. */
static bool wait_reached(Verify *verify, gint64 deadline, bool *visible, GError **error)
{
    const VerifySettings *settings = verify->settings;
    g_autofree char *resume = NULL;
    Position position;
    if (!control_progress_reached(&verify->control, "apply", &position, &resume, error)) {
        return false;
    }
    for (;;) {
        ReadBounds bounds = {0};
        bool good = verify_go_on(verify, error) &&
                    settings->source->read_begin(verify->source, NULL, &bounds, error) &&
                    settings->source->read_end(verify->source, &bounds, error);
        *visible = good && read_bounds_reach(&bounds, position, resume);
        read_bounds_clear(&bounds);
        if (!good || *visible || settings->runtime->now(settings->runtime) >= deadline) {
            return good;
        }
        settings->runtime->wait(settings->runtime, POLL_INTERVAL);
    }
}

/* Waits until every transaction that had begun on the source by now is visible or gone, or what
 * comes to the same: all that the target has is visible. *visible is false where that outlasts the
 * deadline. */
static bool wait_visible(Verify *verify, gint64 deadline, bool *visible, GError **error)
{
    const VerifySettings *settings = verify->settings;
    ReadBounds bounds = {0};
    if (!settings->source->read_begin(verify->source, NULL, &bounds, error) ||
        !settings->source->read_end(verify->source, &bounds, error)) {
        read_bounds_clear(&bounds);
        return false;
    }
    guint64 all_below = bounds.xmax;
    BoundsKind kind = bounds.kind;
    read_bounds_clear(&bounds);
    if (kind != BOUNDS_XIDS) {
        return wait_reached(verify, deadline, visible, error);
    }
    for (;;) {
        SourceStatus status = {0};
        if (!verify_go_on(verify, error) ||
            !settings->source->status(verify->source, NULL, false, &status, error)) {
            return false;
        }
        g_free(status.identity);
        *visible = status.oldest_xid >= all_below;
        if (*visible || settings->runtime->now(settings->runtime) >= deadline) {
            return true;
        }
        settings->runtime->wait(settings->runtime, POLL_INTERVAL);
    }
}

/* --- Judging ---------------------------------------------------------------------------------- */

static bool same_row(const RowState *a, const RowState *b)
{
    return a->present == b->present && (!a->present || a->hash == b->hash);
}

static bool same_version(const RowState *a, const RowState *b)
{
    return a->present == b->present && (!a->present || a->version == b->version);
}

/* The rows of a key that is equal count as the source's read saw them; the counts of a proven
 * difference follow what was proven. */
static void settle_equal(Verify *verify, const Suspect *suspect)
{
    verify->result->rows_target += (int)suspect->source_had - (int)suspect->target_had;
}

static bool settle_different(Verify *verify, const Suspect *suspect, GError **error)
{
    const RowState *source = &suspect->after, *target = &suspect->target;
    DifferenceKind kind = !target->present   ? DIFFERENCE_MISSING
                          : !source->present ? DIFFERENCE_EXTRA
                                             : DIFFERENCE_DIFFERENT;
    verify->result->rows_source += (int)source->present - (int)suspect->source_had;
    verify->result->rows_target += (int)target->present - (int)suspect->target_had;
    Row key;
    if (!unpack_key(verify->suspects, &suspect->key, &key, error)) {
        return false;
    }
    bool good = verify_add_difference(verify, kind, &key, error);
    g_free(key.cells);
    return good;
}

/* Takes the suspects for which T is the row of `field` out of the set. */
static void drop_equal(Verify *verify, gsize field)
{
    SuspectSet *set = verify->suspects;
    for (guint i = set->list->len; i > 0; i--) {
        Suspect *suspect = g_ptr_array_index(set->list, i - 1);
        if (same_row(&suspect->target, state_of(suspect, field))) {
            settle_equal(verify, suspect);
            g_hash_table_remove(set->by_key, &suspect->key);
            g_ptr_array_remove_index_fast(set->list, i - 1);
        }
    }
}

/* Those that stood still twice are proven different. */
static bool drop_different(Verify *verify, GError **error)
{
    SuspectSet *set = verify->suspects;
    for (guint i = set->list->len; i > 0; i--) {
        Suspect *suspect = g_ptr_array_index(set->list, i - 1);
        bool stands = same_version(&suspect->before, &suspect->after) && !suspect->refetching;
        if (stands && suspect->stood && same_version(&suspect->target, &suspect->last_target)) {
            if (!settle_different(verify, suspect, error)) {
                return false;
            }
            g_hash_table_remove(set->by_key, &suspect->key);
            g_ptr_array_remove_index_fast(set->list, i - 1);
            continue;
        }
        suspect->stood = stands;
        suspect->last_target = suspect->target;
    }
    return true;
}

static void nothing_stood(SuspectSet *set)
{
    for (guint i = 0; i < set->list->len; i++) {
        Suspect *suspect = g_ptr_array_index(set->list, i);
        suspect->stood = false;
    }
}

static bool prove_round(Verify *verify, gint64 deadline, GError **error)
{
    Position high, unused;
    bool visible;
    if (!read_source(verify, offsetof(Suspect, before), &high, error) ||
        !verify_wait_progress(verify, high, error) || !read_target(verify, high, error)) {
        return false;
    }
    drop_equal(verify, offsetof(Suspect, before));
    if (verify->suspects->list->len == 0) {
        return true;
    }
    if (!wait_visible(verify, deadline, &visible, error)) {
        return false;
    }
    if (!visible) {
        nothing_stood(verify->suspects);
        return true;
    }
    if (!read_source(verify, offsetof(Suspect, after), &unused, error)) {
        return false;
    }
    drop_equal(verify, offsetof(Suspect, after));
    return drop_different(verify, error);
}

bool suspect_set_prove(Verify *verify, GError **error)
{
    SuspectSet *set = verify->suspects;
    Runtime *runtime = verify->settings->runtime;
    gint64 deadline = runtime->now(runtime) + verify->settings->patience;
    gint64 pause = ROUND_PAUSE;
    verify->result->reverified += set->list->len;
    for (guint round = 0; set->list->len > 0; round++) {
        if (round >= ROUNDS_AT_LEAST && runtime->now(runtime) >= deadline) {
            verify->result->unproven += set->list->len;
            break;
        }
        if (round > 0) {
            runtime->wait(runtime, pause);
            pause = MIN(pause * 2, ROUND_PAUSE_LONGEST);
        }
        if (!verify_go_on(verify, error) || !prove_round(verify, deadline, error)) {
            return false;
        }
    }
    suspect_set_clear(set);
    return true;
}
