/*
 * The binlog of real servers: where a stream starts and ends, what refuses it, and what large and
 * compressed transactions, XA and DDL look like in it. One program, since it purges binlogs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/canonical.h"
#include "capture/mysql/query.h"
#include "proto/error.h"
#include "proto/gtid.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"

#include <string.h>

static const char *const servers[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

#define EACH_SERVER(scratch)                                                                       \
    for (guint each = 0; each < G_N_ELEMENTS(servers); each++)                                     \
        for (MysqlScratch *scratch = mysql_scratch_new(servers[each]); scratch;                    \
             mysql_scratch_free(scratch), scratch = NULL)

/* Ids of the rows of table t from here to the end: "1 2 3". */
static char *ids(MysqlLog *log)
{
    GError *error = NULL;
    GString *found = g_string_new(NULL);
    BinlogRow row;
    while (mysql_log_next_rows(log, "t")) {
        BinlogRowResult result;
        while ((result = binlog_row_reader_next(log->rows, &row, &error)) == BINLOG_ROW)
            g_string_append_printf(found, "%s%d", found->len > 0 ? " " : "",
                                   (int)(row.after ? row.after : row.before)[0].integer);
        if (result == BINLOG_ROWS_FAILED)
            fail_msg("%s", error->message);
    }
    return g_string_free(found, false);
}

static void expect_ids(MysqlScratch *scratch, BinlogStart start, const char *wanted)
{
    MysqlLog log;
    start.to_end = true;
    mysql_log_start(&log, scratch, start);
    g_autofree char *found = ids(&log);
    assert_string_equal(found, wanted);
    assert_true(log.ended);
    mysql_log_clear(&log);
}

static void test_a_stream_starts_after_gtids_or_at_a_position(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        g_autofree char *file = NULL;
        guint64 position;
        g_autofree char *first = mysql_scratch_gtids(scratch);
        mysql_scratch_run(scratch, "create table t (id int primary key)");
        mysql_scratch_run(scratch, "insert into t values (1)");
        mysql_scratch_position(scratch, &file, &position);
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        mysql_scratch_run(scratch, "insert into t values (2), (3)");
        mysql_scratch_run(scratch, "flush binary logs");
        mysql_scratch_run(scratch, "insert into t values (4)");
        g_autofree char *later = mysql_scratch_gtids(scratch);
        expect_ids(scratch, (BinlogStart){.gtids = gtids}, "2 3 4");
        expect_ids(scratch, (BinlogStart){.file = file, .position = position}, "2 3 4");
        expect_ids(scratch, (BinlogStart){.gtids = later}, "");
        expect_ids(scratch, (BinlogStart){.gtids = first}, "1 2 3 4");
    }
}

static void test_a_waiting_stream_gets_heartbeats_and_then_what_happens(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        MysqlLog log;
        mysql_scratch_run(scratch, "create table t (id int primary key)");
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids});
        do
            assert_true(mysql_log_next(&log));
        while (log.event.kind != BINLOG_HEARTBEAT);
        assert_true(log.event.heartbeat.position > 4);
        mysql_scratch_run(scratch, "insert into t values (5)");
        assert_true(mysql_log_next_rows(&log, "t"));
        mysql_log_clear(&log);
    }
}

static void test_a_silent_server_is_a_timeout(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        GError *error = NULL;
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        BinlogStart start = {.gtids = gtids, .server_id = 4242, .heartbeat_ms = 3600000};
        g_autoptr(BinlogStream) stream = NULL;
        MUST(stream = binlog_stream_open(&scratch->endpoint, "drover test", &start, &error));
        const guint8 *data;
        gsize size;
        BinlogRead result;
        while ((result = binlog_stream_read(stream, 200, &data, &size, &error)) ==
               BINLOG_READ_EVENT)
            ;
        assert_int_equal(result, BINLOG_READ_TIMEOUT);
    }
}

/* ---- large and compressed ---- */

static void expect_large_row(MysqlScratch *scratch, const char *gtids, guint size, bool inner)
{
    GError *error = NULL;
    BinlogRow row;
    MysqlLog log;
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    assert_true(mysql_log_next_rows(&log, "t"));
    assert_int_equal(log.event.inner, inner);
    assert_int_equal(binlog_row_reader_next(log.rows, &row, &error), BINLOG_ROW);
    assert_int_equal(row.after[1].size, size);
    assert_memory_equal(row.after[1].data, "abc", 3);
    assert_memory_equal(row.after[1].data + size - 3, "abc", 3);
    assert_true(mysql_log_next(&log));
    assert_int_equal(log.event.kind, BINLOG_XID);
    mysql_log_clear(&log);
}

static void test_a_row_of_40_megabytes_arrives_whole(void **state)
{
    (void)state;
    enum { SIZE = 42000000 };
    EACH_SERVER(scratch)
    {
        mysql_scratch_run(scratch, "create table t (id int primary key, b longblob)");
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        mysql_scratch_run(scratch, "insert into t values (1, repeat('abc', %d))", SIZE / 3);
        expect_large_row(scratch, gtids, SIZE, false);
    }
}

static void test_compressed_transactions_and_events_are_the_same_rows(void **state)
{
    (void)state;
    enum { SIZE = 3000000 };
    EACH_SERVER(scratch)
    {
        mysql_scratch_run(scratch, "create table t (id int primary key, b longblob)");
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        mysql_scratch_run(scratch, scratch->mariadb ? "set global log_bin_compress = ON"
                                                    : "set binlog_transaction_compression = ON");
        mysql_scratch_run(scratch, "insert into t values (1, repeat('abc', %d))", SIZE / 3);
        if (scratch->mariadb)
            mysql_scratch_run(scratch, "set global log_bin_compress = OFF");
        expect_large_row(scratch, gtids, SIZE, !scratch->mariadb);
    }
}

static void test_a_compressed_transaction_of_many_rows_has_them_all(void **state)
{
    (void)state;
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    MysqlLog log;
    mysql_scratch_run(scratch, "create table t (id int primary key, v varchar(1000))");
    mysql_scratch_run(scratch, "set cte_max_recursion_depth = 100000");
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    mysql_scratch_run(scratch, "set binlog_transaction_compression = ON");
    mysql_scratch_run(scratch,
                      "insert into t with recursive n(i) as (select 1 union all select i "
                      "+ 1 from n where i < 50000) select i, repeat(sha2(i, 256), 5) from n");
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    guint rows = 0;
    BinlogRow row;
    GError *error = NULL;
    while (mysql_log_next_rows(&log, "t"))
        while (binlog_row_reader_next(log.rows, &row, &error) == BINLOG_ROW)
            assert_int_equal(row.after[0].integer, ++rows);
    assert_int_equal(rows, 50000);
    mysql_log_clear(&log);
    mysql_scratch_free(scratch);
}

/* ---- JSON ---- */

/* 1 where the server logged the change and not the whole document, which it may. */
static guint expect_json(MysqlScratch *scratch, const char *change)
{
    GError *error = NULL;
    BinlogRow row;
    MysqlLog log;
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    g_autoptr(GByteArray) text = g_byte_array_new();
    mysql_scratch_run(scratch, "update t set d = %s", change);
    g_autofree char *wanted = mysql_scratch_ask(scratch, 0, "select d from t");
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    assert_true(mysql_log_next_rows(&log, "t"));
    assert_string_equal(log.event.name, "PARTIAL_UPDATE_ROWS");
    assert_int_equal(binlog_row_reader_next(log.rows, &row, &error), BINLOG_ROW);
    MUST(mysql_canonical_append(&log.event.rows.table->columns[1], &row.after[1], &row.before[1],
                                text, &error));
    g_byte_array_append(text, (const guint8 *)"", 1);
    assert_string_equal((const char *)text->data, wanted);
    bool is_change = row.after[1].kind == BINLOG_VALUE_JSON_DIFF;
    mysql_log_clear(&log);
    return is_change;
}

static void test_changes_of_json_documents_are_applied(void **state)
{
    (void)state;
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    guint changes = 0;
    mysql_scratch_run(scratch, "create table t (id int primary key, d json)");
    mysql_scratch_run(scratch, "insert into t values (1, json_object('a', 1, 'b', json_array(1, 2, "
                               "json_object('c', 1)), 'd e', 2, 'pad', repeat('x', 300)))");
    mysql_scratch_run(scratch, "set binlog_row_value_options = 'PARTIAL_JSON'");
    changes += expect_json(scratch, "json_set(d, '$.a', 2)");
    changes += expect_json(scratch, "json_set(d, '$.b[1]', 'two', '$.b[2].c', json_array())");
    changes += expect_json(
        scratch, "json_set(d, '$.\"d e\"', 1.5, '$.\"q\\\\\"\u00e9\"', true, '$.b[9]', null)");
    changes += expect_json(scratch, "json_remove(d, '$.b[0]', '$.a')");
    changes += expect_json(scratch, "json_array_insert(d, '$.b[0]', 'first', '$.b[2]', 'third')");
    changes += expect_json(scratch, "json_set(d, '$.\"d e\"', cast('2024-01-02' as date))");
    assert_true(changes >= 4);
    mysql_scratch_free(scratch);
}

static void test_a_json_change_without_its_document_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;
    BinlogRow row;
    MysqlLog log;
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    g_autoptr(GByteArray) text = g_byte_array_new();
    mysql_scratch_run(scratch, "create table t (id int primary key, d json)");
    mysql_scratch_run(scratch,
                      "insert into t values (1, json_object('a', 1, 'p', repeat('x', 300)))");
    mysql_scratch_run(scratch, "set binlog_row_value_options = 'PARTIAL_JSON', binlog_row_image = "
                               "'MINIMAL'");
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    mysql_scratch_run(scratch, "update t set d = json_set(d, '$.a', 2)");
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
    assert_true(mysql_log_next_rows(&log, "t"));
    assert_int_equal(binlog_row_reader_next(log.rows, &row, &error), BINLOG_ROW);
    assert_int_equal(row.before[1].kind, BINLOG_VALUE_ABSENT);
    MUST_FAIL(mysql_canonical_append(&log.event.rows.table->columns[1], &row.after[1],
                                     &row.before[1], text, &error),
              DROVER_ERROR_PERSON);
    mysql_log_clear(&log);
    mysql_scratch_free(scratch);
}

/* ---- statements ---- */

/* Kinds and tables of the statements from here to the end that are of the scratch database. */
static char *statements(MysqlLog *log)
{
    GString *found = g_string_new(NULL);
    while (mysql_log_next(log)) {
        if (log->event.kind == BINLOG_XA_PREPARE)
            g_string_append(found, "PREPARE ");
        if (log->event.kind != BINLOG_QUERY)
            continue;
        g_auto(QueryMeaning) meaning = query_classify(&log->event.query);
        if (meaning.kind == QUERY_BEGIN)
            continue;
        g_string_append(found, meaning.what);
        for (guint i = 0; i < meaning.tables->len; i++)
            g_string_append_printf(found, ":%s",
                                   ((const QueryTable *)meaning.tables->pdata[i])->table);
        g_string_append_c(found, ' ');
    }
    return g_string_free(found, false);
}

static void test_statements_are_understood_as_they_are_logged(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        MysqlLog log;
        mysql_scratch_run(scratch, "create table t (id int primary key)");
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        mysql_scratch_run(scratch, "begin");
        mysql_scratch_run(scratch, "insert into t values (1)");
        mysql_scratch_run(scratch, "savepoint a");
        mysql_scratch_run(scratch, "insert into t values (2)");
        mysql_scratch_run(scratch, "rollback to a");
        mysql_scratch_run(scratch, "insert into t values (3)");
        mysql_scratch_run(scratch, "commit");
        mysql_scratch_run(scratch, "xa start 'x'");
        mysql_scratch_run(scratch, "insert into t values (4)");
        mysql_scratch_run(scratch, "xa end 'x'");
        mysql_scratch_run(scratch, "xa prepare 'x'");
        mysql_scratch_again(scratch);
        mysql_scratch_run(scratch, "xa commit 'x'");
        mysql_scratch_run(scratch, "create table u as select * from t");
        mysql_scratch_run(scratch, "truncate table u");
        mysql_scratch_run(scratch, "alter table u rename to v");
        mysql_scratch_run(scratch, "create view w as select * from v");
        mysql_scratch_run(scratch, "drop table v");
        mysql_log_start(&log, scratch, (BinlogStart){.gtids = gtids, .to_end = true});
        g_autofree char *found = statements(&log);
        mysql_log_clear(&log);
        assert_string_equal(found,
                            scratch->mariadb
                                ? "SAVEPOINT XA END PREPARE XA COMMIT CREATE TABLE:u TRUNCATE:u "
                                  "ALTER TABLE:u:v CREATE VIEW DROP TABLE:v "
                                : "SAVEPOINT XA START XA END PREPARE XA COMMIT CREATE TABLE:u "
                                  "TRUNCATE:u ALTER TABLE:u:v CREATE VIEW DROP TABLE:v ");
        expect_ids(scratch, (BinlogStart){.gtids = gtids}, "1 3 4");
    }
}

/* ---- refusals ---- */

static void expect_refused(MysqlScratch *scratch, BinlogStart start, DroverErrorCode code,
                           const char *needle)
{
    g_autoptr(GError) error = NULL;
    const guint8 *data;
    gsize size;
    BinlogRead result = BINLOG_READ_FAILED;
    start.server_id = 4243;
    start.heartbeat_ms = 1000;
    start.to_end = true;
    g_autoptr(BinlogStream) stream =
        binlog_stream_open(&scratch->endpoint, "drover test", &start, &error);
    if (stream)
        while ((result = binlog_stream_read(stream, 30000, &data, &size, &error)) ==
               BINLOG_READ_EVENT)
            ;
    assert_int_equal(result, BINLOG_READ_FAILED);
    if (!g_error_matches(error, DROVER_ERROR, (int)code) || !strstr(error->message, needle))
        fail_msg("\"%s\" of class %d was expected: %d %s", needle, code, error->code,
                 error->message);
}

/* A server keeps a file while it sends it to somebody: a connection of an earlier test, of which it
 * learns only when it sends something, that it is gone. */
static void purge_to(MysqlScratch *scratch, const char *file)
{
    for (guint i = 0; i < 1000; i++) {
        mysql_scratch_run(scratch, "purge binary logs to '%s'", file);
        g_autofree char *first = mysql_scratch_ask(scratch, 0, "show binary logs");
        if (strcmp(first, file) == 0)
            return;
        mysql_scratch_run(scratch, "insert into t values (%u)", 100 + i);
        g_usleep(20000);
    }
    fail_msg("the server does not purge its binlogs up to %s", file);
}

static void test_a_purged_start_is_named(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        g_autofree char *file = NULL, *next = NULL;
        guint64 position;
        mysql_scratch_run(scratch, "create table t (id int primary key)");
        g_autofree char *gtids = mysql_scratch_gtids(scratch);
        mysql_scratch_position(scratch, &file, &position);
        mysql_scratch_run(scratch, "insert into t values (1)");
        mysql_scratch_run(scratch, "flush binary logs");
        mysql_scratch_run(scratch, "insert into t values (2)");
        mysql_scratch_run(scratch, "flush binary logs");
        mysql_scratch_position(scratch, &next, &position);
        purge_to(scratch, next);
        expect_refused(scratch, (BinlogStart){.gtids = gtids}, DROVER_ERROR_PERSON,
                       "binlog_expire_logs_seconds");
        expect_refused(scratch, (BinlogStart){.file = file, .position = 4}, DROVER_ERROR_PERSON,
                       "binlog_expire_logs_seconds");
        expect_refused(scratch, (BinlogStart){.file = next, .position = 100000000},
                       DROVER_ERROR_PERSON, "1236");
    }
}

static void test_another_history_is_refused(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        const char *ahead =
            scratch->mariadb ? "0-1006-999999999" : "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:1-5";
        if (scratch->mariadb)
            expect_refused(scratch, (BinlogStart){.gtids = ahead}, DROVER_ERROR_PERSON,
                           "copy again");
        expect_refused(scratch, (BinlogStart){.gtids = "nonsense"}, DROVER_ERROR_PERSON,
                       "nonsense");
        expect_refused(scratch, (BinlogStart){.file = "binlog.000001", .position = 5000000000},
                       DROVER_ERROR_PERSON, "4 GiB");
    }
}

static void test_the_missing_right_is_named(void **state)
{
    (void)state;
    EACH_SERVER(scratch)
    {
        g_autofree char *url = scratch->endpoint.url;
        char *at = strchr(url, '@');
        char password[] = "secret!";
        mysql_scratch_run(scratch, "create user %s@'127.0.0.1' identified by 'secret!'",
                          scratch->name);
        mysql_scratch_run(scratch, "grant select on %s.* to %s@'127.0.0.1'", scratch->name,
                          scratch->name);
        scratch->endpoint.url = g_strdup_printf("mysql://%s%s", scratch->name, at);
        scratch->endpoint.password = password;
        expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_NO, "replication slave");
        password[0] = 'x';
        expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_NO, "1045");
        scratch->endpoint.password = NULL;
        g_free(scratch->endpoint.url);
        scratch->endpoint.url = g_strdup(url);
        mysql_scratch_run(scratch, "drop user %s@'127.0.0.1'", scratch->name);
    }
}

static void test_unreachable_servers_and_wrong_urls_are_told_apart(void **state)
{
    (void)state;
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MARIADB");
    char *good = scratch->endpoint.url;
    char dead[] = "mysql://root@127.0.0.1:1/", wrong[] = "postgresql://root@127.0.0.1/";
    char unknown[] = "mysql://root@127.0.0.1/?color=red";
    scratch->endpoint.url = dead;
    expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_RETRY, "source test");
    scratch->endpoint.url = wrong;
    expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_USAGE, "mysql://user@host");
    scratch->endpoint.url = unknown;
    expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_USAGE, "color");
    scratch->endpoint.url = good;
    mysql_scratch_free(scratch);
}

static void test_tls_is_used_as_asked_for(void **state)
{
    (void)state;
    char require[] = "require", verify[] = "verify-full", off[] = "disable", bad[] = "maybe";
    char no_ca[] = "/dev/null";
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    g_autofree char *gtids = mysql_scratch_gtids(scratch);
    scratch->endpoint.tls_mode = require;
    mysql_scratch_again(scratch);
    g_autofree char *cipher = mysql_scratch_ask(scratch, 1, "show status like 'ssl_cipher'");
    assert_true(strlen(cipher) > 3);
    expect_ids(scratch, (BinlogStart){.gtids = gtids}, "");
    scratch->endpoint.tls_mode = verify;
    expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_USAGE, "tls.ca");
    scratch->endpoint.tls_ca = no_ca;
    expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_RETRY, "source test");
    scratch->endpoint.tls_ca = NULL;
    scratch->endpoint.tls_mode = bad;
    expect_refused(scratch, (BinlogStart){.gtids = ""}, DROVER_ERROR_USAGE, "maybe");
    scratch->endpoint.tls_mode = off;
    mysql_scratch_again(scratch);
    g_autofree char *none = mysql_scratch_ask(scratch, 1, "show status like 'ssl_cipher'");
    assert_string_equal(none, "");
    scratch->endpoint.tls_mode = NULL;
    mysql_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_starts_after_gtids_or_at_a_position),
        cmocka_unit_test(test_a_waiting_stream_gets_heartbeats_and_then_what_happens),
        cmocka_unit_test(test_a_silent_server_is_a_timeout),
        cmocka_unit_test(test_a_row_of_40_megabytes_arrives_whole),
        cmocka_unit_test(test_compressed_transactions_and_events_are_the_same_rows),
        cmocka_unit_test(test_a_compressed_transaction_of_many_rows_has_them_all),
        cmocka_unit_test(test_changes_of_json_documents_are_applied),
        cmocka_unit_test(test_a_json_change_without_its_document_is_refused),
        cmocka_unit_test(test_statements_are_understood_as_they_are_logged),
        cmocka_unit_test(test_a_purged_start_is_named),
        cmocka_unit_test(test_another_history_is_refused),
        cmocka_unit_test(test_the_missing_right_is_named),
        cmocka_unit_test(test_unreachable_servers_and_wrong_urls_are_told_apart),
        cmocka_unit_test(test_tls_is_used_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
