#include "proto/runtime.h"

#define SLICE 10000 /* microseconds: how late a wait notices that it should stop */

static gint64 real_now(Runtime *runtime)
{
    (void)runtime;
    return g_get_monotonic_time();
}

static void real_wait(Runtime *runtime, gint64 duration)
{
    gint64 end = g_get_monotonic_time() + duration;
    while (!runtime_stopping(runtime)) {
        gint64 left = end - g_get_monotonic_time();
        if (left <= 0)
            return;
        g_usleep((gulong)MIN(left, SLICE));
    }
}

void runtime_init(Runtime *runtime)
{
    *runtime = (Runtime){.now = real_now, .wait = real_wait};
}

bool runtime_stopping(const Runtime *runtime)
{
    return g_atomic_int_get(&runtime->stop) != 0;
}
