/*
 * Origins stand in the order of UUID and tag, intervals (first and last number, both inside) in
 * their order with a gap between any two.
 */
#include "proto/gtid.h"
#include "proto/gtid_origin.h"

#include <string.h>

static void free_origin(gpointer data)
{
    MysqlGtidOrigin *origin = data;
    g_array_unref(origin->intervals);
    g_free(origin);
}

MysqlGtidSet *mysql_gtid_set_new(void)
{
    MysqlGtidSet *set = g_new0(MysqlGtidSet, 1);
    set->origins = g_ptr_array_new_with_free_func(free_origin);
    return set;
}

void mysql_gtid_set_free(MysqlGtidSet *set)
{
    if (!set)
        return;
    g_ptr_array_unref(set->origins);
    g_free(set);
}

static int compare_origin(const MysqlGtidOrigin *origin, const guint8 *uuid, const char *tag)
{
    int order = memcmp(origin->uuid, uuid, MYSQL_UUID_SIZE);
    return order != 0 ? order : strcmp(origin->tag, tag);
}

/* The place of an origin: where it is, or where it belongs. */
static bool find_origin(const MysqlGtidSet *set, const guint8 *uuid, const char *tag, guint *place)
{
    guint low = 0, high = set->origins->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        int order = compare_origin(set->origins->pdata[middle], uuid, tag);
        if (order == 0) {
            *place = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *place = low;
    return false;
}

MysqlGtidOrigin *mysql_gtid_set_origin(MysqlGtidSet *set, const guint8 *uuid, const char *tag)
{
    guint place;
    if (find_origin(set, uuid, tag, &place))
        return set->origins->pdata[place];
    MysqlGtidOrigin *origin = g_new0(MysqlGtidOrigin, 1);
    memcpy(origin->uuid, uuid, MYSQL_UUID_SIZE);
    g_strlcpy(origin->tag, tag, sizeof origin->tag);
    origin->intervals = g_array_new(false, false, sizeof(MysqlGtidInterval));
    g_ptr_array_insert(set->origins, (int)place, origin);
    return origin;
}

static MysqlGtidInterval *interval_at(const MysqlGtidOrigin *origin, guint number)
{
    return &g_array_index(origin->intervals, MysqlGtidInterval, number);
}

/* The first interval that ends at or after number; their count where none does. */
static guint first_ending_at(const MysqlGtidOrigin *origin, gint64 number)
{
    guint low = 0, high = origin->intervals->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (interval_at(origin, middle)->last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void mysql_gtid_origin_add(MysqlGtidOrigin *origin, gint64 first, gint64 last)
{
    guint from = first_ending_at(origin, first - 1), to = from;
    while (to < origin->intervals->len && interval_at(origin, to)->first <= last + 1) {
        first = MIN(first, interval_at(origin, to)->first);
        last = MAX(last, interval_at(origin, to)->last);
        to++;
    }
    MysqlGtidInterval joined = {first, last};
    if (to == from) {
        g_array_insert_val(origin->intervals, from, joined);
        return;
    }
    *interval_at(origin, from) = joined;
    if (to - from > 1)
        g_array_remove_range(origin->intervals, from + 1, to - from - 1);
}

void mysql_gtid_set_add(MysqlGtidSet *set, const guint8 *uuid, const char *tag, gint64 number)
{
    g_return_if_fail(number >= 1 && number < MYSQL_GTID_MAX);
    mysql_gtid_origin_add(mysql_gtid_set_origin(set, uuid, tag), number, number);
}

void mysql_gtid_set_merge(MysqlGtidSet *set, const MysqlGtidSet *other)
{
    for (guint i = 0; i < other->origins->len; i++) {
        const MysqlGtidOrigin *from = other->origins->pdata[i];
        MysqlGtidOrigin *to = mysql_gtid_set_origin(set, from->uuid, from->tag);
        if (to == from)
            continue;
        for (guint j = 0; j < from->intervals->len; j++)
            mysql_gtid_origin_add(to, interval_at(from, j)->first, interval_at(from, j)->last);
    }
}

static bool origin_contains(const MysqlGtidOrigin *origin, gint64 first, gint64 last)
{
    guint number = first_ending_at(origin, first);
    return number < origin->intervals->len && interval_at(origin, number)->first <= first &&
           interval_at(origin, number)->last >= last;
}

bool mysql_gtid_set_contains(const MysqlGtidSet *set, const guint8 *uuid, const char *tag,
                             gint64 number)
{
    guint place;
    return find_origin(set, uuid, tag, &place) &&
           origin_contains(set->origins->pdata[place], number, number);
}

bool mysql_gtid_set_contains_set(const MysqlGtidSet *set, const MysqlGtidSet *other)
{
    for (guint i = 0; i < other->origins->len; i++) {
        const MysqlGtidOrigin *wanted = other->origins->pdata[i];
        guint place;
        if (!find_origin(set, wanted->uuid, wanted->tag, &place))
            return false;
        for (guint j = 0; j < wanted->intervals->len; j++)
            if (!origin_contains(set->origins->pdata[place], interval_at(wanted, j)->first,
                                 interval_at(wanted, j)->last))
                return false;
    }
    return true;
}

bool mysql_gtid_set_equal(const MysqlGtidSet *a, const MysqlGtidSet *b)
{
    return mysql_gtid_set_contains_set(a, b) && mysql_gtid_set_contains_set(b, a);
}

bool mysql_gtid_set_is_empty(const MysqlGtidSet *set)
{
    return set->origins->len == 0;
}

guint64 mysql_gtid_set_count(const MysqlGtidSet *set)
{
    guint64 count = 0;
    for (guint i = 0; i < set->origins->len; i++) {
        const MysqlGtidOrigin *origin = set->origins->pdata[i];
        for (guint j = 0; j < origin->intervals->len; j++)
            count += (guint64)(interval_at(origin, j)->last - interval_at(origin, j)->first) + 1;
    }
    return count;
}
