"""Two drovers on one migration: one wins, and a stopped one that wakes writes nothing."""
import signal

from conftest import assert_equal
from servers import wait_for
from workload import RandomLoad, prepare


def epoch_of(databases):
    with databases.target() as session:
        return session.execute("select max(epoch) from drover.lease").fetchone()[0]


def test_second_run_exits_with_1_and_names_the_holder(databases, drover):
    with databases.source() as session:
        prepare(session, rows=200)
    move = drover()
    first = move.start()
    move.wait_phase("streaming")
    done = move.call("run")
    assert done.returncode == 1, done.stderr
    assert str(first.pid) in done.stderr and "--take-over" in done.stderr
    assert first.poll() is None
    move.stop(first)
    assert_equal(databases)


def test_two_runs_at_once_copy_every_row_once(databases, drover):
    with databases.source() as session:
        prepare(session, rows=20000)
    move = drover()
    both = [move.start(), move.start()]
    loser = wait_for(lambda: next((p for p in both if p.poll() is not None), None), "one gives up", 60)
    assert loser.returncode == 1
    winner = next(p for p in both if p is not loser)
    move.processes.append(winner)
    move.wait_phase("streaming")
    move.wait_caught_up()
    assert_equal(databases)
    move.stop(winner)


def test_stopped_run_that_wakes_after_a_take_over_writes_nothing(databases, drover):
    with databases.source() as session:
        prepare(session, rows=500)
    move = drover()
    first = move.start()
    move.wait_phase("streaming")
    load = RandomLoad(databases.source_server.url(databases.name), sessions=4, pace=0.02).start()
    move.wait_caught_up()
    first.send_signal(signal.SIGSTOP)
    before = epoch_of(databases)
    second = move.start("--take-over")
    wait_for(lambda: epoch_of(databases) > before, "a higher epoch", 60, 0.1)
    move.wait_caught_up()
    taken = epoch_of(databases)
    first.send_signal(signal.SIGCONT)
    # 1 when it notices that it was fenced off; -9 when it was stopped inside a commit of the bus and
    # the take-over had to end it.
    assert first.wait(60) in (1, -9), move.log()[-3000:]
    assert epoch_of(databases) == taken
    load.stop()
    move.wait_caught_up()
    assert_equal(databases)
    move.stop(second)
