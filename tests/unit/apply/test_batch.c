/* Netting: single behaviours, and random logs whose netted batches must give the source's rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/batch.h"
#include "proto/error.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 3 /* id (key), a, t (large: may be unchanged) */

static Migration migration;
static Table table;
static guint key_columns[1] = {0};
static Column columns[COLUMNS] = {{.name = (char *)"id", .key_place = 0},
                                  {.name = (char *)"a", .key_place = -1},
                                  {.name = (char *)"t", .key_place = -1}};

static int set_up(void **state)
{
    (void)state;
    drover_error_quark();
    table = (Table){.id = 1,
                    .label = (char *)"public.x",
                    .n_columns = COLUMNS,
                    .columns = columns,
                    .n_key = 1,
                    .key = key_columns,
                    .version = 7};
    migration.tables = g_ptr_array_new();
    g_ptr_array_add(migration.tables, &table);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    g_ptr_array_unref(migration.tables);
    return 0;
}

#define UNCHANGED "~"

static Cell cell_of(const char *text)
{
    if (text == NULL)
        return (Cell){.kind = CELL_NULL};
    if (strcmp(text, UNCHANGED) == 0)
        return (Cell){.kind = CELL_UNCHANGED};
    return (Cell){
        .kind = CELL_VALUE, .data = (const guint8 *)text, .length = (guint32)strlen(text)};
}

static void add_at(Batch *batch, Operation operation, const char *old_id, const char *id,
                   const char *a, const char *t, Position at)
{
    Cell old_cells[1] = {cell_of(old_id)};
    Cell cells[COLUMNS] = {cell_of(id), cell_of(a), cell_of(t)};
    Change change = {.operation = operation, .table = 1, .schema_version = 7};
    if (old_id != NULL)
        change.old_key = (Row){old_cells, 1};
    if (id != NULL)
        change.row = (Row){cells, COLUMNS};
    g_autoptr(GError) error = NULL;
    if (!batch_add(batch, &change, at, &error))
        fail_msg("%s", error->message);
}

static void add(Batch *batch, Operation operation, const char *old_id, const char *id,
                const char *a, const char *t)
{
    add_at(batch, operation, old_id, id, a, t, (Position){1, 0});
}

static const NetRow *net_of(Batch *batch, const char *id)
{
    guint n = 0;
    NetTable *tables = batch_tables(batch, &n);
    for (guint i = 0; n == 1 && i < tables[0].n_rows; i++) {
        const Cell *cell = &tables[0].rows[i]->key.cells[0];
        if (cell->length == strlen(id) && memcmp(cell->data, id, cell->length) == 0)
            return tables[0].rows[i];
    }
    return NULL;
}

static void assert_cell(const NetRow *row, guint column, const char *text)
{
    Cell want = cell_of(text);
    const Cell *cell = &row->row.cells[column];
    assert_int_equal(cell->kind, want.kind);
    assert_int_equal(cell->length, want.length);
    if (want.length > 0)
        assert_memory_equal(cell->data, want.data, want.length);
}

static Account account_of(const Batch *batch)
{
    Account account = {.table = 1};
    batch_account(batch, &account);
    return account;
}

static void test_last_image_wins_and_earlier_events_are_superseded(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    add(batch, OPERATION_INSERT, NULL, "1", "x", "big");
    add(batch, OPERATION_UPDATE, NULL, "1", "yy", UNCHANGED);
    const NetRow *row = net_of(batch, "1");
    assert_int_equal(row->kind, NET_INSERT);
    assert_cell(row, 1, "yy");
    assert_cell(row, 2, "big");
    assert_int_equal(row->base_key.n_cells, 0);
    Account account = account_of(batch);
    assert_int_equal(account.applied, 1);
    assert_int_equal(account.superseded, 1);
}

static void test_unchanged_cell_is_taken_from_the_targets_row(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    add(batch, OPERATION_UPDATE, NULL, "1", "x", UNCHANGED);
    const NetRow *row = net_of(batch, "1");
    assert_int_equal(row->kind, NET_UPDATE);
    assert_int_equal(row->base_key.n_cells, 1);
    assert_cell(row, 2, UNCHANGED);
}

static void test_partial_image_after_a_delete_is_a_delete_and_a_refetch(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, false);
    add(batch, OPERATION_DELETE, "1", NULL, NULL, NULL);
    add(batch, OPERATION_UPDATE, NULL, "1", "x", UNCHANGED);
    assert_int_equal(net_of(batch, "1")->kind, NET_DELETE);
    Account account = account_of(batch);
    assert_int_equal(account.refetched, 1);
    assert_int_equal(account.superseded, 1);
}

static void test_key_change_takes_cells_of_the_old_key_when_consistent(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    add(batch, OPERATION_UPDATE, "1", "2", "x", UNCHANGED);
    const NetRow *row = net_of(batch, "2");
    assert_int_equal(net_of(batch, "1")->kind, NET_DELETE);
    assert_int_equal(row->base_key.n_cells, 1);
    assert_memory_equal(row->base_key.cells[0].data, "1", 1);
    assert_int_equal(account_of(batch).applied, 1);
}

static void test_key_change_takes_no_cell_of_the_old_key_before_the_consistent_point(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, false);
    add(batch, OPERATION_UPDATE, "1", "2", "x", UNCHANGED);
    const NetRow *row = net_of(batch, "2");
    assert_memory_equal(row->base_key.cells[0].data, "2", 1);
}

static void test_key_change_of_a_refetched_row_ahead_of_the_stream_takes_no_cell(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    Cell key_cell = cell_of("1");
    Cell cells[COLUMNS] = {cell_of("1"), cell_of("new"), cell_of("future")};
    Row key = {&key_cell, 1}, row = {cells, COLUMNS};
    batch_inject(batch, 1, &key, &row, (Position){100, 0});
    add_at(batch, OPERATION_UPDATE, "1", "2", "x", UNCHANGED, (Position){50, 0});
    const NetRow *moved = net_of(batch, "2");
    assert_cell(moved, 2, UNCHANGED);
    assert_memory_equal(moved->base_key.cells[0].data, "2", 1);
}

static void test_truncation_forgets_images_and_absent_rows_are_refetched(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    add(batch, OPERATION_INSERT, NULL, "1", "x", "y");
    add(batch, OPERATION_TRUNCATE, NULL, NULL, NULL, NULL);
    add(batch, OPERATION_INSERT, NULL, "2", "x", "y");
    guint n = 0;
    NetTable *tables = batch_tables(batch, &n);
    assert_int_equal(n, 1);
    assert_true(tables[0].truncated);
    assert_int_equal(tables[0].n_rows, 1);
    assert_int_equal(tables[0].rows[0]->kind, NET_INSERT);
    Account account = account_of(batch);
    assert_int_equal(account.applied, 2);
    assert_int_equal(account.superseded, 1);
}

static void test_injected_row_is_written_whole_and_later_cells_lie_over_it(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    Cell key_cell = cell_of("1");
    Cell cells[COLUMNS] = {cell_of("1"), cell_of("old"), cell_of("big")};
    Row key = {&key_cell, 1}, row = {cells, COLUMNS};
    batch_inject(batch, 1, &key, &row, (Position){100, 0});
    add(batch, OPERATION_UPDATE, NULL, "1", "new", UNCHANGED);
    const NetRow *net = net_of(batch, "1");
    assert_int_equal(net->kind, NET_UPDATE);
    assert_cell(net, 1, "new");
    assert_cell(net, 2, "big");
    assert_int_equal(net->base_key.n_cells, 0);
}

static void test_keys_that_went_away_are_known_whatever_came_after(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    add(batch, OPERATION_INSERT, NULL, "stays", "x", "t");
    add(batch, OPERATION_DELETE, "comes back", NULL, NULL, NULL);
    add(batch, OPERATION_INSERT, NULL, "comes back", "x", "t");
    add(batch, OPERATION_UPDATE, "moves", "there", "x", "t");
    Cell cells[1] = {cell_of("absent")};
    batch_inject(batch, 1, &(Row){cells, 1}, NULL, (Position){2, 0});
    g_autoptr(GArray) gone = batch_gone(batch, 1);
    guint found = 0;
    for (guint i = 0; i < gone->len; i++) {
        const Cell *cell = &g_array_index(gone, Row, i).cells[0];
        g_autofree char *text = g_strndup((const char *)cell->data, cell->length);
        found += g_str_equal(text, "comes back") || g_str_equal(text, "moves") ||
                 g_str_equal(text, "absent");
    }
    assert_int_equal(gone->len, 3);
    assert_int_equal(found, 3);
}

static void test_event_of_another_schema_version_is_refused(void **state)
{
    (void)state;
    g_autoptr(Batch) batch = batch_new(&migration);
    batch_start(batch, true);
    Cell cells[COLUMNS] = {cell_of("1"), cell_of("x"), cell_of("y")};
    Change change = {
        .operation = OPERATION_INSERT, .table = 1, .schema_version = 8, .row = {cells, COLUMNS}};
    g_autoptr(GError) error = NULL;
    assert_false(batch_add(batch, &change, (Position){1, 0}, &error));
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON));
    assert_non_null(strstr(error->message, "public.x"));
}

/* ---- random logs ---- */

#define KEYS 6

typedef struct Stored {
    bool there;
    char a[12], t[12];
} Stored;

/* What TargetOps.write does, over an array: false where a base row was missing. */
static void write_fake(Stored *target, Batch *batch)
{
    guint n = 0;
    NetTable *tables = batch_tables(batch, &n);
    if (n == 0)
        return;
    if (tables[0].truncated)
        memset(target, 0, sizeof(Stored) * KEYS);
    Stored before[KEYS];
    memcpy(before, target, sizeof before);
    for (guint i = 0; i < tables[0].n_rows; i++) {
        NetRow *row = tables[0].rows[i];
        Stored *to = &target[row->key.cells[0].data[0] - '0'];
        if (row->kind == NET_DELETE) {
            to->there = false;
            continue;
        }
        Stored base = {0};
        if (row->base_key.n_cells > 0)
            base = before[row->base_key.cells[0].data[0] - '0'];
        if (row->base_key.n_cells > 0 && !base.there) {
            row->missing = true;
            to->there = false;
            continue;
        }
        Stored image = {.there = true};
        const Cell *cells = row->row.cells;
        memcpy(image.a, cells[1].data, cells[1].length);
        if (cells[2].kind == CELL_UNCHANGED)
            memcpy(image.t, base.t, sizeof image.t);
        else
            memcpy(image.t, cells[2].data, cells[2].length);
        *to = image;
    }
}

static void random_event(GRand *random, Batch *batch, Stored *source, int *serial)
{
    guint key = (guint)g_rand_int_range(random, 0, KEYS);
    char id[2] = {(char)('0' + key), 0};
    Stored *row = &source[key];
    int choice = g_rand_int_range(random, 0, 20);
    if (choice == 0) {
        memset(source, 0, sizeof(Stored) * KEYS);
        add(batch, OPERATION_TRUNCATE, NULL, NULL, NULL, NULL);
    } else if (!row->there) {
        row->there = true;
        snprintf(row->a, sizeof row->a, "a%d", ++*serial);
        snprintf(row->t, sizeof row->t, "t%d", *serial);
        add(batch, OPERATION_INSERT, NULL, id, row->a, row->t);
    } else if (choice < 5) {
        row->there = false;
        add(batch, OPERATION_DELETE, id, NULL, NULL, NULL);
    } else if (choice < 10) {
        guint other = (guint)g_rand_int_range(random, 0, KEYS);
        char other_id[2] = {(char)('0' + other), 0};
        if (source[other].there)
            return;
        source[other] = *row;
        row->there = false;
        snprintf(source[other].a, sizeof row->a, "a%d", ++*serial);
        add(batch, OPERATION_UPDATE, id, other_id, source[other].a, UNCHANGED);
    } else {
        bool full = choice < 13;
        snprintf(row->a, sizeof row->a, "a%d", ++*serial);
        if (full)
            snprintf(row->t, sizeof row->t, "t%d", *serial);
        add(batch, OPERATION_UPDATE, NULL, id, row->a, full ? row->t : UNCHANGED);
    }
}

static void compare(const Stored *source, const Stored *target, guint32 seed)
{
    for (guint i = 0; i < KEYS; i++) {
        if (source[i].there != target[i].there ||
            (source[i].there &&
             (strcmp(source[i].a, target[i].a) != 0 || strcmp(source[i].t, target[i].t) != 0)))
            fail_msg("seed %u: key %u differs", seed, i);
    }
}

static void test_random_batches_give_the_sources_rows_and_account_for_every_event(void **state)
{
    (void)state;
    for (guint32 seed = 0; seed < 3000; seed++) {
        GRand *random = g_rand_new_with_seed(seed);
        Stored source[KEYS] = {0}, target[KEYS] = {0};
        int serial = 0;
        g_autoptr(Batch) batch = batch_new(&migration);
        for (int round = 0; round < 12; round++) {
            batch_start(batch, true);
            for (int i = g_rand_int_range(random, 0, 14); i > 0; i--)
                random_event(random, batch, source, &serial);
            write_fake(target, batch);
            Account account = account_of(batch);
            assert_int_equal(account.applied + account.superseded, batch_events(batch));
            assert_int_equal(account.refetched, 0);
            compare(source, target, seed);
        }
        g_rand_free(random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_image_wins_and_earlier_events_are_superseded),
        cmocka_unit_test(test_unchanged_cell_is_taken_from_the_targets_row),
        cmocka_unit_test(test_partial_image_after_a_delete_is_a_delete_and_a_refetch),
        cmocka_unit_test(test_key_change_takes_cells_of_the_old_key_when_consistent),
        cmocka_unit_test(test_key_change_takes_no_cell_of_the_old_key_before_the_consistent_point),
        cmocka_unit_test(test_key_change_of_a_refetched_row_ahead_of_the_stream_takes_no_cell),
        cmocka_unit_test(test_truncation_forgets_images_and_absent_rows_are_refetched),
        cmocka_unit_test(test_injected_row_is_written_whole_and_later_cells_lie_over_it),
        cmocka_unit_test(test_keys_that_went_away_are_known_whatever_came_after),
        cmocka_unit_test(test_event_of_another_schema_version_is_refused),
        cmocka_unit_test(test_random_batches_give_the_sources_rows_and_account_for_every_event),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
