/*
 * The source of the simulation: sessions, reads and the slot over database.h, as SourceOps.
 *
 * A session whose process was killed lives on until the server notices; one that the server has
 * ended may still hand out what was on its way. The slot's acknowledged position goes back in a
 * crash, as far as it was not on the disk.
 */
#pragma once

#include "proto/source.h"
#include "tests/simulation/database.h"

#include <glib.h>

extern const SourceOps sim_source_ops;

/* With P0 in world.migration. */
void sim_source_begin(void);
void sim_source_end(void);

void sim_source_crash(void);
/* The server ends sessions of processes that were killed or, silent: of one that does not answer.
 */
void sim_source_notice(bool silent);
guint64 sim_source_acknowledged(void);
