/*
 * Copy, then replay over (R4), and reads with bounds (R5).
 *
 * A source of two keys. A commit enters the log; it becomes visible to reads and durable on the disk later, in
 * any order; its keys are locked until it is visible. Only what is durable is streamed. The source may
 * crash once: then what was not durable is gone, and the rest is visible.
 *
 * The copy fixes P0, then reads each key (a chunk) in the snapshot exported with P0, or, once that is lost,
 * in a new one; it may be killed anywhere. Apply begins when the copy is done and replays everything after
 * P0, as full images. Every value is written once, so that rows tell where they come from.
 *
 * bug P0_FROM_LOG_END: P0 is the end of the log, while commits before it are not visible yet
 * bug P0_AFTER_CHUNK: P0 is fixed when the first chunk was read
 * bug APPLY_EARLY: apply begins before the copy is done
 * bug SKIP_BELOW_HIGH: apply begins at the highest HIGH: the copy has everything up to there
 * bug HIGH_BEFORE_READ: HIGH is taken before the read
 * bug HIGH_NOT_FLUSHED: a chunk commits before HIGH is durable on the source
 * bug CONSISTENT_LAST_HIGH: the target counts as consistent past the HIGH of the chunk that was copied last
 * bug LEDGER_OUTSIDE: rows commit first, their line of the ledger in a transaction of its own
 * deep COMMITS=4
 */
#ifndef COMMITS
#define COMMITS 3
#endif
#define KEYS 2

mtype = { PUT, DELETE, MOVE };

typedef Entry {
    mtype op;
    byte key;
    byte value
};

/* The source: what is logged, and what a new read sees. 0: no row. */
Entry log[COMMITS + 1]; /* from 1 */
byte length;
byte durable;
byte row[KEYS];     /* after all commits of the log */
byte before[KEYS];  /* where its last commit is not visible: the row before it */
byte unseen[KEYS];  /* that commit; 0: all are visible */
byte first[KEYS];   /* the rows before the log */
byte fresh = 3;
byte commits; /* those that a crash has undone as well */
bool crashed, source_rests;

#define visible(k) (unseen[k] > 0 -> before[k] : row[k])
#define all_visible (unseen[0] == 0 && unseen[1] == 0)

/* The migration. */
byte start;           /* P0 */
bool started;
byte exported[KEYS];
bool has_export;
bool broken[KEYS];    /* the session of a chunk's read ended with the source */
byte high;            /* of all chunks */
byte copies[KEYS];    /* rows that were written into a table which has no key yet */
byte done;            /* chunks, in the ledger */
byte target[KEYS];
byte progress;
byte exact[KEYS];     /* the source's rows at `progress` */
bool killed;          /* the copy was, once */
bool settled;

#define copied (done == KEYS)
#define may_die (started && !killed)
#define cover(what, condition) if :: condition -> printf(what) :: else fi

#define change(rows, e)                                                                     \
    if                                                                                      \
    :: log[e].op == PUT -> rows[log[e].key] = log[e].value                                  \
    :: log[e].op == DELETE -> rows[log[e].key] = 0                                          \
    :: log[e].op == MOVE -> rows[log[e].key] = 0; rows[1 - log[e].key] = log[e].value       \
    fi

proctype Source()
{
    byte k, e;
    do
    :: atomic {
           commits < COMMITS && (unseen[0] == 0 || unseen[1] == 0) ->
           if
           :: unseen[0] == 0 -> k = 0
           :: unseen[1] == 0 -> k = 1
           fi;
           commits++;
           length++;
           if
           :: log[length].op = PUT
           :: row[k] > 0 -> log[length].op = DELETE
           :: row[k] > 0 && row[1 - k] == 0 && unseen[1 - k] == 0 -> log[length].op = MOVE
           fi;
           log[length].key = k;
           if
           :: log[length].op != DELETE -> log[length].value = fresh; fresh++
           :: else
           fi;
           if
           :: true
           :: before[k] = row[k]; unseen[k] = length;
              if
              :: log[length].op == MOVE -> before[1 - k] = row[1 - k]; unseen[1 - k] = length
              :: else
              fi
           fi;
           change(row, length);
           k = 0
       }
    :: d_step { unseen[0] > 0 ->
           if
           :: unseen[1] == unseen[0] -> unseen[1] = 0; before[1] = 0
           :: else
           fi;
           unseen[0] = 0; before[0] = 0
       }
    :: d_step { unseen[1] > 0 && unseen[1] != unseen[0] -> unseen[1] = 0; before[1] = 0 }
    :: d_step { durable < length -> durable = length }
    :: d_step { !crashed && durable < length ->
           crashed = true;
           broken[0] = true; broken[1] = true;
           has_export = false;
           for (e : durable + 1 .. length) {
               log[e].op = 0; log[e].key = 0; log[e].value = 0
           }
           length = durable;
           row[0] = first[0]; row[1] = first[1];
           for (e : 1 .. length) {
               change(row, e)
           }
           e = 0;
           unseen[0] = 0; unseen[1] = 0; before[0] = 0; before[1] = 0
       }
    :: commits == COMMITS && durable == length && all_visible -> source_rests = true; break
    od
}

proctype Start()
{
    atomic {
#ifndef P0_FROM_LOG_END
        all_visible -> /* the slot waits for open transactions */
#endif
        d_step {
            start = length;
            durable = length;
            exported[0] = visible(0); exported[1] = visible(1);
            exact[0] = row[0]; exact[1] = row[1];
            started = true;
            has_export = true
        }
    }
}

#define same(a, b) (a[0] == b[0] && a[1] == b[1])
#define at_least(a, b) ((a) > (b) -> (a) : (b))
#ifdef CONSISTENT_LAST_HIGH
#define highest(a) (a)
#else
#define highest(a) at_least(a, high)
#endif

/* A worker of the copy, and its chunk. Whatever goes wrong before the commit leaves it to be done again. */
proctype Copy(byte k)
{
    byte value, above;
#ifndef P0_AFTER_CHUNK
    started;
#endif
again:
#ifdef HIGH_BEFORE_READ
    above = length;
#endif
    atomic {
        broken[k] = false;
        if
        :: has_export -> value = exported[k]; above = start
        :: else ->
            value = visible(k);
#ifndef HIGH_BEFORE_READ
            above = length;
#endif
            cover("a read that does not see a commit that is streamed already", unseen[k] > 0 && unseen[k] <= durable)
        fi
    }
    started;
    do
    :: atomic {
           broken[k] -> /* the source was restarted under the read */
           cover("a read of a row that the crash has undone", value != row[k] && above > length);
           goto again
       }
    :: may_die -> killed = true; has_export = false; goto again
    :: d_step {
           !broken[k] ->
#ifndef HIGH_NOT_FLUSHED
           durable = at_least(above, durable);
#endif
           copies[k]++;
           target[k] = value;
#ifdef LEDGER_OUTSIDE
       };
       break
    od;
    do
    :: may_die -> killed = true; has_export = false; goto again
    :: d_step {
           true ->
#endif
           high = highest(above);
           value = 0; above = 0;
           assert(copies[k] == 1); /* nothing twice in a table without a key */
           done++
       };
       break
    od
}

/* What apply makes of the log does not depend on when it reads it: it runs last. */
proctype Apply()
{
#ifdef APPLY_EARLY
    started;
#else
    copied && source_rests;
#endif
    atomic {
        cover("a row that moved, in no chunk", target[0] == 0 && target[1] == 0 && length == 2 && log[2].op == MOVE);
        cover("a row that moved, in both chunks", target[0] == 1 && target[1] > 2 && log[length].op == MOVE);
        cover("commits that no chunk has seen", high < length);
        cover("one chunk exported, one not", target[0] == exported[0] && target[1] != exported[1] && high > start);
        progress = start;
#ifdef SKIP_BELOW_HIGH
        do
        :: progress < high -> progress++; change(exact, progress)
        :: else -> break
        od;
#endif
    }
    do
    :: d_step {
           progress < durable ->
           progress++;
           change(target, progress);
           change(exact, progress);
           assert(!copied || progress < high || same(target, exact)) /* consistent */
       }
    :: progress == durable && source_rests && copied -> break
    od;
    assert(same(target, row)); /* in the end both sides are equal */
    settled = true
}

init
{
    d_step { row[0] = 1; row[1] = 2; first[0] = 1; first[1] = 2 }
    atomic { run Source(); run Start(); run Copy(0); run Copy(1); run Apply() }
}

#ifdef LTL
ltl settles { <> settled }
#endif
