#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema/catalog_mysql.h"
#include "schema/catalog_pg.h"
#include "schema/ddl.h"
#include "schema/mapping.h"
#include "schema/type_map.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/scratch.h"

#include <string.h>

/* One side: a database of its own on a server of any kind. writer: a session as that of drover's
 * writers, where it is MySQL. */
typedef struct Side {
    Scratch *pg;
    MysqlScratch *mysql;
    Endpoint endpoint;
    Server *server;
    MYSQL *writer;
} Side;

typedef struct Fixture {
    Side source, target;
    GPtrArray *tables, *steps, *left_out, *problems, *warnings;
} Fixture;

static char side_name[] = "source";
static char pg_engine[] = "postgresql";
static char mysql_engine[] = "mysql";
static char label[] = "source test";

static void open_side(Side *side, const char *variable, bool mysql)
{
    g_autoptr(GError) error = NULL;
    side->endpoint = (Endpoint){.side = side_name, .label = label};
    side->endpoint.engine = mysql ? mysql_engine : pg_engine;
    if (mysql) {
        side->mysql = mysql_scratch_new(variable);
        side->endpoint.url = side->mysql->endpoint.url;
    } else {
        side->pg = scratch_new(variable);
        side->endpoint.url = side->pg->url;
    }
    side->server = server_open(&side->endpoint, "drover test", &error);
    MUST(side->server != NULL);
    if (mysql)
        MUST(side->writer = mysql_session_open_writer(&side->endpoint, "drover test", 60, &error));
}

static void close_side(Side *side)
{
    server_close(side->server);
    g_clear_pointer(&side->writer, mysql_close);
    if (side->mysql != NULL)
        mysql_scratch_free(side->mysql);
    else
        scratch_free(side->pg);
}

static int set_up(void **state, const char *source, const char *target)
{
    Fixture *fixture = g_new0(Fixture, 1);
    open_side(&fixture->source, source, strstr(source, "M") != NULL);
    open_side(&fixture->target, target, strstr(target, "M") != NULL);
    fixture->left_out = g_ptr_array_new_with_free_func(g_free);
    fixture->problems = g_ptr_array_new_with_free_func(g_free);
    fixture->warnings = g_ptr_array_new_with_free_func(g_free);
    *state = fixture;
    return 0;
}

#define PG_SOURCE "DROVER_TEST_SOURCE"
#define PG_TARGET "DROVER_TEST_TARGET"
#define MYSQL_SIDE "DROVER_TEST_MYSQL"
#define MARIADB_SIDE "DROVER_TEST_MARIADB"

#define SET_UP(name, source, target)                                                               \
    static int name(void **state)                                                                  \
    {                                                                                              \
        return set_up(state, source, target);                                                      \
    }
SET_UP(pg_to_mysql, PG_SOURCE, MYSQL_SIDE)
SET_UP(pg_to_mariadb, PG_SOURCE, MARIADB_SIDE)
SET_UP(mysql_to_pg, MYSQL_SIDE, PG_TARGET)
SET_UP(mariadb_to_pg, MARIADB_SIDE, PG_TARGET)
SET_UP(mysql_to_mysql, MYSQL_SIDE, MYSQL_SIDE)
SET_UP(mysql_to_mariadb, MYSQL_SIDE, MARIADB_SIDE)
SET_UP(mariadb_to_mysql, MARIADB_SIDE, MYSQL_SIDE)
SET_UP(mariadb_to_mariadb, MARIADB_SIDE, MARIADB_SIDE)

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    close_side(&fixture->source);
    close_side(&fixture->target);
    g_clear_pointer(&fixture->tables, g_ptr_array_unref);
    g_clear_pointer(&fixture->steps, g_ptr_array_unref);
    g_ptr_array_unref(fixture->left_out);
    g_ptr_array_unref(fixture->problems);
    g_ptr_array_unref(fixture->warnings);
    g_free(fixture);
    return 0;
}

static void run_on(const Side *side, const char *sql)
{
    if (side->mysql != NULL)
        mysql_scratch_run(side->mysql, "%s", sql);
    else
        scratch_run(side->pg, "%s", sql);
}

/* As drover's own sessions run it, whose settings are not those of a test's. */
static void run_as_drover(const Side *side, const char *sql)
{
    g_autoptr(GError) error = NULL;
    bool done = side->mysql != NULL ? mysql_session_run(side->writer, sql, &error)
                                    : pg_run(side->server->pg, sql, &error);
    if (!done)
        fail_msg("%s: %s", sql, error->message);
}

static char *ask(const Side *side, const char *sql)
{
    return side->mysql != NULL ? mysql_scratch_ask(side->mysql, 0, "%s", sql)
                               : scratch_ask(side->pg, "%s", sql);
}

static void expect(const Side *side, const char *sql, const char *expected)
{
    g_autofree char *found = ask(side, sql);
    if (g_strcmp0(found, expected) != 0)
        fail_msg("%s:\n%s\n!=\n%s", sql, found, expected);
}

static void expect_no(const GPtrArray *sentences)
{
    if (sentences->len > 0)
        fail_msg("%s", (char *)g_ptr_array_index(sentences, 0));
}

/* Loads the source's tables and maps them into the target's database or schema app. */
static void map(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    const Server *source = fixture->source.server;
    g_autoptr(GPtrArray) catalog = source->pg != NULL ? catalog_pg_tables(source->pg, &error)
                                                      : catalog_mysql_tables(source->mysql, &error);
    MUST(catalog != NULL);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func((GDestroyNotify)mapping_line_free);
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
    MappingLine *line = g_new0(MappingLine, 1);
    const MysqlScratch *from = fixture->source.mysql, *to = fixture->target.mysql;
    line->source = g_strdup_printf("%s.*", from != NULL ? from->name : "app");
    line->target = g_strdup_printf("%s.*", to != NULL ? to->name : "app");
    g_ptr_array_add(lines, line);
    fixture->tables = mapping_resolve(catalog, lines, findings);
    expect_no(findings);
    g_autoptr(Product) source_product = product_of(source, &error);
    MUST(source_product != NULL);
    g_autoptr(Product) target_product = product_of(fixture->target.server, &error);
    MUST(target_product != NULL);
    for (guint i = 0; i < fixture->tables->len; i++)
        type_map_table(g_ptr_array_index(fixture->tables, i), source_product, target_product,
                       fixture->problems, fixture->warnings);
}

static void plan(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    map(fixture);
    expect_no(fixture->problems);
    fixture->steps = ddl_plan_full(fixture->source.server, fixture->target.server, fixture->tables,
                                   fixture->left_out, NULL, &error);
    MUST(fixture->steps != NULL);
}

static void make(Fixture *fixture)
{
    plan(fixture);
    for (guint i = 0; i < fixture->steps->len; i++) {
        const DdlStep *step = g_ptr_array_index(fixture->steps, i);
        run_as_drover(&fixture->target, step->statement);
    }
}

static void expect_left_out(const Fixture *fixture, const char *part)
{
    for (guint i = 0; i < fixture->left_out->len; i++)
        if (strstr(g_ptr_array_index(fixture->left_out, i), part) != NULL)
            return;
    for (guint i = 0; i < fixture->left_out->len; i++)
        print_message("left out: %s\n", (char *)g_ptr_array_index(fixture->left_out, i));
    fail_msg("nothing says: %s", part);
}

/* "name type [not null]" of each column of a table of the target. */
static char *columns_of(const Fixture *fixture, const char *table)
{
    const Side *side = &fixture->target;
    g_autofree char *sql = NULL;
    if (side->mysql != NULL)
        sql = g_strdup_printf(
            "select group_concat(concat_ws(' ', column_name, column_type, "
            "if(is_nullable = 'NO', 'not null', null), nullif(collation_name, 'utf8mb4_bin')) "
            "order by ordinal_position separator ', ') from information_schema.columns where "
            "table_schema = '%s' and table_name = '%s'",
            side->mysql->name, table);
    else
        sql = g_strdup_printf(
            "select string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), "
            "case when attnotnull then 'not null' end, nullif(attidentity, '')), ', ' "
            "order by attnum) from pg_attribute "
            "where attrelid = 'app.%s'::regclass and attnum > 0",
            table);
    return ask(side, sql);
}

static void expect_columns(const Fixture *fixture, const char *table, const char *expected)
{
    g_autofree char *columns = columns_of(fixture, table);
    if (g_strcmp0(columns, expected) != 0)
        fail_msg("%s\n!=\n%s", columns, expected);
}

/* "name unique column column(prefix)" of each index of a table of the target. */
static void expect_indexes(const Fixture *fixture, const char *table, const char *expected)
{
    const Side *side = &fixture->target;
    g_autofree char *sql = NULL;
    if (side->mysql != NULL)
        sql = g_strdup_printf(
            "select group_concat(line order by binary line separator '\n') from (select "
            "concat_ws(' ', "
            "index_name, if(non_unique, null, 'unique'), group_concat(concat(column_name, "
            "ifnull(concat('(', sub_part, ')'), ''), if(collation = 'D', ' desc', '')) "
            "order by seq_in_index)) as line from information_schema.statistics where "
            "table_schema = '%s' and table_name = '%s' group by index_name, non_unique) i",
            side->mysql->name, table);
    else
        sql = g_strdup_printf(
            "select string_agg(pg_get_indexdef(indexrelid), e'\n' order by "
            "indexrelid::regclass::text) from pg_index where indrelid = 'app.%s'::regclass",
            table);
    expect(side, sql, expected);
}

/* --- Every type ------------------------------------------------------------------------------- */

static const char pg_types[] =
    "create schema app; create table app.t (id bigint primary key, a bool default true not null, "
    "b smallint default -1, c int default 7, d bigint, e numeric(10,2) default 1.50, f real, "
    "g double precision default 1e10, h text default 'it''s \\ \"x\"', i varchar(20) default 'v', "
    "j char(5), k bytea default '\\x00ff', l date default '2020-01-02', m time(3) default "
    "'10:11:12', n timestamp default '2020-01-02 03:04:05.678', o timestamptz(3) default "
    "'2020-01-02 03:04:05+00', p interval, q uuid default '00000000-0000-0000-0000-00000000000a', "
    "r json default '{\"a\": 1}', s jsonb, t bit(10) default b'0000000101', u inet, v cidr, "
    "w macaddr, x macaddr8, y xml, z name, aa \"char\", ab oid, ac timestamptz default now(), "
    "ad timestamp default current_timestamp, ae timestamp(0) default timezone('utc', now()))";

/* Shown as MySQL shows it, before the collation of texts is cut off. */
static void expect_types_of_pg(Fixture *fixture, const char *expected)
{
    run_on(&fixture->source, pg_types);
    make(fixture);
    expect_no(fixture->left_out);
    expect_columns(fixture, "t", expected);
    run_on(&fixture->target, "insert into t (id) values (1)");
    expect(&fixture->target,
           "select concat_ws('|', a, b, c, e, g, h, i, hex(k), l, m, n, o, q, bin(t)) from t",
           "1|-1|7|1.50|10000000000|it's \\ \"x\"|v|00FF|2020-01-02|10:11:12.000|"
           "2020-01-02 03:04:05.678000|2020-01-02 03:04:05.000|"
           "00000000-0000-0000-0000-00000000000a|101");
    expect(&fixture->target, "select json_extract(r, '$.a') from t", "1");
    run_on(&fixture->target, "set time_zone = '+05:00'");
    run_on(&fixture->target, "insert into t (id) values (2)");
    expect(&fixture->target,
           "select concat_ws('|', abs(timestampdiff(minute, utc_timestamp(), ac)) < 60, "
           "abs(timestampdiff(minute, now(), ad)) < 60, "
           "abs(timestampdiff(minute, utc_timestamp(), ae)) < 60) from t where id = 2",
           "1|1|1");
}

static void test_every_type_of_postgresql_is_made_on_mysql(void **state)
{
#define B " utf8mb4_0900_bin"
    expect_types_of_pg(
        *state,
        "id bigint not null, a tinyint(1) not null, b smallint, c int, d bigint, e decimal(10,2), "
        "f float, g double, h longtext" B ", i varchar(20)" B ", j varchar(5)" B ", k longblob, "
        "l date, m time(3), n datetime(6), o datetime(3), p varchar(64) ascii_bin, "
        "q char(36) ascii_bin, r json, s json, t bit(10), u varchar(43) ascii_bin, "
        "v varchar(43) ascii_bin, w varchar(17) ascii_bin, x varchar(23) ascii_bin, "
        "y longtext" B ", z varchar(63)" B ", aa varchar(4)" B ", ab int unsigned, "
        "ac datetime(6), ad datetime(6), ae datetime");
#undef B
}

static void test_every_type_of_postgresql_is_made_on_mariadb(void **state)
{
#define B " utf8mb4_nopad_bin"
    expect_types_of_pg(
        *state,
        "id bigint(20) not null, a tinyint(1) not null, b smallint(6), c int(11), d bigint(20), "
        "e decimal(10,2), f float, g double, h longtext" B ", i varchar(20)" B ", j varchar(5)" B
        ", k longblob, l date, m time(3), n datetime(6), o datetime(3), p varchar(64) ascii_bin, "
        "q uuid, r longtext, s longtext, t bit(10), u varchar(43) ascii_bin, "
        "v varchar(43) ascii_bin, w varchar(17) ascii_bin, x varchar(23) ascii_bin, "
        "y longtext" B ", z varchar(63)" B ", aa varchar(4)" B ", ab int(10) unsigned, "
        "ac datetime(6), ad datetime(6), ae datetime");
#undef B
}

/* What both MySQL and MariaDB have, with defaults. */
#define MYSQL_TYPES                                                                                \
    "create table t (id int primary key, a tinyint(1) default 1 not null, b tinyint unsigned, "    \
    "c smallint default -3, d smallint unsigned, e mediumint, f mediumint unsigned, "              \
    "g int(10) unsigned zerofill default 7, h bigint, i bigint unsigned default "                  \
    "18446744073709551615, j decimal(10,3) default 1.5, k float default 1.25, l double default "   \
    "1e10, m bit(10) default b'101', n year default 2000, o char(5) charset latin1 collate "       \
    "latin1_bin default 'a''b', p varchar(20) charset utf8mb4 collate utf8mb4_bin default "        \
    "'x\\\\y', q text, r longtext, s enum('a', 'b''c') default 'b''c', "                           \
    "t set('x', 'y') default 'x,y', u binary(4), v varbinary(10), w longblob, x date default "     \
    "'2020-01-02', y time(2) default '-10:00:00', z datetime(3) default '2020-01-02 "              \
    "03:04:05.678', "                                                                              \
    "aa timestamp(6) default '2020-01-02 03:04:05', ab json, ac geometry, ad point, "              \
    "ae datetime(3) default current_timestamp(3), "                                                \
    "af timestamp default current_timestamp on update current_timestamp, "                         \
    "ag varchar(10) default (concat('a', 'b''c')), ah datetime default '0000-00-00 00:00:00', "    \
    "ai varchar(10) default (1 + 2)) charset utf8mb4"
#define MYSQL_VALUES "a, c, g, i, j, k, l, n, "

static void test_every_type_of_mysql_is_made_on_postgresql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "set time_zone = '+00:00'");
    run_on(&fixture->source, MYSQL_TYPES);
    make(fixture);
    expect_columns(
        fixture, "t",
        "id integer not null, a smallint not null, b smallint, c smallint, d integer, e integer, "
        "f integer, g bigint, h bigint, i numeric(20,0), j numeric(10,3), k real, "
        "l double precision, m bit(10), n smallint, o character varying(5), "
        "p character varying(20), q text, r text, s text, t text, u bytea, v bytea, w bytea, "
        "x date, y interval, z timestamp(3) without time zone, aa timestamp(6) with time zone, "
        "ab json, ac bytea, ad bytea, ae timestamp(3) without time zone, "
        "af timestamp(0) with time zone, ag character varying(10), "
        "ah timestamp(0) without time zone, ai character varying(10)");
    run_on(&fixture->target, "insert into app.t (id) values (1)");
    expect(&fixture->target,
           "select concat_ws('|', " MYSQL_VALUES "o, p, s, t, x, m, y, z, aa at time zone 'UTC', "
           "now() - ae < '1 day', now() - af < '1 day') "
           "from app.t",
           "1|-3|7|18446744073709551615|1.500|1.25|10000000000|2000|a'b|x\\y|b'c|x,y|2020-01-02|"
           "0000000101|-10:00:00|2020-01-02 03:04:05.678|2020-01-02 03:04:05|t|t");
    assert_int_equal(fixture->left_out->len, 4);
    expect_left_out(fixture, ".t: column af will not change by itself on updates");
    expect_left_out(fixture, ".t: the default of column ag will not be created: concat(");
    expect_left_out(fixture, ".t: the default of column ah will not be created: 0000-00-00");
    expect_left_out(fixture, ".t: the default of column ai will not be created: ");
}

static void test_types_of_mysql_stay_on_mysql(void **state)
{
    Fixture *fixture = *state;
    bool same = fixture->source.server->is_mariadb == fixture->target.server->is_mariadb;
    run_on(&fixture->source, "set time_zone = '+00:00'");
    run_on(&fixture->source, MYSQL_TYPES);
    make(fixture);
    assert_int_equal(fixture->left_out->len, same ? 0 : 2);
    static const char columns[] =
        "select group_concat(concat_ws(' ', column_name, if(locate('(', data_type), '', "
        "data_type), is_nullable, collation_name, datetime_precision, numeric_precision, "
        "character_maximum_length, lower(extra) like '%%on update current_timestamp%%', "
        "column_type like '%%unsigned%%') order by ordinal_position separator '\n') "
        "from information_schema.columns where table_schema = '%s' and table_name = 't' and "
        "data_type not in ('json', 'text', 'longtext', 'varchar', 'enum', 'set', "
        "'timestamp', 'bit', 'int', 'mediumint', 'float', 'double', 'bigint')";
    g_autofree char *source =
        mysql_scratch_ask(fixture->source.mysql, 0, columns, fixture->source.mysql->name);
    g_autofree char *target =
        mysql_scratch_ask(fixture->target.mysql, 0, columns, fixture->target.mysql->name);
    assert_string_equal(target, source);
    run_on(&fixture->target, "set time_zone = '+00:00'");
    run_on(&fixture->target, "insert into t (id) values (1)");
    expect(&fixture->target,
           "select concat_ws('|', " MYSQL_VALUES
           "convert(o using utf8mb4), hex(p), s, t, x, bin(m), y, z, aa, now() - ae < 86400, now() "
           "- af < 86400, ah) from t",
           "1|-3|0000000007|18446744073709551615|1.500|1.25|10000000000|2000|a'b|785C79|b'c|x,y|"
           "2020-01-02|101|-10:00:00.00|2020-01-02 03:04:05.678|2020-01-02 03:04:05.000000|1|1|"
           "0000-00-00 00:00:00");
    if (same)
        expect(&fixture->target, "select concat_ws('|', ag, ai) from t", "ab'c|3");
    run_on(&fixture->target, "insert into t (id, s, u) values (2, 'a', 'ab')");
    expect(&fixture->target, "select hex(u) from t where id = 2", "61620000");
}

static void test_what_only_mariadb_has_becomes_text_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create table t (id uuid primary key, a inet4, b inet6, "
                             "c varchar(100) compressed charset latin1 collate latin1_bin, "
                             "d text default 'it''s', e blob default x'00ff27', f json default "
                             "'{\"a\": 1}', g binary(4) default 'ab')");
    make(fixture);
    expect_no(fixture->left_out);
    expect_no(fixture->warnings);
    expect_columns(fixture, "t",
                   "id char(36) not null ascii_bin, a varchar(43) ascii_bin, "
                   "b varchar(43) ascii_bin, c varchar(100) latin1_bin, "
                   "d text utf8mb4_general_ci, e blob, f json, g binary(4)");
    run_on(&fixture->target, "insert into t (id) values ('x')");
    expect(&fixture->target, "select concat_ws('|', d, hex(e), f->'$.a', hex(g)) from t",
           "it's|00FF27|1|61620000");
}

static void test_bytes_of_mariadb_keep_their_defaults_on_postgresql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create table t (id uuid primary key, a inet4 default '1.2.3.4', "
                             "b inet6, d text default 'it''s', e blob default x'00ff27', "
                             "f json default '{\"a\": 1}', g binary(4) default 'ab', "
                             "h json default json_object())");
    make(fixture);
    expect_no(fixture->left_out);
    expect_columns(fixture, "t",
                   "id uuid not null, a inet, b inet, d text, e bytea, f json, g bytea, h json");
    run_on(&fixture->target,
           "insert into app.t (id) values ('00000000-0000-0000-0000-000000000001')");
    expect(&fixture->target, "select concat_ws('|', a, d, e, f, g, h) from app.t",
           "1.2.3.4|it's|\\x00ff27|{\"a\": 1}|\\x61620000|{}");
}

static void test_an_unreadable_default_of_bytes_is_left_out(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source,
           "create table t (id int primary key, a varbinary(10) default x'610027', "
           "j json default (json_array()), v vector(3))");
    make(fixture);
    assert_int_equal(fixture->left_out->len, 1);
    expect_left_out(fixture, ".t: the default of column a will not be created: 0x61");
}

static void test_a_collation_of_mysql_becomes_the_binary_one_of_mariadb(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create table t (id varchar(20) charset utf8mb4 collate "
                             "utf8mb4_0900_ai_ci primary key, a text charset utf8mb4 collate "
                             "utf8mb4_bin, g geometrycollection, p point not null srid 4326)");
    make(fixture);
    assert_int_equal(fixture->warnings->len, 1);
    expect_columns(fixture, "t",
                   "id varchar(20) not null utf8mb4_nopad_bin, a text, g geometrycollection, "
                   "p point not null");
    assert_int_equal(fixture->left_out->len, 1);
    expect_left_out(fixture, ".t: the reference system 4326 of column p will not be fixed");
}

/* --- Keys and indexes ------------------------------------------------------------------------- */

static void test_keys_and_indexes_of_postgresql_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source,
           "create schema app; create table app.t (b varchar(20), a int, c text, d bytea, "
           "e int unique, f varchar(700), g varchar(700), j jsonb, primary key (a, b)); "
           "create index t_c on app.t (c); create index t_d on app.t (d, e); "
           "create unique index t_ed on app.t (e desc, a); create index t_fg on app.t (f, g); "
           "create index t_hash on app.t using hash (e); "
           "create index t_part on app.t (e) where e > 1; create index t_low on app.t (lower(c)); "
           "create index t_gin on app.t using gin (j); create unique index t_text on app.t (c); "
           "create index t_j on app.t (j); create unique index t_inc on app.t (e) include (a); "
           "create table app.u (k int not null, v int); "
           "create unique index u_k on app.u (k); "
           "alter table app.u replica identity using index u_k");
    make(fixture);
    expect_indexes(fixture, "t",
                   "PRIMARY unique a,b\nt_c c(255)\nt_d d(255),e\nt_e_key unique e\n"
                   "t_ed unique e desc,a\nt_fg f(255),g(255)\nt_hash e\nt_inc unique e");
    expect_indexes(fixture, "u", "u_k unique k");
    assert_int_equal(fixture->left_out->len, 6);
    expect_left_out(fixture, "app.t: index t_part will not be created: it holds only some of the");
    expect_left_out(fixture, "app.t: index t_low will not be created: it holds the expression "
                             "lower(c)");
    expect_left_out(fixture, "app.t: index t_gin will not be created: it has the method gin");
    expect_left_out(fixture, "app.t: index t_text will not be created: it would be longer");
    expect_left_out(fixture, "app.t: index t_j will not be created: a json column cannot be");
    expect_left_out(fixture, "app.t: index t_inc will be without its included columns");
}

/* The table has its key before its rows, and one statement builds the rest. */
static void test_the_key_is_there_from_the_beginning_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create schema app; create table app.t (id int primary key, a int, "
                             "b int); create index on app.t (a); create index on app.t (b)");
    plan(fixture);
    guint keys = 0, indexes = 0;
    for (guint i = 0; i < fixture->steps->len; i++) {
        const DdlStep *step = g_ptr_array_index(fixture->steps, i);
        keys += strcmp(step->kind, "key") == 0;
        indexes += strcmp(step->kind, "index") == 0;
        if (strcmp(step->kind, "table") == 0)
            assert_non_null(strstr(step->statement, "primary key (`id`)"));
    }
    assert_int_equal(keys, 0);
    assert_int_equal(indexes, 1);
}

#define MYSQL_INDEXES                                                                              \
    "create table t (a int not null, b varchar(20) not null, c text, d blob, e int, "              \
    "primary key (b, a), unique key e (e), key c (c(10), e desc), key d (d(5)), "                  \
    "unique key b (b(3), e), fulltext key f (c), key t (e), key plain (a) comment 'plain one')"

static void test_keys_and_indexes_of_mysql_on_postgresql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, MYSQL_INDEXES);
    run_on(&fixture->source, "create table u (k int not null, e int, unique key k (k), key e (e))");
    make(fixture);
    expect_indexes(fixture, "t",
                   "CREATE UNIQUE INDEX b ON app.t USING btree (\"left\"((b)::text, 3), e)\n"
                   "CREATE INDEX c ON app.t USING btree (\"left\"(c, 10), e DESC)\n"
                   "CREATE INDEX d ON app.t USING btree (substr(d, 1, 5))\n"
                   "CREATE UNIQUE INDEX e ON app.t USING btree (e)\n"
                   "CREATE INDEX plain ON app.t USING btree (a)\n"
                   "CREATE INDEX t_2 ON app.t USING btree (e)\n"
                   "CREATE UNIQUE INDEX t_pkey ON app.t USING btree (b, a)");
    expect_indexes(fixture, "u",
                   "CREATE INDEX e_2 ON app.u USING btree (e)\n"
                   "CREATE UNIQUE INDEX k ON app.u USING btree (k)");
    expect(&fixture->target,
           "select string_agg(indexrelid::regclass::text, ' ') from pg_index where indisreplident",
           "app.k");
    assert_int_equal(fixture->left_out->len, 2);
    expect_left_out(fixture, ".t: index f will not be created: it has the method fulltext");
    expect_left_out(fixture, ".t: the comment of index plain will not be created");
}

static void test_indexes_of_mysql_stay_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, MYSQL_INDEXES);
    run_on(&fixture->source, "create table s (id int primary key, p point not null, "
                             "spatial key p (p), fulltext key f1 (t1), fulltext key f2 (t2), "
                             "t1 text, t2 text)");
    make(fixture);
    expect_no(fixture->left_out);
    expect_indexes(fixture, "t",
                   fixture->source.server->is_mariadb && !fixture->target.server->is_mariadb
                       ? "PRIMARY unique b,a\nb unique b(3),e\nc c(10),e desc\nd d(5)\n"
                         "e unique e\nf c\nplain a\nt e"
                       : "PRIMARY unique b,a\nb unique b(3),e\nc c(10),e desc\nd d(5)\n"
                         "e unique e\nf c\nplain a\nt e");
    expect_indexes(fixture, "s", "PRIMARY unique id\nf1 t1\nf2 t2\np p(32)");
    g_autofree char *comment = g_strdup_printf(
        "select index_comment from information_schema.statistics where index_name = 'plain' "
        "and table_schema = '%s'",
        fixture->target.mysql->name);
    expect(&fixture->target, comment, "plain one");
}

/* --- Counters --------------------------------------------------------------------------------- */

static void test_counters_of_mysql_count_on_postgresql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create table t (id int auto_increment primary key) "
                             "auto_increment = 100");
    run_on(&fixture->source, "create table u (a int, id bigint unsigned auto_increment, "
                             "primary key (a, id), key (id)) auto_increment = 7");
    make(fixture);
    expect_no(fixture->left_out);
    expect_columns(fixture, "t", "id integer not null d");
    run_on(&fixture->target, "insert into app.t default values; "
                             "insert into app.u (a) values (1), (1)");
    expect(&fixture->target, "select id from app.t", "100");
    expect(&fixture->target, "select string_agg(id::text, ' ') from app.u", "7 8");
    expect(&fixture->target, "select pg_get_serial_sequence('app.u', 'id')", "app.u_id_seq");
}

static void test_counters_of_postgresql_count_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source,
           "create schema app; create table app.t (id int generated always as identity primary "
           "key); create table app.u (a int primary key, id serial, other bigserial); "
           "create index on app.u (id); create table app.v (a int primary key, id serial); "
           "create sequence app.loose; "
           "create table app.w (a int primary key default nextval('app.loose'), "
           "b uuid default gen_random_uuid())");
    make(fixture);
    run_on(&fixture->target, "insert into t (id) values (null), (41), (null)");
    expect(&fixture->target, "select group_concat(id order by id) from t", "1,41,42");
    run_on(&fixture->target, "insert into u (a, other) values (5, 1), (6, 1)");
    expect(&fixture->target, "select group_concat(id order by id) from u", "1,2");
    expect_indexes(fixture, "u", "PRIMARY unique a\nu_id_idx id");
    assert_int_equal(fixture->left_out->len, 4);
    expect_left_out(fixture, "app.u: column other will not count by itself: only one column can");
    expect_left_out(fixture, "app.v: column id will not count by itself: no index begins with it");
    expect_left_out(fixture, "app.w: the default of column a will not be created: nextval(");
    expect_left_out(fixture, "app.w: the default of column b will not be created: gen_random_uuid");
}

static void test_counters_of_mysql_go_on_where_they_were(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create table t (a int, id bigint unsigned auto_increment, "
                             "primary key (a, id), unique key id (id)) auto_increment = 100");
    make(fixture);
    expect_no(fixture->left_out);
    run_on(&fixture->target, "insert into t (a) values (1), (1)");
    expect(&fixture->target, "select group_concat(id order by id) from t", "100,101");
}

static void test_a_hidden_key_of_mysql_is_moved(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "set sql_generate_invisible_primary_key = on");
    run_on(&fixture->source, "create table t (a int)");
    make(fixture);
    if (fixture->target.mysql != NULL && !fixture->target.server->is_mariadb) {
        expect_no(fixture->left_out);
        run_on(&fixture->target, "insert into t values (5)");
        expect(&fixture->target, "select concat_ws(' ', a, my_row_id) from t", "5 1");
    } else {
        expect_left_out(fixture, ".t: column my_row_id is invisible on the source");
        run_on(&fixture->target, fixture->target.mysql != NULL
                                     ? "insert into t (a) values (5)"
                                     : "insert into app.t (a) values (5)");
    }
}

/* --- Foreign keys ----------------------------------------------------------------------------- */

static void test_foreign_keys_of_postgresql_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source,
           "create schema app; create table app.p (id int primary key, code varchar(10) unique, "
           "note text unique); "
           "create table app.c (id int primary key, a int references app.p on delete cascade, "
           "b varchar(10) constraint same references app.p (code) on update set null "
           "deferrable, c bigint references app.p, d text references app.p (note), "
           "e int references app.p on delete set default, "
           "f int not null references app.p on delete set null); "
           "create table app.d (id int primary key, b varchar(10) constraint same references "
           "app.p (code)); create schema other; create table other.o (id int primary key); "
           "alter table app.d add o int references other.o");
    make(fixture);
    g_autofree char *sql = g_strdup_printf(
        "select group_concat(concat_ws(' ', table_name, constraint_name, referenced_table_name, "
        "delete_rule, update_rule) order by table_name, constraint_name separator '\n') "
        "from information_schema.referential_constraints where constraint_schema = '%s'",
        fixture->target.mysql->name);
    g_autofree char *found = ask(&fixture->target, sql);
    g_auto(GStrv) lines = g_strsplit(found, "\n", -1);
    assert_int_equal(g_strv_length(lines), 3);
    assert_string_equal(lines[0], "c c_a_fkey p CASCADE NO ACTION");
    assert_string_equal(lines[1], "c same p NO ACTION SET NULL");
    assert_string_equal(lines[2], "d same_2 p NO ACTION NO ACTION");
    expect_left_out(fixture, "app.c: foreign key same will be checked by each statement");
    expect_left_out(fixture, "app.c: foreign key c_c_fkey will not be created: the types of its");
    expect_left_out(fixture, "app.c: foreign key c_d_fkey will not be created: the unique index");
    expect_left_out(fixture, "app.c: foreign key c_e_fkey will not be created: it sets defaults");
    expect_left_out(fixture, "app.c: foreign key c_f_fkey will not be created: it sets columns");
    expect_left_out(fixture, "app.d: foreign key d_o_fkey will not be created: other.o is not");
}

#define MYSQL_PARENT                                                                               \
    "create table p (id int primary key, code varchar(10), n int, unique key (code), key (n))"
#define MYSQL_CHILD                                                                                \
    "create table c (id int primary key, a int, b varchar(10), n int, "                            \
    "constraint c_a foreign key (a) references p (id) on delete cascade on update set null, "      \
    "constraint c_b foreign key (b) references p (code))"

static void test_foreign_keys_of_mysql_on_postgresql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, MYSQL_PARENT);
    run_on(&fixture->source, MYSQL_CHILD);
    if (!fixture->source.server->is_mariadb)
        run_on(&fixture->source, "set restrict_fk_on_non_standard_key = off");
    run_on(&fixture->source, "create table d (id int primary key, n int, "
                             "constraint d_n foreign key (n) references p (n))");
    make(fixture);
    expect(&fixture->target,
           "select string_agg(conname || ' ' || pg_get_constraintdef(oid), e'\n' order by conname) "
           "from pg_constraint where contype = 'f'",
           fixture->source.server->is_mariadb
               ? "c_a FOREIGN KEY (a) REFERENCES app.p(id) ON UPDATE SET NULL ON DELETE CASCADE\n"
                 "c_b FOREIGN KEY (b) REFERENCES app.p(code) ON UPDATE RESTRICT ON DELETE RESTRICT"
               : "c_a FOREIGN KEY (a) REFERENCES app.p(id) ON UPDATE SET NULL ON DELETE CASCADE\n"
                 "c_b FOREIGN KEY (b) REFERENCES app.p(code)");
    assert_int_equal(fixture->left_out->len, 1);
    expect_left_out(fixture, ".d: foreign key d_n will not be created: what it refers to in ");
}

static void test_foreign_keys_of_mysql_stay_on_mysql(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, MYSQL_PARENT);
    run_on(&fixture->source, MYSQL_CHILD);
    make(fixture);
    expect_no(fixture->left_out);
    g_autofree char *sql = g_strdup_printf(
        "select group_concat(concat_ws(' ', constraint_name, delete_rule, update_rule) order by "
        "constraint_name separator ', ') from information_schema.referential_constraints "
        "where constraint_schema = '%s'",
        fixture->target.mysql->name);
    g_autofree char *found = ask(&fixture->target, sql);
    assert_true(g_str_has_prefix(found, "c_a CASCADE SET NULL, c_b "));
}

/* --- Everything else -------------------------------------------------------------------------- */

static const char mysql_own[] =
    "create table t (id int primary key, a varchar(20), g varchar(50) generated always as "
    "(concat(a, 'it''s', '\\\\')) stored, v int generated always as (id + 1) virtual, "
    "constraint short check (a <> 'it''s \"x\"'), key v (v))";

static void test_checks_and_generated_columns_stay_within_a_product(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, mysql_own);
    make(fixture);
    expect_no(fixture->left_out);
    run_on(&fixture->target, "insert into t (id, a) values (1, 'b')");
    expect(&fixture->target, "select concat_ws('|', g, v) from t", "bit's\\|2");
    expect_indexes(fixture, "t", "PRIMARY unique id\nv v");
    assert_true(mysql_query(fixture->target.mysql->mysql,
                            "insert into t (id, a) values (2, 'it''s \"x\"')") != 0);
}

static void test_checks_and_generated_columns_do_not_cross_engines(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, mysql_own);
    make(fixture);
    assert_int_equal(fixture->left_out->len, 4);
    expect_left_out(fixture, ".t: generated column g will not be created: ");
    expect_left_out(fixture, ".t: generated column v will not be created: ");
    expect_left_out(fixture, ".t: check constraint short will not be created: ");
    expect_left_out(fixture, ".t: index v will not be created: it holds the generated column v");
}

static void test_what_is_postgresqls_alone_is_told(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source,
           "create schema app; create table app.t (id int primary key, a int check (a > 0), "
           "g int generated always as (a * 2) stored, during inet, "
           "constraint apart exclude using gist (during inet_ops with &&))");
    make(fixture);
    assert_int_equal(fixture->left_out->len, 3);
    expect_left_out(fixture, "app.t: generated column g will not be created: its expression is");
    expect_left_out(fixture, "app.t: check constraint t_a_check will not be created: ");
    expect_left_out(fixture, "app.t: exclusion constraint apart will not be created: ");
}

static void test_comments_carry_over(void **state)
{
    Fixture *fixture = *state;
    if (fixture->source.mysql != NULL)
        run_on(&fixture->source, "create table t (id int primary key comment 'it''s \\\\ an id', "
                                 "a int) comment = 'it''s a table'");
    else
        run_on(&fixture->source, "create schema app; create table app.t (id int primary key, a "
                                 "int); comment on table app.t is 'it''s a table'; "
                                 "comment on column app.t.id is 'it''s \\ an id'");
    make(fixture);
    expect_no(fixture->left_out);
    if (fixture->target.mysql == NULL) {
        expect(&fixture->target, "select obj_description('app.t'::regclass)", "it's a table");
        expect(&fixture->target, "select col_description('app.t'::regclass, 1)", "it's \\ an id");
        return;
    }
    g_autofree char *sql = g_strdup_printf(
        "select concat_ws('|', table_comment, column_comment) from information_schema.tables "
        "join information_schema.columns using (table_schema, table_name) "
        "where table_schema = '%s' and column_name = 'id'",
        fixture->target.mysql->name);
    expect(&fixture->target, sql, "it's a table|it's \\ an id");
}

static void test_a_comment_that_is_too_long_is_told(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create schema app; create table app.t (id int primary key)");
    g_autofree char *text = g_strnfill(1025, 'x');
    g_autofree char *sql = g_strdup_printf("comment on column app.t.id is '%s'", text);
    run_on(&fixture->source, sql);
    make(fixture);
    assert_int_equal(fixture->left_out->len, 1);
    expect_left_out(fixture, "app.t: the comment of column id will not be created: it is longer");
}

static void test_odd_names_are_quoted(void **state)
{
    Fixture *fixture = *state;
    if (fixture->source.mysql != NULL)
        run_on(&fixture->source,
               "create table `odd \"``'name` (`select` int primary key, "
               "`a \"``'b` int default 3 comment 'x', key `k \"``'k` (`a \"``'b`))");
    else
        run_on(&fixture->source, "create schema app; create table app.\"odd \"\"`'name\" "
                                 "(\"select\" int primary key, \"a \"\"`'b\" int default 3); "
                                 "create index \"k \"\"`'k\" on app.\"odd \"\"`'name\" "
                                 "(\"a \"\"`'b\")");
    make(fixture);
    expect_no(fixture->left_out);
    if (fixture->target.mysql != NULL)
        expect_indexes(fixture, "odd \"`''name", "PRIMARY unique select\nk \"`'k a \"`'b");
    else
        expect(
            &fixture->target,
            "select string_agg(attname, ' ' order by attname) from pg_attribute where attrelid "
            "in (select oid from pg_class where relnamespace = 'app'::regnamespace) and attnum > 0",
            "a \"`'b a \"`'b select select");
}

static void test_partitions_are_told(void **state)
{
    Fixture *fixture = *state;
    run_on(&fixture->source, "create table t (a int primary key) partition by hash (a) "
                             "partitions 3");
    make(fixture);
    assert_int_equal(fixture->left_out->len, 1);
    expect_left_out(fixture, ".t: its partitions will not be created");
}

int main(void)
{
#define TEST(name, pair)                                                                           \
    {                                                                                              \
#name " " #pair, name, pair, tear_down, NULL                                               \
    }
#define FROM_PG(name) TEST(name, pg_to_mysql), TEST(name, pg_to_mariadb)
#define TO_PG(name) TEST(name, mysql_to_pg), TEST(name, mariadb_to_pg)
#define SAME(name) TEST(name, mysql_to_mysql), TEST(name, mariadb_to_mariadb)
#define CROSS(name) TEST(name, mysql_to_mariadb), TEST(name, mariadb_to_mysql)
    const struct CMUnitTest tests[] = {
        TEST(test_every_type_of_postgresql_is_made_on_mysql, pg_to_mysql),
        TEST(test_every_type_of_postgresql_is_made_on_mariadb, pg_to_mariadb),
        TO_PG(test_every_type_of_mysql_is_made_on_postgresql),
        SAME(test_types_of_mysql_stay_on_mysql),
        CROSS(test_types_of_mysql_stay_on_mysql),
        TEST(test_what_only_mariadb_has_becomes_text_on_mysql, mariadb_to_mysql),
        TEST(test_bytes_of_mariadb_keep_their_defaults_on_postgresql, mariadb_to_pg),
        TEST(test_an_unreadable_default_of_bytes_is_left_out, mysql_to_pg),
        TEST(test_an_unreadable_default_of_bytes_is_left_out, mysql_to_mysql),
        TEST(test_a_collation_of_mysql_becomes_the_binary_one_of_mariadb, mysql_to_mariadb),
        FROM_PG(test_keys_and_indexes_of_postgresql_on_mysql),
        FROM_PG(test_the_key_is_there_from_the_beginning_on_mysql),
        TO_PG(test_keys_and_indexes_of_mysql_on_postgresql),
        SAME(test_indexes_of_mysql_stay_on_mysql),
        CROSS(test_indexes_of_mysql_stay_on_mysql),
        TO_PG(test_counters_of_mysql_count_on_postgresql),
        FROM_PG(test_counters_of_postgresql_count_on_mysql),
        SAME(test_counters_of_mysql_go_on_where_they_were),
        CROSS(test_counters_of_mysql_go_on_where_they_were),
        TEST(test_a_hidden_key_of_mysql_is_moved, mysql_to_pg),
        TEST(test_a_hidden_key_of_mysql_is_moved, mysql_to_mysql),
        TEST(test_a_hidden_key_of_mysql_is_moved, mysql_to_mariadb),
        FROM_PG(test_foreign_keys_of_postgresql_on_mysql),
        TO_PG(test_foreign_keys_of_mysql_on_postgresql),
        SAME(test_foreign_keys_of_mysql_stay_on_mysql),
        CROSS(test_foreign_keys_of_mysql_stay_on_mysql),
        SAME(test_checks_and_generated_columns_stay_within_a_product),
        TO_PG(test_checks_and_generated_columns_do_not_cross_engines),
        CROSS(test_checks_and_generated_columns_do_not_cross_engines),
        FROM_PG(test_what_is_postgresqls_alone_is_told),
        FROM_PG(test_comments_carry_over),
        TO_PG(test_comments_carry_over),
        SAME(test_comments_carry_over),
        FROM_PG(test_a_comment_that_is_too_long_is_told),
        FROM_PG(test_odd_names_are_quoted),
        TO_PG(test_odd_names_are_quoted),
        SAME(test_odd_names_are_quoted),
        TO_PG(test_partitions_are_told),
        SAME(test_partitions_are_told),
    };
    return cmocka_run_group_tests_name("ddl_across", tests, NULL, NULL);
}
