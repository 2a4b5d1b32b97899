/*
 * The lock of a role between sessions of a real server: who gets it, and whose sessions are ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/postgres/session.h"
#include "apply/postgres/target.h"
#include "proto/error.h"
#include "schema/sql/embedded.h"
#include "tests/support/must.h"
#include "tests/support/scratch.h"

#include <string.h>

static Scratch *scratch;
static char engine[] = "postgresql";
static char side[] = "target";
static char shop_name[] = "shop";
static char shop_uuid[] = "7f000000-0000-4000-8000-000000000007";

static const Migration shop = {.name = shop_name, .uuid = shop_uuid};

static int open_database(void **state)
{
    (void)state;
    scratch = scratch_new("DROVER_TEST_TARGET");
    scratch_run(scratch, "%s", embedded_control);
    scratch_run(scratch,
                "insert into drover.migration (name, uuid, file, phase) values ('%s', '%s', '', "
                "'planned')",
                shop_name, shop_uuid);
    return 0;
}

static int drop_database(void **state)
{
    (void)state;
    scratch_free(scratch);
    return 0;
}

static Target *open_session(const char *label)
{
    g_autoptr(GError) error = NULL;
    Endpoint endpoint = {.side = side, .engine = engine, .url = scratch->url, .label = side};
    Target *target = NULL;
    MUST(target = pg_target_ops.connect(&endpoint, label, &error));
    return target;
}

static bool lock(Target *target, const Migration *migration, const char *role, bool take_over,
                 GError **error)
{
    return pg_target_ops.lock_role(target, migration, role, HOLD_ALONE, take_over, error);
}

static bool share(Target *target, GError **error)
{
    return pg_target_ops.lock_role(target, &shop, "copy", HOLD_SHARED, false, error);
}

static bool alive(Target *target)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = pg_target_ops.execute(target, "select 1", 0, NULL, &error);
    if (answer == NULL) {
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
    }
    return answer != NULL;
}

static void write_lease_of(Target *holder, const char *role, const char *who)
{
    scratch_run(scratch,
                "insert into drover.lease (migration, role, epoch, holder, backend_pid) values "
                "('shop', '%s', 1, '%s', %d) on conflict (migration, role) do "
                "update set backend_pid = excluded.backend_pid",
                role, who, PQbackendPID(holder->connection));
}

static void write_lease(Target *holder)
{
    write_lease_of(holder, "apply", "host9 process 77");
}

static void test_second_session_is_refused_and_told_who_has_the_role(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop apply");
    MUST(lock(first, &shop, "apply", false, &error));
    write_lease(first);
    Target *second = open_session("drover shop apply");
    assert_false(lock(second, &shop, "apply", false, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, "host9 process 77 since "));
    assert_non_null(strstr(error->message, "--take-over"));
    assert_true(alive(first));
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_other_roles_and_other_migrations_do_not_get_in_the_way(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    char other_name[] = "shop2";
    Migration other = {.name = other_name, .uuid = shop_uuid};
    Target *first = open_session("drover shop apply");
    MUST(lock(first, &shop, "apply", false, &error));
    Target *second = open_session("drover shop copy");
    MUST(lock(second, &shop, "copy", false, &error));
    MUST(lock(second, &other, "copy", false, &error));
    assert_true(alive(first));
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_role_is_free_after_its_session(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop apply");
    MUST(lock(first, &shop, "apply", false, &error));
    pg_target_ops.close(first);
    Target *second = open_session("drover shop apply");
    MUST(lock(second, &shop, "apply", false, &error));
    pg_target_ops.close(second);
}

static void test_take_over_ends_the_holder(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop apply");
    MUST(lock(first, &shop, "apply", false, &error));
    write_lease(first);
    Target *second = open_session("drover shop apply");
    MUST(lock(second, &shop, "apply", true, &error));
    assert_false(alive(first));
    assert_true(alive(second));
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_take_over_of_a_free_role_just_takes_it(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *only = open_session("drover shop apply");
    MUST(lock(only, &shop, "apply", true, &error));
    pg_target_ops.close(only);
}

static void test_sessions_left_behind_are_ended_with_what_they_hold(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    scratch_run(scratch, "create table held (id int)");
    Target *orphans[] = {open_session("drover shop copy"), open_session("drover shop copy-1"),
                         open_session("drover shop copy-12")};
    Target *others[] = {open_session("drover shop2 copy"), open_session("drover shop2 copy-1"),
                        open_session("drover shop apply"), open_session("drover shop copyist"),
                        open_session("drover_shop copy"),  open_session("psql")};
    g_autoptr(Answer) begun = NULL;
    MUST(begun =
             pg_target_ops.execute(orphans[1], "begin; lock table public.held", 0, NULL, &error));
    Target *holder = open_session("drover shop copy");
    MUST(lock(holder, &shop, "copy", false, &error));
    scratch_run(scratch, "begin; lock table held nowait; commit");
    for (gsize i = 0; i < G_N_ELEMENTS(orphans); i++) {
        assert_false(alive(orphans[i]));
        pg_target_ops.close(orphans[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        assert_true(alive(others[i]));
        pg_target_ops.close(others[i]);
    }
    pg_target_ops.close(holder);
}

static void test_sessions_in_other_databases_are_left_alone(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Scratch *elsewhere = scratch_new("DROVER_TEST_TARGET");
    Endpoint endpoint = {.side = side, .engine = engine, .url = elsewhere->url, .label = side};
    Target *other = NULL;
    MUST(other = pg_target_ops.connect(&endpoint, "drover shop apply", &error));
    Target *holder = open_session("drover shop apply");
    MUST(lock(holder, &shop, "apply", false, &error));
    assert_true(alive(other));
    pg_target_ops.close(holder);
    pg_target_ops.close(other);
    scratch_free(elsewhere);
}

/* --- Roles that many sessions share ------------------------------------------------------------
 */

static void test_sharers_keep_out_only_who_wants_the_role_alone(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop control"),
           *second = open_session("drover shop control");
    Target *worker = open_session("drover shop copy-1-1");
    MUST(share(first, &error));
    MUST(share(second, &error));
    write_lease_of(first, "copy-1", "host1 pid 11");
    write_lease_of(second, "copy-2", "host2 pid 22");
    Target *third = open_session("drover shop drop");
    assert_false(lock(third, &shop, "copy", false, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, "host1 pid 11 since "));
    assert_non_null(strstr(error->message, "host2 pid 22 since "));
    assert_true(alive(first) && alive(second) && alive(worker));
    pg_target_ops.close(third);
    pg_target_ops.close(worker);
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_a_role_held_alone_is_not_shared(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop drop"), *second = open_session("drover shop control");
    MUST(lock(first, &shop, "copy", false, &error));
    assert_false(share(second, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_take_over_ends_all_sharers_and_their_workers(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop control"),
           *second = open_session("drover shop control");
    Target *worker = open_session("drover shop copy-1-1");
    MUST(share(first, &error));
    MUST(share(second, &error));
    Target *third = open_session("drover shop control");
    MUST(lock(third, &shop, "copy", true, &error));
    assert_false(alive(first) || alive(second) || alive(worker));
    pg_target_ops.close(third);
    pg_target_ops.close(worker);
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_who_has_a_role_alone_may_begin_to_share_it(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drover shop control"),
           *second = open_session("drover shop control");
    MUST(lock(first, &shop, "copy", false, &error));
    MUST(share(first, &error));
    MUST(share(second, &error));
    assert_int_equal(scratch_number(scratch, "select count(*) from pg_locks where locktype = "
                                             "'advisory' and mode = 'ExclusiveLock' and database = "
                                             "(select oid from pg_database where datname = "
                                             "current_database())"),
                     0);
    pg_target_ops.close(second);
    pg_target_ops.close(first);
}

static void test_holders_are_those_whose_lock_is_held(void **state)
{
    (void)state;
    static const char *const roles[] = {"capture", "copy", "apply", NULL};
    g_autoptr(GError) error = NULL;
    Target *run = open_session("drover shop control"), *copy = open_session("drover shop control");
    scratch_run(scratch, "delete from drover.lease");
    MUST(lock(run, &shop, "capture", false, &error));
    MUST(lock(run, &shop, "copy", false, &error));
    MUST(share(run, &error));
    MUST(share(copy, &error));
    write_lease_of(run, "capture", "host1 pid 11");
    write_lease_of(run, "copy", "host1 pid 11");
    write_lease_of(run, "copy-1", "host1 pid 11");
    write_lease_of(copy, "copy-2", "host2 pid 22");
    write_lease_of(run, "apply", "host3 pid 33"); /* its lock is not held */
    g_autoptr(Answer) answer = NULL;
    MUST(answer = pg_target_ops.role_holders(run, &shop, roles, &error));
    assert_int_equal(answer->n_rows, 3);
    static const char *const expected[][2] = {
        {"capture", "host1 pid 11"}, {"copy", "host1 pid 11"}, {"copy", "host2 pid 22"}};
    for (guint i = 0; i < answer->n_rows; i++) {
        assert_string_equal(answer_get(answer, i, 0), expected[i][0]);
        assert_string_equal(answer_get(answer, i, 1), expected[i][1]);
        assert_string_equal(answer_get(answer, i, 3), "1");
    }
    pg_target_ops.close(copy);
    pg_target_ops.close(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_session_is_refused_and_told_who_has_the_role),
        cmocka_unit_test(test_other_roles_and_other_migrations_do_not_get_in_the_way),
        cmocka_unit_test(test_role_is_free_after_its_session),
        cmocka_unit_test(test_take_over_ends_the_holder),
        cmocka_unit_test(test_take_over_of_a_free_role_just_takes_it),
        cmocka_unit_test(test_sessions_left_behind_are_ended_with_what_they_hold),
        cmocka_unit_test(test_sessions_in_other_databases_are_left_alone),
        cmocka_unit_test(test_sharers_keep_out_only_who_wants_the_role_alone),
        cmocka_unit_test(test_a_role_held_alone_is_not_shared),
        cmocka_unit_test(test_take_over_ends_all_sharers_and_their_workers),
        cmocka_unit_test(test_who_has_a_role_alone_may_begin_to_share_it),
        cmocka_unit_test(test_holders_are_those_whose_lock_is_held),
    };
    return cmocka_run_group_tests(tests, open_database, drop_database);
}
