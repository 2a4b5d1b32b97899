/* What was executed, as a set and as the text that a stream goes on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/mysql/executed.h"
#include "proto/error.h"
#include "tests/support/must.h"

#include <string.h>

#define UUID "80ed168f-e863-11f1-8a3a-02fc00000001"

static ExecutedGtid gtid_of(guint8 origin, const char *tag, gint64 number)
{
    ExecutedGtid gtid = {.number = number};
    memset(gtid.uuid, origin, sizeof gtid.uuid);
    g_strlcpy(gtid.tag, tag, sizeof gtid.tag);
    return gtid;
}

static ExecutedGtid entry_of(guint32 domain, guint32 server, guint64 sequence)
{
    return (ExecutedGtid){.mariadb = true, .list_entry = {domain, server, sequence}};
}

/* The text is the set's own, whatever came before. */
static void test_the_text_is_that_of_the_set(void **state)
{
    (void)state;
    static const char *const tags[] = {"", "a", "b"};
    GError *error = NULL;
    for (guint32 seed = 0; seed < 200; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        g_autoptr(Executed) executed = executed_new(false, "", &error);
        g_autoptr(MysqlGtidSet) set = mysql_gtid_set_new();
        gint64 next[2][3] = {{95, 1, 7}, {1, 998, 1}};
        for (guint i = 0; i < 300; i++) {
            guint origin = g_rand_int_range(random, 0, 20) == 0, tag = 0;
            if (g_rand_int_range(random, 0, 10) == 0)
                tag = (guint)g_rand_int_range(random, 0, 3);
            gint64 number = next[origin][tag] + (g_rand_int_range(random, 0, 9) == 0);
            if (number > next[origin][tag] && g_rand_boolean(random))
                number = MAX(1, number - 3);
            next[origin][tag] = MAX(next[origin][tag], number + 1);
            ExecutedGtid gtid = gtid_of((guint8)(origin + 1), tags[tag], number);
            executed_add(executed, &gtid);
            mysql_gtid_set_add(set, gtid.uuid, gtid.tag, gtid.number);
            assert_true(executed_contains(executed, &gtid));
            if (g_rand_int_range(random, 0, 4) == 0)
                continue;
            g_autofree char *wanted = mysql_gtid_set_format(set);
            assert_string_equal(executed_text(executed), wanted);
            assert_string_equal(executed_text(executed), wanted);
        }
    }
}

static void test_numbers_grow_digits(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(Executed) executed = executed_new(false, UUID ":1-97,\n" UUID ":a:1-5", &error);
    assert_string_equal(executed_text(executed), UUID ":1-97:a:1-5");
    for (gint64 number = 98; number < 1003; number++) {
        ExecutedGtid gtid = {.number = number,
                             .uuid = {0x80, 0xed, 0x16, 0x8f, 0xe8, 0x63, 0x11, 0xf1, 0x8a, 0x3a,
                                      0x02, 0xfc, 0, 0, 0, 1}};
        executed_add(executed, &gtid);
        g_autofree char *wanted = g_strdup_printf(UUID ":1-%d:a:1-5", (int)number);
        assert_string_equal(executed_text(executed), wanted);
    }
}

static void test_a_list_of_mariadb_moves_on(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(Executed) executed = executed_new(true, "0-1-5,7-2-3", &error);
    ExecutedGtid before = entry_of(0, 9, 5), next = entry_of(0, 2, 6), other = entry_of(8, 1, 1);
    assert_true(executed_contains(executed, &before));
    assert_false(executed_contains(executed, &next));
    assert_false(executed_contains(executed, &other));
    executed_add(executed, &next);
    assert_string_equal(executed_text(executed), "0-2-6,7-2-3");
    executed_add(executed, &other);
    assert_string_equal(executed_text(executed), "0-2-6,7-2-3,8-1-1");
    g_autofree char *text = executed_gtid_text(&next);
    assert_string_equal(text, "0-2-6");
}

static void test_a_text_of_another_form_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;
    MUST_FAIL(executed_new(false, "0-1-5", &error), DROVER_ERROR_PERSON);
    MUST_FAIL(executed_new(true, UUID ":1", &error), DROVER_ERROR_PERSON);
}

static void test_what_came_before_a_file_must_be_there(void **state)
{
    (void)state;
    GError *error = NULL;
    bool contains;
    g_autoptr(Executed) executed = executed_new(false, UUID ":1-10", &error);
    g_autoptr(MysqlGtidSet) set = mysql_gtid_set_parse(UUID ":2-10", &error);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_gtid_set_encode(set, bytes);
    BinlogEvent event = {.kind = BINLOG_PREVIOUS_GTIDS,
                         .previous_gtids = {bytes->data, bytes->len}};
    MUST(executed_contains_previous(executed, &event, &contains, &error));
    assert_true(contains);
    g_autoptr(MysqlGtidSet) more = mysql_gtid_set_parse(UUID ":11", &error);
    g_byte_array_set_size(bytes, 0);
    mysql_gtid_set_encode(more, bytes);
    event.previous_gtids.set = bytes->data;
    event.previous_gtids.size = bytes->len;
    MUST(executed_contains_previous(executed, &event, &contains, &error));
    assert_false(contains);
    event.previous_gtids.size--;
    MUST_FAIL(executed_contains_previous(executed, &event, &contains, &error), DROVER_ERROR_PERSON);
}

static void test_the_same_holds_for_a_list(void **state)
{
    (void)state;
    GError *error = NULL;
    bool contains;
    const guint8 list[] = {0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
                           0, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0};
    g_autoptr(Executed) executed = executed_new(true, "0-1-5", &error);
    BinlogEvent event = {.kind = BINLOG_MARIADB_GTID_LIST, .gtid_list = {1, list}};
    MUST(executed_contains_previous(executed, &event, &contains, &error));
    assert_true(contains);
    event.gtid_list.n = 2;
    MUST(executed_contains_previous(executed, &event, &contains, &error));
    assert_false(contains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text_is_that_of_the_set),
        cmocka_unit_test(test_numbers_grow_digits),
        cmocka_unit_test(test_a_list_of_mariadb_moves_on),
        cmocka_unit_test(test_a_text_of_another_form_is_refused),
        cmocka_unit_test(test_what_came_before_a_file_must_be_there),
        cmocka_unit_test(test_the_same_holds_for_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
