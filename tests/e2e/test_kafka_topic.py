"""A topic that is wrong, gone, made anew or emptied: found by plan, or a stop that names it. And drop."""
import re

import pytest

from conftest import assert_equal, lsn
from kafka import Kafka
from kafka_bus import TOPIC, bus_on, commands_in, run_command
from servers import free_port, wait_for
from workload import RandomLoad, prepare

GOOD = {"cleanup_policy": "delete", "retention_ms": -1, "retention_bytes": -1}


@pytest.fixture(scope="module")
def kafka():
    cluster = Kafka()
    yield cluster
    cluster.close()


@pytest.fixture
def topic(kafka, databases):
    """A name of its own for each test's topic."""
    return f"drover.{databases.name}.changes"


@pytest.fixture
def move(databases, drover, kafka, topic):
    with databases.source() as session:
        prepare(session, rows=200)
    return drover(bus=bus_on(kafka, topic))


def streaming(move):
    move.start()
    move.wait_phase("streaming")
    return move


def change_something(databases):
    with databases.source() as session:
        session.execute("update item set counter = counter + 1")


def put_changes_on_the_bus_only(databases, move):
    """drover runs, and apply has been paused since before it started."""
    streaming(move).stop()
    assert move.call("pause").returncode == 0
    move.start()
    change_something(databases)
    with databases.source() as session:
        head = session.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
    wait_for(lambda: lsn(move.status()["capture"]["position"]) >= lsn(head), "the changes are on the bus", 60, 0.1)
    assert_nothing_was_applied(databases)


def assert_nothing_was_applied(databases):
    with databases.target() as session:
        assert session.execute("select sum(counter) from item").fetchone()[0] == 0


def assert_person_needed(status, said, topic):
    assert status == 4, said
    assert topic in said, said


def ended(move):
    process = move.processes[-1]
    wait_for(lambda: process.poll() is not None, "drover stops", 120, 0.1)
    move.check_log()
    return process.returncode, move.log()


# ---- a topic that changes under drover ----

@pytest.mark.parametrize("anew", [False, True])
def test_topic_deleted_while_drover_is_stopped(databases, move, kafka, topic, anew):
    streaming(move).stop()
    kafka.delete_topic(topic)
    if anew:
        kafka.create_topic(topic, **GOOD)
    change_something(databases)
    done = move.call("run")
    assert_person_needed(done.returncode, done.stderr, topic)
    if anew:
        assert kafka.watermarks(topic) == (0, 0), "drover wrote to a topic that is not its own"


@pytest.mark.parametrize("anew", [False, True])
def test_topic_deleted_while_drover_runs(databases, move, kafka, topic, anew):
    streaming(move)
    kafka.delete_topic(topic)
    if anew:
        kafka.create_topic(topic, **GOOD)
    change_something(databases)
    status, said = ended(move)
    assert_person_needed(status, said, topic)


def test_topic_made_anew_before_its_records_were_applied(databases, move, kafka, topic):
    """Capture may have written to the new topic, before or after it noticed: what was lost stays lost."""
    put_changes_on_the_bus_only(databases, move)
    kafka.delete_topic(topic)
    kafka.create_topic(topic, **GOOD)
    change_something(databases)
    status, said = ended(move)
    assert_person_needed(status, said, topic)
    assert move.call("resume").returncode == 0
    done = move.call("run")
    assert_person_needed(done.returncode, done.stderr, topic)
    assert_nothing_was_applied(databases)


def test_records_deleted_before_they_were_applied(databases, move, kafka, topic):
    put_changes_on_the_bus_only(databases, move)
    move.stop()
    kafka.delete_records(topic, kafka.watermarks(topic)[1])
    assert move.call("resume").returncode == 0
    done = move.call("run")
    assert_person_needed(done.returncode, done.stderr, topic)
    assert_nothing_was_applied(databases)


def test_bus_of_another_migration_is_left_alone(databases, drover, move, kafka, topic):
    streaming(move)
    other = drover(name="other", bus=bus_on(kafka, topic), tables="tables: [{source: public.pair, target: copy.pair}]")
    done = other.call("run")
    assert done.returncode == 4 and topic in done.stderr, done.stdout + done.stderr
    change_something(databases)
    move.wait_caught_up()
    assert_equal(databases)
    move.stop()


# ---- plan ----

def plan(move):
    done = move.call("plan")
    return done.returncode, done.stdout + done.stderr


def test_plan_changes_nothing(move, kafka, topic):
    status, said = plan(move)
    assert status == 0, said
    assert topic in said
    assert topic not in kafka.topics()


def test_plan_names_wrong_settings_with_the_commands_that_mend_them(databases, drover):
    cluster = Kafka(brokers=3)
    try:
        with databases.source() as session:
            prepare(session, rows=200)
        cluster.create_topic(TOPIC, replication=3, cleanup_policy="compact", retention_ms=86400000,
                             retention_bytes=1000000, min_insync_replicas=1, unclean_leader_election_enable="true",
                             max_message_bytes=100000)
        move = drover(bus=bus_on(cluster, replication=3))
        status, said = plan(move)
        assert status == 1, said
        wrong = {"cleanup.policy", "retention.ms", "retention.bytes", "min.insync.replicas",
                 "unclean.leader.election.enable", "max.message.bytes"}
        commands = commands_in(said, "kafka-configs.sh")
        assert {argument.split("=")[0] for command in commands for argument in command if "=" in argument} == wrong
        assert move.call("run").returncode == 1
        assert cluster.watermarks(TOPIC) == (0, 0)
        for command in commands:
            run_command(command, cluster)
        status, said = plan(move)
        assert status == 0, said
        assert commands_in(said, "kafka-configs.sh") == []
        streaming(move)
        change_something(databases)
        move.wait_caught_up()
        assert_equal(databases)
        move.stop()
    finally:
        cluster.close()


@pytest.mark.parametrize("partitions, asked, words", [(1, 2, "2"), (3, 1, "3 partitions")])
def test_plan_names_a_topic_of_the_wrong_shape(databases, drover, kafka, topic, partitions, asked, words):
    kafka.create_topic(topic, partitions=partitions, **GOOD)
    move = drover(bus=bus_on(kafka, topic, replication=asked))
    status, said = plan(move)
    assert status == 1 and topic in said and words in said, said
    assert move.call("run").returncode == 1


def test_more_copies_than_brokers(databases, drover, kafka, topic):
    move = drover(bus=bus_on(kafka, topic, replication=3))
    status, said = plan(move)
    assert status == 1 and topic in said and re.search("(?i)replication", said), said
    assert move.call("run").returncode == 1
    assert topic not in kafka.topics()


def test_topic_with_records_of_somebody_else(databases, drover, kafka, topic):
    from confluent_kafka import Producer
    kafka.create_topic(topic, **GOOD)
    producer = Producer({"bootstrap.servers": kafka.bootstrap()})
    producer.produce(topic, b"not drover's")
    assert producer.flush(30) == 0
    move = drover(bus=bus_on(kafka, topic))
    status, said = plan(move)
    assert status in (1, 4) and topic in said, said
    done = move.call("run")
    assert done.returncode in (1, 4) and topic in done.stdout + done.stderr, done.stdout + done.stderr
    assert kafka.watermarks(topic) == (0, 1)


def test_no_broker_at_the_start_exits_3(databases, drover, kafka):
    address = f"127.0.0.1:{free_port()}"
    move = drover(bus=bus_on(kafka, bootstrap=address))
    for command in ("plan", "run"):
        done = move.call(command)
        assert done.returncode == 3 and address in done.stderr, done.stdout + done.stderr


# ---- drop ----

def test_drop_removes_the_topic_that_drover_made(move, kafka, topic):
    streaming(move).stop()
    assert topic in kafka.topics()
    done = move.call("drop", "--yes", move.name)
    assert done.returncode == 0, done.stderr
    assert topic in done.stdout
    wait_for(lambda: topic not in kafka.topics(), "the topic is gone", 30, 0.1)


def test_drop_leaves_a_topic_that_was_there_before(databases, move, kafka, topic):
    kafka.create_topic(topic, **GOOD)
    streaming(move).stop()
    done = move.call("drop", "--yes", move.name)
    assert done.returncode == 0, done.stderr
    assert topic in done.stdout
    assert topic in kafka.topics()


def test_drop_when_the_topic_is_gone_or_somebody_elses(move, kafka, topic):
    streaming(move).stop()
    kafka.delete_topic(topic)
    kafka.create_topic(topic, **GOOD)
    done = move.call("drop", "--yes", move.name)
    assert done.returncode == 0, done.stderr
    assert topic in kafka.topics()
