/*
 * The codec stands on protobuf-c. To pack, the messages of proto/change.proto are built in the
 * arena around the bytes of the cells, which are copied only once, into the output. To unpack, the
 * library takes all its memory from the arena, so that the cells can point at what it copied.
 */
#include "proto/event.h"
#include "proto/change.pb-c.h"
#include "proto/error.h"

#include <string.h>

#include <xxhash.h>

/* Upper bounds of the packed size of a message's own fields, with its tag and length. */
#define RECORD_BOUND 256
#define TRANSACTION_BOUND 192
#define CHANGE_BOUND 32
#define ROW_BOUND 12
#define CELL_BOUND 7 /* tag, length and kind */
#define COUNT_BOUND 32

static Drover__RowPb *row_build(const Row *row, Arena *arena, gsize *bound)
{
    if (row->n_cells == 0)
        return NULL;
    Drover__RowPb *pb = arena_new_array(arena, Drover__RowPb, 1);
    *pb = (Drover__RowPb)DROVER__ROW_PB__INIT;
    pb->n_values = row->n_cells;
    pb->values = arena_new_array(arena, ProtobufCBinaryData, row->n_cells);
    *bound += ROW_BOUND + (gsize)row->n_cells * CELL_BOUND;
    guint8 any_kind = 0;
    for (guint32 i = 0; i < row->n_cells; i++) {
        const Cell *cell = &row->cells[i];
        any_kind |= cell->kind;
        gsize length = cell->kind == CELL_VALUE ? cell->length : 0;
        pb->values[i] = (ProtobufCBinaryData){.len = length, .data = (guint8 *)cell->data};
        *bound += length;
    }
    if (any_kind == CELL_VALUE)
        return pb;
    pb->kinds.len = row->n_cells;
    pb->kinds.data = arena_alloc(arena, row->n_cells);
    for (guint32 i = 0; i < row->n_cells; i++)
        pb->kinds.data[i] = row->cells[i].kind;
    return pb;
}

static Drover__PositionPb *position_build(Position position, const char *resume, Arena *arena,
                                          gsize *bound)
{
    if (position_is_zero(position))
        return NULL;
    Drover__PositionPb *pb = arena_new_array(arena, Drover__PositionPb, 1);
    *pb = (Drover__PositionPb)DROVER__POSITION_PB__INIT;
    pb->major = position.major;
    pb->minor = position.minor;
    if (resume) {
        pb->resume = (char *)resume;
        *bound += strlen(resume);
    }
    return pb;
}

static Drover__ChangePb **changes_build(const Transaction *transaction, Arena *arena, gsize *bound)
{
    guint32 n = transaction->n_changes;
    Drover__ChangePb **list = arena_new_array(arena, Drover__ChangePb *, n);
    Drover__ChangePb *pbs = arena_new_array(arena, Drover__ChangePb, n);
    for (guint32 i = 0; i < n; i++) {
        const Change *change = &transaction->changes[i];
        Drover__ChangePb *pb = list[i] = &pbs[i];
        *pb = (Drover__ChangePb)DROVER__CHANGE_PB__INIT;
        pb->operation = (Drover__OperationPb)change->operation;
        pb->table = change->table;
        pb->schema_version = change->schema_version;
        pb->old_key = row_build(&change->old_key, arena, bound);
        pb->row = row_build(&change->row, arena, bound);
    }
    *bound += (gsize)n * CHANGE_BOUND;
    return list;
}

static Drover__TableCountPb **captured_build(const Transaction *transaction, Arena *arena,
                                             gsize *bound)
{
    guint32 n = transaction->n_captured;
    Drover__TableCountPb **list = arena_new_array(arena, Drover__TableCountPb *, n);
    Drover__TableCountPb *pbs = arena_new_array(arena, Drover__TableCountPb, n);
    for (guint32 i = 0; i < n; i++) {
        Drover__TableCountPb *pb = list[i] = &pbs[i];
        *pb = (Drover__TableCountPb)DROVER__TABLE_COUNT_PB__INIT;
        pb->table = transaction->captured[i].table;
        pb->events = transaction->captured[i].events;
    }
    *bound += (gsize)n * COUNT_BOUND;
    return list;
}

static Drover__TransactionPb *transaction_build(const Transaction *transaction, Arena *arena,
                                                gsize *bound)
{
    Drover__TransactionPb *pb = arena_new_array(arena, Drover__TransactionPb, 1);
    *pb = (Drover__TransactionPb)DROVER__TRANSACTION_PB__INIT;
    pb->xid = transaction->xid;
    pb->position = position_build(transaction->position, transaction->resume, arena, bound);
    pb->commit_time = transaction->commit_time;
    pb->segment = transaction->segment;
    pb->fragment = transaction->fragment;
    pb->last = transaction->last;
    pb->first_sequence = transaction->first_sequence;
    pb->n_changes = transaction->n_changes;
    pb->changes = changes_build(transaction, arena, bound);
    pb->n_captured = transaction->n_captured;
    pb->captured = captured_build(transaction, arena, bound);
    *bound += TRANSACTION_BOUND;
    return pb;
}

void record_pack(const Record *record, Arena *arena, GByteArray *out)
{
    Drover__RecordPb pb = DROVER__RECORD_PB__INIT;
    gsize bound = RECORD_BOUND;
    pb.bus_uuid.len = sizeof record->bus_uuid;
    pb.bus_uuid.data = (guint8 *)record->bus_uuid;
    pb.epoch = record->epoch;
    pb.sequence = record->sequence;
    pb.predecessor = record->predecessor;
    pb.partition = record->partition;
    if (record->source_identity) {
        pb.source_identity = (char *)record->source_identity;
        bound += strlen(record->source_identity);
    }
    pb.schema_version = record->schema_version;
    pb.kind = (Drover__RecordKind)record->kind;
    pb.position = position_build(record->position, record->resume, arena, &bound);
    pb.source_time = record->source_time;
    pb.oldest_xid = record->oldest_xid;
    pb.n_transactions = record->n_transactions;
    pb.transactions = arena_new_array(arena, Drover__TransactionPb *, record->n_transactions);
    for (guint32 i = 0; i < record->n_transactions; i++)
        pb.transactions[i] = transaction_build(&record->transactions[i], arena, &bound);

    /* Asking the library for the exact size would walk every cell once more. */
    g_assert(bound < G_MAXUINT - out->len);
    guint start = out->len;
    g_byte_array_set_size(out, start + (guint)bound);
    gsize size = drover__record_pb__pack(&pb, out->data + start);
    g_assert(size <= bound);
    g_byte_array_set_size(out, start + (guint)size);
}

static void *allocate_in_arena(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void free_nothing(void *arena, void *piece)
{
    (void)arena;
    (void)piece;
}

/* The readers below return NULL, or what is wrong with the message. */

/* A field of a newer drover may change what the others mean. */
#define HAS_UNKNOWN_FIELDS(pb) ((pb)->base.n_unknown_fields > 0)
static const char UNKNOWN_FIELD[] = "it has a field that this drover does not know";

static const char *position_read(const Drover__PositionPb *pb, Position *position,
                                 const char **resume)
{
    *position = (Position){0};
    *resume = NULL;
    if (!pb)
        return NULL;
    if (HAS_UNKNOWN_FIELDS(pb))
        return UNKNOWN_FIELD;
    if (pb->resume[0] != '\0')
        *resume = pb->resume;
    *position = (Position){.major = pb->major, .minor = pb->minor};
    return NULL;
}

static const char *row_read(const Drover__RowPb *pb, Arena *arena, Row *row)
{
    *row = (Row){0};
    if (!pb)
        return NULL;
    if (HAS_UNKNOWN_FIELDS(pb))
        return UNKNOWN_FIELD;
    if (pb->kinds.len != 0 && pb->kinds.len != pb->n_values)
        return "a row has more or fewer kinds than values";
    Cell *cells = arena_new_array(arena, Cell, pb->n_values);
    for (size_t i = 0; i < pb->n_values; i++) {
        const ProtobufCBinaryData *value = &pb->values[i];
        guint8 kind = pb->kinds.len != 0 ? pb->kinds.data[i] : CELL_VALUE;
        if (kind > CELL_ABSENT)
            return "a cell has an unknown kind";
        if (kind != CELL_VALUE && value->len != 0)
            return "a cell that is no value has bytes";
        cells[i] = (Cell){.data = value->len != 0 ? value->data : NULL,
                          .length = (guint32)value->len,
                          .kind = kind};
    }
    *row = (Row){.cells = cells, .n_cells = (guint32)pb->n_values};
    return NULL;
}

static const char *change_read(const Drover__ChangePb *pb, Arena *arena, Change *change)
{
    if (HAS_UNKNOWN_FIELDS(pb))
        return UNKNOWN_FIELD;
    int operation = (int)pb->operation;
    if (operation < OPERATION_INSERT || operation > OPERATION_TRUNCATE)
        return "a change has an unknown operation";
    change->operation = (Operation)operation;
    change->table = pb->table;
    change->schema_version = pb->schema_version;
    const char *wrong = row_read(pb->old_key, arena, &change->old_key);
    return wrong ? wrong : row_read(pb->row, arena, &change->row);
}

static const char *captured_read(const Drover__TransactionPb *pb, Arena *arena,
                                 Transaction *transaction)
{
    transaction->n_captured = (guint32)pb->n_captured;
    transaction->captured = arena_new_array(arena, TableCount, pb->n_captured);
    for (size_t i = 0; i < pb->n_captured; i++) {
        if (HAS_UNKNOWN_FIELDS(pb->captured[i]))
            return UNKNOWN_FIELD;
        transaction->captured[i] =
            (TableCount){.table = pb->captured[i]->table, .events = pb->captured[i]->events};
    }
    return NULL;
}

static const char *transaction_read(const Drover__TransactionPb *pb, Arena *arena,
                                    Transaction *transaction)
{
    if (HAS_UNKNOWN_FIELDS(pb))
        return UNKNOWN_FIELD;
    if (pb->first_segment != 0 || pb->segments != 0 || pb->segments_digest != 0)
        return "a transaction was written in segments, which this drover does not know";
    *transaction = (Transaction){.xid = pb->xid,
                                 .commit_time = pb->commit_time,
                                 .segment = pb->segment,
                                 .fragment = pb->fragment,
                                 .last = pb->last != 0,
                                 .first_sequence = pb->first_sequence};
    const char *wrong = position_read(pb->position, &transaction->position, &transaction->resume);
    transaction->n_changes = (guint32)pb->n_changes;
    transaction->changes = arena_new_array(arena, Change, pb->n_changes);
    for (size_t i = 0; !wrong && i < pb->n_changes; i++)
        wrong = change_read(pb->changes[i], arena, &transaction->changes[i]);
    return wrong ? wrong : captured_read(pb, arena, transaction);
}

static const char *record_read(const Drover__RecordPb *pb, Arena *arena, Record *record)
{
    if (HAS_UNKNOWN_FIELDS(pb))
        return UNKNOWN_FIELD;
    if (pb->bus_uuid.len != sizeof record->bus_uuid)
        return "its bus UUID has not 16 bytes";
    if ((int)pb->kind < RECORD_EVENTS || (int)pb->kind > RECORD_HEARTBEAT)
        return "it is of an unknown kind";
    *record = (Record){.epoch = pb->epoch,
                       .sequence = pb->sequence,
                       .predecessor = pb->predecessor,
                       .partition = pb->partition,
                       .source_identity = pb->source_identity,
                       .schema_version = pb->schema_version,
                       .kind = (RecordKind)pb->kind,
                       .source_time = pb->source_time,
                       .oldest_xid = pb->oldest_xid};
    memcpy(record->bus_uuid, pb->bus_uuid.data, sizeof record->bus_uuid);
    const char *wrong = position_read(pb->position, &record->position, &record->resume);
    record->n_transactions = (guint32)pb->n_transactions;
    record->transactions = arena_new_array(arena, Transaction, pb->n_transactions);
    for (size_t i = 0; !wrong && i < pb->n_transactions; i++)
        wrong = transaction_read(pb->transactions[i], arena, &record->transactions[i]);
    return wrong;
}

bool record_unpack(const guint8 *data, gsize size, Arena *arena, Record *record, GError **error)
{
    ProtobufCAllocator allocator = {
        .alloc = allocate_in_arena, .free = free_nothing, .allocator_data = arena};
    const char *wrong = "it is no protobuf of a record";
    if (size <= G_MAXUINT32) {
        Drover__RecordPb *pb = drover__record_pb__unpack(&allocator, size, data);
        if (pb)
            wrong = record_read(pb, arena, record);
    }
    if (!wrong)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "a record of %" G_GSIZE_FORMAT " bytes on the bus cannot be read: %s; the bus is "
                "damaged or was written by another version of drover",
                size, wrong);
    return false;
}

guint64 record_digest(const guint8 *data, gsize size)
{
    return XXH3_64bits(data, size);
}
