/*
 * Config bus: the mapping `bus` of a migration file as BusOptions: the file of a local bus, or the
 * topic, and what librdkafka is told.
 */
#pragma once

#include "deploy/settings.h"
#include "proto/bus.h"

/* What the keys say together, and whether librdkafka takes its properties; bus may be NULL.
 * Problems tell whether *options (its properties) is fit for use. */
void config_bus_check(const Setting *bus, BusOptions *options, Problems *problems);

/* The rest, once defaults are filled in. Of the two kinds only the one that is used stays. Returns
 * BusOps.kind. */
const char *config_bus_read(Setting *bus, BusOptions *options);
