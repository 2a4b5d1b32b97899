/*
 * Binlog events that are cut, changed or unknown: each is an error that names the event, never a
 * wrong row. The events are those of real servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/binlog_row.h"
#include "proto/error.h"
#include "tests/support/binlog_golden.h"

#include <string.h>

#define LIMIT (1 << 20)

typedef enum { TAKEN, REFUSED } Outcome;

static guint8 type_of(GBytes *event)
{
    return ((const guint8 *)g_bytes_get_data(event, NULL))[4];
}

static Outcome take_rows(const BinlogEvent *event, GError **error)
{
    g_autoptr(BinlogRowReader) rows = binlog_row_reader_new();
    BinlogRow row;
    BinlogRowResult result;
    binlog_row_reader_start(rows, event);
    while ((result = binlog_row_reader_next(rows, &row, error)) == BINLOG_ROW)
        ;
    return result == BINLOG_ROWS_DONE ? TAKEN : REFUSED;
}

/* Decodes an event in memory of exactly its size, and its rows and inner events. */
static Outcome take(BinlogDecoder *decoder, const guint8 *data, gsize size, GError **error)
{
    g_autofree guint8 *copy = g_memdup2(data, size);
    BinlogEvent event;
    binlog_decoder_put(decoder, copy, size);
    for (;;)
        switch (binlog_decoder_next(decoder, &event, error)) {
        case BINLOG_NEXT_EVENT:
            if (event.kind == BINLOG_ROWS && take_rows(&event, error) == REFUSED)
                return REFUSED;
            break;
        case BINLOG_NEXT_NEED:
            return TAKEN;
        case BINLOG_NEXT_FAILED:
            return REFUSED;
        }
}

static void must_take(BinlogDecoder *decoder, GBytes *event)
{
    g_autoptr(GError) error = NULL;
    gsize size;
    const guint8 *data = g_bytes_get_data(event, &size);
    if (take(decoder, data, size, &error) == REFUSED)
        fail_msg("%s", error->message);
}

/* A decoder that has seen FORMAT_DESCRIPTION and the table maps before event number `until`. */
static BinlogDecoder *decoder_before(const Golden *golden, guint until)
{
    BinlogDecoder *decoder = binlog_decoder_new(LIMIT);
    guint first = until;
    while (first > 0 && type_of(golden->events->pdata[first - 1]) != 15)
        first--;
    if (first > 0)
        must_take(decoder, golden->events->pdata[first - 1]);
    for (guint i = until > 3 ? MAX(first, until - 3) : first; i < until; i++)
        if (type_of(golden->events->pdata[i]) == 19)
            must_take(decoder, golden->events->pdata[i]);
    return decoder;
}

static bool is_checksummed(const char *name)
{
    return !strstr(name, "minimal") && !strstr(name, "nolog");
}

/* Types whose end is a text or list of any length, or whose body says nothing to us. */
static bool may_be_short(guint8 type)
{
    static const guint8 types[] = {2, 3, 4, 15, 27, 29, 35, 160, 161, 162};
    return memchr(types, type, sizeof types) != NULL;
}

static guint cut_everywhere(const Golden *golden, guint number, bool checksum)
{
    GBytes *event = golden->events->pdata[number];
    guint8 type = type_of(event);
    gsize body = g_bytes_get_size(event) - GOLDEN_HEADER - (checksum ? 4 : 0);
    guint refused = 0;
    for (gsize size = 0; size < MIN(body, 600); size++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(BinlogDecoder) decoder = decoder_before(golden, number);
        g_autoptr(GBytes) cut = golden_cut(event, size, checksum);
        gsize cut_size;
        const guint8 *data = g_bytes_get_data(cut, &cut_size);
        Outcome outcome = take(decoder, data, cut_size, &error);
        if (outcome == TAKEN && !may_be_short(type)) {
            BinlogEvent seen;
            binlog_decoder_put(decoder, data, cut_size);
            binlog_decoder_next(decoder, &seen, NULL);
            /* only whole rows may be missing at the end of rows, or metadata behind a field */
            if (seen.kind != BINLOG_ROWS && seen.kind != BINLOG_TABLE_MAP &&
                seen.kind != BINLOG_GTID && seen.kind != BINLOG_ANONYMOUS_GTID)
                fail_msg("type %u was taken with %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes",
                         type, size, body);
        }
        if (outcome == REFUSED) {
            assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
            assert_non_null(strstr(error->message, "event "));
            refused++;
        }
    }
    return refused;
}

static void test_a_cut_event_is_refused_or_a_smaller_whole(void **state)
{
    (void)state;
    for (guint i = 0; golden_names[i]; i++) {
        if (strstr(golden_names[i], "types"))
            continue;
        Golden *golden = golden_load(golden_names[i]);
        bool seen[256] = {false};
        for (guint j = 0; j < golden->events->len; j++) {
            guint8 type = type_of(golden->events->pdata[j]);
            if (seen[type])
                continue;
            seen[type] = true;
            guint refused = cut_everywhere(golden, j, is_checksummed(golden_names[i]));
            if (type != 3 && type != 29 && type != 35 && type != 160 && type != 161)
                assert_true(refused > 0);
        }
        golden_free(golden);
    }
}

/* Each value of each type: what is left of a row is never taken for a row. */
static void test_a_row_is_refused_at_every_length(void **state)
{
    (void)state;
    static const char *const names[] = {"mysql_types", "mariadb_types"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        Golden *golden = golden_load(names[i]);
        guint rows = 0;
        for (guint j = 0; j < golden->events->len; j++) {
            GBytes *event = golden->events->pdata[j];
            if (type_of(event) != 30 && type_of(event) != 23)
                continue;
            gsize body = g_bytes_get_size(event) - GOLDEN_HEADER - 4;
            for (gsize size = 40; size < body; size++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(BinlogDecoder) decoder = decoder_before(golden, j);
                g_autoptr(GBytes) cut = golden_cut(event, size, true);
                gsize cut_size;
                const guint8 *data = g_bytes_get_data(cut, &cut_size);
                assert_int_equal(take(decoder, data, cut_size, &error), REFUSED);
            }
            if (++rows == 2)
                break;
        }
        assert_int_equal(rows, 2);
        golden_free(golden);
    }
}

static void test_any_changed_byte_breaks_the_checksum(void **state)
{
    (void)state;
    for (guint i = 0; golden_names[i]; i++) {
        if (!is_checksummed(golden_names[i]) || strstr(golden_names[i], "types"))
            continue;
        Golden *golden = golden_load(golden_names[i]);
        for (guint j = 0; j < golden->events->len; j++) {
            gsize size;
            const guint8 *data = g_bytes_get_data(golden->events->pdata[j], &size);
            if (data[4] == 4 || data[4] == 27 || data[4] == 41 || (data[17] & 0x20))
                continue; /* made for the connection: a text of any length */
            for (gsize at = 0; at < size; at++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(BinlogDecoder) decoder = decoder_before(golden, j);
                g_autofree guint8 *damaged = g_memdup2(data, size);
                damaged[at] ^= 0x10;
                assert_int_equal(take(decoder, damaged, size, &error), REFUSED);
                assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
            }
        }
        golden_free(golden);
    }
}

static void test_a_damaged_name_in_a_rotate_or_heartbeat_is_refused(void **state)
{
    (void)state;
    Golden *golden = golden_load("mysql_events");
    guint n = 0;
    for (guint j = 0; j < golden->events->len; j++) {
        gsize size;
        const guint8 *data = g_bytes_get_data(golden->events->pdata[j], &size);
        if (data[4] != 27 && !(data[4] == 4 && (data[17] & 0x20)))
            continue;
        g_autoptr(GError) error = NULL;
        g_autoptr(BinlogDecoder) decoder = decoder_before(golden, j);
        g_autofree guint8 *damaged = g_memdup2(data, size);
        damaged[size - 6] = 0xff;
        assert_int_equal(take(decoder, damaged, size, &error), REFUSED);
        n++;
    }
    assert_true(n >= 2);
    golden_free(golden);
}

/* ---- made by hand ---- */

static GBytes *make_event(guint8 type, const guint8 *body, gsize size)
{
    guint8 *event = g_malloc0(GOLDEN_HEADER + size);
    guint32 total = GUINT32_TO_LE((guint32)(GOLDEN_HEADER + size));
    event[4] = type;
    memcpy(event + 9, &total, sizeof total);
    if (size > 0)
        memcpy(event + GOLDEN_HEADER, body, size);
    return g_bytes_new_take(event, GOLDEN_HEADER + size);
}

static BinlogDecoder *plain_decoder(void)
{
    guint8 format[2 + 50 + 4 + 1 + 42 + 5] = {4};
    memcpy(format + 2, "9.7", 3);
    format[56] = 19;
    BinlogDecoder *decoder = binlog_decoder_new(LIMIT);
    g_autoptr(GBytes) event = make_event(15, format, sizeof format);
    must_take(decoder, event);
    return decoder;
}

static void expect_refusal(guint8 type, const void *body, gsize size, const char *needle)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BinlogDecoder) decoder = plain_decoder();
    g_autoptr(GBytes) event = make_event(type, body, size);
    gsize event_size;
    const guint8 *data = g_bytes_get_data(event, &event_size);
    assert_int_equal(take(decoder, data, event_size, &error), REFUSED);
    if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON) ||
        !strstr(error->message, needle) || !strstr(error->message, "binlog:0"))
        fail_msg("\"%s\" and a position were expected: %s", needle, error->message);
}

static void test_unknown_events_are_named_with_their_number(void **state)
{
    (void)state;
    expect_refusal(43, "", 0, "(type 43): drover does not know this type");
    expect_refusal(200, "", 0, "(type 200)");
    expect_refusal(5, "", 0, "INTVAR (type 5): the server logs statements");
    expect_refusal(13, "", 0, "binlog_format=ROW");
    expect_refusal(18, "", 0, "EXECUTE_LOAD_QUERY");
}

static void test_impossible_contents_are_refused(void **state)
{
    (void)state;
    static const guint8 rows[] = {1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0xff, 0};
    static const guint8 bomb[] = {2, 1, 0, 3, 3, 0xfd, 0xff, 0xff, 1, 1, 4, 0, 1, 2, 3, 4};
    static const guint8 method[] = {2, 1, 9, 3, 1, 9, 1, 1, 4, 0, 1, 2, 3, 4};
    static const guint8 field[] = {9, 1, 0};
    static const guint8 xa[] = {0, 1, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 0};
    expect_refusal(30, rows, sizeof rows, "no TABLE_MAP came before for table number 1");
    expect_refusal(40, bomb, sizeof bomb, "damaged");
    expect_refusal(40, method, sizeof method, "unknown compression 9");
    expect_refusal(40, field, sizeof field, "unknown field 9");
    expect_refusal(38, xa, sizeof xa, "XA_PREPARE");
    expect_refusal(16, "123456789", 9, "surplus bytes");
    expect_refusal(165, "", 0, "QUERY_COMPRESSED");
}

static void test_an_incident_has_its_message(void **state)
{
    (void)state;
    static const guint8 body[] = {1, 0, 3, 'a', 'b', 'c'};
    g_autoptr(BinlogDecoder) decoder = plain_decoder();
    g_autoptr(GBytes) event = make_event(26, body, sizeof body);
    gsize size;
    const guint8 *data = g_bytes_get_data(event, &size);
    BinlogEvent seen;
    binlog_decoder_put(decoder, data, size);
    assert_int_equal(binlog_decoder_next(decoder, &seen, NULL), BINLOG_NEXT_EVENT);
    assert_int_equal(seen.kind, BINLOG_INCIDENT);
    assert_int_equal(seen.incident.number, 1);
    assert_memory_equal(seen.incident.message.text, "abc", 3);
}

/* Positions in headers are of 32 bits, files are not. */
static void test_positions_go_on_behind_four_gigabytes(void **state)
{
    (void)state;
    static const guint8 rotate[] = {0xf0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'b', 'i', 'n'};
    g_autoptr(BinlogDecoder) decoder = plain_decoder();
    g_autoptr(GBytes) start = make_event(4, rotate, sizeof rotate);
    g_autoptr(GBytes) event = make_event(16, (const guint8 *)"12345678", 8);
    guint8 *header = (guint8 *)(gpointer)g_bytes_get_data(start, NULL);
    header[17] = 0x20;
    must_take(decoder, start);
    header = (guint8 *)(gpointer)g_bytes_get_data(event, NULL);
    header[13] = 0xf0 + 27 - 0x100;
    BinlogEvent seen;
    binlog_decoder_put(decoder, header, g_bytes_get_size(event));
    assert_int_equal(binlog_decoder_next(decoder, &seen, NULL), BINLOG_NEXT_EVENT);
    assert_int_equal(seen.position, G_GUINT64_CONSTANT(0xfffffff0));
    assert_int_equal(seen.next_position, G_GUINT64_CONSTANT(0xfffffff0) + 27);
    assert_string_equal(binlog_decoder_where(decoder), "bin:4294967280");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cut_event_is_refused_or_a_smaller_whole),
        cmocka_unit_test(test_a_row_is_refused_at_every_length),
        cmocka_unit_test(test_any_changed_byte_breaks_the_checksum),
        cmocka_unit_test(test_a_damaged_name_in_a_rotate_or_heartbeat_is_refused),
        cmocka_unit_test(test_unknown_events_are_named_with_their_number),
        cmocka_unit_test(test_impossible_contents_are_refused),
        cmocka_unit_test(test_an_incident_has_its_message),
        cmocka_unit_test(test_positions_go_on_behind_four_gigabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
