#include "proto/bus.h"

void bus_options_clear(BusOptions *options)
{
    g_clear_pointer(&options->path, g_free);
    g_clear_pointer(&options->topic, g_free);
    g_clear_pointer(&options->bootstrap_servers, g_free);
    g_clear_pointer(&options->properties, g_strfreev);
}

const char *bus_options_name(const BusOptions *options)
{
    return options->topic != NULL ? options->topic : options->path;
}
