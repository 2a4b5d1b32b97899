/*
 * Cascade: foreign key actions that the source's log does not carry (Table.cascades). A parent row
 * that an event took away may have changed its children: the target's children of it are in doubt,
 * and are read from the source again (rule R7). Until then they are taken away, as on the source
 * none can refer to a parent that is gone; so no batch leaves a row without its parent. A child
 * that is gone is a parent in turn.
 *
 * A batch holds what came before and after the parent went, so its children are looked for twice:
 * before its rows are written, those that the target has had, over which the batch's own images of
 * the same keys then come; and after, those that it wrote for a parent that it also took away.
 */
#pragma once

#include "apply/batch.h"
#include "schema/control.h"

#include <stdbool.h>

/* In the batch's transaction, before and after its rows are written. *found is set where any child
 * was taken away and put on the refetch list, and left alone otherwise. */
bool cascade_follow(const Batch *batch, Control *control, bool *found, GError **error);
