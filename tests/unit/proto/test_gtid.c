/* GTID sets of both servers: texts, bytes, and what is in what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/error.h"
#include "proto/gtid.h"
#include "tests/support/must.h"

#include <string.h>

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static const guint8 uuid_a[16] = {0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1,
                                  0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62};

static MysqlGtidSet *set_of(const char *text)
{
    GError *error = NULL;
    MysqlGtidSet *set = mysql_gtid_set_parse(text, &error);
    if (!set)
        fail_msg("%s", error->message);
    return set;
}

static void assert_set(const MysqlGtidSet *set, const char *text)
{
    g_autofree char *found = mysql_gtid_set_format(set);
    assert_string_equal(found, text);
}

static void expect_form(const char *text, const char *form)
{
    g_autoptr(MysqlGtidSet) set = set_of(text);
    assert_set(set, form);
}

static void test_intervals_are_joined_where_they_touch(void **state)
{
    (void)state;
    expect_form("", "");
    expect_form(A ":1-5:7", A ":1-5:7");
    expect_form(A ":7:1-5:6", A ":1-7");
    expect_form(A ":1-3:2-9:20", A ":1-9:20");
    expect_form(A ":10-20:1-2:3-9", A ":1-20");
    expect_form(A ":1-2:5-6:9-10:2-9", A ":1-10");
    expect_form(A ":9223372036854775806", A ":9223372036854775806");
}

static void test_origins_are_sorted_and_texts_may_be_written_freely(void **state)
{
    (void)state;
    expect_form(B ":1,\n " A ":2", A ":2," B ":1");
    expect_form("3E11FA4771CA11E19E33C80AA9429562:1", A ":1");
    expect_form(" " A " : 1 - 5 : 7 ,", A ":1-5:7");
    expect_form(A ":1," A ":2", A ":1-2");
}

static void test_tags_hold_for_the_intervals_behind_them(void **state)
{
    (void)state;
    expect_form(A ":1-5:Tag:1-3:7:other_1:4", A ":1-5:other_1:4:tag:1-3:7");
    expect_form(A ":tag:1", A ":tag:1");
    expect_form(B ":t:1," A ":1", A ":1," B ":t:1");
}

static void test_what_is_no_set_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"x",
                                        A,
                                        A ":",
                                        A ":0",
                                        A ":5-4",
                                        A ":1-",
                                        A ":-1",
                                        A ":1:tag",
                                        A ":1;2",
                                        A ":9223372036854775807",
                                        A ":1x",
                                        "3e11fa47:1",
                                        A ":a_tag_of_more_than_thirty_two_bytes:1",
                                        A ":t\xc3\xa9:1",
                                        "0-1-2"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        if (mysql_gtid_set_parse(texts[i], &error))
            fail_msg("%s was taken", texts[i]);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    }
}

static void test_sets_contain_parts_of_intervals(void **state)
{
    (void)state;
    g_autoptr(MysqlGtidSet) set = set_of(A ":5-10:20:tag:1-2");
    assert_true(mysql_gtid_set_contains(set, uuid_a, "", 5));
    assert_true(mysql_gtid_set_contains(set, uuid_a, "", 10));
    assert_true(mysql_gtid_set_contains(set, uuid_a, "", 20));
    assert_true(mysql_gtid_set_contains(set, uuid_a, "tag", 2));
    assert_false(mysql_gtid_set_contains(set, uuid_a, "", 4));
    assert_false(mysql_gtid_set_contains(set, uuid_a, "", 11));
    assert_false(mysql_gtid_set_contains(set, uuid_a, "", 1));
    assert_false(mysql_gtid_set_contains(set, uuid_a, "tag", 3));
    assert_false(mysql_gtid_set_contains(set, uuid_a, "other", 1));
}

static void expect_order(const char *a, const char *b, bool b_in_a)
{
    g_autoptr(MysqlGtidSet) first = set_of(a), second = set_of(b);
    assert_int_equal(mysql_gtid_set_contains_set(first, second), b_in_a);
}

static void test_containment_of_sets(void **state)
{
    (void)state;
    expect_order(A ":1-10", "", true);
    expect_order("", A ":1", false);
    expect_order(A ":1-10", A ":2-3:5:10", true);
    expect_order(A ":1-10", A ":2-3:11", false);
    expect_order(A ":1-4:6-10", A ":3-7", false);
    expect_order(A ":1-10," B ":1", B ":1", true);
    expect_order(A ":1-10", A ":1-10:tag:1", false);
}

static void test_merging_and_counting(void **state)
{
    (void)state;
    g_autoptr(MysqlGtidSet) set = set_of(A ":1-3:7"), other = set_of(A ":4-5:tag:1," B ":2");
    mysql_gtid_set_merge(set, other);
    assert_set(set, A ":1-5:7:tag:1," B ":2");
    assert_int_equal(mysql_gtid_set_count(set), 8);
    mysql_gtid_set_merge(set, set);
    assert_int_equal(mysql_gtid_set_count(set), 8);
    mysql_gtid_set_add(set, uuid_a, "", 6);
    assert_set(set, A ":1-7:tag:1," B ":2");
    assert_false(mysql_gtid_set_is_empty(set));
    g_autofree char *one = mysql_gtid_format(uuid_a, "tag", 23);
    assert_string_equal(one, A ":tag:23");
}

/* Against a table of booleans, whatever the order of the numbers. */
static void test_any_order_of_numbers_gives_the_same_set(void **state)
{
    (void)state;
    enum { N = 64 };
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    for (guint round = 0; round < 200; round++) {
        g_autoptr(MysqlGtidSet) set = mysql_gtid_set_new();
        bool there[N + 1] = {false};
        guint count = 0;
        for (guint i = 0; i < round / 2 + 1; i++) {
            gint32 number = g_rand_int_range(random, 1, N + 1);
            count += !there[number];
            there[number] = true;
            mysql_gtid_set_add(set, uuid_a, "", number);
        }
        for (gint64 i = 1; i <= N; i++)
            assert_int_equal(mysql_gtid_set_contains(set, uuid_a, "", i), there[i]);
        assert_int_equal(mysql_gtid_set_count(set), count);
        g_autofree char *text = mysql_gtid_set_format(set);
        g_autoptr(MysqlGtidSet) again = set_of(text);
        assert_true(mysql_gtid_set_equal(set, again));
    }
}

/* ---- bytes ---- */

static void expect_bytes(const char *text, gsize size)
{
    GError *error = NULL;
    g_autoptr(MysqlGtidSet) set = set_of(text);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_gtid_set_encode(set, bytes);
    assert_int_equal(bytes->len, size);
    g_autoptr(MysqlGtidSet) decoded = NULL;
    MUST(decoded = mysql_gtid_set_decode(bytes->data, bytes->len, &error));
    assert_true(mysql_gtid_set_equal(set, decoded));
    for (guint cut = 0; cut < bytes->len; cut++) {
        g_autofree guint8 *copy = g_memdup2(bytes->data, cut);
        MUST_FAIL(mysql_gtid_set_decode(copy, cut, &error), DROVER_ERROR_PERSON);
    }
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    MUST_FAIL(mysql_gtid_set_decode(bytes->data, bytes->len, &error), DROVER_ERROR_PERSON);
}

static void test_bytes_give_the_set_and_cut_ones_an_error(void **state)
{
    (void)state;
    expect_bytes("", 8);
    expect_bytes(A ":1-5:7," B ":9", 8 + 16 + 8 + 32 + 16 + 8 + 16);
    expect_bytes(A ":1-5:tag:2", 8 + 16 + 1 + 8 + 16 + 16 + 4 + 8 + 16);
}

/* A tag starts with a letter, in bytes as in a text; "0bc" would be read as a number there. */
static void test_bytes_with_an_impossible_tag_are_refused(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(MysqlGtidSet) set = set_of(A ":abc:1");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_gtid_set_encode(set, bytes);
    bytes->data[8 + 16 + 1] = '0';
    MUST_FAIL(mysql_gtid_set_decode(bytes->data, bytes->len, &error), DROVER_ERROR_PERSON);
    bytes->data[8 + 16 + 1] = 'A';
    MUST_FAIL(mysql_gtid_set_decode(bytes->data, bytes->len, &error), DROVER_ERROR_PERSON);
}

static void test_the_form_without_tags_is_that_of_old_servers(void **state)
{
    (void)state;
    static const guint8 wanted[] = {1,    0,    0,    0,    0,    0,    0,    0,    0x3e, 0x11,
                                    0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a,
                                    0xa9, 0x42, 0x95, 0x62, 1,    0,    0,    0,    0,    0,
                                    0,    0,    1,    0,    0,    0,    0,    0,    0,    0,
                                    6,    0,    0,    0,    0,    0,    0,    0};
    g_autoptr(MysqlGtidSet) set = set_of(A ":1-5");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mysql_gtid_set_encode(set, bytes);
    assert_int_equal(bytes->len, sizeof wanted);
    assert_memory_equal(bytes->data, wanted, sizeof wanted);
}

/* ---- MariaDB ---- */

static MariadbGtids *gtids_of(const char *text)
{
    GError *error = NULL;
    MariadbGtids *gtids = mariadb_gtids_parse(text, &error);
    if (!gtids)
        fail_msg("%s", error->message);
    return gtids;
}

static void expect_gtids(const char *text, const char *form)
{
    g_autoptr(MariadbGtids) gtids = gtids_of(text);
    g_autofree char *found = mariadb_gtids_format(gtids);
    assert_string_equal(found, form);
}

static void test_mariadb_positions_have_one_entry_a_domain(void **state)
{
    (void)state;
    expect_gtids("", "");
    expect_gtids("0-1-17,2-5-3", "0-1-17,2-5-3");
    expect_gtids("2-5-3, 0-1-17", "0-1-17,2-5-3");
    expect_gtids("0-1-17,0-2-18", "0-2-18");
    expect_gtids("4294967295-4294967295-18446744073709551615",
                 "4294967295-4294967295-18446744073709551615");
}

static void test_what_is_no_mariadb_position_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "x",      "0-1",    "0-1-",           "0-1-2,", "0-1-2-3",
        "0-1-2x", "-1-2-3", "4294967296-1-1", ",0-1-2", "0-1-18446744073709551616",
        A ":1"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        if (mariadb_gtids_parse(texts[i], &error))
            fail_msg("%s was taken", texts[i]);
        assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    }
}

static void expect_compared(const char *a, const char *b, MariadbGtidsOrder order)
{
    g_autoptr(MariadbGtids) first = gtids_of(a), second = gtids_of(b);
    assert_int_equal(mariadb_gtids_compare(first, second), order);
}

static void test_mariadb_positions_are_partly_ordered(void **state)
{
    (void)state;
    expect_compared("0-1-5", "0-1-5", MARIADB_GTIDS_EQUAL);
    expect_compared("0-1-5", "0-2-5", MARIADB_GTIDS_EQUAL);
    expect_compared("0-1-5", "0-1-6", MARIADB_GTIDS_BEFORE);
    expect_compared("0-1-5", "0-1-5,1-1-1", MARIADB_GTIDS_BEFORE);
    expect_compared("0-1-5,1-1-1", "0-1-5", MARIADB_GTIDS_AFTER);
    expect_compared("0-1-5,1-1-1", "0-1-6", MARIADB_GTIDS_APART);
    expect_compared("", "0-1-1", MARIADB_GTIDS_BEFORE);
}

static void test_mariadb_positions_move_forward_only(void **state)
{
    (void)state;
    g_autoptr(MariadbGtids) gtids = gtids_of("0-1-5"), other = gtids_of("0-1-3,1-9-9");
    mariadb_gtids_merge(gtids, other);
    mariadb_gtids_add(gtids, (MariadbGtid){0, 2, 6});
    mariadb_gtids_add(gtids, (MariadbGtid){0, 2, 4});
    g_autofree char *text = mariadb_gtids_format(gtids);
    assert_string_equal(text, "0-2-6,1-9-9");
    assert_true(mariadb_gtids_contains(gtids, (MariadbGtid){0, 1, 6}));
    assert_false(mariadb_gtids_contains(gtids, (MariadbGtid){0, 1, 7}));
    assert_false(mariadb_gtids_contains(gtids, (MariadbGtid){3, 1, 1}));
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    mariadb_gtids_encode(gtids, bytes);
    g_autoptr(MariadbGtids) decoded = mariadb_gtids_decode(bytes->data, 2);
    assert_int_equal(mariadb_gtids_compare(gtids, decoded), MARIADB_GTIDS_EQUAL);
}

static void test_resume_texts_of_both_kinds_are_compared_by_containment(void **state)
{
    (void)state;
    const char *whole = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
    const char *part = "3e11fa47-71ca-11e1-9e33-c80aa9429562:2-4";
    assert_true(resume_contains(whole, part));
    assert_false(resume_contains(part, whole));
    assert_true(resume_contains(whole, ""));
    assert_true(resume_contains("0-1-5,2-3-7", "0-1-5"));
    assert_true(resume_contains("0-1-5,2-3-7", "0-2-4,2-3-7 since 0-1-2"));
    assert_false(resume_contains("0-1-5", "0-1-6"));
    assert_false(resume_contains("0-1-5", "1-1-1"));
    assert_true(resume_contains("", ""));
    assert_false(resume_contains("0-1-5", "what is this"));
    assert_false(resume_contains(NULL, whole));
    assert_false(resume_contains(whole, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals_are_joined_where_they_touch),
        cmocka_unit_test(test_origins_are_sorted_and_texts_may_be_written_freely),
        cmocka_unit_test(test_tags_hold_for_the_intervals_behind_them),
        cmocka_unit_test(test_what_is_no_set_is_refused),
        cmocka_unit_test(test_sets_contain_parts_of_intervals),
        cmocka_unit_test(test_containment_of_sets),
        cmocka_unit_test(test_merging_and_counting),
        cmocka_unit_test(test_any_order_of_numbers_gives_the_same_set),
        cmocka_unit_test(test_bytes_give_the_set_and_cut_ones_an_error),
        cmocka_unit_test(test_bytes_with_an_impossible_tag_are_refused),
        cmocka_unit_test(test_the_form_without_tags_is_that_of_old_servers),
        cmocka_unit_test(test_mariadb_positions_have_one_entry_a_domain),
        cmocka_unit_test(test_what_is_no_mariadb_position_is_refused),
        cmocka_unit_test(test_mariadb_positions_are_partly_ordered),
        cmocka_unit_test(test_mariadb_positions_move_forward_only),
        cmocka_unit_test(test_resume_texts_of_both_kinds_are_compared_by_containment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
