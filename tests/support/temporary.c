#include "tests/support/temporary.h"

#include <glib/gstdio.h>

char *temporary_directory_new(void)
{
    GError *error = NULL;
    char *directory = g_dir_make_tmp("drover-test-XXXXXX", &error);
    if (!directory)
        g_error("no temporary directory: %s", error->message);
    return directory;
}

void temporary_directory_free(char *directory)
{
    g_autoptr(GDir) files = g_dir_open(directory, 0, NULL);
    const char *name;
    while (files && (name = g_dir_read_name(files))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_remove(path);
    }
    g_rmdir(directory);
    g_free(directory);
}
