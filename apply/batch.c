#include "apply/batch.h"

#include "proto/error.h"

#include <string.h>

/* What the batch knows of one key. */
typedef struct Entry {
    NetRow net; /* first: the pointers that TargetOps.write gets are entries */
    guint64 hash;
    Position newer; /* a refetched image is ahead of the stream up to here */
    guint8 *bytes;  /* the cells' bytes; reused by the next image where it fits */
    gsize capacity; /* of bytes */
    bool fresh;     /* the key was not in the target before the batch */
    bool wanted;    /* its row must be refetched */
    bool was_gone;  /* some event took it away */
    bool has_event; /* its last event is not accounted for as superseded */
    guint32 n_unchanged;
} Entry;

typedef struct BatchTable {
    const Table *table;
    GHashTable *entries; /* a set of Entry *, by key */
    bool truncated;
    bool truncation_pending; /* the truncation's event is the last of its kind */
    guint64 superseded;
} BatchTable;

struct Batch {
    const Migration *migration;
    Arena *arena;
    BatchTable *tables; /* by id - 1 */
    bool consistent;
    guint64 events;
    guint n_entries;
    NetTable *net;
};

static guint entry_hash(gconstpointer pointer)
{
    return (guint)((const Entry *)pointer)->hash;
}

static gboolean entry_equal(gconstpointer a, gconstpointer b)
{
    const Entry *left = a;
    const Entry *right = b;
    return left->hash == right->hash && row_equal(&left->net.key, &right->net.key);
}

Batch *batch_new(const Migration *migration)
{
    Batch *batch = g_new0(Batch, 1);
    guint n = migration->tables->len;
    batch->migration = migration;
    batch->arena = arena_new(256 * 1024);
    batch->tables = g_new0(BatchTable, n);
    batch->net = g_new0(NetTable, n);
    for (guint i = 0; i < n; i++)
        batch->tables[i].table = g_ptr_array_index(migration->tables, i);
    return batch;
}

void batch_free(Batch *batch)
{
    if (batch == NULL)
        return;
    batch_start(batch, false);
    arena_free(batch->arena);
    g_free(batch->tables);
    g_free(batch->net);
    g_free(batch);
}

void batch_start(Batch *batch, bool consistent)
{
    for (guint i = 0; i < batch->migration->tables->len; i++) {
        BatchTable *table = &batch->tables[i];
        g_clear_pointer(&table->entries, g_hash_table_unref);
        table->truncated = table->truncation_pending = false;
        table->superseded = 0;
        g_free(batch->net[i].rows);
        memset(&batch->net[i], 0, sizeof batch->net[i]);
    }
    arena_reset(batch->arena);
    batch->consistent = consistent;
    batch->events = 0;
    batch->n_entries = 0;
}

static guint32 count_unchanged(const Row *row)
{
    guint32 n = 0;
    for (guint32 i = 0; i < row->n_cells; i++)
        n += row->cells[i].kind == CELL_UNCHANGED;
    return n;
}

static Entry *entry_find(const BatchTable *table, const Row *key)
{
    if (table->entries == NULL)
        return NULL;
    Entry probe = {.net = {.key = *key}, .hash = row_hash(key)};
    return g_hash_table_lookup(table->entries, &probe);
}

/* The key's entry; a new one starts as NET_DELETE with *created set. */
static Entry *entry_get(Batch *batch, BatchTable *table, const Row *key, bool *created)
{
    Entry *entry = entry_find(table, key);
    *created = entry == NULL;
    if (entry != NULL)
        return entry;
    if (table->entries == NULL)
        table->entries = g_hash_table_new(entry_hash, entry_equal);
    entry = arena_alloc0(batch->arena, sizeof *entry);
    entry->net.key = row_copy(batch->arena, key);
    entry->hash = row_hash(key);
    entry->net.kind = NET_DELETE;
    g_hash_table_add(table->entries, entry);
    batch->n_entries++;
    return entry;
}

/* The entry's own event is replaced by a later one. */
static void entry_supersede(BatchTable *table, Entry *entry)
{
    if (entry->has_event)
        table->superseded++;
    entry->has_event = false;
}

static void entry_delete(Entry *entry)
{
    entry->net.kind = NET_DELETE;
    entry->net.base_key.n_cells = 0;
    entry->n_unchanged = 0;
    entry->was_gone = true;
    entry->wanted = false;
}

static void entry_want(Entry *entry)
{
    entry_delete(entry);
    entry->wanted = true;
}

/* Sets the image to a copy of `row`, in the place of the image before where it fits: a key that is
 * changed again and again takes no more memory. */
static void entry_set_image(Batch *batch, Entry *entry, const Row *row)
{
    gsize size = row_bytes(row);
    if (size > entry->capacity || entry->bytes == NULL) {
        entry->bytes = arena_alloc(batch->arena, size + 1);
        entry->capacity = size;
    }
    if (entry->net.row.cells == NULL)
        entry->net.row.cells = arena_new_array(batch->arena, Cell, row->n_cells);
    row_copy_into(row, entry->bytes, &entry->net.row);
    entry->n_unchanged = count_unchanged(row);
    entry->net.kind = entry->fresh ? NET_INSERT : NET_UPDATE;
    entry->wanted = false;
}

/* The same with the cells of `under` for the unchanged cells of `row`. */
static void entry_set_image_over(Batch *batch, Entry *entry, const Row *row, const Row *under)
{
    Cell *cells = g_newa(Cell, row->n_cells);
    Row both = {.cells = cells, .n_cells = row->n_cells};
    for (guint32 i = 0; i < row->n_cells; i++)
        cells[i] = row->cells[i].kind == CELL_UNCHANGED ? under->cells[i] : row->cells[i];
    entry->bytes = NULL; /* `both` may point into them */
    entry_set_image(batch, entry, &both);
}

static void add_full(Batch *batch, Entry *entry, const Row *row)
{
    entry_set_image(batch, entry, row);
    entry->net.base_key.n_cells = 0;
}

/* A partial image over what this entry is: an image, or (created) the row in the target. */
static void add_partial(Batch *batch, const BatchTable *table, Entry *entry, bool created,
                        const Row *row)
{
    if (created && !table->truncated) {
        entry_set_image(batch, entry, row);
        entry->net.base_key = entry->net.key;
    } else if (entry->net.kind == NET_DELETE) {
        entry_want(entry);
    } else {
        entry_set_image_over(batch, entry, row, &entry->net.row);
        if (entry->n_unchanged == 0)
            entry->net.base_key.n_cells = 0;
    }
}

static void add_insert_or_update(Batch *batch, BatchTable *table, const Change *change,
                                 const Row *key)
{
    bool created = false;
    Entry *entry = entry_get(batch, table, key, &created);
    entry_supersede(table, entry);
    entry->has_event = true;
    if (created)
        entry->fresh = change->operation == OPERATION_INSERT || table->truncated;
    if (count_unchanged(&change->row) == 0)
        add_full(batch, entry, &change->row);
    else
        add_partial(batch, table, entry, created, &change->row);
}

/* Is the row of the old key, as the batch has it, at the stream's position? */
static bool old_row_is_exact(const Batch *batch, const Entry *old, Position at)
{
    if (!batch->consistent)
        return false;
    return position_is_zero(old->newer) ||
           (!position_is_zero(at) && position_compare(at, old->newer) >= 0);
}

static void add_key_change(Batch *batch, BatchTable *table, const Change *change, const Row *key,
                           Position at)
{
    bool old_created = false, created = false;
    Entry *old = entry_get(batch, table, &change->old_key, &old_created);
    bool old_there = old_created ? !table->truncated : old->net.kind != NET_DELETE;
    bool take_old = old_there && old_row_is_exact(batch, old, at);
    bool old_had_image = !old_created && old->net.kind != NET_DELETE;
    Row old_row = old->net.row;
    Row old_base = old->net.base_key;
    Entry *entry = entry_get(batch, table, key, &created);
    entry_supersede(table, old);
    entry_supersede(table, entry);
    entry_delete(old);
    entry->has_event = true;
    if (created)
        entry->fresh = batch->consistent || table->truncated;
    if (count_unchanged(&change->row) == 0) {
        add_full(batch, entry, &change->row);
    } else if (!take_old) {
        add_partial(batch, table, entry, created, &change->row);
    } else if (old_had_image) {
        entry_set_image_over(batch, entry, &change->row, &old_row);
        entry->net.base_key = entry->n_unchanged > 0 ? old_base : (Row){0};
    } else {
        entry_set_image(batch, entry, &change->row);
        entry->net.base_key = old->net.key;
    }
}

static void add_delete(Batch *batch, BatchTable *table, const Change *change)
{
    bool created = false;
    Entry *entry = entry_get(batch, table, &change->old_key, &created);
    entry_supersede(table, entry);
    entry->has_event = true;
    entry_delete(entry);
}

static void add_truncate(Batch *batch, BatchTable *table)
{
    GHashTableIter iterator;
    gpointer pointer;
    if (table->entries != NULL) {
        g_hash_table_iter_init(&iterator, table->entries);
        while (g_hash_table_iter_next(&iterator, &pointer, NULL))
            entry_supersede(table, pointer);
        batch->n_entries -= g_hash_table_size(table->entries);
        g_clear_pointer(&table->entries, g_hash_table_unref);
    }
    if (table->truncation_pending)
        table->superseded++;
    table->truncated = table->truncation_pending = true;
}

static bool image_fits(const Table *table, const Change *change)
{
    bool has_row = change->operation == OPERATION_INSERT || change->operation == OPERATION_UPDATE;
    if (has_row && change->row.n_cells != table->n_columns)
        return false;
    if (change->operation == OPERATION_DELETE && change->old_key.n_cells != table->n_key)
        return false;
    if (change->old_key.n_cells != 0 && change->old_key.n_cells != table->n_key)
        return false;
    for (guint32 i = 0; has_row && i < change->row.n_cells; i++) {
        guint8 kind = change->row.cells[i].kind;
        if (kind == CELL_ABSENT ||
            (kind == CELL_UNCHANGED && change->operation == OPERATION_INSERT))
            return false;
    }
    return true;
}

static bool check_change(const Batch *batch, const Change *change, GError **error)
{
    const Table *table = migration_table(batch->migration, change->table);
    if (table == NULL)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "the bus has an event for table number %u, which this migration does not have",
                    change->table);
    else if (change->schema_version != table->version)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "%s: the bus has an event of schema version %016" G_GINT64_MODIFIER
                    "x, the table is of %016" G_GINT64_MODIFIER "x: the table was changed",
                    table->label, change->schema_version, table->version);
    else if (!image_fits(table, change))
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "%s: an event on the bus does not fit the table's %u columns", table->label,
                    table->n_columns);
    else
        return true;
    return false;
}

/* A replica identity key may hold the key's cells as unchanged in the new row (a large key value
 * that did not change): they are those of the old key, which is then in the event, or nowhere. */
static bool key_of_change(const Table *table, const Change *change, Cell *cells, Row *key,
                          GError **error)
{
    table_key_of(table, &change->row, cells, key);
    for (guint i = 0; i < key->n_cells; i++) {
        if (key->cells[i].kind == CELL_UNCHANGED && change->old_key.n_cells == table->n_key)
            key->cells[i] = change->old_key.cells[i];
        if (key->cells[i].kind != CELL_VALUE) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                        "%s: an event on the bus has no value for the key column %s", table->label,
                        table->columns[table->key[i]].name);
            return false;
        }
    }
    return true;
}

bool batch_add(Batch *batch, const Change *change, Position at, GError **error)
{
    if (!check_change(batch, change, error))
        return false;
    BatchTable *table = &batch->tables[change->table - 1];
    batch->events++;
    if (change->operation == OPERATION_TRUNCATE) {
        add_truncate(batch, table);
        return true;
    }
    if (change->operation == OPERATION_DELETE) {
        add_delete(batch, table, change);
        return true;
    }
    Cell *cells = g_newa(Cell, table->table->n_key);
    Row key;
    if (!key_of_change(table->table, change, cells, &key, error))
        return false;
    bool moved = change->old_key.n_cells != 0 && !row_equal(&change->old_key, &key);
    if (moved)
        add_key_change(batch, table, change, &key, at);
    else
        add_insert_or_update(batch, table, change, &key);
    return true;
}

void batch_inject(Batch *batch, guint32 table_id, const Row *key, const Row *row, Position high)
{
    BatchTable *table = &batch->tables[table_id - 1];
    bool created = false;
    Entry *entry = entry_get(batch, table, key, &created);
    entry_supersede(table, entry);
    if (row == NULL)
        entry_delete(entry);
    else
        add_full(batch, entry, row);
    /* Whether the target has the row is not known: it is written as an update that may insert. */
    entry->fresh = false;
    if (entry->net.kind == NET_INSERT)
        entry->net.kind = NET_UPDATE;
    entry->newer = high;
}

bool batch_is_empty(const Batch *batch)
{
    return batch->events == 0 && batch->n_entries == 0;
}

gsize batch_memory(const Batch *batch)
{
    return arena_size(batch->arena) + (gsize)batch->n_entries * 3 * sizeof(gpointer);
}

guint64 batch_events(const Batch *batch)
{
    return batch->events;
}

static void net_table_fill(BatchTable *from, NetTable *to)
{
    GHashTableIter iterator;
    gpointer pointer;
    guint n = from->entries != NULL ? g_hash_table_size(from->entries) : 0;
    to->table = from->table;
    to->truncated = from->truncated;
    to->rows = g_new(NetRow *, n);
    if (n == 0)
        return;
    g_hash_table_iter_init(&iterator, from->entries);
    while (g_hash_table_iter_next(&iterator, &pointer, NULL)) {
        Entry *entry = pointer;
        to->rows[to->n_rows++] = &entry->net;
        to->n_deletes += entry->net.kind == NET_DELETE;
        to->n_inserts += entry->net.kind == NET_INSERT;
        to->n_updates += entry->net.kind == NET_UPDATE;
        to->n_partial += entry->n_unchanged > 0;
    }
}

NetTable *batch_tables(Batch *batch, guint *n)
{
    *n = 0;
    for (guint i = 0; i < batch->migration->tables->len; i++) {
        BatchTable *table = &batch->tables[i];
        if (table->entries == NULL && !table->truncated)
            continue;
        g_free(batch->net[*n].rows);
        memset(&batch->net[*n], 0, sizeof batch->net[*n]);
        net_table_fill(table, &batch->net[(*n)++]);
    }
    return batch->net;
}

GArray *batch_gone(const Batch *batch, guint32 table)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(Row));
    GHashTableIter iterator;
    gpointer pointer;
    if (batch->tables[table - 1].entries == NULL)
        return keys;
    g_hash_table_iter_init(&iterator, batch->tables[table - 1].entries);
    while (g_hash_table_iter_next(&iterator, &pointer, NULL)) {
        const Entry *entry = pointer;
        if (entry->was_gone)
            g_array_append_val(keys, entry->net.key);
    }
    return keys;
}

void batch_account(const Batch *batch, Account *accounts)
{
    for (guint i = 0; i < batch->migration->tables->len; i++) {
        const BatchTable *table = &batch->tables[i];
        GHashTableIter iterator;
        gpointer pointer;
        accounts[i].superseded += table->superseded;
        accounts[i].applied += table->truncation_pending;
        if (table->entries == NULL)
            continue;
        g_hash_table_iter_init(&iterator, table->entries);
        while (g_hash_table_iter_next(&iterator, &pointer, NULL)) {
            const Entry *entry = pointer;
            if (!entry->has_event)
                continue;
            if (entry->wanted || entry->net.missing)
                accounts[i].refetched++;
            else
                accounts[i].applied++;
        }
    }
}

bool batch_wanted(const Batch *batch,
                  bool (*each)(void *user, guint32 table, const Row *key, GError **error),
                  void *user, GError **error)
{
    for (guint i = 0; i < batch->migration->tables->len; i++) {
        const BatchTable *table = &batch->tables[i];
        GHashTableIter iterator;
        gpointer pointer;
        if (table->entries == NULL)
            continue;
        g_hash_table_iter_init(&iterator, table->entries);
        while (g_hash_table_iter_next(&iterator, &pointer, NULL)) {
            const Entry *entry = pointer;
            if ((entry->wanted || entry->net.missing) &&
                !each(user, table->table->id, &entry->net.key, error))
                return false;
        }
    }
    return true;
}
