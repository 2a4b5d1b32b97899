/*
 * Must: calls that a test expects to succeed; the message of the error is shown where they do not.
 */
#pragma once

#include <glib.h>

/* Both take GError *error from the test's scope, which must be NULL before the call. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if (!(call)) {                                                                             \
            fail_msg("%s: %s", #call, error != NULL ? error->message : "no error was set");        \
        }                                                                                          \
    } while (0)

#define MUST_FAIL(call, code)                                                                      \
    do {                                                                                           \
        if (call) {                                                                                \
            fail_msg("%s succeeded", #call);                                                       \
        }                                                                                          \
        if (!g_error_matches(error, DROVER_ERROR, code)) {                                         \
            fail_msg("%s: %s", #call, error != NULL ? error->message : "no error was set");        \
        }                                                                                          \
        g_clear_error(&error);                                                                     \
    } while (0)
