/*
 * Bus wake: lets readers of a bus sleep until a handle of the same process has flushed one.
 *
 * One counter for all buses of the process: a process rarely has two, and a reader that wakes for
 * the wrong one looks and sleeps again. Flushes of other processes are not seen here.
 */
#pragma once

#include <glib.h>

/* How many flushes there were. Read it before looking for records. */
guint64 bus_wake_count(void);

/* Waits until the count is no longer `seen`, at most `duration` microseconds. */
void bus_wake_wait(guint64 seen, gint64 duration);

/* A flush is done: wakes all. */
void bus_wake_all(void);
