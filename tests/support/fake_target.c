#include "tests/support/fake_target.h"

#include <string.h>

FakeTarget fake_target;

static GHashTable *copy_texts(GHashTable *from)
{
    GHashTable *to = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iterator;
    gpointer key, value;
    g_hash_table_iter_init(&iterator, from);
    while (g_hash_table_iter_next(&iterator, &key, &value))
        g_hash_table_insert(to, g_strdup(key), g_strdup(value));
    return to;
}

static void store_clear(FakeStore *store)
{
    g_clear_pointer(&store->rows, g_hash_table_unref);
    g_clear_pointer(&store->list, g_hash_table_unref);
    for (guint i = 0; i < G_N_ELEMENTS(store->progress); i++)
        g_clear_pointer(&store->progress[i], g_free);
}

static FakeStore store_copy(const FakeStore *from)
{
    FakeStore to = *from;
    to.rows = copy_texts(from->rows);
    to.list = copy_texts(from->list);
    for (guint i = 0; i < G_N_ELEMENTS(to.progress); i++)
        to.progress[i] = g_strdup(from->progress[i]);
    return to;
}

struct Target {
    bool open;
    FakeStore store; /* while open */
};

static Target *fake_connect(const Endpoint *endpoint, const char *label, GError **error)
{
    (void)endpoint, (void)label;
    return fake_target.hook("connect", error) ? g_new0(Target, 1) : NULL;
}

static void fake_rollback(Target *target)
{
    if (target->open)
        store_clear(&target->store);
    target->open = false;
}

static void fake_close(Target *target)
{
    fake_rollback(target);
    g_free(target);
}

static bool fake_prepare(Target *target, GError **error)
{
    (void)target;
    return fake_target.hook("prepare", error);
}

static Answer *answer_of(guint rows, guint columns, gint64 affected)
{
    Answer *answer = g_new0(Answer, 1);
    *answer = (Answer){.n_rows = rows, .n_columns = columns, .affected = affected};
    answer->values = g_new0(char *, (gsize)rows *columns + 1);
    return answer;
}

static Answer *list_keys(const FakeStore *store)
{
    g_autoptr(GList) keys = g_hash_table_get_keys(store->list);
    Answer *answer = answer_of(g_list_length(keys), 2, -1);
    guint n = 0;
    for (GList *key = keys; key != NULL; key = key->next) {
        answer->values[n++] = g_strdup("1");
        answer->values[n++] = g_strdup((char *)key->data + 2); /* without \x */
    }
    return answer;
}

static guint64 first_of(const char *list)
{
    return g_ascii_strtoull(list + 1, NULL, 10);
}

static Answer *add_account(FakeStore *store, const char *const *values)
{
    Account *account = &store->account;
    account->captured += first_of(values[2]);
    account->applied += first_of(values[3]);
    account->superseded += first_of(values[5]);
    account->refetched += first_of(values[7]);
    return answer_of(0, 0, 1);
}

static Answer *run_statement(FakeStore *store, const char *sql, const char *const *values)
{
    if (strstr(sql, "set writes = writes + 1") || strstr(sql, "insert into drover.progress"))
        return answer_of(0, 0, 1);
    if (strstr(sql, "from drover.lease"))
        return answer_of(0, 1, -1);
    if (strstr(sql, "select paused")) {
        Answer *answer = answer_of(1, 1, -1);
        answer->values[0] = g_strdup(fake_target.paused ? "t" : "f");
        return answer;
    }
    if (strstr(sql, "select position, resume")) {
        Answer *answer = answer_of(1, 2, -1);
        answer->values[0] = g_strdup(store->progress[0]);
        return answer;
    }
    if (strstr(sql, "from drover.progress")) {
        Answer *answer = answer_of(1, 5, -1);
        for (guint i = 0; i < 5; i++)
            answer->values[i] = g_strdup(store->progress[i]);
        return answer;
    }
    if (strstr(sql, "bus_sequence = $4")) {
        for (guint i = 0; i < 5; i++) {
            g_free(store->progress[i]);
            store->progress[i] = g_strdup(values[2 + i]);
        }
        return answer_of(0, 0, 1);
    }
    if (strstr(sql, "update drover.tables t"))
        return add_account(store, values);
    if (strstr(sql, "insert into drover.refetch"))
        g_hash_table_insert(store->list, g_strdup(values[2]), NULL);
    else if (strstr(sql, "delete from drover.refetch"))
        g_hash_table_remove(store->list, values[2]);
    else if (strstr(sql, "from drover.refetch"))
        return list_keys(store);
    else
        g_error("unexpected statement: %s", sql);
    return answer_of(0, 0, 1);
}

static Answer *fake_execute(Target *target, const char *sql, guint n_values,
                            const char *const *values, GError **error)
{
    (void)n_values;
    if (strcmp(sql, "rollback") == 0) {
        fake_rollback(target);
        return answer_of(0, 0, -1);
    }
    if (!fake_target.hook(sql, error))
        return NULL;
    if (strcmp(sql, "begin") == 0) {
        g_assert_false(target->open);
        target->open = true;
        target->store = store_copy(&fake_target.store);
        return answer_of(0, 0, -1);
    }
    if (strcmp(sql, "commit") != 0)
        return run_statement(target->open ? &target->store : &fake_target.store, sql, values);
    g_assert_true(target->open);
    store_clear(&fake_target.store);
    fake_target.store = target->store;
    target->open = false;
    fake_target.commits++;
    /* The commit is done and its answer may get lost. */
    return fake_target.hook("the answer of commit", error) ? answer_of(0, 0, -1) : NULL;
}

static char *text_of(const Cell *cell)
{
    g_assert_cmpint(cell->kind, ==, CELL_VALUE);
    return g_strndup((const char *)cell->data, cell->length);
}

/* The row's text with the cells of `base` for the unchanged ones. */
static char *image_of(const NetRow *row, const char *base)
{
    g_auto(GStrv) old = g_strsplit(base != NULL ? base : "|", "|", 2);
    g_autofree char *parts[2] = {NULL, NULL};
    for (guint i = 0; i < 2; i++) {
        const Cell *cell = &row->row.cells[1 + i];
        parts[i] = cell->kind == CELL_UNCHANGED ? g_strdup(old[i]) : text_of(cell);
    }
    char *image = g_strconcat(parts[0], "|", parts[1], NULL);
    g_free(parts[1]);
    return image;
}

static void write_row(GHashTable *rows, GHashTable *before, NetRow *row, bool consistent)
{
    g_autofree char *key = text_of(&row->key.cells[0]);
    const char *base = NULL;
    if (row->kind != NET_DELETE && row->base_key.n_cells > 0) {
        g_autofree char *base_key = text_of(&row->base_key.cells[0]);
        base = g_hash_table_lookup(before, base_key);
        row->missing = base == NULL;
    }
    if (row->kind == NET_DELETE || row->missing) {
        g_hash_table_remove(rows, key);
        return;
    }
    if (row->kind == NET_INSERT && consistent && g_hash_table_contains(before, key))
        g_error("%s is inserted and is there already", key);
    g_hash_table_insert(rows, g_strdup(key), image_of(row, base));
}

static bool fake_write(Target *target, NetTable *tables, guint n_tables, bool consistent,
                       GError **error)
{
    if (!fake_target.hook("write", error))
        return false;
    g_assert_true(target->open);
    g_assert_cmpuint(n_tables, ==, 1);
    if (tables[0].truncated)
        g_hash_table_remove_all(target->store.rows);
    g_autoptr(GHashTable) before = copy_texts(target->store.rows);
    for (guint i = 0; i < tables[0].n_rows; i++)
        write_row(target->store.rows, before, tables[0].rows[i], consistent);
    fake_target.writes++;
    fake_target.wrote();
    return true;
}

const TargetOps fake_target_ops = {.engine = "fake",
                                   .connect = fake_connect,
                                   .close = fake_close,
                                   .execute = fake_execute,
                                   .prepare_writes = fake_prepare,
                                   .write = fake_write};

void fake_target_clear(void)
{
    store_clear(&fake_target.store);
}

void fake_target_reset(const char *position)
{
    const char *const start[] = {position, "0", "0", NULL, "0"};
    fake_target_clear();
    fake_target = (FakeTarget){0};
    FakeStore *store = &fake_target.store;
    store->rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    store->list = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < G_N_ELEMENTS(start); i++)
        store->progress[i] = g_strdup(start[i]);
}
