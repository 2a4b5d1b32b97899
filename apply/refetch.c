#include "apply/refetch.h"

#include "proto/error.h"

#include <string.h>

#define WINDOW_KEYS 1000
#define MAX_NOTED 100000
#define TRY_INTERVAL (G_USEC_PER_SEC / 2)
#define NUDGE_INTERVAL (G_USEC_PER_SEC / 5)

typedef struct WindowRow {
    guint32 table;
    Row key;
    Row row; /* n_cells 0: absent on the source */
    bool found;
    bool left_out; /* there was no room for it: it waits for another window */
} WindowRow;

struct Refetch {
    const Migration *migration;
    const SourceOps *ops;
    Runtime *runtime;
    Source *source;
    bool maybe; /* the list may have keys */
    gint64 next_try;
    gint64 next_nudge;
    GHashTable *applied; /* xids (guint64 *) that this process applied */
    guint64 max_applied; /* highest of all that were ever noted */
    Position reached;    /* everything up to here was applied */
    char *reached_resume;
    guint64 below;    /* what is below was perhaps applied (by an earlier process, or forgotten) */
    bool below_known; /* `below` covers the earlier processes */
    /* the window */
    bool open;
    bool injected;
    bool settled;
    Arena *arena;
    gsize memory;     /* bytes that its rows may take */
    bool has_rows;    /* one row is always taken */
    guint n_left_out; /* of rows */
    GArray *rows;     /* WindowRow */
    ReadBounds bounds;
};

Refetch *refetch_new(const Migration *migration, const SourceOps *source, Runtime *runtime)
{
    Refetch *refetch = g_new0(Refetch, 1);
    refetch->migration = migration;
    refetch->ops = source;
    refetch->runtime = runtime;
    refetch->maybe = true;
    refetch->applied = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    refetch->arena = arena_new(64 * 1024);
    refetch->memory = (gsize)(migration->memory_limit / 8);
    refetch->rows = g_array_new(FALSE, TRUE, sizeof(WindowRow));
    return refetch;
}

void refetch_free(Refetch *refetch)
{
    if (refetch == NULL)
        return;
    if (refetch->source != NULL)
        refetch->ops->close(refetch->source);
    read_bounds_clear(&refetch->bounds);
    g_hash_table_unref(refetch->applied);
    g_array_unref(refetch->rows);
    arena_free(refetch->arena);
    g_free(refetch->reached_resume);
    g_free(refetch);
}

void refetch_wake(Refetch *refetch)
{
    refetch->maybe = true;
}

void refetch_note_applied(Refetch *refetch, guint64 xid)
{
    if (g_hash_table_size(refetch->applied) >= MAX_NOTED) {
        g_hash_table_remove_all(refetch->applied);
        refetch->below = MAX(refetch->below, refetch->max_applied + 1);
    }
    g_hash_table_add(refetch->applied, g_memdup2(&xid, sizeof xid));
    refetch->max_applied = MAX(refetch->max_applied, xid);
}

void refetch_note_reached(Refetch *refetch, Position position, const char *resume)
{
    refetch->reached = position;
    g_free(refetch->reached_resume);
    refetch->reached_resume = g_strdup(resume);
}

static gboolean is_below(gpointer key, gpointer value, gpointer user)
{
    (void)value;
    return *(const guint64 *)key < *(const guint64 *)user;
}

void refetch_forget_below(Refetch *refetch, guint64 oldest_xid)
{
    g_hash_table_foreach_remove(refetch->applied, is_below, &oldest_xid);
}

static bool connect_source(Refetch *refetch, GError **error)
{
    if (refetch->source != NULL)
        return true;
    g_autofree char *label = g_strdup_printf("drover %s refetch", refetch->migration->name);
    refetch->source = refetch->ops->connect(refetch->migration->source, label, error);
    return refetch->source != NULL;
}

/* Does the read lack a transaction that the target may already have? Those that an earlier process
 * applied are not known one by one: each is below `below`. */
static bool misses_an_applied(const Refetch *refetch)
{
    const ReadBounds *bounds = &refetch->bounds;
    if (bounds->kind != BOUNDS_XIDS)
        return !read_bounds_reach(bounds, refetch->reached, refetch->reached_resume);
    for (guint i = 0; i < bounds->running->len; i++) {
        guint64 xid = g_array_index(bounds->running, guint64, i);
        if (xid < refetch->below || g_hash_table_contains(refetch->applied, &xid))
            return true;
    }
    return refetch->max_applied >= bounds->xmax;
}

typedef struct ReadingTable {
    Refetch *refetch;
    const Table *table;
    guint first, n;
} ReadingTable;

static void keep_row(Refetch *refetch, WindowRow *wanted, const Row *row)
{
    if (refetch->has_rows &&
        arena_size(refetch->arena) + sizeof(Cell) * row->n_cells + row_bytes(row) >
            refetch->memory) {
        wanted->left_out = true;
        refetch->n_left_out++;
        return;
    }
    refetch->has_rows = wanted->found = true;
    wanted->row = row_copy(refetch->arena, row);
}

/* A row that was read: the window's row of the same key gets it. */
static bool take_row(void *user, const Row *row, guint64 row_version, GError **error)
{
    (void)row_version;
    ReadingTable *reading = user;
    Cell *cells = g_newa(Cell, reading->table->n_key);
    Row key;
    table_key_of(reading->table, row, cells, &key);
    for (guint i = 0; i < reading->n; i++) {
        WindowRow *wanted = &g_array_index(reading->refetch->rows, WindowRow, reading->first + i);
        if (!wanted->found && !wanted->left_out && row_equal(&wanted->key, &key)) {
            keep_row(reading->refetch, wanted, row);
            return true;
        }
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "%s: a refetch read a row whose key it did not ask for", reading->table->label);
    return false;
}

/* The window's rows [first, first + n) are of one table. */
static bool read_table(Refetch *refetch, guint first, guint n, GError **error)
{
    guint32 id = g_array_index(refetch->rows, WindowRow, first).table;
    ReadingTable reading = {refetch, migration_table(refetch->migration, id), first, n};
    g_autofree Row *keys = g_new(Row, n);
    for (guint i = 0; i < n; i++)
        keys[i] = g_array_index(refetch->rows, WindowRow, first + i).key;
    ReadRequest request = {.kind = READ_ROWS, .table = reading.table, .keys = keys, .n_keys = n};
    ReadSink sink = {.row = take_row, .user = &reading};
    return refetch->ops->read(refetch->source, &request, &sink, error);
}

static void drop_left_out(Refetch *refetch)
{
    guint kept = 0;
    for (guint i = 0; i < refetch->rows->len; i++) {
        const WindowRow row = g_array_index(refetch->rows, WindowRow, i);
        if (!row.left_out)
            g_array_index(refetch->rows, WindowRow, kept++) = row;
    }
    g_array_set_size(refetch->rows, kept);
}

static bool read_window(Refetch *refetch, GError **error)
{
    read_bounds_clear(&refetch->bounds);
    refetch->has_rows = false;
    refetch->n_left_out = 0;
    if (!refetch->ops->read_begin(refetch->source, NULL, &refetch->bounds, error))
        return false;
    for (guint first = 0; first < refetch->rows->len;) {
        guint end = first;
        guint32 table = g_array_index(refetch->rows, WindowRow, first).table;
        while (end < refetch->rows->len &&
               g_array_index(refetch->rows, WindowRow, end).table == table)
            end++;
        if (!read_table(refetch, first, end - first, error))
            return false;
        first = end;
    }
    if (refetch->n_left_out > 0)
        drop_left_out(refetch);
    return refetch->ops->read_end(refetch->source, &refetch->bounds, error);
}

static bool list_window(Refetch *refetch, Control *control, GError **error)
{
    g_autoptr(GArray) keys = NULL;
    if (!control_refetch_list(control, WINDOW_KEYS, &keys, error))
        return false;
    g_array_set_size(refetch->rows, 0);
    arena_reset(refetch->arena);
    for (guint i = 0; i < keys->len; i++) {
        const RefetchKey *listed = &g_array_index(keys, RefetchKey, i);
        const Table *table = migration_table(refetch->migration, listed->table);
        Row key = {0};
        if (table == NULL ||
            !row_unpack(listed->packed->data, listed->packed->len, table->n_key, &key)) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                        "drover.refetch has a key that cannot be read, of table number %u",
                        listed->table);
            return false;
        }
        WindowRow row = {.table = listed->table, .key = row_copy(refetch->arena, &key)};
        g_free(key.cells);
        g_array_append_val(refetch->rows, row);
    }
    return true;
}

bool refetch_open(Refetch *refetch, Control *control, GError **error)
{
    gint64 now = refetch->runtime->now(refetch->runtime);
    if (!refetch->maybe || now < refetch->next_try)
        return true;
    refetch->next_try = now + TRY_INTERVAL;
    if (!list_window(refetch, control, error))
        return false;
    refetch->maybe = refetch->rows->len > 0;
    if (!refetch->maybe)
        return true;
    if (!connect_source(refetch, error) || !read_window(refetch, error))
        return false;
    if (!refetch->below_known)
        refetch->below = MAX(refetch->below, refetch->bounds.xmax);
    refetch->below_known = true;
    refetch->open = !misses_an_applied(refetch);
    refetch->injected = refetch->settled = false;
    if (!refetch->open)
        g_debug("refetch: the source does not show all that was applied yet; reading again");
    return true;
}

bool refetch_is_open(const Refetch *refetch)
{
    return refetch->open;
}

bool refetch_is_injected(const Refetch *refetch)
{
    return refetch->open && refetch->injected;
}

Position refetch_high(const Refetch *refetch)
{
    return refetch->bounds.high;
}

void refetch_at_end(Refetch *refetch, Batch *batch)
{
    if (!refetch->open || refetch->injected)
        return;
    refetch->injected = true;
    for (guint i = 0; i < refetch->rows->len; i++) {
        const WindowRow *row = &g_array_index(refetch->rows, WindowRow, i);
        batch_inject(batch, row->table, &row->key, row->found ? &row->row : NULL,
                     refetch->bounds.high);
    }
}

void refetch_before(Refetch *refetch, const Transaction *transaction, Batch *batch)
{
    if (refetch->open && !read_bounds_saw(&refetch->bounds, transaction))
        refetch_at_end(refetch, batch);
}

bool refetch_settle(Refetch *refetch, Control *control, GError **error)
{
    if (!refetch_is_injected(refetch) || refetch->settled)
        return true;
    refetch->settled = true;
    for (guint i = 0; i < refetch->rows->len; i++) {
        const WindowRow *row = &g_array_index(refetch->rows, WindowRow, i);
        if (!control_refetch_remove(control, row->table, &row->key, error))
            return false;
    }
    return true;
}

void refetch_close(Refetch *refetch)
{
    refetch->open = refetch->injected = refetch->settled = false;
    refetch->next_try = 0;
}

void refetch_give_up(Refetch *refetch)
{
    refetch_close(refetch);
    refetch->next_try = refetch->runtime->now(refetch->runtime) + TRY_INTERVAL;
}

bool refetch_nudge(Refetch *refetch, GError **error)
{
    gint64 now = refetch->runtime->now(refetch->runtime);
    if (now < refetch->next_nudge)
        return true;
    refetch->next_nudge = now + NUDGE_INTERVAL;
    SourceStatus status = {0};
    bool ok = refetch->ops->status(refetch->source, NULL, true, &status, error);
    g_free(status.identity);
    return ok;
}
