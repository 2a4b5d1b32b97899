"""capture, copy and apply as processes of their own, whatever engine holds drover's state."""
import json

import pytest

from pairs import pair, pair_servers  # noqa: F401  fixtures
from roles import Role
from servers import wait_for
from sides import ENGINES

TABLES = 40
ROWS = 2000


def small_tables(databases):
    """A chunk each, with an index and a foreign key."""
    with databases.source() as session:
        session.execute("create table parent (id int primary key)")
        session.execute("insert into parent select g from generate_series(1, 50) g")
        for i in range(TABLES):
            session.execute(f"create table small_{i} (id int primary key, v varchar(40), p int references parent (id))")
            session.execute(f"insert into small_{i} select g, md5(g::text), 1 + g % 50 from generate_series(1, {ROWS}) g")
            session.execute(f"create index small_{i}_v on small_{i} (v)")


def phase(move):
    done = move.call("status", "--json")
    return json.loads(done.stdout)["phase"] if done.returncode == 0 else None


def wait_phase(move, *phases, limit=180):
    wait_for(lambda: phase(move) in phases, f"phase {phases}", limit, 0.1)


def chunks_done(move):
    return sum(table["chunks_done"] for table in move.status()["tables"])


@pytest.mark.parametrize("target", ENGINES)
def test_copies_beside_each_other_one_of_which_is_killed_copy_each_row_once(pair, target):  # noqa: F811
    databases, move = pair("postgresql", target, extra="limits: {copy_workers: 2}")
    small_tables(databases)
    capture = Role(move, "capture")
    wait_phase(move, "copying")
    copies = [Role(move, "copy") for _ in range(3)]
    wait_for(lambda: chunks_done(move) > 3, "some chunks are done", 60, 0.02)
    copies[0].kill()
    copies.append(Role(move, "copy"))
    apply = Role(move, "apply")
    for copy in copies[1:]:
        copy.ends(0)
    wait_phase(move, "streaming")
    with databases.target() as session:
        copied = session.value("select sum(c.rows) from drover.chunk c where c.migration = %s", move.name)
        assert int(copied) == TABLES * ROWS + 50
        assert not session.query("select name from drover.ddl where migration = %s and not done", move.name)
    with databases.source() as session:
        session.execute("update small_7 set v = 'changed' where id % 2 = 0")
    move.wait_caught_up_by(apply, capture)
    assert databases.assert_equal() == TABLES * ROWS + 50
    move.verify()
    assert {role["role"] for role in move.status()["roles"]} == {"capture", "apply"}
    # after its end there is nothing to do for another one
    Role(move, "copy").ends(0)
    capture.stop()
    apply.stop()
    move.drop()
    assert databases.assert_equal() == TABLES * ROWS + 50


@pytest.mark.parametrize("target", ENGINES)
def test_a_role_is_refused_while_another_process_has_it_and_can_be_taken_over(pair, target):  # noqa: F811
    databases, move = pair("postgresql", target)
    with databases.source() as session:
        session.execute("create table t (id int primary key)")
        session.execute("insert into t select g from generate_series(1, 100) g")
    first = [Role(move, role) for role in ("capture", "copy", "apply")]
    wait_phase(move, "streaming")
    second = Role(move, "apply")
    second.ends(1)
    assert "it is already running" in second.log() and f"pid {first[2].pid} since" in second.log()
    first[2].freeze()
    third = Role(move, "apply", "--take-over")
    with databases.source() as session:
        session.execute("insert into t select g from generate_series(101, 200) g")
    move.wait_caught_up_by(third, first[0])
    first[2].wake()
    first[2].ends(1)
    assert databases.assert_equal() == 200
    third.stop()
    first[0].stop()
    move.drop()
