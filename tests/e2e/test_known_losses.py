"""Cases in which the obvious rules of copying and replaying lose rows."""
import random

import pytest

from conftest import assert_equal
from hanging import Hanging
from roles import Role, held_in_a_chunk, one_row, planned_and_paused, small_tables, wait_caught_up, wait_phase
from servers import wait_for

ONE_WORKER = "limits: {copy_workers: 1}"


def assert_ends_equal(databases, move, rows, *roles):
    """By an independent reader, and by drover's own; stops what runs."""
    roles = roles or (move,)
    wait_caught_up(move, *roles)
    assert assert_equal(databases) == rows
    done = move.call("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    for role in roles:
        role.stop()


UPDATE = "update small_0 set v = 'new' where id = 1"
INSERT = "insert into small_0 values (1000, 'inserted')"
DELETE = "delete from small_1 where id = 2"
WAITING = "waiting for open transactions"


# --- A commit is decoded before it is visible ----------------------------------------------------------------------


def test_start_amid_commits_that_are_not_visible(databases, drover):
    small_tables(databases, n=3)
    move = drover()
    # what drover itself commits on the source waits for no standby
    move.write(source=f"url: {databases.source_server.url(databases.name)}?options=-csynchronous_commit%3Dlocal")
    with Hanging(databases) as hanging:
        hanging.commit(UPDATE)
        process = move.start()
        # the last one keeps no slot waiting, and is in the log before the slot's start
        for before, after in ((UPDATE, INSERT), (INSERT, DELETE)):
            hanging.wait_blocks_slot(before)
            hanging.commit(after)
            said = move.log().count(WAITING)
            hanging.release(before)
        wait_for(lambda: one_row(hanging.session, "select count(confirmed_flush_lsn) from pg_replication_slots where"
                                 " database = current_database()"), "the slot is there")
        wait_for(lambda: move.log().count(WAITING) > said, "drover waits")
        assert process.poll() is None and hanging.all_hang()
    move.wait_phase("streaming")
    assert_ends_equal(databases, move, 600)


@pytest.mark.parametrize("snapshot", ["the slot's", "new ones"])
def test_copy_amid_commits_that_are_decoded_and_not_visible(databases, drover, snapshot):
    small_tables(databases, n=3)
    with databases.source() as session:
        session.execute("create table large (id int primary key, v text)")
        session.execute("insert into large select g, repeat('x', 500) from generate_series(1, 2000) g")
    move = drover(extra=ONE_WORKER)
    capture, copy = planned_and_paused(move)
    with Hanging(databases) as hanging:
        hanging.wait_captured(move, hanging.commit(UPDATE, INSERT, DELETE))
        if snapshot == "new ones":
            with held_in_a_chunk(move, "large"):
                capture.kill()
                copy.kill()
        else:
            assert move.call("resume").returncode == 0
            copy.ends(0)
            capture.stop()
        move.start()
        wait_phase(move, "streaming")
        assert hanging.all_hang()
    assert_ends_equal(databases, move, 2600)


def test_refetch_amid_commits_that_are_decoded_and_not_visible(databases, drover):
    with databases.source() as session:
        session.execute("create table wide (id int primary key, n int, body text); alter table wide alter body set"
                        " storage external; insert into wide select g, 0, repeat(g::text, 5000) from"
                        " generate_series(1, 20) g")
    move = drover()
    move.start()
    move.wait_phase("streaming")
    with databases.target() as target, Hanging(databases) as hanging:
        # the event lacks `body`, which is unchanged, and the target has no row to keep it in
        target.execute("delete from wide where id <= 3")
        head = hanging.commit("update wide set n = 1 where id = 1", "update wide set n = 2 where id = 2",
                              "update wide set n = 3, id = 103 where id = 3", "delete from wide where id = 4")
        hanging.wait_captured(move, head)
        wait_for(lambda: one_row(target, "select count(*) from drover.refetch") > 0, "keys wait to be refetched")
        reads = "select query_start from pg_stat_activity where application_name = 'drover move refetch'"
        first = wait_for(lambda: one_row(hanging.session, reads), "the keys are read from the source")
        wait_for(lambda: one_row(hanging.session, reads) != first, "they are read again")
        assert hanging.all_hang()
    with databases.target() as target:
        wait_for(lambda: one_row(target, "select count(*) from drover.refetch") == 0, "all keys are refetched")
    assert_ends_equal(databases, move, 19)


def test_verify_amid_commits_that_are_applied_and_not_visible(databases, drover):
    small_tables(databases, n=1)
    move = drover()
    move.start()
    move.wait_phase("streaming")
    with databases.target() as target, Hanging(databases) as hanging:
        hanging.commit(UPDATE, INSERT, "delete from small_0 where id = 2")
        wait_for(lambda: one_row(target, "select count(*) from small_0 where v in ('new', 'inserted')") == 2
                 and not one_row(target, "select count(*) from small_0 where id = 2"), "the target is ahead")
        done = move.json("verify", "--patience", "1")
        assert hanging.all_hang()
        table = done["tables"][0]
        assert (table["state"], table["unproven"], table["differences"]) == ("unproven", 3, []), table
    assert_ends_equal(databases, move, 200)


# --- A table gets new storage under the snapshot -------------------------------------------------------------------


@pytest.mark.parametrize("running", [True, False])
def test_rewrite_before_the_copy_stops_with_4(databases, drover, running):
    small_tables(databases, n=3)
    move = drover()
    capture, copy = planned_and_paused(move)
    if not running:
        copy.stop()
        capture.stop()
    with databases.source() as session:
        session.execute("alter table small_1 alter v type text using upper(v)")
    assert move.call("resume").returncode == 0
    if running:
        capture.ends(4, limit=30)
        assert "public.small_1" in capture.log() and "ALTER TABLE" in capture.log(), capture.log()
    done = move.call("run", timeout=30)
    assert done.returncode == 4 and "public.small_1" in done.stderr and "drover drop" in done.stderr, done.stderr


@pytest.mark.parametrize("change", ["vacuum full small_1", "truncate small_1"])
def test_new_storage_with_the_same_values_before_the_copy_loses_nothing(databases, drover, change):
    small_tables(databases, n=3)
    move = drover()
    capture, copy = planned_and_paused(move)
    with databases.source() as session:
        session.execute("update small_1 set v = 'before' where id <= 50")
        session.execute(change)
        session.execute("insert into small_1 values (1000, 'after')")
    assert move.call("resume").returncode == 0
    copy.ends(0)
    apply = Role(move, "apply")
    wait_phase(move, "streaming")
    assert_ends_equal(databases, move, (401 if change.startswith("truncate") else 601), apply, capture)


# --- Values that the target's constraints are in the way of --------------------------------------------------------

FAMILY = """create table parent (id int primary key, u text unique);
    create table child (id int primary key, parent int references parent on delete cascade);
    insert into parent select g, 'u' || g from generate_series(1, 100) g;
    insert into child select g, (g + 1) / 2 from generate_series(1, 200) g"""


def rotate(session, keys):
    """The first gets the value of the second and so on, by way of a value that nobody has."""
    values = [one_row(session, "select u from parent where id = %s", key) for key in keys]
    with session.transaction():
        session.execute("update parent set u = 'aside' where id = %s", (keys[0],))
        for key, value in zip(keys[1:], values):
            session.execute("update parent set u = u || '-old' where id = %s", (key,))
            session.execute("update parent set u = %s where id = %s", (value, key))
        session.execute("update parent set u = %s where id = %s", (values[-1], keys[0]))


def replace_parents(session, first):
    """Parents are deleted and inserted with each other's values, and keep their children: no trigger runs."""
    with session.transaction():
        session.execute("set local session_replication_role = replica")
        session.execute("delete from parent where id in (%s, %s)", (first, first + 1))
        session.execute("insert into parent values (%s, %s), (%s, %s)",
                        (first, f"r{first + 1}", first + 1, f"r{first}"))


def test_children_stay_when_parents_trade_unique_values(databases, drover):
    with databases.source() as session:
        session.execute(FAMILY)
        move = drover()
        capture, copy = planned_and_paused(move)
        for first, phase in ((1, "copying"), (11, "catching_up"), (21, "streaming")):
            wait_phase(move, phase)
            rotate(session, (first, first + 1))
            replace_parents(session, first + 2)
            with session.transaction():  # here the children go with their parent; one comes back
                session.execute("delete from parent where id = %s", (first + 4,))
                session.execute("insert into parent values (%s, %s)", (first + 4, f"back{first}"))
                session.execute("insert into child values (%s, %s)", (2 * first + 8, first + 4))
            if phase == "copying":
                assert move.call("resume").returncode == 0
                copy.ends(0)
            elif phase == "catching_up":
                apply = Role(move, "apply")
    assert_ends_equal(databases, move, 100 + 197, apply, capture)


def test_unique_values_move_between_rows_while_chunks_have_snapshots_of_their_own(databases, drover):
    with databases.source() as session:
        session.execute(FAMILY)
        rng = random.Random(5)
        move = drover(extra=ONE_WORKER)
        capture, copy = planned_and_paused(move)
        capture.kill()
        for _ in range(50):
            rotate(session, rng.sample(range(1, 101), 3))
        assert move.call("resume").returncode == 0
        wait_for(lambda: rotate(session, rng.sample(range(1, 101), 3)) or not copy.alive(), "the copy ends")
        copy.ends(0)
        for _ in range(50):
            rotate(session, rng.sample(range(1, 101), 2))
        move.start()
        wait_for(lambda: rotate(session, rng.sample(range(1, 101), 5)) or move.status()["phase"] == "streaming",
                 "streaming")
    assert_ends_equal(databases, move, 300)


# --- Parts of a large transaction that are undone ------------------------------------------------------------------


def test_what_a_savepoint_undoes_is_not_moved(databases, drover):
    small_tables(databases, n=2)
    with databases.source() as session:  # so little that it is decoded in pieces
        session.execute(f"alter database {databases.name} set logical_decoding_work_mem = '64kB'")
    move = drover()
    move.start()
    move.wait_phase("streaming")
    many = "insert into small_0 select g, repeat(md5(g::text), 20) from generate_series(%s::int, %s::int) g"
    with databases.source() as session:
        with session.transaction():
            session.execute(many, (1001, 4000))
            session.execute("savepoint a")
            session.execute("update small_0 set v = 'undone'")
            session.execute(many, (4001, 7000))
            move.processes[-1].kill()
            move.processes[-1].wait()
            move.start()
            session.execute("delete from small_1")
            session.execute("rollback to a")
            session.execute(many, (4001, 6000))
            session.execute("savepoint b; update small_0 set v = v || 'kept' where id % 7 = 0; release b")
            session.execute("savepoint c; truncate small_1; rollback to c")
            session.execute("update small_1 set v = 'kept' where id = 3")
    assert_ends_equal(databases, move, 400 + 5000)
