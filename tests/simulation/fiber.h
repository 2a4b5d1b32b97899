/*
 * Fiber: a function that can stand still in the middle and be gone on with later. One thread runs
 * all of them, one at a time, so that what they do depends on nothing but who is resumed when.
 */
#pragma once

#include <stdbool.h>

typedef struct Fiber Fiber;

/* Begins to run with the first fiber_resume. */
Fiber *fiber_new(void (*body)(void *user), void *user);
/* Of a fiber whose body has returned. */
void fiber_free(Fiber *fiber);

/* Runs it until it yields or its body returns. Not from inside a fiber. */
void fiber_resume(Fiber *fiber);
/* From inside a fiber: back to whoever resumed it. */
void fiber_yield(void);
bool fiber_is_done(const Fiber *fiber);
/* The user of the fiber that runs; NULL outside of all fibers. */
void *fiber_current_user(void);

/* Gives the stacks that are kept for reuse back. */
void fiber_clear_stacks(void);
