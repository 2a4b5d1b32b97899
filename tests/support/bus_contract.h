/*
 * Bus contract: the tests that every driver of the bus must pass, and what tests of a bus share.
 * Each test has a new bus whose epoch 1 is claimed.
 */
#pragma once

#include "proto/bus.h"

#include <stdbool.h>

typedef struct BusFixture {
    BusOptions options;
    Bus *writer;
} BusFixture;

/* fresh_options: those of a bus that does not exist (freed with bus_options_clear). */
void contract_set_up(const BusOps *driver, BusOptions (*fresh_options)(void), void **state);
void contract_tear_down(void **state);

/* All of these fail the test where they fail. */
Bus *contract_open(const BusOptions *options, BusMode mode);
void contract_append(Bus *bus, guint64 sequence, const char *text);
void contract_flush(Bus *bus);
/* One flush a block of zeros. */
void contract_append_blocks(Bus *bus, guint64 from, guint64 to, gsize size);
BusInfo contract_info_of(Bus *bus);
void contract_assert_reads(Bus *bus, guint64 expected, const char *text);
BusResult contract_read_now(Bus *bus, GError **error);
/* Until first_sequence is `below`. */
void contract_trim(Bus *bus, guint64 below);

void contract_test_flushed_records_are_read_in_order(void **state);
void contract_test_unflushed_records_are_not_seen(void **state);
void contract_test_unflushed_records_are_forgotten_by_close(void **state);
void contract_test_records_of_any_size_are_read(void **state);
void contract_test_seek_goes_back_and_forth(void **state);
void contract_test_a_reader_past_the_end_is_an_error(void **state);
void contract_test_a_higher_epoch_fences_the_old_writer(void **state);
void contract_test_a_writer_without_an_epoch_cannot_append(void **state);
void contract_test_a_wrong_number_is_refused_and_nothing_kept(void **state);
void contract_test_the_end_survives_a_trim_of_everything(void **state);
void contract_test_trimmed_records_cannot_be_read(void **state);
void contract_test_trim_with_unflushed_records_keeps_them(void **state);
void contract_test_an_existing_bus_is_not_created_again(void **state);
void contract_test_each_bus_has_its_own_uuid(void **state);
void contract_test_a_waiting_reader_gets_a_record_flushed_by_another_thread(void **state);
void contract_test_a_bus_that_is_not_there_needs_a_person(void **state);
void contract_test_a_removed_bus_is_gone_and_can_be_made_anew(void **state);
void contract_test_a_check_finds_nothing_wrong_before_and_after(void **state);

#define BUS_CONTRACT_TESTS(set_up, tear_down)                                                      \
    cmocka_unit_test_setup_teardown(contract_test_flushed_records_are_read_in_order, set_up,       \
                                    tear_down),                                                    \
        cmocka_unit_test_setup_teardown(contract_test_unflushed_records_are_not_seen, set_up,      \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(contract_test_unflushed_records_are_forgotten_by_close,    \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_records_of_any_size_are_read, set_up,        \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(contract_test_seek_goes_back_and_forth, set_up,            \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(contract_test_a_reader_past_the_end_is_an_error, set_up,   \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(contract_test_a_higher_epoch_fences_the_old_writer,        \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_a_writer_without_an_epoch_cannot_append,     \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_a_wrong_number_is_refused_and_nothing_kept,  \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_the_end_survives_a_trim_of_everything,       \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_trimmed_records_cannot_be_read, set_up,      \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(contract_test_trim_with_unflushed_records_keeps_them,      \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_an_existing_bus_is_not_created_again,        \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_each_bus_has_its_own_uuid, set_up,           \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(                                                           \
            contract_test_a_waiting_reader_gets_a_record_flushed_by_another_thread, set_up,        \
            tear_down),                                                                            \
        cmocka_unit_test_setup_teardown(contract_test_a_bus_that_is_not_there_needs_a_person,      \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(contract_test_a_removed_bus_is_gone_and_can_be_made_anew,  \
                                        set_up, tear_down),                                        \
        cmocka_unit_test_setup_teardown(                                                           \
            contract_test_a_check_finds_nothing_wrong_before_and_after, set_up, tear_down)
