/*
 * Progress: rows and progress commit together, and only for the newest epoch (R2, R3).
 *
 * Workers apply EVENTS events to one target. Any number of them live at once: each takes its epoch when
 * it likes, the ones before it are not told and go on when they wake. A worker may be killed at any
 * instant, and the answer to a commit may be lost whether or not the server has committed. Counting
 * how often each event was applied shows both losses and repetitions.
 *
 * The target is a database with row locks: whoever changed the progress row keeps others who want to
 * change it waiting, until it commits or its session ends.
 *
 * bug PROGRESS_OUTSIDE: rows commit first, progress in a transaction of its own
 * bug PROGRESS_FIRST: progress commits first, rows in a transaction of their own
 * bug NO_EPOCH_CHECK: the transaction's first statement does not compare epochs
 * bug CHECK_UNLOCKED: the epoch is looked at before the transaction, by a statement that locks nothing
 * bug READ_EARLY: progress is read before the epoch is taken
 * bug COMMIT_UNKNOWN: a lost answer to a commit is taken for a rollback
 * deep WORKERS=4
 */
#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef EVENTS
#define EVENTS 3
#endif

/* The target, as committed. */
byte lease;               /* drover.lease: the highest epoch given */
bool registered;          /* drover.progress has the worker's row */
byte epoch;               /* in that row */
byte progress;            /* in that row */
byte applied[EVENTS + 1]; /* times that an event's rows were written */
byte locked;              /* the epoch whose transaction has changed that row; 0: nobody */

byte ended; /* workers */
#define settled (ended == WORKERS)

#define cover(what, condition) if :: condition -> printf(what) :: else fi

inline commit_rows(from, to)
{
    for (i : from + 1 .. to) {
        applied[i]++;
        assert(applied[i] == 1); /* nothing twice */
    }
}

/* One more will come after it, so that somebody ends the work. */
#define may_die (lease < WORKERS)

proctype Worker()
{
    byte mine, from, to, i;

#ifdef READ_EARLY
    from = progress;
#endif
    /* control_take_role */
    atomic {
        locked == 0 ->
        lease++;
        mine = lease;
        if
        :: registered -> epoch = mine
        :: else
        fi
    }
    /* control_worker_register */
    atomic {
        locked == 0 ->
        if
        :: lease > mine -> printf("taken over before it has registered"); goto stop
        :: else -> registered = true; epoch = mine
        fi
    }
again:
#ifndef READ_EARLY
    from = progress; /* control_progress_get */
#endif
    do
    :: from == EVENTS -> break
    :: may_die -> goto stop
    :: from < EVENTS ->
        /* control_write_begin: locks the row, then compares its epoch */
#ifdef CHECK_UNLOCKED
        if
        :: epoch != mine -> goto stop
        :: else
        fi;
        atomic { locked == 0 -> locked = mine }
#else
        atomic {
            locked == 0 ->
            if
#ifndef NO_EPOCH_CHECK
            :: epoch != mine ->
                cover("refused, with progress of its own", from > 0 && from < progress);
                goto stop
#endif
            :: else -> locked = mine
            fi
        }
#endif
        select(to : from + 1 .. EVENTS); /* the batch; rows are written, not committed */
        if
        :: may_die -> /* killed: the server rolls back */
            atomic { cover("killed inside a transaction", progress > 0); locked = 0; goto stop }
        :: true
        fi;
#if defined(PROGRESS_OUTSIDE)
        atomic { commit_rows(from, to); locked = 0 }
        if
        :: may_die -> goto stop
        :: true
        fi;
        atomic { locked == 0 -> progress = to }
#elif defined(PROGRESS_FIRST)
        progress = to;
        if
        :: may_die -> atomic { locked = 0; goto stop }
        :: true
        fi;
        atomic { commit_rows(from, to); locked = 0 }
#else
        atomic { commit_rows(from, to); progress = to; locked = 0 } /* control_commit */
#endif
        if
        :: from = to
        :: may_die -> /* the connection broke on the way back: start again from what is there */
            printf("a commit without an answer");
#ifdef COMMIT_UNKNOWN
            skip
#else
            goto again
#endif
        fi
    od;
stop:
    ended++
}

init
{
    byte n;
    atomic {
        for (n : 1 .. WORKERS) {
            run Worker()
        }
    }
    settled;
    assert(progress == EVENTS);
    for (n : 1 .. EVENTS) {
        assert(applied[n] == 1) /* nothing lost */
    }
}

#ifdef LTL
ltl settles { <> settled }
#endif
