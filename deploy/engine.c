#include "deploy/engine.h"

#include "apply/mysql/target.h"
#include "apply/postgres/target.h"
#include "capture/mysql/source.h"
#include "capture/postgres/source.h"
#include "proto/error.h"

#include <string.h>

static const Engine engines[] = {
    {"postgresql", &pg_source_ops, &pg_target_ops},
    {"mysql", &mysql_source_ops, &mysql_target_ops},
};

static const BusOps *const buses[] = {&bus_local_ops, &bus_kafka_ops};

const Engine *engine_find(const char *name, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(engines); i++)
        if (strcmp(engines[i].name, name) == 0)
            return &engines[i];
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "not supported yet: databases of kind %s",
                name);
    return NULL;
}

const BusOps *engine_bus(const char *kind)
{
    for (gsize i = 0; i < G_N_ELEMENTS(buses); i++)
        if (strcmp(buses[i]->kind, kind) == 0)
            return buses[i];
    return NULL;
}
