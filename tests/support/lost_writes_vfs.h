/*
 * Lost writes: a SQLite VFS over the default one that knows which writes were synced, and loses the
 * others when the power is cut.
 *
 * Writes and truncations go through to the file; what they overwrote since the file's last xSync is
 * kept, by sectors of 512 bytes. After a cut each of these sectors, and the file's length, is by
 * chance what it was before or what was written: a disk may keep any part of what was never synced.
 * A file that was made and never synced is gone. Deletions are taken as durable at once. Syncs are
 * not passed on to the real disk.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Registers the VFS on the first call; returns its name. */
const char *lost_writes_vfs(void);

/* The power goes off: from here on every operation fails. */
void lost_writes_cut(void);
/* The power goes off with the n-th write, truncation, sync or deletion from now; 0: it does not. */
void lost_writes_cut_after(guint n);
bool lost_writes_is_cut(void);

/* The power comes back. Every handle must be closed. The files become what the disk has kept
 * (random NULL: nothing that was not synced), and shared-memory files are gone. */
void lost_writes_restore(GRand *random);
