/*
 * Blocks in a list, newest first; pieces are cut from the newest ordinary block by moving a
 * pointer. A piece that is large beside a block gets a block of its own, so that it wastes nothing.
 *
 * Under AddressSanitizer memory that was given back by a reset is poisoned: a stale pointer into an
 * arena is reported as if it had been freed.
 */
#include "proto/arena.h"

#include <sanitizer/asan_interface.h>
#include <string.h>

#define ALIGNMENT _Alignof(max_align_t)
#define OWN_BLOCK_PART 4 /* a piece above 1/4 of a block does not open a new ordinary one */

typedef struct Block {
    struct Block *next;
    gsize size; /* of data */
    _Alignas(max_align_t) guint8 data[];
} Block;

struct Arena {
    gsize block_size;
    gsize held;   /* in use */
    guint8 *free; /* in the first ordinary block */
    guint8 *end;
    Block *ordinary; /* in use, all of block_size bytes */
    Block *spare;    /* ordinary ones from before a reset */
    Block *own;      /* one large piece each */
};

static Block *block_new(Arena *arena, gsize size, Block **list)
{
    Block *block = g_malloc(sizeof(Block) + size);
    block->size = size;
    block->next = *list;
    *list = block;
    arena->held += sizeof(Block) + size;
    return block;
}

static void blocks_free(Arena *arena, Block **list)
{
    while (*list) {
        Block *block = *list;
        *list = block->next;
        arena->held -= sizeof(Block) + block->size;
        ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
        g_free(block);
    }
}

/* All but the first go to the spare ones. */
static void blocks_spare(Arena *arena, Block *first)
{
    while (first->next) {
        Block *block = first->next;
        first->next = block->next;
        arena->held -= sizeof(Block) + block->size;
        block->next = arena->spare;
        arena->spare = block;
        ASAN_POISON_MEMORY_REGION(block->data, block->size);
    }
}

static Block *block_ordinary(Arena *arena)
{
    Block *block = arena->spare;
    if (!block)
        return block_new(arena, arena->block_size, &arena->ordinary);
    arena->spare = block->next;
    arena->held += sizeof(Block) + block->size;
    block->next = arena->ordinary;
    arena->ordinary = block;
    return block;
}

static void use_block(Arena *arena, Block *block)
{
    arena->free = block->data;
    arena->end = block->data + block->size;
    ASAN_POISON_MEMORY_REGION(block->data, block->size);
}

Arena *arena_new(gsize block_size)
{
    Arena *arena = g_new0(Arena, 1);
    arena->block_size = (MAX(block_size, 64) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return arena;
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    blocks_free(arena, &arena->ordinary);
    blocks_free(arena, &arena->own);
    blocks_free(arena, &arena->spare);
    g_free(arena);
}

static void *alloc_outside(Arena *arena, gsize size)
{
    if (size > arena->block_size / OWN_BLOCK_PART)
        return block_new(arena, size, &arena->own)->data;
    use_block(arena, block_ordinary(arena));
    void *piece = arena->free;
    arena->free += size;
    ASAN_UNPOISON_MEMORY_REGION(piece, size);
    return piece;
}

void *arena_alloc(Arena *arena, gsize size)
{
    g_assert(size <= G_MAXSSIZE);
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > (gsize)(arena->end - arena->free) || !arena->free)
        return alloc_outside(arena, size);
    void *piece = arena->free;
    arena->free += size;
    ASAN_UNPOISON_MEMORY_REGION(piece, size);
    return piece;
}

void *arena_alloc0(Arena *arena, gsize size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_copy(Arena *arena, const void *data, gsize size)
{
    void *copy = arena_alloc(arena, size);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text) + 1);
}

void arena_reset(Arena *arena)
{
    blocks_free(arena, &arena->own);
    if (!arena->ordinary)
        return;
    blocks_spare(arena, arena->ordinary);
    use_block(arena, arena->ordinary);
}

gsize arena_size(const Arena *arena)
{
    return arena->held;
}
