"""What people get wrong: a clear error, the right exit status, and nothing changed on either side."""
import os
import re
import subprocess

import pytest

from conftest import Databases, Drover, connect
from servers import Postgres, free_port
from workload import prepare


def assert_untouched(databases):
    with databases.source() as session:
        assert session.execute("select count(*) from pg_publication").fetchone()[0] == 0
        assert session.execute("select count(*) from pg_replication_slots where database = current_database()"
                               ).fetchone()[0] == 0
    with databases.target() as session:
        assert session.execute("select to_regnamespace('drover')").fetchone()[0] is None
        assert session.execute("select count(*) from pg_class where relnamespace = 'public'::regnamespace"
                               " and relname not in ('mine', 'mine_pkey')").fetchone()[0] == 0


def refused(move, status, *words, command="run", **options):
    done = move.call(command, **options)
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    said = done.stdout + done.stderr
    for word in words:
        assert re.search(word, said), f"{word!r} is not in: {said}"
    return said


def test_wrong_password_exits_1(databases, drover):
    with databases.source() as session:
        session.execute("do $$ begin if not exists (select from pg_roles where rolname = 'needs_password') then"
                        " create role needs_password login superuser password 'right'; end if; end $$")
        session.execute("create table a (id int primary key)")
    move = drover()
    server = databases.source_server
    secret = os.path.join(move.folder, "secret")
    with open(secret, "w") as text:
        text.write("wrong\n")
    os.chmod(secret, 0o600)
    move.write(source=f"url: {server.url(databases.name, 'needs_password')}\n  password_file: {secret}")
    said = refused(move, 1, "source", "password")
    assert "wrong" not in said
    assert_untouched(databases)
    with open(secret, "w") as text:
        text.write("right\n")
    assert move.call("plan").returncode == 0


def test_no_server_exits_3(databases, drover):
    move = drover()
    move.write(source=f"url: postgresql://postgres@127.0.0.1:{free_port()}/x")
    refused(move, 3, "source", "127.0.0.1")
    assert_untouched(databases)


def test_missing_privileges_are_all_listed_with_their_sql(databases, drover):
    for session in (databases.source(), databases.target()):
        session.execute("do $$ begin if not exists (select from pg_roles where rolname = 'weak') then"
                        " create role weak login; end if; end $$")
        session.close()
    with databases.source() as session:
        session.execute("create table a (id int primary key); create table b (id int primary key)")
    move = drover()
    move.write(source=f"url: {databases.source_server.url(databases.name, 'weak')}",
               target=f"url: {databases.target_server.url(databases.name, 'weak')}")
    for command in ("plan", "run"):
        refused(move, 1, '(?i)alter role "?weak"? .*replication', "(?i)grant select on .*public.*a",
                "(?i)grant create on database", "(?i)grant postgres to weak", "(?i)session_replication_role", command=command)
    assert_untouched(databases)


def test_wal_level_replica_exits_1(tmp_path):
    source, target = Postgres("source", wal_level="replica"), Postgres("target")
    try:
        databases = Databases((source, target))
        with databases.source() as session:
            session.execute("create table a (id int primary key)")
        move = Drover(str(tmp_path), databases)
        refused(move, 1, "wal_level", "(?i)alter system set wal_level")
        assert_untouched(databases)
    finally:
        source.close()
        target.close()


def test_no_slot_left_exits_1(tmp_path):
    source, target = Postgres("source", max_replication_slots="1"), Postgres("target")
    try:
        databases = Databases((source, target))
        with databases.source() as session:
            session.execute("create table a (id int primary key)")
        with connect(source) as session:
            session.execute("select pg_create_physical_replication_slot('taken')")
        move = Drover(str(tmp_path), databases)
        refused(move, 1, "max_replication_slots")
        assert_untouched(databases)
    finally:
        source.close()
        target.close()


def test_table_that_is_not_there_exits_1(databases, drover):
    with databases.source() as session:
        session.execute("create table a (id int primary key)")
    move = drover(tables="tables:\n  - source: public.nothere\n")
    refused(move, 1, "public.nothere")
    assert_untouched(databases)


@pytest.mark.parametrize("ddl, words", [
    ("create table a (id int, v text)", ["public.a", "(?i)alter table .*add primary key"]),
    ("create table a (id int primary key); alter table a replica identity nothing",
     ["public.a", "(?i)replica identity"]),
    ("create type colour as enum ('red'); create table a (id int primary key, c colour)",
     ["public.a", "colour", "column \"?c"]),
    ("create unlogged table a (id int primary key)", ["public.a", "(?i)unlogged"]),
    ("create table a (id int primary key) partition by range (id)", ["public.a", "(?i)partition"]),
])
def test_table_that_cannot_be_moved_exits_1(databases, drover, ddl, words):
    with databases.source() as session:
        session.execute(ddl)
    refused(drover(), 1, *words)
    assert_untouched(databases)


def test_target_that_is_not_empty_exits_1(databases, drover):
    with databases.source() as session:
        session.execute("create table mine (id int primary key)")
    with databases.target() as session:
        session.execute("create table mine (id int primary key); insert into mine values (1)")
    refused(drover(), 1, "public.mine")
    assert_untouched(databases)
    with databases.target() as session:
        assert session.execute("select count(*) from mine").fetchone()[0] == 1


def test_full_disk_under_the_bus_exits_3(databases, drover):
    with databases.source() as session:
        session.execute("create table a (id int primary key)")
    move = drover(extra="bus: {local: {path: small/move.bus}}")
    small = os.path.join(move.folder, "small")
    os.mkdir(small)
    privilege = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(["unshare", "--mount", *privilege, "sh", "-c",
                           'mount -t tmpfs -o size=8k drover "$1" && shift && exec "$@"', "sh", small,
                           *move.command("run")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "move.bus" in done.stderr and re.search("(?i)full|no space", done.stderr), done.stderr
    with databases.source() as session:
        assert session.execute("select count(*) from pg_replication_slots where database = current_database()"
                               ).fetchone()[0] == 0


@pytest.mark.parametrize("text, words", [
    ("migration: move\nsource: {url: 'postgresql://h/a'}\ntarget: {url: 'postgresql://h/b'}\nfoo: 1\n", ["4:1", "foo"]),
    ("migration: [1]\nsource: {url: 'postgresql://h/a'}\ntarget: {url: 'postgresql://h/b'}\n", ["1:12", "migration"]),
    ("migration: a\nmigration: b\nsource: {url: 'postgresql://h/a'}\ntarget: {url: 'postgresql://h/b'}\n",
     ["2:1", "migration"]),
    ("migration: &x a\nsource: {url: *x}\ntarget: {url: 'postgresql://h/b'}\n", ["(?i)alias|anchor"]),
    ("migration: a\nsource: {url: 'postgresql://h/a'}\ntarget: {url: 'postgresql://h/b'}\ncutover: {}\n",
     ["4:1", "cutover", "not supported yet"]),
    ("[" * 160000, ["(?i)deep|depth|nest"]),
    ("\x01\x02garbage" * 100000, ["(?i)control|character|invalid|large"]),
])
def test_migration_file_that_is_wrong_exits_2_with_line_and_column(databases, drover, text, words):
    move = drover()
    with open(move.file, "w") as file:
        file.write(text)
    for command in ("plan", "run", "status"):
        refused(move, 2, os.path.basename(move.file), *words, command=command, timeout=10)
    assert_untouched(databases)


def test_usage_errors_exit_2(databases, drover):
    move = drover()
    for arguments in (["plan"], ["fly", move.file], ["cutover", move.file], ["run", move.file, "--fly"],
                      ["run", "/nonexistent.yaml"]):
        done = subprocess.run([move.program, *arguments], capture_output=True, text=True)
        assert done.returncode == 2, (arguments, done.stderr)
        assert done.stderr.startswith("drover:"), done.stderr


def test_run_stopped_and_dropped_leaves_only_the_users_tables(databases, drover):
    with databases.source() as session:
        prepare(session, rows=100)
    move = drover()
    process = move.start()
    move.wait_phase("streaming")
    move.stop(process)
    assert re.search("drover drop", move.log())
    assert move.call("drop").returncode == 2
    assert move.call("drop", "--yes", "other").returncode == 2
    done = move.call("drop", "--yes", move.name)
    assert done.returncode == 0, done.stderr
    with databases.source() as session:
        assert session.execute("select count(*) from pg_publication").fetchone()[0] == 0
        assert session.execute("select count(*) from pg_replication_slots where database = current_database()"
                               ).fetchone()[0] == 0
    with databases.target() as session:
        assert session.execute("select to_regnamespace('drover')").fetchone()[0] is None
        assert session.execute("select count(*) from item").fetchone()[0] == 100
    assert not [name for name in os.listdir(move.folder) if ".bus" in name]
    assert move.call("drop", "--yes", move.name).returncode == 1
