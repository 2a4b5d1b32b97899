"""Each role on a machine of its own: a network namespace with an address of its own; the bus is on Kafka."""
import pytest

from conftest import Databases, Drover, assert_equal
from kafka import Kafka
from netns import Network
from roles import (Role, copiers, held_in_a_chunk, small_tables, wait_caught_up, wait_phase, wait_planned,
                   wait_started)
from servers import Postgres, wait_for
from workload import RandomLoad, prepare


class World:
    """The machines, with the servers and this test at the hub."""

    def __init__(self, network):
        host = network.hub.address
        self.network = network
        self.servers = []
        try:
            self.source = self._keep(Postgres("source", host=host))
            self.target = self._keep(Postgres("target", host=host))
            self.kafka = self._keep(Kafka(host=host))
        except BaseException:
            self.close()
            raise

    def _keep(self, server):
        self.servers.append(server)
        return server

    def close(self):
        for server in self.servers:
            server.close()


@pytest.fixture(scope="module")
def world():
    network = Network("capture", "copy1", "copy2", "apply", "spare")
    try:
        with network.at_the_hub():
            made = World(network)
            yield made
            made.close()
    finally:
        network.close()


@pytest.fixture
def move(world, tmp_path):
    databases = Databases((world.source, world.target))
    bus = f"bus: {{kafka: {{bootstrap_servers: '{world.kafka.bootstrap()}', replication_factor: 1}}}}"
    made = Drover(str(tmp_path), databases, name=databases.name,
                  extra=f"{bus}\nlimits: {{copy_workers: 1}}")
    yield made
    made.kill_all()
    databases.drop()


def on(world, machine, move, role, *arguments):
    return Role(move, role, *arguments, prefix=world.network[machine].prefix)


def addresses(session, move, role):
    """From which machines sessions of a role come."""
    return {row[0] for row in session.execute(
        "select host(client_addr) from pg_stat_activity where application_name like %s",
        (f"drover {move.name} {role}%",)).fetchall()}


def test_each_role_on_a_machine_of_its_own(world, move):
    databases, network = move.databases, world.network
    small_tables(databases)
    with databases.source() as session:
        prepare(session, rows=500)
    load = RandomLoad(world.source.url(databases.name), sessions=10, pace=0.05).start()
    try:
        apply = on(world, "apply", move, "apply")
        apply.wait_log("waiting for `drover capture`")
        capture = on(world, "capture", move, "capture")
        wait_started(move)
        assert move.call("pause").returncode == 0
        copies = [on(world, machine, move, "copy") for machine in ("copy1", "copy2")]
        wait_planned(move)
        with databases.target() as session:
            wait_for(lambda: addresses(session, move, "copy") == {network["copy1"].address, network["copy2"].address},
                     "both copies have sessions", 60, 0.05)
            assert addresses(session, move, "control") == {
                network[name].address for name in ("capture", "copy1", "copy2", "apply")}
            for copy in copies:
                copy.wait_log("msg=copying")  # its checks, which look at the table too, are behind it
            with held_in_a_chunk(move, "item"):
                wait_for(lambda: copiers(move), "a chunk is copied", 60, 0.05)
            for copy in copies:
                copy.ends(0)
            assert len(copiers(move)) == 2
            wait_phase(move, "streaming")
            wait_caught_up(move, capture, apply)
            assert addresses(session, move, "apply") == {network["apply"].address}
        done = move.call("verify", "--json", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        transactions = load.stop()
    assert transactions > 100
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()
    assert move.call("drop", "--yes", move.name).returncode == 0


@pytest.mark.parametrize("role", ["capture", "apply"])
def test_machine_that_is_cut_off_is_replaced_and_writes_nothing_when_it_is_back(world, move, role):
    databases = move.databases
    with databases.source() as session:
        prepare(session, rows=500)
    roles = {name: on(world, name, move, name) for name in ("capture", "apply")}
    on(world, "copy1", move, "copy").ends(0)
    wait_phase(move, "streaming")
    load = RandomLoad(world.source.url(databases.name), sessions=4, pace=0.02).start()
    wait_caught_up(move, *roles.values())
    lost = roles[role]
    world.network[role].unplug()
    try:
        roles[role] = on(world, "spare", move, role, "--take-over")
        wait_caught_up(move, *roles.values())
    finally:
        world.network[role].plug_in()
    lost.ends(1)
    load.stop()
    wait_caught_up(move, *roles.values())
    assert_equal(databases)
    for process in roles.values():
        process.stop()


def test_chunk_of_a_machine_that_vanished_is_free_again(world, move):
    databases = move.databases
    small_tables(databases, n=5)
    with databases.source() as session:
        prepare(session, rows=500)
    capture = on(world, "capture", move, "capture")
    wait_started(move)
    assert move.call("pause").returncode == 0
    gone = on(world, "copy1", move, "copy")
    wait_planned(move)
    with held_in_a_chunk(move, "item"):
        # a power cut: nobody hears of its end
        world.network["copy1"].unplug()
        gone.kill()
    try:
        on(world, "copy2", move, "copy").ends(0, limit=300)
    finally:
        world.network["copy1"].plug_in()
    apply = on(world, "apply", move, "apply")
    wait_phase(move, "streaming")
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()
