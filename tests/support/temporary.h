/*
 * A directory of its own for a test, removed with the files in it.
 */
#pragma once

#include <glib.h>

/* Made under the system's temporary directory. */
char *temporary_directory_new(void);
void temporary_directory_free(char *directory);
