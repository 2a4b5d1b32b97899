/*
 * Any bytes as what a MySQL server says a value is: it becomes a canonical value or an error is
 * set; what became a value can be written to MySQL, or is refused. As JSON: its normal form is its
 * own normal form. An input is u8 type, u8 collation, the text.
 */
#include "proto/byte_reader.h"
#include "schema/json_normal.h"
#include "schema/mysql/literal.h"
#include "schema/mysql/value.h"
#include "schema/row_digest.h"
#include "schema/type_oid.h"

#include <stdint.h>

static const guint32 oids[] = {
    OID_BOOL,        OID_BYTEA,   OID_CHAR,     OID_NAME,         OID_INT8, OID_INT2,   OID_INT4,
    OID_TEXT,        OID_OID,     OID_JSON,     OID_XML,          OID_CIDR, OID_FLOAT4, OID_FLOAT8,
    OID_MACADDR8,    OID_MACADDR, OID_INET,     OID_FLOAT4_ARRAY, OID_DATE, OID_TIME,   OID_BPCHAR,
    OID_TIMESTAMPTZ, OID_BIT,     OID_INTERVAL, OID_NUMERIC,      OID_UUID, OID_JSONB,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const char *text, gsize size)
{
    g_autoptr(GByteArray) once = g_byte_array_new(), twice = g_byte_array_new();
    g_autofree char *lost = NULL;
    if (!json_normal_append(text, size, once, &lost))
        return;
    g_assert_true(json_normal_append((const char *)once->data, once->len, twice, NULL));
    g_assert_true(once->len == twice->len && memcmp(once->data, twice->data, once->len) == 0);
}

static void check_value(const Column *column, guint collation, const char *text, gsize size)
{
    g_autoptr(GError) error = NULL, other = NULL, third = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new(), hashed = g_byte_array_new();
    g_autoptr(GString) sql = g_string_new(NULL);
    Table table = {.zero_dates = ZERO_DATES_NULL};
    MYSQL_FIELD field = {.charsetnr = collation, .length = size % 65, .type = MYSQL_TYPE_STRING};
    MysqlValue value;
    bool null;
    if (!mysql_value_init(&value, &table, column, &field, &error))
        return;
    bool good = mysql_value_append(&value, text, size, bytes, &null, &other);
    g_assert_true(good == (other == NULL));
    if (!good || null)
        return;
    Cell cell = {.data = bytes->data, .length = bytes->len};
    row_digest_append(hashed, column, &cell);
    good = mysql_append_literal(sql, column, &cell, &third);
    g_assert_true(good == (third == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "c", type[] = "numeric";
    ByteReader reader = byte_reader(data, size);
    guint8 number, collation;
    if (!byte_reader_u8(&reader, &number) || !byte_reader_u8(&reader, &collation))
        return 0;
    gsize left = byte_reader_left(&reader);
    g_autofree char *text = g_strndup((const char *)data + reader.offset, left);
    memcpy(text, data + reader.offset, left);
    Column column = {.name = name,
                     .type = type,
                     .type_oid = oids[number % G_N_ELEMENTS(oids)],
                     .json_normal = collation % 2};
    check_value(&column, collation, text, left);
    check_json(text, left);
    return 0;
}
