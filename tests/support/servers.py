"""Real PostgreSQL servers for the tests: started on free loopback ports, stopped by their pid.

As a program: `servers.py [--kafka] [--mysql] -- COMMAND...` starts a source and a target, puts their URLs
into DROVER_TEST_SOURCE and DROVER_TEST_TARGET, runs the command, and stops them again. With --kafka it also
starts a Kafka broker and puts its host:port into DROVER_TEST_KAFKA, with --mysql a MySQL and a MariaDB
server whose URLs go into DROVER_TEST_MYSQL and DROVER_TEST_MARIADB.
"""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SETTINGS = {
    "wal_level": "logical",
    "max_wal_senders": "30",
    "max_replication_slots": "30",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "track_commit_timestamp": "on",
    "fsync": "on",
    "log_min_messages": "warning",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise RuntimeError("no PostgreSQL server is installed (package postgresql)")
    return found[-1]


def wait_for(condition, what, limit=60.0, interval=0.02):
    """Waits for a condition with a limit; returns its first true value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(interval)


def pid_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Postgres:
    """One private server. All data in `folder`, which close() removes."""

    def __init__(self, name, host="127.0.0.1", **settings):
        self.name = name
        self.host = host
        self.bin = binaries()
        self.folder = tempfile.mkdtemp(prefix=f"drover-{name}-")
        self.data = os.path.join(self.folder, "data")
        self.port = free_port()
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.process = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        os.chmod(self.folder, 0o755)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E",
                  "UTF8", "--locale=C.UTF-8")
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            for key, value in {**SETTINGS, **settings}.items():
                conf.write(f"{key} = '{value}'\n")
        self._demand_password_of("needs_password")
        self.start()

    def _demand_password_of(self, role):
        """Everybody is trusted but one role, also from other machines of the tests' own network."""
        path = os.path.join(self.data, "pg_hba.conf")
        with open(path) as text:
            rules = text.read()
        with open(path, "w") as text:
            text.write(f"host all {role} {self.host}/32 scram-sha-256\n" + rules)
            if self.host != "127.0.0.1":
                text.write(f"host all all {self.host}/24 trust\nhost replication all {self.host}/24 trust\n")

    def _as_user(self):
        return {"user": self.user} if os.geteuid() == 0 else {}

    def _run(self, program, *arguments):
        subprocess.run([os.path.join(self.bin, program), *arguments], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, **self._as_user())

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), "-h",
             self.host, "-k", self.folder], stdout=log, stderr=log, cwd="/",
            start_new_session=True, **self._as_user())
        log.close()
        wait_for(self.ready, f"{self.name} accepts connections")

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} died: {self.log()[-2000:]}")
        return subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", self.host, "-p",
                               str(self.port)]).returncode == 0

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as text:
            return text.read()

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as text:
            return [int(pid) for pid in text.read().split()]

    def kill(self):
        """kill -9 of the server and of every process it has forked."""
        children = self.children()
        for pid in [self.process.pid, *children]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for pid in children:
            wait_for(lambda pid=pid: pid_gone(pid), f"end of {pid}")
        try:
            os.unlink(os.path.join(self.data, "postmaster.pid"))
        except FileNotFoundError:
            pass

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="postgres", user="postgres"):
        return f"postgresql://{user}@{self.host}:{self.port}/{database}"

    def program(self, name):
        return os.path.join(self.bin, name)


def start_kafka():
    from kafka import Kafka  # wants packages that nothing else here needs
    return Kafka()


def start_mysql(environment, run):
    from mysql_servers import MariaDB, MySQL  # it imports this module
    environment["DROVER_TEST_MYSQL"] = run(MySQL()).url()
    environment["DROVER_TEST_MARIADB"] = run(MariaDB()).url()


def main():
    options, command = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
    environment = dict(os.environ)
    with contextlib.ExitStack() as running:
        def run(server):
            running.callback(server.close)
            return server
        environment["DROVER_TEST_SOURCE"] = run(Postgres("source")).url()
        environment["DROVER_TEST_TARGET"] = run(Postgres("target")).url()
        if "--kafka" in options:
            environment["DROVER_TEST_KAFKA"] = run(start_kafka()).bootstrap()
        if "--mysql" in options:
            start_mysql(environment, run)
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
