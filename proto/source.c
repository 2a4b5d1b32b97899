#include "proto/source.h"

#include <string.h>
#include <xxhash.h>

void read_bounds_clear(ReadBounds *bounds)
{
    g_clear_pointer(&bounds->running, g_array_unref);
    memset(bounds, 0, sizeof *bounds);
}

guint64 read_bounds_digest(const ReadBounds *bounds)
{
    g_autoptr(GArray) xids = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_array_append_val(xids, bounds->xmin);
    g_array_append_val(xids, bounds->xmax);
    if (bounds->running)
        g_array_append_vals(xids, bounds->running->data, bounds->running->len);
    return XXH3_64bits(xids->data, xids->len * sizeof(guint64));
}

static int compare_xids(const void *a, const void *b)
{
    guint64 left = *(const guint64 *)a, right = *(const guint64 *)b;
    return left < right ? -1 : left > right;
}

bool read_bounds_include(const ReadBounds *bounds, guint64 xid)
{
    if (xid < bounds->xmin)
        return true;
    if (xid >= bounds->xmax)
        return false;
    return !bounds->running || !g_array_binary_search(bounds->running, &xid, compare_xids, NULL);
}

void key_range_clear(KeyRange *range)
{
    g_clear_pointer(&range->lower, g_strfreev);
    g_clear_pointer(&range->upper, g_strfreev);
}
