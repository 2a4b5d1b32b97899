/*
 * Capture: from the source's log to the bus, and who may write there (R1, R3; R2 for its readers).
 *
 * The source has TXS transactions. CAPTURES captures take epochs 1, 2, ... when they like; the ones before
 * are not told: they may be killed, or stand still and go on writing when they wake. The bus is a plain
 * log without a fence: what any of them has sent lands sooner or later, in its own order but at any time,
 * also after a claim of a higher epoch, also after its sender's death; or it is lost with everything that
 * was sent after it. Whoever reads must make sense of that. One capture loses its connection and starts
 * again in the same process, with the same epoch.
 *
 * A transaction has up to two parts, each a record; one of the transactions has none, since nothing of it
 * is captured. A position is the number of a transaction.
 *
 * bug ACK_EARLY: what was sent to the bus is acknowledged before it is known to be there
 * bug ACK_BLIND: the bus has it, but nobody looked whether a claim came before it
 * bug ACK_PART: the position of a transaction is acknowledged after its first part
 * bug KEEPALIVE_IN_FLIGHT: a keepalive's position counts while a transaction is arriving
 * bug NO_EPOCH_CHECK: readers take records of lower epochs after a claim
 * bug NO_CLAIM: a new capture reads the bus without having claimed it
 * bug CLAIM_KEEPS: a claim does not void the transaction that is not complete
 * bug RESUME_INSIDE: a new capture goes on behind the last part instead of the last commit
 * bug REUSE_EPOCH: a capture starts again with its epoch while records of its old connection are on the way
 * bug FORGET_EPOCH: apply starts again without knowing which epoch was claimed
 * bug NO_SKIP: readers take a transaction that they have already
 * deep CAPTURES=3 FLIGHT=1 TXS=1
 * liveness FLIGHT=1
 */
#ifndef CAPTURES
#define CAPTURES 2
#endif
#ifndef FLIGHT
#define FLIGHT 2 /* records on the way */
#endif
#ifndef TXS
#define TXS 3
#endif
#define parts(t) ((t) == 1 -> 2 : ((t) == 2 -> 0 : 1))

#define QUEUES (CAPTURES + 2) /* one for each capture, the last for the one that starts again */
#define LOG 20

mtype = { CLAIM, PART, MARK };

typedef Record {
    mtype kind;
    byte epoch;
    byte position; /* of its transaction, or of the mark */
    byte part
};
Record rec[LOG]; /* the bus, as durable */
byte length;

chan flight[QUEUES] = [FLIGHT] of { mtype, byte, byte };
byte sender[QUEUES]; /* the epoch of who sends there; 0: nobody */
bool cut[QUEUES];    /* its sender is gone */

byte epochs;       /* given in the target */
byte slot;         /* the epoch that reads the source's log; 0: nobody */
byte acknowledged; /* what the source may have forgotten */
byte running = CAPTURES;
bool again; /* one capture has started again */

/* What readers of the bus make of a record: apply and whoever resumes. */
byte claimed;   /* the highest epoch of a claim */
byte seen;      /* everything at or below is with the reader */
byte next_part; /* of the transaction behind `seen`; 0: none is open */
byte open;      /* that transaction */
byte got;       /* bit t: transaction t was taken */

#define all_got ((1 << 1) | (TXS == 3 -> 1 << 3 : 0))

/* Nothing between `seen` and p would be missed. */
#define no_gap(p) ((p) <= seen + 1 || ((p) == seen + 2 && parts(seen + 1) == 0))

inline finish()
{
    next_part = 0;
    if
#ifndef NO_SKIP
    :: open <= seen
#endif
    :: else ->
        assert(no_gap(open));
        assert((got & (1 << open)) == 0); /* nothing twice */
        got = got | (1 << open);
        seen = open
    fi
}

inline take(r)
{
    if
#ifndef NO_EPOCH_CHECK
    :: rec[r].epoch < claimed
#endif
    :: else ->
        if
        :: rec[r].kind == CLAIM ->
            claimed = rec[r].epoch;
#ifndef CLAIM_KEEPS
            next_part = 0
#endif
        :: rec[r].kind == MARK ->
            if
            :: rec[r].position > seen ->
                assert(no_gap(rec[r].position) && parts(rec[r].position) == 0);
                seen = rec[r].position
            :: else
            fi
        :: rec[r].kind == PART ->
            assert(rec[r].part == next_part); /* else the bus is broken: take_part */
            assert(next_part == 0 || open == rec[r].position);
            open = rec[r].position;
            next_part++;
            if
            :: next_part == parts(open) -> finish()
            :: else
            fi
        fi
    fi
}

#define forget_reading claimed = 0; seen = 0; next_part = 0; open = 0; got = 0

/* Where a reader of the whole bus stands. */
inline read_all()
{
    forget_reading;
    for (i : 0 .. length - 1) {
        take(i)
    }
}

inline append(q)
{
    flight[q] ? kind, position, part;
    rec[length].kind = kind;
    rec[length].epoch = sender[q];
    rec[length].position = position;
    rec[length].part = part;
    length++
}

#define sent_all(q) empty(flight[q])
/* Somebody with a higher epoch is still to come, so that somebody ends the work. */
#define may_die (epochs < CAPTURES)

proctype Capture()
{
    byte e;        /* its epoch */
    byte q;        /* its connection to the bus */
    byte received; /* the last transaction that came wholly, or that has nothing for the bus */
    byte part;     /* of the one after it, the next part */
    byte recorded; /* the last position that was sent to the bus */
    byte durable;  /* the last position that the bus is known to hold */
    byte i;
    bool fenced;

    atomic { epochs++; e = epochs; q = e }
start:
    sender[q] = e;
#ifndef NO_CLAIM
    flight[q] ! CLAIM, 0, 0;
    if
    :: sent_all(q)
    :: may_die -> goto stop
    fi;
#endif
    /* resume_find: up to the claim, the position of the last commit or mark that counts */
    d_step {
        claimed = 0;
        recorded = 0;
        for (i : 0 .. length - 1) {
            if
            :: rec[i].epoch < claimed
            :: else ->
                if
                :: rec[i].kind == CLAIM -> claimed = rec[i].epoch
                :: rec[i].kind == MARK -> recorded = rec[i].position
                :: rec[i].kind == PART && rec[i].part == parts(rec[i].position) - 1 ->
                    recorded = rec[i].position;
                    part = 0
                :: else ->
#ifdef RESUME_INSIDE
                    part = 1
#endif
                fi
            fi
        }
        fenced = (claimed > e);
        i = 0;
        claimed = 0;
        received = recorded;
        durable = recorded
    }
    if
    :: fenced -> goto stop
    :: else
    fi;
    /* stream_start: a take-over ends the session of who has the slot */
    atomic {
        slot < e ->
        if
        :: acknowledged > recorded ->
            assert(epochs > e); /* else changes are missed for ever: it only has woken too late */
            goto stop
        :: else -> slot = e
        fi
    }
    do
    :: received == TXS && part == 0 && acknowledged == TXS -> break
    :: received < TXS && parts(received + 1) == 0 -> received++
    :: received < TXS && parts(received + 1) > 0 && nfull(flight[q]) ->
        atomic {
            flight[q] ! PART, received + 1, part;
            part++;
#ifdef ACK_PART
            recorded = received + 1;
#endif
            if
            :: part == parts(received + 1) -> part = 0; received++; recorded = received
            :: else
            fi
        }
    /* Nothing in flight, and the position moved without an event: a mark. */
#ifdef KEEPALIVE_IN_FLIGHT
    :: part > 0 && nfull(flight[q]) -> atomic { flight[q] ! MARK, received + 1, 0; recorded = received + 1 }
#endif
    :: part == 0 && received > recorded && nfull(flight[q]) ->
        atomic { flight[q] ! MARK, received, 0; recorded = received }
    /* outbox_flush: what was sent is there, and no claim of a higher epoch came before it */
#ifdef ACK_EARLY
    :: recorded > durable -> durable = recorded
#else
    :: d_step {
           recorded > durable && sent_all(q) ->
#ifndef ACK_BLIND
           for (i : 0 .. length - 1) {
               if
               :: rec[i].kind == CLAIM && rec[i].epoch > e -> fenced = true
               :: else
               fi
           }
           i = 0;
#endif
           if
           :: fenced
           :: else -> durable = recorded
           fi
       }
        if
        :: fenced -> break
        :: else
        fi
#endif
    :: d_step {
           durable > acknowledged && slot == e ->
           acknowledged = durable;
           read_all();
           assert(acknowledged <= seen); /* R1: whoever reads the bus now finds all of it */
           forget_reading;
           i = 0
       }
    :: slot > e -> break /* the session was ended */
    :: may_die -> break
    :: d_step { !again && slot == e -> again = true; slot = 0 } /* the connection broke */
#ifndef REUSE_EPOCH
        sent_all(q);
#endif
        d_step { cut[q] = true; q = QUEUES - 1; received = 0; part = 0; recorded = 0; durable = 0 }
        goto start
    od;
stop:
    atomic {
        cut[q] = true;
        if
        :: slot == e -> slot = 0
        :: else
        fi;
        running--
    }
}

/* What was sent lands, or is lost where its sender is gone. */
proctype Transport(byte q)
{
    mtype kind;
    byte position, part;
end:
    do
    :: atomic { nempty(flight[q]) -> append(q); kind = 0; position = 0; part = 0 }
    :: atomic {
           nempty(flight[q]) && cut[q] ->
           do
           :: nempty(flight[q]) -> flight[q] ? kind, position, part
           :: empty(flight[q]) -> break
           od;
           kind = 0; position = 0; part = 0
       }
    od
}

bool settled, apply_killed;

#define is(r, k, e, p) (rec[r].kind == k && rec[r].epoch == e && rec[r].position == p)

#define cover(what, condition) if :: condition -> printf(what) :: else fi

/* Apply reads the bus to its end; killed once, it goes on behind what it had committed. What it makes of
 * the bus does not depend on when it reads, so it reads last. */
init
{
    byte i, c_i, c_claimed, c_seen, c_got, b_i, b_claimed;

    atomic {
        for (i : 1 .. CAPTURES) {
            run Capture()
        }
        for (i : 1 .. QUEUES - 1) {
            run Transport(i)
        }
        i = 0
    }
    running == 0;
    for (i : 1 .. QUEUES - 1) {
        empty(flight[i])
    }
    atomic {
        i = 0;
        do
        :: i < length ->
            d_step {
                take(i);
                i++;
                if
                :: next_part == 0 -> /* committed */
                    b_i = c_i; b_claimed = c_claimed;
                    c_i = i; c_claimed = claimed;
                    c_seen = seen; c_got = got
                :: else
                fi
            }
        :: i < length && !apply_killed ->
            /* A record that begins another transaction as well is read again. */
            if
            :: i = c_i; claimed = c_claimed
            :: i = b_i; claimed = b_claimed
            fi;
            d_step {
                apply_killed = true;
                seen = c_seen; got = c_got;
                next_part = 0; open = 0;
#ifdef FORGET_EPOCH
                claimed = 0;
#endif
            }
        :: i == length -> break
        od;
        i = 0; c_i = 0; c_claimed = 0; c_seen = 0; c_got = 0; b_i = 0; b_claimed = 0
    }
    assert(seen == TXS && got == all_got); /* nothing lost */
    atomic {
        cover("a take-over inside a transaction", is(1, PART, 1, 1) && is(2, CLAIM, 2, 0));
        cover("a part that landed after a claim", is(2, CLAIM, 2, 0) && is(3, PART, 2, 1) && is(4, PART, 1, 1));
        cover("a commit that landed after a claim", is(1, CLAIM, 2, 0) && is(3, PART, 1, 1) && rec[3].part == 1);
        cover("a claim that landed after a higher one", is(0, CLAIM, 2, 0) && is(1, CLAIM, 1, 0));
        cover("the new capture goes on behind the old one's commit", is(3, CLAIM, 2, 0) && is(4, PART, 2, 3));
        cover("a position without events", is(3, MARK, 1, 2));
        cover("the same epoch again inside a transaction", is(1, PART, 1, 1) && is(2, CLAIM, 1, 0));
        cover("apply starts again between stale records", apply_killed && is(2, CLAIM, 2, 0) && is(3, PART, 1, 1))
    }
    settled = true
}

#ifdef LTL
ltl settles { <> settled }
#endif
