"""Every type at its edges between every pair of engines, through copy and stream; and what the other engine cannot
hold, which is refused by name."""
import re

import pytest

from edges import Edges
from pairs import ALL, PAIRS, ended, pair, pair_servers  # noqa: F401  fixtures
from samples import TO_MYSQL, TO_POSTGRESQL


@pytest.mark.parametrize("source, target", PAIRS)
def test_values_are_the_same_after_copy_and_after_stream(pair, source, target):  # noqa: F811
    databases, move = pair(source, target)
    with databases.source() as session:
        edges = Edges(session, target)
        edges.create()
        edges.fill()
        edges.fill_keys()
        move.start()
        move.wait_streaming()
        move.wait_caught_up()
        assert databases.assert_equal() > 40
        edges.change()
    move.wait_caught_up()
    assert databases.assert_equal() > 40
    move.verify()
    move.check_accounts()
    move.stop()


# ---- what is refused

# Each in copy and stream in a full run; unit tests have them all.
REFUSALS = [("mysql", "postgresql", *value) for value in TO_POSTGRESQL] + \
    [("mariadb", "postgresql", *value) for value in TO_POSTGRESQL[:1]] + \
    [("postgresql", "mysql", *value) for value in TO_MYSQL] + [("postgresql", "mariadb", *value) for value in TO_MYSQL[:1]]


def allow_anything(session):
    if session.engine != "postgresql":
        session.execute("set sql_mode = ''")


def make_odd(session, kind, *rows):
    allow_anything(session)
    session.execute(f"create table odd (id int primary key, mine {kind})")
    for number, literal in enumerate(rows, 1):
        session.execute(f"insert into odd values ({number}, {literal})")


def check_refusal(move, word):
    status, said = ended(move)
    assert status == 4, said
    for part in ("odd", "mine", word):
        assert part in said, said
    assert re.search(r"\b41\b", said), said  # the key


@pytest.mark.parametrize("source, target, kind, literal, word", REFUSALS if ALL else REFUSALS[::4])
def test_value_that_the_target_cannot_hold_stops_the_copy_and_is_named(pair, source, target, kind, literal, word):  # noqa: F811
    databases, move = pair(source, target)
    with databases.source() as session:
        make_odd(session, kind, "null")
        session.execute(f"insert into odd values (41, {literal})")
    move.start()
    check_refusal(move, word)


@pytest.mark.parametrize("source, target, kind, literal, word", REFUSALS if ALL else REFUSALS[2::4])
def test_value_that_the_target_cannot_hold_stops_the_stream_and_is_named(pair, source, target, kind, literal, word):  # noqa: F811
    databases, move = pair(source, target)
    with databases.source() as session:
        make_odd(session, kind, "null")
        move.start()
        move.wait_streaming()
        session.execute(f"insert into odd values (41, {literal})")
    check_refusal(move, word)


ZERO = "'0000-00-00'"


@pytest.mark.parametrize("source", ["mysql", "mariadb"])
@pytest.mark.parametrize("policy, becomes", [("null", None), ("'1970-01-01'", "1970-01-01")])
def test_zero_dates_by_policy_in_copy_stream_and_verify(pair, source, policy, becomes):  # noqa: F811
    databases, move = pair(source, "postgresql", options=f"zero_dates: {policy}")
    with databases.source() as session:
        make_odd(session, "date", ZERO, "'2024-02-29'")
        move.start()
        move.wait_streaming()
        session.execute(f"insert into odd values (3, {ZERO})")
        session.execute(f"update odd set mine = {ZERO} where id = 2")
        session.execute("update odd set mine = '2024-02-28' where id = 1")
    move.wait_caught_up()
    with databases.target() as session:
        assert session.query("select id, mine::text from odd order by id") == [(1, "2024-02-28"), (2, becomes), (3, becomes)]
    move.verify()
    move.stop()


def test_zero_dates_are_refused_by_name_between_servers_that_know_them_too(pair):  # noqa: F811
    _, move = pair("mariadb", "mysql")
    with move.databases.source() as session:
        make_odd(session, "datetime(3)", "null")
        session.execute(f"insert into odd values (41, {ZERO})")
    move.start()
    check_refusal(move, "zero_dates")
