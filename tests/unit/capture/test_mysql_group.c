/*
 * Groups of events as transactions: what real servers logged (golden binlogs), cut off anywhere,
 * and events that no server at hand logs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/stream.h"
#include "proto/error.h"
#include "tests/support/binlog_golden.h"
#include "tests/support/must.h"

#include <string.h>

#define UUID "80ed168f-e863-11f1-8a3a-02fc00000001"

static const guint8 uuid[16] = {0x80, 0xed, 0x16, 0x8f, 0xe8, 0x63, 0x11, 0xf1,
                                0x8a, 0x3a, 0x02, 0xfc, 0,    0,    0,    1};

typedef struct Group {
    Migration migration;
    MysqlStream *stream;
    bool reaches; /* what the server says of statements */
    GString *text;
    GError *error;
    BinlogEvent next; /* the event that put makes */
} Group;

static void add_column(Table *table, const char *name, const char *type, guint32 oid)
{
    table->columns = g_renew(Column, table->columns, table->n_columns + 1);
    table->columns[table->n_columns] = (Column){.name = g_strdup(name),
                                                .type = g_strdup(type),
                                                .type_oid = oid,
                                                .number = (int)table->n_columns + 1,
                                                .charset = oid == 25 ? g_strdup("utf8mb4") : NULL,
                                                .key_place = table->n_columns == 0 ? 0 : -1};
    table->n_columns++;
}

/* golden.t, as record_binlog.py makes it. */
static Table *make_table(void)
{
    Table *table = g_new0(Table, 1);
    table->id = 1;
    table->source_schema = g_strdup("golden");
    table->source_name = g_strdup("t");
    table->label = g_strdup("golden.t");
    add_column(table, "id", "int", 23);
    add_column(table, "v", "varchar(20)", 25);
    add_column(table, "e", "enum('a','b')", 25);
    add_column(table, "s", "set('x','y')", 25);
    add_column(table, "n", "int unsigned", 20);
    table->key = g_new0(guint, 1);
    table->n_key = 1;
    table->key_is_primary = true;
    table->key_name = g_strdup("PRIMARY");
    return table;
}

static bool say_reaches(void *user, const QueryMeaning *meaning, const char **why, GError **error)
{
    (void)meaning, (void)error;
    *why = ((Group *)user)->reaches ? "which reaches far" : NULL;
    return true;
}

static void start(Group *group, bool mariadb, Position from, const char *resume)
{
    *group = (Group){.text = g_string_new(NULL)};
    group->migration.tables = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);
    g_ptr_array_add(group->migration.tables, make_table());
    MysqlCatalog catalog = {.mariadb = mariadb, .reaches = say_reaches};
    GError *error = NULL;
    MUST(group->stream = mysql_stream_new(&group->migration, from, resume, &catalog, &error));
    group->stream->file_major = from.major;
    group->next = (BinlogEvent){.file = "binlog.000007", .position = 100, .timestamp = 5};
}

static void clear(Group *group)
{
    mysql_stream_free(group->stream);
    g_ptr_array_unref(group->migration.tables);
    g_string_free(group->text, true);
    g_clear_error(&group->error);
}

static void print(Group *group, StreamResult result, const StreamEvent *event)
{
    static const char *const names[] = {"", "insert", "update", "delete", "truncate"};
    const Change *change = &event->change;
    const Row *row = change->row.n_cells > 0 ? &change->row : &change->old_key;
    GString *text = group->text;
    switch (result) {
    case STREAM_BEGIN:
        g_string_append(text, "begin; ");
        break;
    case STREAM_CHANGE:
        g_string_append(text, names[change->operation]);
        if (row->n_cells > 0)
            g_string_append_printf(text, " %u", row->cells[0].data[3]);
        g_string_append(text, "; ");
        break;
    case STREAM_COMMIT:
        g_string_append(text, "commit; ");
        break;
    case STREAM_POSITION:
    case STREAM_TIMEOUT:
    case STREAM_FAILED:
        break;
    }
}

/* Takes stream->event, and all that follows from it. False where it fails. */
static bool take(Group *group, StreamEvent *last)
{
    StreamEvent event = {0};
    StreamResult result = mysql_group_take(group->stream, &event, &group->error);
    if (last)
        *last = event;
    print(group, result, &event);
    while (result != STREAM_FAILED) {
        event = (StreamEvent){0};
        result = mysql_group_next(group->stream, &event, &group->error);
        if (result == STREAM_TIMEOUT)
            return true;
        print(group, result, &event);
        if (last)
            *last = event;
    }
    return false;
}

/* ---- golden ---- */

typedef struct Log {
    Golden *golden;
    guint next;
} Log;

static bool next_event(Log *log, MysqlStream *stream)
{
    GError *error = NULL;
    for (;;) {
        BinlogNext result = binlog_decoder_next(stream->decoder, &stream->event, &error);
        if (result == BINLOG_NEXT_FAILED)
            fail_msg("%s", error->message);
        if (result == BINLOG_NEXT_EVENT)
            return true;
        if (log->next == log->golden->events->len)
            return false;
        gsize size;
        const guint8 *data = g_bytes_get_data(log->golden->events->pdata[log->next++], &size);
        binlog_decoder_put(stream->decoder, data, size);
    }
}

/* The GTIDs before the file, as it says itself. */
static char *gtids_before(const char *name, bool mariadb)
{
    Group group;
    Log log = {.golden = golden_load(name)};
    GError *error = NULL;
    char *text = NULL;
    start(&group, mariadb, (Position){0, 0}, "");
    while (!text && next_event(&log, group.stream)) {
        const BinlogEvent *event = &group.stream->event;
        if (event->kind == BINLOG_MARIADB_GTID_LIST) {
            g_autoptr(MariadbGtids) list =
                mariadb_gtids_decode(event->gtid_list.list, event->gtid_list.n);
            text = mariadb_gtids_format(list);
        } else if (event->kind == BINLOG_PREVIOUS_GTIDS) {
            g_autoptr(MysqlGtidSet) set = mysql_gtid_set_decode(event->previous_gtids.set,
                                                                event->previous_gtids.size, &error);
            text = mysql_gtid_set_format(set);
        }
    }
    assert_non_null(text);
    golden_free(log.golden);
    clear(&group);
    return text;
}

/* Takes at most n events. */
static char *read_golden(const char *name, bool mariadb, guint n, bool *whole)
{
    Group group;
    Log log = {.golden = golden_load(name)};
    g_autofree char *before = gtids_before(name, mariadb);
    start(&group, mariadb, (Position){1, 0}, before);
    for (*whole = true; next_event(&log, group.stream) && (*whole = n > 0); n--)
        if (!take(&group, NULL))
            fail_msg("%s: %s", name, group.error->message);
    char *text = g_strdup(group.text->str);
    golden_free(log.golden);
    clear(&group);
    return text;
}

#define FIRST_CHANGES                                                                              \
    "begin; insert 1; insert 2; commit; begin; update 1; commit; begin; delete 2; commit; "
#define MORE_CHANGES FIRST_CHANGES "begin; insert 3; commit; begin; insert 7; commit; "

static const struct {
    const char *name;
    bool mariadb;
    const char *changes; /* numbers are one byte */
} golden_logs[] = {
    {"mysql_events", false,
     MORE_CHANGES
     "begin; insert 100; commit; begin; insert 101; update 100; update 101; "
     "delete 101; commit; begin; insert 110; commit; begin; insert 111; commit; begin; "
     "insert 200; commit; "},
    {"mariadb_events", true, MORE_CHANGES},
    {"mariadb_nolog", true, FIRST_CHANGES},
};

static void test_what_servers_logged_becomes_transactions(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(golden_logs); i++) {
        bool whole, mariadb = golden_logs[i].mariadb;
        const char *name = golden_logs[i].name;
        g_autofree char *text = read_golden(name, mariadb, G_MAXUINT, &whole);
        if (!g_str_has_prefix(text, golden_logs[i].changes))
            fail_msg("%s: %s", name, text);
        for (guint n = 0; n < 200; n++) {
            g_autofree char *start_of = read_golden(name, mariadb, n, &whole);
            assert_true(g_str_has_prefix(text, start_of));
            if (whole)
                break;
            assert_true(n < 199);
        }
    }
}

/* ---- by hand ---- */

static Group by_hand(const char *resume)
{
    Group group;
    start(&group, false, (Position){7, 100}, resume);
    return group;
}

static bool put(Group *group, BinlogKind kind, guint size, StreamEvent *last)
{
    group->next.kind = kind;
    group->next.next_position = group->next.position + size;
    group->stream->event = group->next;
    bool good = take(group, last);
    group->next.position = group->next.next_position;
    group->next.flags = 0;
    return good;
}

static bool put_gtid(Group *group, gint64 number)
{
    group->next.gtid = (BinlogGtid){.tag = "", .number = number, .original_commit_time = 77};
    memcpy(group->next.gtid.uuid, uuid, sizeof uuid);
    return put(group, BINLOG_GTID, 10, NULL);
}

static bool put_query(Group *group, const char *statement, StreamEvent *last)
{
    group->next.query = (BinlogQuery){.database = {"golden", 6},
                                      .statement = {statement, strlen(statement)},
                                      .client_charset = 45};
    return put(group, BINLOG_QUERY, 20, last);
}

static void expect_failure(Group *group, bool good, const char *needle)
{
    assert_false(good);
    if (!g_error_matches(group->error, DROVER_ERROR, DROVER_ERROR_PERSON) ||
        !strstr(group->error->message, "source log at binlog.000007:") ||
        !strstr(group->error->message, needle))
        fail_msg("\"%s\" was expected: %s", needle, group->error->message);
    clear(group);
}

static void test_a_truncation_is_three_results(void **state)
{
    (void)state;
    StreamEvent last;
    Group group = by_hand(UUID ":1-5");
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "TRUNCATE t", &last));
    assert_string_equal(group.text->str, "begin; truncate; commit; ");
    assert_string_equal(last.resume, UUID ":1-6");
    assert_string_equal(last.transaction.resume, UUID ":1-6");
    assert_int_equal(last.position.major, 7);
    assert_int_equal(last.position.minor, 130);
    assert_int_equal(last.transaction.commit_time, 77);
    clear(&group);
}

static void test_a_group_without_changes_is_a_position(void **state)
{
    (void)state;
    StreamEvent last;
    Group group = by_hand(UUID ":1-5");
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "TRUNCATE u", &last));
    assert_string_equal(group.text->str, "");
    assert_string_equal(last.resume, UUID ":1-6");
    assert_int_equal(last.position.minor, 130);
    clear(&group);
}

static void test_events_in_a_wrong_order_stop(void **state)
{
    (void)state;
    Group group = by_hand("");
    assert_true(put_gtid(&group, 1));
    expect_failure(&group, put_gtid(&group, 2), "inside another");
    group = by_hand("");
    expect_failure(&group, put_query(&group, "BEGIN", NULL), "without its GTID");
    group = by_hand("");
    expect_failure(&group, put(&group, BINLOG_XID, 10, NULL), "without its transaction");
    group = by_hand("");
    expect_failure(&group, put(&group, BINLOG_XA_PREPARE, 10, NULL), "not begun");
    group = by_hand("");
    assert_true(put_gtid(&group, 1));
    expect_failure(&group, put(&group, BINLOG_ROWS, 10, NULL), "outside of a transaction");
}

static void test_transactions_without_gtids_stop(void **state)
{
    (void)state;
    Group group = by_hand("");
    expect_failure(&group, put(&group, BINLOG_ANONYMOUS_GTID, 10, NULL), "gtid_mode=ON");
}

static void test_a_gtid_that_comes_again_stops(void **state)
{
    (void)state;
    Group group = by_hand(UUID ":1-5");
    expect_failure(&group, put_gtid(&group, 5), "comes a second time");
}

static void test_what_was_handed_out_is_skipped_before_the_position(void **state)
{
    (void)state;
    Group group = by_hand(UUID ":1-6 since " UUID ":1-4");
    group.next.position = 40;
    assert_true(put_gtid(&group, 5));
    assert_true(put_query(&group, "TRUNCATE t", NULL));
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "TRUNCATE t", NULL));
    assert_string_equal(group.text->str, "");
    assert_true(put_gtid(&group, 7));
    assert_true(put_query(&group, "TRUNCATE t", NULL));
    assert_string_equal(group.text->str, "begin; truncate; commit; ");
    clear(&group);
}

static void test_an_incident_stops(void **state)
{
    (void)state;
    Group group = by_hand("");
    group.next.incident.number = 1;
    group.next.incident.message = (BinlogText){"lost events", 11};
    expect_failure(&group, put(&group, BINLOG_INCIDENT, 10, NULL), "lost events");
}

static void test_a_gap_between_files_stops(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_parse(UUID ":1-6", &error);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_gtid_set_encode(set, bytes);
    Group group = by_hand(UUID ":1-5");
    group.next.previous_gtids.set = bytes->data;
    group.next.previous_gtids.size = bytes->len;
    expect_failure(&group, put(&group, BINLOG_PREVIOUS_GTIDS, 10, NULL), "has a gap");
}

/* Its server died; what was not handed out yet is as if it had never been. */
static void test_a_file_that_ends_inside_of_a_transaction(void **state)
{
    (void)state;
    Group group = by_hand(UUID ":1-5");
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "BEGIN", NULL));
    assert_true(put(&group, BINLOG_FORMAT_DESCRIPTION, 0, NULL));
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "BEGIN", NULL));
    assert_true(put_query(&group, "DELETE FROM t", NULL));
    assert_string_equal(group.text->str, "begin; truncate; ");
    expect_failure(&group, put(&group, BINLOG_FORMAT_DESCRIPTION, 0, NULL),
                   "ends inside of a transaction");
}

static void test_a_rollback_of_what_was_handed_out_stops(void **state)
{
    (void)state;
    Group group = by_hand("");
    assert_true(put_gtid(&group, 1));
    assert_true(put_query(&group, "BEGIN", NULL));
    assert_true(put_query(&group, "DELETE FROM t", NULL));
    expect_failure(&group, put_query(&group, "ROLLBACK", NULL), "was rolled back");
    group = by_hand("");
    assert_true(put_gtid(&group, 1));
    assert_true(put_query(&group, "BEGIN", NULL));
    assert_true(put_query(&group, "DELETE FROM u", NULL));
    assert_true(put_query(&group, "ROLLBACK", NULL));
    assert_string_equal(group.text->str, "");
    clear(&group);
}

static void test_savepoints_hold_what_follows(void **state)
{
    (void)state;
    Group group = by_hand("");
    assert_true(put_gtid(&group, 1));
    assert_true(put_query(&group, "BEGIN", NULL));
    assert_true(put_query(&group, "DELETE FROM t", NULL));
    assert_true(put_query(&group, "SAVEPOINT `a`", NULL));
    assert_true(put_query(&group, "DELETE FROM t", NULL));
    assert_true(put_query(&group, "SAVEPOINT `B`", NULL));
    assert_true(put_query(&group, "DELETE FROM t", NULL));
    assert_true(put_query(&group, "ROLLBACK TO `b`", NULL));
    assert_true(put_query(&group, "RELEASE SAVEPOINT `b`", NULL));
    assert_string_equal(group.text->str, "begin; truncate; ");
    assert_true(put(&group, BINLOG_XID, 10, NULL));
    assert_string_equal(group.text->str, "begin; truncate; truncate; commit; ");
    assert_true(put_gtid(&group, 2));
    assert_true(put_query(&group, "BEGIN", NULL));
    expect_failure(&group, put_query(&group, "ROLLBACK TO `a`", NULL), "did not name before");
}

static bool put_prepare(Group *group, StreamEvent *last)
{
    group->next.xa_prepare.one_phase = false;
    group->next.xa_prepare.xid =
        (BinlogXid){.format = 1, .gtrid_size = 2, .data = (const guint8 *)"x1"};
    return put(group, BINLOG_XA_PREPARE, 10, last);
}

static void test_a_prepared_transaction_is_where_a_stream_starts(void **state)
{
    (void)state;
    StreamEvent last;
    Group group = by_hand(UUID ":1-5");
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "XA START X'7831',X'',1", NULL));
    assert_true(put_query(&group, "DELETE FROM t", NULL));
    assert_true(put_query(&group, "XA END X'7831',X'',1", NULL));
    assert_true(put_prepare(&group, &last));
    assert_string_equal(last.resume, UUID ":1-6 since " UUID ":1-5");
    assert_true(put_gtid(&group, 7));
    assert_true(put_query(&group, "TRUNCATE u", &last));
    assert_string_equal(last.resume, UUID ":1-7 since " UUID ":1-5");
    assert_true(put_gtid(&group, 8));
    assert_true(put_query(&group, "XA COMMIT X'7831',X'',1", &last));
    assert_string_equal(last.resume, UUID ":1-8");
    assert_string_equal(group.text->str, "begin; truncate; commit; ");
    assert_true(put_gtid(&group, 9));
    expect_failure(&group, put_query(&group, "XA COMMIT X'7831',X'',1", NULL),
                   "prepared before the migration began");
}

static void test_a_stream_that_starts_there_again_still_has_it(void **state)
{
    (void)state;
    StreamEvent last;
    Group group = by_hand(UUID ":1-7 since " UUID ":1-5");
    group.next.position = 10;
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "XA START X'7831',X'',1", NULL));
    assert_true(put_query(&group, "SAVEPOINT a", NULL));
    assert_true(put_query(&group, "ROLLBACK TO a", NULL));
    assert_true(put_query(&group, "XA END X'7831',X'',1", NULL));
    assert_true(put_prepare(&group, NULL));
    assert_true(put_gtid(&group, 7));
    assert_true(put_query(&group, "TRUNCATE u", NULL));
    group.next.position = 300;
    assert_true(put_gtid(&group, 8));
    assert_true(put_query(&group, "TRUNCATE u", &last));
    assert_string_equal(last.resume, UUID ":1-8 since " UUID ":1-5");
    assert_true(put_gtid(&group, 9));
    assert_true(put_query(&group, "XA ROLLBACK X'7831',X'',1", &last));
    assert_string_equal(last.resume, UUID ":1-9");
    clear(&group);
}

static void test_another_server_may_have_what_was_handed_out_in_another_order(void **state)
{
    (void)state;
    StreamEvent last;
    Group group = by_hand(UUID ":1-7 since " UUID ":1-4");
    group.stream->file_major = position_major(1, 3);
    assert_true(put_gtid(&group, 5));
    assert_true(put_query(&group, "TRUNCATE t", NULL));
    assert_true(put_gtid(&group, 8));
    assert_true(put_query(&group, "TRUNCATE t", &last));
    assert_string_equal(last.resume, UUID ":1-8 since " UUID ":1-4");
    assert_int_equal(position_era(last.position), 1);
    assert_true(put_gtid(&group, 7));
    assert_true(put_query(&group, "XA START X'7831',X'',1", NULL));
    assert_true(put_query(&group, "XA END X'7831',X'',1", NULL));
    assert_true(put_prepare(&group, NULL));
    assert_true(put_gtid(&group, 6));
    assert_true(put_query(&group, "TRUNCATE t", NULL));
    assert_string_equal(group.text->str, "begin; truncate; commit; ");
    assert_true(put_gtid(&group, 9));
    assert_true(put_query(&group, "XA ROLLBACK X'7831',X'',1", &last));
    assert_string_equal(last.resume, UUID ":1-9");
    assert_true(put_gtid(&group, 10));
    assert_true(put_query(&group, "TRUNCATE t", &last));
    assert_string_equal(last.resume, UUID ":1-10");
    expect_failure(&group, put_gtid(&group, 6), "comes a second time");
}

static void test_statements_of_other_tables_ask_the_server(void **state)
{
    (void)state;
    Group group = by_hand("");
    group.stream->catalog.user = &group;
    assert_true(put_gtid(&group, 1));
    assert_true(put_query(&group, "BEGIN", NULL));
    assert_true(put_query(&group, "INSERT INTO u VALUES (1)", NULL));
    group.reaches = true;
    expect_failure(&group, put_query(&group, "INSERT INTO u VALUES (1)", NULL),
                   "which reaches far");
    group = by_hand("");
    assert_true(put_gtid(&group, 1));
    assert_true(put_query(&group, "BEGIN", NULL));
    expect_failure(&group, put_query(&group, "INSERT INTO t VALUES (1)", NULL),
                   "of a table that is being moved");
}

static void test_a_silent_log_is_told_by_markers(void **state)
{
    (void)state;
    StreamEvent last;
    Group group = by_hand("");
    group.next.heartbeat.file = (BinlogText){"binlog.000007", 13};
    group.next.heartbeat.position = 900;
    group.next.flags = BINLOG_EVENT_ARTIFICIAL;
    assert_true(put(&group, BINLOG_HEARTBEAT, 0, &last));
    assert_true(last.marker);
    assert_int_equal(last.position.minor, 900);
    assert_string_equal(last.resume, "");
    assert_true(put(&group, BINLOG_HEARTBEAT, 0, &last));
    assert_int_equal(last.position.minor, 0);
    clear(&group);
}

static void test_names_may_differ_in_case(void **state)
{
    (void)state;
    Group group = by_hand("");
    mysql_relations_free(group.stream->relations);
    group.stream->relations = mysql_relations_new(&group.migration, true);
    assert_true(put_gtid(&group, 1));
    expect_failure(&group, put_query(&group, "DROP TABLE GOLDEN.T", NULL),
                   "changes table golden.t");
    group = by_hand("");
    assert_true(put_gtid(&group, 1));
    assert_true(put_query(&group, "DROP TABLE GOLDEN.T", NULL));
    clear(&group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_servers_logged_becomes_transactions),
        cmocka_unit_test(test_a_truncation_is_three_results),
        cmocka_unit_test(test_a_group_without_changes_is_a_position),
        cmocka_unit_test(test_events_in_a_wrong_order_stop),
        cmocka_unit_test(test_transactions_without_gtids_stop),
        cmocka_unit_test(test_a_gtid_that_comes_again_stops),
        cmocka_unit_test(test_what_was_handed_out_is_skipped_before_the_position),
        cmocka_unit_test(test_an_incident_stops),
        cmocka_unit_test(test_a_gap_between_files_stops),
        cmocka_unit_test(test_a_file_that_ends_inside_of_a_transaction),
        cmocka_unit_test(test_a_rollback_of_what_was_handed_out_stops),
        cmocka_unit_test(test_savepoints_hold_what_follows),
        cmocka_unit_test(test_a_prepared_transaction_is_where_a_stream_starts),
        cmocka_unit_test(test_another_server_may_have_what_was_handed_out_in_another_order),
        cmocka_unit_test(test_a_stream_that_starts_there_again_still_has_it),
        cmocka_unit_test(test_statements_of_other_tables_ask_the_server),
        cmocka_unit_test(test_a_silent_log_is_told_by_markers),
        cmocka_unit_test(test_names_may_differ_in_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
