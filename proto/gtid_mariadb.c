#include "proto/gtid.h"

#include "proto/byte_reader.h"
#include "proto/error.h"

#include <errno.h>

struct MariadbGtids {
    GArray *entries; /* MariadbGtid, in order of domains */
};

MariadbGtids *mariadb_gtids_new(void)
{
    MariadbGtids *gtids = g_new0(MariadbGtids, 1);
    gtids->entries = g_array_new(false, false, sizeof(MariadbGtid));
    return gtids;
}

void mariadb_gtids_free(MariadbGtids *gtids)
{
    if (!gtids)
        return;
    g_array_unref(gtids->entries);
    g_free(gtids);
}

guint mariadb_gtids_count(const MariadbGtids *gtids)
{
    return gtids->entries->len;
}

MariadbGtid mariadb_gtids_get(const MariadbGtids *gtids, guint number)
{
    return g_array_index(gtids->entries, MariadbGtid, number);
}

/* The domain's entry; NULL and the place where it belongs where there is none. Domains are few. */
static MariadbGtid *find_domain(const MariadbGtids *gtids, guint32 domain, guint *place)
{
    guint i = 0;
    for (; i < gtids->entries->len; i++) {
        MariadbGtid *entry = &g_array_index(gtids->entries, MariadbGtid, i);
        if (entry->domain == domain)
            return entry;
        if (entry->domain > domain)
            break;
    }
    *place = i;
    return NULL;
}

void mariadb_gtids_add(MariadbGtids *gtids, MariadbGtid gtid)
{
    guint place;
    MariadbGtid *entry = find_domain(gtids, gtid.domain, &place);
    if (!entry)
        g_array_insert_val(gtids->entries, place, gtid);
    else if (entry->sequence < gtid.sequence)
        *entry = gtid;
}

void mariadb_gtids_merge(MariadbGtids *gtids, const MariadbGtids *other)
{
    for (guint i = 0; i < mariadb_gtids_count(other); i++)
        mariadb_gtids_add(gtids, mariadb_gtids_get(other, i));
}

bool mariadb_gtids_contains(const MariadbGtids *gtids, MariadbGtid gtid)
{
    guint place;
    const MariadbGtid *entry = find_domain(gtids, gtid.domain, &place);
    return entry && entry->sequence >= gtid.sequence;
}

static bool contains_all(const MariadbGtids *gtids, const MariadbGtids *other)
{
    for (guint i = 0; i < mariadb_gtids_count(other); i++)
        if (!mariadb_gtids_contains(gtids, mariadb_gtids_get(other, i)))
            return false;
    return true;
}

MariadbGtidsOrder mariadb_gtids_compare(const MariadbGtids *a, const MariadbGtids *b)
{
    bool a_in_b = contains_all(b, a), b_in_a = contains_all(a, b);
    if (a_in_b && b_in_a)
        return MARIADB_GTIDS_EQUAL;
    return a_in_b ? MARIADB_GTIDS_BEFORE : b_in_a ? MARIADB_GTIDS_AFTER : MARIADB_GTIDS_APART;
}

static bool take_number(const char **at, guint64 limit, char behind, guint64 *number)
{
    char *end;
    while (g_ascii_isspace(**at))
        (*at)++;
    if (!g_ascii_isdigit(**at))
        return false;
    errno = 0;
    *number = g_ascii_strtoull(*at, &end, 10);
    if (errno != 0 || *number > limit || (behind && *end != behind))
        return false;
    *at = behind ? end + 1 : end;
    return true;
}

MariadbGtids *mariadb_gtids_parse(const char *text, GError **error)
{
    g_autoptr(MariadbGtids) gtids = mariadb_gtids_new();
    const char *at = text;
    while (*at) {
        guint64 domain, server, sequence;
        if (!take_number(&at, G_MAXUINT32, '-', &domain) ||
            !take_number(&at, G_MAXUINT32, '-', &server) ||
            !take_number(&at, G_MAXUINT64, 0, &sequence) || (*at != 0 && *at != ',') ||
            (*at == ',' && at[1] == 0)) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                        "\"%.200s\" is not a GTID position of MariaDB, from \"%.20s\" on", text,
                        at);
            return NULL;
        }
        mariadb_gtids_add(gtids, (MariadbGtid){(guint32)domain, (guint32)server, sequence});
        at += *at == ',';
    }
    return g_steal_pointer(&gtids);
}

char *mariadb_gtids_format(const MariadbGtids *gtids)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < mariadb_gtids_count(gtids); i++) {
        MariadbGtid entry = mariadb_gtids_get(gtids, i);
        g_string_append_printf(text, "%s%u-%u-%" G_GUINT64_FORMAT, i > 0 ? "," : "", entry.domain,
                               entry.server, entry.sequence);
    }
    return g_string_free(text, false);
}

MariadbGtids *mariadb_gtids_decode(const guint8 *list, guint32 n)
{
    MariadbGtids *gtids = mariadb_gtids_new();
    ByteReader reader = byte_reader(list, (gsize)n * 16);
    for (guint32 i = 0; i < n; i++) {
        MariadbGtid entry;
        if (!byte_reader_le32(&reader, &entry.domain) ||
            !byte_reader_le32(&reader, &entry.server) ||
            !byte_reader_le64(&reader, &entry.sequence))
            break;
        mariadb_gtids_add(gtids, entry);
    }
    return gtids;
}

void mariadb_gtids_encode(const MariadbGtids *gtids, GByteArray *out)
{
    for (guint i = 0; i < mariadb_gtids_count(gtids); i++) {
        MariadbGtid entry = mariadb_gtids_get(gtids, i);
        guint32 domain = GUINT32_TO_LE(entry.domain), server = GUINT32_TO_LE(entry.server);
        guint64 sequence = GUINT64_TO_LE(entry.sequence);
        g_byte_array_append(out, (const guint8 *)&domain, sizeof domain);
        g_byte_array_append(out, (const guint8 *)&server, sizeof server);
        g_byte_array_append(out, (const guint8 *)&sequence, sizeof sequence);
    }
}
