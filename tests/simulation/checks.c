#include "tests/simulation/checks.h"

#include "proto/event.h"
#include "tests/simulation/database.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_source.h"
#include "tests/simulation/sim_target.h"
#include "tests/simulation/store.h"
#include "tests/simulation/world.h"

#include <string.h>

#define ARENA_BLOCK 4096

/* A reader of the bus that goes by the rules of proto/change.proto. */
static struct {
    Arena *arena;
    guint64 epoch;
    guint64 predecessor;
    guint64 position;    /* everything up to here was read */
    bool in_transaction; /* parts have come, and not the last one: */
    guint32 parts;
    GArray *events; /* Event */
} reader;

static struct {
    guint64 position;
    guint64 bus_sequence;
    guint32 versions[SIM_TABLES][SIM_KEYS]; /* highest that the target has shown */
} seen;

void checks_begin(void)
{
    memset(&reader, 0, sizeof reader);
    memset(&seen, 0, sizeof seen);
    reader.arena = arena_new(ARENA_BLOCK);
    reader.events = g_array_new(FALSE, FALSE, sizeof(Event));
    reader.position = database.start;
    seen.position = database.start;
}

void checks_end(void)
{
    arena_free(reader.arena);
    g_array_unref(reader.events);
}

/* ---- the bus ---- */

static void hold_change(const Change *change)
{
    Event event = {.operation = change->operation, .table = change->table - 1};
    if (change->operation == OPERATION_TRUNCATE)
        event.truncated = 1u << event.table;
    if (change->row.n_cells > 0) {
        const Image nothing = {0};
        event.unchanged = rows_unchanged_of(event.table, &change->row);
        event.key = event.old_key = rows_key_of_row(event.table, &change->row);
        event.image = rows_image_of(event.table, &change->row, &nothing);
    }
    if (change->old_key.n_cells > 0)
        event.old_key = rows_key_of(event.table, &change->old_key);
    if (change->operation == OPERATION_DELETE)
        event.key = event.old_key;
    g_array_append_val(reader.events, event);
}

static bool event_equal(const Event *on_bus, const Event *in_log)
{
    if (on_bus->operation != in_log->operation)
        return false;
    if (on_bus->operation == OPERATION_TRUNCATE)
        return (in_log->truncated & on_bus->truncated) != 0;
    Image image = in_log->image;
    for (guint i = 0; i < SIM_CELLS; i++)
        if (in_log->unchanged >> i & 1)
            image.cells[i] = 0;
    return on_bus->table == in_log->table && on_bus->key == in_log->key &&
           on_bus->old_key == in_log->old_key && on_bus->unchanged == in_log->unchanged &&
           image_equal(in_log->table, &on_bus->image, &image);
}

/* A TRUNCATE of several tables is one event of each on the bus. */
static bool events_equal(const GArray *in_log)
{
    guint n = 0;
    for (guint i = 0; i < in_log->len; i++) {
        const Event *event = &g_array_index(in_log, Event, i);
        guint times = event->operation == OPERATION_TRUNCATE
                          ? (guint)__builtin_popcount(event->truncated)
                          : 1;
        for (; times > 0; times--, n++)
            if (n >= reader.events->len ||
                !event_equal(&g_array_index(reader.events, Event, n), event))
                return false;
    }
    return n == reader.events->len;
}

/* The next transaction of the log that has events. */
static const LogEntry *expected_entry(void)
{
    for (guint i = database_entry_after(reader.position); i < database.log->len; i++) {
        const LogEntry *entry = &g_array_index(database.log, LogEntry, i);
        if (entry->txn != NULL && entry->txn->events->len > 0)
            return entry;
    }
    return NULL;
}

static void finish_transaction(const Transaction *part)
{
    reader.in_transaction = false;
    if (part->position.major <= reader.position)
        return;
    const LogEntry *entry = expected_entry();
    if (entry == NULL || entry->end != part->position.major || entry->txn->xid != part->xid)
        world_fail("the bus has transaction %" G_GUINT64_FORMAT " at %" G_GUINT64_FORMAT
                   " where %" G_GUINT64_FORMAT " at %" G_GUINT64_FORMAT " is due",
                   part->xid, part->position.major, entry != NULL ? entry->txn->xid : 0,
                   entry != NULL ? entry->end : 0);
    if (!events_equal(entry->txn->events))
        world_fail("transaction %" G_GUINT64_FORMAT " has other events on the bus than in the log",
                   part->xid);
    reader.position = part->position.major;
}

static void read_part(const Transaction *part)
{
    if ((part->fragment == 0) == reader.in_transaction)
        world_fail("part %u of transaction %" G_GUINT64_FORMAT " is on the bus %s", part->fragment,
                   part->xid,
                   reader.in_transaction ? "inside another transaction" : "without the first");
    if (part->fragment == 0)
        g_array_set_size(reader.events, 0);
    else
        COVER(transaction_spans_records);
    for (guint32 i = 0; i < part->n_changes; i++)
        hold_change(&part->changes[i]);
    reader.in_transaction = true;
    if (part->last)
        finish_transaction(part);
}

/* A claim or a heartbeat: everything up to its position stands before it. */
static void read_mark(const Record *record)
{
    if (record->kind == RECORD_CLAIM) {
        if (reader.in_transaction)
            COVER(transaction_is_voided);
        reader.in_transaction = false;
    }
    if (reader.in_transaction)
        world_fail("a heartbeat is on the bus inside a transaction");
    if (database_last_change(record->position.major) > reader.position)
        world_fail("a mark on the bus says %" G_GUINT64_FORMAT
                   ", and the bus ends at %" G_GUINT64_FORMAT,
                   record->position.major, reader.position);
    reader.position = MAX(reader.position, record->position.major);
}

void checks_flushed(GBytes *record, guint64 sequence)
{
    gsize size;
    Record unpacked;
    g_autoptr(GError) error = NULL;
    const guint8 *data = g_bytes_get_data(record, &size);
    arena_reset(reader.arena);
    if (!record_unpack(data, size, reader.arena, &unpacked, &error))
        world_fail("record %" G_GUINT64_FORMAT " cannot be read: %s", sequence, error->message);
    if (unpacked.sequence != sequence || unpacked.predecessor != reader.predecessor)
        world_fail("record %" G_GUINT64_FORMAT " does not follow the one before it", sequence);
    reader.predecessor = record_digest(data, size);
    if (unpacked.epoch < reader.epoch)
        return;
    if (unpacked.kind == RECORD_CLAIM)
        reader.epoch = unpacked.epoch;
    if (unpacked.kind != RECORD_EVENTS)
        read_mark(&unpacked);
    for (guint32 i = 0; i < unpacked.n_transactions; i++)
        read_part(&unpacked.transactions[i]);
}

void checks_acknowledged(guint64 position)
{
    guint64 last = database_last_change(position);
    if (last > reader.position)
        world_fail("%" G_GUINT64_FORMAT " is acknowledged, and the transaction that ends at "
                   "%" G_GUINT64_FORMAT " is not on the bus",
                   position, last);
}

/* ---- the target ---- */

static void check_progress(const StoredProgress *progress, guint64 position)
{
    guint64 sequence = g_ascii_strtoull(progress->sequence, NULL, 10);
    if (position < seen.position || sequence < seen.bus_sequence)
        world_fail("progress went back from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                   seen.position, position);
    if (sequence > sim_bus_last() ||
        g_ascii_strtoull(progress->digest, NULL, 16) != sim_bus_digest(sequence))
        world_fail("progress is at record %" G_GUINT64_FORMAT " with another digest", sequence);
    seen.position = position;
    seen.bus_sequence = sequence;
}

static void check_accounts(guint table, guint64 position)
{
    const guint64 *accounts = store_row(NULL, ROW_TABLE + table)->of.table.accounts;
    guint64 sum = 0, due = database_events_at(table, position);
    for (guint i = 1; i < N_ACCOUNTS; i++)
        sum += accounts[i];
    if (accounts[0] != due || sum != due)
        world_fail("t%u had %" G_GUINT64_FORMAT " events up to %" G_GUINT64_FORMAT
                   ", its accounts say %" G_GUINT64_FORMAT " captured, %" G_GUINT64_FORMAT
                   " in all",
                   table + 1, due, position, accounts[0], sum);
}

static Image target_image(guint table, guint key)
{
    const StoredRow *row = store_row(NULL, row_of_key(ROW_DATA, table, key));
    Image image = row->of.image;
    image.there = row->exists;
    return image;
}

static void check_row(guint table, guint key, guint64 position)
{
    char is[IMAGE_TEXT_SIZE], due[IMAGE_TEXT_SIZE];
    Image image = target_image(table, key);
    Image expected = database_image_at(table, key, position);
    guint32 *version = &seen.versions[table][key];
    if (image.there && image.cells[0] < *version)
        world_fail("%s on the target had version %u before", rows_describe(table, key, &image, is),
                   *version);
    if (image.there)
        *version = image.cells[0];
    if (store_row(NULL, row_of_key(ROW_REFETCH, table, key))->exists)
        return;
    if (!image_equal(table, &image, &expected))
        world_fail("at %" G_GUINT64_FORMAT " the target has %s, the source had %s", position,
                   rows_describe(table, key, &image, is),
                   rows_describe(table, key, &expected, due));
}

static bool is_consistent(guint64 position)
{
    Position consistent;
    const char *text = store_row(NULL, ROW_MIGRATION)->of.migration.consistent;
    return *text != '\0' && position_parse(text, &consistent) && position >= consistent.major &&
           position >= database.exact_from;
}

void checks_committed(void)
{
    guint64 position = sim_target_position();
    if (world.ending)
        return;
    check_progress(&store_row(NULL, ROW_PROGRESS)->of.progress, position);
    for (guint t = 0; t < SIM_TABLES; t++)
        check_accounts(t, position);
    if (!is_consistent(position))
        return;
    COVER(rows_are_compared);
    for (guint t = 0; t < SIM_TABLES; t++)
        for (guint k = 0; k < SIM_KEYS; k++)
            check_row(t, k, position);
}

/* ---- the end ---- */

static bool is_anything_wanted(void)
{
    for (guint row = ROW_REFETCH; row < ROW_DATA; row++)
        if (store_row(NULL, row)->exists)
            return true;
    return false;
}

bool checks_settled(void)
{
    guint64 last = database_last_change(database.log_end);
    return g_str_equal(sim_target_phase(), "streaming") && sim_target_position() >= last &&
           sim_source_acknowledged() >= last && !is_anything_wanted();
}

void checks_drained(void)
{
    if (!checks_settled())
        world_fail("it does not come to rest: phase %s, source at %" G_GUINT64_FORMAT
                   ", bus at %" G_GUINT64_FORMAT ", acknowledged %" G_GUINT64_FORMAT
                   ", target at %" G_GUINT64_FORMAT "%s",
                   sim_target_phase(), database_last_change(database.log_end), reader.position,
                   sim_source_acknowledged(), sim_target_position(),
                   is_anything_wanted() ? ", keys wait to be refetched" : "");
    for (guint t = 0; t < SIM_TABLES; t++)
        for (guint k = 0; k < SIM_KEYS; k++)
            check_row(t, k, database.log_end);
}
