/*
 * Segments: a transaction that is streamed while it is open (the bus of R1 to R3, R9).
 *
 * X is a large transaction: row A, then row B in a subtransaction, which may be rolled back and then is row C.
 * The source sends it in segments while it is open. When the subtransaction is rolled back, and whenever
 * a stream is begun again, it sends X again from its first row, cut otherwise and with other rows. X then
 * commits or is rolled back. Y, small, commits while X is open and is taken at once.
 *
 * Captures write segments under a number. X's commit record names its epoch, the first of its segments,
 * their count and their digest: only those are real. A capture may die, may be taken over and go on
 * writing, may stream again with the same epoch after a claim of its own. The bus is a plain log: a stale
 * capture's records land among the others.
 *
 * Apply holds no segment across a crash: it reads again from its reading point, which does not pass the
 * first segment of an open transaction. What is before it is trimmed from the bus.
 *
 * bug ABANDONED_SEGMENTS: apply takes every segment of X that it has read since its last claim
 * bug FIRST_KEPT: after a rollback of a subtransaction the old first segment is still named as the first
 * bug NUMBER_ALONE: segments are known by number alone, and a claim does not void them
 * bug NO_EPOCH_CHECK: readers take records of lower epochs after a claim
 * bug TRIM_OPEN: the reading point goes on with Y's commit although X is open
 * bug NO_SKIP: Y is taken again when it is read again
 * bug ABORT_UNTOLD: nobody tells apply that X was rolled back
 * bug WRITTEN_OPEN: apply writes segments as they come, before X has committed
 * deep STALE=2
 * liveness STALE=0
 */
#ifndef CAPTURES
#define CAPTURES 2
#endif
#ifndef STALE
#define STALE 1 /* records at most that land after a claim of a higher epoch */
#endif
#define LOG 24

#define A 1
#define B 2
#define C 4
/* All rows of X for who knows, or does not know, of the rollback; its first part and its second one. */
#define rows(known) ((known) -> A | C : A | B)
#define half(known, n) ((n) == 0 -> A : ((known) -> C : B))

mtype = { CLAIM, SEGMENT, Y_COMMIT, X_COMMIT, X_ABORT };
mtype = { OPEN, COMMITTED, ABORTED };

typedef Record {
    mtype kind;
    byte epoch;
    byte number;   /* SEGMENT; X_COMMIT: of the first segment */
    byte segments; /* X_COMMIT */
    byte rows      /* SEGMENT; X_COMMIT: the digest */
};
Record rec[LOG];
byte length;

/* The source. */
bool rolled;    /* the subtransaction is */
mtype x = OPEN; /* Y has committed */

byte epochs;
byte top;   /* the highest epoch that was claimed on the bus */
byte stale;
byte slot; /* the epoch that reads the source's log */
byte running = CAPTURES;
bool again;

inline append(k, n, s, r)
{
    assert(length < LOG);
    rec[length].kind = k;
    rec[length].epoch = e;
    rec[length].number = n;
    rec[length].segments = s;
    rec[length].rows = r;
    length++;
    if
    :: e < top -> stale++
    :: else
    fi
}

#define may_write (e >= top || stale < STALE)

#define may_die (epochs < CAPTURES && !again) /* somebody else will end the work */

proctype Source()
{
    do
    :: !rolled -> rolled = true
    :: x = COMMITTED; break
    :: x = ABORTED; break
    od
}

proctype Capture()
{
    byte e;
    byte seen;   /* 1: Y is on the bus, 2: X is */
    byte next;   /* number of the next segment */
    byte first;  /* of X as it is being sent */
    byte sent;   /* halves of X */
    bool known;  /* the rollback, to who sends them */
    byte digest; /* rows that were sent */
    byte claimed, i;

    atomic {
        if
        :: again && epochs > 0 -> goto stop
        :: else -> epochs++; e = epochs
        fi
    }
start:
    atomic {
        if
        :: may_write ->
            append(CLAIM, 0, 0, 0);
            top = (e > top -> e : top)
        :: else -> goto stop
        fi
    }
    d_step {
        claimed = 0;
        for (i : 0 .. length - 1) {
            if
            :: rec[i].epoch < claimed
            :: else ->
                if
                :: rec[i].kind == CLAIM -> claimed = rec[i].epoch
                :: rec[i].kind == Y_COMMIT -> seen = 1
                :: rec[i].kind == X_COMMIT || rec[i].kind == X_ABORT -> seen = 2
                :: else
                fi
            fi
        }
        i = 0
    }
    if
    :: claimed > e || slot > e -> goto stop
    :: else
    fi;
    atomic {
        claimed = 0;
        known = rolled;
        if
        :: slot < e -> slot = e
        :: else
        fi
    }
    do
    :: seen == 2 -> break
    :: may_write && seen == 0 -> atomic { append(Y_COMMIT, 0, 0, 0); seen = 1 }
    /* X from its first row: the source has seen the rollback */
    :: sent > 0 && rolled && !known ->
        d_step {
            known = true; sent = 0;
#ifndef FIRST_KEPT
            digest = 0;
            first = next
#endif
        }
    :: may_write && sent == 0 && x != ABORTED && (e > 1 || again || rolled) -> /* in one piece */
        atomic { known = rolled; digest = digest | rows(known); append(SEGMENT, next, 0, rows(known)); next++; sent = 2 }
    :: may_write && sent < 2 && x != ABORTED && known == rolled ->
        atomic { digest = digest | half(known, sent); append(SEGMENT, next, 0, half(known, sent)); next++; sent++ }
    :: may_write && seen == 1 && x == COMMITTED && sent == 2 && known == rolled ->
        atomic { append(X_COMMIT, first, next - first, digest); seen = 2 }
    :: may_write && seen == 1 && x == ABORTED ->
#ifndef ABORT_UNTOLD
        atomic { append(X_ABORT, 0, 0, 0) };
#endif
        seen = 2
    :: slot > e -> break
    :: may_die -> break
    :: slot == e && may_die -> /* the connection broke: no other will come */
        again = true;
        d_step { next = 0; first = 0; sent = 0; known = false; digest = 0; seen = 0 }
        goto start
    od;
stop:
    atomic { seen = 0; next = 0; first = 0; sent = 0; known = false; digest = 0; claimed = 0; running-- }
}

/* Apply. */
byte claimed;
byte seen;     /* 1: Y was taken, 2: X is decided */
byte open_at;  /* 1 + the place of X's first segment; 0: X is not open */
byte applied;  /* rows of X */
byte counted;  /* segments of the commit that were found */
byte collected; /* their rows */
bool killed, settled;

#define in_range(j, i) (rec[j].number >= rec[i].number && rec[j].number < rec[i].number + rec[i].segments)
#if defined(ABANDONED_SEGMENTS)
#define is_real(j, i) true
#elif defined(NUMBER_ALONE)
#define is_real(j, i) in_range(j, i)
#else
#define is_real(j, i) (in_range(j, i) && rec[j].epoch == rec[i].epoch)
#endif

inline take_commit(i)
{
    counted = 0;
    collected = 0;
    if
    :: open_at > 0 ->
        for (j : open_at - 1 .. i - 1) {
            if
            :: rec[j].kind == SEGMENT && rec[j].epoch >= claimed && is_real(j, i) ->
                assert((collected & rec[j].rows) == 0); /* nothing twice */
                collected = collected | rec[j].rows;
                counted++
            :: else
            fi
        }
    :: else
    fi;
    assert(counted == rec[i].segments && collected == rec[i].rows); /* nothing lost */
    applied = applied | collected;
    j = 0; counted = 0; collected = 0
}

inline take(i)
{
    if
#ifndef NO_EPOCH_CHECK
    :: rec[i].epoch < claimed
#endif
    :: else ->
        if
        :: rec[i].kind == CLAIM ->
            claimed = rec[i].epoch;
#ifndef NUMBER_ALONE
            open_at = 0
#endif
        :: rec[i].kind == SEGMENT && seen < 2 ->
            if
            :: open_at == 0 -> open_at = i + 1
            :: else
            fi;
#ifdef WRITTEN_OPEN
            applied = applied | rec[i].rows
#endif
        :: rec[i].kind == Y_COMMIT ->
            if
#ifndef NO_SKIP
            :: seen >= 1
#endif
            :: else -> assert(seen == 0); seen = 1
            fi
        :: rec[i].kind == X_COMMIT && seen < 2 -> assert(seen == 1); take_commit(i); seen = 2; open_at = 0
        :: rec[i].kind == X_ABORT && seen < 2 -> assert(seen == 1); seen = 2; open_at = 0
        :: else
        fi
    fi
}

#define is(i, k, ep) (rec[i].kind == k && rec[i].epoch == ep)
#define cover(what, condition) if :: condition -> printf(what) :: else fi

/* Apply reads the bus to its end: what it makes of it does not depend on when. */
init
{
    byte i, j, c_i, c_claimed, c_seen, c_applied;

    atomic {
        run Source();
        for (i : 1 .. CAPTURES) {
            run Capture()
        }
        i = 0
    }
    running == 0 && x != OPEN;
    atomic {
        do
        :: i < length ->
            d_step {
                take(i);
                i++;
                /* committed, and trimmed up to the reading point */
#ifdef TRIM_OPEN
                c_i = i;
#else
                c_i = (open_at > 0 -> open_at - 1 : i);
#endif
                c_claimed = claimed; c_seen = seen; c_applied = applied
            }
        :: i < length && !killed ->
            d_step {
                killed = true;
                i = c_i; claimed = c_claimed; seen = c_seen; applied = c_applied; open_at = 0
            }
        :: i == length -> break
        od;
        assert(seen == 2);
        assert(applied == (x == COMMITTED -> rows(rolled) : 0));
        assert(c_i == length); /* nothing stays on the bus for ever */
        cover("sent again after a rollback", x == COMMITTED && is(2, SEGMENT, 1) && rec[2].rows == B && is(3, SEGMENT, 1));
        cover("abandoned by a take-over", x == COMMITTED && is(1, SEGMENT, 1) && is(2, CLAIM, 2) && is(3, SEGMENT, 2));
        cover("cut otherwise", is(1, SEGMENT, 1) && is(2, SEGMENT, 1) && is(3, CLAIM, 2) && rec[4].rows == (A | C));
        cover("a stale segment among the others", is(1, CLAIM, 2) && is(2, SEGMENT, 2) && is(3, SEGMENT, 1) && is(4, SEGMENT, 2));
        cover("a stale commit", is(4, CLAIM, 2) && is(5, X_COMMIT, 1));
        cover("streamed again with the same epoch", again && is(1, SEGMENT, 1) && is(2, CLAIM, 1) && is(3, SEGMENT, 1));
        cover("rolled back after segments", x == ABORTED && is(1, SEGMENT, 1));
        cover("killed with X open", killed && is(1, SEGMENT, 1) && is(2, Y_COMMIT, 1) && is(3, SEGMENT, 1));
        i = 0; c_i = 0; c_claimed = 0; c_seen = 0; c_applied = 0
    }
    settled = true
}

#ifdef LTL
ltl settles { <> settled }
#endif
