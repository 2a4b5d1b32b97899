#include "proto/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    g_autoptr(Arena) arena = arena_new(1000);
    guint8 *pieces[300];
    for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
        pieces[i] = arena_alloc(arena, i);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++)
        for (gsize j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i & 0xff);
}

static void test_a_piece_larger_than_a_block_is_whole(void **state)
{
    (void)state;
    g_autoptr(Arena) arena = arena_new(100);
    guint8 *piece = arena_alloc(arena, 1 << 20);
    memset(piece, 7, 1 << 20);
    assert_true(arena_size(arena) >= 1 << 20);
}

static void test_alloc0_is_zero_in_reused_memory(void **state)
{
    (void)state;
    g_autoptr(Arena) arena = arena_new(4096);
    memset(arena_alloc(arena, 512), 0xff, 512);
    arena_reset(arena);
    const guint8 *piece = arena_alloc0(arena, 512);
    for (int i = 0; i < 512; i++)
        assert_int_equal(piece[i], 0);
}

static void test_copies_have_the_same_bytes(void **state)
{
    (void)state;
    g_autoptr(Arena) arena = arena_new(64);
    assert_string_equal(arena_strdup(arena, "drover"), "drover");
    assert_memory_equal(arena_copy(arena, "\0\1\2", 3), "\0\1\2", 3);
    assert_non_null(arena_copy(arena, NULL, 0));
}

static void test_reset_keeps_one_ordinary_block(void **state)
{
    (void)state;
    g_autoptr(Arena) arena = arena_new(4096);
    assert_int_equal(arena_size(arena), 0);
    arena_alloc(arena, 16);
    gsize one_block = arena_size(arena);
    for (int i = 0; i < 1000; i++)
        arena_alloc(arena, 500);
    arena_alloc(arena, 1 << 20);
    assert_true(arena_size(arena) > 100 * one_block);
    arena_reset(arena);
    assert_int_equal(arena_size(arena), one_block);
    arena_alloc(arena, 16);
    assert_int_equal(arena_size(arena), one_block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(test_a_piece_larger_than_a_block_is_whole),
        cmocka_unit_test(test_alloc0_is_zero_in_reused_memory),
        cmocka_unit_test(test_copies_have_the_same_bytes),
        cmocka_unit_test(test_reset_keeps_one_ordinary_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
