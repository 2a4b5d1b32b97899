"""Live load for the end-to-end tests: pgbench's TPC-B, and a random one that does what hurts.

The random load works on three tables: `item` (unique values that are swapped between rows, large
unchanged values that stay out of line, key updates), `pair` (a composite key of text and number) and
`scratch` (truncated now and then). Sessions use savepoints, roll back to them, and roll back whole
transactions.
"""
import random
import string
import subprocess
import threading

import psycopg

SCHEMA = """
create table item (
    id bigint primary key,
    slot integer unique,
    counter integer not null default 0,
    title text,
    body text,
    data jsonb,
    tags text[],
    amount numeric(12, 3),
    seen timestamptz,
    flag boolean,
    ratio double precision,
    raw bytea,
    doubled integer generated always as (counter * 2) stored
);
alter table item alter column body set storage external;
create index item_title on item (title);
create table pair (
    left_key text collate "C",
    right_key integer,
    item_id bigint,
    note varchar(200),
    day date,
    primary key (left_key, right_key)
);
create table scratch (id serial primary key, value text, stamp timestamp default now());
"""


def prepare(session, rows=2000, seed=1):
    session.execute(SCHEMA)
    session.execute("""insert into item (id, slot, title, body, data, tags, amount, seen, flag, ratio, raw)
        select g, g, 'title ' || g, repeat(md5(g::text), 120 + g %% 50), jsonb_build_object('n', g),
               array['a' || g, null, 'b"\\,'], g * 1.125, now(), g %% 2 = 0, g / 7.0, decode(md5(g::text), 'hex')
        from generate_series(1, %s) g""", (rows,))
    session.execute("insert into pair select 'k' || g %% 97, g, g, 'note', current_date from"
                    " generate_series(1, %s) g", (rows // 2,))
    session.execute("insert into scratch (value) select md5(g::text) from generate_series(1, 500) g")


class RandomLoad:
    """Sessions that change the tables until stop(). Deadlocks and lost connections are retried."""

    def __init__(self, url, sessions=20, seed=1, pace=0.0):
        self.url = url
        self.pace = pace
        self.ending = threading.Event()
        self.transactions = 0
        self.failures = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(random.Random(seed * 1000 + n), n),
                                         daemon=True) for n in range(sessions)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        if self.failures:
            raise self.failures[0]
        return self.transactions

    def _run(self, rng, number):
        session = None
        while not self.ending.is_set():
            try:
                if session is None or session.closed:
                    session = psycopg.connect(self.url, connect_timeout=5)
                self._transaction(session, rng, number)
                with self.lock:
                    self.transactions += 1
            except psycopg.OperationalError:
                # a deadlock, or the server was killed
                if session is not None:
                    session.close()
                session = None
                self.ending.wait(0.2)
            except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
                session.rollback()
            except Exception as failure:  # kept and raised by stop()
                self.failures.append(failure)
                return
            if self.pace:
                self.ending.wait(self.pace * rng.random())
        if session is not None and not session.closed:
            session.close()

    def _transaction(self, session, rng, number):
        for _ in range(rng.choice([1, 1, 2, 3, 6])):
            if rng.random() < 0.2:
                session.execute("savepoint s")
                self._change(session, rng, number)
                session.execute(rng.choice(["rollback to s", "release s"]))
            else:
                self._change(session, rng, number)
        if rng.random() < 0.1:
            session.rollback()
        else:
            session.commit()

    def _change(self, session, rng, number):
        x = rng.random()
        key = rng.randrange(1, 3000)
        if x < 0.30:  # the large body stays unchanged
            session.execute("update item set counter = counter + 1, title = %s where id = %s",
                            (text(rng), key))
        elif x < 0.40:
            session.execute("update item set body = %s, ratio = %s, raw = %s where id = %s",
                            (text(rng) * rng.choice([1, 300]), rng.choice([-0.0, 0.0, 1e300, rng.random()]),
                             rng.randbytes(rng.randrange(40)), key))
        elif x < 0.50:
            session.execute("insert into item (id, slot, title, body, amount) values (%s, null, %s, %s, %s)"
                            " on conflict do nothing", (key, text(rng), "x" * rng.choice([0, 5000]), rng.random()))
        elif x < 0.58:
            session.execute("delete from item where id = %s", (key,))
        elif x < 0.66:  # a key change that leaves the large value unchanged
            session.execute("update item set id = %s where id = %s and not exists"
                            " (select from item where id = %s)", (key + 3000, key, key + 3000))
        elif x < 0.70:
            session.execute("update item set id = id - 3000 where id = %s and not exists"
                            " (select from item where id = %s)", (key + 3000, key))
        elif x < 0.78:  # unique values swapped between two rows
            other = rng.randrange(1, 3000)
            rows = session.execute("select id, slot from item where id = any(%s) order by id for update",
                                   ([key, other],)).fetchall()
            if len(rows) == 2:
                (a, slot_a), (b, slot_b) = rows
                session.execute("update item set slot = null where id = %s", (a,))
                session.execute("update item set slot = %s where id = %s", (slot_a, b))
                session.execute("update item set slot = %s where id = %s", (slot_b, a))
        elif x < 0.88:
            session.execute("insert into pair values (%s, %s, %s, %s, current_date) on conflict (left_key, right_key)"
                            " do update set note = excluded.note, right_key = pair.right_key",
                            ("k%d" % rng.randrange(97), key, key, text(rng)))
        elif x < 0.92:
            session.execute("update pair set left_key = left_key || '''\\' where right_key = %s and"
                            " length(left_key) < 12", (key,))
        elif x < 0.95:
            session.execute("delete from pair where right_key = %s", (key,))
        elif x < 0.995:
            session.execute("insert into scratch (value) values (%s)", (text(rng),))
        elif number == 0:
            session.execute("truncate scratch")


def text(rng):
    return "".join(rng.choice(string.ascii_letters + "éß漢🐑'\"\\\t") for _ in range(rng.randrange(30)))


def pgbench_prepare(server, database, scale):
    url = server.url(database)
    subprocess.run([server.program("pgbench"), "-i", "-q", "-I", "dtgp", "-s", str(scale), url], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("alter table pgbench_history add id bigint generated by default as identity primary key")


class Pgbench:
    """TPC-B until stop(); started again when the server was killed."""

    def __init__(self, server, database, clients=4, rate=None):
        self.command = [server.program("pgbench"), "-n", "-c", str(clients), "-j", "1", "-M", "prepared", "-T",
                        "3600", *(["-R", str(rate)] if rate else []), server.url(database)]
        self.ending = threading.Event()
        self.process = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        while not self.ending.is_set():
            self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while self.process.poll() is None and not self.ending.wait(0.05):
                pass
            if self.process.poll() is None:
                self.process.terminate()
            self.process.wait()
            self.ending.wait(0.2)

    def stop(self):
        self.ending.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
