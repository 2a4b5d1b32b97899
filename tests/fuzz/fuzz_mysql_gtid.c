/*
 * Any bytes as a GTID set, as text and in binary, of both servers: what is taken is the same after
 * it was written and read again.
 */
#include "proto/gtid.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mysql(MysqlGtidSet *set)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *text = mysql_gtid_set_format(set);
    g_autoptr(MysqlGtidSet) parsed = mysql_gtid_set_parse(text, &error);
    g_assert_no_error(error);
    g_assert_true(mysql_gtid_set_equal(set, parsed));
    mysql_gtid_set_encode(set, bytes);
    g_autoptr(MysqlGtidSet) decoded = mysql_gtid_set_decode(bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    g_assert_true(mysql_gtid_set_equal(set, decoded));
    mysql_gtid_set_merge(decoded, set);
    g_assert_cmpuint(mysql_gtid_set_count(decoded), ==, mysql_gtid_set_count(set));
}

static void check_mariadb(MariadbGtids *gtids)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = mariadb_gtids_format(gtids);
    g_autoptr(MariadbGtids) parsed = mariadb_gtids_parse(text, &error);
    g_assert_no_error(error);
    g_assert_cmpint(mariadb_gtids_compare(gtids, parsed), ==, MARIADB_GTIDS_EQUAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(MysqlGtidSet) decoded = mysql_gtid_set_decode(data, size, NULL);
    g_autoptr(MysqlGtidSet) parsed = mysql_gtid_set_parse(text, NULL);
    g_autoptr(MariadbGtids) gtids = mariadb_gtids_parse(text, NULL);
    if (decoded)
        check_mysql(decoded);
    if (parsed)
        check_mysql(parsed);
    if (gtids)
        check_mariadb(gtids);
    return 0;
}
