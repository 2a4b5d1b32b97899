/*
 * Any bytes as events of a binlog without checksums: the decoder takes them or sets an error, reads
 * nothing outside of them, and every value of every row can be shown and converted. An input is a
 * byte that chooses the server and records of u8 type, u8 flags, u16 size, body; the corpus is what
 * real servers sent (tests/golden/binlog).
 */
#include "capture/mysql/binlog_row.h"
#include "capture/mysql/canonical.h"
#include "capture/mysql/query.h"
#include "proto/byte_reader.h"
#include "proto/error.h"
#include "proto/gtid.h"

#include <stdint.h>

#define LIMIT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append_le(GByteArray *out, guint32 value, guint size)
{
    guint32 bytes = GUINT32_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&bytes, size);
}

/* Header and body, in memory of exactly that size. */
static GBytes *make_event(guint8 type, guint8 flags, const guint8 *body, gsize size)
{
    g_autoptr(GByteArray) event = g_byte_array_new();
    append_le(event, 1, 4);
    append_le(event, type, 1);
    append_le(event, 1, 4);
    append_le(event, (guint32)(19 + size), 4);
    append_le(event, 0, 4);
    append_le(event, flags, 2);
    g_byte_array_append(event, body, (guint)size);
    return g_bytes_new(event->data, event->len);
}

static GBytes *make_format(bool mariadb)
{
    guint8 body[2 + 50 + 4 + 1 + 42 + 5] = {4};
    g_strlcpy((char *)body + 2, mariadb ? "10.11-MariaDB" : "9.7", 50);
    body[56] = 19;
    return make_event(15, 0, body, sizeof body);
}

static void use_rows(const BinlogEvent *event)
{
    g_autoptr(BinlogRowReader) rows = binlog_row_reader_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    BinlogRow row;
    binlog_row_reader_start(rows, event);
    while (binlog_row_reader_next(rows, &row, &error) == BINLOG_ROW)
        for (guint i = 0; i < row.n_columns; i++) {
            const BinlogColumn *column = &event->rows.table->columns[i];
            const BinlogValue *before = row.before ? &row.before[i] : NULL;
            const BinlogValue *value = row.after ? &row.after[i] : before;
            g_free(mysql_value_text(column, value));
            g_autoptr(GError) wrong = NULL;
            g_byte_array_set_size(bytes, 0);
            if (value->kind != BINLOG_VALUE_NULL && value->kind != BINLOG_VALUE_ABSENT &&
                !mysql_canonical_append(column, value, before, bytes, &wrong))
                g_assert_nonnull(wrong);
        }
}

static void use(const BinlogEvent *event)
{
    g_autoptr(GError) error = NULL;
    if (event->kind == BINLOG_ROWS) {
        use_rows(event);
    } else if (event->kind == BINLOG_QUERY) {
        g_auto(QueryMeaning) meaning = query_classify(&event->query);
        g_assert_nonnull(meaning.tables);
    } else if (event->kind == BINLOG_PREVIOUS_GTIDS) {
        g_autoptr(MysqlGtidSet) set =
            mysql_gtid_set_decode(event->previous_gtids.set, event->previous_gtids.size, &error);
        g_assert_true(set || error);
    } else if (event->kind == BINLOG_MARIADB_GTID_LIST) {
        mariadb_gtids_free(mariadb_gtids_decode(event->gtid_list.list, event->gtid_list.n));
    } else if (event->kind == BINLOG_GTID) {
        g_free(mysql_gtid_format(event->gtid.uuid, event->gtid.tag, event->gtid.number));
    }
}

/* False behind a failure. */
static bool feed(BinlogDecoder *decoder, GBytes *bytes)
{
    g_autoptr(GError) error = NULL;
    BinlogEvent event;
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    binlog_decoder_put(decoder, data, size);
    for (;;)
        switch (binlog_decoder_next(decoder, &event, &error)) {
        case BINLOG_NEXT_EVENT:
            use(&event);
            break;
        case BINLOG_NEXT_NEED:
            return true;
        case BINLOG_NEXT_FAILED:
            g_assert_nonnull(error);
            return false;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ByteReader reader = byte_reader(data, size);
    guint8 choice, type, flags;
    guint16 body_size;
    if (!byte_reader_u8(&reader, &choice))
        return 0;
    g_autoptr(BinlogDecoder) decoder = binlog_decoder_new(LIMIT);
    g_autoptr(GBytes) format = make_format(choice & 1);
    bool good = feed(decoder, format);
    g_assert_true(good);
    while (good && byte_reader_u8(&reader, &type) && byte_reader_u8(&reader, &flags) &&
           byte_reader_le16(&reader, &body_size)) {
        const guint8 *body;
        gsize body_bytes = MIN(body_size, byte_reader_left(&reader));
        if (!byte_reader_bytes(&reader, body_bytes, &body))
            break;
        g_autoptr(GBytes) event = make_event(type, flags, body, body_bytes);
        good = feed(decoder, event);
    }
    return 0;
}
