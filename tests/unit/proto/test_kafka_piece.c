#include "proto/kafka_piece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const KafkaPiece PIECE = {.bus_uuid = "0123456789abcde",
                                 .epoch = 3,
                                 .sequence = 300,
                                 .piece = 1,
                                 .pieces = 2,
                                 .digest = G_GUINT64_CONSTANT(0x0102030405060708),
                                 .bytes = 1200000,
                                 .size = 1000000};

/* Field by field as the protobuf encoding has it; an independent writer made the same bytes. */
static const guint8 GOLDEN[] = {0x0a, 0x10, '0',  '1',  '2',  '3',  '4',  '5',  '6',  '7',  '8',
                                '9',  'a',  'b',  'c',  'd',  'e',  0x00, 0x10, 0x03, 0x18, 0xac,
                                0x02, 0x20, 0x01, 0x28, 0x02, 0x31, 0x08, 0x07, 0x06, 0x05, 0x04,
                                0x03, 0x02, 0x01, 0x38, 0x80, 0x9f, 0x49, 0x40, 0xc0, 0x84, 0x3d};

static void test_a_piece_has_its_bytes(void **state)
{
    guint8 packed[KAFKA_PIECE_PACKED];
    KafkaPiece back;
    (void)state;
    assert_int_equal(kafka_piece_pack(&PIECE, packed), sizeof GOLDEN);
    assert_memory_equal(packed, GOLDEN, sizeof GOLDEN);
    assert_true(kafka_piece_unpack(GOLDEN, sizeof GOLDEN, &back));
    assert_memory_equal(back.bus_uuid, PIECE.bus_uuid, sizeof back.bus_uuid);
    assert_int_equal(back.epoch, 3);
    assert_int_equal(back.sequence, 300);
    assert_int_equal(back.piece, 1);
    assert_int_equal(back.pieces, 2);
    assert_true(back.digest == PIECE.digest);
    assert_int_equal(back.bytes, 1200000);
    assert_int_equal(back.size, 1000000);
}

static void test_the_largest_piece_fits(void **state)
{
    guint8 packed[KAFKA_PIECE_PACKED];
    KafkaPiece largest, back;
    (void)state;
    memset(&largest, 0xff, sizeof largest);
    largest.piece--;
    assert_in_range(kafka_piece_pack(&largest, packed), 1, KAFKA_PIECE_PACKED);
    assert_true(kafka_piece_unpack(packed, kafka_piece_pack(&largest, packed), &back));
    assert_true(back.bytes == G_MAXUINT64);
}

static void test_a_truncated_piece_is_no_piece_or_lacks_its_end(void **state)
{
    (void)state;
    for (gsize size = 0; size < sizeof GOLDEN; size++) {
        KafkaPiece back;
        if (!kafka_piece_unpack(GOLDEN, size, &back))
            continue;
        assert_int_equal(back.size, 0);
        assert_int_equal(back.pieces, 2);
    }
}

static void assert_refused(KafkaPiece piece)
{
    guint8 packed[KAFKA_PIECE_PACKED];
    KafkaPiece back;
    assert_false(kafka_piece_unpack(packed, kafka_piece_pack(&piece, packed), &back));
}

static void test_numbers_that_do_not_go_together_are_refused(void **state)
{
    KafkaPiece piece = PIECE;
    (void)state;
    piece.piece = 2;
    assert_refused(piece);
    piece = PIECE;
    piece.piece = piece.pieces = 0;
    assert_refused(piece);
    piece = PIECE;
    piece.bytes = piece.size - 1;
    assert_refused(piece);
}

static void test_a_field_of_a_newer_drover_is_refused(void **state)
{
    guint8 newer[sizeof GOLDEN + 2];
    KafkaPiece back;
    (void)state;
    memcpy(newer, GOLDEN, sizeof GOLDEN);
    newer[sizeof GOLDEN] = 0x48; /* field 9 */
    newer[sizeof GOLDEN + 1] = 0x01;
    assert_false(kafka_piece_unpack(newer, sizeof newer, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_piece_has_its_bytes),
        cmocka_unit_test(test_the_largest_piece_fits),
        cmocka_unit_test(test_a_truncated_piece_is_no_piece_or_lacks_its_end),
        cmocka_unit_test(test_numbers_that_do_not_go_together_are_refused),
        cmocka_unit_test(test_a_field_of_a_newer_drover_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
