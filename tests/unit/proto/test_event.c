#include "proto/change.pb-c.h"
#include "proto/error.h"
#include "proto/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define VALUE(text)                                                                                \
    {                                                                                              \
        .data = (const guint8 *)(text), .length = sizeof(text) - 1                                 \
    }
#define ROW(cells)                                                                                 \
    {                                                                                              \
        (cells), G_N_ELEMENTS(cells)                                                               \
    }

static Cell values[] = {VALUE("\0\0\0\1"), VALUE("a longer text, to need memory"), VALUE("")};
static Cell mixed[] = {
    VALUE("x"), {.kind = CELL_NULL}, {.kind = CELL_UNCHANGED}, {.kind = CELL_ABSENT}};
static Cell key[] = {VALUE("\0\0\0\2")};

static Change changes[] = {
    {.operation = OPERATION_INSERT, .table = 1, .schema_version = 11, .row = ROW(values)},
    {.operation = OPERATION_UPDATE, .table = 2, .old_key = ROW(key), .row = ROW(mixed)},
    {.operation = OPERATION_DELETE, .table = G_MAXUINT32, .old_key = ROW(key)},
    {.operation = OPERATION_TRUNCATE, .table = 3, .schema_version = G_MAXUINT64},
};
static TableCount captured[] = {{1, 1}, {2, G_MAXUINT64}};
static Transaction transactions[] = {
    {.xid = 700, .fragment = 3, .segment = 1, .first_sequence = 9},
    {.xid = G_MAXUINT64,
     .position = {0x1600000001, 5},
     .resume = "0-1-5,2-3-7",
     .commit_time = -1,
     .last = true,
     .first_sequence = 1,
     .n_changes = G_N_ELEMENTS(changes),
     .changes = changes,
     .n_captured = G_N_ELEMENTS(captured),
     .captured = captured},
};
static const Record events = {.bus_uuid = "0123456789abcde",
                              .epoch = 4,
                              .sequence = 1234567890123,
                              .predecessor = 0xfedcba9876543210,
                              .source_identity = "7301234/1",
                              .schema_version = 99,
                              .kind = RECORD_EVENTS,
                              .n_transactions = G_N_ELEMENTS(transactions),
                              .transactions = transactions};

typedef struct Fixture {
    Arena *arena;
    GByteArray *packed;
    GError *error;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->arena = arena_new(4096);
    fixture->packed = g_byte_array_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    arena_free(fixture->arena);
    g_byte_array_unref(fixture->packed);
    g_clear_error(&fixture->error);
    g_free(fixture);
    return 0;
}

static Record pack_and_unpack(Fixture *fixture, const Record *record)
{
    Record back;
    g_byte_array_set_size(fixture->packed, 0);
    record_pack(record, fixture->arena, fixture->packed);
    assert_true(record_unpack(fixture->packed->data, fixture->packed->len, fixture->arena, &back,
                              &fixture->error));
    return back;
}

static void assert_change(const Change *a, const Change *b)
{
    assert_int_equal(a->operation, b->operation);
    assert_int_equal(a->table, b->table);
    assert_int_equal(a->schema_version, b->schema_version);
    assert_true(row_equal(&a->old_key, &b->old_key));
    assert_true(row_equal(&a->row, &b->row));
}

static void assert_transaction(const Transaction *a, const Transaction *b)
{
    assert_int_equal(a->xid, b->xid);
    assert_int_equal(position_compare(a->position, b->position), 0);
    assert_int_equal(g_strcmp0(a->resume, b->resume), 0);
    assert_int_equal(a->commit_time, b->commit_time);
    assert_int_equal(a->segment, b->segment);
    assert_int_equal(a->fragment, b->fragment);
    assert_int_equal(a->last, b->last);
    assert_int_equal(a->first_sequence, b->first_sequence);
    assert_int_equal(a->n_changes, b->n_changes);
    for (guint32 i = 0; i < a->n_changes; i++)
        assert_change(&a->changes[i], &b->changes[i]);
    assert_int_equal(a->n_captured, b->n_captured);
    for (guint32 i = 0; i < a->n_captured; i++) {
        assert_int_equal(a->captured[i].table, b->captured[i].table);
        assert_int_equal(a->captured[i].events, b->captured[i].events);
    }
}

static void assert_record(const Record *a, const Record *b)
{
    assert_memory_equal(a->bus_uuid, b->bus_uuid, sizeof a->bus_uuid);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->predecessor, b->predecessor);
    assert_int_equal(a->partition, b->partition);
    assert_string_equal(a->source_identity, b->source_identity);
    assert_int_equal(a->schema_version, b->schema_version);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(position_compare(a->position, b->position), 0);
    assert_int_equal(g_strcmp0(a->resume, b->resume), 0);
    assert_int_equal(a->source_time, b->source_time);
    assert_int_equal(a->oldest_xid, b->oldest_xid);
    assert_int_equal(a->n_transactions, b->n_transactions);
    for (guint32 i = 0; i < a->n_transactions; i++)
        assert_transaction(&a->transactions[i], &b->transactions[i]);
}

static void test_events_of_every_operation_and_kind_come_back(void **state)
{
    Record back = pack_and_unpack(*state, &events);
    assert_record(&back, &events);
}

static void test_a_claim_comes_back(void **state)
{
    Record claim = {.epoch = 1,
                    .source_identity = "",
                    .kind = RECORD_CLAIM,
                    .position = {5, 6},
                    .resume = "0-1-4"};
    Record back = pack_and_unpack(*state, &claim);
    assert_record(&back, &claim);
}

static void test_a_heartbeat_comes_back(void **state)
{
    Record heartbeat = {.source_identity = "x/1",
                        .kind = RECORD_HEARTBEAT,
                        .partition = 7,
                        .position = {G_MAXUINT64, 0},
                        .source_time = G_MININT64,
                        .oldest_xid = 0x1234567890};
    Record back = pack_and_unpack(*state, &heartbeat);
    assert_record(&back, &heartbeat);
}

static void test_an_unpacked_record_does_not_need_its_bytes(void **state)
{
    Fixture *fixture = *state;
    Record back = pack_and_unpack(fixture, &events);
    memset(fixture->packed->data, 0xee, fixture->packed->len);
    assert_record(&back, &events);
}

static void test_packing_appends(void **state)
{
    Fixture *fixture = *state;
    Record back;
    g_byte_array_append(fixture->packed, (const guint8 *)"before", 6);
    record_pack(&events, fixture->arena, fixture->packed);
    assert_memory_equal(fixture->packed->data, "before", 6);
    assert_true(record_unpack(fixture->packed->data + 6, fixture->packed->len - 6, fixture->arena,
                              &back, NULL));
    assert_record(&back, &events);
}

static void test_large_cells_come_back(void **state)
{
    g_autofree guint8 *bytes = g_malloc(3 << 20);
    memset(bytes, 0xa5, 3 << 20);
    Cell cells[] = {{bytes, 3 << 20, CELL_VALUE}, {bytes, 127, CELL_VALUE}, {bytes, 128, 0}};
    Change change = {.operation = OPERATION_INSERT, .row = ROW(cells)};
    Transaction transaction = {.n_changes = 1, .changes = &change};
    Record record = {.source_identity = "", .n_transactions = 1, .transactions = &transaction};
    Record back = pack_and_unpack(*state, &record);
    assert_record(&back, &record);
}

/* Records with n changes around the sizes where a length needs one more byte. */
static void test_records_of_many_sizes_come_back(void **state)
{
    Fixture *fixture = *state;
    static Change many[2000];
    for (gsize i = 0; i < G_N_ELEMENTS(many); i++)
        many[i] = changes[i % G_N_ELEMENTS(changes)];
    for (guint32 n = 0; n < G_N_ELEMENTS(many); n = n * 5 / 4 + 1) {
        Transaction transaction = {.n_changes = n, .changes = many};
        Record record = {.source_identity = "", .n_transactions = 1, .transactions = &transaction};
        Record back = pack_and_unpack(fixture, &record);
        assert_record(&back, &record);
        arena_reset(fixture->arena);
    }
}

static void test_a_record_cut_anywhere_is_an_error_or_another_record(void **state)
{
    Fixture *fixture = *state;
    record_pack(&events, fixture->arena, fixture->packed);
    guint64 digest = record_digest(fixture->packed->data, fixture->packed->len);
    for (guint size = 0; size < fixture->packed->len; size++) {
        g_autofree guint8 *part = g_memdup2(fixture->packed->data, size);
        Record back;
        assert_true(record_digest(part, size) != digest);
        if (!record_unpack(part, size, fixture->arena, &back, &fixture->error)) {
            assert_true(g_error_matches(fixture->error, DROVER_ERROR, DROVER_ERROR_PERSON));
            g_clear_error(&fixture->error);
        }
        arena_reset(fixture->arena);
    }
}

static void test_mutated_bytes_never_crash(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    record_pack(&events, fixture->arena, fixture->packed);
    gsize size = fixture->packed->len;
    g_autoptr(GByteArray) again = g_byte_array_new();
    for (int round = 0; round < 20000; round++) {
        g_autofree guint8 *data = g_memdup2(fixture->packed->data, size);
        for (gint32 n = g_rand_int_range(random, 1, 6); n > 0; n--)
            data[g_rand_int_range(random, 0, (gint32)size)] = (guint8)g_rand_int(random);
        Record back;
        g_byte_array_set_size(again, 0);
        if (record_unpack(data, size, fixture->arena, &back, NULL))
            record_pack(&back, fixture->arena, again);
        arena_reset(fixture->arena);
    }
}

/* Packs a message of the library and expects that record_unpack refuses it. */
static void assert_refused(Fixture *fixture, const Drover__RecordPb *pb, const char *why)
{
    Record back;
    gsize size = drover__record_pb__get_packed_size(pb);
    g_autofree guint8 *data = g_malloc(size);
    drover__record_pb__pack(pb, data);
    assert_false(record_unpack(data, size, fixture->arena, &back, &fixture->error));
    assert_true(g_error_matches(fixture->error, DROVER_ERROR, DROVER_ERROR_PERSON));
    assert_non_null(strstr(fixture->error->message, why));
    g_clear_error(&fixture->error);
}

/* A record with one change around a row. */
typedef struct Message {
    Drover__RecordPb record;
    Drover__TransactionPb transaction, *transactions[1];
    Drover__ChangePb change, *changes[1];
    Drover__RowPb row;
    ProtobufCBinaryData cells[2];
} Message;

static void message_init(Message *message)
{
    drover__record_pb__init(&message->record);
    message->record.bus_uuid = (ProtobufCBinaryData){16, (guint8 *)"0123456789abcdef"};
    message->record.n_transactions = 1;
    message->record.transactions = message->transactions;
    message->transactions[0] = &message->transaction;
    drover__transaction_pb__init(&message->transaction);
    message->transaction.n_changes = 1;
    message->transaction.changes = message->changes;
    message->changes[0] = &message->change;
    drover__change_pb__init(&message->change);
    message->change.operation = DROVER__OPERATION_PB__OPERATION_INSERT;
    message->change.row = &message->row;
    drover__row_pb__init(&message->row);
    message->row.n_values = 2;
    message->row.values = message->cells;
    message->cells[0] = (ProtobufCBinaryData){1, (guint8 *)"a"};
    message->cells[1] = (ProtobufCBinaryData){0, NULL};
}

static void test_kinds_that_do_not_match_values_are_refused(void **state)
{
    Message message;
    message_init(&message);
    message.row.kinds = (ProtobufCBinaryData){1, (guint8 *)"\1"};
    assert_refused(*state, &message.record, "kinds than values");
    message.row.kinds = (ProtobufCBinaryData){3, (guint8 *)"\0\1\1"};
    assert_refused(*state, &message.record, "kinds than values");
    message.row.kinds = (ProtobufCBinaryData){2, (guint8 *)"\1\1"};
    assert_refused(*state, &message.record, "no value has bytes");
    message.row.kinds = (ProtobufCBinaryData){2, (guint8 *)"\0\4"};
    assert_refused(*state, &message.record, "unknown kind");
}

static void test_unknown_operations_and_record_kinds_are_refused(void **state)
{
    Message message;
    message_init(&message);
    message.change.operation = DROVER__OPERATION_PB__OPERATION_NONE;
    assert_refused(*state, &message.record, "unknown operation");
    message.change.operation = (Drover__OperationPb)5;
    assert_refused(*state, &message.record, "unknown operation");
    message_init(&message);
    message.record.kind = (Drover__RecordKind)3;
    assert_refused(*state, &message.record, "unknown kind");
}

static void test_what_this_drover_cannot_read_is_refused(void **state)
{
    Message message;
    message_init(&message);
    message.transaction.segments = 1;
    assert_refused(*state, &message.record, "segments");
    message_init(&message);
    message.record.bus_uuid.len = 15;
    assert_refused(*state, &message.record, "UUID");
}

static void test_an_unknown_field_is_refused(void **state)
{
    Fixture *fixture = *state;
    Record back;
    record_pack(&events, fixture->arena, fixture->packed);
    g_byte_array_append(fixture->packed, (const guint8 *)"\xf8\x01\x01", 3); /* field 31: 1 */
    assert_false(record_unpack(fixture->packed->data, fixture->packed->len, fixture->arena, &back,
                               &fixture->error));
    assert_non_null(strstr(fixture->error->message, "does not know"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_events_of_every_operation_and_kind_come_back),
        TEST(test_a_claim_comes_back),
        TEST(test_a_heartbeat_comes_back),
        TEST(test_an_unpacked_record_does_not_need_its_bytes),
        TEST(test_packing_appends),
        TEST(test_large_cells_come_back),
        TEST(test_records_of_many_sizes_come_back),
        TEST(test_a_record_cut_anywhere_is_an_error_or_another_record),
        TEST(test_mutated_bytes_never_crash),
        TEST(test_kinds_that_do_not_match_values_are_refused),
        TEST(test_unknown_operations_and_record_kinds_are_refused),
        TEST(test_what_this_drover_cannot_read_is_refused),
        TEST(test_an_unknown_field_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
