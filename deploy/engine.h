/*
 * Engine: the one list of databases that drover knows, and of buses. Adding one is a line here.
 */
#pragma once

#include "proto/bus.h"
#include "proto/source.h"
#include "proto/target.h"

typedef struct Engine {
    const char *name; /* Endpoint.engine */
    const SourceOps *source;
    const TargetOps *target;
} Engine;

/* USAGE where there is none of that name. */
const Engine *engine_find(const char *name, GError **error);

/* kind: BusOps.kind. NULL where there is none. */
const BusOps *engine_bus(const char *kind);
