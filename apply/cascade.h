/*
 * Cascade: foreign key actions that the source's log does not carry (Table.cascades). A parent row
 * that an event took away may have changed its children: the target's children of it are in doubt,
 * and are read from the source again (rule R7). Where the parent is gone for good they refer to
 * nothing: none can be so on the source, and they are taken away until they have been read, so that
 * no batch leaves a row without its parent. A child that is gone is a parent in turn.
 */
#pragma once

#include "apply/batch.h"
#include "schema/control.h"

#include <stdbool.h>

/* In the batch's transaction, after its rows were written. *found is set where any child was put on
 * the refetch list, and left alone otherwise. */
bool cascade_refetch(const Batch *batch, Control *control, bool *found, GError **error);
