#include "proto/bus_wake.h"

#include <pthread.h>
#include <time.h>

/* `lock` guards `count`; `changed` is signalled with each change of it. */
static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    guint64 count;
} wake = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

/* The monotonic clock cannot be chosen by a static initializer. */
static void wake_init(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wake.changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wake_lock(void)
{
    pthread_once(&wake.once, wake_init);
    pthread_mutex_lock(&wake.lock);
}

guint64 bus_wake_count(void)
{
    wake_lock();
    guint64 count = wake.count;
    pthread_mutex_unlock(&wake.lock);
    return count;
}

void bus_wake_wait(guint64 seen, gint64 duration)
{
    gint64 end = g_get_monotonic_time() + duration;
    struct timespec until = {.tv_sec = (time_t)(end / G_USEC_PER_SEC),
                             .tv_nsec = (long)(end % G_USEC_PER_SEC) * 1000};
    int status = 0;
    wake_lock();
    while (wake.count == seen && status == 0)
        status = pthread_cond_timedwait(&wake.changed, &wake.lock, &until);
    pthread_mutex_unlock(&wake.lock);
}

void bus_wake_all(void)
{
    wake_lock();
    wake.count++;
    pthread_cond_broadcast(&wake.changed);
    pthread_mutex_unlock(&wake.lock);
}
