"""Debezium beside drover: MySQL or MariaDB connector to Kafka to JDBC sink, both connectors in one Kafka Connect worker.

Maven fetches it by name (debezium/pom.xml) into build/debezium; its settings are debezium/*.properties.
"""
import fcntl
import filecmp
import os
import shutil
import subprocess

from servers import free_port, wait_for

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "debezium")
CACHE = os.path.join(HERE, "..", "..", "..", "build", "debezium")
PLUGINS = ("mysql", "mariadb", "jdbc")
# A second copy of these in a plugin's folder and the sink dies on a module of the other copy.
NOT_IN_PLUGINS = ("-DexcludeGroupIds=org.apache.kafka,org.slf4j",
                  "-DexcludeArtifactIds=jackson-core,jackson-databind,jackson-annotations")
CONNECTORS = {"mysql": ("io.debezium.connector.mysql.MySqlConnector", "disabled"),
              "mariadb": ("io.debezium.connector.mariadb.MariaDbConnector", "disable")}
TOPICS = [f"bench.src.pgbench_{table}" for table in ("accounts", "tellers", "branches", "history")]


def fetch_jars():
    """Complete once the cache holds the pom that it was made from."""
    os.makedirs(CACHE, exist_ok=True)
    pom, made_from = os.path.join(HERE, "pom.xml"), os.path.join(CACHE, "pom.xml")
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(made_from) and filecmp.cmp(pom, made_from, shallow=False):
            return
        for profile in ("worker", *PLUGINS):
            folder = os.path.join(CACHE, profile)
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run(["mvn", "-B", "-q", "-Dstyle.color=never", "-f", pom, "-P", profile,
                            "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
                            *(() if profile == "worker" else NOT_IN_PLUGINS)], check=True)
        shutil.copyfile(pom, made_from)


class Debezium:
    """Its offsets and its schema history live in `folder`: a worker that starts again goes on."""

    def __init__(self, folder, engine, source_port, kafka, latency=False):
        fetch_jars()
        os.makedirs(folder)
        self.folder = folder
        self.kafka = kafka
        self.process = None
        connector, tls = CONNECTORS[engine]
        os.mkdir(self._path("plugins"))
        for plugin in (engine, "jdbc"):
            os.symlink(os.path.abspath(os.path.join(CACHE, plugin)), os.path.join(self._path("plugins"), plugin))
        self._write("worker", {"bootstrap.servers": kafka.bootstrap(), "plugin.path": self._path("plugins"),
                               "listeners": f"http://127.0.0.1:{free_port()}",
                               "offset.storage.file.filename": self._path("offsets")})
        self._write("source", {"connector.class": connector, "database.hostname": "127.0.0.1",
                               "database.port": source_port, "database.ssl.mode": tls,
                               "schema.history.internal.file.filename": self._path("schema-history"),
                               "schema.history.internal.kafka.bootstrap.servers": kafka.bootstrap(),
                               "producer.override.linger.ms": 0 if latency else 5,
                               "poll.interval.ms": 10 if latency else 500})
        for topic in TOPICS:
            kafka.create_topic(topic)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, settings):
        shutil.copyfile(os.path.join(HERE, f"{name}.properties"), self._path(f"{name}.properties"))
        with open(self._path(f"{name}.properties"), "a") as properties:
            properties.writelines(f"{key}={value}\n" for key, value in settings.items())

    def sink_into(self, port, database, rewrite):
        """rewrite: the driver's multi-row inserts, which want the reduction buffer."""
        self._write("sink", {"connection.url": f"jdbc:postgresql://127.0.0.1:{port}/{database}"
                                               f"?reWriteBatchedInserts={str(rewrite).lower()}"})

    def start(self, *connectors):
        with open(self._path("log"), "ab") as log:
            self.process = subprocess.Popen(
                ["java", "-Xms256m", "-Xmx1g", "-XX:+UseParallelGC",
                 f"-Dlog4j2.configurationFile={HERE}/log4j2.properties", "-cp", f"{CACHE}/worker/*",
                 "org.apache.kafka.connect.cli.ConnectStandalone",
                 *[self._path(f"{name}.properties") for name in ("worker", *connectors)]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def log(self):
        with open(self._path("log"), errors="replace") as text:
            return text.read()

    def check(self):
        """A task that died does not end its worker."""
        log = self.log()
        if self.process.poll() is not None or "Task threw" in log:
            causes = [line for line in log.splitlines() if "ERROR" in line or line.startswith("Caused by")]
            raise RuntimeError("Debezium failed: " + "\n".join(causes or log.splitlines()[-20:])[:3000])

    def changes(self):
        """How many are in Kafka."""
        return sum(self.kafka.watermarks(topic)[1] for topic in TOPICS)

    def wait_changes(self, count, limit=120):
        def there():
            self.check()
            return self.changes() >= count
        wait_for(there, f"{count} changes are in Kafka", limit, 0.1)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
