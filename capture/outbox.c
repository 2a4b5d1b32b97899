/*
 * Everything of the record that is being filled lives in one arena, reset once it was appended. The
 * changes of all parts stand in one growing array; a part remembers where its own begin.
 */
#include "capture/outbox.h"

#include <string.h>

#define RECORD_TARGET (768 * 1024)
#define ARENA_BLOCK (1024 * 1024)
#define KEPT_BUFFER (4 * 1024 * 1024) /* a larger packing buffer is given back */
#define PART_COST 64 /* bytes of a packed part, change and cell beside their values */
#define CHANGE_COST 32
#define CELL_COST 4

typedef struct Part {
    Transaction header;
    guint first_change;
} Part;

struct Outbox {
    const Migration *migration;
    const BusOps *ops;
    Bus *bus;
    guint8 uuid[16];
    guint64 epoch;
    gsize record_target;

    guint64 last_sequence;
    guint64 last_digest;
    Position position;
    Position durable;
    guint64 position_sequence;
    guint unflushed;

    Arena *arena;
    GArray *parts;   /* Part */
    GArray *changes; /* Change */
    GByteArray *packed;
    gsize size; /* estimate of the packed record */
    Position committed;
    bool ends_long; /* the last part of a transaction of several records is in: nothing may follow,
                     * so that a reader that has applied it need not read a part of it again */

    bool open;      /* a transaction is */
    bool part_open; /* its part in this record was begun */
    Transaction transaction;
    guint32 next_fragment;
    guint64 next_change;
    guint64 *counts; /* events of the open transaction, by Table.id - 1 */
    GArray *counted; /* guint32, Table.id of counts that are not 0 */
};

Outbox *outbox_new(const Migration *migration, const BusOps *ops, Bus *bus, const BusInfo *info,
                   guint64 epoch, gsize record_target, const Resume *resume)
{
    Outbox *outbox = g_new0(Outbox, 1);
    outbox->migration = migration;
    outbox->ops = ops;
    outbox->bus = bus;
    memcpy(outbox->uuid, info->uuid, sizeof outbox->uuid);
    outbox->epoch = epoch;
    outbox->record_target = record_target != 0 ? record_target : RECORD_TARGET;
    outbox->last_sequence = info->last_sequence;
    outbox->last_digest = info->last_digest;
    outbox->position = outbox->durable = resume->position;
    outbox->position_sequence = resume->position_sequence;
    outbox->arena = arena_new(ARENA_BLOCK);
    outbox->parts = g_array_new(false, false, sizeof(Part));
    outbox->changes = g_array_new(false, false, sizeof(Change));
    outbox->packed = g_byte_array_new();
    outbox->counts = g_new0(guint64, MAX(migration->tables->len, 1));
    outbox->counted = g_array_new(false, false, sizeof(guint32));
    return outbox;
}

void outbox_free(Outbox *outbox)
{
    if (!outbox)
        return;
    arena_free(outbox->arena);
    g_array_unref(outbox->parts);
    g_array_unref(outbox->changes);
    g_byte_array_unref(outbox->packed);
    g_free(outbox->counts);
    g_array_unref(outbox->counted);
    g_free(outbox);
}

/* ---- filling ---- */

void outbox_begin(Outbox *outbox, const Transaction *header)
{
    g_assert(!outbox->open);
    outbox->open = true;
    outbox->part_open = false;
    outbox->transaction = *header;
    outbox->next_fragment = 0;
    outbox->next_change = 0;
}

static Part *open_part(Outbox *outbox)
{
    if (!outbox->part_open) {
        Part part = {.header = outbox->transaction, .first_change = outbox->changes->len};
        part.header.position = (Position){0};
        part.header.resume = NULL;
        part.header.last = false;
        part.header.fragment = outbox->next_fragment++;
        part.header.first_sequence = outbox->next_change;
        g_array_append_val(outbox->parts, part);
        outbox->size += PART_COST;
        outbox->part_open = true;
    }
    return &g_array_index(outbox->parts, Part, outbox->parts->len - 1);
}

/* Cells first, then the bytes of all of them, in one piece. A row that fills a record by itself is
 * only pointed at: it is packed before the source's memory is used again. */
static Row copy_row(Outbox *outbox, const Row *row)
{
    if (row->n_cells == 0)
        return (Row){0};
    gsize cells = sizeof(Cell) * row->n_cells, bytes = 0;
    for (guint32 i = 0; i < row->n_cells; i++)
        if (row->cells[i].kind == CELL_VALUE)
            bytes += row->cells[i].length;
    bool borrowed = bytes >= outbox->record_target;
    guint8 *memory = arena_alloc(outbox->arena, cells + (borrowed ? 0 : bytes));
    Row copy = {.cells = (Cell *)(void *)memory, .n_cells = row->n_cells};
    memcpy(memory, row->cells, cells);
    memory += cells;
    for (guint32 i = 0; i < row->n_cells && !borrowed; i++) {
        const Cell *cell = &row->cells[i];
        if (cell->kind != CELL_VALUE || cell->length == 0)
            continue;
        memcpy(memory, cell->data, cell->length);
        copy.cells[i].data = memory;
        memory += cell->length;
    }
    outbox->size += bytes + CELL_COST * (gsize)row->n_cells;
    return copy;
}

static void count(Outbox *outbox, guint32 table)
{
    g_assert(table >= 1 && table <= outbox->migration->tables->len);
    if (outbox->counts[table - 1]++ == 0)
        g_array_append_val(outbox->counted, table);
}

void outbox_change(Outbox *outbox, const Change *change)
{
    g_assert(outbox->open);
    open_part(outbox);
    Change copy = *change;
    copy.old_key = copy_row(outbox, &change->old_key);
    copy.row = copy_row(outbox, &change->row);
    g_array_append_val(outbox->changes, copy);
    outbox->size += CHANGE_COST;
    outbox->next_change++;
    count(outbox, change->table);
}

static void take_counts(Outbox *outbox, Transaction *header)
{
    header->n_captured = outbox->counted->len;
    header->captured = arena_new_array(outbox->arena, TableCount, outbox->counted->len);
    for (guint i = 0; i < outbox->counted->len; i++) {
        guint32 table = g_array_index(outbox->counted, guint32, i);
        header->captured[i] = (TableCount){.table = table, .events = outbox->counts[table - 1]};
        outbox->counts[table - 1] = 0;
    }
    g_array_set_size(outbox->counted, 0);
}

bool outbox_commit(Outbox *outbox, const Transaction *header)
{
    g_assert(outbox->open);
    outbox->open = false;
    if (outbox->next_change == 0)
        return false;
    Part *part = open_part(outbox);
    part->header.position = header->position;
    part->header.resume = header->resume ? arena_strdup(outbox->arena, header->resume) : NULL;
    part->header.commit_time = header->commit_time;
    part->header.last = true;
    outbox->ends_long = part->header.fragment > 0;
    outbox->size += header->resume ? strlen(header->resume) : 0;
    take_counts(outbox, &part->header);
    outbox->committed = header->position;
    outbox->part_open = false;
    return true;
}

bool outbox_in_transaction(const Outbox *outbox)
{
    return outbox->open;
}

bool outbox_is_full(const Outbox *outbox)
{
    return outbox->size >= outbox->record_target || outbox->ends_long;
}

bool outbox_has_commit(const Outbox *outbox)
{
    return !position_is_zero(outbox->committed);
}

/* ---- writing ---- */

/* position: what the record tells, zero where it tells none. */
static bool append(Outbox *outbox, Record *record, Position position, GError **error)
{
    memcpy(record->bus_uuid, outbox->uuid, sizeof record->bus_uuid);
    record->epoch = outbox->epoch;
    record->sequence = outbox->last_sequence + 1;
    record->predecessor = outbox->last_digest;
    record->source_identity = outbox->migration->source_identity;
    record->schema_version = outbox->migration->schema_version;
    g_byte_array_set_size(outbox->packed, 0);
    record_pack(record, outbox->arena, outbox->packed);
    if (!outbox->ops->append(outbox->bus, record->sequence, outbox->packed->data,
                             outbox->packed->len, error))
        return false;
    outbox->last_sequence = record->sequence;
    outbox->last_digest = record_digest(outbox->packed->data, outbox->packed->len);
    outbox->unflushed++;
    if (!position_is_zero(position)) {
        outbox->position = position;
        outbox->position_sequence = record->sequence;
    }
    arena_reset(outbox->arena);
    if (outbox->packed->len > KEPT_BUFFER) {
        g_byte_array_unref(outbox->packed);
        outbox->packed = g_byte_array_new();
    }
    return true;
}

static Transaction *assemble(Outbox *outbox)
{
    guint n = outbox->parts->len;
    Transaction *transactions = arena_new_array(outbox->arena, Transaction, n);
    for (guint i = 0; i < n; i++) {
        const Part *part = &g_array_index(outbox->parts, Part, i);
        guint end = i + 1 < n ? g_array_index(outbox->parts, Part, i + 1).first_change
                              : outbox->changes->len;
        transactions[i] = part->header;
        transactions[i].n_changes = end - part->first_change;
        transactions[i].changes = (Change *)(void *)outbox->changes->data + part->first_change;
    }
    return transactions;
}

bool outbox_write(Outbox *outbox, GError **error)
{
    if (outbox->parts->len == 0)
        return true;
    Record record = {.kind = RECORD_EVENTS,
                     .n_transactions = outbox->parts->len,
                     .transactions = assemble(outbox)};
    if (!append(outbox, &record, outbox->committed, error))
        return false;
    g_array_set_size(outbox->parts, 0);
    g_array_set_size(outbox->changes, 0);
    outbox->size = 0;
    outbox->part_open = outbox->ends_long = false;
    outbox->committed = (Position){0};
    return true;
}

bool outbox_mark(Outbox *outbox, const Record *mark, GError **error)
{
    g_assert(outbox->parts->len == 0 && !outbox->open);
    Record record = *mark;
    return append(outbox, &record, mark->position, error);
}

bool outbox_flush(Outbox *outbox, GError **error)
{
    if (outbox->unflushed > 0 && !outbox->ops->flush(outbox->bus, error))
        return false;
    outbox->unflushed = 0;
    outbox->durable = outbox->position;
    return true;
}

guint outbox_unflushed(const Outbox *outbox)
{
    return outbox->unflushed;
}

Position outbox_position(const Outbox *outbox)
{
    return outbox->position;
}

Position outbox_durable(const Outbox *outbox)
{
    return outbox->durable;
}

guint64 outbox_position_sequence(const Outbox *outbox)
{
    return outbox->position_sequence;
}

guint64 outbox_last_sequence(const Outbox *outbox)
{
    return outbox->last_sequence;
}
