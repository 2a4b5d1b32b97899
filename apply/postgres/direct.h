/*
 * Direct: the short way for small batches. One statement a row, all of them in one pipeline and one
 * round trip, instead of a stage and set-wise statements a table.
 *
 * It is an attempt behind a savepoint: whatever it cannot do (a value that does not fit, a unique
 * value that moves between rows, an update that finds no row) is undone, and the batch is staged.
 */
#pragma once

#include "apply/postgres/session.h"

#include <glib.h>
#include <stdbool.h>

/* True where the table's rows may take part. */
bool direct_suits(const NetTable *net);

/* Writes the tables (NetTable *). *done false without an error: nothing was written. */
bool direct_write(Target *target, const GPtrArray *tables, bool consistent, bool *done,
                  GError **error);
