#include "deploy/bus_owner.h"

#include "proto/error.h"
#include "proto/event.h"

#include <string.h>

static char *uuid_text(const guint8 *uuid)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            g_string_append_c(text, '-');
        g_string_append_printf(text, "%02x", uuid[i]);
    }
    return g_string_free(text, FALSE);
}

static bool read_info(const BusOps *ops, const BusOptions *options, BusInfo *info, GError **error)
{
    Bus *bus = ops->open(options, BUS_READ, error);
    if (bus == NULL)
        return false;
    bool done = ops->info(bus, info, error);
    ops->close(bus);
    return done;
}

static bool create(const BusOps *ops, const BusOptions *options, char **uuid, GError **error)
{
    BusInfo info;
    Bus *bus = ops->open(options, BUS_CREATE, error);
    if (bus == NULL)
        return false;
    bool done = ops->info(bus, &info, error);
    ops->close(bus);
    if (done)
        *uuid = uuid_text(info.uuid);
    return done;
}

typedef struct Notes {
    Preflight *preflight;
    bool going_on;
} Notes;

static void add_note(void *user, BusNoteLevel level, const char *name, const char *text,
                     const char *remedy)
{
    static const FindingLevel levels[] = {[BUS_NOTE_PASS] = FINDING_PASS,
                                          [BUS_NOTE_WARN] = FINDING_WARN,
                                          [BUS_NOTE_FAIL] = FINDING_FAIL};
    const Notes *notes = user;
    if (notes->going_on && level == BUS_NOTE_FAIL)
        level = BUS_NOTE_WARN;
    preflight_add(notes->preflight, levels[level], name, text, remedy);
}

bool bus_owner_preflight(const BusOps *ops, const BusOptions *options, bool going_on,
                         Preflight *preflight, GError **error)
{
    Notes notes = {preflight, going_on};
    if (ops->check(options, add_note, &notes, error))
        return true;
    g_prefix_error(error, "preflight: ");
    return false;
}

/* Creating also completes what was interrupted; it never touches a bus. */
bool bus_owner_prepare(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                       char **uuid, GError **error)
{
    g_autoptr(GError) problem = NULL;
    BusInfo info;

    if (create(ops, options, uuid, &problem))
        return true;
    if (!g_error_matches(problem, DROVER_ERROR, DROVER_ERROR_PERSON)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (!read_info(ops, options, &info, error)) {
        g_prefix_error(error, "a new migration needs a bus of its own: ");
        return false;
    }
    g_autofree char *found = uuid_text(info.uuid);
    if (info.last_sequence != 0 || info.epoch != 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "bus %s holds the events of another migration (UUID %s); give this one "
                    "another place under bus: in the migration file, or remove that bus if nobody "
                    "needs it",
                    bus_options_name(options), found);
        return false;
    }
    if (g_strcmp0(found, stored_uuid) == 0) {
        *uuid = g_steal_pointer(&found);
        return true;
    }
    return ops->remove(options, error) && create(ops, options, uuid, error);
}

static bool check_uuid(const BusOptions *options, const BusInfo *info, const char *stored_uuid,
                       GError **error)
{
    g_autofree char *found = uuid_text(info->uuid);
    if (g_strcmp0(found, stored_uuid) == 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "bus %s has UUID %s, and this migration's bus is %s: it was replaced; put the "
                "right one back, or `drover drop` the migration and begin anew",
                bus_options_name(options), found, stored_uuid != NULL ? stored_uuid : "unknown");
    return false;
}

bool bus_owner_check(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                     GError **error)
{
    BusInfo info;

    if (!read_info(ops, options, &info, error)) {
        g_prefix_error(error, "the bus of this migration: ");
        return false;
    }
    return check_uuid(options, &info, stored_uuid, error);
}

bool bus_owner_remove(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                      bool *removed, GError **error)
{
    BusInfo info;

    *removed = false;
    g_autoptr(GError) problem = NULL;
    if (!read_info(ops, options, &info, &problem)) {
        if (drover_error_is_retry(problem)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        return true; /* no bus of ours */
    }
    g_autofree char *found = uuid_text(info.uuid);
    if (g_strcmp0(found, stored_uuid) != 0)
        return true;
    *removed = ops->remove(options, error);
    return *removed;
}

static void look_at_last(const BusOps *ops, Bus *bus, const BusInfo *info, BusLook *look)
{
    const guint8 *data;
    gsize size;
    guint64 sequence;
    Record record;

    if (info->last_sequence < info->first_sequence)
        return;
    ops->seek(bus, info->last_sequence);
    if (ops->read(bus, 0, &sequence, &data, &size, NULL) != BUS_RECORD)
        return;
    g_autoptr(Arena) arena = arena_new(64 * 1024);
    if (!record_unpack(data, size, arena, &record, NULL))
        return;
    const Transaction *last =
        record.n_transactions > 0 ? &record.transactions[record.n_transactions - 1] : NULL;
    look->source_time = last != NULL ? last->commit_time : record.source_time;
    look->position = last != NULL ? last->position : record.position;
}

bool bus_owner_look(const BusOps *ops, const BusOptions *options, const char *stored_uuid,
                    BusLook *look, GError **error)
{
    BusInfo info;
    Bus *bus = ops->open(options, BUS_READ, error);
    if (bus == NULL)
        return false;
    bool found = ops->info(bus, &info, error) && check_uuid(options, &info, stored_uuid, error);
    if (found) {
        look->bytes = info.bytes;
        look_at_last(ops, bus, &info, look);
    }
    ops->close(bus);
    return found;
}
