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

static bool refetch_children(Control *control, const Table *parent, const Cascade *cascade,
                             const GArray *keys, bool *found, GError **error)
{
    const Table *table = cascade->child;
    g_autoptr(Arena) arena = arena_new(64 * 1024);
    g_autoptr(GArray) child_keys = g_array_new(FALSE, FALSE, sizeof(Row));
    Children children = {arena, child_keys};
    ReadSink sink = {.row = take_child, .user = &children};
    ReadRequest request = {.kind = READ_CHILDREN,
                           .table = table,
                           .keys = (const Row *)(void *)keys->data,
                           .n_keys = keys->len,
                           .columns = cascade->columns,
                           .n_columns = parent->n_key};
    if (!control->ops->read(control->target, &request, &sink, error) ||
        !list_children(control, table, &children, error))
        return false;
    *found = *found || child_keys->len > 0;
    return true;
}

bool cascade_refetch(const Batch *batch, Control *control, bool *found, GError **error)
{
    for (guint id = 1; id <= control->migration->tables->len; id++) {
        const Table *table = migration_table(control->migration, id);
        if (table->n_cascades == 0)
            continue;
        g_autoptr(GArray) gone = batch_gone(batch, id);
        for (guint i = 0; gone->len > 0 && i < table->n_cascades; i++)
            if (!refetch_children(control, table, &table->cascades[i], gone, found, error))
                return false;
    }
    return true;
}
