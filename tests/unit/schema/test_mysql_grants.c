/* What SHOW GRANTS says, in lines as MySQL 9.7 and MariaDB 10.11 write them. */
#include "schema/mysql/mysql_grants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool has(const char *line, const char *privilege, const char *database)
{
    g_autoptr(MysqlGrants) grants = mysql_grants_new(true);
    mysql_grants_add(grants, line);
    return mysql_grants_has(grants, privilege, database);
}

static void test_privileges_on_everything(void **state)
{
    (void)state;
    static const char line[] = "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "
                               "`drover`@`%` WITH GRANT OPTION";
    assert_true(has(line, "REPLICATION SLAVE", NULL));
    assert_true(has(line, "REPLICATION CLIENT", NULL));
    assert_true(has(line, "SELECT", "shop"));
    assert_false(has(line, "REPLICATION", NULL));
    assert_false(has(line, "INSERT", "shop"));
}

static void test_dynamic_privileges_stand_without_spaces(void **state)
{
    (void)state;
    static const char line[] = "GRANT BACKUP_ADMIN,CONNECTION_ADMIN ON *.* TO `a`@`%`";
    assert_true(has(line, "CONNECTION_ADMIN", NULL));
    assert_true(has(line, "BACKUP_ADMIN", NULL));
}

static void test_all_privileges(void **state)
{
    (void)state;
    assert_true(has("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", "BINLOG MONITOR", NULL));
    assert_true(has("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", "INSERT", "shop"));
    assert_false(has("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", "INSERT", "hr"));
    assert_false(has("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", "REPLICATION SLAVE", NULL));
}

static void test_databases_are_patterns(void **state)
{
    (void)state;
    assert_true(has("GRANT SELECT ON `shop\\_x`.* TO `a`@`%`", "SELECT", "shop_x"));
    assert_false(has("GRANT SELECT ON `shop\\_x`.* TO `a`@`%`", "SELECT", "shopxx"));
    assert_true(has("GRANT SELECT ON `shop_x`.* TO `a`@`%`", "SELECT", "shopxx"));
    assert_true(has("GRANT SELECT ON `shop%`.* TO `a`@`%`", "SELECT", "shop"));
    assert_true(has("GRANT SELECT ON `%p`.* TO `a`@`%`", "SELECT", "shop"));
    assert_false(has("GRANT SELECT ON `%p`.* TO `a`@`%`", "SELECT", "shops"));
    assert_true(has("GRANT SELECT ON `b``t`.* TO `a`@`%`", "SELECT", "b`t"));
    assert_false(has("GRANT SELECT ON `shop`.* TO `a`@`%`", "SELECT", "shops"));
}

static void test_databases_are_names_where_parts_may_be_revoked(void **state)
{
    (void)state;
    g_autoptr(MysqlGrants) grants = mysql_grants_new(false);
    mysql_grants_add(grants, "GRANT SELECT ON `shop_x`.* TO `a`@`%`");
    assert_true(mysql_grants_has(grants, "SELECT", "shop_x"));
    assert_false(mysql_grants_has(grants, "SELECT", "shopxx"));
    assert_false(mysql_grants_has(grants, "SELECT", NULL));
}

static void test_single_tables_and_columns_are_not_the_database(void **state)
{
    (void)state;
    static const char line[] = "GRANT SELECT (`a`, `b`), INSERT ON `shop`.`t` TO `a`@`%`";
    assert_false(has(line, "SELECT", "shop"));
    assert_false(has(line, "INSERT", "shop"));
    assert_false(has("GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `a`@`%`", "EXECUTE", "shop"));
}

static void test_names_may_look_like_words_of_the_statement(void **state)
{
    (void)state;
    assert_true(has("GRANT SELECT ON `x ON *.* TO y`.* TO `a`@`%`", "SELECT", "x ON *.* TO y"));
    assert_false(has("GRANT SELECT ON `x ON *.* TO y`.* TO `a`@`%`", "SELECT", NULL));
}

static void test_roles_and_other_lines_give_nothing_by_themselves(void **state)
{
    (void)state;
    assert_false(has("GRANT `SELECT`@`%` TO `a`@`%`", "SELECT", "shop"));
    assert_false(has("GRANT `r1` TO `a`@`%`", "SELECT", "shop"));
    assert_false(has("GRANT USAGE ON *.* TO `a`@`%`", "SELECT", "shop"));
    assert_false(has("GRANT PROXY ON ``@`%` TO `a`@`%`", "SELECT", "shop"));
    assert_false(has("SET DEFAULT ROLE `r1` FOR `a`@`%`", "SELECT", "shop"));
    assert_false(has("", "SELECT", NULL));
    assert_false(has("GRANT", "SELECT", NULL));
    assert_false(has("GRANT SELECT ON `shop", "SELECT", "shop"));
}

static void test_partial_revokes(void **state)
{
    (void)state;
    g_autoptr(MysqlGrants) grants = mysql_grants_new(true);
    mysql_grants_add(grants, "GRANT SELECT, INSERT ON *.* TO `a`@`%`");
    mysql_grants_add(grants, "GRANT INSERT ON `hr`.* TO `a`@`%`");
    mysql_grants_add(grants, "REVOKE SELECT, INSERT ON `hr`.* FROM `a`@`%`");
    assert_true(mysql_grants_has(grants, "SELECT", "shop"));
    assert_false(mysql_grants_has(grants, "SELECT", "hr"));
    assert_true(mysql_grants_has(grants, "INSERT", "hr"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_privileges_on_everything),
        cmocka_unit_test(test_dynamic_privileges_stand_without_spaces),
        cmocka_unit_test(test_all_privileges),
        cmocka_unit_test(test_databases_are_patterns),
        cmocka_unit_test(test_databases_are_names_where_parts_may_be_revoked),
        cmocka_unit_test(test_single_tables_and_columns_are_not_the_database),
        cmocka_unit_test(test_names_may_look_like_words_of_the_statement),
        cmocka_unit_test(test_roles_and_other_lines_give_nothing_by_themselves),
        cmocka_unit_test(test_partial_revokes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
