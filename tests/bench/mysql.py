"""The bench behind run.sh mysql: MySQL or MariaDB to PostgreSQL. Every contender moves the same rows from the same
server to a database of its own, and they are compared when it says that it is done."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psycopg
import pymysql

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from debezium import TOPICS, Debezium  # noqa: E402
from kafka import Kafka  # noqa: E402
from measure import Measure, ratio, table  # noqa: E402
from mysql_servers import MariaDB, MySQL  # noqa: E402
from servers import Postgres, wait_for  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = 987654321
MARKED = (("accounts", "aid", "abalance"), ("tellers", "tid", "tbalance"), ("branches", "bid", "bbalance"))
COLUMNS = {
    "pgbench_accounts": ("aid", "bid", "abalance", "filler"),
    "pgbench_tellers": ("tid", "bid", "tbalance", "filler"),
    "pgbench_branches": ("bid", "bbalance", "filler"),
    "pgbench_history": ("id", "tid", "bid", "aid", "delta", "mtime", "filler"),
}
ENGINES = {
    "mariadb": (MariaDB, dict(innodb_log_file_size="2G")),
    "mysql": (MySQL, dict(innodb_redo_log_capacity="4G")),
}


def text_of(columns, plain, mtime):
    """SQL: all columns of a row as one text. `plain` makes a text of any column but the one that has a time."""
    texts = [mtime if column == "mtime" else plain.format(column) for column in columns]
    return "concat_ws('|', " + ", ".join(f"coalesce({text}, '~')" for text in texts) + ")"


class Bench:
    def __init__(self, options):
        self.options = options
        self.drover = os.path.abspath(options.drover)
        self.folder = tempfile.mkdtemp(prefix="drover-bench-")
        self.serial = 0
        self.kafka = None
        server, settings = ENGINES[options.engine]
        self.source = server(innodb_buffer_pool_size="1G", **settings)
        self.target = Postgres("target", shared_buffers="1GB", max_wal_size="16GB", checkpoint_timeout="30min",
                               autovacuum="off", timezone="UTC")
        self.servers = {"source": self.source, "target": self.target}

    def close(self):
        for server in (self.source, self.target, self.kafka):
            if server is not None:
                server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the two sides
    def ask(self, *statements, database="src"):
        """Runs statements on the source; the last one's first row."""
        session = pymysql.connect(host="127.0.0.1", port=self.source.port, user="root", database=database,
                                  autocommit=True)
        with session, session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchone()

    def ask_target(self, database, *statements):
        with psycopg.connect(self.target.url(database), autocommit=True) as session:
            for statement in statements:
                answer = session.execute(statement)
            return answer.fetchone() if answer.description else None

    def load(self):
        with open(os.path.join(HERE, "tpcb_mysql.sql")) as text:
            statements = text.read().split("\n\n")
        self.ask("create database src", "create user bench@'127.0.0.1' identified by 'bench'",
                 "grant all on *.* to bench@'127.0.0.1'", database=None)
        self.ask("set sql_log_bin = 0", *statements, f"call fill_tables({self.options.scale})", "drop table thousand",
                 "analyze table " + ", ".join(COLUMNS))

    def fresh(self, template=None):
        self.serial += 1
        name = f"dst{self.serial}"
        self.ask_target("postgres", f"create database {name}" + (f" template {template}" if template else ""),
                        "checkpoint")
        return name

    def source_content(self):
        """Per table the number of rows, and the sum of a part of each row's SHA-256."""
        def text(columns):
            return text_of(columns, "{}", "date_format(mtime, '%Y-%m-%d %H:%i:%s.%f')")
        return [tuple(map(int, self.ask(f"select count(*), coalesce(sum(conv(left(sha2({text(columns)}, 256), 8), 16, 10)), 0)"
                                        f" from {name}"))) for name, columns in COLUMNS.items()]

    def target_content(self, database):
        def digest(columns):
            text = text_of(columns, "{}::text", "to_char(mtime::timestamp, 'YYYY-MM-DD HH24:MI:SS.US')")
            return f"('x' || encode(substr(sha256(convert_to({text}, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint"
        return [tuple(map(int, self.ask_target(database, f"select count(*), coalesce(sum({digest(columns)}), 0)"
                                                         f" from src.{name}"))) for name, columns in COLUMNS.items()]

    def check(self, database, who):
        source, target = self.source_content(), self.target_content(database)
        assert source == target, f"{who}: {source} on the source, {target} on the target"

    # ---- drover
    def migration(self, database, kafka=False):
        name = f"bench_{database}"
        path = os.path.join(self.folder, f"{name}.yaml")
        with open(path, "w") as text:
            text.write(f"migration: {name}\nsource: {{url: '{self.source.url('src')}'}}\n"
                       f"target: {{url: '{self.target.url(database)}'}}\n"
                       f"limits: {{copy_workers: {self.options.jobs}}}\n")
            if kafka:
                text.write(f"bus:\n  kafka: {{bootstrap_servers: '{self.kafka.bootstrap()}', topic: {name}, "
                           "replication_factor: 1}\n")
        return name, path

    def run(self, path):
        with open(path + ".log", "ab") as log:
            return subprocess.Popen([self.drover, "run", path, "--log-level", "warning"], stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log)

    def wait_phase(self, process, database, path, name, phase, limit=600):
        def reached():
            if process.poll() is not None:
                with open(path + ".log", errors="replace") as log:
                    raise RuntimeError(f"drover ended with {process.returncode}: {log.read()[-3000:]}")
            try:
                return self.ask_target(database, f"select phase from drover.migration where name = '{name}'"
                                       ) == (phase,)
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                return False
        wait_for(reached, phase, limit, 0.02)

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    def drop(self, path, name):
        subprocess.run([self.drover, "drop", path, "--yes", name], check=True, stdout=subprocess.DEVNULL)

    def copied(self, kafka=False):
        """A database that drover has filled and then left: name of the migration, database, file."""
        database = self.fresh()
        name, path = self.migration(database, kafka)
        process = self.run(path)
        self.wait_phase(process, database, path, name, "streaming")
        self.stop(process)
        return name, database, path

    def wanted(self, way):
        return any(word in way for word in self.options.only.split(","))

    # ---- copy
    def child(self, measure, command, **options):
        """Runs a program; its peak memory is the contender's."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        measure.peak = max(measure.peak, usage.ru_maxrss / 1024)
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {self.tail('child.log')}")

    def tail(self, name):
        with open(os.path.join(self.folder, name), errors="replace") as log:
            return log.read()[-3000:]

    def copy_floor(self, database):
        self.ask_target(database, "create schema src",
                        "create table src.pgbench_accounts (aid int, bid int, abalance int, filler varchar(84))",
                        "create table src.pgbench_tellers (tid int, bid int, tbalance int, filler varchar(84))",
                        "create table src.pgbench_branches (bid int, bbalance int, filler varchar(88))",
                        "create table src.pgbench_history (id bigint, tid int, bid int, aid int, delta int,"
                        " mtime timestamp, filler varchar(22))")
        measure = Measure(self.servers)
        for name, columns in COLUMNS.items():
            with open(os.path.join(self.folder, "child.log"), "wb") as log:
                self.child(measure, ["bash", "-c", f"mariadb --no-defaults -h 127.0.0.1 -P {self.source.port} -u root -BN --quick"
                                     f" -e 'select * from {name}' src | {self.target.program('psql')} -Xq"
                                     f" '{self.target.url(database)}' -c \"copy src.{name} from stdin (null 'NULL')\""],
                           stdout=log, stderr=log)
            self.ask_target(database, f"alter table src.{name} add primary key ({columns[0]})")
        return measure.end()

    def copy_pgloader(self, database):
        command = os.path.join(self.folder, "pgloader.load")
        with open(command, "w") as text:
            text.write(f"load database from {self.source.url('src')} into {self.target.url(database)};\n")
        measure = Measure(self.servers)
        with open(os.path.join(self.folder, "child.log"), "wb") as log:
            self.child(measure, ["pgloader", "--root-dir", os.path.join(self.folder, "pgloader"), command],
                       stdout=log, stderr=log)
        return measure.end()

    def copy_drover(self, database):
        name, path = self.migration(database)
        measure = Measure(self.servers)
        process = self.run(path)
        self.wait_phase(process, database, path, name, "streaming")
        measure.end(process)
        self.stop(process)
        self.drop(path, name)
        return measure

    def contest_copy(self):
        ways = {"mysql -B | COPY, then keys": self.copy_floor, "pgloader": self.copy_pgloader,
                "drover run to streaming": self.copy_drover}
        if self.options.engine == "mysql":
            del ways["pgloader"]  # knows none of MySQL 9's ways to log in
        ways = {way: run for way, run in ways.items() if self.wanted(way)}
        results = {way: [] for way in ways}
        for _ in range(self.options.rounds):
            for way, run in ways.items():
                database = self.fresh()
                results[way].append(run(database))
                self.check(database, way)
                self.ask_target("postgres", f"drop database {database}")
        print(f"\n== copy: {self.options.scale * 100000} accounts, {self.options.engine} to PostgreSQL, "
              f"{self.options.jobs} jobs, {self.options.rounds} rounds, equal afterwards")
        table(results)
        for way in ways:
            if "drover run to streaming" in ways and way != "drover run to streaming":
                print(f"   {way} / drover: {ratio(results, way, 'drover run to streaming')}")

    # ---- drain
    def contest_drain(self):
        self.start_kafka()
        ways = {"drover": False, "drover through Kafka": True}
        ways = {way: self.copied(kafka) for way, kafka in ways.items() if self.wanted(way)}
        theirs = self.fresh()
        self.copy_floor(theirs)
        debezium = self.debezium_at_the_end_of_the_log()
        transactions = self.backlog()
        measures = {}
        if self.wanted("Debezium"):
            measures["Debezium"] = [self.drain_debezium(debezium, theirs)]
            self.check(theirs, "Debezium")
        for way, (name, database, path) in ways.items():
            measures[way] = [self.drain_drover(database, path, kafka=way != "drover")]
            self.check(database, way)
            self.drop(path, name)
        changes = transactions * 4 + 5
        print(f"\n== drain: {self.options.engine} to PostgreSQL, {changes} changes in {transactions + 2} transactions, "
              "equal afterwards")
        table(measures, changes)
        for way in ways if self.wanted("Debezium") else []:
            print(f"   Debezium / {way}: {ratio(measures, 'Debezium', way)}")
            print(f"      its work alone, JVM's start left out: {ratio(measures, 'Debezium', way, lambda m: m.active)}")
            print(f"      {ratio(measures, 'Debezium', way, lambda m: m.total_cpu, 'CPU s of all, servers too')}")
            print(f"      {ratio(measures, 'Debezium', way, self.own_cpu, 'CPU s without the two servers')}")

    @staticmethod
    def own_cpu(measure):
        return measure.client + measure.cpu.get("kafka", 0.0)

    def start_kafka(self):
        os.environ["DROVER_KAFKA_JVM"] = "-XX:TieredStopAtLevel=4 -Xmx512m"  # here it lives long
        if self.kafka is None:
            self.kafka = Kafka()

    def debezium_at_the_end_of_the_log(self, latency=False):
        """Its connector has seen one change and keeps that as its offset."""
        debezium = Debezium(os.path.join(self.folder, f"debezium{self.serial}"), self.options.engine, self.source.port,
                            self.kafka, latency)
        debezium.start("source")
        try:
            def streams():
                debezium.check()
                return "Keepalive thread is running" in debezium.log() or "Connected to " in debezium.log()
            wait_for(streams, "Debezium reads the log", 120, 0.1)
            self.ask("update pgbench_branches set bbalance = bbalance + 1 where bid = 1")
            debezium.wait_changes(1)
        finally:
            debezium.stop()
        return debezium

    def backlog(self):
        """TPC-B transactions of two sessions, then the mark."""
        count = self.options.transactions // 2
        first = self.ask("select coalesce(max(id), 0) + 1 from pgbench_history")[0]
        sessions = [threading.Thread(target=self.ask, args=(f"call tpcb_many({first + part * count}, {count}, "
                                                            f"{self.options.scale})",)) for part in (0, 1)]
        for session in sessions:
            session.start()
        for session in sessions:
            session.join()
        assert self.ask(f"select count(*) from pgbench_history where id >= {first}") == (2 * count,)
        self.ask("begin", *(f"update pgbench_{table} set {value} = {MARK} where {key} = 1" for table, key, value in MARKED),
                 f"insert into pgbench_history values ({first + 2 * count}, 1, 1, 1, {MARK}, now(6), null)", "commit")
        return 2 * count

    def wait_mark(self, database, poll, limit=900):
        """The mark is the last change of every table, for contenders to whom each table is a log of its own."""
        marks = " and ".join([f"exists (select from src.pgbench_{table} where {key} = 1 and {value} = {MARK})"
                              for table, key, value in MARKED] +
                             [f"(select delta = {MARK} from src.pgbench_history order by id desc limit 1)"])
        with psycopg.connect(self.target.url(database), autocommit=True) as session:
            def there():
                poll()
                return session.execute(f"select {marks}").fetchone()[0]
            wait_for(there, "the backlog has drained", limit, 0.05)

    def drain_debezium(self, debezium, database):
        debezium.sink_into(self.target.port, database, rewrite=True)
        before = debezium.changes()

        def poll():
            debezium.check()
            if measure.first is None and debezium.changes() > before:
                measure.begins()
        measure = Measure({**self.servers, "kafka": self.kafka.brokers[0]})
        debezium.start("source", "sink")
        try:
            self.wait_mark(database, poll)
            measure.end(debezium.process)
        finally:
            debezium.stop()
        for topic in TOPICS:
            self.kafka.delete_topic(topic)
        return measure

    def drain_drover(self, database, path, kafka):
        measure = Measure({**self.servers, **({"kafka": self.kafka.brokers[0]} if kafka else {})})
        process = self.run(path)

        def alive():
            if process.poll() is not None:
                raise RuntimeError(f"drover ended with {process.returncode}: {self.tail(path + '.log')}")
        self.wait_mark(database, alive)
        measure.end(process)
        self.stop(process)
        return measure

    # ---- latency
    def contest_latency(self):
        self.start_kafka()
        name, database, path = self.copied()
        theirs = self.fresh()
        self.copy_floor(theirs)
        debezium = self.debezium_at_the_end_of_the_log(latency=True)
        process = self.run(path)
        self.wait_phase(process, database, path, name, "streaming")
        results = {"drover, durable bus included": self.latency(database)}
        self.stop(process)
        self.drop(path, name)
        debezium.sink_into(self.target.port, theirs, rewrite=True)
        debezium.start("source", "sink")
        try:
            results["Debezium, poll 10 ms, linger 0"] = self.latency(theirs)
        finally:
            debezium.stop()
        print(f"\n== latency, {self.options.engine} to PostgreSQL, commit's answer to visible, "
              f"{self.options.rate} TPC-B transactions/s (ms)")
        for label, values in results.items():
            values.sort()
            print(f"   {label:38} n {len(values)}  p50 {values[len(values) // 2]:.1f}  "
                  f"p99 {values[int(len(values) * 0.99)]:.1f}  max {values[-1]:.1f}", flush=True)

    def follows(self, database):
        """Until what is written now is visible: it has started and has nothing left of before."""
        number = int(time.monotonic() * 1000) % MARK
        self.ask(f"update pgbench_branches set bbalance = {number} where bid = 1")
        wait_for(lambda: self.ask_target(database, "select bbalance from src.pgbench_branches where bid = 1") == (number,),
                 "a change is visible", 300, 0.05)

    def latency(self, database):
        """After a warm-up that is not counted."""
        self.follows(database)
        first = self.ask("select coalesce(max(id), 0) + 1 from pgbench_history")[0]
        count = self.options.rate * (self.options.warm_up + self.options.seconds)
        seen, committed, ending = {}, {}, threading.Event()

        def poll():
            last = first - 1
            with psycopg.connect(self.target.url(database), autocommit=True) as session:
                while not ending.wait(0.003):
                    rows = session.execute("select id from src.pgbench_history where id > %s", (last - 64,)).fetchall()
                    now = time.monotonic()
                    for (row,) in rows:
                        seen.setdefault(row, now)
                        last = max(last, row)

        def write(part):
            start = time.monotonic()
            with pymysql.connect(host="127.0.0.1", port=self.source.port, user="root", database="src",
                                 autocommit=True) as session, session.cursor() as cursor:
                for number in range(part, count, 2):
                    ahead = start + number / self.options.rate - time.monotonic()
                    if ahead > 0:
                        ending.wait(ahead)
                    cursor.execute(f"call tpcb({first + number}, {self.options.scale})")
                    committed[first + number] = time.monotonic()
        threads = [threading.Thread(target=poll), *(threading.Thread(target=write, args=(part,)) for part in (0, 1))]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        wait_for(lambda: first + count - 1 in seen, "the last row is visible", 120)
        ending.set()
        threads[0].join()
        counted = range(first + self.options.rate * self.options.warm_up, first + count)
        return [(seen[row] - committed[row]) * 1000 for row in counted if row in seen]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("contests", nargs="*", metavar="copy|drain|latency")
    parser.add_argument("--drover", required=True)
    parser.add_argument("--engine", choices=ENGINES, default="mariadb")
    parser.add_argument("--scale", type=int, default=20)
    parser.add_argument("--transactions", type=int, default=250000, help="TPC-B transactions of the backlog")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="contenders that have one of these words, comma between, in their names")
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    contests = options.contests or ["copy", "drain", "latency"]
    bench = Bench(options)
    try:
        bench.load()
        print(json.dumps({"cores": os.cpu_count(), "source": bench.ask("select version()")[0], "target": bench.target.bin,
                          "scale": options.scale}), flush=True)
        if "copy" in contests:
            bench.contest_copy()
        if "drain" in contests:
            bench.contest_drain()
        if "latency" in contests:
            bench.contest_latency()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
