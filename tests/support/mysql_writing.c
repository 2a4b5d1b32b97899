#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/mysql_writing.h"

#include "apply/mysql/session.h"
#include "proto/error.h"
#include "schema/table.h"
#include "tests/support/must.h"
#include "tests/support/tables.h"

#include <string.h>

MysqlWriting mysql_writing;

typedef enum { ROW_BY_ROW, SET_WISE, LOADING } Way;

static int open_group(const char *variable, Way way)
{
    g_autoptr(GError) error = NULL;
    mysql_writing.postgres = scratch_new("DROVER_TEST_TARGET");
    mysql_writing.scratch = mysql_scratch_new(variable);
    mysql_scratch_run(mysql_writing.scratch, "create database if not exists drover");
    mysql_scratch_run(mysql_writing.scratch, "set global local_infile = on");
    mysql_scratch_run(mysql_writing.scratch, "set group_concat_max_len = 1000000");
    MUST(mysql_writing.target = mysql_target_ops.connect(&mysql_writing.scratch->endpoint,
                                                         "drover shop apply", &error));
    MUST(mysql_target_ops.prepare_writes(mysql_writing.target, &error));
    mysql_writing.target->local_infile = way == LOADING;
    mysql_writing.target->load_from = 0;
    mysql_writing.target->stage_from = way == ROW_BY_ROW ? G_MAXUINT : 0;
    return 0;
}

#define OPEN_GROUP(name, variable, way)                                                            \
    static int name(void **state)                                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        return open_group(variable, way);                                                          \
    }

OPEN_GROUP(open_mysql_rows, "DROVER_TEST_MYSQL", ROW_BY_ROW)
OPEN_GROUP(open_mysql_sets, "DROVER_TEST_MYSQL", SET_WISE)
OPEN_GROUP(open_mysql_load, "DROVER_TEST_MYSQL", LOADING)
OPEN_GROUP(open_mariadb_rows, "DROVER_TEST_MARIADB", ROW_BY_ROW)
OPEN_GROUP(open_mariadb_sets, "DROVER_TEST_MARIADB", SET_WISE)
OPEN_GROUP(open_mariadb_load, "DROVER_TEST_MARIADB", LOADING)

static int close_group(void **state)
{
    (void)state;
    mysql_target_ops.close(mysql_writing.target);
    mysql_scratch_free(mysql_writing.scratch);
    scratch_free(mysql_writing.postgres);
    return 0;
}

int mysql_writing_run_all(const struct CMUnitTest *tests, gsize n)
{
    static const struct {
        const char *name;
        CMFixtureFunction open;
    } groups[] = {{"MySQL, row by row", open_mysql_rows},
                  {"MySQL, set-wise", open_mysql_sets},
                  {"MySQL, set-wise and loading", open_mysql_load},
                  {"MariaDB, row by row", open_mariadb_rows},
                  {"MariaDB, set-wise", open_mariadb_sets},
                  {"MariaDB, set-wise and loading", open_mariadb_load}};
    int failed = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++)
        failed += _cmocka_run_group_tests(groups[i].name, tests, n, groups[i].open, close_group);
    return failed;
}

void mysql_writing_run_scratch(const char *sql)
{
    g_auto(GStrv) statements = g_strsplit(sql, ";", -1);
    for (guint i = 0; statements[i]; i++)
        if (g_strstrip(statements[i])[0])
            mysql_scratch_run(mysql_writing.scratch, "%s", statements[i]);
}

static void set_target(Table *table, const char *name)
{
    g_free(table->target_schema);
    g_free(table->target_name);
    table->target_schema = g_strdup(mysql_writing.scratch->name);
    table->target_name = g_strdup(name);
}

Table *mysql_writing_make_table(const char *columns, const char *sql)
{
    g_autofree char *create = g_strdup_printf("create table t (%s", sql);
    mysql_writing_run("rollback"); /* of a test that has failed */
    mysql_scratch_run(mysql_writing.scratch, "drop table if exists t");
    mysql_writing_run_scratch(create);
    Table *table = test_table_new(1, "t", columns);
    set_target(table, "t");
    table->other_unique = strstr(sql, "unique") != NULL;
    return table;
}

Net *mysql_writing_net(const Table *table)
{
    return net_new(mysql_writing.postgres, table);
}

void mysql_writing_run(const char *sql)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = NULL;
    MUST(answer = mysql_target_ops.execute(mysql_writing.target, sql, 0, NULL, &error));
}

bool mysql_writing_write(Net *net, bool consistent, GError **error)
{
    return mysql_target_ops.write(mysql_writing.target, net_batch(net), 1, consistent, error);
}

void mysql_writing_write_and_commit(Net *net, bool consistent)
{
    g_autoptr(GError) error = NULL;
    mysql_writing_run("begin");
    MUST(mysql_writing_write(net, consistent, &error));
    mysql_writing_run("commit");
}

void mysql_writing_expect_refused(Net *net, bool consistent, const char *const *parts)
{
    g_autoptr(GError) error = NULL;
    mysql_writing_run("begin");
    assert_false(mysql_writing_write(net, consistent, &error));
    if (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_DATA))
        fail_msg("class %d: %s", error->code, error->message);
    for (guint i = 0; parts[i]; i++)
        if (!strstr(error->message, parts[i]))
            fail_msg("%s: %s", parts[i], error->message);
    mysql_writing_run("rollback");
}

/* concat('(', ifnull(`id`, '~'), ',', ..., ')') */
static char *row_expression(void)
{
    g_autofree char *names = mysql_scratch_ask(
        mysql_writing.scratch, 0,
        "select group_concat(concat('ifnull(`', replace(column_name, '`', '``'), '`, ''~'')') "
        "order by ordinal_position separator ', '','', ') from information_schema.columns where "
        "table_schema = '%s' and table_name = 't'",
        mysql_writing.scratch->name);
    return g_strdup_printf("concat('(', %s, ')')", names);
}

void mysql_writing_expect_rows(const char *rows)
{
    g_autofree char *row = row_expression();
    g_autofree char *found = mysql_scratch_ask(
        mysql_writing.scratch, 0,
        "select coalesce(group_concat(%s order by %s separator ' '), '') from t", row, row);
    assert_string_equal(found, rows);
}

void mysql_writing_expect_value(const char *sql, const char *value)
{
    g_autofree char *found = mysql_scratch_ask(mysql_writing.scratch, 0, "%s", sql);
    if (g_strcmp0(found, value) != 0)
        fail_msg("%s: %s, not %s", sql, found, value);
}

static void append_u16(GByteArray *out, guint16 number)
{
    number = GUINT16_TO_BE(number);
    g_byte_array_append(out, (const guint8 *)&number, sizeof number);
}

static void append_u32(GByteArray *out, guint32 number)
{
    number = GUINT32_TO_BE(number);
    g_byte_array_append(out, (const guint8 *)&number, sizeof number);
}

GByteArray *mysql_writing_copy_data(const Net *net)
{
    static const char header[19] = "PGCOPY\n\377\r\n";
    GByteArray *data = g_byte_array_new();
    g_byte_array_append(data, (const guint8 *)header, sizeof header);
    for (guint i = 0; i < net->rows->len; i++) {
        const Row *row = &((const NetRow *)net->rows->pdata[i])->row;
        append_u16(data, (guint16)row->n_cells);
        for (guint j = 0; j < row->n_cells; j++) {
            const Cell *cell = &row->cells[j];
            append_u32(data, cell->kind == CELL_NULL ? G_MAXUINT32 : cell->length);
            if (cell->kind == CELL_VALUE)
                g_byte_array_append(data, cell->data, cell->length);
        }
    }
    append_u16(data, G_MAXUINT16);
    return data;
}
