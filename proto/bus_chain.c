#include "proto/bus.h"
#include "proto/error.h"

#include <string.h>

#define REMEDY "drop this migration and start it again with a new bus"

bool bus_chain_check(const Record *record, guint64 expected_sequence, guint64 expected_predecessor,
                     const guint8 *bus_uuid, GError **error)
{
    if (bus_uuid && memcmp(record->bus_uuid, bus_uuid, sizeof record->bus_uuid) != 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "record %" G_GUINT64_FORMAT " of the bus was written for another bus; give "
                    "this migration its own bus back, or " REMEDY,
                    expected_sequence);
        return false;
    }
    if (record->sequence != expected_sequence) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "the bus is broken: record %" G_GUINT64_FORMAT
                    " must come, but it says that it is record %" G_GUINT64_FORMAT "; " REMEDY,
                    expected_sequence, record->sequence);
        return false;
    }
    if (record->predecessor != expected_predecessor) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "the bus is broken before record %" G_GUINT64_FORMAT
                    ": the record that it follows has digest %016" G_GINT64_MODIFIER
                    "x, but %016" G_GINT64_MODIFIER "x was read; " REMEDY,
                    expected_sequence, record->predecessor, expected_predecessor);
        return false;
    }
    return true;
}
