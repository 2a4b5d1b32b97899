/*
 * The binlog decoder, over what real servers have sent (tests/support/record_binlog.py): MySQL 9.7
 * and MariaDB 10.11, with and without checksums, with all and with little metadata.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/binlog_row.h"
#include "proto/error.h"
#include "proto/gtid.h"
#include "tests/support/binlog_golden.h"

#include <string.h>

#define LIMIT (1 << 20)

typedef struct Decoded {
    Golden *golden;
    BinlogDecoder *decoder;
    BinlogRowReader *rows;
    BinlogEvent event;
    GError *error;
    guint next; /* event of the golden file */
} Decoded;

static void decoded_init(Decoded *decoded, const char *name)
{
    *decoded = (Decoded){.golden = golden_load(name),
                         .decoder = binlog_decoder_new(LIMIT),
                         .rows = binlog_row_reader_new()};
}

static void decoded_clear(Decoded *decoded)
{
    golden_free(decoded->golden);
    binlog_decoder_free(decoded->decoder);
    binlog_row_reader_free(decoded->rows);
    g_clear_error(&decoded->error);
}

/* The next event, inner ones too; false behind the last. */
static bool next_event(Decoded *decoded)
{
    for (;;) {
        switch (binlog_decoder_next(decoded->decoder, &decoded->event, &decoded->error)) {
        case BINLOG_NEXT_EVENT:
            return true;
        case BINLOG_NEXT_FAILED:
            fail_msg("%s", decoded->error->message);
            return false;
        case BINLOG_NEXT_NEED:
            if (decoded->next == decoded->golden->events->len)
                return false;
            GBytes *bytes = decoded->golden->events->pdata[decoded->next++];
            gsize size;
            const guint8 *data = g_bytes_get_data(bytes, &size);
            binlog_decoder_put(decoded->decoder, data, size);
        }
    }
}

/* The first event from here on whose name it is. */
static void find(Decoded *decoded, const char *name)
{
    while (next_event(decoded))
        if (strcmp(decoded->event.name, name) == 0)
            return;
    fail_msg("no event %s", name);
}

static void find_query(Decoded *decoded, const char *start)
{
    while (next_event(decoded))
        if (decoded->event.kind == BINLOG_QUERY &&
            decoded->event.query.statement.size >= strlen(start) &&
            strncmp(decoded->event.query.statement.text, start, strlen(start)) == 0)
            return;
    fail_msg("no statement %s", start);
}

static guint count_rows(Decoded *decoded)
{
    BinlogRow row;
    BinlogRowResult result;
    guint n = 0;
    binlog_row_reader_start(decoded->rows, &decoded->event);
    while ((result = binlog_row_reader_next(decoded->rows, &row, &decoded->error)) == BINLOG_ROW)
        n++;
    if (result == BINLOG_ROWS_FAILED)
        fail_msg("%s", decoded->error->message);
    return n;
}

static void assert_text(BinlogText text, const char *wanted)
{
    assert_int_equal(text.size, strlen(wanted));
    assert_memory_equal(text.text, wanted, text.size);
}

/* ---- every kind ---- */

static void expect_kinds(const char *name, const char *const *kinds)
{
    Decoded decoded;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    decoded_init(&decoded, name);
    while (next_event(&decoded)) {
        g_hash_table_add(seen, (gpointer)decoded.event.name);
        if (decoded.event.kind == BINLOG_ROWS)
            assert_true(count_rows(&decoded) > 0);
    }
    for (; *kinds; kinds++)
        if (!g_hash_table_contains(seen, *kinds))
            fail_msg("%s has no %s", name, *kinds);
    decoded_clear(&decoded);
}

static void test_every_kind_of_a_mysql_server_is_decoded(void **state)
{
    (void)state;
    expect_kinds("mysql_events",
                 (const char *[]){"ROTATE", "FORMAT_DESCRIPTION", "PREVIOUS_GTIDS", "GTID", "QUERY",
                                  "TABLE_MAP", "WRITE_ROWS", "UPDATE_ROWS", "DELETE_ROWS", "XID",
                                  "XA_PREPARE", "PARTIAL_UPDATE_ROWS", "TRANSACTION_PAYLOAD",
                                  "GTID_TAGGED", "ROWS_QUERY", "STOP", "HEARTBEAT", "HEARTBEAT_V2",
                                  NULL});
    expect_kinds("mysql_minimal", (const char *[]){"ANONYMOUS_GTID", "HEARTBEAT", NULL});
    expect_kinds("mysql_types", (const char *[]){"WRITE_ROWS", NULL});
}

static void test_every_kind_of_a_mariadb_server_is_decoded(void **state)
{
    (void)state;
    expect_kinds("mariadb_events", (const char *[]){"ROTATE",
                                                    "FORMAT_DESCRIPTION",
                                                    "GTID_LIST",
                                                    "BINLOG_CHECKPOINT",
                                                    "MARIADB_GTID",
                                                    "QUERY",
                                                    "TABLE_MAP",
                                                    "WRITE_ROWS_V1",
                                                    "UPDATE_ROWS_V1",
                                                    "DELETE_ROWS_V1",
                                                    "XID",
                                                    "XA_PREPARE",
                                                    "ANNOTATE_ROWS",
                                                    "QUERY_COMPRESSED",
                                                    "WRITE_ROWS_COMPRESSED_V1",
                                                    "UPDATE_ROWS_COMPRESSED_V1",
                                                    "DELETE_ROWS_COMPRESSED_V1",
                                                    "STOP",
                                                    "HEARTBEAT",
                                                    NULL});
    expect_kinds("mariadb_nolog", (const char *[]){"HEARTBEAT", NULL});
    expect_kinds("mariadb_types", (const char *[]){"WRITE_ROWS_V1", NULL});
}

/* ---- what they say ---- */

static void test_positions_follow_each_other_through_files(void **state)
{
    (void)state;
    for (guint i = 0; golden_names[i]; i++) {
        Decoded decoded;
        guint64 expected = 0;
        decoded_init(&decoded, golden_names[i]);
        while (next_event(&decoded)) {
            const BinlogEvent *event = &decoded.event;
            if (event->kind == BINLOG_HEARTBEAT || event->inner)
                continue;
            if (event->kind == BINLOG_ROTATE && (event->flags & BINLOG_EVENT_ARTIFICIAL))
                expected = event->rotate.position;
            if (g_str_has_prefix(golden_names[i], "mysql"))
                assert_int_equal(event->position, expected);
            else /* MariaDB does not send statements of rows that were not asked for */
                assert_true(event->position >= expected);
            if (event->next_position != event->position)
                assert_int_equal(event->next_position, event->position + event->size);
            expected = event->next_position;
            assert_true(g_str_has_prefix(event->file, "binlog.0"));
        }
        decoded_clear(&decoded);
    }
}

static void test_a_heartbeat_names_the_end_of_the_log(void **state)
{
    (void)state;
    Decoded decoded;
    decoded_init(&decoded, "mysql_events");
    find(&decoded, "HEARTBEAT");
    BinlogText file = decoded.event.heartbeat.file;
    g_autofree char *name = g_strndup(file.text, file.size);
    guint64 position = decoded.event.heartbeat.position;
    assert_true(position > 4);
    find(&decoded, "HEARTBEAT_V2");
    assert_text(decoded.event.heartbeat.file, name);
    assert_int_equal(decoded.event.heartbeat.position, position);
    decoded_clear(&decoded);
}

static void test_a_mysql_transaction_has_gtid_rows_and_end(void **state)
{
    (void)state;
    Decoded decoded;
    decoded_init(&decoded, "mysql_events");
    find(&decoded, "GTID");
    assert_true(decoded.event.gtid.number > 0);
    assert_string_equal(decoded.event.gtid.tag, "");
    assert_false(decoded.event.gtid.may_have_statements);
    assert_true(decoded.event.gtid.commit_time > G_GUINT64_CONSTANT(1600000000000000));
    assert_true(decoded.event.gtid.transaction_size > 0);
    guint64 start = decoded.event.position, size = decoded.event.gtid.transaction_size;
    find(&decoded, "QUERY");
    assert_text(decoded.event.query.statement, "BEGIN");
    assert_text(decoded.event.query.database, "golden");
    assert_int_equal(decoded.event.query.client_charset, 224 + 31); /* utf8mb4_0900_ai_ci */
    find(&decoded, "TABLE_MAP");
    assert_string_equal(decoded.event.table_map->table, "t");
    find(&decoded, "WRITE_ROWS");
    assert_int_equal(count_rows(&decoded), 2);
    assert_int_equal(decoded.event.rows.flags & BINLOG_ROWS_STATEMENT_END, 1);
    find(&decoded, "XID");
    assert_true(decoded.event.xid > 0);
    assert_int_equal(decoded.event.next_position, start + size);
    decoded_clear(&decoded);
}

static void test_a_tagged_gtid_has_its_tag(void **state)
{
    (void)state;
    Decoded decoded;
    decoded_init(&decoded, "mysql_events");
    find(&decoded, "GTID");
    BinlogGtid plain = decoded.event.gtid;
    find(&decoded, "GTID_TAGGED");
    const BinlogGtid *gtid = &decoded.event.gtid;
    assert_string_equal(gtid->tag, "tagged");
    assert_int_equal(gtid->number, 1);
    assert_memory_equal(gtid->uuid, plain.uuid, sizeof plain.uuid);
    assert_true(gtid->sequence == gtid->last_committed + 1 || gtid->sequence > 0);
    assert_true(gtid->commit_time >= plain.commit_time);
    guint64 start = decoded.event.position, size = gtid->transaction_size;
    find(&decoded, "XID");
    assert_int_equal(decoded.event.next_position, start + size);
    decoded_clear(&decoded);
}

static void test_previous_gtids_contain_what_came_before(void **state)
{
    (void)state;
    Decoded decoded;
    decoded_init(&decoded, "mysql_events");
    g_autoptr(MysqlGtidSet) seen = NULL;
    bool compared = false;
    while (next_event(&decoded)) {
        const BinlogEvent *event = &decoded.event;
        if (event->kind == BINLOG_PREVIOUS_GTIDS) {
            g_autoptr(MysqlGtidSet) set = mysql_gtid_set_decode(
                event->previous_gtids.set, event->previous_gtids.size, &decoded.error);
            assert_non_null(set);
            compared |= seen && mysql_gtid_set_count(set) > 1;
            if (seen)
                assert_true(mysql_gtid_set_equal(set, seen));
            else
                seen = g_steal_pointer(&set);
        } else if (event->kind == BINLOG_GTID) {
            mysql_gtid_set_add(seen, event->gtid.uuid, event->gtid.tag, event->gtid.number);
        } else if (event->kind == BINLOG_HEARTBEAT) {
            break;
        }
    }
    assert_true(compared);
    decoded_clear(&decoded);
}

static void test_a_gtid_list_contains_what_came_before(void **state)
{
    (void)state;
    Decoded decoded;
    decoded_init(&decoded, "mariadb_events");
    g_autoptr(MariadbGtids) seen = NULL;
    guint compared = 0;
    while (next_event(&decoded) && decoded.event.kind != BINLOG_HEARTBEAT) {
        const BinlogEvent *event = &decoded.event;
        if (event->kind == BINLOG_MARIADB_GTID_LIST) {
            g_autoptr(MariadbGtids) list =
                mariadb_gtids_decode(event->gtid_list.list, event->gtid_list.n);
            if (seen)
                assert_int_equal(mariadb_gtids_compare(seen, list), MARIADB_GTIDS_EQUAL);
            compared += mariadb_gtids_count(list) > 1;
            g_clear_pointer(&seen, mariadb_gtids_free);
            seen = g_steal_pointer(&list);
        } else if (event->kind == BINLOG_MARIADB_GTID) {
            mariadb_gtids_add(seen,
                              (MariadbGtid){event->mariadb_gtid.domain, event->mariadb_gtid.server,
                                            event->mariadb_gtid.sequence});
        }
    }
    assert_true(compared > 0);
    decoded_clear(&decoded);
}

static void test_mariadb_gtids_tell_ddl_and_xa(void **state)
{
    (void)state;
    Decoded decoded;
    guint standalone = 0, prepared = 0, completed = 0, other_domain = 0;
    decoded_init(&decoded, "mariadb_events");
    while (next_event(&decoded)) {
        if (decoded.event.kind != BINLOG_MARIADB_GTID)
            continue;
        const BinlogMariadbGtid *gtid = &decoded.event.mariadb_gtid;
        standalone += gtid->standalone && gtid->ddl;
        prepared += gtid->prepared_xa;
        completed += gtid->completed_xa;
        other_domain += gtid->domain == 7;
        if (gtid->prepared_xa || gtid->completed_xa) {
            assert_int_equal(gtid->xid.gtrid_size, 2);
            assert_memory_equal(gtid->xid.data, "x1", 2);
        }
    }
    assert_true(standalone > 0);
    assert_int_equal(prepared, 1);
    assert_int_equal(completed, 1);
    assert_int_equal(other_domain, 1);
    decoded_clear(&decoded);
}

static void test_an_xa_transaction_has_its_name(void **state)
{
    (void)state;
    Decoded decoded;
    decoded_init(&decoded, "mysql_events");
    find_query(&decoded, "XA START X'7831',X'',1");
    find(&decoded, "XA_PREPARE");
    assert_false(decoded.event.xa_prepare.one_phase);
    assert_int_equal(decoded.event.xa_prepare.xid.format, 1);
    assert_int_equal(decoded.event.xa_prepare.xid.gtrid_size, 2);
    assert_int_equal(decoded.event.xa_prepare.xid.bqual_size, 0);
    assert_memory_equal(decoded.event.xa_prepare.xid.data, "x1", 2);
    find_query(&decoded, "XA COMMIT X'7831',X'',1");
    decoded_clear(&decoded);
}

static void test_a_compressed_transaction_gives_its_events(void **state)
{
    (void)state;
    static const char *const names[] = {"QUERY",       "TABLE_MAP", "WRITE_ROWS",  "TABLE_MAP",
                                        "UPDATE_ROWS", "TABLE_MAP", "DELETE_ROWS", "XID"};
    Decoded decoded;
    decoded_init(&decoded, "mysql_events");
    find(&decoded, "TRANSACTION_PAYLOAD");
    find(&decoded, "TRANSACTION_PAYLOAD");
    guint64 position = decoded.event.position;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        assert_true(next_event(&decoded));
        assert_string_equal(decoded.event.name, names[i]);
        assert_true(decoded.event.inner);
        assert_int_equal(decoded.event.position, position);
    }
    assert_true(next_event(&decoded));
    assert_false(decoded.event.inner);
    decoded_clear(&decoded);
}

static void test_statements_of_rows_are_shown(void **state)
{
    (void)state;
    Decoded mysql, mariadb;
    decoded_init(&mysql, "mysql_events");
    decoded_init(&mariadb, "mariadb_events");
    find(&mysql, "ROWS_QUERY");
    assert_text(mysql.event.annotate, "insert into t values (111, 'rows query', 'a', 'y', 1)");
    find(&mariadb, "ANNOTATE_ROWS");
    assert_text(mariadb.event.annotate,
                "insert into t values (1, 'one', 'a', 'x,y', 5), (2, null, null, null, null)");
    find(&mariadb, "QUERY_COMPRESSED");
    assert_memory_equal(mariadb.event.query.statement.text, "create table a_longer_name", 26);
    decoded_clear(&mysql);
    decoded_clear(&mariadb);
}

/* ---- table maps ---- */

static void test_full_metadata_names_everything(void **state)
{
    (void)state;
    static const char *const files[] = {"mysql_events", "mariadb_events"};
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        Decoded decoded;
        decoded_init(&decoded, files[i]);
        find(&decoded, "TABLE_MAP");
        const BinlogTableMap *map = decoded.event.table_map;
        assert_string_equal(map->database, "golden");
        assert_int_equal(map->n_columns, 5);
        assert_true(map->has_names);
        assert_string_equal(map->columns[0].name, "id");
        assert_false(map->columns[0].nullable);
        assert_true(map->columns[1].nullable);
        assert_true(map->columns[0].sign_known && !map->columns[0].is_unsigned);
        assert_true(map->columns[4].sign_known && map->columns[4].is_unsigned);
        assert_int_equal(map->columns[2].type, COLUMN_ENUM);
        assert_int_equal(map->columns[2].n_labels, 2);
        assert_memory_equal(map->columns[2].labels[1].text, "b", 1);
        assert_int_equal(map->columns[3].type, COLUMN_SET);
        assert_memory_equal(map->columns[3].labels[0].text, "x", 1);
        assert_int_equal(map->n_key, 1);
        assert_int_equal(map->key[0].column, 0);
        assert_true(map->columns[1].collation > 0 && map->columns[2].collation > 0);
        guint64 serial = map->serial;
        find(&decoded, "TABLE_MAP");
        assert_int_equal(decoded.event.table_map->serial, serial); /* the same bytes */
        decoded_clear(&decoded);
    }
}

static void test_little_metadata_says_what_is_unknown(void **state)
{
    (void)state;
    Decoded minimal, nolog;
    decoded_init(&minimal, "mysql_minimal");
    decoded_init(&nolog, "mariadb_nolog");
    find(&minimal, "TABLE_MAP");
    find(&nolog, "TABLE_MAP");
    const BinlogTableMap *map = minimal.event.table_map;
    assert_false(map->has_names);
    assert_null(map->columns[1].name);
    assert_true(map->columns[1].sign_known && map->columns[1].is_unsigned);
    assert_true(map->columns[2].collation > 0);
    map = nolog.event.table_map;
    assert_false(map->has_names || map->columns[1].sign_known);
    assert_int_equal(map->columns[2].collation, 0);
    decoded_clear(&minimal);
    decoded_clear(&nolog);
}

static void test_minimal_images_have_absent_columns(void **state)
{
    (void)state;
    Decoded decoded;
    BinlogRow row;
    decoded_init(&decoded, "mysql_minimal");
    find(&decoded, "UPDATE_ROWS");
    binlog_row_reader_start(decoded.rows, &decoded.event);
    assert_int_equal(binlog_row_reader_next(decoded.rows, &row, &decoded.error), BINLOG_ROW);
    assert_int_equal(row.operation, BINLOG_UPDATE);
    assert_int_equal(row.before[0].kind, BINLOG_VALUE_ABSENT);
    assert_int_equal(row.before[1].kind, BINLOG_VALUE_INTEGER);
    assert_int_equal((guint64)row.before[1].integer, 4294967295);
    assert_int_equal(row.after[0].integer, 2);
    assert_int_equal(row.after[1].kind, BINLOG_VALUE_ABSENT);
    assert_int_equal(row.after[2].kind, BINLOG_VALUE_ABSENT);
    assert_int_equal(binlog_row_reader_next(decoded.rows, &row, &decoded.error), BINLOG_ROWS_DONE);
    decoded_clear(&decoded);
}

static void test_noblob_images_lack_the_unchanged_blob(void **state)
{
    (void)state;
    Decoded decoded;
    BinlogRow row;
    decoded_init(&decoded, "mariadb_nolog");
    find(&decoded, "UPDATE_ROWS_V1");
    binlog_row_reader_start(decoded.rows, &decoded.event);
    assert_int_equal(binlog_row_reader_next(decoded.rows, &row, &decoded.error), BINLOG_ROW);
    assert_int_equal(row.after[2].kind, BINLOG_VALUE_ABSENT);
    assert_int_equal(row.after[3].kind, BINLOG_VALUE_STRING);
    decoded_clear(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_a_mysql_server_is_decoded),
        cmocka_unit_test(test_every_kind_of_a_mariadb_server_is_decoded),
        cmocka_unit_test(test_positions_follow_each_other_through_files),
        cmocka_unit_test(test_a_heartbeat_names_the_end_of_the_log),
        cmocka_unit_test(test_a_mysql_transaction_has_gtid_rows_and_end),
        cmocka_unit_test(test_a_tagged_gtid_has_its_tag),
        cmocka_unit_test(test_previous_gtids_contain_what_came_before),
        cmocka_unit_test(test_a_gtid_list_contains_what_came_before),
        cmocka_unit_test(test_mariadb_gtids_tell_ddl_and_xa),
        cmocka_unit_test(test_an_xa_transaction_has_its_name),
        cmocka_unit_test(test_a_compressed_transaction_gives_its_events),
        cmocka_unit_test(test_statements_of_rows_are_shown),
        cmocka_unit_test(test_full_metadata_names_everything),
        cmocka_unit_test(test_little_metadata_says_what_is_unknown),
        cmocka_unit_test(test_minimal_images_have_absent_columns),
        cmocka_unit_test(test_noblob_images_lack_the_unchanged_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
