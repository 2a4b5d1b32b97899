#include "tests/support/writing.h"

#include "proto/error.h"
#include "schema/table.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FILLING 200 /* rows: more than go row by row */
#define MAX_KEY 8

Writing writing;

void writing_connect(void)
{
    g_autoptr(GError) error = NULL;
    char engine[] = "postgresql", side[] = "target";
    Endpoint endpoint = {
        .side = side, .engine = engine, .url = writing.scratch->url, .label = side};
    MUST(writing.target = pg_target_ops.connect(&endpoint, "drover shop apply", &error));
    MUST(pg_target_ops.prepare_writes(writing.target, &error));
}

static int open_group(bool large)
{
    writing.large = large;
    writing.scratch = scratch_new("DROVER_TEST_TARGET");
    writing_connect();
    return 0;
}

int writing_open_small(void **state)
{
    (void)state;
    return open_group(false);
}

int writing_open_large(void **state)
{
    (void)state;
    return open_group(true);
}

int writing_close(void **state)
{
    (void)state;
    pg_target_ops.close(writing.target);
    scratch_free(writing.scratch);
    return 0;
}

Table *writing_make_table(const char *sql)
{
    scratch_run(writing.scratch, "drop table if exists t cascade; %s", sql);
    return net_table_load(writing.scratch, ++writing.tables, "t");
}

void writing_run(const char *sql)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = NULL;
    MUST(answer = pg_target_ops.execute(writing.target, sql, 0, NULL, &error));
}

static char *absent_key(const Table *table, int number)
{
    if (strcmp(table->columns[table->key[0]].type, "uuid") == 0) {
        return g_strdup_printf("00000000-0000-0000-0001-%012d", number);
    }
    return g_strdup_printf("%d", -1000 - number);
}

static void enlarge(Net *net)
{
    const char *key[MAX_KEY];
    for (int i = 0; writing.large && i < FILLING; i++) {
        g_autofree char *text = absent_key(net->table.table, i);
        for (guint j = 0; j < MIN(net->table.table->n_key, MAX_KEY); j++) {
            key[j] = text;
        }
        net_add_delete(net, key);
    }
}

bool writing_write(Net *net, bool consistent, GError **error)
{
    enlarge(net);
    return pg_target_ops.write(writing.target, net_batch(net), 1, consistent, error);
}

void writing_write_and_commit(Net *net, bool consistent)
{
    g_autoptr(GError) error = NULL;
    writing_run("begin");
    MUST(writing_write(net, consistent, &error));
    writing_run("commit");
}

void writing_expect_rows(const char *rows)
{
    g_autofree char *found =
        scratch_ask(writing.scratch, "select coalesce(string_agg(t::text, ' ' order by t::text), "
                                     "'') from public.t");
    assert_string_equal(found, rows);
}
