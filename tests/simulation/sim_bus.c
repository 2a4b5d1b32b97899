#include "tests/simulation/sim_bus.h"

#include "proto/error.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/process.h"
#include "tests/simulation/world.h"

#include <string.h>

#define PATIENCE 4   /* turns of others, for a lock */
#define SMALL 400    /* bytes of a record that finds room in a full bus */
#define FULL_SHARE 2 /* the bus counts as full past this part of its capacity */

struct Bus {
    Process *owner;
    guint64 epoch;      /* claimed by this handle; 0: none */
    bool fenced;        /* another handle has claimed since */
    bool broken;        /* the connection is lost */
    GPtrArray *pending; /* GBytes *: appended, not flushed */
    guint64 next;       /* record that read returns */
    guint8 *given;      /* what the last read returned */
};

static struct {
    GPtrArray *records; /* GBytes *, number 1 first; trimmed ones stay for the checks */
    GPtrArray *handles; /* Bus * */
    guint64 epoch;
    guint64 first;
    gsize bytes; /* of those that are not trimmed */
} store;

void sim_bus_begin(void)
{
    store.records = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    store.handles = g_ptr_array_new();
    store.epoch = 0;
    store.first = 1;
    store.bytes = 0;
}

void sim_bus_end(void)
{
    g_assert(store.handles->len == 0);
    g_ptr_array_unref(store.handles);
    g_ptr_array_unref(store.records);
}

guint64 sim_bus_last(void)
{
    return store.records->len;
}

guint64 sim_bus_digest(guint64 sequence)
{
    gsize size;
    if (sequence == 0)
        return 0;
    const guint8 *data = g_bytes_get_data(g_ptr_array_index(store.records, sequence - 1), &size);
    return record_digest(data, size);
}

/* ---- handles ---- */

static bool bus_call(Bus *bus, const char *what, GError **error)
{
    if (!call_begin(what, error))
        return false;
    if (!bus->broken)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "bus: the connection is lost");
    return false;
}

static Bus *sim_open(const BusOptions *options, BusMode mode, GError **error)
{
    (void)options;
    if (!call_begin(mode == BUS_READ ? "bus.open to read" : "bus.open to write", error) ||
        !call_end(error))
        return NULL;
    Bus *bus = g_new0(Bus, 1);
    bus->owner = process_current();
    bus->pending = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    bus->next = 1;
    g_ptr_array_add(store.handles, bus);
    return bus;
}

static void sim_close(Bus *bus)
{
    g_ptr_array_remove(store.handles, bus);
    g_ptr_array_unref(bus->pending);
    g_free(bus->given);
    g_free(bus);
}

void sim_bus_crash(void)
{
    trace("bus: crashes");
    for (guint i = 0; i < store.handles->len; i++) {
        Bus *bus = g_ptr_array_index(store.handles, i);
        if (bus->pending->len > 0)
            COVER(bus_crash_loses_records);
        g_ptr_array_set_size(bus->pending, 0);
        bus->broken = true;
    }
}

static bool sim_info(Bus *bus, BusInfo *info, GError **error)
{
    if (!bus_call(bus, "bus.info", error))
        return false;
    *info = (BusInfo){.epoch = store.epoch,
                      .first_sequence = store.first,
                      .last_sequence = store.records->len,
                      .last_digest = sim_bus_digest(store.records->len),
                      .bytes = store.bytes};
    memset(info->uuid, 0xAB, sizeof info->uuid);
    gsize capacity = world.weather.bus_capacity;
    info->full = capacity != 0 && store.bytes > capacity / FULL_SHARE;
    if (info->full)
        COVER(bus_is_full);
    return call_end(error);
}

/* ---- who may write ---- */

/* Another handle with unflushed records holds the file's lock; a process that was killed holds
 * nothing. */
static Bus *lock_holder(const Bus *but)
{
    for (guint i = 0; i < store.handles->len; i++) {
        Bus *bus = g_ptr_array_index(store.handles, i);
        if (bus != but && bus->pending->len > 0 && !bus->owner->killed)
            return bus;
    }
    return NULL;
}

/* One that stands still in the middle of a commit would be waited for in vain. */
static void end_holder(Bus *holder)
{
    if (holder->owner->wake_step <= world.step)
        return;
    COVER(bus_holder_is_ended);
    trace("   ... ends %s", holder->owner->name);
    holder->owner->killed = true;
    g_ptr_array_set_size(holder->pending, 0);
}

static bool take_lock(const Bus *bus, bool take_over, GError **error)
{
    for (guint turn = 0; !world.weather.kafka && turn < PATIENCE; turn++) {
        Bus *holder = lock_holder(bus);
        if (holder == NULL)
            return true;
        if (take_over)
            end_holder(holder);
        if (!call_wait("waits for the bus's lock", error))
            return false;
    }
    if (world.weather.kafka || lock_holder(bus) == NULL)
        return true;
    COVER(bus_is_locked);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "bus: it is locked");
    return false;
}

static void fence_others(const Bus *claimer)
{
    for (guint i = 0; i < store.handles->len; i++) {
        Bus *bus = g_ptr_array_index(store.handles, i);
        if (bus == claimer)
            continue;
        bus->fenced |= bus->epoch != 0;
        g_ptr_array_set_size(bus->pending, 0);
    }
}

static bool fail_epoch(GError **error)
{
    COVER(stale_writer_is_refused);
    bool known = !world.weather.kafka || chance(50);
    g_set_error(error, DROVER_ERROR, known ? DROVER_ERROR_NO : DROVER_ERROR_RETRY,
                "bus: another capture has claimed it");
    return false;
}

static bool sim_claim(Bus *bus, guint64 epoch, bool take_over, GError **error)
{
    if (!bus_call(bus, "bus.claim", error) || !take_lock(bus, take_over, error))
        return false;
    if (epoch < store.epoch) {
        COVER(stale_writer_is_refused);
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "bus: a higher epoch was claimed");
        return false;
    }
    store.epoch = bus->epoch = epoch;
    bus->fenced = false;
    fence_others(bus);
    return call_end(error);
}

static bool check_writer(Bus *bus, GError **error)
{
    if (bus->epoch == 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "bus: written without an epoch");
        return false;
    }
    bool ours = world.weather.kafka ? !bus->fenced : bus->epoch == store.epoch;
    if (!ours)
        g_ptr_array_set_size(bus->pending, 0);
    return ours || fail_epoch(error);
}

/* ---- writing ---- */

static gsize pending_bytes(const Bus *bus)
{
    gsize bytes = 0;
    for (guint i = 0; i < bus->pending->len; i++)
        bytes += g_bytes_get_size(g_ptr_array_index(bus->pending, i));
    return bytes;
}

static bool check_space(Bus *bus, gsize size, GError **error)
{
    gsize capacity = world.weather.bus_capacity;
    if (capacity == 0 || size <= SMALL || store.bytes + pending_bytes(bus) + size <= capacity)
        return true;
    g_ptr_array_set_size(bus->pending, 0);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "bus: it is full");
    return false;
}

static bool sim_append(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error)
{
    if (!bus_call(bus, "bus.append", error) || !take_lock(bus, false, error) ||
        !check_writer(bus, error) || !check_space(bus, size, error))
        return false;
    if (sequence != store.records->len + bus->pending->len + 1)
        world_fail("record %" G_GUINT64_FORMAT " is appended to a bus of %u records", sequence,
                   store.records->len + bus->pending->len);
    g_ptr_array_add(bus->pending, g_bytes_new(data, size));
    return call_end(error);
}

static bool sim_flush(Bus *bus, GError **error)
{
    if (!bus_call(bus, "bus.flush", error) || !check_writer(bus, error))
        return false;
    for (guint i = 0; i < bus->pending->len; i++) {
        GBytes *record = g_ptr_array_index(bus->pending, i);
        g_ptr_array_add(store.records, g_bytes_ref(record));
        store.bytes += g_bytes_get_size(record);
        checks_flushed(record, store.records->len);
    }
    g_ptr_array_set_size(bus->pending, 0);
    if (bus->owner->killed)
        COVER(killed_after_flush);
    return call_end(error);
}

static bool sim_trim(Bus *bus, guint64 below, GError **error)
{
    if (!bus_call(bus, "bus.trim", error) || !take_lock(bus, false, error) ||
        !check_writer(bus, error))
        return false;
    guint64 end = MIN(below, store.records->len + 1);
    for (guint n = pick(8); n > 0 && store.first < end; n--, store.first++) {
        store.bytes -= g_bytes_get_size(g_ptr_array_index(store.records, store.first - 1));
        COVER(bus_is_trimmed);
    }
    return call_end(error);
}

/* ---- reading ---- */

static void sim_seek(Bus *bus, guint64 sequence)
{
    bus->next = sequence;
}

/* The bytes are new memory each time, and the old ones are gone, as the contract allows. */
static void give(Bus *bus, const guint8 **data, gsize *size)
{
    GBytes *record = g_ptr_array_index(store.records, bus->next - 1);
    g_free(bus->given);
    bus->given = g_memdup2(g_bytes_get_data(record, size), g_bytes_get_size(record));
    *data = bus->given;
}

static BusResult sim_read(Bus *bus, int timeout_ms, guint64 *sequence, const guint8 **data,
                          gsize *size, GError **error)
{
    if (!bus_call(bus, "bus.read", error))
        return BUS_FAILED;
    bool there = bus->next <= store.records->len;
    if (bus->next < store.first) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "bus: record %" G_GUINT64_FORMAT " was trimmed", bus->next);
        return BUS_FAILED;
    }
    /* A reader of another host may hear late of what was flushed, but for who writes himself. */
    bool late = bus->epoch == 0 && !world.calm && chance(5);
    if (there && !late)
        give(bus, data, size);
    else
        world.clock += timeout_ms * 1000;
    if (!call_end(error))
        return BUS_FAILED;
    if (!there || late)
        return BUS_EMPTY;
    *sequence = bus->next++;
    return BUS_RECORD;
}

const BusOps sim_bus_ops = {.kind = "simulation",
                            .open = sim_open,
                            .close = sim_close,
                            .info = sim_info,
                            .claim = sim_claim,
                            .append = sim_append,
                            .flush = sim_flush,
                            .trim = sim_trim,
                            .seek = sim_seek,
                            .read = sim_read};
