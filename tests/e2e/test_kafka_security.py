"""Kafka with TLS, passwords and ACLs."""
import os
import subprocess

import pytest

from conftest import assert_equal
from kafka import USERS, Kafka
from kafka_bus import bus_on, commands_in, run_command
from workload import prepare

SECRETS = ("sasl.password",)


@pytest.fixture(scope="module")
def kafka():
    """User app may do nothing but what a test allows; user other may do everything."""
    cluster = Kafka(tls_sasl=True, authorizer=True, super_users="User:ANONYMOUS;User:other")
    yield cluster
    cluster.close()


def bus_over_tls(kafka, folder, topic, **client):
    """Secrets stand in a file of their own."""
    properties = kafka.client_properties(**client)
    path = os.path.join(folder, "kafka.properties")
    with open(path, "w") as text:
        text.write("# for librdkafka\n")
        text.writelines(f"{key}={properties.pop(key)}\n" for key in SECRETS if key in properties)
    os.chmod(path, 0o600)
    return bus_on(kafka, topic, bootstrap=kafka.tls_bootstrap(), properties=properties, properties_file=path)


@pytest.fixture
def make(databases, drover, kafka, tmp_path):
    def one(**client):
        with databases.source() as session:
            prepare(session, rows=200)
        topic = f"drover.{databases.name}.changes"
        return drover(bus=bus_over_tls(kafka, str(tmp_path), topic, **client)), topic
    return one


def assert_moves(move):
    move.start()
    move.wait_phase("streaming")
    with move.databases.source() as session:
        session.execute("update item set counter = counter + 1")
    move.wait_caught_up()
    assert_equal(move.databases)
    move.stop()


def assert_silent_about_secrets(*texts):
    for text in texts:
        assert not any(secret in text for secret in USERS.values())


def test_move_over_tls_with_a_password(make):
    move, topic = make(user="other")
    done = move.call("plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_moves(move)
    assert_silent_about_secrets(move.log(), done.stdout, done.stderr)
    with move.databases.target() as session:
        assert_silent_about_secrets(session.execute("select file from drover.migration").fetchone()[0])
    done = move.call("drop", "--yes", move.name)
    assert done.returncode == 0, done.stderr


def test_wrong_password_exits_1(make):
    move, topic = make(user="other", password="not the one")
    for command in ("plan", "run"):
        done = move.call(command)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and topic in said and "uthentication" in said, said
        assert "not the one" not in said


def test_unknown_authority_exits_1(make, kafka, tmp_path):
    stranger = os.path.join(tmp_path, "stranger.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger",
                    "-keyout", os.path.join(tmp_path, "stranger.key"), "-out", stranger], check=True,
                   stderr=subprocess.DEVNULL)
    move, topic = make(user="other")
    move.bus = move.bus.replace(kafka.client_properties()["ssl.ca.location"], stranger)
    move.write()
    for command in ("plan", "run"):
        done = move.call(command)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and topic in said and "certificate" in said, said


def scram_works():
    """From librdkafka 2.6.1 on, against Kafka 4."""
    version = subprocess.run(["pkg-config", "--modversion", "rdkafka"], check=True, capture_output=True, text=True)
    return tuple(int(number) for number in version.stdout.strip().split(".")) >= (2, 6, 1)


def test_scram_works_or_the_error_says_what_to_do(make):
    move, topic = make(user="other", mechanism="SCRAM-SHA-256")
    if scram_works():
        assert_moves(move)
        return
    for command in ("plan", "run"):
        done = move.call(command)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and topic in said, said
        assert "SCRAM" in said and "2.6.1" in said and "PLAIN" in said, said


def test_missing_acls_are_named_and_the_commands_of_plan_are_enough(make, kafka):
    move, topic = make(user="app")
    for command in ("plan", "run"):
        done = move.call(command)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and topic in said and "uthorization" in said, said
    assert topic not in kafka.topics()
    commands = commands_in(move.call("plan").stdout, "kafka-acls.sh")
    assert commands and all("User:app" in command for command in commands)
    for command in commands:
        run_command(command, kafka)
    done = move.call("plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_moves(move)
    done = move.call("drop", "--yes", move.name)
    assert done.returncode == 0, done.stderr
    assert topic not in kafka.topics()
