/* Any bytes as a migration file: understood, or refused with at least one line. */
#include "deploy/config.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *environment(const char *name)
{
    return strcmp(name, "A") == 0 ? "value" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config =
        config_parse("fuzz", "/nowhere", (const char *)data, size, environment, &error);
    if ((config == NULL) == (error == NULL))
        g_error("neither a migration nor an error, or both");
    return 0;
}
