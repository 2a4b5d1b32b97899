/*
 * The lock of a role between sessions of a real MySQL or MariaDB server: who gets it, and whose
 * sessions are ended. Named locks belong to the whole server: the migrations have names of their
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/mysql/session.h"
#include "apply/mysql/target.h"
#include "proto/error.h"
#include "schema/control.h"
#include "tests/support/must.h"
#include "tests/support/mysql_scratch.h"

#include <string.h>

static MysqlScratch *scratch;
static char shop_name[32];
static char other_name[32];
static char shop_uuid[] = "7f000000-0000-4000-8000-000000000007";

static const Migration shop = {.name = shop_name, .uuid = shop_uuid};
static const Migration other_shop = {.name = other_name, .uuid = shop_uuid};

static void install_control(void)
{
    g_autoptr(GError) error = NULL;
    Target *target = NULL;
    MUST(target = mysql_target_ops.connect(&scratch->endpoint, "drover test", &error));
    MUST(control_install(&mysql_target_ops, target, &error));
    mysql_target_ops.close(target);
}

static int open_group(const char *variable)
{
    scratch = mysql_scratch_new(variable);
    g_snprintf(shop_name, sizeof shop_name, "%s", scratch->name);
    g_snprintf(other_name, sizeof other_name, "%s2", scratch->name);
    install_control();
    mysql_scratch_run(scratch,
                      "insert into drover.migration (name, uuid, file, phase) values "
                      "('%s', '%s', '', 'planned')",
                      shop_name, shop_name);
    return 0;
}

static int open_mysql(void **state)
{
    (void)state;
    return open_group("DROVER_TEST_MYSQL");
}

static int open_mariadb(void **state)
{
    (void)state;
    return open_group("DROVER_TEST_MARIADB");
}

static int close_group(void **state)
{
    (void)state;
    mysql_scratch_run(scratch, "delete from drover.migration where name = '%s'", shop_name);
    mysql_scratch_free(scratch);
    return 0;
}

/* role: "apply" of the shop, "2 apply" of the other one. */
static Target *open_session(const char *role)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *label =
        g_strdup_printf("drover %s%s%s", shop_name, g_ascii_isdigit(role[0]) ? "" : " ", role);
    Target *target = NULL;
    MUST(target = mysql_target_ops.connect(&scratch->endpoint, label, &error));
    return target;
}

static bool lock(Target *target, const Migration *migration, const char *role, bool take_over,
                 GError **error)
{
    return mysql_target_ops.lock_role(target, migration, role, HOLD_ALONE, take_over, error);
}

static bool share(Target *target, GError **error)
{
    return mysql_target_ops.lock_role(target, &shop, "copy", HOLD_SHARED, false, error);
}

static bool alive(Target *target)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) answer = mysql_target_ops.execute(target, "select 1", 0, NULL, &error);
    if (answer == NULL) {
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY));
    }
    return answer != NULL;
}

static void write_lease_of(Target *holder, const char *role, const char *who)
{
    mysql_scratch_run(
        scratch,
        "replace into drover.lease (migration, role, epoch, holder, backend_pid) values "
        "('%s', '%s', 1, '%s', %s)",
        shop_name, role, who, holder->connection_id);
}

static void write_lease(Target *holder)
{
    write_lease_of(holder, "apply", "host9 process 77");
}

static void test_second_session_is_refused_and_told_who_has_the_role(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("apply");
    MUST(lock(first, &shop, "apply", false, &error));
    write_lease(first);
    Target *second = open_session("apply");
    assert_false(lock(second, &shop, "apply", false, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, "host9 process 77 since "));
    assert_non_null(strstr(error->message, "--take-over"));
    assert_true(alive(first));
    mysql_target_ops.close(second);
    mysql_target_ops.close(first);
}

static void test_other_roles_and_other_migrations_do_not_get_in_the_way(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("apply");
    MUST(lock(first, &shop, "apply", false, &error));
    Target *second = open_session("copy");
    MUST(lock(second, &shop, "copy", false, &error));
    MUST(lock(second, &other_shop, "copy", false, &error));
    assert_true(alive(first));
    mysql_target_ops.close(second);
    mysql_target_ops.close(first);
}

static void test_role_is_free_after_its_session(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("apply");
    MUST(lock(first, &shop, "apply", false, &error));
    mysql_target_ops.close(first);
    Target *second = open_session("apply");
    MUST(lock(second, &shop, "apply", false, &error));
    mysql_target_ops.close(second);
}

static void test_take_over_ends_the_holder(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("apply");
    MUST(lock(first, &shop, "apply", false, &error));
    write_lease(first);
    Target *second = open_session("apply");
    MUST(lock(second, &shop, "apply", true, &error));
    assert_false(alive(first));
    assert_true(alive(second));
    mysql_target_ops.close(second);
    mysql_target_ops.close(first);
}

static void test_take_over_of_a_free_role_just_takes_it(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *only = open_session("apply");
    MUST(lock(only, &shop, "apply", true, &error));
    mysql_target_ops.close(only);
}

static void test_sessions_left_behind_are_ended_with_what_they_hold(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    mysql_scratch_run(scratch, "create table held (id int primary key)");
    mysql_scratch_run(scratch, "insert into held values (1)");
    Target *orphans[] = {open_session("copy"), open_session("copy-1"), open_session("copy-12")};
    Target *others[] = {open_session("2 copy"), open_session("2 copy-1"), open_session("apply"),
                        open_session("copyist")};
    static const char *const statements[] = {"begin", "delete from held where id = 1"};
    for (gsize i = 0; i < G_N_ELEMENTS(statements); i++) {
        g_autoptr(Answer) done = NULL;
        MUST(done = mysql_target_ops.execute(orphans[1], statements[i], 0, NULL, &error));
    }
    Target *holder = open_session("copy");
    MUST(lock(holder, &shop, "copy", false, &error));
    g_autofree char *free_again =
        mysql_scratch_ask(scratch, 0, "select id from held where id = 1 for update nowait");
    assert_string_equal(free_again, "1");
    for (gsize i = 0; i < G_N_ELEMENTS(orphans); i++) {
        assert_false(alive(orphans[i]));
        mysql_target_ops.close(orphans[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        assert_true(alive(others[i]));
        mysql_target_ops.close(others[i]);
    }
    mysql_target_ops.close(holder);
}

/* --- Roles that many sessions share ------------------------------------------------------------
 */

static void test_sharers_keep_out_only_who_wants_the_role_alone(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("control"), *second = open_session("control");
    Target *worker = open_session("copy-1-1");
    MUST(share(first, &error));
    MUST(share(second, &error));
    write_lease_of(first, "copy-1", "host1 pid 11");
    write_lease_of(second, "copy-2", "host2 pid 22");
    Target *third = open_session("drop");
    assert_false(lock(third, &shop, "copy", false, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    assert_non_null(strstr(error->message, "host1 pid 11 since "));
    assert_non_null(strstr(error->message, "host2 pid 22 since "));
    assert_true(alive(first) && alive(second) && alive(worker));
    mysql_target_ops.close(third);
    mysql_target_ops.close(worker);
    mysql_target_ops.close(second);
    mysql_target_ops.close(first);
}

static void test_a_role_held_alone_is_not_shared(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("drop"), *second = open_session("control");
    MUST(lock(first, &shop, "copy", false, &error));
    assert_false(share(second, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO));
    mysql_target_ops.close(second);
    mysql_target_ops.close(first);
}

static void test_take_over_ends_all_sharers_and_their_workers(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("control"), *second = open_session("control");
    Target *worker = open_session("copy-1-1");
    MUST(share(first, &error));
    MUST(share(second, &error));
    Target *third = open_session("control");
    MUST(lock(third, &shop, "copy", true, &error));
    assert_false(alive(first) || alive(second) || alive(worker));
    mysql_target_ops.close(third);
    mysql_target_ops.close(worker);
    mysql_target_ops.close(second);
    mysql_target_ops.close(first);
}

static void test_who_has_a_role_alone_may_begin_to_share_it(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    Target *first = open_session("control"), *second = open_session("control");
    MUST(lock(first, &shop, "copy", false, &error));
    MUST(share(first, &error));
    MUST(share(second, &error));
    MUST(share(first, &error));
    assert_false(lock(second, &shop, "copy", false, &error));
    g_clear_error(&error);
    mysql_target_ops.close(first);
    MUST(lock(second, &shop, "copy", false, &error));
    mysql_target_ops.close(second);
}

static void test_holders_are_those_whose_lock_is_held(void **state)
{
    (void)state;
    static const char *const roles[] = {"capture", "copy", "apply", NULL};
    g_autoptr(GError) error = NULL;
    Target *run = open_session("control"), *copy = open_session("control");
    mysql_scratch_run(scratch, "delete from drover.lease where migration = '%s'", shop_name);
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
    MUST(answer = mysql_target_ops.role_holders(run, &shop, roles, &error));
    assert_int_equal(answer->n_rows, 3);
    static const char *const expected[][2] = {
        {"capture", "host1 pid 11"}, {"copy", "host1 pid 11"}, {"copy", "host2 pid 22"}};
    for (guint i = 0; i < answer->n_rows; i++) {
        assert_string_equal(answer_get(answer, i, 0), expected[i][0]);
        assert_string_equal(answer_get(answer, i, 1), expected[i][1]);
        assert_string_equal(answer_get(answer, i, 3), "1");
    }
    mysql_target_ops.close(copy);
    mysql_target_ops.close(run);
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
        cmocka_unit_test(test_sharers_keep_out_only_who_wants_the_role_alone),
        cmocka_unit_test(test_a_role_held_alone_is_not_shared),
        cmocka_unit_test(test_take_over_ends_all_sharers_and_their_workers),
        cmocka_unit_test(test_who_has_a_role_alone_may_begin_to_share_it),
        cmocka_unit_test(test_holders_are_those_whose_lock_is_held),
    };
    int failed = cmocka_run_group_tests_name("MySQL", tests, open_mysql, close_group);
    return failed + cmocka_run_group_tests_name("MariaDB", tests, open_mariadb, close_group);
}
