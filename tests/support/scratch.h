/*
 * Scratch: a database of a test's own on one of the real servers, and the shortest ways to ask it.
 * Everything fails the running cmocka test where the server does not do as told.
 */
#pragma once

#include <glib.h>
#include <libpq-fe.h>

typedef struct Scratch {
    char *server; /* URL of the server's own database */
    char *name;
    char *url;
    PGconn *connection;
} Scratch;

/* variable: the environment variable with the server's URL (DROVER_TEST_SOURCE, ...). */
Scratch *scratch_new(const char *variable);
/* Drops the database, whoever is still connected. */
void scratch_free(Scratch *scratch);

G_GNUC_PRINTF(2, 3) void scratch_run(Scratch *scratch, const char *format, ...);
/* The first value of the answer; NULL for null and no row (g_free). */
G_GNUC_PRINTF(2, 3) char *scratch_ask(Scratch *scratch, const char *format, ...);
G_GNUC_PRINTF(2, 3) gint64 scratch_number(Scratch *scratch, const char *format, ...);
