"""`plan` on MySQL and MariaDB: what it finds on servers that are not as they must be, and that its statements mend it."""
import contextlib
import json
import os
import re
import subprocess

import pymysql
import pytest

from conftest import DROVER, connect as postgres_session
from mysql_servers import MariaDB, MySQL
from pairs import pair, pair_servers  # noqa: F401  fixtures
from servers import Postgres, wait_for

KINDS = {"mysql": MySQL, "mariadb": MariaDB}
CAREFUL = {"sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1"}
BOTH = pytest.mark.parametrize("kind", KINDS)


@contextlib.contextmanager
def running(kind, **settings):
    server = KINDS[kind](**{**CAREFUL, **settings})
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def postgres():
    server = Postgres("plan")
    with postgres_session(server) as session:
        session.execute("create table t (id int primary key, note text)")
    yield server
    server.close()


@pytest.fixture(scope="module")
def good():
    """A server of either kind with nothing wrong in its settings, for tests that change what they put back."""
    with contextlib.ExitStack() as stack:
        yield {kind: stack.enter_context(running(kind)) for kind in KINDS}


def connect(server, user="root"):
    return pymysql.connect(host="127.0.0.1", port=server.port, user=user, autocommit=True)


def run(server, *statements):
    with connect(server) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def shop(good):
    """A database `shop` with a table, on both servers."""
    for server in good.values():
        run(server, "create database shop", "create table shop.t (id int primary key, note varchar(20))")
    yield good
    for server in good.values():
        run(server, "drop database shop", "drop user if exists poor@'%'")


class Plan:
    def __init__(self, folder, source, target, tables=""):
        path = os.path.join(folder, "plan.yaml")
        with open(path, "w") as file:
            file.write(f"migration: shop\nsource: {{url: '{source}'}}\ntarget: {{url: '{target}'}}\n{tables}\n")
        done = subprocess.run([DROVER, "plan", path, "--json"], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done.stderr
        self.report = json.loads(done.stdout)
        self.findings = self.report["findings"]
        assert (self.report["result"] == "PASS") == (done.returncode == 0)

    def bad(self):
        return {(finding["level"], finding["name"]) for finding in self.findings if finding["level"] != "PASS"}

    def one(self, name):
        found = [finding for finding in self.findings if finding["name"] == name]
        assert len(found) == 1, self.findings
        return found[0]


@pytest.fixture
def plan_from(tmp_path, postgres):
    """A move from this server to PostgreSQL."""
    def make(server, user="root", tables="", database="shop"):
        return Plan(str(tmp_path), server.url(database, user), postgres.url("postgres"), tables)
    return make


@pytest.fixture
def plan_to(tmp_path, postgres):
    """A move from PostgreSQL to this server."""
    def make(server, user="root", tables="tables: [{source: public.t, target: shop2.t}]"):
        # A database that is always there, and that everybody may enter.
        return Plan(str(tmp_path), postgres.url("postgres"), server.url("information_schema", user), tables)
    return make


def statements_of(finding):
    """A remedy's statements, without their comments."""
    lines = [line.split(" -- ")[0] for line in finding["remedy"].split("\n")]
    return [statement.strip() for line in lines for statement in line.split(";") if statement.strip()]


# ---- the source's server


@BOTH
def test_a_movable_database_passes(kind, shop, plan_from):
    plan = plan_from(shop[kind])
    assert plan.bad() == set()
    assert plan.one("source.gtid_mode" if kind == "mysql" else "source.gtid_strict_mode")["level"] == "PASS"
    assert [table["source"] for table in plan.report["mapping"]] == ["shop.t"]
    assert plan.report["source_version"].startswith({"mysql": "MySQL ", "mariadb": "MariaDB "}[kind])


BAD = {
    "mysql": {"binlog_format": "MIXED", "binlog_row_image": "MINIMAL", "binlog_row_metadata": "MINIMAL",
              "gtid_mode": "OFF", "enforce_gtid_consistency": "OFF", "binlog_row_value_options": "PARTIAL_JSON",
              "binlog_expire_logs_seconds": "3600", "sync_binlog": "0", "innodb_flush_log_at_trx_commit": "2",
              "server_id": "0"},
    "mariadb": {"binlog_format": "MIXED", "binlog_row_image": "MINIMAL", "binlog_row_metadata": "NO_LOG",
                "gtid_strict_mode": "OFF", "mysql56_temporal_format": "OFF", "binlog_expire_logs_seconds": "3600",
                "sync_binlog": "0", "innodb_flush_log_at_trx_commit": "2", "server_id": "1"},
}
FOUND = {
    "mysql": {("FAIL", "source.binlog_format"), ("WARN", "source.binlog_row_image"),
              ("WARN", "source.binlog_row_metadata"), ("FAIL", "source.gtid_mode"),
              ("WARN", "source.binlog_row_value_options"), ("WARN", "source.binlog_expire_logs_seconds"),
              ("WARN", "source.sync_binlog"), ("WARN", "source.innodb_flush_log_at_trx_commit"),
              ("FAIL", "source.server_id")},
    "mariadb": {("FAIL", "source.binlog_format"), ("WARN", "source.binlog_row_image"),
                ("WARN", "source.binlog_row_metadata"), ("WARN", "source.gtid_strict_mode"),
                ("FAIL", "source.mysql56_temporal_format"), ("WARN", "source.binlog_expire_logs_seconds"),
                ("WARN", "source.sync_binlog"), ("WARN", "source.innodb_flush_log_at_trx_commit")},
}


@BOTH
def test_everything_wrong_with_the_log_is_told_at_once_and_the_statements_mend_it(kind, plan_from):
    with running(kind, **BAD[kind]) as server:
        run(server, "create database shop", "create table shop.t (id int primary key, note varchar(20))")
        plan = plan_from(server)
        assert plan.bad() == FOUND[kind]
        for finding in plan.findings:
            if finding["level"] != "PASS":
                run(server, *statements_of(finding))
        assert plan_from(server).bad() == set()


@pytest.mark.parametrize("mode, steps", [("OFF_PERMISSIVE", 3), ("ON_PERMISSIVE", 2)])
def test_the_way_to_gtids_begins_where_the_server_is(mode, steps, plan_from):
    with running("mysql", gtid_mode=mode, enforce_gtid_consistency="ON") as server:
        run(server, "create database shop", "create table shop.t (id int primary key)")
        statements = statements_of(plan_from(server).one("source.gtid_mode"))
        assert len(statements) == steps
        run(server, *statements)
        assert plan_from(server).bad() == set()


@BOTH
def test_a_source_without_a_log(kind, plan_from):
    with running(kind, log_bin=None, **({"skip_log_bin": "1"} if kind == "mysql" else {})) as server:
        run(server, "create database shop", "create table shop.t (id int primary key)")
        finding = plan_from(server).one("source.log_bin")
        assert finding["level"] == "FAIL" and "log_bin = on" in finding["remedy"]


@BOTH
@pytest.mark.parametrize("option, value", [("binlog_ignore_db", "shop"), ("binlog_do_db", "other")])
def test_a_database_that_is_not_logged(kind, option, value, plan_from):
    with running(kind, **{option: value}) as server:
        run(server, "create database shop", "create database other", "create table shop.t (id int primary key)",
            "create table other.t (id int primary key)")
        finding = plan_from(server).one(f"source.{option}")
        assert finding["level"] == "FAIL" and "database shop" in finding["text"]
        assert plan_from(server, database="other").bad() == set()


def test_commits_that_wait_for_replicas(shop, plan_from):
    run(shop["mariadb"], "set global rpl_semi_sync_master_enabled = on")
    try:
        assert plan_from(shop["mariadb"]).bad() == {("WARN", "source.semi_sync")}
    finally:
        run(shop["mariadb"], "set global rpl_semi_sync_master_enabled = off")


def test_a_replica_that_logs_what_it_repeats(shop, plan_from):
    run(shop["mysql"], "change replication source to source_host = '127.0.0.1', source_port = 1")
    try:
        assert plan_from(shop["mysql"]).bad() == {("WARN", "source.replica")}
    finally:
        run(shop["mysql"], "reset replica all")


def test_a_replica_that_logs_nothing_of_what_it_repeats(shop, plan_from):
    run(shop["mariadb"], "change master to master_host = '127.0.0.1', master_port = 1, master_user = 'x'", "start slave")
    try:
        assert plan_from(shop["mariadb"]).bad() == {("FAIL", "source.log_slave_updates"), ("WARN", "source.replica")}
    finally:
        run(shop["mariadb"], "stop slave", "reset slave all")


@BOTH
def test_prepared_transactions(kind, shop, plan_from):
    with connect(shop[kind]) as connection, connection.cursor() as cursor:
        for statement in ["xa start 'one'", "insert into shop.t values (1, 'x')", "xa end 'one'", "xa prepare 'one'"]:
            cursor.execute(statement)
    wait_for(lambda: prepared(shop[kind]) == 1, "the session has left its transaction")
    try:
        finding = plan_from(shop[kind]).one("source.prepared_transactions")
        assert finding["level"] == "WARN" and finding["text"].startswith("1 XA transactions are prepared")
    finally:
        run(shop[kind], "xa rollback 'one'")


def prepared(server):
    with connect(server) as connection, connection.cursor() as cursor:
        return cursor.execute("xa recover")


# ---- the source's tables


FAMILY = ["create table shop.parent (id int primary key, code int unique)",
          "create table shop.child (id int primary key, parent int, constraint to_key foreign key (parent) references"
          " shop.parent (id) on delete cascade on update set null)"]
NO_KEY = ["alter table shop.child add column code int, add constraint to_code foreign key (code) references"
          " shop.parent (code) on delete cascade"]


@BOTH
def test_actions_of_foreign_keys_to_a_key_are_followed(kind, shop, plan_from):
    run(shop[kind], *FAMILY)
    assert plan_from(shop[kind]).bad() == set()


def test_actions_of_foreign_keys_that_mysql_logs(shop, plan_from):
    run(shop["mysql"], *FAMILY, *NO_KEY)
    assert plan_from(shop["mysql"]).bad() == set()


def assert_action_found(plan, plan_again, server):
    assert plan.bad() == {("FAIL", "table.shop.child")}
    run(server, *statements_of(plan.one("table.shop.child")))
    assert plan_again().bad() == set()


def test_actions_of_foreign_keys_that_mariadb_does_not_log(shop, plan_from):
    server = shop["mariadb"]
    run(server, *FAMILY, *NO_KEY)
    assert_action_found(plan_from(server), lambda: plan_from(server), server)


def test_actions_of_foreign_keys_inside_of_innodb(plan_from):
    with running("mysql", innodb_native_foreign_keys="ON") as server:
        run(server, "create database shop", *FAMILY, *NO_KEY)
        assert_action_found(plan_from(server), lambda: plan_from(server), server)


def test_actions_of_foreign_keys_whose_parent_stays(shop, plan_from):
    server, tables = shop["mariadb"], "tables: [{source: shop.*, exclude: [shop.parent]}]"
    run(server, *FAMILY)
    plan = plan_from(server, tables=tables)
    assert "move shop.parent too" in plan.one("table.shop.child")["text"]
    assert_action_found(plan, lambda: plan_from(server, tables=tables), server)


@BOTH
def test_texts_that_are_equal_without_being_the_same(kind, shop, plan_from):
    collation = {"mysql": "utf8mb4_0900_ai_ci", "mariadb": "utf8mb4_general_ci"}[kind]
    text = f"varchar(20) collate {collation}"
    run(shop[kind], f"create table shop.country (code {text} primary key)",
        f"create table shop.city (id int primary key, code {text}, constraint to_country foreign key (code)"
        " references shop.country (code))")
    plan = plan_from(shop[kind])
    assert plan.bad() == {("WARN", "target.collation"), ("WARN", "table.shop.city")}
    assert f"shop.country.code ({collation})" in plan.one("target.collation")["text"]
    assert "foreign key to_country compares texts" in plan.one("table.shop.city")["text"]


@BOTH
def test_texts_that_are_equal_to_the_letter(kind, shop, plan_from):
    collation = {"mysql": "utf8mb4_0900_bin", "mariadb": "utf8mb4_nopad_bin"}[kind]
    run(shop[kind], f"create table shop.country (code varchar(20) collate {collation} primary key)")
    assert plan_from(shop[kind]).bad() == set()


@BOTH
def test_missing_privileges_on_the_source_are_told_at_once_and_the_statements_mend_it(kind, shop, plan_from):
    run(shop[kind], "create table shop.`odd ``name` (id int primary key, b int)", "create user poor@'%'",
        "grant insert on shop.* to poor@'%'", "grant select on shop.t to poor@'%'",
        "grant select (id) on shop.`odd ``name` to poor@'%'")
    finding = plan_from(shop[kind], "poor").one("source.privileges")
    assert finding["level"] == "FAIL" and finding["text"] == "account 'poor'@'%' lacks 2 privileges"
    run(shop[kind], *statements_of(finding))
    plan = plan_from(shop[kind], "poor")
    assert plan.one("source.privileges")["level"] == "PASS"
    if kind == "mysql":
        assert plan.bad() == {("WARN", "source.prepared_transactions")}
        run(shop[kind], *statements_of(plan.one("source.prepared_transactions")))
    assert plan_from(shop[kind], "poor").bad() == set()


@BOTH
def test_privileges_of_a_role_count(kind, shop, plan_from):
    monitor = {"mysql": "replication client, xa_recover_admin", "mariadb": "binlog monitor"}[kind]
    default = {"mysql": "set default role mover to poor@'%'", "mariadb": "set default role mover for poor@'%'"}[kind]
    run(shop[kind], "create user poor@'%'", "create role mover", f"grant replication slave, {monitor} on *.* to mover",
        "grant select on shop.* to mover", "grant mover to poor@'%'", default)
    try:
        assert plan_from(shop[kind], "poor").bad() == set()
    finally:
        run(shop[kind], "drop role mover")


def test_mariadb_shows_foreign_keys_only_with_more_than_select(shop, plan_from):
    run(shop["mariadb"], *FAMILY, *NO_KEY, "create user poor@'%'", "grant select on shop.* to poor@'%'",
        "grant replication slave, binlog monitor on *.* to poor@'%'")
    plan = plan_from(shop["mariadb"], "poor")
    assert plan.bad() == {("FAIL", "source.privileges")}
    run(shop["mariadb"], *statements_of(plan.one("source.privileges")))
    assert plan_from(shop["mariadb"], "poor").bad() == {("FAIL", "table.shop.child")}


# ---- the target


@BOTH
def test_an_empty_target_passes(kind, shop, plan_to):
    plan = plan_to(shop[kind])
    assert plan.bad() == set()
    assert plan.one("target.empty")["level"] == "PASS"


TARGET_SETTINGS = [
    ("mysql", "local_infile", "off", "on", ("WARN", "target.local_infile")),
    ("mariadb", "local_infile", "off", "on", ("WARN", "target.local_infile")),
    ("mysql", "max_allowed_packet", "1048576", "134217728", ("WARN", "target.max_allowed_packet")),
    ("mariadb", "max_allowed_packet", "1048576", "134217728", ("WARN", "target.max_allowed_packet")),
    ("mysql", "read_only", "on", "off", ("WARN", "target.read_only")),
    ("mariadb", "read_only", "on", "off", ("WARN", "target.read_only")),
    ("mysql", "binlog_format", "statement", "row", ("FAIL", "target.binlog_format")),
    ("mariadb", "binlog_format", "statement", "row", ("FAIL", "target.binlog_format")),
    ("mysql", "sql_require_primary_key", "on", "off", ("FAIL", "target.sql_require_primary_key")),
    ("mariadb", "innodb_force_primary_key", "on", "off", ("FAIL", "target.innodb_force_primary_key")),
    ("mariadb", "enforce_storage_engine", "MyISAM", "null", ("FAIL", "target.enforce_storage_engine")),
]


@pytest.mark.parametrize("kind, variable, bad, fine, found", TARGET_SETTINGS)
def test_settings_of_the_target(kind, variable, bad, fine, found, shop, plan_to):
    run(shop[kind], f"set global {variable} = {bad}")
    try:
        plan = plan_to(shop[kind])
        assert plan.bad() == {found}
        run(shop[kind], *statements_of(plan.one(found[1])))
        assert plan_to(shop[kind]).bad() == set()
    finally:
        run(shop[kind], f"set global {variable} = {fine}")


def test_a_target_that_nobody_may_write(shop, plan_to):
    run(shop["mysql"], "set global super_read_only = on")
    try:
        assert plan_to(shop["mysql"]).bad() == {("FAIL", "target.super_read_only"), ("WARN", "target.read_only")}
    finally:
        run(shop["mysql"], "set global super_read_only = off", "set global read_only = off")


def test_engines_that_are_switched_off(plan_to):
    with running("mysql", disabled_storage_engines="MyISAM,InnoDB") as server:
        assert plan_to(server).bad() == {("FAIL", "target.disabled_storage_engines")}


def test_a_server_in_recovery(plan_to):
    with running("mariadb") as server:
        server.stop()
        server.start(innodb_force_recovery="4")
        assert ("FAIL", "target.innodb_force_recovery") in plan_to(server).bad()


@BOTH
def test_missing_privileges_on_the_target_are_told_at_once_and_the_statements_mend_it(kind, shop, plan_to):
    run(shop[kind], "create user poor@'%'")
    tables = "tables: [{source: public.t, target: shop_2.t}]"
    finding = plan_to(shop[kind], "poor", tables).one("target.privileges")
    assert finding["level"] == "FAIL" and finding["text"] == "account 'poor'@'%' lacks 2 privileges"
    run(shop[kind], *statements_of(finding))
    assert plan_to(shop[kind], "poor", tables).bad() == set()
    assert plan_to(shop[kind], "poor", tables.replace("shop_2", "shop12")).bad() == {("FAIL", "target.privileges")}


@BOTH
@pytest.mark.parametrize("make, drop", [("create table shop.t2 (id int)", "drop table `shop`.`t2`;"),
                                        ("create view shop.t2 as select 1", "drop view `shop`.`t2`;")])
def test_a_target_that_has_the_name(kind, make, drop, shop, plan_to):
    run(shop[kind], make)
    finding = plan_to(shop[kind], tables="tables: [{source: public.t, target: shop.t2}]").one("target.empty")
    assert finding["level"] == "FAIL" and finding["remedy"] == drop


def test_names_that_differ_in_case_alone(tmp_path, good):
    run(good["mysql"], "create database shop", "create table shop.t (id int primary key)",
        "create table shop.T (id int primary key)")
    try:
        with running("mariadb", lower_case_table_names="1") as server:
            plan = Plan(str(tmp_path), good["mysql"].url("shop"), server.url("mysql"), "tables: [{source: shop.*}]")
            finding = plan.one("target.lower_case_table_names")
            assert finding["level"] == "FAIL" and "shop.T and shop.t would be one" in finding["text"]
    finally:
        run(good["mysql"], "drop database shop")


def test_a_source_whose_characters_are_not_known(tmp_path, postgres, good):
    with postgres_session(postgres) as session:
        session.execute("create database ascii encoding 'SQL_ASCII' template template0 locale 'C'")
    plan = Plan(str(tmp_path), postgres.url("ascii"), good["mysql"].url("mysql"))
    assert plan.one("source.encoding")["level"] == "FAIL"


# ---- once it has begun


def test_what_a_source_without_slots_holds(pair):  # noqa: F811
    databases, move = pair("mysql", "postgresql")
    with databases.source() as session:
        session.execute("create table t (id int primary key)")
        session.execute("insert into t values (1), (2)")
    move.start()
    move.wait_streaming()
    move.wait_caught_up()
    status = move.status()
    assert re.fullmatch(r"\d{6}:\d+", status["source"]["head"]) and re.fullmatch(r"\d{6}:\d+", status["capture"]["position"])
    assert status["source"]["retained_bytes"] is None
    assert "keeps its log as its own settings say" in move.call("status").stdout
    move.stop()
    assert "Nothing is held on the source" in move.log() and "slot" not in move.log()
    done = move.call("plan", "--json")
    assert done.returncode == 0, done.stdout
    dropped = move.call("drop", "--yes", move.name)
    assert dropped.returncode == 0 and "slot" not in dropped.stdout, dropped.stderr
