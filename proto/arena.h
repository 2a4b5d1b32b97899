/*
 * Arena: memory that is taken piece by piece and given back all at once.
 *
 * A batch's memory comes from one arena and is reset by the loop that owns the batch; nothing in an
 * arena is freed alone. Pieces are aligned for any type. Not for use by two threads at once.
 */
#pragma once

#include <glib.h>

typedef struct Arena Arena;

/* block_size: bytes of the blocks that the arena takes from malloc; larger pieces get their own. */
Arena *arena_new(gsize block_size);
void arena_free(Arena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arena, arena_free)

/* Never NULL (aborts as GLib does when memory is gone). Not zeroed. */
void *arena_alloc(Arena *arena, gsize size);
void *arena_alloc0(Arena *arena, gsize size);
void *arena_copy(Arena *arena, const void *data, gsize size);
char *arena_strdup(Arena *arena, const char *text);

/* Forgets every piece. Large pieces go back to malloc; ordinary blocks are kept for reuse, since
 * giving memory back and taking it again costs more than most uses of it. */
void arena_reset(Arena *arena);

/* Bytes of the blocks in use: of what was taken since the last reset, and one block. */
gsize arena_size(const Arena *arena);

#define arena_new_array(arena, type, n) ((type *)arena_alloc((arena), sizeof(type) * (gsize)(n)))
