"""kill -9 of drover, of the source and of the target at seeded instants: equal at the end, nothing twice,
and the copy does not start over."""
import os
import random
import threading

import psycopg
import pytest

from conftest import Databases, Drover, assert_equal, connect
from servers import wait_for
from workload import RandomLoad, pgbench_prepare, prepare

KILLS = int(os.environ.get("DROVER_E2E_KILLS", "5"))
KILLS_PER_MOVE = 5

AUDIT = """
create schema audit;
create table audit.log (number bigserial, id bigint, version bigint, transaction xid8 default pg_current_xact_id());
create function audit.note() returns trigger language plpgsql as $$
begin insert into audit.log (id, version) values (new.id, new.version); return null; end $$;
create trigger note after insert or update on public.versioned for each row execute function audit.note();
alter table public.versioned enable always trigger note;
"""


class Versions:
    """One session that raises the version of one row a transaction, for ever."""

    def __init__(self, url):
        self.url = url
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        rng = random.Random(7)
        while not self.ending.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as session:
                    while not self.ending.wait(0.002):
                        session.execute("update versioned set version = version + 1 where id = %s",
                                        (rng.randrange(1, 51),))
            except psycopg.OperationalError:
                self.ending.wait(0.2)

    def stop(self):
        self.ending.set()
        self.thread.join(60)


def done_chunks(databases, name):
    with databases.target() as session:
        if session.execute("select to_regclass('drover.chunk')").fetchone()[0] is None:
            return {}
        return {row[:2]: row[2] for row in session.execute(
            "select table_id, chunk, copied_at from drover.chunk where migration = %s and state = 'done'",
            (name,)).fetchall()}


def phase_of(databases, name):
    with databases.target() as session:
        if session.execute("select to_regclass('drover.migration')").fetchone()[0] is None:
            return None
        row = session.execute("select phase from drover.migration where name = %s", (name,)).fetchone()
        return row and row[0]


def start_audit(databases, name):
    if phase_of(databases, name) != "streaming":
        return False
    with databases.target() as session:
        if session.execute("select to_regclass('audit.log')").fetchone()[0] is None:
            session.execute(AUDIT)
    return True


def check_audit(databases):
    """Versions of a key rise with every write: a batch that came twice would repeat one."""
    last = {}
    with databases.target() as session:
        rows = session.execute("select id, version from audit.log order by number").fetchall()
    for key, version in rows:
        assert version > last.get(key, -1), f"key {key}: version {version} after {last[key]}"
        last[key] = version
    return len(rows)


def keep_running(move):
    """What a service manager does: starts drover again after it died of a kill or a server's absence."""
    process = move.processes[-1] if move.processes else None
    if process is None or process.poll() is not None:
        assert process is None or process.returncode in (-9, 3), move.log()[-4000:]
        move.start()


@pytest.mark.parametrize("round_number", range((KILLS + KILLS_PER_MOVE - 1) // KILLS_PER_MOVE))
def test_killed_again_and_again_ends_equal(own_servers, tmp_path, round_number):
    rng = random.Random(4711 + round_number)
    databases = Databases(own_servers)
    source, target = own_servers
    pgbench_prepare(source, databases.name, 10)
    with databases.source() as session:
        prepare(session)
        session.execute("create table versioned (id bigint primary key, version bigint not null default 0)")
        session.execute("insert into versioned select g from generate_series(1, 50) g")
    move = Drover(str(tmp_path), databases, extra="limits: {copy_workers: 2}")
    load = RandomLoad(source.url(databases.name), sessions=8, seed=round_number, pace=0.05).start()
    versions = Versions(source.url(databases.name)).start()
    copied = {}
    audited = False
    try:
        for _ in range(min(KILLS_PER_MOVE, KILLS - round_number * KILLS_PER_MOVE)):
            keep_running(move)
            instant = rng.choice([rng.uniform(0.05, 1.0), rng.uniform(0.5, 4.0)])
            victim = rng.choice(["drover", "drover", "source", "target"])
            threading.Event().wait(instant)  # the seeded instant itself, not a wait for a condition
            if target.process.poll() is None:
                before = done_chunks(databases, move.name)
                assert all(before.get(chunk) == at for chunk, at in copied.items()), "a chunk was copied again"
                copied = before
            if victim == "drover":
                move.processes[-1].kill()
                move.processes[-1].wait()
            else:
                server = source if victim == "source" else target
                server.kill()
                threading.Event().wait(rng.uniform(0.0, 1.0))
                server.start()
            audited = audited or start_audit(databases, move.name)
        keep_running(move)

        def streaming():
            keep_running(move)
            return start_audit(databases, move.name)
        wait_for(streaming, "streaming", 240, 0.2)
        # one more of each, past the consistent point
        for victim in ("drover", "source", "target"):
            if victim == "drover":
                move.processes[-1].kill()
                move.processes[-1].wait()
            else:
                server = source if victim == "source" else target
                server.kill()
                server.start()
            threading.Event().wait(rng.uniform(0.2, 1.5))
            keep_running(move)
    finally:
        versions.stop()
        load.stop()
    with connect(source, databases.name) as session:
        head = session.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
        final = session.execute("select sum(version) from versioned").fetchone()[0]

    def caught_up():
        keep_running(move)
        with databases.target() as there:
            row = there.execute("select position::pg_lsn >= %s::pg_lsn from drover.progress"
                                " where worker = 'apply'", (head,)).fetchone()
            return row and row[0]
    wait_for(caught_up, f"apply passes {head}", 240, 0.2)
    now = done_chunks(databases, move.name)
    assert all(now[chunk] == at for chunk, at in copied.items()), "a chunk was copied again"
    assert assert_equal(databases) > 1000000
    assert check_audit(databases) > 0
    assert final > 0
    done = move.call("verify", "--json", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    move.stop()
