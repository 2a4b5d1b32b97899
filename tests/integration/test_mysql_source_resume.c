/*
 * Where the MySQL source goes on, on real servers: at every boundary of transactions, after its
 * connection was lost, around XA transactions. One program, since it prepares XA transactions and
 * purges binlogs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/source.h"
#include "proto/error.h"
#include "tests/support/must.h"
#include "tests/support/mysql_bench.h"

#include <string.h>

static const SourceOps *const ops = &mysql_source_ops;
static const char *const servers[] = {"DROVER_TEST_MYSQL", "DROVER_TEST_MARIADB"};

#define EACH_SERVER(bench, sql)                                                                    \
    for (guint each = 0; each < G_N_ELEMENTS(servers); each++)                                     \
        for (MysqlBench *bench = mysql_bench_streaming(servers[each], sql); bench;                 \
             mysql_bench_free(bench), bench = NULL)

static const char tables_sql[] = "create table a (id int primary key, v varchar(20));\n"
                                 "create table other (id int primary key)";

static void expect_rest(MysqlBench *bench, const char *wanted)
{
    g_autofree char *text = mysql_bench_rest(bench);
    assert_string_equal(text, wanted);
}

/* ---- resume ---- */

typedef struct Place {
    Position position;
    char *resume;
    gsize offset; /* of the text that comes behind it */
} Place;

static void clear_place(gpointer place)
{
    g_free(((Place *)place)->resume);
}

static void add_place(GArray *places, Position position, const char *resume, gsize offset)
{
    Place place = {.position = position, .resume = g_strdup(resume), .offset = offset};
    g_array_append_val(places, place);
}

/* Everything up to the end, and every place at which a stream may be told to go on. */
static char *read_places(MysqlBench *bench, GArray *places)
{
    GError *error = NULL;
    SourceStatus status;
    StreamEvent event;
    GString *text = g_string_new(NULL);
    gint64 limit = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    Position end = bench->migration->start;
    add_place(places, end, bench->migration->start_resume, 0);
    MUST(ops->status(bench->source, bench->migration, true, &status, &error));
    g_free(status.identity);
    while (position_compare(end, status.head) < 0) {
        StreamResult result = ops->stream_next(bench->stream, 100, &event, &error);
        assert_true(result != STREAM_FAILED && g_get_monotonic_time() < limit);
        if (result == STREAM_CHANGE)
            g_string_append_printf(text, "%d:%02x ", event.change.operation,
                                   event.change.row.n_cells > 0 ? event.change.row.cells[0].data[3]
                                                                : 0);
        if (result != STREAM_COMMIT && result != STREAM_POSITION)
            continue;
        end = event.position;
        if (result == STREAM_COMMIT)
            g_string_append(text, "; ");
        add_place(places, end, event.resume, text->len);
    }
    return g_string_free(text, false);
}

static void expect_same_from_everywhere(MysqlBench *bench, guint commits)
{
    g_autoptr(GArray) places = g_array_new(false, false, sizeof(Place));
    g_array_set_clear_func(places, clear_place);
    mysql_bench_stream(bench, bench->migration->start, bench->migration->start_resume);
    g_autofree char *whole = read_places(bench, places);
    guint n = 0;
    for (const char *at = whole; (at = strchr(at, ';')); at++)
        n++;
    assert_int_equal(n, commits);
    for (guint i = 1; i + 1 < places->len; i++) {
        const Place *place = &g_array_index(places, Place, i);
        g_autoptr(GArray) rest = g_array_new(false, false, sizeof(Place));
        g_array_set_clear_func(rest, clear_place);
        g_autofree char *start_resume = bench->migration->start_resume;
        Position start = bench->migration->start;
        bench->migration->start = place->position;
        bench->migration->start_resume = place->resume;
        mysql_bench_stream(bench, place->position, place->resume);
        g_autofree char *text = read_places(bench, rest);
        if (strcmp(text, whole + place->offset) != 0)
            fail_msg("from %s: \"%s\", expected \"%s\"", place->resume, text,
                     whole + place->offset);
        bench->migration->start = start;
        bench->migration->start_resume = g_steal_pointer(&start_resume);
    }
}

static void test_a_stream_goes_on_at_every_boundary(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "insert into a values (1, 'x');\ninsert into other values (1);\n"
                               "begin;\ninsert into a values (2, 'x');\nsavepoint s;\n"
                               "insert into a values (3, 'x');\ncommit;\nflush binary logs;\n"
                               "truncate a;\ninsert into a values (4, 'x'), (5, 'y');\n"
                               "create table other2 (id int);\nflush binary logs;\n"
                               "flush binary logs;\nupdate a set id = id + 10;\ndelete from a");
        expect_same_from_everywhere(bench, 6);
    }
}

/* Tags of MySQL, domains of MariaDB. */
static void test_a_stream_goes_on_among_several_origins(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        const char *other = bench->scratch->mariadb ? "set gtid_domain_id = 7"
                                                    : "set gtid_next = 'AUTOMATIC:tagged'";
        const char *usual =
            bench->scratch->mariadb ? "set gtid_domain_id = 0" : "set gtid_next = 'AUTOMATIC'";
        for (guint i = 0; i < 3; i++) {
            mysql_scratch_run(bench->scratch, "insert into a values (%u, 'x')", 10 * i + 1);
            mysql_scratch_run(bench->scratch, "%s", other);
            mysql_scratch_run(bench->scratch, "insert into a values (%u, 'x')", 10 * i + 2);
            mysql_scratch_run(bench->scratch, "insert into a values (%u, 'x')", 10 * i + 3);
            mysql_scratch_run(bench->scratch, "%s", usual);
        }
        expect_same_from_everywhere(bench, 9);
    }
}

/* The rights that the preflight asks for are enough. */
static void test_an_account_with_few_rights_streams_and_reads(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        MysqlBench *bench = mysql_bench_new(servers[i], tables_sql);
        MysqlScratch *scratch = bench->scratch;
        Endpoint *endpoint = bench->migration->source;
        GError *error = NULL;
        ReadBounds bounds;
        mysql_scratch_run(scratch, "create user %s@'127.0.0.1' identified by 'x'", scratch->name);
        mysql_scratch_run(scratch, "grant replication slave, %s on *.* to %s@'127.0.0.1'",
                          scratch->mariadb ? "binlog monitor" : "replication client",
                          scratch->name);
        mysql_scratch_run(scratch, "grant select on %s.* to %s@'127.0.0.1'", scratch->name,
                          scratch->name);
        g_autofree char *at = g_strdup(strchr(endpoint->url, '@'));
        g_free(endpoint->url);
        endpoint->url = g_strdup_printf("mysql://%s%s", scratch->name, at);
        endpoint->password = g_strdup("x");
        ops->close(bench->source);
        ops->close(bench->stream);
        MUST(bench->source = ops->connect(endpoint, "drover test", &error));
        MUST(bench->stream = ops->connect(endpoint, "drover test stream", &error));
        mysql_bench_set_up(bench);
        mysql_bench_stream(bench, bench->migration->start, bench->migration->start_resume);
        mysql_bench_run(bench, "insert into a values (1, 'x')");
        expect_rest(bench, "insert a (1, x)\ncommit\n");
        MUST(ops->read_begin(bench->source, NULL, &bounds, &error));
        MUST(ops->read_end(bench->source, &bounds, &error));
        read_bounds_clear(&bounds);
        mysql_scratch_run(scratch, "drop user %s@'127.0.0.1'", scratch->name);
        mysql_bench_free(bench);
    }
}

static void test_transactions_without_gtids_are_for_a_person(void **state)
{
    (void)state;
    MysqlBench *bench = mysql_bench_streaming(servers[0], tables_sql);
    GError *refused = NULL;
    Position start;
    char *resume = NULL, *snapshot = NULL;
    mysql_bench_run(bench, "insert into a values (0, 'x')");
    expect_rest(bench, "insert a (0, x)\ncommit\n"); /* the server has begun to send */
    mysql_bench_run(bench, "set global gtid_mode = ON_PERMISSIVE");
    bool good = ops->setup(bench->source, bench->migration, &start, &resume, &snapshot, &refused);
    mysql_bench_run(bench, "set gtid_next = 'ANONYMOUS';\ninsert into a values (1, 'x');\n"
                           "set gtid_next = 'AUTOMATIC';\nset global gtid_mode = ON;\n"
                           "flush binary logs");
    assert_false(good);
    assert_true(g_error_matches(refused, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(refused->message, "gtid_mode"));
    g_autoptr(GError) error = mysql_bench_failure(bench);
    if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON) ||
        !strstr(error->message, "gtid_mode"))
        fail_msg("%s", error->message);
    g_error_free(refused);
    mysql_bench_free(bench);
}

static void run_xa(MysqlBench *bench, const char *name, int id)
{
    mysql_scratch_run(bench->scratch, "xa start '%s'", name);
    mysql_scratch_run(bench->scratch, "insert into a values (%d, 'xa')", id);
    mysql_scratch_run(bench->scratch, "xa end '%s'", name);
    mysql_scratch_run(bench->scratch, "xa prepare '%s'", name);
    mysql_scratch_again(bench->scratch);
}

static void test_a_stream_goes_on_around_prepared_transactions(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        mysql_bench_run(bench, "insert into a values (1, 'x')");
        run_xa(bench, "p1", 2);
        mysql_bench_run(bench, "insert into a values (3, 'x');\nflush binary logs");
        run_xa(bench, "p2", 4);
        run_xa(bench, "p3", 5);
        mysql_bench_run(bench, "insert into a values (6, 'x');\nxa commit 'p2';\n"
                               "insert into a values (7, 'x');\nxa commit 'p1';\n"
                               "insert into a values (8, 'x');\nxa rollback 'p3';\n"
                               "insert into a values (9, 'x')");
        expect_same_from_everywhere(bench, 8);
    }
}

static void test_a_lost_connection_is_tried_again(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        Transaction last;
        g_autofree char *resume = NULL;
        mysql_bench_run(bench, "insert into a values (1, 'x')");
        g_free(mysql_bench_commits(bench, 1, &last, &resume));
        g_autofree char *dump =
            mysql_scratch_ask(bench->scratch, 0,
                              "select max(id) from information_schema.processlist where command "
                              "like 'Binlog Dump%%'");
        mysql_scratch_run(bench->scratch, "kill %s", dump);
        g_autoptr(GError) error = mysql_bench_failure(bench);
        assert_true(drover_error_is_retry(error));
        mysql_bench_run(bench, "insert into a values (2, 'x')");
        mysql_bench_stream(bench, last.position, resume);
        expect_rest(bench, "insert a (2, x)\ncommit\n");
    }
}

static void test_another_server_is_refused(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        bench->migration->source->server = g_strdup("another");
        MUST_FAIL(ops->stream_start(bench->stream, bench->migration, bench->migration->start,
                                    bench->migration->start_resume, false, &error),
                  DROVER_ERROR_RESTART);
        assert_null(ops->connect(bench->migration->source, "drover test", &error));
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RESTART));
        g_clear_error(&error);
        g_clear_pointer(&bench->migration->source->server, g_free);
    }
}

/* A server keeps a file while it sends it to somebody of whose end it has not learned yet. */
static void purge_to(MysqlBench *bench, const char *file)
{
    for (guint i = 0; i < 1000; i++) {
        mysql_scratch_run(bench->scratch, "purge binary logs to '%s'", file);
        g_autofree char *first = mysql_scratch_ask(bench->scratch, 0, "show binary logs");
        if (strcmp(first, file) == 0)
            return;
        mysql_scratch_run(bench->scratch, "insert into other values (%u)", 100 + i);
        g_usleep(20000);
    }
    fail_msg("the server does not purge its binlogs up to %s", file);
}

static void test_a_purged_log_is_for_a_person(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        g_autofree char *file = NULL;
        guint64 position;
        mysql_bench_run(bench, "insert into a values (1, 'x');\nflush binary logs;\n"
                               "insert into a values (2, 'x');\nflush binary logs");
        mysql_scratch_position(bench->scratch, &file, &position);
        ops->close(bench->stream);
        purge_to(bench, file);
        GError *error = NULL;
        MUST(bench->stream = ops->connect(bench->migration->source, "drover test", &error));
        if (ops->stream_start(bench->stream, bench->migration, bench->migration->start,
                              bench->migration->start_resume, false, &error))
            error = mysql_bench_failure(bench);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
        assert_non_null(strstr(error->message, "binlog_expire_logs_seconds"));
        g_error_free(error);
    }
}

/* ---- XA ---- */

static void test_prepared_changes_come_with_their_commit(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        run_xa(bench, "c", 1);
        run_xa(bench, "r", 2);
        mysql_bench_run(bench, "insert into a values (3, 'x');\nxa rollback 'r';\nxa commit 'c';\n"
                               "xa start 'o';\ninsert into a values (4, 'x');\nxa end 'o';\n"
                               "xa commit 'o' one phase");
        expect_rest(bench, "insert a (3, x)\ncommit\ninsert a (1, xa)\ncommit\n"
                           "insert a (4, x)\ncommit\n");
    }
}

static void test_compressed_prepared_transactions_are_like_others(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        const char *on = bench->scratch->mariadb ? "set global log_bin_compress = ON"
                                                 : "set binlog_transaction_compression = ON";
        mysql_bench_run(bench, on);
        mysql_bench_run(bench, "xa start 'z';\ninsert into a values (1, repeat('z', 20)), (2, "
                               "repeat('z', 20));\nxa end 'z';\nxa prepare 'z';\nxa commit 'z'");
        if (bench->scratch->mariadb)
            mysql_bench_run(bench, "set global log_bin_compress = OFF");
        expect_rest(bench, "insert a (1, zzzzzzzzzzzzzzzzzzzz)\n"
                           "insert a (2, zzzzzzzzzzzzzzzzzzzz)\ncommit\n");
    }
}

static void test_a_large_prepared_transaction_comes_whole(void **state)
{
    (void)state;
    EACH_SERVER(bench, "create table a (id int primary key, v varchar(20), b longtext)")
    {
        guint n = 0;
        mysql_bench_run(bench, "xa start 'l'");
        for (guint i = 0; i < 40; i++)
            mysql_scratch_run(bench->scratch, "insert into a values (%u, 'x', repeat('x', %u))", i,
                              i * 5000);
        mysql_bench_run(bench, "xa end 'l';\nxa prepare 'l';\nxa commit 'l'");
        g_autofree char *text = mysql_bench_rest(bench);
        for (const char *at = text; (at = strstr(at, "insert")); at++, n++)
            assert_int_equal(g_ascii_strtoll(strchr(at, '(') + 1, NULL, 10), n);
        assert_int_equal(n, 40);
    }
}

static void test_transactions_that_are_prepared_at_the_start_are_refused(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        GError *error = NULL;
        Position start;
        char *resume = NULL, *snapshot = NULL;
        run_xa(bench, "early", 1);
        bool good = ops->setup(bench->source, bench->migration, &start, &resume, &snapshot, &error);
        assert_false(good);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
        assert_non_null(strstr(error->message, "XA transactions are prepared"));
        g_clear_error(&error);
        mysql_bench_run(bench, "xa rollback 'early'");
        expect_rest(bench, "");
    }
}

/* Whoever may not see prepared transactions learns of them at their commit. */
static void test_a_commit_of_what_was_prepared_before_stops(void **state)
{
    (void)state;
    EACH_SERVER(bench, tables_sql)
    {
        run_xa(bench, "before", 1);
        g_autofree char *gtids = mysql_scratch_gtids(bench->scratch), *file = NULL;
        guint64 position;
        mysql_scratch_position(bench->scratch, &file, &position);
        Position from = {.major = g_ascii_strtoull(strrchr(file, '.') + 1, NULL, 10),
                         .minor = position};
        mysql_bench_run(bench, "xa commit 'before'");
        mysql_bench_stream(bench, from, gtids);
        g_autoptr(GError) error = mysql_bench_failure(bench);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
        assert_non_null(strstr(error->message, "prepared before the migration began"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_goes_on_at_every_boundary),
        cmocka_unit_test(test_a_stream_goes_on_among_several_origins),
        cmocka_unit_test(test_an_account_with_few_rights_streams_and_reads),
        cmocka_unit_test(test_transactions_without_gtids_are_for_a_person),
        cmocka_unit_test(test_a_stream_goes_on_around_prepared_transactions),
        cmocka_unit_test(test_a_lost_connection_is_tried_again),
        cmocka_unit_test(test_another_server_is_refused),
        cmocka_unit_test(test_a_purged_log_is_for_a_person),
        cmocka_unit_test(test_prepared_changes_come_with_their_commit),
        cmocka_unit_test(test_compressed_prepared_transactions_are_like_others),
        cmocka_unit_test(test_a_large_prepared_transaction_comes_whole),
        cmocka_unit_test(test_transactions_that_are_prepared_at_the_start_are_refused),
        cmocka_unit_test(test_a_commit_of_what_was_prepared_before_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
