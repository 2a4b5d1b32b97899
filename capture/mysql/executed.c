#include "capture/mysql/executed.h"

#include <string.h>

struct Executed {
    MysqlGtidSet *set;
    MariadbGtids *list; /* one of the two */
    GString *text;
    bool fresh; /* text is */
    /* MySQL: the one added last, and where its number stands in a text that was made before */
    ExecutedGtid last;
    bool follows; /* it comes right behind the one before it */
    gsize number_at;
    gsize number_size; /* 0: not known */
};

ExecutedGtid executed_gtid_of(const BinlogEvent *event)
{
    ExecutedGtid gtid = {.mariadb = event->kind == BINLOG_MARIADB_GTID};
    if (gtid.mariadb) {
        gtid.list_entry = (MariadbGtid){event->mariadb_gtid.domain, event->mariadb_gtid.server,
                                        event->mariadb_gtid.sequence};
        return gtid;
    }
    memcpy(gtid.uuid, event->gtid.uuid, sizeof gtid.uuid);
    g_strlcpy(gtid.tag, event->gtid.tag, sizeof gtid.tag);
    gtid.number = event->gtid.number;
    return gtid;
}

char *executed_gtid_text(const ExecutedGtid *gtid)
{
    if (!gtid->mariadb)
        return mysql_gtid_format(gtid->uuid, gtid->tag, gtid->number);
    return g_strdup_printf("%u-%u-%" G_GUINT64_FORMAT, gtid->list_entry.domain,
                           gtid->list_entry.server, gtid->list_entry.sequence);
}

Executed *executed_new(bool mariadb, const char *text, GError **error)
{
    g_autoptr(Executed) executed = g_new0(Executed, 1);
    executed->text = g_string_new(NULL);
    if (mariadb)
        executed->list = mariadb_gtids_parse(text, error);
    else
        executed->set = mysql_gtid_set_parse(text, error);
    return executed->list || executed->set ? g_steal_pointer(&executed) : NULL;
}

void executed_free(Executed *executed)
{
    if (!executed)
        return;
    mysql_gtid_set_free(executed->set);
    mariadb_gtids_free(executed->list);
    g_string_free(executed->text, true);
    g_free(executed);
}

static bool comes_next(const ExecutedGtid *before, const ExecutedGtid *gtid)
{
    return before->number + 1 == gtid->number &&
           memcmp(before->uuid, gtid->uuid, sizeof gtid->uuid) == 0 &&
           strcmp(before->tag, gtid->tag) == 0;
}

void executed_add(Executed *executed, const ExecutedGtid *gtid)
{
    if (gtid->mariadb) {
        mariadb_gtids_add(executed->list, gtid->list_entry);
    } else {
        mysql_gtid_set_add(executed->set, gtid->uuid, gtid->tag, gtid->number);
        /* a text that was not asked for in between is behind by more than one */
        executed->follows = executed->fresh && comes_next(&executed->last, gtid);
        executed->last = *gtid;
    }
    executed->fresh = false;
}

bool executed_contains(const Executed *executed, const ExecutedGtid *gtid)
{
    if (gtid->mariadb)
        return mariadb_gtids_contains(executed->list, gtid->list_entry);
    return mysql_gtid_set_contains(executed->set, gtid->uuid, gtid->tag, gtid->number);
}

static bool list_covers(const MariadbGtids *list, const MariadbGtids *part)
{
    MariadbGtidsOrder order = mariadb_gtids_compare(part, list);
    return order == MARIADB_GTIDS_EQUAL || order == MARIADB_GTIDS_BEFORE;
}

bool executed_covers(const Executed *executed, const Executed *part)
{
    return executed->list ? list_covers(executed->list, part->list)
                          : mysql_gtid_set_contains_set(executed->set, part->set);
}

bool executed_contains_previous(const Executed *executed, const BinlogEvent *event, bool *contains,
                                GError **error)
{
    if (event->kind == BINLOG_MARIADB_GTID_LIST) {
        g_autoptr(MariadbGtids) list =
            mariadb_gtids_decode(event->gtid_list.list, event->gtid_list.n);
        *contains = list_covers(executed->list, list);
        return true;
    }
    g_autoptr(MysqlGtidSet) set =
        mysql_gtid_set_decode(event->previous_gtids.set, event->previous_gtids.size, error);
    if (!set)
        return false;
    *contains = mysql_gtid_set_contains_set(executed->set, set);
    return true;
}

/* ---- text ---- */

/* The number of the last one ends an interval, behind which nothing is that it could grow into. */
static void find_number(Executed *executed, const char *before)
{
    const char *text = executed->text->str;
    gsize at = 0;
    while (text[at] && text[at] == before[at])
        at++;
    while (at > 0 && g_ascii_isdigit(text[at - 1]))
        at--;
    char *end;
    guint64 number = g_ascii_strtoull(text + at, &end, 10);
    bool last = *end == 0 || *end == ',' || (*end == ':' && !g_ascii_isdigit(end[1]));
    executed->number_at = at;
    executed->number_size =
        at > 0 && text[at - 1] == '-' && last && number == (guint64)executed->last.number
            ? (gsize)(end - text) - at
            : 0;
}

static void exchange_number(Executed *executed)
{
    char digits[24];
    gsize size =
        (gsize)g_snprintf(digits, sizeof digits, "%" G_GINT64_FORMAT, executed->last.number);
    if (size == executed->number_size) {
        memcpy(executed->text->str + executed->number_at, digits, size);
        return;
    }
    g_string_erase(executed->text, (gssize)executed->number_at, (gssize)executed->number_size);
    g_string_insert(executed->text, (gssize)executed->number_at, digits);
    executed->number_size = size;
}

static void format_all(Executed *executed)
{
    g_autofree char *whole = executed->list ? mariadb_gtids_format(executed->list)
                                            : mysql_gtid_set_format(executed->set);
    g_autofree char *before = g_strdup(executed->text->str);
    g_string_assign(executed->text, whole);
    executed->number_size = 0;
    if (executed->set && executed->follows)
        find_number(executed, before);
}

const char *executed_text(Executed *executed)
{
    if (!executed->fresh && executed->follows && executed->number_size > 0)
        exchange_number(executed);
    else if (!executed->fresh)
        format_all(executed);
    executed->fresh = true;
    return executed->text->str;
}
