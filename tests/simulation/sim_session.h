/*
 * What the two files of the simulated source share; nobody else includes it.
 */
#pragma once

#include "tests/simulation/process.h"
#include "tests/simulation/sim_source.h"

/* The server's side of a stream; lives on when its client was killed. */
typedef struct SimStream {
    bool abandoned;   /* its client was killed */
    bool ended;       /* by the server */
    guint on_the_way; /* events that an ended stream still hands out */
    guint entry;      /* of the log, that is sent next */
    guint event;      /* of its transaction */
    bool in_transaction;
    guint64 sent; /* everything up to here */
} SimStream;

struct Source {
    Process *owner;
    guint crashes; /* of the database when the session began */
    bool lost;     /* the client knows that the connection is */
    SimStream *stream;
    RowTexts *texts; /* two, of the last event */
    char *resume;    /* of the last event */
    bool reading;
    bool overtaken; /* what was read has changed since, in the log */
    guint locked;   /* bits of tables */
    ReadBounds bounds;
};

bool source_call(Source *source, const char *what, GError **error);
bool source_answer(Source *source, GError **error);

/* sim_stream.c */
bool stream_start(Source *source, const Migration *migration, Position from, const char *resume,
                  bool take_over, GError **error);
StreamResult stream_next(Source *source, int timeout_ms, StreamEvent *event, GError **error);
bool stream_acknowledge(Source *source, Position durable, GError **error);
void stream_close(Source *source);
