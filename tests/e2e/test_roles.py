"""capture, copy and apply as processes of their own."""
import os
import re
import signal
import socket
import sqlite3
from contextlib import closing

import pytest

from conftest import Databases, Drover, assert_equal
from roles import (Role, copiers, held_in_a_chunk, one_row, planned_and_paused, small_tables, wait_caught_up,
                   wait_phase, wait_roles, wait_started)
from servers import wait_for
from workload import Pgbench, RandomLoad, pgbench_prepare, prepare

SCALE = int(os.environ.get("DROVER_E2E_SCALE", "3"))


def assert_every_row_was_copied_once(databases):
    with databases.target() as session:
        for table, name, copied in session.execute(
                "select t.id, t.target_name, sum(c.rows) from drover.tables t join drover.chunk c on c.table_id = t.id"
                " group by 1, 2").fetchall():
            assert one_row(session, f"select count(*) from {name}") == copied, f"table {table}, {name}"


# --- The main job -----------------------------------------------------------------------------------------------


def test_three_processes_move_under_tpcb_and_random_load(databases, drover):
    pgbench_prepare(databases.source_server, databases.name, SCALE)
    with databases.source() as session:
        prepare(session)
    move = drover()
    tpcb = Pgbench(databases.source_server, databases.name, rate=300).start()
    load = RandomLoad(databases.source_server.url(databases.name), sessions=20, pace=0.05).start()
    try:
        capture, copy, apply = Role(move, "capture"), Role(move, "copy"), Role(move, "apply")
        wait_phase(move, "streaming")
        copy.ends(0)
        assert "the copy is done" in copy.log()
        done = move.call("verify", "--json", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        tpcb.stop()
        transactions = load.stop()
    assert transactions > 100
    wait_caught_up(move, capture, apply)
    assert assert_equal(databases) > 1000
    status = move.status()
    for table in status["tables"]:
        assert table["captured"] == (table["applied"] + table["filtered"] + table["superseded"]
                                     + table["rejected"] + table["refetched"])
    assert sum(table["captured"] for table in status["tables"]) > transactions
    here = f"{socket.gethostname()} pid "
    assert {(role["role"], role["holder"]) for role in status["roles"]} == {("capture", f"{here}{capture.pid}"),
                                                                              ("apply", f"{here}{apply.pid}")}
    assert f"running  capture by {here}{capture.pid}; apply by {here}{apply.pid}\n" in move.call("status").stdout
    # after its end there is nothing to do for another one
    Role(move, "copy").ends(0)
    capture.stop()
    apply.stop()
    assert "running  nothing\n" in move.call("status").stdout


def test_capture_trims_what_apply_in_another_process_has_committed(databases, drover):
    with databases.source() as session:
        prepare(session, rows=200)
    move = drover()
    roles = [Role(move, role) for role in ("capture", "copy", "apply")]
    wait_phase(move, "streaming")
    with databases.source() as source, databases.target() as target:
        reached = 0
        for _ in range(20):
            source.execute("update item set counter = counter + 1")
            wait_caught_up(move, roles[0], roles[2])
            reached = one_row(target, "select bus_sequence from drover.progress where worker = 'apply'")
        assert reached > 20

    def trimmed():
        with closing(sqlite3.connect(f"file:{move.folder}/{move.name}.bus?mode=ro", uri=True)) as bus:
            return bus.execute("select min(sequence) from record").fetchone()[0] >= reached
    wait_for(trimmed, f"the bus begins at {reached}", 60, 0.2)
    roles[0].stop()
    roles[2].stop()
    assert_equal(databases)


def test_pause_and_resume_reach_roles_in_other_processes(databases, drover):
    small_tables(databases, n=5)
    move = drover()
    capture, copy = planned_and_paused(move)
    apply = Role(move, "apply")
    assert move.status()["paused"] and copiers(move) == {}
    assert move.call("resume").returncode == 0
    copy.ends(0)
    wait_phase(move, "streaming")
    assert move.call("pause").returncode == 0
    apply.wait_log("paused=true", 30)
    with databases.source() as session:
        session.execute("insert into small_0 values (1000, 'late')")
    assert move.call("resume").returncode == 0
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


# --- Many copies ------------------------------------------------------------------------------------------------


def test_two_copies_share_the_chunks_and_copy_each_row_once(databases, drover):
    small_tables(databases)
    with databases.source() as session:
        prepare(session, rows=500)
    move = drover(extra="limits: {copy_workers: 1}")
    capture, first = planned_and_paused(move)
    second = Role(move, "copy")
    wait_roles(move, capture=1, copy=2)
    second.wait_log("msg=copying")  # its checks, which look at the table too, are behind it
    # one of them is held in the largest table, which comes first; the other one goes on
    with held_in_a_chunk(move, "item"):
        wait_for(lambda: copiers(move), "a chunk is copied", 60, 0.05)
    first.ends(0)
    second.ends(0)
    shares = copiers(move)
    assert len(shares) == 2, shares
    assert sum(shares.values()) == sum(table["chunks_total"] for table in move.status()["tables"])
    assert_every_row_was_copied_once(databases)
    wait_phase(move, "catching_up")
    apply = Role(move, "apply")
    wait_phase(move, "streaming")
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


def test_copies_beside_a_run_help_it(databases, drover):
    small_tables(databases)
    move = drover()
    run = move.start()
    wait_started(move)
    helpers = [Role(move, "copy") for _ in range(2)]
    for helper in helpers:
        helper.ends(0)
    move.wait_phase("streaming")
    assert_every_row_was_copied_once(databases)
    move.wait_caught_up()
    assert_equal(databases)
    move.stop(run)


def test_the_copy_goes_on_with_new_snapshots_when_capture_is_killed(databases, drover):
    small_tables(databases)
    move = drover(extra="limits: {copy_workers: 2}")
    capture, copy = planned_and_paused(move)
    with databases.source() as source, databases.target() as target:
        assert one_row(target, "select snapshot from drover.migration")
        source.execute("insert into small_0 values (1000, 'not in the first snapshot')")
        capture.kill()
        wait_for(lambda: one_row(source, "select count(*) from pg_stat_activity where application_name ="
                                 " 'drover move snapshot'") == 0, "the holder's session has ended", 30)
        assert move.call("resume").returncode == 0
        copy.wait_log("the exported snapshot is gone")
        copy.ends(0)
        assert one_row(target, "select count(*) from small_0 where id = 1000") == 1
        assert one_row(target, "select count(*) from drover.chunk where high::pg_lsn > (select start_position::pg_lsn"
                       " from drover.migration)") > 0
        assert one_row(target, "select coalesce(snapshot, 'gone') from drover.migration") == "gone"
    capture, apply = Role(move, "capture"), Role(move, "apply")
    wait_phase(move, "streaming")
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


def test_copy_that_stands_still_in_a_chunk_is_named_and_taken_over(databases, drover):
    small_tables(databases, n=10)
    with databases.source() as session:
        prepare(session, rows=2000)
    move = drover(extra="limits: {copy_workers: 1}")
    capture, frozen = planned_and_paused(move)
    with held_in_a_chunk(move, "item"):
        frozen.freeze()
    # another one does all the rest, and says whom it waits for
    second = Role(move, "copy")
    second.wait_log(f"waiting for what another process has claimed: chunk \\d+ of table public.item by"
                    f" {re.escape(socket.gethostname())} pid {frozen.pid} \\(copy-\\d+-1, session \\d+\\), for \\d+ s")
    with databases.target() as session:
        assert one_row(session, "select count(*) from drover.chunk where state = 'todo'") == 1
    third = Role(move, "copy", "--take-over")
    third.ends(0)
    second.ends(0)
    assert_every_row_was_copied_once(databases)
    frozen.wake()
    frozen.ends(0)
    assert_every_row_was_copied_once(databases)
    apply = Role(move, "apply")
    wait_phase(move, "streaming")
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


def test_copy_that_slept_through_drop_and_a_new_start_writes_nothing(databases, drover):
    with databases.source() as session:
        prepare(session, rows=2000)
    move = drover(extra="limits: {copy_workers: 1}")
    capture, frozen = planned_and_paused(move)
    with held_in_a_chunk(move, "item"):
        frozen.freeze()
    capture.stop()
    assert move.call("drop", "--yes", move.name).returncode == 1
    done = move.call("drop", "--yes", move.name, "--take-over")
    assert done.returncode == 0, done.stderr
    with databases.target() as session:
        session.execute("drop table item, pair, scratch; drop sequence scratch_id_seq")
    capture, copy = Role(move, "capture"), Role(move, "copy")
    copy.ends(0)
    before = copiers(move)
    frozen.wake()
    frozen.ends(1)
    assert copiers(move) == before
    apply = Role(move, "apply")
    wait_phase(move, "streaming")
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


# --- One writer -------------------------------------------------------------------------------------------------


def test_second_capture_apply_and_run_exit_with_1_and_name_the_holder(databases, drover):
    with databases.source() as session:
        prepare(session, rows=200)
    move = drover()
    holders = {role: Role(move, role) for role in ("capture", "apply")}
    Role(move, "copy").ends(0)
    wait_phase(move, "streaming")
    for command, holder in (("capture", "capture"), ("apply", "apply"), ("run", "capture")):
        done = move.call(command)
        assert done.returncode == 1, done.stderr
        assert f"{socket.gethostname()} pid {holders[holder].pid} since" in done.stderr and "--take-over" in done.stderr
    for role in holders.values():
        role.check_alive()
    wait_caught_up(move, *holders.values())
    assert_equal(databases)
    for role in holders.values():
        role.stop()


@pytest.mark.parametrize("role", ["capture", "apply"])
def test_role_that_wakes_after_a_take_over_does_nothing(databases, drover, role):
    with databases.source() as session:
        prepare(session, rows=500)
    move = drover()
    roles = {name: Role(move, name) for name in ("capture", "apply")}
    Role(move, "copy").ends(0)
    wait_phase(move, "streaming")
    load = RandomLoad(databases.source_server.url(databases.name), sessions=4, pace=0.02).start()
    wait_caught_up(move, *roles.values())
    slept = roles[role]
    slept.freeze()
    roles[role] = Role(move, role, "--take-over")
    wait_caught_up(move, *roles.values())
    with databases.target() as session:
        taken = one_row(session, "select epoch from drover.lease where role = %s", role)
        slept.wake()
        # -9: it stood still inside a commit of the bus, and the take-over had to end it
        slept.ends(1, -9)
        assert one_row(session, "select epoch from drover.lease where role = %s", role) == taken
    load.stop()
    wait_caught_up(move, *roles.values())
    assert_equal(databases)
    for process in roles.values():
        process.stop()


def test_each_role_killed_and_started_again_ends_equal(databases, drover):
    small_tables(databases, n=30)
    with databases.source() as session:
        prepare(session)
    move = drover(extra="limits: {copy_workers: 2}")
    load = RandomLoad(databases.source_server.url(databases.name), sessions=8, pace=0.02).start()
    try:
        capture, copy = planned_and_paused(move)
        apply = Role(move, "apply")
        apply.wait_log("phase copying is the work of `drover copy`")
        copy.kill()
        apply.kill()
        copy, apply = Role(move, "copy"), Role(move, "apply")
        assert move.call("resume").returncode == 0
        wait_for(lambda: copiers(move), "a chunk is copied", 60, 0.01)
        copy.kill()
        capture.kill()
        copy, capture = Role(move, "copy"), Role(move, "capture")
        copy.ends(0)
        wait_phase(move, "catching_up", "indexing", "streaming")
        apply.kill()
        apply = Role(move, "apply")
        wait_phase(move, "streaming")
        for _ in range(2):
            wait_caught_up(move, capture, apply)
            capture.kill()
            apply.kill()
            capture, apply = Role(move, "capture"), Role(move, "apply")
        done = move.call("verify", "--json", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        load.stop()
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


def test_roles_outlive_a_target_that_goes_away(own_servers, tmp_path):
    databases = Databases(own_servers)
    small_tables(databases, n=20)
    move = Drover(str(tmp_path), databases)
    roles = []
    try:
        capture, copy = planned_and_paused(move)
        apply = Role(move, "apply")
        roles = [capture, copy, apply]
        apply.wait_log("phase copying is the work of `drover copy`")
        databases.target_server.kill()
        for role in roles:
            role.wait_log("the control session on the target is lost")
        databases.target_server.start()
        for role in roles:
            role.wait_log("the target is back")
        assert move.call("resume").returncode == 0
        copy.ends(0)
        wait_phase(move, "streaming")
        wait_caught_up(move, capture, apply)
        assert_equal(databases)
        capture.stop()
        apply.stop()
    finally:
        move.kill_all()


# --- Beginning and end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["copy", "apply"])
def test_role_that_comes_before_capture_waits_for_it(databases, drover, role):
    with databases.source() as session:
        prepare(session, rows=200)
    move = drover()
    early = Role(move, role)
    early.wait_log("waiting for `drover capture` or `drover run` to start migration move")
    with databases.target() as session:
        assert one_row(session, "select to_regnamespace('drover')") is None
    # asked to stop while it waits
    early.stop()
    assert "had not begun" in early.log()
    early = Role(move, role)
    early.wait_log("waiting for `drover capture`")
    roles = {"capture": Role(move, "capture"), role: early}
    for other in {"copy", "apply"} - {role}:
        roles[other] = Role(move, other)
    roles["copy"].ends(0)
    wait_phase(move, "streaming")
    wait_caught_up(move, roles["capture"], roles["apply"])
    assert early.log().count("waiting for `drover capture`") == 1
    assert_equal(databases)
    roles["apply"].stop()
    roles["capture"].stop()


def test_copy_needs_no_bus_and_apply_is_refused_without_it(databases, drover, tmp_path):
    """The local bus is a file of one host; another folder stands for another host."""
    small_tables(databases, n=3)
    move = drover()
    capture = Role(move, "capture")
    wait_started(move)
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Drover(str(tmp_path / "elsewhere"), databases)
    try:
        Role(elsewhere, "copy").ends(0)
        done = elsewhere.call("apply")
        assert done.returncode == 4 and "move.bus" in done.stderr, done.stderr
    finally:
        elsewhere.kill_all()
    apply = Role(move, "apply")
    wait_phase(move, "streaming")
    wait_caught_up(move, capture, apply)
    assert_equal(databases)
    capture.stop()
    apply.stop()


def test_apply_that_waits_for_the_copy_stops_when_asked(databases, drover):
    small_tables(databases, n=2)
    move = drover()
    capture, copy = planned_and_paused(move)
    apply = Role(move, "apply")
    apply.wait_log(f"phase copying is the work of `drover copy`, which is run by .* pid {copy.pid}")
    apply.stop()
    copy.stop()
    assert "goes on" in copy.log() and "drover drop" in copy.log()
    capture.stop()
    with databases.target() as session:
        assert one_row(session, "select coalesce(snapshot, 'gone') from drover.migration") == "gone"


def test_drop_is_refused_while_any_role_runs(databases, drover):
    small_tables(databases, n=2)
    move = drover()
    capture, copy = planned_and_paused(move)
    apply = Role(move, "apply")
    wait_roles(move, capture=1, copy=1, apply=1)
    for role in (capture, copy, apply):
        done = move.call("drop", "--yes", move.name)
        assert done.returncode == 1 and f"pid {role.pid} since" in done.stderr, done.stderr
        role.check_alive()
        role.stop()
    assert move.call("drop", "--yes", move.name).returncode == 0
    with databases.source() as session:
        assert one_row(session, "select count(*) from pg_replication_slots where database = current_database()") == 0


def test_processes_end_when_their_migration_was_dropped(databases, drover):
    small_tables(databases, n=2)
    move = drover()
    capture, copy = planned_and_paused(move)
    done = move.call("drop", "--yes", move.name, "--take-over")
    assert done.returncode == 0, done.stderr
    for role in (capture, copy):
        role.ends(1)
        assert "no such migration" in role.log()


def test_signal_ends_each_role_cleanly(databases, drover):
    with databases.source() as session:
        prepare(session, rows=200)
    move = drover()
    capture, apply = Role(move, "capture"), Role(move, "apply")
    Role(move, "copy").ends(0)
    wait_phase(move, "streaming")
    for role in (capture, apply):
        role.process.send_signal(signal.SIGINT)
        role.ends(0)
        assert f"`drover {role.role} " in role.log() and "still keeps" in role.log()
