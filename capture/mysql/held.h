/*
 * Held: changes that may not be handed out yet, since their transaction may still take them back:
 * those behind a savepoint, and those of a prepared XA transaction.
 *
 * They are kept packed, in memory up to a limit and beyond it in a temporary file without a name.
 * Written first, then read once from the start.
 */
#pragma once

#include "proto/event.h"

typedef struct Held Held;

/* memory: bytes from which the file takes them. */
Held *held_new(gsize memory);
void held_free(Held *held);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Held, held_free)

/* Copies the change. RETRY where the disk does not take it. */
bool held_add(Held *held, const Change *change, GError **error);
bool held_is_empty(const Held *held);

/* The place behind what is there, and back to such a place: what was added since is forgotten. */
guint64 held_place(const Held *held);
bool held_cut(Held *held, guint64 place, GError **error);

/* The next change, valid until the next call; *end behind the last one. Nothing may be added any
 * more. */
bool held_next(Held *held, Change *change, bool *end, GError **error);
