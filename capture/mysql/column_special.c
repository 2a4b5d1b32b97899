/*
 * MariaDB logs uuid, inet4 and inet6 in the order of their texts, without the zero bytes at the
 * end. PostgreSQL sends a uuid as its 16 bytes, and inet as u8 family (2: IPv4, 3: IPv6), u8 bits,
 * u8 is it a network, u8 bytes, bytes.
 */
#include "capture/mysql/column_special.h"

#include "proto/error.h"

enum { FAMILY_INET4 = 2, FAMILY_INET6 = 3 };

static bool append_padded(const BinlogValue *value, gsize size, GByteArray *out, GError **error)
{
    static const guint8 zeros[16];
    if (value->kind != BINLOG_VALUE_STRING || value->size > size) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                    "has not the %" G_GSIZE_FORMAT " bytes "
                    "of its type",
                    size);
        return false;
    }
    if (value->size > 0)
        g_byte_array_append(out, value->data, (guint)value->size);
    g_byte_array_append(out, zeros, (guint)(size - value->size));
    return true;
}

static bool append_inet(const BinlogValue *value, guint8 family, guint8 size, GByteArray *out,
                        GError **error)
{
    guint8 head[] = {family, (guint8)(size * 8), 0, size};
    g_byte_array_append(out, head, sizeof head);
    return append_padded(value, size, out, error);
}

bool mysql_special_append(ColumnMeaning meaning, const BinlogColumn *column,
                          const BinlogValue *value, const BinlogValue *before, GByteArray *out,
                          GError **error)
{
    switch (meaning) {
    case COLUMN_PLAIN:
        break;
    case COLUMN_UUID:
        return append_padded(value, 16, out, error);
    case COLUMN_INET4:
        return append_inet(value, FAMILY_INET4, 4, out, error);
    case COLUMN_INET6:
        return append_inet(value, FAMILY_INET6, 16, out, error);
    }
    return mysql_canonical_append(column, value, before, out, error);
}
