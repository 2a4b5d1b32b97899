"""Capture, two copies and apply as processes of their own, Kafka between them: at seeded instants one of them,
a server or the broker is killed with -9, or stopped for a while and wakes. Equal at the end, nothing twice, and
an independent reader of the topic has counted the same events.

DROVER_E2E_INSTANTS: how many instants; every fifth is a SIGSTOP of DROVER_E2E_STOP_SECONDS.
"""
import os
import random
import signal
import threading

import pytest

from conftest import Databases, Drover, assert_equal, connect
from kafka import Kafka
from kafka_bus import Follower, bus_on
from roles import Role
from servers import pid_gone, wait_for
from test_kills import Versions, check_audit, done_chunks, start_audit
from workload import RandomLoad, pgbench_prepare, prepare

INSTANTS = int(os.environ.get("DROVER_E2E_INSTANTS", "8"))
STOP_SECONDS = float(os.environ.get("DROVER_E2E_STOP_SECONDS", "6"))
INSTANTS_PER_MOVE = 10
ROLES = ("capture", "copy-1", "copy-2", "apply")
KILLED = ("copy-1", "capture", "kafka", "target", "apply", "source", "copy-2", "capture", "kafka", "apply")
STOPPED = ("capture", "copy-2", "apply", "kafka", "capture", "source", "target", "apply", "copy-1", "kafka")


def is_stop(number):
    return number % 5 == 3


def victim_of(number):
    """Kills and stops each go through every role and server."""
    if is_stop(number):
        return STOPPED[number // 5 % len(STOPPED)]
    return KILLED[(number - number // 5) % len(KILLED)]


class Machines:
    """The processes of one move, and what a service manager does: whoever died is started again."""

    def __init__(self, move):
        self.move = move
        self.roles = {}
        self.done = set()  # copies whose work is done

    def start(self, name, *arguments):
        self.roles[name] = Role(self.move, name.split("-")[0], *arguments)

    def keep_running(self):
        for name in ROLES:
            role = self.roles.get(name)
            if name in self.done or role is not None and role.alive():
                continue
            if role is not None and name.startswith("copy") and role.process.returncode == 0:
                self.done.add(name)
                continue
            if role is not None:
                # -9: killed; 3: a server was away when it started; 1: the session before it still has the role
                role.ends(-9, 1, 3)
            self.start(name)

    def kill(self, name):
        self.roles[name].kill()

    def replace_while_stopped(self, name):
        """Two are alive for a while: the one that took over, and the stopped one that wakes."""
        old = self.roles[name]
        old.freeze()
        self.start(name, "--take-over")
        threading.Event().wait(STOP_SECONDS)
        old.wake()
        old.ends(1, 3, 0 if name.startswith("copy") else 1, -9)

    def stop(self):
        for name in ROLES:
            if name not in self.done:
                self.roles[name].stop()


def stop_for_a_while(server):
    """SIGSTOP of every process of a PostgreSQL server; those that are forked meanwhile do not exist."""
    pids = [server.process.pid, *server.children()]
    for sign in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            if not pid_gone(pid):
                os.kill(pid, sign)
        if sign == signal.SIGSTOP:
            threading.Event().wait(STOP_SECONDS)


def strike_kafka(kafka, stop):
    if stop:
        kafka.brokers[0].pause()
        threading.Event().wait(STOP_SECONDS)
        kafka.brokers[0].resume()
        kafka.wait_ready()
    else:
        kafka.kill()
        kafka.start()


def strike(number, machines, servers, kafka):
    """What happened, for the report."""
    victim, stop = victim_of(number), is_stop(number)
    if victim in machines.done:
        victim = "capture" if number % 2 else "apply"
    if victim == "kafka":
        strike_kafka(kafka, stop)
    elif victim in servers:
        if stop:
            stop_for_a_while(servers[victim])
        else:
            servers[victim].kill()
            servers[victim].start()
    elif not machines.roles[victim].alive():
        machines.keep_running()
        return f"({victim} had ended)"
    elif stop:
        machines.replace_while_stopped(victim)
    else:
        machines.kill(victim)
    return f"{'stop' if stop else 'kill'} {victim}"


def prepare_source(databases):
    pgbench_prepare(databases.source_server, databases.name, 10)
    with databases.source() as session:
        prepare(session)
        session.execute("create table versioned (id bigint primary key, version bigint not null default 0)")
        session.execute("insert into versioned select g from generate_series(1, 50) g")


def follow(move, kafka):
    """A reader of the bus, once the migration has one: before, a start that was killed may make it anew."""
    with move.databases.target() as session:
        if session.execute("select to_regclass('drover.migration')").fetchone()[0] is None:
            return None
        started = session.execute("select start_position from drover.migration").fetchone()
    return Follower(kafka) if started and started[0] else None


def captured_by_table(move):
    with move.databases.target() as session:
        return dict(session.execute("select id, captured from drover.tables where migration = %s and captured > 0",
                                    (move.name,)).fetchall())


@pytest.fixture
def kafka():
    cluster = Kafka()
    yield cluster
    cluster.close()


@pytest.mark.parametrize("round_number", range((INSTANTS + INSTANTS_PER_MOVE - 1) // INSTANTS_PER_MOVE))
def test_every_role_and_server_killed_and_stopped_ends_equal(own_servers, kafka, tmp_path, round_number, capsys):
    rng = random.Random(8086 + round_number)
    databases = Databases(own_servers)
    servers = dict(zip(("source", "target"), own_servers))
    prepare_source(databases)
    move = Drover(str(tmp_path), databases, bus=bus_on(kafka), extra="limits: {copy_workers: 1}")
    machines = Machines(move)
    load = RandomLoad(databases.source_server.url(databases.name), sessions=6, seed=round_number, pace=0.05).start()
    versions = Versions(databases.source_server.url(databases.name)).start()
    copied, struck, audited, follower = {}, [], False, None
    first = round_number * INSTANTS_PER_MOVE
    try:
        for number in range(first, min(first + INSTANTS_PER_MOVE, INSTANTS)):
            machines.keep_running()
            # the seeded instant itself, not a wait for a condition
            threading.Event().wait(rng.choice([rng.uniform(0.05, 1.0), rng.uniform(0.5, 4.0)]))
            before = done_chunks(databases, move.name)
            assert all(before.get(chunk) == at for chunk, at in copied.items()), "a chunk was copied again"
            copied = before
            follower = follower or follow(move, kafka)
            struck.append(strike(number, machines, servers, kafka))
            audited = audited or start_audit(databases, move.name)

        def streaming():
            machines.keep_running()
            nonlocal follower
            follower = follower or follow(move, kafka)
            return start_audit(databases, move.name)
        wait_for(streaming, "streaming", 300, 0.2)
    finally:
        versions.stop()
        load.stop()
    with connect(databases.source_server, databases.name) as session:
        head = session.execute("select pg_current_wal_insert_lsn()").fetchone()[0]

    def caught_up():
        machines.keep_running()
        with databases.target() as there:
            row = there.execute("select position::pg_lsn >= %s::pg_lsn from drover.progress"
                                " where worker = 'apply'", (head,)).fetchone()
            return row and row[0]
    wait_for(caught_up, f"apply passes {head}", 300, 0.2)
    now = done_chunks(databases, move.name)
    assert all(now[chunk] == at for chunk, at in copied.items()), "a chunk was copied again"
    assert assert_equal(databases) > 1000000
    check_audit(databases)
    machines.stop()
    counts = follower.finish()
    assert {int(table): of["events"] for table, of in counts["tables"].items()} == captured_by_table(move)
    with capsys.disabled():
        print(f"\nround {round_number}: {', '.join(struck)}; {counts['claims']} claims on the bus")
