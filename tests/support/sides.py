"""One face for the three kinds of server, so that a test can run over every pair of them.

A side is a running server with what a test needs of it: databases made and dropped, sessions whose
`query` gives rows, the URL for drover's migration file, kill -9 and a start on the same port and data.
Servers are crash-safe here: what they have acknowledged survives kill -9.
"""
import contextlib

import psycopg
import pymysql
import pymysql.cursors
from pymysql.converters import conversions

from mysql_servers import MariaDB, MySQL
from servers import Postgres

ENGINES = ("postgresql", "mysql", "mariadb")
CRASH_SAFE = {"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1"}
# Values arrive as the server's own text (bytes for binary ones): what a driver makes of them is not under test.
ENCODERS = {key: value for key, value in conversions.items() if not isinstance(key, int)}


class Session:
    """A connection with autocommit unless begin() is called; %s stands for a value on every engine."""

    def __init__(self, engine, connection):
        self.engine = engine
        self.connection = connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def execute(self, sql, *values):
        """Runs one statement; returns how many rows it has changed or found."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.rowcount

    def query(self, sql, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())

    def stream(self, sql):
        """The rows one after the other, without all of them in memory."""
        if self.engine == "postgresql":
            with self.connection.transaction(), self.connection.cursor(name="stream") as cursor:
                yield from cursor.execute(sql)
        else:
            with self.connection.cursor(pymysql.cursors.SSCursor) as cursor:
                cursor.execute(sql)
                yield from cursor

    def value(self, sql, *values):
        rows = self.query(sql, *values)
        return rows[0][0] if rows else None

    def begin(self):
        self.execute("begin")

    def commit(self):
        self.execute("commit")

    def rollback(self):
        self.execute("rollback")

    def close(self):
        with contextlib.suppress(psycopg.Error, pymysql.Error):
            self.connection.close()


class Side:
    engine = None

    def __init__(self, server):
        self.server = server

    def kill(self):
        self.server.kill()

    def start(self):
        self.server.start()

    def close(self):
        self.server.close()

    def run(self, sql):
        with self.connect() as session:
            session.execute(sql)

    @property
    def is_mysql(self):
        """MySQL or MariaDB."""
        return self.engine != "postgresql"


class PostgresSide(Side):
    engine = "postgresql"
    system = "postgres"

    def __init__(self, name, **settings):
        super().__init__(Postgres(name, **settings))

    def connect(self, database="postgres"):
        return Session(self.engine, psycopg.connect(self.url(database), autocommit=True, connect_timeout=5))

    def url(self, database="postgres"):
        return self.server.url(database)

    def create(self, database):
        self.run(f"create database {database}")

    def drop(self, database):
        with self.connect() as session:
            session.execute("select pg_terminate_backend(active_pid) from pg_replication_slots"
                            " where database = %s and active", database)
            for slot, in session.query("select slot_name from pg_replication_slots where database = %s", database):
                session.execute("select pg_drop_replication_slot(%s)", slot)
            session.execute(f"drop database if exists {database} with (force)")

    def alive(self):
        return self.server.process.poll() is None


class MysqlSide(Side):
    engine = "mysql"
    kind = MySQL

    def __init__(self, name, **settings):
        del name  # its folder has the engine's
        super().__init__(self.kind(**{**CRASH_SAFE, **settings}))

    def connect(self, database=None):
        connection = pymysql.connect(host="127.0.0.1", port=self.server.port, user="root", database=database,
                                     charset="utf8mb4", autocommit=True, connect_timeout=5, conv=ENCODERS)
        session = Session(self.engine, connection)
        session.execute("set time_zone = '+00:00'")
        return session

    def url(self, database=""):
        return self.server.url(database)

    def create(self, database):
        self.run(f"create database {database} character set utf8mb4")

    def drop(self, database):
        with self.connect() as session:
            session.execute(f"drop database if exists {database}")
            session.execute("drop database if exists drover")

    def alive(self):
        return self.server.alive()


class MariaDBSide(MysqlSide):
    engine = "mariadb"
    kind = MariaDB


KINDS = {side.engine: side for side in (PostgresSide, MysqlSide, MariaDBSide)}


def connection_errors():
    """What a session raises when its server is gone, or has chosen it as a deadlock's victim."""
    return (psycopg.OperationalError, pymysql.err.OperationalError, pymysql.err.InterfaceError, ConnectionError)


class Servers:
    """A source and a target of every engine, each started when it is first asked for."""

    def __init__(self, **settings):
        self.settings = settings
        self.sides = {}

    def get(self, role, engine):
        if (role, engine) not in self.sides:
            self.sides[role, engine] = KINDS[engine](role, **self.settings.get(engine, {}))
        side = self.sides[role, engine]
        if not side.alive():
            side.start()
        return side

    def close(self):
        for side in self.sides.values():
            side.close()
