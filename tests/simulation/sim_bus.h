/*
 * The bus of the simulation, of one of two kinds (Weather.kafka).
 *
 * Local: a writer holds a lock from its first unflushed record to its flush, and a writer whose
 * epoch is no longer the highest is refused at once. Kafka: a claim fences whoever wrote before; it
 * learns that at its next append or flush, and its unflushed records never become visible.
 */
#pragma once

#include "proto/bus.h"

#include <glib.h>

extern const BusOps sim_bus_ops;

void sim_bus_begin(void);
void sim_bus_end(void);
/* The server, or the disk and all that uses it, goes away and comes back. */
void sim_bus_crash(void);

/* XXH3 of a record that was flushed, whether or not it is still there; 0 for number 0. */
guint64 sim_bus_digest(guint64 sequence);
guint64 sim_bus_last(void);
