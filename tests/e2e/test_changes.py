"""What a DBA does to a running migration: it is noticed, named, and ends with the right exit status."""
import glob
import json
import os
import signal

import pytest

from servers import wait_for

TABLES = """create table t (id int primary key, v varchar(10), n int);
    insert into t select g, 'v' || g, g from generate_series(1, 1000) g;
    create table other (id int primary key, v text); insert into other select g, 'o' from generate_series(1, 10) g"""
TOUCH = "; update t set id = id + 100000 where id = 7"
PUBLICATION = "(select quote_ident(pubname) from pg_publication)"


@pytest.fixture
def running(databases, drover):
    with databases.source() as session:
        session.execute(TABLES)
    move = drover()
    move.start()
    move.wait_phase("streaming")
    yield databases, move


def ended(move, limit=20):
    """The exit status and the last words."""
    wait_for(lambda: move.processes[-1].poll() is not None, f"drover ends: {move.log()[-2000:]}", limit)
    move.check_log()
    return move.processes[-1].returncode, move.log().splitlines()[-1]


@pytest.mark.parametrize("ddl, words", [
    ("alter table t rename v to other_name" + TOUCH, ['"v"', '"other_name"', "renamed"]),
    ("alter table t add extra int default 5" + TOUCH, ['"extra"', "added"]),
    ("alter table t drop v" + TOUCH, ['"v"', "dropped"]),
    ("alter table t alter v type varchar(100)" + TOUCH, ['"v"', "character varying(100)"]),
    ("alter table t rename to elsewhere", ["elsewhere", "renamed"]),
    ("create schema x; alter table t set schema x", ["x.t", "renamed"]),
    ("drop table t", ["dropped"]),
    ("drop table t; create table t (id int primary key, v varchar(10), n int)", ["dropped"]),
    ("alter table t alter v type varchar(10) using upper(v)", ["ALTER TABLE"]),
    ("do $$ begin execute 'drop publication ' || " + PUBLICATION + "; end $$", ["publication"]),
    ("do $$ begin execute 'alter publication ' || " + PUBLICATION + " || ' drop table t'; end $$", ["publication"]),
    ("do $$ begin execute 'alter publication ' || " + PUBLICATION + " || ' set (publish = ''insert'')'; end $$",
     ["publication"]),
])
def test_change_of_a_moved_table_stops_with_4_and_stays_so(running, ddl, words):
    databases, move = running
    with databases.source() as session:
        session.execute(ddl)
    status, said = ended(move)
    assert status == 4, said
    for word in words if "publication" in words else ["public.t", "drover drop", *words]:
        assert word in said, said
    assert " 0/0" not in said
    again = move.call("run", timeout=60)
    assert again.returncode == 4, again.stderr
    assert "t" in again.stderr and "drop" in again.stderr


@pytest.mark.parametrize("harmless", [
    "vacuum full t", "cluster t using t_pkey", "alter table t replica identity full", "analyze t",
    "create index on t (v)", "alter table t alter v set statistics 100", "truncate t", "truncate t, other cascade",
    "alter table t alter v set default 'x'", "alter table t enable row level security",
])
def test_harmless_change_is_survived(running, harmless):
    databases, move = running
    with databases.source() as session:
        session.execute(harmless)
        session.execute("insert into t values (5000, 'new', 1); update t set v = 'changed' where id = 3")
    move.wait_caught_up()
    done = move.call("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    move.stop()
    move.start()
    with databases.source() as session:
        session.execute("insert into t values (5001, 'again', 1)")
    move.wait_caught_up()
    move.stop()


def test_slot_dropped_while_stopped_stops_with_4(running):
    databases, move = running
    move.stop()
    with databases.source() as session:
        session.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database ="
                        " current_database()")
    done = move.call("run")
    assert done.returncode == 4 and "slot" in done.stderr and "drover drop" in done.stderr, done.stderr
    assert "SLOT IS LOST" in move.call("status").stdout
    assert move.call("drop", "--yes", move.name).returncode == 0


@pytest.mark.parametrize("harm", ["missing", "empty", "short"])
def test_bus_that_was_harmed_stops_with_4(running, harm):
    _, move = running
    move.stop()
    bus = os.path.join(move.folder, "move.bus")
    for file in glob.glob(bus + "*"):
        os.unlink(file) if harm == "missing" else os.truncate(file, 0 if harm == "empty" else 4096)
    done = move.call("run")
    assert done.returncode == 4 and "move.bus" in done.stderr and "migration" in done.stderr, done.stderr


def test_bus_from_a_backup_stops_with_4(running):
    databases, move = running
    move.stop()
    bus = os.path.join(move.folder, "move.bus")
    with open(bus, "rb") as file:
        old = file.read()
    move.start()
    with databases.source() as session:
        session.execute("update t set n = n + 1")
    move.wait_caught_up()
    move.stop()
    for file in glob.glob(bus + "-*"):
        os.unlink(file)
    with open(bus, "wb") as file:
        file.write(old)
    done = move.call("run")
    assert done.returncode == 4 and "bus" in done.stderr, done.stderr


def test_rows_corrupted_on_the_target_are_listed_with_1(running):
    databases, move = running
    with databases.target() as session:
        session.execute("update t set v = 'bad' where id = 5; delete from t where id = 6;"
                        " insert into t values (99999, 'x', 1)")
    done = move.call("verify")
    assert done.returncode == 1, done.stderr
    for word in ("public.t", "different (id)=(5)", "missing (id)=(6)", "extra (id)=(99999)", "FAIL"):
        assert word in done.stdout, done.stdout
    table = next(table for table in move.json("verify")["tables"] if table["table"] == "public.t")
    assert (table["different"], table["missing"], table["extra"], table["state"]) == (1, 1, 1, "different")
    move.stop()


def test_table_dropped_on_the_target_stops_with_4_and_its_name(running):
    databases, move = running
    with databases.target() as session:
        session.execute("drop table t")
    with databases.source() as session:
        session.execute("update t set n = 0 where id = 1")
    status, said = ended(move)
    assert status == 4 and "public.t" in said, said


def test_log_in_json_has_only_json(databases, drover):
    with databases.source() as session:
        session.execute(TABLES)
    move = drover()
    move.start("--log-format", "json")
    move.wait_phase("streaming")
    with databases.source() as session:
        session.execute("drop table t")
    assert ended(move)[0] == 4
    for line in move.log().splitlines():
        assert isinstance(json.loads(line), dict), line


def test_second_interrupt_ends_at_once_and_says_so(running):
    databases, move = running
    process = move.processes[-1]
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) in (0, 3)
    assert process.returncode == 0 or "ended at once" in move.log()
    move.start()
    with databases.source() as session:
        session.execute("insert into t values (5000, 'new', 1)")
    move.wait_caught_up()
    move.stop()
