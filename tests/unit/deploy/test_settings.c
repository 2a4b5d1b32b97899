/* The migration file: keys, types and values that are refused, each with its exact place and words.
 */
#include "tests/support/migration_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_unknown_key_suggests_the_nearest(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "limit: {memory: 1GiB}\n",
                                  "m.yaml:6:1: unknown key 'limit'; did you mean 'limits'?");
}

static void test_unknown_key_in_a_mapping(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "limits: {copy_worker: 4}\n",
        "m.yaml:6:10: unknown key 'copy_worker'; did you mean 'limits.copy_workers'?");
}

static void test_unknown_key_that_belongs_elsewhere(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "copy_workers: 4\n",
        "m.yaml:6:1: unknown key 'copy_workers'; did you mean 'limits.copy_workers'?");
}

static void test_unknown_key_like_no_other_lists_the_known(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "  password: hunter2\n",
        "m.yaml:6:3: unknown key 'password'; known here: url, password_file, "
        "password_env, tls");
}

static void test_keys_not_supported_yet_are_refused_by_name(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "  format: avro\n"
                                       "  state: /var/state\n"
                                       "bus: {kafka: {bootstrap_servers: k}}\n"
                                       "tables:\n"
                                       "  - source: shop.users\n"
                                       "    into: [{target: app.users}]\n"
                                       "    newer_by: updated_at\n"
                                       "    infinity: error\n"
                                       "    invalid_text: error\n"
                                       "    on_error: reject\n"
                                       "    history: {partition: month}\n"
                                       "\n"
                                       "derive: []\n"
                                       "jobs: []\n"
                                       "imports: []\n"
                                       "checks: []\n"
                                       "cutover: {max_lag: 30s}\n"
                                       "throttle: {max_replica_lag: 30s}\n"
                                       "retention: {at_limit: stop}\n",
                                  "m.yaml:6:3: not supported yet: 'format'\n"
                                  "m.yaml:7:3: not supported yet: 'state'\n"
                                  "m.yaml:11:5: not supported yet: 'into'\n"
                                  "m.yaml:12:5: not supported yet: 'newer_by'\n"
                                  "m.yaml:13:5: not supported yet: 'infinity'\n"
                                  "m.yaml:14:5: not supported yet: 'invalid_text'\n"
                                  "m.yaml:15:5: not supported yet: 'on_error'\n"
                                  "m.yaml:16:5: not supported yet: 'history'\n"
                                  "m.yaml:18:1: not supported yet: 'derive'\n"
                                  "m.yaml:19:1: not supported yet: 'jobs'\n"
                                  "m.yaml:20:1: not supported yet: 'imports'\n"
                                  "m.yaml:21:1: not supported yet: 'checks'\n"
                                  "m.yaml:22:1: not supported yet: 'cutover'\n"
                                  "m.yaml:23:1: not supported yet: 'throttle'\n"
                                  "m.yaml:24:1: not supported yet: 'retention'");
}

static void test_words_not_supported_yet(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "target_schema: {tables: existing, on_ddl: apply}\n"
             "tables: [{source: a.b, new_tables: add}]\n",
        "m.yaml:6:25: not supported yet: 'existing' for target_schema.tables; supported: create\n"
        "m.yaml:6:43: not supported yet: 'apply' for target_schema.on_ddl; supported: stop\n"
        "m.yaml:7:36: not supported yet: 'add' for tables[].new_tables; supported: stop");
}

static void test_word_that_is_none_of_the_list(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "target_schema: {tables: make}\n",
        "m.yaml:6:25: target_schema.tables: 'make' is not one of: create");
}

static void test_same_key_twice(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "migration: shop\n",
                                  "m.yaml:6:1: the key 'migration' stands twice; first in line 1");
}

static void test_missing_keys(void **state)
{
    (void)state;
    assert_migration_file_refused("source: {}\n", "m.yaml:1:1: 'source.url' is missing\n"
                                                  "m.yaml:1:1: 'migration' is missing\n"
                                                  "m.yaml:1:1: 'target' is missing");
}

static void test_key_that_is_no_word(void **state)
{
    (void)state;
    assert_migration_file_refused(BASE "[a]: b\n", "m.yaml:6:1: a key must be a word");
}

static void test_wrong_types_of_collections(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "tables: shop.*\n"
             "limits: [1]\n"
             "bus:\n"
             "target_schema: {tables: [create]}\n",
        "m.yaml:6:9: wrong type: a list is needed for tables, this is text\n"
        "m.yaml:7:9: wrong type: a mapping is needed for limits, this is a list\n"
        "m.yaml:8:5: wrong type: a mapping is needed for bus, this is empty\n"
        "m.yaml:9:25: wrong type: a word is needed for target_schema.tables, this is a "
        "list");
}

static void test_list_instead_of_the_file(void **state)
{
    (void)state;
    assert_migration_file_refused("- a\n",
                                  "m.yaml:1:1: wrong type: a mapping is needed, this is a list");
}

static void test_wrong_types_of_scalars(void **state)
{
    (void)state;
    assert_migration_file_refused(
        "migration: 5\n"
        "source: {url: true}\n"
        "target: {url: ~}\n"
        "limits: {copy_workers: \"4\"}\n",
        "m.yaml:1:12: wrong type: a name is needed for migration, this is a number\n"
        "m.yaml:2:15: wrong type: a URL is needed for source.url, this is true or false\n"
        "m.yaml:3:15: wrong type: a URL is needed for target.url, this is empty\n"
        "m.yaml:4:24: wrong type: a whole number is needed for limits.copy_workers, this "
        "is text");
}

static void test_size_without_a_unit(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "limits: {memory: 268435456}\n",
        "m.yaml:6:18: limits.memory: '268435456': a whole number with a unit is needed "
        "(B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)");
}

static void test_bounds(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "limits: {memory: 63MiB, copy_workers: 65}\n"
             "bus: {local: {max_size: 1B}}\n",
        "m.yaml:6:18: limits.memory: '63MiB' is out of bounds: 64MiB to 1000TiB\n"
        "m.yaml:6:39: limits.copy_workers: '65' is out of bounds: 1 to 64\n"
        "m.yaml:7:25: bus.local.max_size: '1B' is out of bounds: 1MiB to 1000TiB");
}

static void test_count_with_a_fraction(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "limits: {copy_workers: 4.5}\n",
        "m.yaml:6:24: limits.copy_workers: '4.5': a whole number is needed");
}

static void test_migration_name(void **state)
{
    (void)state;
    const char *rest = strchr(BASE, '\n');
    static const char *const names[] = {"Shop", "_shop", "sh-op",
                                        "a2345678901234567890123456789012345678901"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = g_strconcat("migration: ", names[i], rest, NULL);
        g_autofree char *message = g_strdup_printf(
            "m.yaml:1:12: migration: '%s': a lower-case letter comes first, then up "
            "to 39 lower-case letters, digits and '_'",
            names[i]);
        assert_migration_file_refused(text, message);
    }
}

static void test_unset_variable(void **state)
{
    (void)state;
    assert_migration_file_refused(
        WITH_SOURCE("source: {url: \"postgresql://${NOWHERE}/shop\"}\n"),
        "m.yaml:2:15: source.url: the environment variable NOWHERE is not set");
}

static void test_empty_variable(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "bus: {local: {path: \"${EMPTY}\"}}\n",
        "m.yaml:6:21: bus.local.path: '${EMPTY}': empty, or with control characters, "
        "once the environment's values are in");
}

static void test_variable_without_a_name(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "bus: {local: {path: \"${a-b}\"}}\n",
        "m.yaml:6:21: bus.local.path: '${a-b}': after '${' comes the name of an "
        "environment variable and '}'; write '$${' for the characters themselves");
}

static void test_refusal_does_not_show_what_the_environment_held(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "limits: {copy_workers: \"${PASSWORD}\"}\n",
        "m.yaml:6:24: limits.copy_workers: '${PASSWORD}': a whole number is needed");
}

static void test_control_characters_in_a_value(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "bus: {local: {path: \"a\\nb\"}}\n",
        "m.yaml:6:21: bus.local.path: 'a?b': line breaks and control characters are not "
        "allowed");
}

static void test_escaped_nul_in_a_value(void **state)
{
    (void)state;
    assert_migration_file_refused(
        BASE "bus: {local: {path: \"a\\0b\"}}\n",
        "m.yaml:6:21: bus.local.path: 'a': line breaks and control characters are not "
        "allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_key_suggests_the_nearest),
        cmocka_unit_test(test_unknown_key_in_a_mapping),
        cmocka_unit_test(test_unknown_key_that_belongs_elsewhere),
        cmocka_unit_test(test_unknown_key_like_no_other_lists_the_known),
        cmocka_unit_test(test_keys_not_supported_yet_are_refused_by_name),
        cmocka_unit_test(test_words_not_supported_yet),
        cmocka_unit_test(test_word_that_is_none_of_the_list),
        cmocka_unit_test(test_same_key_twice),
        cmocka_unit_test(test_missing_keys),
        cmocka_unit_test(test_key_that_is_no_word),
        cmocka_unit_test(test_wrong_types_of_collections),
        cmocka_unit_test(test_list_instead_of_the_file),
        cmocka_unit_test(test_wrong_types_of_scalars),
        cmocka_unit_test(test_size_without_a_unit),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_count_with_a_fraction),
        cmocka_unit_test(test_migration_name),
        cmocka_unit_test(test_unset_variable),
        cmocka_unit_test(test_empty_variable),
        cmocka_unit_test(test_variable_without_a_name),
        cmocka_unit_test(test_refusal_does_not_show_what_the_environment_held),
        cmocka_unit_test(test_control_characters_in_a_value),
        cmocka_unit_test(test_escaped_nul_in_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
