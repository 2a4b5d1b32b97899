/*
 * What the source's users do: a few transactions at a time, each of some inserts, updates (of keys
 * too), deletes and now and then a TRUNCATE.
 */
#include "tests/simulation/database_inside.h"
#include "tests/simulation/world.h"

#define MOST_OPEN 3

#define inside database_inside

static bool may_lock(const Txn *txn, guint table, guint key)
{
    const Txn *of_table = inside.table_lock[table], *of_row = inside.row_lock[row_at(table, key)];
    return (of_table == NULL || of_table == txn) && (of_row == NULL || of_row == txn);
}

static void put_event(Txn *txn, const Event *event)
{
    static const char *const names[] = {"", "insert", "update", "delete"};
    char text[IMAGE_TEXT_SIZE];
    txn_add_event(txn, event);
    if (event->operation == OPERATION_TRUNCATE)
        trace("source: %" G_GUINT64_FORMAT ": truncate of %u%s%s", txn->xid, event->table + 1,
              event->truncated & (event->truncated - 1) ? " and others" : "", "");
    else
        trace("source: %" G_GUINT64_FORMAT ": %s %u -> %s%s", txn->xid, names[event->operation],
              event->old_key, rows_describe(event->table, event->key, &event->image, text),
              event->unchanged ? ", partial" : "");
}

static void set_row(Txn *txn, guint table, guint key, const Image *image)
{
    inside.row_lock[row_at(table, key)] = txn;
    inside.current[row_at(table, key)] = *image;
}

/* New values; cells that a log leaves out when they stay are often left alone. */
static guint change_cells(guint table, Image *image, bool all)
{
    guint unchanged = 0;
    for (guint i = 0; i < SIM_CELLS; i++) {
        CellUse use = rows_cell_use(table, i);
        if (use == CELL_OF_TOAST && !all && chance(60))
            unchanged |= 1u << i;
        else if (use == CELL_OF_NULLABLE && chance(30))
            image->cells[i] = 0;
        else if (use != CELL_OF_NOTHING)
            image->cells[i] = ++inside.newest;
    }
    return unchanged;
}

static void insert_row(Txn *txn, guint table, guint key)
{
    Event event = {.operation = OPERATION_INSERT, .table = table, .old_key = key, .key = key};
    event.image.there = true;
    change_cells(table, &event.image, true);
    set_row(txn, table, key, &event.image);
    put_event(txn, &event);
}

static void delete_row(Txn *txn, guint table, guint key)
{
    Event event = {.operation = OPERATION_DELETE, .table = table, .old_key = key, .key = key};
    set_row(txn, table, key, &event.image);
    put_event(txn, &event);
}

static void update_row(Txn *txn, guint table, guint key, guint new_key)
{
    Event event = {.operation = OPERATION_UPDATE,
                   .table = table,
                   .old_key = key,
                   .key = new_key,
                   .image = inside.current[row_at(table, key)]};
    event.unchanged = change_cells(table, &event.image, false);
    set_row(txn, table, key, &(Image){0});
    set_row(txn, table, new_key, &event.image);
    put_event(txn, &event);
}

static void write_row(Txn *txn)
{
    guint table = pick(SIM_TABLES), key = rows_pick_key(), other = rows_pick_key();
    if (!may_lock(txn, table, key))
        return;
    if (!inside.current[row_at(table, key)].there)
        insert_row(txn, table, key);
    else if (chance(20))
        delete_row(txn, table, key);
    else if (chance(20) && may_lock(txn, table, other) &&
             !inside.current[row_at(table, other)].there)
        update_row(txn, table, key, other);
    else
        update_row(txn, table, key, key);
}

static bool may_truncate(const Txn *txn, guint table)
{
    for (guint k = 0; k < SIM_KEYS; k++)
        if (!may_lock(txn, table, k))
            return false;
    return database.readers[table] == 0;
}

/* One table, or it and others. */
static void truncate_tables(Txn *txn)
{
    Event event = {.operation = OPERATION_TRUNCATE};
    for (guint n = 1 + pick(2); n > 0; n--) {
        guint table = pick(SIM_TABLES);
        if (may_truncate(txn, table))
            event.truncated |= 1u << table;
    }
    for (guint t = 0; t < SIM_TABLES; t++) {
        if (!(event.truncated >> t & 1))
            continue;
        inside.table_lock[t] = txn;
        event.table = t;
        for (guint k = 0; k < SIM_KEYS; k++)
            set_row(txn, t, k, &(Image){0});
    }
    if (event.truncated != 0)
        put_event(txn, &event);
}

void workload_write(Txn *txn)
{
    for (guint n = chance(10) ? 8 + pick(10) : 1 + pick(4); n > 0; n--) {
        if (one_in(80))
            truncate_tables(txn);
        else
            write_row(txn);
    }
}

Txn *workload_pick(TxnState state, bool visible)
{
    Txn *found = NULL;
    guint n = 0;
    for (guint i = 0; i < inside.txns->len; i++) {
        Txn *txn = g_ptr_array_index(inside.txns, i);
        if (txn->state == state && txn->visible == visible && pick(++n) == 0)
            found = txn;
    }
    return found;
}

static guint count_open(void)
{
    guint n = 0;
    for (guint i = 0; i < inside.txns->len; i++)
        n += ((Txn *)g_ptr_array_index(inside.txns, i))->state == TXN_OPEN;
    return n;
}

static void reveal_one(void)
{
    Txn *hidden = workload_pick(TXN_COMMITTED, false);
    if (hidden == NULL)
        return;
    txn_reveal(hidden);
    trace("source: transaction %" G_GUINT64_FORMAT " becomes visible", hidden->xid);
}

static void go_on_with_one(void)
{
    Txn *txn = workload_pick(TXN_OPEN, false);
    if (txn == NULL || (chance(40) && count_open() < MOST_OPEN))
        workload_write(txn_new(TXN_OPEN));
    else if (chance(15))
        txn_abort(txn);
    else if (chance(25))
        workload_write(txn);
    else
        txn_commit(txn);
}

void database_act(void)
{
    if (chance(world.weather.reveals))
        reveal_one();
    else if (chance(90))
        go_on_with_one();
    else
        database_flush();
}
