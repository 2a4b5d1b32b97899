#include "tests/support/migration_file.h"

#include "proto/error.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const char *migration_file_environment(const char *name)
{
    if (strcmp(name, "HOST") == 0)
        return "db9";
    if (strcmp(name, "WORKERS") == 0)
        return "7";
    if (strcmp(name, "EMPTY") == 0)
        return "";
    if (strcmp(name, "PASSWORD") == 0)
        return "s3cret";
    return NULL;
}

Config *migration_file_parse(const char *text)
{
    GError *error = NULL;
    Config *config = config_parse("m.yaml", "/etc/drover", text, strlen(text),
                                  migration_file_environment, &error);
    if (config == NULL)
        fail_msg("%s", error->message);
    return config;
}

char *migration_file_refusal(const char *text, gsize size, const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config =
        config_parse("m.yaml", directory, text, size, migration_file_environment, &error);
    assert_null(config);
    assert_true(g_error_matches(error, DROVER_ERROR, DROVER_ERROR_USAGE));
    return g_strdup(error->message);
}

void assert_migration_file_refused(const char *text, const char *message)
{
    g_autofree char *refusal = migration_file_refusal(text, strlen(text), "/etc/drover");
    assert_string_equal(refusal, message);
}

char *migration_file_put(const char *folder, const char *name, const char *text, mode_t mode)
{
    char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_int_equal(g_chmod(path, mode), 0);
    return path;
}
