"""The main job with Kafka as the bus: counted by an independent reader, and through the death of brokers."""
import pytest

from conftest import Databases, Drover, assert_equal
from kafka import Kafka
from kafka_bus import TOPIC, Follower, bus_on
from servers import wait_for
from workload import Pgbench, RandomLoad, pgbench_prepare, prepare


@pytest.fixture
def kafka():
    cluster = Kafka()
    yield cluster
    cluster.close()


@pytest.fixture
def three_brokers():
    cluster = Kafka(brokers=3)
    yield cluster
    cluster.close()


def load_on(databases, sessions=6):
    return RandomLoad(databases.source_server.url(databases.name), sessions=sessions, pace=0.05).start()


def more_transactions(load, number=50):
    """Until the source has committed that many more."""
    before = load.transactions
    wait_for(lambda: load.transactions >= before + number, f"{number} transactions on the source", 60)


def captured_by_table(move):
    """Number of the table: events that capture counted and apply has accounted for."""
    with move.databases.target() as session:
        numbers = {f"{schema}.{name}": number for number, schema, name in session.execute(
            "select id, source_schema, source_name from drover.tables where migration = %s", (move.name,)).fetchall()}
    return {numbers[table["source"]]: table["captured"] for table in move.status()["tables"] if table["captured"]}


def capture_epoch(databases):
    with databases.target() as session:
        return session.execute("select epoch from drover.lease where role = 'capture'").fetchone()[0]


def test_independent_reader_counts_what_status_says(databases, drover, kafka):
    pgbench_prepare(databases.source_server, databases.name, 3)
    with databases.source() as session:
        prepare(session)
    move = drover(bus=bus_on(kafka))
    tpcb = Pgbench(databases.source_server, databases.name, rate=300).start()
    load = load_on(databases, sessions=20)
    try:
        move.start()
        follower = Follower(kafka)
        move.wait_phase("streaming")
        done = move.call("verify", "--json", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        move.processes[-1].kill()
        move.processes[-1].wait()
        more_transactions(load)
        move.start()
        move.wait_caught_up()
    finally:
        tpcb.stop()
        assert load.stop() > 100
    move.wait_caught_up()
    assert assert_equal(databases) > 1000
    move.stop()
    counts = follower.finish()
    assert counts["claims"] == 2
    assert counts["epoch"] == capture_epoch(databases)
    assert counts["first_sequence"] == 1
    assert {int(table): of["events"] for table, of in counts["tables"].items()} == captured_by_table(move)
    status = move.status()
    assert status["bus"]["kind"] == "kafka"
    for table in status["tables"]:
        assert table["captured"] == (table["applied"] + table["filtered"] + table["superseded"]
                                     + table["rejected"] + table["refetched"])


def test_applied_records_are_deleted_from_the_topic(databases, drover, kafka):
    with databases.source() as session:
        prepare(session, rows=200)
    move = drover(bus=bus_on(kafka))
    move.start()
    move.wait_phase("streaming")
    load = load_on(databases)
    more_transactions(load, 300)
    wait_for(lambda: kafka.watermarks(TOPIC)[0] > 0, "the first records are gone", 120, 0.2)
    load.stop()
    move.wait_caught_up()
    assert_equal(databases)
    move.stop()


def in_the_middle_of_the_copy(databases):
    with databases.target() as session:
        if session.execute("select to_regclass('drover.chunk')").fetchone()[0] is None:
            return False
        return session.execute("select count(*) filter (where state = 'done') > 0 and"
                               " count(*) filter (where state <> 'done') > 0 from drover.chunk").fetchone()[0]


@pytest.mark.parametrize("way", ["stop", "kill"])
@pytest.mark.parametrize("phase", ["copying", "streaming"])
def test_broker_that_was_away_is_waited_for(databases, drover, kafka, phase, way):
    pgbench_prepare(databases.source_server, databases.name, 10)
    with databases.source() as session:
        prepare(session)
    move = drover(bus=bus_on(kafka), extra="limits: {copy_workers: 1}")
    load = load_on(databases)
    try:
        move.start()
        if phase == "copying":
            wait_for(lambda: in_the_middle_of_the_copy(databases), "a first chunk", 60, 0.01)
        else:
            move.wait_phase("streaming")
        getattr(kafka, way)()
        more_transactions(load)
        move.check_alive()
        kafka.start()
        move.wait_phase("streaming")
        more_transactions(load)
    finally:
        load.stop()
    move.wait_caught_up()
    assert assert_equal(databases) > 1000000
    move.stop()
    assert move.status()["phase"] == "streaming"


@pytest.mark.parametrize("way", ["kill", "pause"])
@pytest.mark.parametrize("topic", [TOPIC, "__transaction_state"])
def test_leader_that_dies_is_replaced(databases, drover, three_brokers, topic, way):
    """The leader of the bus, and the broker that keeps the transactions of its writer."""
    cluster = three_brokers
    with databases.source() as session:
        prepare(session)
    move = drover(bus=bus_on(cluster, replication=3))
    load = load_on(databases)
    try:
        move.start()
        move.wait_phase("streaming")
        assert cluster.topic_config(TOPIC)["min.insync.replicas"] == "2"
        leader = cluster.leader(topic)
        getattr(leader, way)()
        wait_for(lambda: cluster.leader(topic) not in (None, leader), "another leader", 60, 0.1)
        more_transactions(load)
        move.wait_caught_up()
        leader.resume() if way == "pause" else cluster.start()
        wait_for(lambda: len(cluster.in_sync(topic)) == 3, "all copies in step", 60, 0.1)
        more_transactions(load)
    finally:
        load.stop()
    move.wait_caught_up()
    assert_equal(databases)
    move.stop()


def test_two_brokers_with_two_copies_outlive_the_leader(databases, drover):
    cluster = Kafka(brokers=2)
    try:
        with databases.source() as session:
            prepare(session)
        move = drover(bus=bus_on(cluster, replication=2))
        load = load_on(databases)
        move.start()
        move.wait_phase("streaming")
        cluster.leader(TOPIC).kill()
        more_transactions(load)
        move.wait_caught_up()
        load.stop()
        move.wait_caught_up()
        assert_equal(databases)
        move.stop()
    finally:
        cluster.close()


def test_everything_killed_at_once_ends_equal(own_servers, tmp_path, kafka):
    databases = Databases(own_servers)
    pgbench_prepare(own_servers[0], databases.name, 10)
    with databases.source() as session:
        prepare(session)
    move = Drover(str(tmp_path), databases, bus=bus_on(kafka), extra="limits: {copy_workers: 1}")
    load = load_on(databases)
    move.start()
    wait_for(lambda: in_the_middle_of_the_copy(databases), "a first chunk", 60, 0.01)
    move.processes[-1].kill()
    kafka.kill()
    for server in own_servers:
        server.kill()
        server.start()
    move.processes[-1].wait()
    kafka.start()
    more_transactions(load)
    move.start()
    move.wait_phase("streaming")
    load.stop()
    move.wait_caught_up()
    assert assert_equal(databases) > 1000000
    move.stop()
