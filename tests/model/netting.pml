/*
 * Netting (R6) and refetch (R7).
 *
 * A source of KEYS keys whose rows have two cells: `a`, written by every event, and `t`, which an update and a
 * change of the key leave unchanged, so that the log does not carry it. Each event is a transaction; it may
 * be in the log before reads see it, and its keys are locked until they do. Every value is the position of
 * the event that wrote it, so that cells tell where they come from.
 *
 * The copy reads each key at some time. Then apply nets batches of any length, written in any number of
 * pieces inside one target transaction. Keys whose rows are not known go to the refetch list; a window
 * reads the listed keys again, with LOW and HIGH. Verify may put a key on the list that is in order. A
 * process may be killed between any two commits of its target, which loses the window.
 *
 * bug REFETCH_DIRECT: the rows of a window are written as soon as they were read
 * bug LOW_FROM_LOG_END: LOW is the end of the log instead of what the read saw
 * bug WINDOW_CUT: a batch ends between LOW and HIGH
 * bug WINDOW_LATE: a window is used although progress is past its LOW
 * bug SETTLE_EARLY: keys leave the list when they were read
 * bug MERGE_OVER_DELETE: a partial image after a delete takes its cell from the target
 * bug CARRY_EARLY: a change of the key takes the old row's cell before the consistent point
 * bug CARRY_NEWER: a change of the key takes the cell of a refetched row that is ahead of the stream
 * bug CARRY_LISTED: a change of the key takes the cell of a row that is on the refetch list
 * bug INSERT_LISTED: a key that is on the refetch list counts as absent from the target
 * bug UNCHANGED_AS_NULL: an unchanged cell is written as null
 * bug MISSING_INSERTED: a partial image that finds no row is inserted as it is, and its key not listed
 * bug INSERT_UNCERTAIN: while refetched rows are in the target transaction it still counts as consistent
 * bug TRUNCATE_KEEPS: a truncation does not forget the images before it
 * deep EVENTS=4 REPAIRS=0
 * liveness EVENTS=2
 */
#ifndef EVENTS
#define EVENTS 3
#endif
#ifndef REPAIRS
#define REPAIRS 1
#endif
#define KEYS 3

mtype = { INSERT, UPDATE, REWRITE, DELETE, MOVE, TRUNCATE };

typedef Event {
    mtype op;
    byte key;
    byte to /* MOVE: the new key */
};
typedef Row {
    byte a; /* 0: there is no row */
    byte t
};

/* The source. */
Event log[EVENTS + 1]; /* from 1 */
byte length;
Row row[KEYS];
Row before[KEYS];  /* the row before an event that reads do not see yet */
byte unseen[KEYS]; /* that event; 0: none */
bool source_rests;

#define seen_a(k) (unseen[k] > 0 -> before[k].a : row[k].a)
#define seen_t(k) (unseen[k] > 0 -> before[k].t : row[k].t)
#define all_seen (unseen[0] == 0 && unseen[1] == 0 && unseen[2] == 0)
#define null 99

/* The target, as committed. */
Row target[KEYS];
bool listed[KEYS];
byte progress;
byte copies;   /* keys that were copied */
byte copied[KEYS];
byte high;     /* of the copy */
Row exact[KEYS]; /* the source's rows at `progress` */

#define consistent (progress >= high)

/* The window. */
bool is_open;
bool has_high;
byte window_low, window_high;
bool wanted_key[KEYS];
Row window[KEYS];

/* The batch: what is known of a key. */
mtype = { NOTHING, GONE, IMAGE };
mtype kind[KEYS];
Row image[KEYS];  /* t 0: unchanged */
byte base[KEYS];  /* 1 + the key whose row has the unchanged cell; 0: none is needed */
bool fresh[KEYS]; /* the key was not in the target before the batch */
byte newer[KEYS]; /* a refetched image is ahead of the stream up to here */
bool wanted[KEYS];
bool truncated;
bool exactly;     /* the target, as the open transaction sees it, is at the stream's position */
bool injected, settled_window;
Row next[KEYS];   /* the target in the open transaction */
bool next_listed[KEYS];

byte repairs;
bool killed, settled;

/* What a batch has met, for the covers. */
#define MET_DELETE 1   /* a partial image after a delete */
#define MET_MISSING 2  /* a partial image that found no row */
#define MET_ROW 4      /* a change of the key that took its cell from the target */
#define MET_IMAGE 8    /* ... or from an image of the batch */
#define MET_NEWER 16   /* ... or could not, from a refetched image */
#define MET_LISTED 32  /* ... or could not, from a row in doubt */
#define MET_BETWEEN 64 /* a refetched row came in between two events of its key */
#define MET_PIECE 128  /* a piece was written while refetched rows were in it */
#define cover(what, condition) if :: condition -> printf(what) :: else fi

#define copy_row(to, from) to.a = from.a; to.t = from.t
#define no_row(r) r.a = 0; r.t = 0
#define equal(x, y) (x.a == y.a && x.t == y.t)

/* ---- the source ---- */

proctype Source()
{
    mtype o;
    byte k, j, i;
    do
    :: atomic {
           length < EVENTS && (unseen[0] == 0 || unseen[1] == 0 || unseen[2] == 0) ->
           if
           :: unseen[0] == 0
           :: unseen[1] == 0 -> k = 1
           :: unseen[2] == 0 -> k = 2
           fi;
           j = k;
           if
           :: row[k].a == 0 -> o = INSERT
           :: row[k].a > 0 -> o = UPDATE
           :: row[k].a > 0 -> o = REWRITE
           :: row[k].a > 0 -> o = DELETE
           :: row[k].a > 0 && row[0].a == 0 && unseen[0] == 0 -> o = MOVE; j = 0
           :: row[k].a > 0 && row[1].a == 0 && unseen[1] == 0 -> o = MOVE; j = 1
           :: row[k].a > 0 && row[2].a == 0 && unseen[2] == 0 -> o = MOVE; j = 2
           :: k == 0 && all_seen && row[0].a + row[1].a + row[2].a > 0 -> o = TRUNCATE
           fi;
           length++;
           log[length].op = o;
           log[length].key = k;
           log[length].to = j;
           if
           :: true
           :: d_step {
                  for (i : 0 .. KEYS - 1) {
                      if
                      :: i == k || i == j || o == TRUNCATE -> copy_row(before[i], row[i]); unseen[i] = length
                      :: else
                      fi
                  }
                  i = 0
              }
           fi;
           if
           :: o == INSERT || o == REWRITE -> row[k].a = length; row[k].t = length
           :: o == UPDATE -> row[k].a = length
           :: o == DELETE -> no_row(row[k])
           :: o == TRUNCATE -> no_row(row[0]); no_row(row[1]); no_row(row[2])
           :: o == MOVE -> row[j].a = length; row[j].t = row[k].t; no_row(row[k])
           fi;
           o = 0; k = 0; j = 0
       }
    /* Reads see an event from now on. */
    :: atomic {
           !all_seen ->
           if
           :: unseen[0] > 0 -> j = unseen[0]
           :: unseen[1] > 0 -> j = unseen[1]
           :: unseen[2] > 0 -> j = unseen[2]
           fi;
           d_step {
               for (k : 0 .. KEYS - 1) {
                   if
                   :: unseen[k] == j -> unseen[k] = 0; no_row(before[k])
                   :: else
                   fi
               }
               k = 0; j = 0
           }
       }
    :: length == EVENTS && all_seen -> source_rests = true; break
    od
}

/* ---- the copy ---- */

proctype Copy()
{
    byte k;
    do
    :: atomic {
           copies < KEYS ->
           if
           :: !copied[0]
           :: !copied[1] -> k = 1
           :: !copied[2] -> k = 2
           fi;
           target[k].a = seen_a(k);
           target[k].t = seen_t(k);
           high = length;
           copied[k] = true;
           copies++;
           k = 0
       }
    :: copies == KEYS -> break
    od
}

/* ---- the batch: batch.c ---- */

inline remove_image(k)
{
    kind[k] = GONE; no_row(image[k]); base[k] = 0; wanted[k] = false
}

inline set_image(k, a1, t1)
{
    kind[k] = IMAGE; image[k].a = a1; image[k].t = t1; wanted[k] = false
}

/* A partial image over what is known: an image, or (created) the row in the target. */
inline add_partial(k, created)
{
    if
    :: created && !truncated -> set_image(k, e, 0); base[k] = k + 1
    :: created && truncated -> remove_image(k); wanted[k] = true
#ifdef MERGE_OVER_DELETE
    :: !created && kind[k] == GONE -> set_image(k, e, 0); base[k] = k + 1
#else
    :: !created && kind[k] == GONE -> remove_image(k); wanted[k] = true; met = met | MET_DELETE
#endif
    :: !created && kind[k] == IMAGE -> image[k].a = e; wanted[k] = false
    fi
}

#ifdef CARRY_EARLY
#define old_row_is_exact(k) (newer[k] == 0 || e >= newer[k])
#elif defined(CARRY_NEWER)
#define old_row_is_exact(k) exactly
#elif defined(CARRY_LISTED)
#define old_row_is_exact(k) (exactly && (newer[k] == 0 || e >= newer[k]))
#else
#define old_row_is_exact(k) (exactly && !next_listed[k] && (newer[k] == 0 || e >= newer[k]))
#endif
#ifdef INSERT_LISTED
#define was_absent(k) true
#else
#define was_absent(k) (!next_listed[k])
#endif

inline add_change(k)
{
    is_new = (kind[k] == NOTHING);
    if
    :: is_new -> fresh[k] = (log[e].op == INSERT && was_absent(k)) || truncated; kind[k] = GONE
    :: else
    fi;
    if
    :: log[e].op == UPDATE -> add_partial(k, is_new)
    :: else -> set_image(k, e, e); base[k] = 0
    fi
}

inline add_key_change(k, j)
{
    is_new = (kind[j] == NOTHING);
    take_old = kind[k] != GONE && !(kind[k] == NOTHING && truncated) && old_row_is_exact(k);
    old_t = image[k].t;
    old_base = (kind[k] == NOTHING -> k + 1 : base[k]);
    met = met | (take_old -> (kind[k] == NOTHING -> MET_ROW : MET_IMAGE) : 0);
    met = met | (exactly && e < newer[k] && kind[k] == IMAGE -> MET_NEWER : 0);
    met = met | (exactly && next_listed[k] && kind[k] == NOTHING && next[k].a > 0 -> MET_LISTED : 0);
    remove_image(k);
    if
    :: is_new -> fresh[j] = (exactly && was_absent(j)) || truncated; kind[j] = GONE
    :: else
    fi;
    if
    :: !take_old -> add_partial(j, is_new)
    :: else -> set_image(j, e, old_t); base[j] = (old_t == 0 -> old_base : 0)
    fi
}

inline inject()
{
    injected = true;
    for (i : 0 .. KEYS - 1) {
        if
        :: wanted_key[i] ->
            if
            :: window[i].a == 0 -> remove_image(i)
            :: else -> set_image(i, window[i].a, window[i].t); base[i] = 0
            fi;
            met = met | (e > progress + 1 && fresh[i] == false && kind[i] == IMAGE && e < window_high -> MET_BETWEEN : 0);
            fresh[i] = false;
            newer[i] = window_high
        :: else
        fi
    }
}

inline clear_batch()
{
    for (i : 0 .. KEYS - 1) {
        kind[i] = NOTHING; no_row(image[i]); base[i] = 0; fresh[i] = false; newer[i] = 0; wanted[i] = false
    }
    truncated = false
}

inline add_event()
{
    if
    :: is_open && !injected && e == window_low + 1 -> inject()
    :: else
    fi;
    from = log[e].key;
    dest = log[e].to;
    if
    :: log[e].op == DELETE -> remove_image(from)
#ifdef TRUNCATE_KEEPS
    :: log[e].op == TRUNCATE -> truncated = true
#else
    :: log[e].op == TRUNCATE -> clear_batch(); truncated = true
#endif
    :: log[e].op == MOVE -> add_key_change(from, dest)
    :: else -> add_change(from)
    fi
}

/* ---- writing: flush_batch, TargetOps.write ---- */

#ifdef INSERT_UNCERTAIN
#define now_exact consistent
#else
#define now_exact (consistent && !injected)
#endif

inline write_batch()
{
    if
    :: truncated -> no_row(next[0]); no_row(next[1]); no_row(next[2])
    :: else
    fi;
    for (i : 0 .. KEYS - 1) {
        if
        :: kind[i] == IMAGE && image[i].t == 0 ->
#if defined(UNCHANGED_AS_NULL)
            image[i].t = null
#else
            if
            :: next[base[i] - 1].a > 0 -> image[i].t = next[base[i] - 1].t
#ifdef MISSING_INSERTED
            :: else -> image[i].t = null
#else
            :: else -> kind[i] = GONE; wanted[i] = true; met = met | MET_MISSING
#endif
            fi
#endif
        :: else
        fi
    }
    for (i : 0 .. KEYS - 1) {
        if
        :: kind[i] == GONE -> no_row(next[i])
        :: kind[i] == IMAGE ->
            assert(!now_exact || !fresh[i] || next[i].a == 0); /* a plain insert finds no row */
            copy_row(next[i], image[i])
        :: else
        fi;
        if
        :: injected && !settled_window && wanted_key[i] -> next_listed[i] = false
        :: else
        fi;
        if
        :: wanted[i] -> next_listed[i] = true
        :: else
        fi
    }
    settled_window = injected;
    clear_batch();
    exactly = now_exact;
    i = 0
}

inline close_window()
{
    is_open = false; has_high = false; window_low = 0; window_high = 0;
    for (i : 0 .. KEYS - 1) {
        wanted_key[i] = false; no_row(window[i])
    }
    i = 0
}

inline advance_exact(r)
{
    from = log[r].key;
    dest = log[r].to;
    if
    :: log[r].op == DELETE -> no_row(exact[from])
    :: log[r].op == TRUNCATE -> no_row(exact[0]); no_row(exact[1]); no_row(exact[2])
    :: log[r].op == UPDATE -> exact[from].a = r
    :: log[r].op == MOVE -> exact[dest].a = r; exact[dest].t = exact[from].t; no_row(exact[from])
    :: else -> exact[from].a = r; exact[from].t = r
    fi
}

#ifdef WINDOW_CUT
#define may_end(p) true
#else
#define may_end(p) (!is_open || (p) >= window_high)
#endif

/* Everything that was applied is visible: LOW is not below progress. */
#define shown(k) (unseen[k] == 0 || unseen[k] > progress)
#ifdef WINDOW_LATE
#define may_open true
#else
#define may_open (shown(0) && shown(1) && shown(2))
#endif

/* ---- apply ---- */

proctype Apply()
{
    byte e, i, from, dest, old_t, old_base, met;
    bool is_new, take_old;

    copies == KEYS;
    do
    /* A batch. Until it commits a kill leaves nothing of it. */
    :: atomic {
           (!is_open || has_high) && (progress < length || is_open) ->
           d_step {
               for (i : 0 .. KEYS - 1) {
                   copy_row(next[i], target[i]);
                   next_listed[i] = listed[i];
                   kind[i] = NOTHING
               }
               i = 0;
               exactly = now_exact;
               e = progress
           }
           do
           :: e < length ->
               d_step { e++; add_event(); i = 0 }
               if
               :: true
               :: d_step { met = met | (injected && e < window_high -> MET_PIECE : 0); write_batch() }
               fi
           :: (e > progress || is_open) && may_end(e) -> break
           od;
           skip; /* spin jumps into no d_step */
           d_step {
               if
               :: is_open && !injected && e >= window_low -> inject()
               :: else
               fi;
               i = 0;
               write_batch();
               for (i : 0 .. KEYS - 1) {
                   copy_row(target[i], next[i]);
                   listed[i] = next_listed[i];
                   no_row(next[i]);
                   next_listed[i] = false
               }
               for (i : progress + 1 .. e) {
                   advance_exact(i)
               }
               progress = e;
               if
               :: injected -> close_window()
               :: else
               fi;
               injected = false; settled_window = false; exactly = false;
               for (i : 0 .. KEYS - 1) {
                   assert(!consistent || listed[i] || equal(target[i], exact[i]));
                   kind[i] = 0
               }
               e = 0; i = 0; from = 0; dest = 0; old_t = 0; old_base = 0; is_new = false; take_old = false
           }
           if
           :: met == 0
           :: else ->
               cover("a partial image after a delete", met & MET_DELETE);
               cover("a partial image that finds no row", met & MET_MISSING);
               cover("a new key with the old row's cell", met & MET_ROW);
               cover("a new key with the cell of an image", met & MET_IMAGE);
               cover("a new key without the cell of a row ahead of the stream", met & MET_NEWER);
               cover("a new key without the cell of a row in doubt", met & MET_LISTED);
               cover("a refetched row between two events", met & MET_BETWEEN);
               cover("a piece ahead of the stream", met & MET_PIECE);
               met = 0
           fi
       }
    /* refetch_open: what reads do not see yet must not be in the target already */
    :: d_step {
           !is_open && (listed[0] || listed[1] || listed[2]) && may_open ->
           is_open = true;
           window_low = length;
#ifndef LOW_FROM_LOG_END
           for (i : 0 .. KEYS - 1) {
               if
               :: unseen[i] > 0 && unseen[i] <= window_low -> window_low = unseen[i] - 1
               :: else
               fi
           }
#endif
           for (i : 0 .. KEYS - 1) {
               if
               :: listed[i] ->
                   wanted_key[i] = true;
                   window[i].a = seen_a(i);
                   window[i].t = seen_t(i);
#ifdef SETTLE_EARLY
                   listed[i] = false
#endif
               :: else
               fi
           }
#ifdef REFETCH_DIRECT
           for (i : 0 .. KEYS - 1) {
               if
               :: listed[i] -> copy_row(target[i], window[i]); listed[i] = false
               :: else
               fi
           }
           close_window();
#endif
           i = 0
       }
    :: atomic {
           is_open && !has_high ->
           cover("LOW below the end of the log", window_low < length && wanted_key[1]);
           window_high = length;
           has_high = true
       }
#ifdef LTL
    :: atomic { is_open && !killed -> killed = true; close_window() }
#else
    :: d_step { is_open -> close_window() }
#endif
    /* Somebody else has changed the target; verify has found it and asks for a repair. */
    :: atomic {
           repairs < REPAIRS && consistent ->
           repairs++;
           if
           :: i = 0 /* key 1 is as key 0 */
           :: i = 2
           fi;
           listed[i] = true;
           if
           :: target[i].a > 0 -> no_row(target[i])
           :: target[i].a = null; target[i].t = null
           :: true
           fi;
           i = 0
       }
    :: source_rests && progress == length && !is_open && !listed[0] && !listed[1] && !listed[2] -> break
    od;
    atomic {
        for (i : 0 .. KEYS - 1) {
            assert(equal(target[i], row[i])) /* in the end both sides are equal */
        }
    }
    settled = true
}

init
{
    byte k;
    atomic {
        for (k : 0 .. 1) {
            row[k].a = EVENTS + 1 + k; row[k].t = EVENTS + 1 + k;
            copy_row(exact[k], row[k])
        }
        k = 0;
        run Source(); run Copy(); run Apply()
    }
}

#ifdef LTL
ltl settles { <> settled }
#endif
