/*
 * The pgoutput parser. The golden messages are what a PostgreSQL 15 server sent
 * (pg_logical_slot_peek_binary_changes with binary and messages) for two tables:
 *
 *   create table t (id int primary key, v text, n numeric(10,2));
 *   create table f (a int, b text);  alter table f replica identity full;
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/postgres/pgoutput.h"
#include "capture/postgres/relation.h"
#include "proto/error.h"
#include "tests/support/tables.h"

#include <string.h>

#define LSN G_GUINT64_CONSTANT(0x1A0000002B)

static const char begin[] = "420000000001994580000303ea2b4a39ee000002e4";
static const char commit[] = "4300000000000199458000000000019945b0000303ea2b4a39ee";
static const char origin[] = "4f0000000000abcdef636170747572655f676f6c645f6f00";
static const char type[] = "590000401e7075626c6963006d6f6f6400";
static const char relation_t[] =
    "52000040067075626c69630074006400030169640000000017ffffffff00760000000"
    "019ffffffff006e00000006a4000a0006";
static const char relation_f[] =
    "520000400d7075626c696300660066000201610000000017ffffffff01620000000019ffffffff";
static const char insert[] =
    "49000040064e000362000000040000000162000000036f6e65620000000c000200000000000200011388";
static const char insert_nulls[] = "49000040064e00036200000004000000036e6e";
static const char update_key[] =
    "55000040064b00036200000004000000016e6e4e0003620000000400000002620000"
    "0003756e6f620000000c000200000000000200011388";
static const char update_unchanged[] =
    "55000040064e000362000000040000000475620000000a00010000000000020004";
static const char update_full[] =
    "550000400d4f00026200000004000000016200000001614e0002620000000400000001620000000162";
static const char delete_key[] = "44000040064b00036200000004000000026e6e";
static const char delete_full[] = "440000400d4f0002620000000400000001620000000162";
static const char truncate_two[] = "540000000200000040060000400d";
static const char message_transactional[] = "4d01000000000199719064726f76657200000000027478";
static const char message_plain[] = "4d00000000000199720064726f76657200000000056865617274";

static const char *const golden[] = {
    begin,        commit,     origin,       type,         relation_t,
    relation_f,   insert,     insert_nulls, update_key,   update_unchanged,
    update_full,  delete_key, delete_full,  truncate_two, message_transactional,
    message_plain};

typedef struct Parsed {
    Pgoutput *parser;
    GByteArray *bytes;
    PgoutputMessage message;
    GError *error;
} Parsed;

static GByteArray *bytes_of(const char *hex)
{
    GByteArray *bytes = g_byte_array_new();
    for (; *hex; hex += 2) {
        guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) * 16 + g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(bytes, &byte, 1);
    }
    return bytes;
}

/* A copy of exactly size bytes, so that valgrind and ASan see every step past the end. */
static bool parse_exactly(Parsed *parsed, const guint8 *data, gsize size)
{
    guint8 *copy = g_malloc(MAX(size, 1));
    memcpy(copy, data, size);
    bool done = pgoutput_parse(parsed->parser, copy, size, LSN, &parsed->message, &parsed->error);
    g_free(copy);
    return done;
}

static Parsed parse_hex(const char *hex)
{
    Parsed parsed = {.parser = pgoutput_new(), .bytes = bytes_of(hex)};
    if (!pgoutput_parse(parsed.parser, parsed.bytes->data, parsed.bytes->len, LSN, &parsed.message,
                        &parsed.error))
        fail_msg("%s", parsed.error->message);
    return parsed;
}

static void parsed_clear(Parsed *parsed)
{
    pgoutput_free(parsed->parser);
    g_byte_array_unref(parsed->bytes);
    g_clear_error(&parsed->error);
}

static void assert_text(const Cell *cell, const char *text)
{
    assert_int_equal(cell->kind, CELL_VALUE);
    assert_int_equal(cell->length, strlen(text));
    assert_memory_equal(cell->data, text, cell->length);
}

static void assert_int4(const Cell *cell, guint32 value)
{
    guint32 found;
    assert_int_equal(cell->kind, CELL_VALUE);
    assert_int_equal(cell->length, sizeof found);
    memcpy(&found, cell->data, sizeof found);
    assert_int_equal(GUINT32_FROM_BE(found), value);
}

/* ---- golden messages ---- */

static void test_begin_has_xid_and_unix_time(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(begin);
    assert_int_equal(parsed.message.kind, PGOUTPUT_BEGIN);
    assert_int_equal(parsed.message.begin.commit_lsn, 0x1994580);
    assert_int_equal(parsed.message.begin.xid, 0x2e4);
    assert_int_equal(parsed.message.begin.commit_time,
                     G_GINT64_CONSTANT(0x303ea2b4a39ee) + G_GINT64_CONSTANT(946684800000000));
    parsed_clear(&parsed);
}

static void test_commit_has_the_end_of_its_record(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(commit);
    assert_int_equal(parsed.message.commit.commit_lsn, 0x1994580);
    assert_int_equal(parsed.message.commit.end_lsn, 0x19945B0);
    parsed_clear(&parsed);
}

static void test_relation_has_columns_types_and_key(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(relation_t);
    assert_string_equal(parsed.message.relation.schema, "public");
    assert_string_equal(parsed.message.relation.name, "t");
    assert_int_equal(parsed.message.relation.replica_identity, 'd');
    assert_int_equal(parsed.message.relation.n_columns, 3);
    const PgoutputColumn *columns = parsed.message.relation.columns;
    assert_string_equal(columns[0].name, "id");
    assert_true(columns[0].is_key);
    assert_int_equal(columns[1].type_oid, 25);
    assert_int_equal(columns[1].type_modifier, -1);
    assert_false(columns[1].is_key);
    assert_int_equal(columns[2].type_modifier, 0xa0006);
    parsed_clear(&parsed);
}

static void test_insert_has_binary_values(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(insert);
    assert_int_equal(parsed.message.kind, PGOUTPUT_INSERT);
    assert_int_equal(parsed.message.change.old_kind, PGOUTPUT_NO_OLD);
    assert_int_equal(parsed.message.change.row.n_cells, 3);
    assert_int_equal(parsed.message.change.row.first_text, -1);
    assert_int4(&parsed.message.change.row.cells[0], 1);
    assert_text(&parsed.message.change.row.cells[1], "one");
    parsed_clear(&parsed);
}

static void test_insert_has_nulls(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(insert_nulls);
    assert_int_equal(parsed.message.change.row.cells[1].kind, CELL_NULL);
    assert_int_equal(parsed.message.change.row.cells[2].kind, CELL_NULL);
    parsed_clear(&parsed);
}

static void test_update_of_the_key_has_the_old_key(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(update_key);
    assert_int_equal(parsed.message.change.old_kind, PGOUTPUT_OLD_KEY);
    assert_int4(&parsed.message.change.old.cells[0], 1);
    assert_int4(&parsed.message.change.row.cells[0], 2);
    parsed_clear(&parsed);
}

static void test_update_has_unchanged_values(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(update_unchanged);
    assert_int_equal(parsed.message.change.row.cells[1].kind, CELL_UNCHANGED);
    parsed_clear(&parsed);
}

static void test_update_with_full_identity_has_the_old_row(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(update_full);
    assert_int_equal(parsed.message.change.old_kind, PGOUTPUT_OLD_ROW);
    assert_text(&parsed.message.change.old.cells[1], "a");
    assert_text(&parsed.message.change.row.cells[1], "b");
    parsed_clear(&parsed);
}

static void test_delete_has_the_key_or_the_row(void **state)
{
    (void)state;
    Parsed key = parse_hex(delete_key), row = parse_hex(delete_full);
    assert_int_equal(key.message.change.old_kind, PGOUTPUT_OLD_KEY);
    assert_int_equal(key.message.change.row.n_cells, 0);
    assert_int_equal(row.message.change.old_kind, PGOUTPUT_OLD_ROW);
    parsed_clear(&key);
    parsed_clear(&row);
}

static void test_truncate_has_all_relations(void **state)
{
    (void)state;
    Parsed parsed = parse_hex(truncate_two);
    assert_int_equal(parsed.message.truncate.n_relations, 2);
    assert_int_equal(parsed.message.truncate.relations[0], 0x4006);
    assert_int_equal(parsed.message.truncate.relations[1], 0x400d);
    assert_false(parsed.message.truncate.cascade);
    parsed_clear(&parsed);
}

static void test_messages_tell_whether_they_are_transactional(void **state)
{
    (void)state;
    Parsed transactional = parse_hex(message_transactional), plain = parse_hex(message_plain);
    assert_true(transactional.message.message.transactional);
    assert_false(plain.message.message.transactional);
    assert_string_equal(plain.message.message.prefix, "drover");
    assert_int_equal(plain.message.message.lsn, 0x1997200);
    assert_int_equal(plain.message.message.size, 5);
    assert_memory_equal(plain.message.message.content, "heart", 5);
    parsed_clear(&transactional);
    parsed_clear(&plain);
}

static void test_origin_and_type_are_accepted(void **state)
{
    (void)state;
    Parsed first = parse_hex(origin), second = parse_hex(type);
    assert_int_equal(first.message.kind, PGOUTPUT_ORIGIN);
    assert_int_equal(second.message.kind, PGOUTPUT_TYPE);
    parsed_clear(&first);
    parsed_clear(&second);
}

/* ---- broken messages ---- */

static void test_every_truncation_of_every_message_is_an_error(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(golden); i++) {
        Parsed parsed = {.parser = pgoutput_new(), .bytes = bytes_of(golden[i])};
        for (gsize size = 0; size < parsed.bytes->len; size++) {
            assert_false(parse_exactly(&parsed, parsed.bytes->data, size));
            assert_true(g_error_matches(parsed.error, DROVER_ERROR, DROVER_ERROR_PERSON));
            g_clear_error(&parsed.error);
        }
        assert_true(parse_exactly(&parsed, parsed.bytes->data, parsed.bytes->len));
        parsed_clear(&parsed);
    }
}

static void test_a_surplus_byte_after_any_message_is_an_error(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(golden); i++) {
        Parsed parsed = {.parser = pgoutput_new(), .bytes = bytes_of(golden[i])};
        g_byte_array_append(parsed.bytes, (const guint8 *)"", 1);
        assert_false(parse_exactly(&parsed, parsed.bytes->data, parsed.bytes->len));
        assert_non_null(strstr(parsed.error->message, "surplus bytes"));
        parsed_clear(&parsed);
    }
}

static void expect_refusal(const char *hex, const char *needle)
{
    Parsed parsed = {.parser = pgoutput_new(), .bytes = bytes_of(hex)};
    assert_false(parse_exactly(&parsed, parsed.bytes->data, parsed.bytes->len));
    assert_true(g_error_matches(parsed.error, DROVER_ERROR, DROVER_ERROR_PERSON));
    if (!strstr(parsed.error->message, needle) || !strstr(parsed.error->message, "1A/2B"))
        fail_msg("\"%s\" and the position are not in: %s", needle, parsed.error->message);
    parsed_clear(&parsed);
}

static void test_an_unknown_kind_is_named_with_its_position(void **state)
{
    (void)state;
    expect_refusal("5300", "message 'S': unknown kind");
    expect_refusal("0700", "message 0x07: unknown kind");
}

static void test_unknown_flags_are_refused(void **state)
{
    (void)state;
    expect_refusal("4301000000000199458000000000019945b0000303ea2b4a39ee", "Commit: unknown flags");
    expect_refusal("4d02000000000199720064726f76657200000000056865617274",
                   "Message: unknown flags 0x02");
    expect_refusal("540000000204000040060000400d", "Truncate: unknown options 0x04");
    expect_refusal("520000400d7075626c696300660066000203610000000017ffffffff0162000000001"
                   "9ffffffff",
                   "Relation: unknown column flags 0x03");
    expect_refusal("520000400d7075626c696300660071000101610000000017ffffffff",
                   "unknown replica identity 'q'");
}

static void test_unknown_tuples_and_value_formats_are_refused(void **state)
{
    (void)state;
    expect_refusal("49000040064b00036200000004000000036e6e", "Insert: unknown tuple 'K'");
    expect_refusal("44000040064e00036200000004000000026e6e", "Delete: unknown tuple 'N'");
    expect_refusal("49000040064e00036200000004000000036e78",
                   "unknown value format 'x' of column 3");
}

/* A count that promises more than there is must not make the parser take memory for it. */
static void test_a_huge_truncate_count_is_refused(void **state)
{
    (void)state;
    expect_refusal("54ffffffff0000004006", "ends too early");
}

/* ---- relations ---- */

static char *name_of_type(void *user, guint32 type_oid, gint32 modifier, GError **error)
{
    (void)user, (void)error;
    if (type_oid == 1700)
        return modifier == 0xa0006 ? g_strdup("numeric(10,2)") : g_strdup("numeric");
    return g_strdup(type_oid == 23 ? "integer" : "text");
}

typedef struct Mapped {
    Migration migration;
    RelationMap *map;
    Pgoutput *parser;
    PgoutputMessage message;
    GError *error;
} Mapped;

static char slot[] = "drover_test";

/* A migration of table t as given, number 0x4006, and the Relation message of the real one. */
static void mapped_init(Mapped *mapped, const char *columns, bool *accepted)
{
    *mapped = (Mapped){.parser = pgoutput_new()};
    mapped->migration.slot = slot;
    mapped->migration.tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    Table *table = test_table_new(1, "t", columns);
    table->source_oid = 0x4006;
    g_ptr_array_add(mapped->migration.tables, table);
    int number = table_find_column(table, "n");
    if (number >= 0 && table->columns[number].type_oid == 1700) {
        g_free(table->columns[number].type);
        table->columns[number].type = g_strdup("numeric(10,2)");
    }
    mapped->map = relation_map_new(&mapped->migration, name_of_type, NULL);
    g_autoptr(GByteArray) bytes = bytes_of(relation_t);
    assert_true(pgoutput_parse(mapped->parser, bytes->data, bytes->len, LSN, &mapped->message,
                               &mapped->error));
    *accepted = relation_map_put(mapped->map, &mapped->message, LSN, &mapped->error);
}

static void mapped_clear(Mapped *mapped)
{
    relation_map_free(mapped->map);
    pgoutput_free(mapped->parser);
    g_ptr_array_unref(mapped->migration.tables);
    g_clear_error(&mapped->error);
}

static void expect_difference(const char *columns, const char *needle)
{
    bool accepted;
    Mapped mapped;
    mapped_init(&mapped, columns, &accepted);
    assert_false(accepted);
    assert_true(g_error_matches(mapped.error, DROVER_ERROR, DROVER_ERROR_PERSON));
    if (!strstr(mapped.error->message, needle))
        fail_msg("\"%s\" is not in: %s", needle, mapped.error->message);
    mapped_clear(&mapped);
}

static void test_a_table_as_it_was_planned_is_accepted(void **state)
{
    (void)state;
    bool accepted;
    Mapped mapped;
    mapped_init(&mapped, "id integer key, v text, n numeric", &accepted);
    if (!accepted)
        fail_msg("%s", mapped.error->message);
    mapped_clear(&mapped);
}

static void test_every_kind_of_difference_is_named(void **state)
{
    (void)state;
    expect_difference("id integer key, v text", "column \"n\" was added");
    expect_difference("id integer key, v text, n numeric, w integer", "column \"w\" was dropped");
    expect_difference("id integer key, w text, n numeric", "\"w\" was renamed to \"v\"");
    expect_difference("id integer key, v integer, n numeric",
                      "the type of column \"v\" changed from integer to text");
    expect_difference("id integer, v text key, n numeric", "column \"id\" is now of the key");
}

static void test_a_text_value_is_refused_by_column(void **state)
{
    (void)state;
    bool accepted;
    Mapped mapped;
    Cell cells[3];
    mapped_init(&mapped, "id integer key, v text, n numeric", &accepted);
    g_autoptr(GByteArray) bytes = bytes_of("49000040064e000362000000040000000174000000036f6e656e");
    assert_true(pgoutput_parse(mapped.parser, bytes->data, bytes->len, LSN, &mapped.message,
                               &mapped.error));
    const Relation *relation = relation_map_get(mapped.map, 0x4006, LSN, &mapped.error);
    assert_false(relation_cells(relation, &mapped.message.change.row, LSN, cells, &mapped.error));
    assert_non_null(strstr(mapped.error->message, "column \"v\""));
    mapped_clear(&mapped);
}

static void test_cells_stand_in_the_order_of_the_table(void **state)
{
    (void)state;
    bool accepted;
    Mapped mapped;
    Cell cells[3];
    mapped_init(&mapped, "n numeric, v text, id integer key", &accepted);
    g_autoptr(GByteArray) bytes = bytes_of(insert);
    assert_true(pgoutput_parse(mapped.parser, bytes->data, bytes->len, LSN, &mapped.message,
                               &mapped.error));
    const Relation *relation = relation_map_get(mapped.map, 0x4006, LSN, &mapped.error);
    assert_true(relation_cells(relation, &mapped.message.change.row, LSN, cells, &mapped.error));
    assert_int4(&cells[2], 1);
    assert_text(&cells[1], "one");
    mapped_clear(&mapped);
}

static void test_a_row_of_another_width_is_refused(void **state)
{
    (void)state;
    bool accepted;
    Mapped mapped;
    Cell cells[3];
    mapped_init(&mapped, "id integer key, v text, n numeric", &accepted);
    PgoutputTuple tuple = {.n_cells = 2, .first_text = -1};
    const Relation *relation = relation_map_get(mapped.map, 0x4006, LSN, &mapped.error);
    assert_false(relation_cells(relation, &tuple, LSN, cells, &mapped.error));
    mapped_clear(&mapped);
}

static void test_a_relation_that_was_never_described_is_refused(void **state)
{
    (void)state;
    bool accepted;
    Mapped mapped;
    mapped_init(&mapped, "id integer key, v text, n numeric", &accepted);
    assert_null(relation_map_get(mapped.map, 77, LSN, &mapped.error));
    assert_true(g_error_matches(mapped.error, DROVER_ERROR, DROVER_ERROR_PERSON));
    mapped_clear(&mapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_has_xid_and_unix_time),
        cmocka_unit_test(test_commit_has_the_end_of_its_record),
        cmocka_unit_test(test_relation_has_columns_types_and_key),
        cmocka_unit_test(test_insert_has_binary_values),
        cmocka_unit_test(test_insert_has_nulls),
        cmocka_unit_test(test_update_of_the_key_has_the_old_key),
        cmocka_unit_test(test_update_has_unchanged_values),
        cmocka_unit_test(test_update_with_full_identity_has_the_old_row),
        cmocka_unit_test(test_delete_has_the_key_or_the_row),
        cmocka_unit_test(test_truncate_has_all_relations),
        cmocka_unit_test(test_messages_tell_whether_they_are_transactional),
        cmocka_unit_test(test_origin_and_type_are_accepted),
        cmocka_unit_test(test_every_truncation_of_every_message_is_an_error),
        cmocka_unit_test(test_a_surplus_byte_after_any_message_is_an_error),
        cmocka_unit_test(test_an_unknown_kind_is_named_with_its_position),
        cmocka_unit_test(test_unknown_flags_are_refused),
        cmocka_unit_test(test_unknown_tuples_and_value_formats_are_refused),
        cmocka_unit_test(test_a_huge_truncate_count_is_refused),
        cmocka_unit_test(test_a_table_as_it_was_planned_is_accepted),
        cmocka_unit_test(test_every_kind_of_difference_is_named),
        cmocka_unit_test(test_a_text_value_is_refused_by_column),
        cmocka_unit_test(test_cells_stand_in_the_order_of_the_table),
        cmocka_unit_test(test_a_row_of_another_width_is_refused),
        cmocka_unit_test(test_a_relation_that_was_never_described_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
