"""The nine pairs of engines under live load, with kill -9 of drover, the source and the target at seeded instants:
equal at the end by an independent reader."""
import os
import random
import threading

import pytest

from pair_load import Load, prepare
from pairs import PAIRS, pair, pair_servers  # noqa: F401  fixtures

KILLS = int(os.environ.get("DROVER_E2E_PAIR_KILLS", "2"))
SEED = os.environ.get("DROVER_E2E_SEED", "1")


def kill(move, victim, rng):
    if victim == "drover":
        move.processes[-1].kill()
        move.processes[-1].wait()
        return
    side = move.databases.source_server if victim == "source" else move.databases.target_server
    side.kill()
    threading.Event().wait(rng.uniform(0.0, 0.5))
    side.start()


def victims(rng):
    """Each in its turn, in a random order."""
    while True:
        yield from rng.sample(["drover", "source", "target"], 3)


@pytest.mark.parametrize("source, target", PAIRS)
def test_move_under_load_and_kills_ends_equal(pair, source, target):  # noqa: F811
    rng = random.Random(f"{source} to {target} {SEED}")
    databases, move = pair(source, target, extra="limits: {copy_workers: 2}")
    with databases.source() as session:
        prepare(session)
    planned = move.call("plan")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    load = Load(databases.source_server, databases.name, seed=rng.randrange(1000)).start()
    try:
        move.start()
        for _, victim in zip(range(KILLS), victims(rng)):
            threading.Event().wait(rng.choice([rng.uniform(0.05, 0.8), rng.uniform(0.5, 2.5)]))  # the seeded instant
            move.keep_running()
            kill(move, victim, rng)
        move.wait_streaming()
        move.verify()
    finally:
        transactions = load.stop()
    move.wait_caught_up()
    assert databases.assert_equal() > 1000
    move.verify()
    assert move.check_accounts() > 0 and transactions > 50
    assert move.status()["phase"] == "streaming"
    move.stop()
    move.drop()
    assert databases.assert_equal() > 1000
