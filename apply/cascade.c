#include "apply/cascade.h"

typedef struct Children {
    Arena *arena;
    GArray *keys; /* Row */
} Children;

/* The session is busy with the read: the list is written afterwards. */
static bool take_child(void *user, const Row *key, guint64 row_version, GError **error)
{
    Children *children = user;
    Row copy = row_copy(children->arena, key);
    (void)row_version, (void)error;
    g_array_append_val(children->keys, copy);
    return true;
}

static bool list_children(Control *control, const Table *table, const Children *children,
                          GError **error)
{
    for (guint i = 0; i < children->keys->len; i++)
        if (!control_refetch_add(control, table->id, &g_array_index(children->keys, Row, i),
                                 "a row that it refers to went away, and the log does not say what "
                                 "became of it",
                                 error))
            return false;
    return true;
}

static bool read_children(Control *control, const Table *parent, const Cascade *cascade,
                          const GArray *keys, Children *children, GError **error)
{
    ReadSink sink = {.row = take_child, .user = children};
    ReadRequest request = {.kind = READ_CHILDREN,
                           .table = cascade->child,
                           .keys = (const Row *)(void *)keys->data,
                           .n_keys = keys->len,
                           .columns = cascade->columns,
                           .n_columns = parent->n_key};
    return control->ops->read(control->target, &request, &sink, error);
}

static bool remove_rows(Control *control, const Table *table, const GArray *keys, GError **error)
{
    g_autofree NetRow *rows = g_new0(NetRow, keys->len);
    g_autofree NetRow **list = g_new(NetRow *, keys->len);
    for (guint i = 0; i < keys->len; i++) {
        rows[i] = (NetRow){.kind = NET_DELETE, .key = g_array_index(keys, Row, i)};
        list[i] = &rows[i];
    }
    NetTable net = {.table = table, .n_rows = keys->len, .rows = list, .n_deletes = keys->len};
    return control->ops->write(control->target, &net, 1, false, error);
}

static bool follow(Control *control, const Table *parent, const GArray *keys, bool *found,
                   GError **error);

/* It ends where a table refers to itself, too: a row that was taken away is found by no read. */
static bool follow_one(Control *control, const Table *parent, const Cascade *cascade,
                       const GArray *keys, bool *found, GError **error)
{
    g_autoptr(Arena) arena = arena_new(64 * 1024);
    g_autoptr(GArray) child_keys = g_array_new(FALSE, FALSE, sizeof(Row));
    Children children = {arena, child_keys};
    if (!read_children(control, parent, cascade, keys, &children, error) ||
        !list_children(control, cascade->child, &children, error))
        return false;
    if (child_keys->len == 0)
        return true;
    *found = true;
    return remove_rows(control, cascade->child, child_keys, error) &&
           follow(control, cascade->child, child_keys, found, error);
}

static bool follow(Control *control, const Table *parent, const GArray *keys, bool *found,
                   GError **error)
{
    for (guint i = 0; keys->len > 0 && i < parent->n_cascades; i++)
        if (!follow_one(control, parent, &parent->cascades[i], keys, found, error))
            return false;
    return true;
}

bool cascade_follow(const Batch *batch, Control *control, bool *found, GError **error)
{
    for (guint id = 1; id <= control->migration->tables->len; id++) {
        const Table *table = migration_table(control->migration, id);
        if (table->n_cascades == 0)
            continue;
        g_autoptr(GArray) gone = batch_gone(batch, id);
        if (!follow(control, table, gone, found, error))
            return false;
    }
    return true;
}
