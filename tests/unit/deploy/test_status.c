/* Status as JSON and text, from a target and a source that are scripted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/status.h"
#include "proto/error.h"

#include <stdlib.h>
#include <string.h>

/* --- A target that knows one migration with two tables ---------------------------------------- */

typedef struct Script {
    const char *in_sql; /* found in the statement */
    guint n_columns;
    const char *const *values; /* row by row, NULL-terminated after whole rows; "-" is null */
} Script;

static const char *const migration_row[] = {"00000000-0000-4000-8000-000000000000",
                                            "file",
                                            "streaming",
                                            "7/1",
                                            "drover_shop_00000000",
                                            "0/100",
                                            "-",
                                            "0/200",
                                            "-",
                                            "-",
                                            "0",
                                            "1",
                                            NULL};
static const char *const epoch_row[] = {"5", NULL};
static const char *progress_row[] = {"0/300", "12", "ab", "1000000", "4", NULL};
static const char *const schema_row[] = {"1", NULL};
static const char *const table_rows[] = {
    "1", "public", "a", "public",    "a2",        "ready", "10",    "12", "2", "2", "9",
    "5", "0",      "3", "0",         "1",         "-",     "equal", "0",  "0", "2", "public",
    "b", "public", "b", "copying",   "5",         "40",    "1",     "4",  "7", "5", "0",
    "0", "0",      "0", "rewritten", "different", "3",     "1",     NULL};

static const Script scripts[] = {
    {"information_schema.schemata", 1, schema_row},
    {"from drover.migration", 12, migration_row},
    {"from drover.lease", 1, epoch_row},
    {"from drover.tables", 20, table_rows},
    {"drover.progress", 5, progress_row},
};

static Answer *answer_of(const Script *script)
{
    guint n = g_strv_length((char **)(gintptr)script->values);
    Answer *answer = g_new0(Answer, 1);
    answer->n_columns = script->n_columns;
    answer->n_rows = n / answer->n_columns;
    answer->values = g_new0(char *, n);
    for (guint v = 0; v < n; v++)
        if (strcmp(script->values[v], "-") != 0)
            answer->values[v] = g_strdup(script->values[v]);
    return answer;
}

static Answer *fake_execute(Target *target, const char *sql, guint n_values,
                            const char *const *values, GError **error)
{
    (void)target;
    (void)n_values;
    (void)values;
    for (gsize i = 0; i < G_N_ELEMENTS(scripts); i++)
        if (strstr(sql, scripts[i].in_sql) != NULL)
            return answer_of(&scripts[i]);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "not scripted: %s", sql);
    return NULL;
}

/* role, holder, since, epoch, session */
static const char *const holder_rows[] = {"capture",
                                          "host1 pid 11",
                                          "2025-01-01 00:00:00+00",
                                          "4",
                                          "101",
                                          "copy",
                                          "host2 pid 22",
                                          "2025-01-01 00:00:01+00",
                                          "5",
                                          "102",
                                          "copy",
                                          "-",
                                          "-",
                                          "-",
                                          "103",
                                          "copy",
                                          "host3 pid 33",
                                          "2025-01-01 00:00:02+00",
                                          "6",
                                          "104",
                                          NULL};
static const Script holders = {"", 5, holder_rows};

static bool source_is_there;
static Position head;
static const char *engine;

static Answer *fake_holders(Target *target, const Migration *migration, const char *const *roles,
                            GError **error)
{
    (void)target;
    (void)migration;
    (void)error;
    assert_string_equal(roles[2], "apply");
    return answer_of(&holders);
}

static Source *fake_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint;
    (void)label;
    if (source_is_there)
        return (Source *)&source_is_there;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "nobody listens");
    return NULL;
}

static void fake_close(Source *source)
{
    (void)source;
}

static bool fake_status(Source *source, const Migration *migration, bool emit_heartbeat,
                        SourceStatus *status, GError **error)
{
    (void)source;
    (void)migration;
    (void)emit_heartbeat;
    (void)error;
    *status = (SourceStatus){
        .head = head, .acknowledged = {0x320, 0}, .retained_bytes = 4096, .time = 3500000};
    return true;
}

static const TargetOps target_ops = {
    .engine = "fake", .execute = fake_execute, .role_holders = fake_holders};
static const SourceOps source_ops = {
    .engine = "fake", .connect = fake_connect, .close = fake_close, .status = fake_status};

static Status *read_status(void)
{
    Endpoint endpoint = {.label = (char *)(gintptr) "target db", .engine = (char *)(gintptr)engine};
    Migration *migration = g_new0(Migration, 1);
    Context context = {.source = &source_ops,
                       .target = &target_ops,
                       .bus = &bus_local_ops,
                       .migration = migration,
                       .control = {&target_ops, NULL, migration}};
    g_autoptr(GError) error = NULL;

    migration->name = g_strdup("shop");
    migration->target = migration->source = &endpoint;
    Status *status = status_read(&context, &error);
    if (status == NULL)
        fail_msg("%s", error->message);
    migration->target = migration->source = NULL;
    g_free(endpoint.server);
    migration_free(migration);
    return status;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static int of_postgresql(void **state)
{
    (void)state;
    engine = "postgresql";
    head = (Position){0x350, 0};
    progress_row[0] = "0/300";
    return 0;
}

static int of_mysql(void **state)
{
    (void)state;
    engine = "mysql";
    head = (Position){12, 345};
    progress_row[0] = "000012:300";
    source_is_there = true;
    return 0;
}

static void test_lags_are_measured_against_the_source(void **state)
{
    (void)state;
    source_is_there = true;
    g_autoptr(Status) status = read_status();
    assert_string_equal(status->capture_position, "0/320");
    assert_int_equal(status->lag_bytes, 0x50);
    assert_true(status->apply_lag_seconds == 2.5);
    assert_int_equal(status->retained_bytes, 4096);
}

static void test_lag_within_one_file_of_a_binlog_has_bytes(void **state)
{
    (void)state;
    g_autoptr(Status) status = read_status();
    assert_string_equal(status->source_head, "000012:345");
    assert_string_equal(status->apply_position, "000012:300");
    assert_int_equal(status->lag_bytes, 45);
}

static void test_lag_across_files_of_a_binlog_has_none(void **state)
{
    (void)state;
    head = (Position){13, 4};
    g_autoptr(Status) status = read_status();
    json_t *json = status_json(status);
    json_t *apply = json_object_get(json, "apply");
    assert_true(json_is_null(json_object_get(apply, "lag_bytes")));
    assert_true(json_real_value(json_object_get(apply, "lag_seconds")) == 2.5);
    json_decref(json);
}

static void test_a_source_without_a_slot_is_told_as_such(void **state)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    g_autoptr(Status) status = read_status();
    status_print(status, out);
    fclose(out);
    assert_non_null(strstr(text, "  source   000012:345, keeps its log as its own settings say\n"));
    assert_null(strstr(text, "slot"));
    free(text);
}

static void test_an_unreachable_source_leaves_nulls(void **state)
{
    (void)state;
    source_is_there = false;
    g_autoptr(Status) status = read_status();
    json_t *json = status_json(status);
    json_t *source = json_object_get(json, "source");
    assert_true(json_is_null(json_object_get(source, "head")));
    assert_true(json_is_null(json_object_get(source, "retained_bytes")));
    assert_true(json_is_null(json_object_get(json_object_get(json, "apply"), "lag_bytes")));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json, "apply"), "position")), "0/300");
    json_decref(json);
}

static void test_json_has_what_is_promised(void **state)
{
    static const char *const names[] = {"migration", "phase", "tables", "capture", "apply",
                                        "source",    "bus",   "paused", "rejects", "verify"};
    static const char *const columns[] = {
        "source",      "target",       "state",    "rows_copied", "rows_total",
        "chunks_done", "chunks_total", "captured", "applied",     "filtered",
        "superseded",  "rejected",     "refetched"};
    (void)state;
    source_is_there = true;
    g_autoptr(Status) status = read_status();
    json_t *json = status_json(status);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        assert_non_null(json_object_get(json, names[i]));
    json_t *table = json_array_get(json_object_get(json, "tables"), 0);
    for (gsize i = 0; i < G_N_ELEMENTS(columns); i++)
        assert_non_null(json_object_get(table, columns[i]));
    assert_true(json_is_true(json_object_get(json, "paused")));
    json_decref(json);
}

static void test_a_copied_table_has_as_many_rows_as_were_copied(void **state)
{
    (void)state;
    g_autoptr(Status) status = read_status();
    const StatusTable *copied = g_ptr_array_index(status->tables, 0);
    const StatusTable *copying = g_ptr_array_index(status->tables, 1);
    assert_int_equal(copied->rows_total, 10);
    assert_int_equal(copying->rows_total, 40);
}

static void test_accounts_that_do_not_add_up_are_told(void **state)
{
    (void)state;
    g_autoptr(Status) status = read_status();
    assert_true(status_table_adds_up(g_ptr_array_index(status->tables, 0)));
    assert_false(status_table_adds_up(g_ptr_array_index(status->tables, 1)));
    json_t *json = status_json(status);
    assert_true(json_is_false(json_object_get(json, "accounts_add_up")));
    json_decref(json);
}

static void test_the_gravest_verify_counts(void **state)
{
    (void)state;
    g_autoptr(Status) status = read_status();
    assert_string_equal(status_verify_state(status), "different");
}

static void test_the_text_names_tables_and_doubts(void **state)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    g_autoptr(Status) status = read_status();
    status_print(status, out);
    fclose(out);
    assert_non_null(strstr(text, "shop: streaming, paused"));
    assert_non_null(strstr(text, "in doubt: public.b: rewritten"));
    assert_non_null(strstr(text, "DO NOT ADD UP"));
    free(text);
}

static void test_who_has_which_role_is_shown(void **state)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    g_autoptr(Status) status = read_status();
    status_print(status, out);
    fclose(out);
    assert_non_null(
        strstr(text, "  running  capture by host1 pid 11; copy by host2 pid 22, host3 pid 33\n"));
    free(text);
    json_t *json = status_json(status);
    json_t *roles = json_object_get(json, "roles");
    assert_int_equal(json_array_size(roles), 3);
    json_t *last = json_array_get(roles, 2);
    assert_string_equal(json_string_value(json_object_get(last, "role")), "copy");
    assert_string_equal(json_string_value(json_object_get(last, "holder")), "host3 pid 33");
    assert_int_equal(json_integer_value(json_object_get(last, "epoch")), 6);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lags_are_measured_against_the_source, of_postgresql),
        cmocka_unit_test_setup(test_lag_within_one_file_of_a_binlog_has_bytes, of_mysql),
        cmocka_unit_test_setup(test_lag_across_files_of_a_binlog_has_none, of_mysql),
        cmocka_unit_test_setup(test_a_source_without_a_slot_is_told_as_such, of_mysql),
        cmocka_unit_test_setup(test_an_unreachable_source_leaves_nulls, of_postgresql),
        cmocka_unit_test_setup(test_json_has_what_is_promised, of_postgresql),
        cmocka_unit_test_setup(test_a_copied_table_has_as_many_rows_as_were_copied, of_postgresql),
        cmocka_unit_test_setup(test_accounts_that_do_not_add_up_are_told, of_postgresql),
        cmocka_unit_test_setup(test_the_gravest_verify_counts, of_postgresql),
        cmocka_unit_test_setup(test_the_text_names_tables_and_doubts, of_postgresql),
        cmocka_unit_test_setup(test_who_has_which_role_is_shown, of_postgresql),
    };
    drover_error_quark();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
