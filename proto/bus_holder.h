/*
 * Bus holder: the process of this host that holds the write lock of a local bus, found in
 * /proc/locks. SQLite's write lock in WAL mode is a lock on byte 120 of the "-shm" file
 * ("WAL-mode File Format", section 2.3); a process that was stopped in the middle of a commit keeps
 * it until it ends. Used when a role is taken over.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* The process that holds the write lock of the bus at `path`; 0 where none does. */
pid_t bus_holder_find(const char *path);

/* The same from the text of /proc/locks, for one inode. */
pid_t bus_holder_parse(const char *locks, guint64 inode);
