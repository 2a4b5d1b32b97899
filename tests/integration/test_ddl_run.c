/*
 * Running the steps of a DDL plan, on every engine that drover's control state lives in: kills at
 * every statement, sessions beside each other, what somebody else created.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "schema/ddl.h"
#include "tests/support/must.h"
#include "tests/support/target_scratch.h"

#include <string.h>

static const char *server;
static char shop_name[] = "shop";
static const DdlWorker worker = {"apply-build-1", 1};
static const DdlWorker beside = {"apply-build-2", 1}; /* has a row of its own to change */
static const char *const all_kinds[] = {"table", "key", "index", "foreign_key", NULL};
static const char *const index_kinds[] = {"index", NULL};

typedef struct Fixture {
    TargetScratch *database;
    Migration migration;
    Control control;
} Fixture;

/* --- A session that can be watched and killed ------------------------------------------------- */

static struct {
    const TargetOps *real;
    TargetOps ops;
    int left;   /* statements that it still lives to hear the answers of; negative: all */
    bool after; /* it dies once its last statement is done, not before */
    bool dead;
    const char *word; /* called before a statement that begins with it; NULL: never */
    void (*look)(Fixture *fixture);
    Fixture *fixture;
} watched;

static Answer *watched_execute(Target *target, const char *sql, guint n, const char *const *values,
                               GError **error)
{
    bool dies = !watched.dead && watched.left >= 0 && watched.left-- == 0;
    if (!watched.dead && watched.word != NULL && g_str_has_prefix(sql, watched.word))
        watched.look(watched.fixture);
    if (!watched.dead && (!dies || watched.after)) {
        Answer *answer = watched.real->execute(target, sql, n, values, error);
        if (!dies)
            return answer;
        answer_free(answer);
        g_clear_error(error);
    }
    if (dies)
        watched.real->close(target);
    watched.dead |= dies;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "the session is dead");
    return NULL;
}

static Control watch(Fixture *fixture)
{
    memset(&watched, 0, sizeof watched);
    watched.real = fixture->database->ops;
    watched.ops = *watched.real;
    watched.ops.execute = watched_execute;
    watched.left = -1;
    watched.fixture = fixture;
    return (Control){&watched.ops, target_scratch_open(fixture->database, "drover shop apply"),
                     &fixture->migration};
}

static void close_control(Control *control)
{
    if (control->ops != &watched.ops || !watched.dead)
        control->ops->close(control->target);
}

/* --- Fixture ---------------------------------------------------------------------------------- */

static void step_free(gpointer data)
{
    DdlStep *step = data;
    g_free(step->kind);
    g_free(step->name);
    g_free(step->statement);
    g_free(step);
}

/* SCHEMA stands for the schema of the test's tables. */
static char *in_schema(const Fixture *fixture, const char *sql)
{
    g_autoptr(GString) text = g_string_new(sql);
    g_string_replace(text, "SCHEMA", fixture->database->schema, 0);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

typedef struct Step {
    const char *kind, *name, *statement;
} Step;

static const Step whole_plan[] = {
    {"table", "t", "create table SCHEMA.t (id int not null, a int, b int)"},
    {"key", "t_key", "alter table SCHEMA.t add primary key (id)"},
    {"index", "t_a", "create index t_a on SCHEMA.t (a)"},
    {"index", "t_b", "create index t_b on SCHEMA.t (b)"},
    {"foreign_key", "t_t",
     "alter table SCHEMA.t add constraint t_t foreign key (a) references SCHEMA.t (id)"},
    {NULL, NULL, NULL},
};

/* For tests that run it very often. */
static const Step short_plan[] = {
    {"table", "t", "create table SCHEMA.t (id int primary key, a int)"},
    {"foreign_key", "t_t",
     "alter table SCHEMA.t add constraint t_t foreign key (a) references SCHEMA.t (id)"},
    {NULL, NULL, NULL},
};

static void run_sql(Fixture *fixture, const char *sql)
{
    g_autofree char *here = in_schema(fixture, sql);
    target_scratch_run(fixture->database, here);
}

/* In the place of what was stored and run before. */
static void store_plan(Fixture *fixture, const Step *plan)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(step_free);
    run_sql(fixture, "drop table if exists SCHEMA.t; delete from drover.ddl; "
                     "delete from drover.object");
    for (; plan->kind != NULL; plan++) {
        DdlStep *step = g_new(DdlStep, 1);
        *step = (DdlStep){1, g_strdup(plan->kind), g_strdup(plan->name),
                          in_schema(fixture, plan->statement)};
        g_ptr_array_add(steps, step);
    }
    MUST(ddl_store(&fixture->control, steps, &error));
}

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(GError) error = NULL;
    fixture->database = target_scratch_new(server);
    fixture->migration.name = shop_name;
    fixture->control =
        (Control){fixture->database->ops, fixture->database->session, &fixture->migration};
    MUST(control_install(fixture->database->ops, fixture->database->session, &error));
    target_scratch_run(
        fixture->database,
        "insert into drover.migration (name, uuid, file, phase) "
        "values ('shop', 'u', '', 'copying'); "
        "insert into drover.progress (migration, worker, epoch) "
        "values ('shop', 'apply-build-1', 1), ('shop', 'apply-build-2', 1); "
        "insert into drover.tables (migration, id, source_schema, source_name, target_schema, "
        "target_name, version, storage, state, bytes_total) "
        "values ('shop', 1, 's', 't', 's', 't', '0', '0', 'copied', 10)");
    store_plan(fixture, whole_plan);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    target_scratch_free(fixture->database);
    g_free(fixture);
    return 0;
}

static void assert_answer(Fixture *fixture, const char *sql, const char *expected)
{
    g_autofree char *here = in_schema(fixture, sql);
    g_autofree char *value = target_scratch_ask(fixture->database, here);
    assert_string_equal(value, expected);
}

static bool run_one(Control *control, const DdlWorker *who, const char *const *kinds, DdlPick pick)
{
    g_autoptr(GError) error = NULL;
    bool ran = false;
    MUST(ddl_run_one(control, who, kinds, pick, &ran, &error));
    return ran;
}

static bool any_left(Control *control, const char *const *kinds)
{
    g_autoptr(GError) error = NULL;
    bool left = true;
    MUST(ddl_left(control, kinds, &left, &error));
    return left;
}

/* A server may need a moment to see that a session is gone. */
static void run_rest(Control *control, const char *const *kinds)
{
    for (int tries = 0; any_left(control, kinds); tries++) {
        assert_true(tries < 10000);
        if (!run_one(control, &worker, kinds, DDL_IN_ORDER))
            g_usleep(1000);
    }
}

static void assert_done(Fixture *fixture, const char *objects)
{
    assert_answer(fixture, "select count(*) from drover.ddl where not done", "0");
    assert_answer(fixture,
                  "select kind, name from drover.object where side = 'target' order by kind, name",
                  objects);
    assert_answer(fixture,
                  "select constraint_type from information_schema.table_constraints "
                  "where table_schema = 'SCHEMA' and table_name = 't' "
                  "and constraint_type in ('PRIMARY KEY', 'FOREIGN KEY') order by constraint_type",
                  "FOREIGN KEY PRIMARY KEY");
}

static void assert_all_is_there(Fixture *fixture)
{
    const char *indexes = control_sql(
        fixture->database->ops,
        "select indexname from pg_indexes where tablename = 't' and indexname <> 't_pkey' "
        "order by indexname",
        "select distinct index_name from information_schema.statistics where table_name = 't' "
        "and table_schema = 'SCHEMA' and index_name <> 'PRIMARY' order by index_name");
    assert_done(fixture, "index,t_a index,t_b table,t");
    assert_answer(fixture, indexes, "t_a t_b");
}

/* --- Kills ------------------------------------------------------------------------------------ */

/* False where the session outlived the whole plan. */
static bool killed_at(Fixture *fixture, int statement, bool after)
{
    g_autoptr(GError) error = NULL;
    Control control = watch(fixture);
    bool ran = true;
    watched.left = statement;
    watched.after = after;
    while (ran && ddl_run_one(&control, &worker, all_kinds, DDL_IN_ORDER, &ran, &error))
        g_assert_no_error(error);
    close_control(&control);
    return watched.dead;
}

static void kill_at_every_statement(Fixture *fixture, bool after)
{
    int statement = 0;
    store_plan(fixture, short_plan);
    while (killed_at(fixture, statement++, after)) {
        run_rest(&fixture->control, all_kinds);
        assert_done(fixture, "table,t");
        store_plan(fixture, short_plan);
    }
    assert_true(statement > 5);
    assert_done(fixture, "table,t");
}

static void test_a_kill_before_any_statement_leaves_nothing_half_done(void **state)
{
    kill_at_every_statement(*state, false);
}

static void test_a_kill_after_any_statement_leaves_nothing_half_done(void **state)
{
    kill_at_every_statement(*state, true);
}

/* --- Failures --------------------------------------------------------------------------------- */

static void test_what_somebody_else_created_is_never_taken_for_drovers(void **state)
{
    Fixture *fixture = *state;
    Control *control = &fixture->control;
    run_sql(fixture, "create table SCHEMA.t (theirs int)");
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        bool ran;
        assert_false(ddl_run_one(control, &worker, all_kinds, DDL_IN_ORDER, &ran, &error));
        if (!g_str_has_prefix(error->message, "table t: ") ||
            strstr(error->message, "already exists") == NULL)
            fail_msg("%s", error->message);
        assert_answer(fixture, "select count(*) from drover.object", "0");
        assert_answer(fixture, "select count(*) from drover.ddl where done", "0");
    }
    run_sql(fixture, "drop table SCHEMA.t");
    run_rest(control, all_kinds);
    assert_all_is_there(fixture);
}

static void test_a_worker_that_was_taken_over_runs_no_step(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    bool ran;
    run_sql(fixture, "update drover.progress set epoch = 2");
    MUST_FAIL(ddl_run_one(&fixture->control, &worker, all_kinds, DDL_ANY, &ran, &error),
              DROVER_ERROR_NO);
    assert_answer(fixture, "select count(*) from drover.ddl where done", "0");
}

/* --- Sessions beside each other --------------------------------------------------------------- */

/* Before a builder sends the statement of the first index. */
static void look_beside_a_builder(Fixture *fixture)
{
    watched.word = NULL;
    assert_false(run_one(&fixture->control, &beside, index_kinds, DDL_IN_ORDER));
    assert_true(run_one(&fixture->control, &beside, index_kinds, DDL_ANY));
    assert_false(run_one(&fixture->control, &beside, index_kinds, DDL_ANY));
    assert_true(any_left(&fixture->control, index_kinds));
    assert_answer(fixture, "select name from drover.ddl where done and kind = 'index'", "t_b");
}

static void test_builders_beside_each_other_take_different_steps(void **state)
{
    static const char *const first[] = {"table", "key", NULL};
    Fixture *fixture = *state;
    run_rest(&fixture->control, first);
    Control builder = watch(fixture);
    watched.word = "create index";
    watched.look = look_beside_a_builder;
    assert_true(run_one(&builder, &worker, index_kinds, DDL_ANY));
    assert_null(watched.word);
    assert_false(any_left(&builder, index_kinds));
    close_control(&builder);
    run_rest(&fixture->control, all_kinds);
    assert_all_is_there(fixture);
}

static guint32 claim_key(Control *control)
{
    g_autoptr(GError) error = NULL;
    guint32 table = 9;
    MUST(control_write_begin(control, worker.name, worker.epoch, &error));
    MUST(control_key_claim(control, &table, &error));
    return table;
}

/* Without a data transaction, which would wait for the worker's row that the builder has changed.
 */
static guint32 try_to_claim_key(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    guint32 table = 9;
    MUST(control_key_claim(&fixture->control, &table, &error));
    return table;
}

static void look_beside_a_key(Fixture *fixture)
{
    watched.word = NULL;
    assert_int_equal(try_to_claim_key(fixture), 0);
}

static void build_key(Control *control)
{
    static const char *const kinds[] = {"key", NULL};
    g_autoptr(GError) error = NULL;
    MUST(ddl_run_table(control, &worker, kinds, 1, &error));
    MUST(control_table_state(control, 1, "keyed", &error));
    MUST(control_commit(control, &error));
}

static void test_a_key_that_is_being_built_is_claimed(void **state)
{
    static const char *const first[] = {"table", NULL};
    static const char *const keys[] = {"key", NULL};
    Fixture *fixture = *state;
    run_rest(&fixture->control, first);
    Control builder = watch(fixture);
    watched.look = look_beside_a_key;
    assert_int_equal(claim_key(&builder), 1);
    assert_int_equal(try_to_claim_key(fixture), 0);
    watched.word = "alter table";
    build_key(&builder);
    assert_null(watched.word);
    assert_int_equal(try_to_claim_key(fixture), 0);
    assert_false(any_left(&builder, keys));
    close_control(&builder);
    run_rest(&fixture->control, all_kinds);
    assert_all_is_there(fixture);
}

/* False where the session outlived the building of the key. */
static bool killed_at_key(Fixture *fixture, int statement)
{
    static const char *const kinds[] = {"key", NULL};
    g_autoptr(GError) error = NULL;
    guint32 table = 0;
    Control control = watch(fixture);
    watched.left = statement;
    watched.after = true;
    bool built = control_write_begin(&control, worker.name, worker.epoch, &error) &&
                 control_key_claim(&control, &table, &error) &&
                 ddl_run_table(&control, &worker, kinds, table, &error) &&
                 control_table_state(&control, table, "keyed", &error) &&
                 control_commit(&control, &error);
    assert_true(built || watched.dead);
    close_control(&control);
    return !built;
}

static void test_a_kill_while_a_key_is_built_leaves_it_to_others(void **state)
{
    static const char *const first[] = {"table", NULL};
    static const char *const keys[] = {"key", NULL};
    Fixture *fixture = *state;
    int statement = 0;
    for (bool killed = true; killed; statement++) {
        store_plan(fixture, whole_plan);
        run_sql(fixture, "update drover.tables set state = 'copied'");
        run_rest(&fixture->control, first);
        killed = killed_at_key(fixture, statement);
        g_autofree char *state_now =
            target_scratch_ask(fixture->database, "select state from drover.tables");
        for (int tries = 0; strcmp(state_now, "keyed") != 0; tries++) {
            assert_true(tries < 10000);
            guint32 table = claim_key(&fixture->control);
            if (table != 0)
                build_key(&fixture->control);
            else
                control_rollback(&fixture->control);
            g_free(state_now);
            state_now = target_scratch_ask(fixture->database, "select state from drover.tables");
        }
        assert_false(any_left(&fixture->control, keys));
    }
    assert_true(statement > 3);
    run_rest(&fixture->control, all_kinds);
    assert_all_is_there(fixture);
}

/* An argument: the one server to run them on. */
int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_kill_before_any_statement_leaves_nothing_half_done),
        TEST(test_a_kill_after_any_statement_leaves_nothing_half_done),
        TEST(test_what_somebody_else_created_is_never_taken_for_drovers),
        TEST(test_a_worker_that_was_taken_over_runs_no_step),
        TEST(test_builders_beside_each_other_take_different_steps),
        TEST(test_a_key_that_is_being_built_is_claimed),
        TEST(test_a_kill_while_a_key_is_built_leaves_it_to_others),
    };
    int failed = 0;
    for (guint i = 0; target_servers[i] != NULL; i++) {
        server = target_servers[i];
        if (argc > 1 && strcmp(argv[1], server) != 0)
            continue;
        failed += cmocka_run_group_tests_name(server, tests, NULL, NULL);
    }
    return failed;
}
