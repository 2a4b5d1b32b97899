/*
 * The words of an SQL statement in MySQL's dialect: comments are gone, the contents of versioned
 * comments, which servers execute, are words like others.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    WORD_END,    /* behind the last one */
    WORD_NAME,   /* a keyword or a name without quotes */
    WORD_QUOTED, /* a name in quotes: never a keyword */
    WORD_TEXT,   /* a string, or X'...' with its letter */
    WORD_SIGN    /* one other character */
} WordKind;

typedef struct Word {
    WordKind kind;
    char *text;  /* a name or string without its quotes; UTF-8 */
    gsize start; /* in the statement */
    gsize end;
} Word;

/* Array of Word, with a WORD_END at its end; NULL where a quote or comment has no end. */
GArray *query_words(const char *statement, gsize size, bool ansi_quotes, bool backslashes);
