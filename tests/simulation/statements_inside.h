/*
 * What the files of the statements share; nobody else includes it.
 */
#pragma once

#include "tests/simulation/statements.h"

/* An answer without values; answer_add_row and answer_put fill it, row by row. "" and NULL are
 * null. */
Answer *answer_add_row(Answer *answer);
void answer_put(Answer *answer, guint column, const char *text);
void answer_put_number(Answer *answer, guint column, guint64 number);

/* Parameters. */
guint64 number_of(const char *text);
guint table_of(const char *id);
void set_text(char *to, gsize size, const char *text);
#define SET_TEXT(to, text) set_text(to, sizeof(to), text)

/* Statements of roles and workers, of apply, of the copy; the last one has no name. */
extern const Statement statements_of_roles[], statements_of_apply[], statements_of_copy[];
