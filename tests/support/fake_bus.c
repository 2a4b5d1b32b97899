#include "tests/support/fake_bus.h"

#include "proto/error.h"

#include <string.h>

struct Bus {
    guint64 next; /* sequence that read gives */
};

static struct FakeStore {
    GPtrArray *durable; /* GBytes *, record 1 first */
    GPtrArray *pending;
    guint64 epoch;
    guint64 first;
    gsize capacity; /* bytes; 0: no limit */
    FakeBusHook hook;
} store;

void fake_bus_reset(void)
{
    g_clear_pointer(&store.durable, g_ptr_array_unref);
    g_clear_pointer(&store.pending, g_ptr_array_unref);
    store =
        (struct FakeStore){.durable = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
                           .pending = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
                           .first = 1};
}

void fake_bus_set_hook(FakeBusHook hook)
{
    store.hook = hook;
}

void fake_bus_set_capacity(gsize bytes)
{
    store.capacity = bytes;
}

guint fake_bus_durable(void)
{
    return store.durable->len;
}

guint64 fake_bus_first(void)
{
    return store.first;
}

GBytes *fake_bus_record(guint64 sequence)
{
    return g_ptr_array_index(store.durable, sequence - 1);
}

static bool allowed(const char *operation, GError **error)
{
    return store.hook == NULL || store.hook(operation, error);
}

static Bus *fake_open(const BusOptions *options, BusMode mode, GError **error)
{
    (void)options, (void)mode;
    return allowed("open", error) ? g_new0(Bus, 1) : NULL;
}

static void fake_close(Bus *bus)
{
    g_ptr_array_set_size(store.pending, 0);
    g_free(bus);
}

static bool fake_info(Bus *bus, BusInfo *info, GError **error)
{
    (void)bus;
    if (!allowed("info", error))
        return false;
    *info = (BusInfo){
        .epoch = store.epoch, .first_sequence = store.first, .last_sequence = store.durable->len};
    memset(info->uuid, 0xAB, sizeof info->uuid);
    for (guint i = (guint)store.first; i <= store.durable->len; i++)
        info->bytes += g_bytes_get_size(fake_bus_record(i));
    info->full = store.capacity != 0 && info->bytes > store.capacity;
    if (store.durable->len > 0) {
        gsize size;
        const guint8 *data = g_bytes_get_data(fake_bus_record(store.durable->len), &size);
        info->last_digest = record_digest(data, size);
    }
    return true;
}

static bool fake_claim(Bus *bus, guint64 epoch, bool take_over, GError **error)
{
    (void)bus, (void)take_over;
    if (!allowed("claim", error))
        return false;
    if (epoch < store.epoch) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO, "a higher epoch was claimed");
        return false;
    }
    store.epoch = epoch;
    return true;
}

static bool fake_append(Bus *bus, guint64 sequence, const guint8 *data, gsize size, GError **error)
{
    (void)bus;
    if (!allowed("append", error))
        return false;
    g_assert_cmpuint(sequence, ==, store.durable->len + store.pending->len + 1);
    g_ptr_array_add(store.pending, g_bytes_new(data, size));
    return true;
}

static bool fake_flush(Bus *bus, GError **error)
{
    (void)bus;
    if (!allowed("flush", error))
        return false;
    for (guint i = 0; i < store.pending->len; i++)
        g_ptr_array_add(store.durable, g_bytes_ref(g_ptr_array_index(store.pending, i)));
    g_ptr_array_set_size(store.pending, 0);
    return allowed("flushed", error);
}

static bool fake_trim(Bus *bus, guint64 below, GError **error)
{
    (void)bus;
    if (!allowed("trim", error))
        return false;
    store.first = CLAMP(below, store.first, store.durable->len + 1);
    return true;
}

static void fake_seek(Bus *bus, guint64 sequence)
{
    bus->next = sequence;
}

static BusResult fake_read(Bus *bus, int timeout_ms, guint64 *sequence, const guint8 **data,
                           gsize *size, GError **error)
{
    (void)timeout_ms;
    if (!allowed("read", error))
        return BUS_FAILED;
    if (bus->next > store.durable->len)
        return BUS_EMPTY;
    *sequence = bus->next;
    *data = g_bytes_get_data(fake_bus_record(bus->next++), size);
    return BUS_RECORD;
}

const BusOps fake_bus_ops = {.kind = "fake",
                             .open = fake_open,
                             .close = fake_close,
                             .info = fake_info,
                             .claim = fake_claim,
                             .append = fake_append,
                             .flush = fake_flush,
                             .trim = fake_trim,
                             .seek = fake_seek,
                             .read = fake_read};
