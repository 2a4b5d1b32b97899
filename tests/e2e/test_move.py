"""The main job: a live database moves, and at the end both sides are equal row by row."""
import os

from conftest import assert_equal
from workload import Pgbench, RandomLoad, pgbench_prepare, prepare

SCALE = int(os.environ.get("DROVER_E2E_SCALE", "3"))


def test_move_under_tpcb_and_random_load_ends_equal(databases, drover):
    pgbench_prepare(databases.source_server, databases.name, SCALE)
    with databases.source() as session:
        prepare(session)
    move = drover()
    tpcb = Pgbench(databases.source_server, databases.name, rate=300).start()
    load = RandomLoad(databases.source_server.url(databases.name), sessions=20, pace=0.05).start()
    try:
        move.start()
        move.wait_phase("streaming")
        done = move.call("verify", "--json", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        tpcb.stop()
        transactions = load.stop()
    assert transactions > 100
    move.wait_caught_up()
    assert assert_equal(databases) > 1000
    status = move.status()
    assert status["phase"] == "streaming"
    for table in status["tables"]:
        assert table["captured"] == (table["applied"] + table["filtered"] + table["superseded"]
                                     + table["rejected"] + table["refetched"])
    assert sum(table["captured"] for table in status["tables"]) > transactions
    move.stop()
