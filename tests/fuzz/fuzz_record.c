/*
 * Any bytes are an error or a record; a record's packed form must read back to the same packed
 * form.
 */
#include "proto/event.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const Record *record, Arena *arena)
{
    g_autoptr(GByteArray) first = g_byte_array_new();
    g_autoptr(GByteArray) second = g_byte_array_new();
    Record back;
    record_pack(record, arena, first);
    g_assert(record_unpack(first->data, first->len, arena, &back, NULL));
    record_pack(&back, arena, second);
    g_assert(first->len == second->len && memcmp(first->data, second->data, first->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(16384);
    Record record;
    GError *error = NULL;
    if (record_unpack(data, size, arena, &record, &error))
        check_round_trip(&record, arena);
    else
        g_assert(error != NULL);
    g_clear_error(&error);
    arena_free(arena);
    return 0;
}
