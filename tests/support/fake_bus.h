/*
 * Fake bus: a BusOps in memory that knows what is durable. Records that were not flushed vanish
 * when the handle is closed, as at a crash. One bus at a time; not for threads.
 */
#pragma once

#include "proto/bus.h"

#include <glib.h>

extern const BusOps fake_bus_ops;

/* Forgets everything; uuid is all 0xAB. */
void fake_bus_reset(void);

/* Called before every operation but close; false (with *error set) makes the operation fail without
 * any effect. NULL: none. */
typedef bool (*FakeBusHook)(const char *operation, GError **error);
void fake_bus_set_hook(FakeBusHook hook);

/* Records of more bytes than this make the bus full (BusInfo.full). */
void fake_bus_set_capacity(gsize bytes);

guint fake_bus_durable(void); /* records, trimmed ones included */
/* A durable record by its number. */
GBytes *fake_bus_record(guint64 sequence);
guint64 fake_bus_first(void);
