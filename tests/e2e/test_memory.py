"""A transaction of many rows in bounded memory (rule R9), in a release build."""
import os
import re

from conftest import assert_equal
from servers import wait_for

ROWS = int(os.environ.get("DROVER_E2E_HUGE_ROWS", "600000"))
LIMIT_MIB = 384


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024


def test_one_huge_transaction_stays_within_memory(databases, drover, capsys):
    with databases.source() as session:
        session.execute("create table big (id bigint primary key, word text, number integer)")
        session.execute("insert into big select g, md5(g::text), g from generate_series(1, 1000) g")
    move = drover()
    process = move.start()
    move.wait_phase("streaming")
    with databases.source() as session:
        session.execute("begin")
        session.execute("insert into big select g, md5(g::text), g from generate_series(1001, %s) g",
                        (1000 + ROWS // 2,))
        session.execute("update big set number = -number where id <= %s", (ROWS // 2,))
        session.execute("commit")
    move.wait_caught_up(limit=1800)
    peak = peak_mib(process.pid)
    with capsys.disabled():
        print(f"\none transaction of {ROWS} changes: VmHWM {peak:.0f} MiB")
    assert peak < LIMIT_MIB
    assert assert_equal(databases) == 1000 + ROWS // 2
    move.stop()


def test_backlog_of_small_transactions_stays_within_memory(databases, drover):
    with databases.source() as session:
        session.execute("create table small (id bigint primary key, word text)")
        session.execute("insert into small values (0, 'first')")
    move = drover()
    process = move.start()
    move.wait_phase("streaming")
    assert move.call("pause").returncode == 0
    with databases.source() as session:
        session.execute("""do $$ begin for i in 1..%d loop
            insert into small values (i, repeat(md5(i::text), 30)); commit; end loop; end $$""" % min(ROWS // 3, 500000))
        head = session.execute("select pg_current_wal_insert_lsn()").fetchone()[0]
        wait_for(lambda: session.execute("select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots"
                                         " where database = current_database()", (head,)).fetchone()[0],
                 "capture goes on while apply pauses", 600)
    assert move.call("resume").returncode == 0
    move.wait_caught_up(limit=900)
    assert peak_mib(process.pid) < LIMIT_MIB
    assert_equal(databases)
    move.stop()
