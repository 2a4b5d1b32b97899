/*
 * What the files of the control module share; nobody else includes it.
 */
#pragma once

#include "schema/control.h"

/* For statements whose rows do not matter; affected may be NULL. */
bool control_run(Control *control, const char *sql, guint n, const char *const *values,
                 gint64 *affected, GError **error);

/* Runs the one of two statements that is for the target's engine. */
Answer *control_ask(Control *control, const char *sql, const char *mysql, guint n,
                    const char *const *values, GError **error);

/* In the open transaction: holds the migration's row. One row with the phase, or none. */
Answer *control_lock_migration(Control *control, GError **error);

/* Is the target MySQL or MariaDB? Lists are parameters as JSON there and as arrays elsewhere, and
 * DDL ends the transaction that it stands in. */
bool control_is_mysql(const Control *control);

/* For numbers as statement parameters. */
#define NUMBER_TEXT_SIZE 24
char *number_text(gint64 number, char *text);

/* An unsigned number of a control table; BUG where the text is none. */
bool number_read(const char *text, guint base, guint64 *number, GError **error);

/* NULL reads as zero. */
bool position_read(const char *text, Position *position, GError **error);
