/*
 * Checks: what must hold at every moment, against the source's own history.
 *
 *   flush        what a reader of the bus makes of it is the source's log: every transaction with
 *                changes, whole, in order, once
 *   acknowledge  nothing is acknowledged that such a reader would not find (R1)
 *   commit       the target's progress never goes back; its accounts are as many events as the
 *                source had up to it (R2, R8); past the consistent point its rows are the source's
 *                at exactly that position, but for keys that wait to be refetched, and no key's
 *                version goes back (R4 to R7)
 *   end          everything has arrived, and nothing waits
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

void checks_begin(void);
void checks_end(void);

/* This record has become durable, as number `sequence`. */
void checks_flushed(GBytes *record, guint64 sequence);
void checks_acknowledged(guint64 position);
/* A transaction of the target has committed. */
void checks_committed(void);

/* Has everything arrived? */
bool checks_settled(void);
/* After the run was drained. */
void checks_drained(void);
