/*
 * Config secret: files that hold secrets. Others than their owner must not be able to read them.
 */
#pragma once

#include "deploy/settings.h"

#include <glib.h>
#include <stdbool.h>

/* Reads up to `size` bytes of the file that a PATH setting names. False and a problem where it
 * cannot be read, is no regular file, or others have rights on it. */
bool config_secret_read(const Setting *file, char *bytes, gsize size, gsize *length,
                        Problems *problems);
