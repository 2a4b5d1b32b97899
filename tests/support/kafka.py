"""Real Kafka brokers for the tests: on free loopback ports, stopped by their pid.

One broker is its own controller. Several brokers have a controller apart, so that any of them can be
killed. Every broker has a plaintext listener; `tls_sasl` adds one that wants TLS and a password
(PLAIN or SCRAM-SHA-256, the same users). With `authorizer` plaintext clients may do everything and
the users only what allow() gave them.
"""
import base64
import functools
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import uuid

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType,
                                   ConfigEntry, ConfigResource, NewTopic, OffsetSpec, ResourcePatternType,
                                   ResourceType, ScramCredentialInfo, ScramMechanism,
                                   UserScramCredentialUpsertion)

from servers import free_port, wait_for

QUICKSTART = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "quickstart")
LAUNCHER = os.path.join(QUICKSTART, "kafka.sh")
CONTROLLER_ID = 100
USERS = {"app": "secret", "other": "secret too"}
KEYSTORE_PASSWORD = "throwaway"

SILENT = logging.getLogger("librdkafka")  # what it says of brokers that a test has stopped
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class Node:
    """One JVM: a broker, a controller or both. Lives in a folder of its own."""

    def __init__(self, number, folder, cluster_id):
        self.number = number
        self.folder = folder
        self.cluster_id = cluster_id
        self.port = free_port()
        self.tls_port = free_port()
        self.process = None
        os.makedirs(folder)

    def configure(self, settings):
        with open(os.path.join(QUICKSTART, "kafka", "node.properties")) as common:
            text = common.read()
        with open(os.path.join(self.folder, "server.properties"), "w") as properties:
            properties.write(text)
            properties.writelines(f"{key}={value}\n" for key, value in settings.items())

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([LAUNCHER, "run", self.folder, self.cluster_id], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as text:
            return text.read()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if not self.alive():
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


class Kafka:
    """A cluster. All data in `folder`, which close() removes. Settings are added to every node's."""

    def __init__(self, brokers=1, tls_sasl=False, authorizer=False, host="127.0.0.1", **settings):
        self.folder = tempfile.mkdtemp(prefix="drover-kafka-")
        self.host = host
        self.tls_sasl = tls_sasl
        self.authorizer = authorizer
        self.settings = settings
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        try:
            subprocess.run([LAUNCHER, "jars"], check=True)
            self.brokers = [Node(number, os.path.join(self.folder, f"broker-{number}"), cluster_id)
                            for number in range(1, brokers + 1)]
            self.controller = (self.brokers[0] if brokers == 1 else
                               Node(CONTROLLER_ID, os.path.join(self.folder, "controller"), cluster_id))
            self.controller_port = free_port()
            if tls_sasl:
                self._make_certificates()
            for node in self.nodes():
                node.configure(self._settings_of(node))
            self.start()
            if tls_sasl:
                self._store_scram_users()
        except BaseException:
            self.close()
            raise

    # ---- life ----

    def nodes(self):
        return list(dict.fromkeys([self.controller, *self.brokers]))

    def start(self):
        """Starts what does not run and waits until every broker is in the metadata."""
        for node in self.nodes():
            if not node.alive():
                node.start()
        self.wait_ready()

    def wait_ready(self):
        wait_for(self.ready, "Kafka's brokers are registered", 90, 0.1)

    def ready(self):
        for node in self.nodes():
            if not node.alive():
                raise RuntimeError(f"Kafka node {node.number} died: {node.log()[-4000:]}")
        return self.registered() == {node.number for node in self.brokers}

    def registered(self):
        """Numbers of the brokers that the cluster takes for alive."""
        try:
            return set(self.admin.list_topics(timeout=1).brokers)
        except KafkaException:  # nobody answers yet
            return set()

    def stop(self):
        for node in reversed(self.nodes()):
            node.stop()

    def kill(self):
        """kill -9 of every node."""
        for node in self.nodes():
            if node.alive():
                node.kill()

    def close(self):
        for node in [*getattr(self, "brokers", []), getattr(self, "controller", None)]:
            if node is not None and node.alive():
                node.resume()
                node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- addresses ----

    def bootstrap(self):
        return ",".join(f"{self.host}:{node.port}" for node in self.brokers)

    def tls_bootstrap(self):
        return ",".join(f"127.0.0.1:{node.tls_port}" for node in self.brokers)

    def client_properties(self, user="app", password=None, mechanism="PLAIN"):
        """librdkafka's settings for the listener with TLS and passwords."""
        return {"security.protocol": "SASL_SSL", "ssl.ca.location": self._path("ca.crt"),
                "sasl.mechanism": mechanism, "sasl.username": user,
                "sasl.password": USERS[user] if password is None else password}

    # ---- topics ----

    @functools.cached_property
    def admin(self):
        return AdminClient({"bootstrap.servers": self.bootstrap(), "reconnect.backoff.max.ms": 200,
                            "socket.timeout.ms": 2000}, logger=SILENT)

    def metadata(self):
        """From any broker; one that stands still is asked once and then left."""
        def ask():
            try:
                return self.admin.list_topics(timeout=3)
            except KafkaException:
                return None
        return wait_for(ask, "Kafka's metadata", 60, 0.1)

    def topics(self):
        return {name for name in self.metadata().topics if not name.startswith("__")}

    def create_topic(self, name, partitions=1, replication=1, **config):
        """Settings with _ for each dot: cleanup_policy="compact"."""
        topic = NewTopic(name, partitions, replication,
                         config={key.replace("_", "."): str(value) for key, value in config.items()})
        self.admin.create_topics([topic])[name].result(30)
        wait_for(lambda: name in self.topics() and self.leader(name) is not None, f"topic {name}", 30)

    def alter_topic(self, name, **config):
        entries = [ConfigEntry(key.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
                   for key, value in config.items()]
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def delete_topic(self, name):
        self.admin.delete_topics([name])[name].result(30)
        wait_for(lambda: name not in self.topics(), f"topic {name} is gone", 30)

    def topic_config(self, name):
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        entries = self.admin.describe_configs([resource])[resource].result(30)
        return {key: entry.value for key, entry in entries.items()}

    def watermarks(self, name, partition=0):
        """First offset that is still there, and the offset after the last."""
        at = TopicPartition(name, partition)

        def offset(spec):
            return self.admin.list_offsets({at: spec})[at].result(30).offset
        return offset(OffsetSpec.earliest()), offset(OffsetSpec.latest())

    def delete_records(self, name, below, partition=0):
        at = TopicPartition(name, partition, below)
        self.admin.delete_records([at])[at].result(30)

    def leader(self, name, partition=0):
        """The broker that leads; None where nobody does."""
        number = self._partition(name, partition).leader
        return next((node for node in self.brokers if node.number == number), None)

    def in_sync(self, name, partition=0):
        return set(self._partition(name, partition).isrs)

    def _partition(self, name, partition):
        return self.metadata().topics[name].partitions[partition]

    # ---- users ----

    def allow(self, user, kind, name, *operations):
        """kind: topic, transactional_id, group or broker (the cluster); operations: read, write, ..."""
        rules = [AclBinding(ResourceType[kind.upper()], name, ResourcePatternType.LITERAL, f"User:{user}", "*",
                            AclOperation[operation.upper()], AclPermissionType.ALLOW) for operation in operations]
        for done in self.admin.create_acls(rules).values():
            done.result(30)

    def _store_scram_users(self):
        """Through the admin's connection; then waits until each of them can log in."""
        iterations = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        changes = [UserScramCredentialUpsertion(user, iterations, password.encode())
                   for user, password in USERS.items()]
        for done in self.admin.alter_user_scram_credentials(changes).values():
            done.result(30)

        def log_in(user):
            client = Consumer({"bootstrap.servers": self.tls_bootstrap(), "group.id": "unused",
                               **self.client_properties(user, mechanism="SCRAM-SHA-256")}, logger=SILENT)
            try:
                return bool(client.list_topics(timeout=2).brokers)
            except KafkaException:  # not yet
                return False
            finally:
                client.close()
        for user in USERS:
            wait_for(lambda user=user: log_in(user), f"Kafka knows user {user}", 30)

    # ---- settings ----

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _settings_of(self, node):
        copies = len(self.brokers)
        settings = {
            "node.id": node.number,
            "log.dirs": os.path.join(node.folder, "data"),
            "controller.quorum.voters": f"{self.controller.number}@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "share.coordinator.state.topic.replication.factor": copies,
        }
        listeners, roles = [], []
        if node is self.controller:
            roles.append("controller")
            listeners.append(f"CONTROLLER://127.0.0.1:{self.controller_port}")
        if node in self.brokers:
            roles.append("broker")
            listeners.append(f"PLAINTEXT://{self.host}:{node.port}")
            if self.tls_sasl:
                listeners.append(f"SASL_SSL://127.0.0.1:{node.tls_port}")
                settings.update(self._tls_settings())
        if self.authorizer:
            settings["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            settings["super.users"] = "User:ANONYMOUS"
        return {**settings, "process.roles": ",".join(roles), "listeners": ",".join(listeners),
                **{key.replace("_", "."): value for key, value in self.settings.items()}}

    def _tls_settings(self):
        modules = "org.apache.kafka.common.security"
        users = " ".join(f'user_{user}="{password}"' for user, password in USERS.items())
        return {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": self._path("keystore.p12"),
            "ssl.keystore.password": KEYSTORE_PASSWORD,
            "listener.name.sasl_ssl.plain.sasl.jaas.config":
                f"{modules}.plain.PlainLoginModule required {users};",
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config":
                f"{modules}.scram.ScramLoginModule required;",
        }

    def _make_certificates(self):
        """A throwaway authority, and one certificate for every broker."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, cwd=self.folder, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        with open(self._path("names"), "w") as names:
            names.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=throwaway authority",
                "-keyout", "ca.key", "-out", "ca.crt")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "broker.key",
                "-out", "broker.csr")
        openssl("x509", "-req", "-in", "broker.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", "names", "-out", "broker.crt")
        openssl("pkcs12", "-export", "-in", "broker.crt", "-inkey", "broker.key", "-certfile", "ca.crt",
                "-out", "keystore.p12", "-passout", f"pass:{KEYSTORE_PASSWORD}")
