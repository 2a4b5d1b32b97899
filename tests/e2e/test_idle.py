"""An idle database beside a busy one: what the source keeps for drover stays small."""
import time
import uuid

from conftest import connect, lsn
from servers import wait_for
from workload import Pgbench, pgbench_prepare

SECONDS = 45


def test_idle_database_beside_a_busy_one_holds_little_wal(databases, drover):
    source = databases.source_server
    with databases.source() as session:
        session.execute("create table quiet (id integer primary key)")
        session.execute("insert into quiet values (1)")
    busy = "b" + uuid.uuid4().hex[:8]
    with connect(source) as session:
        session.execute(f"create database {busy}")
    pgbench_prepare(source, busy, 2)
    move = drover()
    move.start()
    move.wait_phase("streaming")
    load = Pgbench(source, busy, clients=2, rate=400).start()
    heads = []
    try:
        with connect(source) as session:
            def sampled():
                move.check_alive()
                heads.append((time.monotonic(), session.execute("select pg_current_wal_lsn()").fetchone()[0]))
                return heads[-1][0] - heads[0][0] > SECONDS
            wait_for(sampled, "the load has run", SECONDS + 30, 0.5)
            confirmed, restart, now = session.execute(
                "select confirmed_flush_lsn, restart_lsn, pg_current_wal_lsn() from pg_replication_slots"
                " where database = %s", (databases.name,)).fetchone()
    finally:
        load.stop()
    assert lsn(now) - lsn(heads[0][1]) > 4 << 20, "the other database was busy"
    assert lsn(now) - lsn(confirmed) < 16 << 20
    at = max(head for moment, head in heads if moment <= heads[-1][0] - 30)
    assert lsn(restart) >= lsn(at), f"restart {restart} is older than the WAL of the last 30 s ({at})"
    move.stop()
    with connect(source) as session:
        session.execute(f"drop database {busy} with (force)")
