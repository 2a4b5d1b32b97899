#include "proto/source.h"

#include "proto/gtid.h"

#include <string.h>
#include <xxhash.h>

void read_bounds_clear(ReadBounds *bounds)
{
    g_clear_pointer(&bounds->running, g_array_unref);
    g_clear_pointer(&bounds->gtids, g_free);
    g_clear_pointer(&bounds->high_resume, g_free);
    memset(bounds, 0, sizeof *bounds);
}

guint64 read_bounds_digest(const ReadBounds *bounds)
{
    if (bounds->kind == BOUNDS_GTIDS)
        return XXH3_64bits(bounds->gtids, strlen(bounds->gtids));
    if (bounds->kind == BOUNDS_POSITION)
        return XXH3_64bits(&bounds->low, sizeof bounds->low);
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

bool read_bounds_reach(const ReadBounds *bounds, Position position, const char *resume)
{
    if (bounds->kind == BOUNDS_GTIDS)
        return resume_contains(bounds->gtids, resume);
    return position_compare(position, bounds->low) <= 0;
}

bool read_bounds_saw(const ReadBounds *bounds, const Transaction *transaction)
{
    return bounds->kind == BOUNDS_XIDS
               ? read_bounds_include(bounds, transaction->xid)
               : read_bounds_reach(bounds, transaction->position, transaction->resume);
}

void key_range_clear(KeyRange *range)
{
    g_clear_pointer(&range->lower, g_strfreev);
    g_clear_pointer(&range->upper, g_strfreev);
}
