"""Fixtures of the end-to-end tests: real servers, and drover as a process.

DROVER is the program under test (tests/run.sh sets it). A missing server or program is a failure.
"""
import json
import os
import re
import signal
import subprocess
import sys
import uuid

import psycopg
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from servers import Postgres, wait_for  # noqa: E402

DROVER = os.environ.get("DROVER", os.path.join(os.path.dirname(__file__), "..", "..", "build",
                                               "release", "drover"))


@pytest.fixture(scope="session")
def servers():
    """One pair of servers for all tests that do not harm them."""
    source, target = Postgres("source"), Postgres("target")
    yield source, target
    source.close()
    target.close()


@pytest.fixture
def own_servers():
    """A pair of servers for a test that kills them."""
    source, target = Postgres("source"), Postgres("target")
    yield source, target
    source.close()
    target.close()


def connect(server, database="postgres", **options):
    return psycopg.connect(server.url(database), autocommit=True, **options)


class Databases:
    """A fresh source and target database of one test."""

    def __init__(self, pair):
        self.source_server, self.target_server = pair
        self.name = "t" + uuid.uuid4().hex[:12]
        for server in pair:
            with connect(server) as session:
                session.execute(f"create database {self.name}")

    def source(self, **options):
        return connect(self.source_server, self.name, **options)

    def target(self, **options):
        return connect(self.target_server, self.name, **options)

    def drop(self):
        for server in (self.source_server, self.target_server):
            if server.process.poll() is not None:
                continue
            with connect(server) as session:
                session.execute("select pg_terminate_backend(active_pid) from pg_replication_slots"
                                " where database = %s and active", (self.name,))
                for (slot,) in session.execute("select slot_name from pg_replication_slots where"
                                               " database = %s", (self.name,)).fetchall():
                    wait_for(lambda: session.execute(
                        "select not active from pg_replication_slots where slot_name = %s",
                        (slot,)).fetchone()[0], "slot is free")
                    session.execute("select pg_drop_replication_slot(%s)", (slot,))
                session.execute(f"drop database if exists {self.name} with (force)")


@pytest.fixture
def databases(servers):
    pair = Databases(servers)
    yield pair
    pair.drop()


class Drover:
    """drover on one migration file."""

    def __init__(self, folder, databases, name="move", extra="", tables="", bus="", program=None):
        self.folder = folder
        self.name = name
        self.program = program or DROVER
        self.file = os.path.join(folder, f"{name}.yaml")
        self.databases = databases
        self.bus = bus
        self.processes = []
        self.write(extra=extra, tables=tables)

    def write(self, extra="", tables="", source=None, target=None):
        source = source or f"url: {self.databases.source_server.url(self.databases.name)}"
        target = target or f"url: {self.databases.target_server.url(self.databases.name)}"
        with open(self.file, "w") as text:
            text.write(f"migration: {self.name}\nsource:\n  {source}\ntarget:\n  {target}\n"
                       f"{self.bus}\n{tables}\n{extra}\n")

    def command(self, *arguments):
        return [self.program, arguments[0], self.file, *arguments[1:]]

    def call(self, *arguments, timeout=120, **options):
        """Runs a command to its end: status, stdout, stderr."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, **options)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done

    def json(self, *arguments, **options):
        done = self.call(*arguments, "--json", **options)
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments):
        """`drover run` in the background; its log goes to a file."""
        log = open(self.log_path(), "ab")
        process = subprocess.Popen(self.command("run", *arguments), stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
        log.close()
        self.processes.append(process)
        return process

    def log_path(self):
        return os.path.join(self.folder, f"{self.name}.log")

    def log(self):
        with open(self.log_path(), errors="replace") as text:
            return text.read()

    def status(self):
        return self.json("status")

    def wait_phase(self, *phases, limit=180):
        def reached():
            self.check_alive()
            done = self.call("status", "--json")
            return done.returncode == 0 and json.loads(done.stdout)["phase"] in phases
        wait_for(reached, f"phase {phases}", limit, 0.1)

    def check_alive(self):
        process = self.processes[-1]
        if process.poll() is not None:
            raise AssertionError(f"drover ended with {process.returncode}:\n{self.log()[-4000:]}")

    def wait_caught_up(self, limit=180):
        """Until apply has passed what the source's log holds now."""
        with self.databases.source() as session:
            head = session.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
        with self.databases.target() as session:
            def passed():
                self.check_alive()
                row = session.execute("select position from drover.progress where migration = %s"
                                      " and worker = 'apply'", (self.name,)).fetchone()
                return row and row[0] and lsn(row[0]) >= lsn(head)
            wait_for(passed, f"apply passes {head}", limit, 0.05)

    def stop(self, process=None, expect=0):
        process = process or self.processes[-1]
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        assert status == expect, self.log()[-4000:]
        self.check_log()

    def check_log(self):
        found = re.search(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:)[^\n]*",
                          self.log())
        assert not found, self.log()[found.start():found.start() + 6000]

    def kill_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


@pytest.fixture
def drover(tmp_path, databases):
    made = []

    def make(**options):
        made.append(Drover(str(tmp_path), options.pop("on", databases), **options))
        return made[-1]
    yield make
    for one in made:
        one.kill_all()


USER_TABLES = """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'drover', 'audit')
      and n.nspname not like 'pg_toast%' and n.nspname not like 'pg_temp%' order by 1, 2"""


def rows_of(session, schema, name):
    """Every row as text, in the order of the text: an independent reader."""
    table = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
    return [row[0] for row in session.execute(
        f'select (t.*)::text from {table} t order by (t.*)::text collate "C"'.encode())]


def assert_equal(databases):
    """Row by row over all user tables; returns how many rows were compared."""
    total = 0
    with databases.source() as source, databases.target() as target:
        for session in (source, target):
            session.execute("set extra_float_digits = 3")
            session.execute("set timezone = 'UTC'")
        tables = source.execute(USER_TABLES).fetchall()
        assert tables == target.execute(USER_TABLES).fetchall()
        for schema, name in tables:
            left, right = rows_of(source, schema, name), rows_of(target, schema, name)
            if left != right:
                only_left, only_right = sorted(set(left) - set(right)), sorted(set(right) - set(left))
                raise AssertionError(f"{schema}.{name}: {len(left)} and {len(right)} rows; source only "
                                     f"{only_left[:5]}; target only {only_right[:5]}")
            total += len(left)
    return total
