#include "tests/support/target_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/mysql/target.h"
#include "apply/postgres/target.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"
#include "tests/support/scratch.h"

#include <string.h>

static char side[] = "target";
static char postgresql[] = "postgresql", mysql[] = "mysql";

const char *const target_servers[] = {"DROVER_TEST_TARGET", "DROVER_TEST_MYSQL",
                                      "DROVER_TEST_MARIADB", NULL};

TargetScratch *target_scratch_new(const char *variable)
{
    TargetScratch *scratch = g_new0(TargetScratch, 1);
    scratch->endpoint.side = side;
    if (strcmp(variable, target_servers[0]) == 0) {
        scratch->ops = &pg_target_ops;
        scratch->postgres = scratch_new(variable);
        scratch->endpoint.engine = postgresql;
        scratch->endpoint.url = scratch->postgres->url;
        scratch->endpoint.label = scratch->postgres->name;
        scratch->schema = "public";
    } else {
        scratch->ops = &mysql_target_ops;
        scratch->mysql = mysql_scratch_new(variable);
        /* A test that failed leaves its sessions behind, and what they have locked. */
        mysql_scratch_run(scratch->mysql, "set lock_wait_timeout = 10");
        mysql_scratch_run(scratch->mysql, "drop database if exists drover");
        scratch->endpoint.engine = mysql;
        scratch->endpoint.url = scratch->mysql->endpoint.url;
        scratch->endpoint.label = scratch->mysql->name;
        scratch->schema = scratch->mysql->name;
    }
    scratch->session = target_scratch_open(scratch, "drover test");
    return scratch;
}

void target_scratch_free(TargetScratch *scratch)
{
    scratch->ops->close(scratch->session);
    if (scratch->postgres)
        scratch_free(scratch->postgres);
    if (scratch->mysql) {
        mysql_scratch_run(scratch->mysql, "drop database if exists drover");
        mysql_scratch_free(scratch->mysql);
    }
    g_free(scratch);
}

Target *target_scratch_open(const TargetScratch *scratch, const char *label)
{
    g_autoptr(GError) error = NULL;
    Target *target = scratch->ops->connect(&scratch->endpoint, label, &error);
    MUST(target != NULL);
    return target;
}

static Answer *execute(TargetScratch *scratch, const char *sql)
{
    g_autoptr(GError) error = NULL;
    Answer *answer = scratch->ops->execute(scratch->session, sql, 0, NULL, &error);
    if (!answer)
        fail_msg("%.200s: %s", sql, error->message);
    return answer;
}

void target_scratch_run(TargetScratch *scratch, const char *sql)
{
    answer_free(execute(scratch, sql));
}

char *target_scratch_ask(TargetScratch *scratch, const char *sql)
{
    g_autoptr(Answer) answer = execute(scratch, sql);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < answer->n_rows; i++)
        for (guint j = 0; j < answer->n_columns; j++) {
            const char *value = answer_get(answer, i, j);
            g_string_append_printf(text, "%s%s",
                                   j > 0   ? ","
                                   : i > 0 ? " "
                                           : "",
                                   value ? value : "null");
        }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
