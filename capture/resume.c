/* Reads stretches at the end of the bus, each longer than the one before, until one has a position.
 */
#include "capture/resume.h"

#include "proto/error.h"

#define FIRST_STRETCH 32
#define STRETCH_GROWTH 16
#define ARENA_BLOCK (256 * 1024)

typedef struct Walk {
    const BusOps *ops;
    Bus *bus;
    const BusInfo *info;
    Arena *arena;
    guint64 epoch;       /* highest seen: records of a lower one are void */
    guint64 predecessor; /* digest of the record before */
    Resume found;
} Walk;

void resume_clear(Resume *resume)
{
    g_clear_pointer(&resume->resume, g_free);
}

/* The last position that a record has, and its resume text. */
static Position position_of(const Record *record, const char **resume)
{
    Position position = record->kind == RECORD_EVENTS ? (Position){0} : record->position;
    *resume = record->resume;
    for (guint32 i = 0; i < record->n_transactions; i++) {
        if (!record->transactions[i].last)
            continue;
        position = record->transactions[i].position;
        *resume = record->transactions[i].resume;
    }
    return position;
}

static bool walk_record(Walk *walk, guint64 sequence, bool first, GError **error)
{
    guint64 got;
    gsize size;
    const guint8 *data;
    Record record;
    BusResult result = walk->ops->read(walk->bus, 0, &got, &data, &size, error);
    if (result == BUS_EMPTY)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "bus: record %" G_GUINT64_FORMAT
                    " is missing although the bus ends at %" G_GUINT64_FORMAT
                    "; the file is damaged or was restored from a copy: start the "
                    "migration over (drover drop, then run)",
                    sequence, walk->info->last_sequence);
    if (result != BUS_RECORD)
        return false;
    arena_reset(walk->arena);
    if (!record_unpack(data, size, walk->arena, &record, error) ||
        !bus_chain_check(&record, sequence, first ? record.predecessor : walk->predecessor,
                         walk->info->uuid, error))
        return false;
    walk->predecessor = record_digest(data, size);
    if (record.epoch < walk->epoch)
        return true;
    walk->epoch = record.epoch;
    const char *resume;
    Position position = position_of(&record, &resume);
    if (position_is_zero(position))
        return true;
    resume_clear(&walk->found);
    walk->found =
        (Resume){.position = position, .resume = g_strdup(resume), .position_sequence = sequence};
    return true;
}

/* Records from..last. */
static bool walk_stretch(Walk *walk, guint64 from, GError **error)
{
    walk->ops->seek(walk->bus, from);
    for (guint64 sequence = from; sequence <= walk->info->last_sequence; sequence++)
        if (!walk_record(walk, sequence, sequence == from, error))
            return false;
    if (walk->predecessor == walk->info->last_digest)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "bus: the last record (%" G_GUINT64_FORMAT
                ") is not the one that was appended; the "
                "file is damaged or was restored from a copy: start the migration over (drover "
                "drop, then run)",
                walk->info->last_sequence);
    return false;
}

static bool find(Walk *walk, GError **error)
{
    guint64 first = walk->info->first_sequence, last = walk->info->last_sequence;
    for (guint64 length = FIRST_STRETCH;; length *= STRETCH_GROWTH) {
        guint64 from = last - first >= length ? last - length + 1 : first;
        if (!walk_stretch(walk, from, error))
            return false;
        if (walk->found.position_sequence > 0)
            return true;
        if (from == first)
            break;
    }
    return true;
}

bool resume_find(const BusOps *ops, Bus *bus, const BusInfo *info, const Migration *migration,
                 Resume *resume, GError **error)
{
    *resume = (Resume){.position = migration->start, .resume = g_strdup(migration->start_resume)};
    if (info->last_sequence == 0)
        return true;
    g_autoptr(Arena) arena = arena_new(ARENA_BLOCK);
    Walk walk = {.ops = ops, .bus = bus, .info = info, .arena = arena};
    bool good = info->first_sequence > info->last_sequence || find(&walk, error);
    if (!good || walk.found.position_sequence > 0) {
        resume_clear(resume);
        *resume = walk.found;
        return good;
    }
    if (info->first_sequence == 1)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "bus: no record from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                " has a position to go on from; start the migration over (drover drop, then run)",
                info->first_sequence, info->last_sequence);
    return false;
}
