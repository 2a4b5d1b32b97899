/*
 * Values of MySQL and MariaDB at their edges: read by SELECT they are the bytes that the log gives;
 * written again by literals and by LOAD DATA they come back the same; PostgreSQL takes them as a
 * binary COPY; and what came from PostgreSQL comes back from MySQL as PostgreSQL sends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/canonical.h"
#include "proto/error.h"
#include "schema/connection_mysql.h"
#include "schema/connection_pg.h"
#include "schema/json_normal.h"
#include "schema/mysql/literal.h"
#include "schema/mysql/read.h"
#include "schema/type.h"
#include "schema/type_oid.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/mysql_tables.h"
#include "tests/support/scratch.h"

#include <string.h>

#define MYSQL_ONLY 1
#define MARIADB_ONLY 2

static const struct {
    const char *type;
    const char *values; /* separated by " | "; null is always added */
    int only;
} types[] = {
    {"tinyint", "-128 | 127 | 0", 0},
    {"tinyint unsigned", "0 | 255 | 128", 0},
    {"tinyint(3) unsigned zerofill", "0 | 7 | 255", 0},
    {"smallint", "-32768 | 32767 | 0", 0},
    {"smallint unsigned", "0 | 65535", 0},
    {"mediumint", "-8388608 | 8388607 | -1", 0},
    {"mediumint unsigned", "0 | 16777215", 0},
    {"int", "-2147483648 | 2147483647 | 0", 0},
    {"int unsigned", "0 | 4294967295", 0},
    {"int(10) unsigned zerofill", "0 | 42 | 4294967295", 0},
    {"bigint", "-9223372036854775808 | 9223372036854775807 | 0", 0},
    {"bigint unsigned", "0 | 1 | 10000 | 100000000 | 9999999999999999 | 18446744073709551615", 0},
    {"decimal(10,3)", "-9999999.999 | 0.001 | 0 | 10000 | 1.5 | -0.010", 0},
    {"decimal(65,30)",
     "99999999999999999999999999999999999.999999999999999999999999999999 | "
     "-0.000000000000000000000000000001 | 100000000 | 0",
     0},
    {"decimal(65,0)", "99999999999999999999999999999999999999999999999999999999999999999 | -1", 0},
    {"decimal(5,0)", "-99999 | 10000 | 0", 0},
    {"decimal(4,4)", "-0.9999 | 0.0001", 0},
    {"decimal(6,2) unsigned zerofill", "0 | 1.5", 0},
    {"float", "-3.402823466e38 | 1.17549435e-38 | 0.1 | -0e0 | 0e0 | 16777216 | 1e-45 | 3.1415927",
     0},
    {"float(7,3)", "0.1 | 1234.567 | -0e0", 0},
    {"double",
     "-1.7976931348623157e308 | 2.2250738585072014e-308 | 0.1 | -0e0 | 5e-324 | "
     "123456789.123456789 | 0.30000000000000004",
     0},
    {"double(20,3)", "0.1 | 12345678901234.567", 0},
    {"bit(1)", "b'0' | b'1'", 0},
    {"bit(10)", "b'1111111111' | b'1' | b'1000000001' | 0", 0},
    {"bit(64)", "0xffffffffffffffff | 1 | 0x8000000000000001 | 0", 0},
    {"year", "1901 | 2155 | 0 | 2000", 0},
    {"date", "'0001-01-01' | '1582-10-10' | '2000-02-29' | '9999-12-31' | '1969-12-31'", 0},
    {"time", "'-838:59:59' | '838:59:59' | '-00:00:01' | '00:00:00'", 0},
    {"time(3)", "'-00:00:00.001' | '-12:34:56.789' | '23:59:59.999'", 0},
    {"time(6)", "'-838:59:58.999999' | '-00:00:00.000001'", 0},
    {"datetime", "'0001-01-01 00:00:00' | '9999-12-31 23:59:59'", 0},
    {"datetime(2)", "'1999-12-31 23:59:59.99' | '1969-12-31 23:59:59.01'", 0},
    {"datetime(6)", "'1000-01-01 00:00:00.000001' | '2024-02-29 12:00:00'", 0},
    {"timestamp(6) null",
     "'1970-01-01 00:00:01.000001' | '2038-01-19 03:14:07' | '2024-02-29 12:00:00.5'", 0},
    {"char(10)", "'' | 'abc' | 'a\\tb' | '\U0001f600\u00e9'", 0},
    {"varchar(300)", "'' | 'a '  | repeat('\U0001f600', 300) | ' ' | '\\\\N' | '\\r\\n'", 0},
    {"tinytext", "'' | '\u00e9'", 0},
    {"text", "'' | 'tab\\tquote\\'back\\\\slash' | repeat('x', 65535)", 0},
    {"longtext", "repeat('\u00e9\U0001f600 ', 100000)", 0},
    {"varchar(10) character set latin1", "'\u00e9\u20ac' | 'a' | _latin1 0x81", 0},
    {"char(10) character set utf16", "'\U0001f600' | 'a'", 0},
    {"varchar(10) character set utf32", "'\U0001f600' | 'a'", 0},
    {"text character set ucs2", "'\u20ac' | 'a'", 0},
    {"varchar(10) character set gbk", "'\u4e2d\u6587' | 'a'", 0},
    {"varchar(10) character set cp932", "'\u65e5\u672c' | 'a'", 0},
    {"varchar(10) character set greek", "'\u03b1' | 'a'", 0},
    {"char(36) character set ascii", "'00112233-4455-6677-8899-aabbccddeeff'", 0},
    {"binary(4)", "'' | 0x01020000 | 0x00000001 | 0xffffffff", 0},
    {"varbinary(300)", "'' | 0x000102ff00 | repeat(0x00, 300) | 0x090a0d5c27", 0},
    {"tinyblob", "'' | 0x00", 0},
    {"mediumblob", "'' | repeat(0x00ff, 70000)", 0},
    {"enum('a','\u00e9','x y')", "'a' | '\u00e9' | 'x y'", 0},
    {"enum('a','\u00e9') character set latin1", "'\u00e9'", 0},
    {"set('x','y','\u00e9')", "'' | 'x,\u00e9' | 'x,y,\u00e9'", 0},
    {"geometry", "point(1, 2) | linestring(point(0, 0), point(1, 1))", 0},
    {"point", "point(-1, 2.5)", 0},
    {"json",
     "'null' | '{\"b\": [1, 2.5, \"\\\\u00e9\"], \"a\": {}}' | '[]' | '1e100' | '-0.0' | "
     "'18446744073709551615' | '-9223372036854775808' | '[\"\\\\u0000\\\\n\\\\\"\"]'",
     0},
    {"vector(2)", "string_to_vector('[1.5,-2]') | string_to_vector('[0,1e-30]')", MYSQL_ONLY},
    {"varchar(2000) compressed", "'' | repeat('ab', 900) | 'short'", MARIADB_ONLY},
    {"blob compressed", "'' | repeat(0x00, 5000)", MARIADB_ONLY},
    {"uuid", "'00112233-4455-6677-8899-AABBCCDDEEFF' | '00000000-0000-0000-0000-000000000000'",
     MARIADB_ONLY},
    {"inet4", "'0.0.0.0' | '255.255.255.255' | '10.1.2.3'", MARIADB_ONLY},
    {"inet6", "'::' | '2001:db8::ff00:42:8329' | '::ffff:10.0.0.1'", MARIADB_ONLY},
};

typedef struct Servers {
    MysqlScratch *mysql;
    MYSQL *writer; /* as the target driver has it */
    Scratch *pg;
} Servers;

static void servers_init(Servers *servers, const char *mysql, const char *pg)
{
    GError *error = NULL;
    servers->mysql = mysql_scratch_new(mysql);
    servers->pg = scratch_new(pg);
    servers->writer = mysql_session_open_writer(&servers->mysql->endpoint, "test", 60, &error);
    MUST(servers->writer);
}

static void servers_clear(Servers *servers)
{
    mysql_close(servers->writer);
    scratch_free(servers->pg);
    mysql_scratch_free(servers->mysql);
}

static void write_rows(const Servers *servers, const Table *table, const char *sql, gsize size)
{
    if (mysql_real_query(servers->writer, sql, size) != 0)
        fail_msg("%s: %s", table->columns[1].type, mysql_error(servers->writer));
}

static void fail_cells(const char *type, guint row, const char *what)
{
    fail_msg("%s, row %u: %s", type, row, what);
}

/* ---- SELECT and log ---- */

/* MariaDB's own types look like binary in the log: the driver's to know. */
static bool is_logged_in_canonical_form(const char *type)
{
    return strcmp(type, "uuid") != 0 && !g_str_has_prefix(type, "inet") &&
           strcmp(type, "json") != 0;
}

static void compare_with_log(MysqlScratch *scratch, const char *type, const char *since,
                             const GPtrArray *rows)
{
    GError *error = NULL;
    BinlogRow row;
    MysqlLog log;
    guint n = 0;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_log_start(&log, scratch, (BinlogStart){.gtids = since, .to_end = true});
    while (mysql_log_next_rows(&log, "t"))
        while (binlog_row_reader_next(log.rows, &row, &error) == BINLOG_ROW) {
            const Cell *cell = &((const Cell *)g_ptr_array_index(rows, n++))[1];
            bool null = row.after[1].kind == BINLOG_VALUE_NULL;
            g_byte_array_set_size(bytes, 0);
            if (!null)
                MUST(mysql_canonical_append(&log.event.rows.table->columns[1], &row.after[1], NULL,
                                            bytes, &error));
            if (null != (cell->kind == CELL_NULL) || bytes->len != cell->length ||
                (bytes->len > 0 && memcmp(bytes->data, cell->data, bytes->len) != 0))
                fail_cells(type, n, "the log and the SELECT differ");
        }
    assert_int_equal(n, rows->len);
    mysql_log_clear(&log);
}

/* ---- written again ---- */

static void insert_literals(const Servers *servers, const Table *table, const GPtrArray *rows)
{
    GError *error = NULL;
    for (guint i = 0; i < rows->len; i++) {
        const Cell *cells = g_ptr_array_index(rows, i);
        g_autoptr(GString) sql = g_string_new("insert into literals values (");
        for (guint c = 0; c < table->n_columns; c++) {
            g_string_append(sql, c > 0 ? ", " : "");
            MUST(mysql_append_literal(sql, &table->columns[c], &cells[c], &error));
        }
        g_string_append_c(sql, ')');
        write_rows(servers, table, sql->str, sql->len);
    }
}

typedef struct Lines {
    const GString *text;
    gsize done;
} Lines;

static int lines_start(void **handle, const char *name, void *user)
{
    (void)name;
    *handle = user;
    return 0;
}

static int lines_read(void *handle, char *buffer, unsigned int size)
{
    Lines *lines = handle;
    gsize n = MIN(size, lines->text->len - lines->done);
    memcpy(buffer, lines->text->str + lines->done, n);
    lines->done += n;
    return (int)n;
}

static void lines_end(void *handle)
{
    (void)handle;
}

static int lines_error(void *handle, char *message, unsigned int size)
{
    (void)handle;
    g_strlcpy(message, "no error", size);
    return 0;
}

static void load_fields(const Servers *servers, const Table *table, const GPtrArray *rows)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) sql =
        g_string_new("load data local infile 'rows' into table fields character set utf8mb4 "
                     "fields terminated by '\t' escaped by '\\\\' lines terminated by '\n' (id, ");
    for (guint i = 0; i < rows->len; i++) {
        const Cell *cells = g_ptr_array_index(rows, i);
        for (guint c = 0; c < table->n_columns; c++) {
            MUST(mysql_append_field(text, &table->columns[c], &cells[c], &error));
            g_string_append_c(text, c + 1 < table->n_columns ? '\t' : '\n');
        }
    }
    if (mysql_field_needs_value(&table->columns[1])) {
        g_string_append(sql, "@c) set c = ");
        mysql_append_field_value(sql, &table->columns[1], "@c");
    } else {
        g_string_append(sql, "c)");
    }
    Lines lines = {.text = text};
    mysql_set_local_infile_handler(servers->writer, lines_start, lines_read, lines_end, lines_error,
                                   &lines);
    write_rows(servers, table, sql->str, sql->len);
}

static void expect_same(MysqlScratch *scratch, const char *name, const char *columns,
                        const GByteArray *wanted)
{
    g_autoptr(Table) table = mysql_test_table(scratch, name, columns);
    g_autoptr(GByteArray) found = mysql_test_copy(scratch, table);
    if (found->len != wanted->len || memcmp(found->data, wanted->data, found->len) != 0)
        fail_msg("%s: written again as %s it differs", table->columns[1].type, name);
}

/* ---- PostgreSQL takes the stream ---- */

static void copy_into(Scratch *pg, const char *sql, const GByteArray *stream)
{
    PGresult *result = PQexec(pg->connection, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COPY_IN);
    PQclear(result);
    assert_int_equal(PQputCopyData(pg->connection, (const char *)stream->data, (int)stream->len),
                     1);
    assert_int_equal(PQputCopyEnd(pg->connection, NULL), 1);
    result = PQgetResult(pg->connection);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    PQclear(result);
    PQclear(PQgetResult(pg->connection));
}

static char *pg_digest(Scratch *pg, const Table *table)
{
    GError *error = NULL;
    ReadRequest request = {.kind = READ_DIGEST, .table = table, .codec = true};
    Endpoint endpoint = {.side = table->label, .url = pg->url, .label = table->label};
    PGconn *connection = pg_connect(&endpoint, "test", PG_ORDINARY, &error);
    MUST(connection);
    MUST(pg_read(connection, "public", "t", &request, NULL, &error));
    PQfinish(connection);
    char *text = g_strdup_printf("%" G_GINT64_FORMAT " %s %s", request.rows, request.digest_1,
                                 request.digest_2);
    g_free(request.digest_1);
    g_free(request.digest_2);
    return text;
}

static void compare_with_postgresql(MysqlScratch *scratch, Scratch *pg, const Table *table,
                                    const GByteArray *stream)
{
    const Column *column = &table->columns[1];
    bool array;
    const TypeInfo *type = type_find(column->type_oid, &array);
    g_autofree char *bits = g_strdup_printf("bit varying");
    scratch_run(pg, "drop table if exists t; create table t (id integer primary key, c %s%s)",
                column->type_oid == OID_BIT ? bits : type->name, array ? "[]" : "");
    copy_into(pg, "copy t from stdin (format binary)", stream);
    g_autofree char *there = pg_digest(pg, table);
    g_autofree char *here = mysql_test_digest(scratch, table);
    assert_string_equal(there, here);
}

static void check_type(const Servers *servers, guint number)
{
    MysqlScratch *scratch = servers->mysql;
    const char *type = types[number].type;
    g_autofree char *columns = g_strdup_printf("id int key; c %s", type);
    g_auto(GStrv) values = g_strsplit(types[number].values, " | ", -1);
    static const char *const names[] = {"t", "literals", "fields"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        mysql_scratch_run(scratch, "create table %s (id int primary key, c %s)", names[i], type);
    g_autofree char *since = mysql_scratch_gtids(scratch);
    for (guint i = 0; values[i]; i++)
        mysql_scratch_run(scratch, "insert into t values (%u, %s)", i, values[i]);
    mysql_scratch_run(scratch, "insert into t values (1000, null)");
    g_autoptr(Table) table = mysql_test_table(scratch, "t", columns);
    g_autoptr(GByteArray) stream = mysql_test_copy(scratch, table);
    g_autoptr(GPtrArray) rows = mysql_test_rows(stream, 2);
    assert_int_equal(rows->len, g_strv_length(values) + 1);
    if (is_logged_in_canonical_form(type) || (strcmp(type, "json") == 0 && !scratch->mariadb))
        compare_with_log(scratch, type, since, rows);
    insert_literals(servers, table, rows);
    expect_same(scratch, "literals", columns, stream);
    load_fields(servers, table, rows);
    expect_same(scratch, "fields", columns, stream);
    compare_with_postgresql(scratch, servers->pg, table, stream);
    mysql_scratch_run(scratch, "drop table t, literals, fields");
}

static void check_types(const char *variable, int other)
{
    Servers servers;
    servers_init(&servers, variable, "DROVER_TEST_TARGET");
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].only != other)
            check_type(&servers, i);
    servers_clear(&servers);
}

static void test_mysql_values_are_those_of_the_log_and_survive_writing(void **state)
{
    (void)state;
    check_types("DROVER_TEST_MYSQL", MARIADB_ONLY);
}

static void test_mariadb_values_are_those_of_the_log_and_survive_writing(void **state)
{
    (void)state;
    check_types("DROVER_TEST_MARIADB", MYSQL_ONLY);
}

/* ---- from PostgreSQL and back ---- */

static const struct {
    const char *type;
    const char *mysql_type;
    const char *values; /* separated by " | " */
} pg_types[] = {
    {"boolean", "tinyint(1)", "true | false"},
    {"smallint", "smallint", "-32768 | 32767"},
    {"integer", "int", "-2147483648 | 2147483647"},
    {"bigint", "bigint", "-9223372036854775808 | 9223372036854775807"},
    {"oid", "int unsigned", "0 | 4294967295"},
    {"numeric(10,3)", "decimal(10,3)", "-9999999.999 | 0 | 0.001 | 1.500"},
    {"numeric", "decimal(65,30)",
     "0 | 1.50 | 1.500000000000 | -0.000000000000000000000000000001 | 10000 | 100.0 | "
     "99999999999999999999999999999999999.999999999999999999999999999999"},
    {"real", "float", "'-0' | 3.4028235e38 | 1.17549435e-38 | 0.1 | 1e-45"},
    {"double precision", "double",
     "'-0' | -1.7976931348623157e308 | 5e-324 | 0.1 | 0.30000000000000004"},
    {"text", "longtext", "'' | 'a ' | E'\\t\\n\\r\\\\N' | '\U0001f600' | repeat('x', 70000)"},
    {"character(5)", "varchar(5)", "'' | 'a' | 'abcde'"},
    {"character varying(5)", "varchar(5)", "'' | 'a ' | '\U0001f600\U0001f600'"},
    {"name", "varchar(63)", "'a' | 'it''s'"},
    {"\"char\"", "varchar(4)", "'a' | '' | '\\377' | '\\'"},
    {"xml", "longtext", "'<a>\u00e9</a>' | '<a/>'"},
    {"bytea", "longblob", "'' | '\\x00ff275c' | decode(repeat('00', 70000), 'hex')"},
    {"date", "date", "'0001-01-01' | '9999-12-31' | '2000-02-29'"},
    {"time(3)", "time(3)", "'00:00' | '23:59:59.999' | '24:00:00'"},
    {"time", "time(6)", "'00:00:00.000001' | '23:59:59.999999'"},
    {"timestamp", "datetime(6)",
     "'0001-01-01' | '9999-12-31 23:59:59.999999' | '1969-12-31 23:59:59.5'"},
    {"timestamp with time zone", "datetime(6)",
     "'1970-01-01 00:00+00' | '9999-12-31 23:59:59.999999+00'"},
    {"interval", "varchar(64)",
     "'0' | '-1 second' | '1 year -2 months 3 days -04:05:06.789' | '178000000 years' | "
     "'-178000000 years' | '0.000001 seconds' | '2562047788 hours' | '-1 month 1 day'"},
    {"uuid", "char(36) character set ascii collate ascii_bin",
     "'00112233-4455-6677-8899-aabbccddeeff'"},
    {"bit(1)", "bit(1)", "B'0' | B'1'"},
    {"bit(11)", "bit(11)", "B'00000000000' | B'10000000001'"},
    {"bit(64)", "bit(64)", "~(B'0'::bit(64)) | 1::bigint::bit(64)"},
    {"inet", "varchar(43) character set ascii",
     "'10.0.0.1' | '10.0.0.1/8' | '::1' | '2001:db8::/32'"},
    {"cidr", "varchar(43) character set ascii",
     "'10.0.0.0/8' | '10.0.0.1/32' | '2001:db8::/32' | '::/0'"},
    {"macaddr", "varchar(17) character set ascii", "'08:00:2b:01:02:03'"},
    {"macaddr8", "varchar(23) character set ascii", "'08:00:2b:01:02:03:04:05'"},
    {"json", "json",
     "'{\"b\" : [1, 2.50, 1e2], \"a\":\"\\u00e9\\ud83d\\ude00\\/\"}' | '[]' | '  null' | '1.0' | "
     "'-0' | "
     "'18446744073709551615' | '{\"aa\":1,\"b\":{}}'"},
    {"jsonb", "json", "'{\"b\" : [1, 2.50, 1e2], \"a\":\"\\u00e9\"}' | '\"x\"' | '0.1'"},
};

static guint32 pg_oid(Scratch *pg, const char *type)
{
    return (guint32)scratch_number(pg, "select '%s'::regtype::oid::int8", type);
}

static Table *pg_table(Servers *servers, guint number)
{
    Table *table = mysql_test_table(servers->mysql, "t", "id int key; c int");
    Column *column = &table->columns[1];
    g_free(column->type);
    g_free(column->target_type);
    column->type = g_strdup(pg_types[number].type);
    column->target_type = g_strdup(pg_types[number].mysql_type);
    column->type_oid = pg_oid(servers->pg, column->type);
    column->json_normal = g_str_has_prefix(column->type, "json") && !servers->mysql->mariadb;
    return table;
}

/* Rows of PostgreSQL's table as cells that point into the answer. */
static GPtrArray *pg_rows(const PGresult *answer)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < PQntuples(answer); i++) {
        Cell *cells = g_new0(Cell, 2);
        for (int c = 0; c < 2; c++)
            cells[c] = (Cell){.kind = PQgetisnull(answer, i, c) ? CELL_NULL : CELL_VALUE,
                              .data = (const guint8 *)PQgetvalue(answer, i, c),
                              .length = (guint32)PQgetlength(answer, i, c)};
        g_ptr_array_add(rows, cells);
    }
    return rows;
}

static void check_pg_type(Servers *servers, guint number)
{
    g_auto(GStrv) values = g_strsplit(pg_types[number].values, " | ", -1);
    g_autoptr(Table) table = pg_table(servers, number);
    scratch_run(servers->pg, "drop table if exists t; create table t (id int primary key, c %s)",
                pg_types[number].type);
    for (guint i = 0; values[i]; i++)
        scratch_run(servers->pg, "insert into t values (%u, %s)", i, values[i]);
    scratch_run(servers->pg, "insert into t values (1000, null)");
    static const char *const names[] = {"t", "literals", "fields"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        mysql_scratch_run(servers->mysql, "create table %s (id int primary key, c %s)", names[i],
                          pg_types[number].mysql_type);
    PGresult *answer = PQexecParams(servers->pg->connection, "select id, c from t order by id", 0,
                                    NULL, NULL, NULL, NULL, 1);
    g_autoptr(GPtrArray) rows = pg_rows(answer);
    insert_literals(servers, table, rows);
    load_fields(servers, table, rows);
    PQclear(answer);
    g_autofree char *wanted = pg_digest(servers->pg, table);
    static const char *const written[] = {"literals", "fields"};
    for (guint i = 0; i < G_N_ELEMENTS(written); i++) {
        g_free(table->source_name);
        table->source_name = g_strdup(written[i]);
        g_autofree char *found = mysql_test_digest(servers->mysql, table);
        if (strcmp(wanted, found) != 0)
            fail_msg("%s, written as %s: %s is %s", pg_types[number].type, written[i], wanted,
                     found);
    }
    mysql_scratch_run(servers->mysql, "drop table t, literals, fields");
}

static void check_pg_types(const char *variable)
{
    Servers servers;
    servers_init(&servers, variable, "DROVER_TEST_SOURCE");
    for (guint i = 0; i < G_N_ELEMENTS(pg_types); i++)
        check_pg_type(&servers, i);
    servers_clear(&servers);
}

static void test_postgresql_values_come_back_from_mysql(void **state)
{
    (void)state;
    check_pg_types("DROVER_TEST_MYSQL");
}

static void test_postgresql_values_come_back_from_mariadb(void **state)
{
    (void)state;
    check_pg_types("DROVER_TEST_MARIADB");
}

/* ---- documents ---- */

static void append_random_number(GRand *random, GString *text)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE], format[8];
    double value = g_rand_double_range(random, -10, 10);
    for (gint32 power = g_rand_int_range(random, -310, 300); power != 0;
         power += power < 0 ? 1 : -1)
        value = power < 0 ? value / 10 : value * 10;
    if (g_rand_int_range(random, 0, 4) == 0) {
        g_string_append_printf(text, "%" G_GUINT64_FORMAT "%d",
                               (guint64)g_rand_int(random) << 32 | g_rand_int(random),
                               g_rand_int_range(random, 0, 100));
        return;
    }
    g_snprintf(format, sizeof format, "%%.%de", g_rand_int_range(random, 0, 20));
    g_string_append(text, g_ascii_formatd(number, sizeof number, format, value));
}

static char *normal_of(const char *text, char **lost)
{
    g_autoptr(GByteArray) normal = g_byte_array_new();
    assert_true(json_normal_append(text, strlen(text), normal, lost));
    return g_strndup((const char *)normal->data, normal->len);
}

/* Exactly those numbers come back as they were that are not told to be lost. */
static void test_documents_that_are_not_refused_come_back(void **state)
{
    (void)state;
    enum { N = 3000 };
    MysqlScratch *scratch = mysql_scratch_new("DROVER_TEST_MYSQL");
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    g_autoptr(GString) sql = g_string_new("insert into t values ");
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    guint n_lost = 0;
    mysql_scratch_run(scratch, "create table t (id int primary key, c json)");
    for (guint i = 0; i < N; i++) {
        GString *text = g_string_new(NULL);
        append_random_number(random, text);
        g_string_append_printf(sql, "%s(%u, '%s')", i > 0 ? ", " : "", i, text->str);
        g_ptr_array_add(texts, g_string_free(text, false));
    }
    mysql_scratch_run(scratch, "%s", sql->str);
    g_autoptr(Table) table = mysql_test_table(scratch, "t", "id int key; c json");
    g_autoptr(GByteArray) stream = mysql_test_copy(scratch, table);
    g_autoptr(GPtrArray) rows = mysql_test_rows(stream, 2);
    for (guint i = 0; i < N; i++) {
        const char *written = g_ptr_array_index(texts, i);
        const Cell *cell = &((const Cell *)g_ptr_array_index(rows, i))[1];
        g_autofree char *lost = NULL, *text = g_strndup((const char *)cell->data, cell->length);
        g_autofree char *wanted = normal_of(written, &lost), *found = normal_of(text, NULL);
        if ((strcmp(wanted, found) == 0) != (lost == NULL))
            fail_msg("%s came back as %s, and %s", written, text, lost ? "is lost" : "is not lost");
        n_lost += lost != NULL;
    }
    assert_true(n_lost > N / 10 && n_lost < N);
    mysql_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mysql_values_are_those_of_the_log_and_survive_writing),
        cmocka_unit_test(test_mariadb_values_are_those_of_the_log_and_survive_writing),
        cmocka_unit_test(test_postgresql_values_come_back_from_mysql),
        cmocka_unit_test(test_postgresql_values_come_back_from_mariadb),
        cmocka_unit_test(test_documents_that_are_not_refused_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
