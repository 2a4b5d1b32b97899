"""A move from any engine to any other: fixtures for the tests of pairs."""
import json
import os
import uuid

import pytest

from compare import compare, schema_of
from conftest import Drover
from servers import wait_for
from sides import ENGINES, Servers

ALL = "DROVER_E2E_ALL" in os.environ  # a full run: every case on every engine
PAIRS = [(source, target) for source in ENGINES for target in ENGINES]


class PairDatabases:
    """A fresh database of one name on both sides."""

    def __init__(self, source, target):
        self.source_server, self.target_server = source, target
        self.name = "t" + uuid.uuid4().hex[:8]
        for side in (source, target):
            side.create(self.name)

    def source(self):
        return self.source_server.connect(self.name)

    def target(self):
        return self.target_server.connect(self.name)

    def source_schema(self):
        return schema_of(self.source_server.engine, self.name)

    def target_schema(self):
        return schema_of(self.target_server.engine, self.name)

    def assert_equal(self):
        """Returns how many rows were compared."""
        with self.source() as source, self.target() as target:
            rows, differences = compare(source, self.source_schema(), target, self.target_schema())
        assert not differences, "\n".join(differences)
        return rows

    def drop(self):
        for side in (self.source_server, self.target_server):
            if side.alive():
                side.drop(self.name)


def parsed(position):
    """MySQL's era, file number and offset, or PostgreSQL's LSN: in the order of the log."""
    if "/" in position:
        return tuple(int(half, 16) for half in position.split("/"))
    parts = tuple(int(part) for part in position.split(":"))
    return parts if len(parts) == 3 else (0, *parts)


class PairMove(Drover):
    """drover between a PairDatabases."""

    def __init__(self, folder, databases, options="", **more):
        tables = (f"tables: [{{source: '{databases.source_schema()}.*', target: '{databases.target_schema()}.*'"
                  f"{', ' + options if options else ''}}}]")
        self.parts = {"tables": tables, "extra": more.get("extra", "")}
        super().__init__(folder, databases, name=databases.name, tables=tables, **more)

    def rewrite(self):
        """The migration file, after a server of the databases was exchanged."""
        self.write(**self.parts)

    def keep_running(self):
        """What a service manager does: starts drover again after it died of a kill or a server's absence."""
        process = self.processes[-1] if self.processes else None
        if process is None or process.poll() is not None:
            assert process is None or process.returncode in (-9, 3), f"{process.returncode}: {self.log()[-4000:]}"
            self.start()

    def wait_streaming(self, limit=120):
        def streaming():
            self.keep_running()
            done = self.call("status", "--json")
            return done.returncode == 0 and json.loads(done.stdout)["phase"] == "streaming"
        wait_for(streaming, "streaming", limit, 0.1)

    def wait_caught_up(self, limit=120):
        """Until apply has passed what the source's log holds now, by what `status` says."""
        self._wait_passed(self.keep_running, limit)

    def wait_caught_up_by(self, *roles, limit=120):
        """The same for roles that are processes of their own, which must live."""
        self._wait_passed(lambda: [role.check_alive() for role in roles], limit)

    def _wait_passed(self, look, limit):
        head = parsed(self.status()["source"]["head"])

        def passed():
            look()
            position = self.status()["apply"]["position"]
            return position is not None and parsed(position) >= head
        wait_for(passed, f"apply passes {head}", limit, 0.1)

    def wait_refetched(self, limit=60):
        """Until nothing is on the refetch list: rows that stand there may be old on the target."""
        def empty():
            self.keep_running()
            with self.databases.target() as session:
                return int(session.value("select count(*) from drover.refetch where migration = %s",
                                         self.databases.name)) == 0
        wait_for(empty, "the refetch list is empty", limit, 0.1)

    def verify(self):
        done = self.json("verify", timeout=300)
        assert done["result"] == "PASS", done

    def check_accounts(self):
        """Returns how many events were captured."""
        tables = self.status()["tables"]
        for table in tables:
            assert table["captured"] == sum(table[end] for end in ("applied", "filtered", "superseded", "rejected",
                                                                   "refetched")), table
        return sum(table["captured"] for table in tables)

    def drop(self):
        """drover's own objects go, and nothing else."""
        done = self.call("drop", "--yes", self.name)
        assert done.returncode == 0, done.stderr
        with self.databases.target() as session:
            assert not session.query("select 1 from information_schema.tables where table_schema = 'drover'")


def ended(move, limit=30):
    """The exit status and the last words."""
    wait_for(lambda: move.processes[-1].poll() is not None, f"drover ends: {move.log()[-2000:]}", limit)
    move.check_log()
    return move.processes[-1].returncode, move.log().splitlines()[-1]


@pytest.fixture(scope="session")
def pair_servers():
    running = Servers()
    yield running
    running.close()


@pytest.fixture
def pair(pair_servers, tmp_path):
    """pair(source, target): fresh databases on servers of these engines, and drover between them."""
    made = []

    def make(source, target, **options):
        databases = PairDatabases(pair_servers.get("source", source), pair_servers.get("target", target))
        made.append(PairMove(str(tmp_path), databases, **options))
        return databases, made[-1]
    yield make
    for move in made:
        move.kill_all()
        move.databases.drop()
