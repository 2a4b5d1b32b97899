#include "schema/mysql/text_cell.h"

#include "schema/type_oid.h"

#include <arpa/inet.h>
#include <string.h>

#define FAMILY_IPV4 2 /* inet_send's numbers, on every system */
#define FAMILY_IPV6 3

/* So many bytes in hex, with separators between them anywhere. */
static bool append_hex(const char *text, gsize size, char separator, guint n_bytes, GByteArray *out)
{
    guint n = 0;
    for (gsize i = 0; i < size; n++) {
        if (n > 0 && text[i] == separator)
            i++;
        if (size - i < 2 || n == n_bytes || !g_ascii_isxdigit(text[i]) ||
            !g_ascii_isxdigit(text[i + 1]))
            return false;
        guint8 byte =
            (guint8)(g_ascii_xdigit_value(text[i]) << 4 | g_ascii_xdigit_value(text[i + 1]));
        g_byte_array_append(out, &byte, 1);
        i += 2;
    }
    return n == n_bytes;
}

/* "10.0.0.0/8": u8 family, bits of the net mask, is a cidr, bytes of the address; the address. */
static bool append_inet(bool is_cidr, const char *text, gsize size, GByteArray *out)
{
    char address[INET6_ADDRSTRLEN];
    guint8 bytes[16];
    const char *slash = memchr(text, '/', size);
    gsize length = slash != NULL ? (gsize)(slash - text) : size;
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = 0;
    bool ipv4 = memchr(address, ':', length) == NULL;
    if (inet_pton(ipv4 ? AF_INET : AF_INET6, address, bytes) != 1)
        return false;
    guint n_bytes = ipv4 ? 4 : 16, bits = n_bytes * 8;
    if (slash != NULL) {
        g_autofree char *number = g_strndup(slash + 1, size - length - 1);
        guint64 value;
        if (!g_ascii_string_to_unsigned(number, 10, 0, bits, &value, NULL))
            return false;
        bits = (guint)value;
    }
    const guint8 head[4] = {ipv4 ? FAMILY_IPV4 : FAMILY_IPV6, (guint8)bits, is_cidr,
                            (guint8)n_bytes};
    g_byte_array_append(out, head, sizeof head);
    g_byte_array_append(out, bytes, n_bytes);
    return true;
}

/* Nothing is zero, "\377" an octal number. */
static bool append_char(const char *text, gsize size, GByteArray *out)
{
    guint8 byte = size > 0 ? (guint8)text[0] : 0;
    if (size == 4 && byte == '\\')
        for (guint i = 1; i < 4; i++) {
            if (text[i] < '0' || text[i] > '7')
                return false;
            byte = (guint8)(byte << 3 | (text[i] - '0'));
        }
    else if (size > 1 || byte >= 0x80)
        return false;
    g_byte_array_append(out, &byte, 1);
    return true;
}

bool mysql_text_append_cell(guint32 type_oid, const char *text, gsize size, GByteArray *out)
{
    guint start = out->len;
    bool good = false;
    if (type_oid == OID_UUID)
        good = append_hex(text, size, '-', 16, out);
    else if (type_oid == OID_MACADDR || type_oid == OID_MACADDR8)
        good = append_hex(text, size, ':', type_oid == OID_MACADDR ? 6 : 8, out);
    else if (type_oid == OID_INET || type_oid == OID_CIDR)
        good = append_inet(type_oid == OID_CIDR, text, size, out);
    else if (type_oid == OID_CHAR)
        good = append_char(text, size, out);
    if (!good)
        g_byte_array_set_size(out, start);
    return good;
}
